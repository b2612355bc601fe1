//! Everything known about a URL for which git fails: the stored token, its issuer, and the forge's answer about the token.

use super::finding::Finding;
use super::query::Question;
use crate::credential::Credential;
use crate::credential::token::TokenKind;
use crate::forge::{ForgeKind, ForgeSite, Renewal, Wish, http};
use crate::git::Git;
use crate::helper::issuer::Issuer;
use crate::helper::lookup::request::Asked;

/// The facts behind each finding about a stored token.
pub(crate) struct Diagnosis<'a> {
    pub(crate) credential: &'a Credential,
    pub(crate) issuer: Option<Issuer>,
    pub(crate) site: ForgeSite,
    pub(crate) asked: Asked,
    pub(crate) question: &'a Question,
    pub(crate) git: Option<&'a Git>,
    /// The command that replaces the credential under its own key.
    pub(crate) login: String,
}

impl Diagnosis<'_> {
    /// Whether git gets an answer at `url`, although our request failed with `error`.
    pub(crate) fn git_reaches(&self, url: &str, error: http::Error) -> bool {
        let git = self.git.filter(|_| error.may_spare_git());
        git.is_some_and(|git| git.reaches(url).unwrap_or(false))
    }

    pub(crate) fn forge(&self) -> String {
        let forge = self.issuer.map(|issuer| issuer.forge.kind());
        forge.map_or_else(|| "the server".to_owned(), |kind| kind.to_string())
    }

    pub(crate) fn kind(&self) -> Option<TokenKind> {
        self.issuer.and_then(|issuer| issuer.token)
    }

    pub(crate) fn is(&self, kind: ForgeKind) -> bool {
        self.issuer
            .is_some_and(|issuer| issuer.forge.kind() == kind)
    }

    /// The forge's page that changes what the token may do.
    pub(crate) fn page(&self) -> String {
        let root = self.site.url("/");
        let Some(Issuer { forge, token, .. }) = self.issuer else {
            return root;
        };
        if let Renewal::ByHand { page, .. } = forge.renewal(&self.site, token) {
            return page;
        }
        // The scopes of GitLab's tokens cannot be changed: the user needs a new token.
        let wish = Wish {
            name: "git".to_owned(),
            days: 90,
            last_day: String::new(),
        };
        let mut pages = forge.creation_pages(&self.site, &wish).into_iter();
        pages.next().map_or(root, |page| page.url)
    }

    /// The organization's single sign-on blocks the token. `link`: the page that authorizes the token.
    pub(crate) fn sso(&self, title: &'static str, link: Option<&str>) -> Finding {
        let is_fine_grained = self.kind() == Some(TokenKind::FineGrained);
        let says = if is_fine_grained {
            "403: the organization's single sign-on: a fine-grained token is authorized when it is created for the organization, which approves it"
        } else {
            "403: the token must be authorized for the organization's single sign-on"
        };
        let page = self.page();
        let remedy = match link {
            Some(link) => format!("within the hour, visit: {link}"),
            None if is_fine_grained => format!(
                "see whether it awaits approval, or create one with the organization as its resource owner; visit: {page}"
            ),
            None => format!("choose 'Configure SSO' beside the token; visit: {page}"),
        };
        Finding::problem(title, says, remedy)
    }
}
