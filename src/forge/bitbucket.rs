//! Bitbucket Cloud. No documented way to ask a token when it ends; app passwords were removed on 28 July 2026
//! (community.atlassian.com ba-p/3237429).

use super::{Forge, ForgeKind, ForgeSite, Page, Renewal, Revocation, Wish};
use crate::credential::token::TokenKind;

/// Atlassian issues the tokens of all its products on one page.
const PAGE: &str = "https://id.atlassian.com/manage-profile/security/api-tokens";

#[derive(Debug)]
pub struct Bitbucket;

impl Forge for Bitbucket {
    fn kind(&self) -> ForgeKind {
        ForgeKind::Bitbucket
    }

    fn is_at(&self, host: &str) -> bool {
        host == "bitbucket.org"
    }

    fn prefixes(&self) -> &'static [(&'static str, TokenKind)] {
        &[
            ("ATATT", TokenKind::Api),
            ("ATCTT", TokenKind::Access),
            ("ATBB", TokenKind::AppPassword),
        ]
    }

    fn retired_reason(&self, _username: &[u8], secret: &[u8]) -> Option<&'static str> {
        let is_app_password = self.token_kind(secret) == Some(TokenKind::AppPassword);
        is_app_password.then_some("app password: Bitbucket stopped accepting them in July 2026")
    }

    fn creation_pages(&self, _site: &ForgeSite, wish: &Wish) -> Vec<Page> {
        vec![Page {
            title: "API token with scopes",
            url: PAGE.to_owned(),
            values: vec![
                ("Name", wish.name.clone()),
                ("Expires on", wish.last_day.clone()),
                ("App", "Bitbucket".to_owned()),
                (
                    "Scopes",
                    "read:repository:bitbucket, write:repository:bitbucket".to_owned(),
                ),
            ],
            username: self.username(Some(TokenKind::Api)),
        }]
    }

    fn username(&self, token: Option<TokenKind>) -> Option<&'static str> {
        Some(match token {
            Some(TokenKind::Access) => "x-token-auth",
            _ => "x-bitbucket-api-token-auth",
        })
    }

    fn default_username(&self, token: Option<TokenKind>) -> Option<&'static str> {
        match token {
            Some(TokenKind::AppPassword) => None,
            token => self.username(token),
        }
    }

    fn renewal(&self, site: &ForgeSite, token: Option<TokenKind>) -> Renewal {
        let how = if token == Some(TokenKind::Access) {
            "create a new one under 'Access tokens' in the settings of the repository, project or workspace, then revoke the old one"
        } else {
            "create a new token, then revoke the old one"
        };
        Renewal::ByHand {
            page: page(site, token),
            how,
        }
    }

    fn revocation(&self, site: &ForgeSite, token: Option<TokenKind>) -> Revocation {
        Revocation::ByHand(page(site, token))
    }
}

/// An access token belongs to a repository, a project or a workspace, not to a user: their settings list it.
fn page(site: &ForgeSite, token: Option<TokenKind>) -> String {
    if token == Some(TokenKind::Access) {
        site.url("/")
    } else {
        PAGE.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_username() {
        for (secret, name) in [
            ("ATCTTx", "x-token-auth"),
            ("ATATTx", "x-bitbucket-api-token-auth"),
            ("opaque", "x-bitbucket-api-token-auth"),
        ] {
            let kind = Bitbucket.token_kind(secret.as_bytes());
            assert_eq!(Bitbucket.username(kind), Some(name), "{secret}");
        }
    }

    #[test]
    fn app_passwords_are_taken_no_more() {
        for (secret, is_over) in [
            ("ATBBx", true),
            ("ATATTx", false),
            ("ATCTTx", false),
            ("opaque", false),
        ] {
            let said = Bitbucket.retired_reason(b"bob", secret.as_bytes());
            assert_eq!(said.is_some(), is_over, "{secret}");
        }
    }
}
