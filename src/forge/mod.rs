//! The contract of forges, which issue tokens: how to ask about a token, where to create one, how to renew and revoke it.
//!
//! A forge is knowledge only: it opens no connection and stores nothing. [`http::call`] makes the calls that it describes.
//! `helper::issuer` names all forges and finds the one that issued a token.

#[cfg_attr(not(feature = "lookup"), allow(dead_code))]
pub(crate) mod http;

use std::fmt;

use serde::Deserialize;

use self::answer::HttpAnswer;
use crate::credential::expiry::Expiry;
use crate::credential::host::is_host;
use crate::credential::key::Key;
use crate::credential::token::TokenKind;

pub mod answer;
pub(crate) mod azure;
pub(crate) mod bitbucket;
pub(crate) mod gitea;
pub mod github;
pub mod gitlab;
pub mod reading;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ForgeKind {
    /// github.com and Enterprise Server.
    GitHub,
    /// gitlab.com and self-managed instances.
    GitLab,
    /// Gitea and Forgejo, which have the same API.
    #[serde(alias = "forgejo")]
    Gitea,
    /// Bitbucket Cloud.
    Bitbucket,
    /// Azure DevOps Services.
    Azure,
}

impl ForgeKind {
    /// The word in the configuration, the journal and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
            Self::Gitea => "gitea",
            Self::Bitbucket => "bitbucket",
            Self::Azure => "azure",
        }
    }
}

impl fmt::Display for ForgeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::GitHub => "GitHub",
            Self::GitLab => "GitLab",
            Self::Gitea => "Gitea",
            Self::Bitbucket => "Bitbucket",
            Self::Azure => "Azure DevOps",
        })
    }
}

pub trait Forge: fmt::Debug + Sync {
    fn kind(&self) -> ForgeKind;

    /// Whether `host` is a public host of the forge: byte for byte, without a port. A part of the name never counts
    /// (`github.com.evil.test`).
    fn is_at(&self, host: &str) -> bool;

    /// The realms of its servers in `WWW-Authenticate: Basic realm="…"`, compared whole.
    fn realms(&self) -> &'static [&'static str] {
        &[]
    }

    /// The prefixes of its tokens. Of two with the same beginning, the longer is first.
    fn prefixes(&self) -> &'static [(&'static str, TokenKind)] {
        &[]
    }

    /// The kind of a token, if its prefix tells.
    fn token_kind(&self, token: &[u8]) -> Option<TokenKind> {
        let mut prefixes = self.prefixes().iter();
        let found = prefixes.find(|(prefix, _)| token.starts_with(prefix.as_bytes()));
        found.map(|(_, kind)| *kind)
    }

    /// Why the forge's public hosts no longer accept a secret of this form. `None`: it may work, since it may be a token.
    fn retired_reason(&self, _username: &[u8], _secret: &[u8]) -> Option<&'static str> {
        None
    }

    /// The request about a token of this kind, signed by the token itself. `None`: the forge cannot tell.
    fn token_request(&self, _site: &ForgeSite, _token: Option<TokenKind>) -> Option<Call> {
        None
    }

    /// Whether `answer`, to [`Forge::token_request`] without a token, comes from this forge. A token goes only to an address
    /// where the forge is known to be.
    fn recognizes(&self, _answer: &HttpAnswer) -> bool {
        false
    }

    /// A second request, if the `answer` to the first shows that the token is of another kind.
    fn second_token_request(
        &self,
        _site: &ForgeSite,
        _token: Option<TokenKind>,
        _answer: &HttpAnswer,
    ) -> Option<Call> {
        None
    }

    /// Reads the forge's own forms of an answer to [`Forge::token_request`]. Call [`reading::read`] instead: it handles limits
    /// and answers that are not JSON. `unix_now`: Unix seconds, used if the answer has no date. `None`: the answer is not
    /// about the token.
    fn read(
        &self,
        _answer: &HttpAnswer,
        _token: Option<TokenKind>,
        _unix_now: u64,
    ) -> Option<TokenVerdict> {
        None
    }

    /// Reads from an answer the page where the owner can authorize a token for an organization, within one hour.
    fn authorization(&self, _site: &ForgeSite, _answer: &HttpAnswer) -> Option<String> {
        None
    }

    /// The username that a token of this kind requires, if it is not the user's own.
    fn username(&self, _token: Option<TokenKind>) -> Option<&'static str> {
        None
    }

    /// The username for a token without one. `None`: such a token works only with its own username.
    fn default_username(&self, token: Option<TokenKind>) -> Option<&'static str> {
        self.username(token)
    }

    /// The scope that git needs and that is not in `scopes`.
    fn missing_scope(&self, _token: Option<TokenKind>, _scopes: &[String]) -> Option<MissingScope> {
        None
    }

    /// The pages that create a token, the recommended one first.
    fn creation_pages(&self, site: &ForgeSite, wish: &Wish) -> Vec<Page>;

    fn renewal(&self, site: &ForgeSite, token: Option<TokenKind>) -> Renewal;

    fn revocation(&self, site: &ForgeSite, token: Option<TokenKind>) -> Revocation;

    /// What the forge deletes along with a token, besides the token.
    fn deleted_with_token(&self) -> Option<&'static str> {
        None
    }
}

/// The host of a forge, and the path before all its pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForgeSite {
    host: String,
    /// Empty, or with a slash at the beginning and none at the end.
    base: String,
}

impl ForgeSite {
    /// The site of a credential. `None` without HTTPS: no token is sent in clear text.
    pub fn of(key: &Key) -> Option<Self> {
        let host = std::str::from_utf8(&key.host).ok()?;
        let can_be = key.protocol == b"https" && is_host(&key.host);
        can_be.then(|| Self {
            host: host.to_owned(),
            base: String::new(),
        })
    }

