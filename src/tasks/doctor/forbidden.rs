//! 403: git's endpoint knows the token and denies access. The first row that matches the answer is the cause.
//!
//! | the answer | cause | fix |
//! |---|---|---|
//! | links to a page for single sign-on, or says SAML | the token is not authorized for the organization | authorize it |
//! | says "lifetime" | the organization limits the lifetime of tokens | another token |
//! | other words of a known rule ([`reply::refusal`]) | that rule | by rule |
//! | GitLab; the scopes suffice | the owner's role | ask for a role |
//! | GitHub; the scopes suffice | the owner has no access | ask for access |
//! | anything else | the token lacks a permission | the forge's page for the token |

use super::diagnosis::Diagnosis;
use super::finding::Finding;
use crate::credential::token::TokenKind;
use crate::forge::answer::HttpAnswer;
use crate::forge::{ForgeKind, TokenVerdict};
use crate::helper::lookup::request::Asked;
use crate::helper::lookup::{endpoint, reply};

impl Diagnosis<'_> {
    /// The cause of a 403. `title`: of the finding; `before`: the part of git's work that is still allowed.
    pub(crate) fn forbidden(
        &self,
        title: &'static str,
        answer: &HttpAnswer,
        path: &[u8],
        before: &str,
    ) -> Finding {
        let body = String::from_utf8_lossy(answer.body.as_slice()).to_ascii_lowercase();
        let link = self
            .issuer
            .and_then(|issuer| issuer.forge.authorization(&self.site, answer));
        if link.is_some() || body.contains("saml") || body.contains("single sign") {
            return self.sso(title, link.as_deref());
        }
        let page = format!("visit: {}", self.page());
        if body.contains("lifetime") {
            let says = "403: the organization blocks tokens with a lifetime as long as this one's; the token is not revoked";
            return Finding::problem(title, says, page);
        }
        let quote = self.quoted(answer);
        if let Some(refusal) = reply::refusal(answer) {
            let says = format!("403: {before}{}{quote}", refusal.says);
            return Finding::problem(title, says, refusal.remedy);
        }
        let before = if before.is_empty() {
            "git gets no access: "
        } else {
            before
        };
        // The token check reports missing scopes first. A role restricts a token with all scopes, too.
        let has_scopes =
            matches!(&self.asked, Asked::Told(TokenVerdict::Good(found)) if found.scopes.is_some());
        let (cause, remedy) = match self.issuer.map(|issuer| issuer.forge.kind()) {
            Some(ForgeKind::GitLab) if has_scopes => (
                "the token's scopes suffice, but its owner lacks the role (Developer pushes, Maintainer to protected branches)",
                "ask a Maintainer or Owner of the project for the role; a project token has a role of its own".to_owned(),
            ),
            Some(ForgeKind::GitHub) if has_scopes => (
                "the token has the scope 'repo', but its owner has no such access to the repository",
                format!(
                    "ask an owner of the repository for access; visit: {}",
                    self.repository_page(path)
                ),
            ),
            Some(ForgeKind::GitHub) if self.kind() == Some(TokenKind::FineGrained) => (
                "the token lacks the permission 'Contents: read and write' for this repository",
                page,
            ),
            Some(ForgeKind::GitHub) => (
                "the token lacks the scope 'repo', or its owner may not write",
                page,
            ),
            Some(ForgeKind::GitLab) => ("the token lacks the scope 'write_repository'", page),
            _ => ("the token lacks a permission for the repository", page),
        };
        Finding::problem(title, format!("403: {before}{cause}{quote}"), remedy)
    }

    /// The address of the repository's page in a browser.
    pub(crate) fn repository_page(&self, path: &[u8]) -> String {
        endpoint::address(&self.site, path.strip_suffix(b".git").unwrap_or(path))
    }
}
