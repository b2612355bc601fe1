//! Gitea and Forgejo. Their access tokens never expire (go-gitea/gitea#17864), and cannot ask about themselves.

use super::{Forge, ForgeKind, ForgeSite, Page, Renewal, Revocation, Wish};
use crate::credential::token::TokenKind;

const PAGE: &str = "/user/settings/applications";

#[derive(Debug)]
pub struct Gitea;

impl Forge for Gitea {
    fn kind(&self) -> ForgeKind {
        ForgeKind::Gitea
    }

    fn is_at(&self, host: &str) -> bool {
        ["gitea.com", "codeberg.org"].contains(&host)
    }

    fn realms(&self) -> &'static [&'static str] {
        &["Gitea", "Forgejo"]
    }

    /// Gitea accepts any name with a token as password (go-gitea/gitea: `services/auth/basic.go`).
    fn default_username(&self, _token: Option<TokenKind>) -> Option<&'static str> {
        Some("x-access-token")
    }

    fn creation_pages(&self, site: &ForgeSite, wish: &Wish) -> Vec<Page> {
        vec![Page {
            title: "access token",
            url: site.url(PAGE),
            values: vec![
                ("Token name", wish.name.clone()),
                ("Permissions", "repository: Read and Write".to_owned()),
            ],
            username: None,
        }]
    }

    fn renewal(&self, site: &ForgeSite, _token: Option<TokenKind>) -> Renewal {
        Renewal::ByHand {
            page: site.url(PAGE),
            how: "create a new token, then delete the old one",
        }
    }

    fn revocation(&self, site: &ForgeSite, _token: Option<TokenKind>) -> Revocation {
        Revocation::ByHand(site.url(PAGE))
    }
}