    /// Sets the path before all pages.
    #[must_use]
    pub fn below(self, path: &str) -> Self {
        let base = format!("/{path}");
        Self { base, ..self }
    }

    /// The host with its port, except the default one.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The URL of `path` at the forge.
    pub fn url(&self, path: &str) -> String {
        format!("https://{}{}{path}", self.host, self.base)
    }

    /// The URL of `path` at the host, without the forge's own path.
    pub fn url_at_host(&self, path: &str) -> String {
        format!("https://{}{path}", self.host)
    }
}

/// A request to a forge. Only the credential's key decides its URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub method: Method,
    pub url: String,
    pub signature: Signature,
    /// The `Accept` header.
    pub accept: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    /// With a body.
    Post,
    Delete,
}

/// The place of the token in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// `Authorization: Bearer …`.
    Bearer,
    /// GitLab's `PRIVATE-TOKEN: …`.
    PrivateToken,
    /// `Authorization: Basic …`, as git sends it. The secret comes from [`basic::encoded`](crate::credential::basic::encoded).
    Basic,
    /// No header; the token may be in the body.
    None,
}

/// A forge's verdict on a token. Only a rejection ([`TokenVerdict::is_rejection`]) makes the token invalid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenVerdict {
    Good(TokenFacts),
    /// The token has expired.
    Ended,
    Revoked,
    /// The forge does not accept the token, for an unknown reason.
    Rejected,
    /// The token is good, but the forge blocks its account or address: single sign-on, a policy, a suspended account.
    Blocked {
        /// The page where the owner can authorize the token for an organization, within one hour.
        authorize: Option<String>,
        /// The forge's reason: untrusted text.
        words: Option<String>,
    },
    /// The forge accepts no more requests for now.
    Limited {
        /// The HTTP status.
        status: u16,
        /// In seconds, if the answer tells.
        wait: Option<u64>,
    },
    /// The answer is not about the token. `status` is the HTTP status.
    Unclear {
        status: u16,
    },
}

impl TokenVerdict {
    /// Whether the forge itself says that the token is invalid.
    pub fn is_rejection(&self) -> bool {
        matches!(self, Self::Ended | Self::Revoked | Self::Rejected)
    }
}

/// A forge's answer about a good token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenFacts {
    pub end: ForgeExpiry,
    pub scopes: Option<Vec<String>>,
    pub user: Option<String>,
    /// The kind of a token without a known prefix.
    pub kind: Option<TokenKind>,
}

/// The expiry of a token, as its forge tells it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ForgeExpiry {
    #[default]
    Unknown,
    Never,
    At(Expiry),
}

/// A scope that git needs and a token lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token lacks the scope '{scope}': {consequence}")]
pub struct MissingScope {
    /// The forge's name for it.
    pub scope: &'static str,
    /// The effect on git, such as "git can fetch and cannot push".
    pub consequence: &'static str,
}

/// The properties of a new token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    pub name: String,
    /// The lifetime.
    pub days: u16,
    /// The last day of the lifetime, such as `2026-12-21`.
    pub last_day: String,
}

/// A page that creates a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The kind of token.
    pub title: &'static str,
    /// Fills in the values that the forge accepts in a URL.
    pub url: String,
    /// All values by the names in the form: forges have dropped such URLs before.
    pub values: Vec<(&'static str, String)>,
    /// The username that the token requires, if it is not the user's own.
    pub username: Option<&'static str>,
}

/// How to replace a token by its successor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewal {
    /// A call returns the new token and invalidates the old one at once. Store the new token first, and never repeat the call:
    /// to use an invalid token again revokes its successors.
    InPlace {
        /// Signed by the old token; the body is `{"expires_at":"YYYY-MM-DD"}`; the answer holds `token`.
        call: Call,
        /// The token needs one of these scopes.
        needs: &'static [&'static str],
    },
    /// The user follows `how` on `page`.
    ByHand { page: String, how: &'static str },
}

/// How to revoke a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revocation {
    /// A call signed by the token itself.
    Signed(Call),
    /// A call without a signature, with the token in the body: `{"credentials":["…"]}`.
    Reported(Call),
    /// The page where the user revokes it.
    ByHand(String),
}

#[cfg(test)]
pub mod recorded {
    //! Answers as tests write them down.
    use super::answer::HttpAnswer;
    use crate::secret::Buffer;

    /// JSON, as a forge's API sends it.
    pub const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");

    /// With these headers, their names in lower case.
    pub fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> HttpAnswer {
        let mut kept = Buffer::with_capacity(body.len());
        kept.push(body.as_bytes());
        HttpAnswer {
            status,
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
                .collect(),
            body: kept,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::word::from_word;

    #[test]
    fn words_are_read_back() {
        for word in ["github", "gitlab", "gitea", "bitbucket", "azure"] {
            assert_eq!(from_word(word).map(ForgeKind::word), Some(word));
        }
        assert_eq!(from_word("forgejo"), Some(ForgeKind::Gitea));
        assert_eq!(from_word::<ForgeKind>("GitHub"), None);
    }

    #[test]
    fn only_https_has_a_site() {
        let key = |protocol: &str, host: &str| Key {
            protocol: protocol.as_bytes().to_vec(),
            host: host.as_bytes().to_vec(),
            path: None,
            username: None,
        };
        let site = ForgeSite::of(&key("https", "one.test:8443")).unwrap();
        assert_eq!(site.url("/api"), "https://one.test:8443/api");
        for (protocol, host) in [("http", "one.test"), ("cert", ""), ("https", "a@one.test")] {
            assert_eq!(ForgeSite::of(&key(protocol, host)), None);
        }
    }
}
