//! Azure DevOps. Its API about tokens cannot be called with one (learn.microsoft.com/rest/api/azure/devops/tokens).

use super::{Forge, ForgeKind, ForgeSite, Page, Renewal, Revocation, Wish};
use crate::credential::token::TokenKind;

/// Redirects to the page of the user's organization.
const PAGE: &str = "https://dev.azure.com/_usersSettings/tokens";

#[derive(Debug)]
pub struct Azure;

impl Forge for Azure {
    fn kind(&self) -> ForgeKind {
        ForgeKind::Azure
    }

    /// Older URLs of organizations are below visualstudio.com. The name alone never causes a request with a token.
    fn is_at(&self, host: &str) -> bool {
        host == "dev.azure.com"
            || host
                .strip_suffix(".visualstudio.com")
                .is_some_and(|organization| !organization.is_empty())
    }

    /// No prefix: newer tokens have a mark inside.
    /// Azure DevOps accepts any name, or none (learn.microsoft.com, "Use personal access tokens").
    fn default_username(&self, _token: Option<TokenKind>) -> Option<&'static str> {
        Some("x-access-token")
    }

    fn creation_pages(&self, site: &ForgeSite, wish: &Wish) -> Vec<Page> {
        vec![Page {
            title: "personal access token",
            url: page(site),
            values: vec![
                ("Name", wish.name.clone()),
                (
                    "Organization",
                    "the one of the repository, not all".to_owned(),
                ),
                ("Expiration", wish.last_day.clone()),
                ("Scopes", "Code: Read & write".to_owned()),
            ],
            username: None,
        }]
    }

    fn renewal(&self, site: &ForgeSite, _token: Option<TokenKind>) -> Renewal {
        Renewal::ByHand {
            page: page(site),
            how: "choose the token, then 'Regenerate'",
        }
    }

    fn revocation(&self, site: &ForgeSite, _token: Option<TokenKind>) -> Revocation {
        Revocation::ByHand(page(site))
    }
}

fn page(site: &ForgeSite) -> String {
    if site.host() == "dev.azure.com" {
        PAGE.to_owned()
    } else {
        site.url("/_usersSettings/tokens")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        assert!(Azure.is_at("dev.azure.com") && Azure.is_at("acme.visualstudio.com"));
        for other in [
            "visualstudio.com.evil.test",
            "evilvisualstudio.com",
            ".visualstudio.com",
            "x.dev.azure.com",
        ] {
            assert!(!Azure.is_at(other), "{other}");
        }
    }
}
