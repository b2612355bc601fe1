//! Forges: hosts that issue tokens. Each says how to ask when a token ends (or that it cannot tell), what a token's
//! kind is, where a new one is created, and how an old one is renewed and revoked.
//!
//! A forge here is knowledge only: it opens no connection and keeps nothing. [`http::call`] carries out what it describes.
//! `helper::forges` names them all and finds the one that issued a token.

pub(crate) mod http;

use std::fmt;

use self::answer::HttpAnswer;
use crate::credential::expiry::Expiry;
use crate::credential::host::is_host;
use crate::credential::key::Key;
use crate::credential::percent;
use crate::credential::token::TokenKind;

pub mod answer;
pub(crate) mod azure;
pub(crate) mod bitbucket;
pub(crate) mod gitea;
pub mod github;
pub mod gitlab;
pub mod reading;

/// Which forge, by the word used in configuration, the journal and JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ForgeKind {
    /// github.com and Enterprise Server.
    GitHub,
    /// gitlab.com and everybody's own.
    GitLab,
    /// Gitea and Forgejo.
    Gitea,
    /// Bitbucket Cloud.
    Bitbucket,
    /// Azure DevOps Services.
    Azure,
}

impl ForgeKind {
    /// Every one.
    pub const ALL: [Self; 5] = [
        Self::GitHub,
        Self::GitLab,
        Self::Gitea,
        Self::Bitbucket,
        Self::Azure,
    ];

    /// For configuration and machines.
    pub fn word(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
            Self::Gitea => "gitea",
            Self::Bitbucket => "bitbucket",
            Self::Azure => "azure",
        }
    }

    /// By its word; Forgejo speaks as Gitea does.
    pub fn from_word(word: &str) -> Option<Self> {
        let word = if word == "forgejo" { "gitea" } else { word };
        Self::ALL.into_iter().find(|kind| kind.word() == word)
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

/// A host that issues tokens.
pub trait Forge: fmt::Debug + Sync {
    /// Which one this is.
    fn kind(&self) -> ForgeKind;

    /// Whether `host` is one of the forge's own, known to everybody: byte for byte, with no port. A part of a name
    /// proves nothing (`github.com.evil.test`).
    fn is_at(&self, host: &str) -> bool;

    /// What its servers call themselves in `WWW-Authenticate: Basic realm="…"`, whole.
    fn realms(&self) -> &'static [&'static str];

    /// How its tokens begin, the longer of two that begin alike first.
    fn prefixes(&self) -> &'static [(&'static str, TokenKind)];

    /// What sort of token this is, if its beginning tells.
    fn token_kind(&self, token: &[u8]) -> Option<TokenKind> {
        let mut prefixes = self.prefixes().iter();
        let found = prefixes.find(|(prefix, _)| token.starts_with(prefix.as_bytes()));
        found.map(|(_, kind)| *kind)
    }

    /// Why git, at this forge's own hosts, surely cannot sign in with `secret` any more, whoever's it is. `None`: it may be
    /// good. What could be a token of whatever sort is one.
    fn retired_reason(&self, _username: &[u8], _secret: &[u8]) -> Option<&'static str> {
        None
    }

    /// How to ask about a token of this kind, by the token itself. `None`, unless a forge says otherwise: it cannot tell.
    fn token_request(&self, _site: &ForgeSite, _token: Option<TokenKind>) -> Option<Call> {
        None
    }

    /// Whether `answer`, to [`Forge::token_request`] without a token, is this forge's. A token goes to an address only if the
    /// forge is known to be there.
    fn recognizes(&self, _answer: &HttpAnswer) -> bool {
        false
    }

    /// Another question, where `answer` to the first one says that the token is of another kind than it looks.
    fn second_token_request(
        &self,
        _site: &ForgeSite,
        _token: Option<TokenKind>,
        _answer: &HttpAnswer,
    ) -> Option<Call> {
        None
    }

    /// Reads the forge's own shapes of an answer to [`Forge::token_request`]. Callers use [`reading::read`], which has set
    /// aside limits and all that is not JSON. `unix_now`: the present, where the answer has no date.
    fn read(&self, answer: &HttpAnswer, _token: Option<TokenKind>, _wall: u64) -> TokenVerdict {
        TokenVerdict::Unclear {
            status: answer.status,
        }
    }

    /// Where the owner of a token can open it for an organization, for one hour, by an answer of the API or of git's endpoint.
    fn authorization(&self, _site: &ForgeSite, _answer: &HttpAnswer) -> Option<String> {
        None
    }

    /// The username that git must give with a token of this kind, if it is not the person's own.
    fn username(&self, _token: Option<TokenKind>) -> Option<&'static str> {
        None
    }

    /// The username to sign in with where a person names none. `None`: such a token works with a name of its own alone.
    fn default_username(&self, token: Option<TokenKind>) -> Option<&'static str> {
        self.username(token)
    }

    /// The scope that git needs and `scopes` lack.
    fn missing_scope(&self, _token: Option<TokenKind>, _scopes: &[String]) -> Option<MissingScope> {
        None
    }

    /// Where a new token is created: the pages, the recommended one first.
    fn creation_pages(&self, site: &ForgeSite, wish: &Wish) -> Vec<Page>;

    /// How an old token is replaced by a new one.
    fn renewal(&self, site: &ForgeSite, token: Option<TokenKind>) -> Renewal;

    /// How a token is made useless at once.
    fn revocation(&self, site: &ForgeSite, token: Option<TokenKind>) -> Revocation;
}

/// Where a forge lives: its host, and the path below which all its addresses are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForgeSite {
    host: String,
    /// Empty, or with a slash at its beginning and none at its end.
    base: String,
}

impl ForgeSite {
    /// The site that a credential is for. `None` for what is not HTTPS: over anything else no token is sent. Whether it can be
    /// asked, [`http::call`] finds.
    pub fn of(key: &Key) -> Option<Self> {
        let host = std::str::from_utf8(&key.host).ok()?;
        let can_be = key.protocol == b"https" && is_host(&key.host);
        can_be.then(|| Self {
            host: host.to_owned(),
            base: String::new(),
        })
    }

    /// The same host, with the forge below `path`.
    #[must_use]
    pub fn below(self, path: &str) -> Self {
        let base = format!("/{path}");
        Self { base, ..self }
    }

    /// With its port, if it has one of its own.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The address of `path` at the forge.
    pub fn url(&self, path: &str) -> String {
        format!("https://{}{}{path}", self.host, self.base)
    }

    /// The address of `path` at the host, whatever the forge lives below.
    pub fn url_at_host(&self, path: &str) -> String {
        format!("https://{}{path}", self.host)
    }
}

/// A request to a forge: a fixed address, which only the key of the credential decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What is done.
    pub method: Method,
    /// Where.
    pub url: String,
    /// How the token is shown.
    pub signature: Signature,
    /// `Accept` of the request.
    pub accept: &'static str,
}

/// What a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Looks.
    Get,
    /// Changes; has a body.
    Post,
    /// Removes.
    Delete,
}

/// Where in a request the token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// `Authorization: Bearer …`.
    Bearer,
    /// GitLab's `PRIVATE-TOKEN: …`.
    PrivateToken,
    /// `Authorization: Basic …`, as git signs: the secret is what [`basic::encoded`](crate::credential::basic::encoded) makes.
    Basic,
    /// Nowhere, or in the body.
    None,
}

/// A forge's verdict on a token. Only a rejection ([`TokenVerdict::is_rejection`]) makes the token invalid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenVerdict {
    /// It is good.
    Good(TokenFacts),
    /// It has expired.
    Ended,
    /// It was revoked.
    Revoked,
    /// The forge itself does not accept it, and does not say why.
    Rejected,
    /// It is good, but the forge blocks its account or address: single sign-on, a policy, a suspended account.
    Blocked {
        /// Where the owner of the token can open it for an organization, for one hour.
        authorize: Option<String>,
        /// Why, in the forge's words: foreign text.
        words: Option<String>,
    },
    /// The forge takes no more requests for now.
    Limited {
        /// Of HTTP.
        status: u16,
        /// For so many seconds, if the answer tells.
        wait: Option<u64>,
    },
    /// The answer says nothing about the token.
    Unclear {
        /// Of HTTP.
        status: u16,
    },
}

impl TokenVerdict {
    /// Whether the forge itself says that the token is invalid.
    pub fn is_rejection(&self) -> bool {
        matches!(self, Self::Ended | Self::Revoked | Self::Rejected)
    }
}

/// What a forge tells of a good token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenFacts {
    /// When it ends.
    pub end: ForgeExpiry,
    /// What it may do; `None`: not told.
    pub scopes: Option<Vec<String>>,
    /// Who signs in with it.
    pub user: Option<String>,
    /// Of which kind it is, where its beginning does not tell and the answer does.
    pub kind: Option<TokenKind>,
}

/// A forge's word on a token's end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ForgeExpiry {
    /// Nothing that can be relied on.
    #[default]
    Unknown,
    /// It has none.
    Never,
    /// This moment.
    At(Expiry),
}

/// A scope that git needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingScope {
    /// By the forge's name for it.
    pub scope: &'static str,
    /// What does not work without it.
    pub consequence: &'static str,
}

/// What a new token should be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Under which the forge lists it.
    pub name: String,
    /// How long it shall live.
    pub days: u16,
    /// The day on which that is over, such as `2026-12-21`.
    pub last_day: String,
}

/// A page that creates a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The kind of token.
    pub title: &'static str,
    /// With everything filled in that the forge takes from an address.
    pub url: String,
    /// Every value all the same, by the form's own names: addresses like this one have broken before.
    pub values: Vec<(&'static str, String)>,
    /// The username that git must give with the token, if it is not the person's own.
    pub username: Option<&'static str>,
}

/// How a token is replaced by its successor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewal {
    /// By a call that returns the new token and ends the old one at once. The new one must be stored before anything
    /// else, and the call never be repeated: reusing a dead token revokes the family.
    InPlace {
        /// Signed with the old token; the body is `{"expires_at":"YYYY-MM-DD"}`; the answer holds `token`.
        call: Call,
        /// Any one of these must be among its scopes.
        needs: &'static [&'static str],
    },
    /// By hand.
    ByHand {
        /// Where.
        page: String,
        /// What to do there.
        how: &'static str,
    },
}

/// How a token is revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revocation {
    /// By a call signed with the token itself.
    Signed(Call),
    /// By a call that anybody may make, with the token in the body: `{"credentials":["…"]}`.
    Reported(Call),
    /// By hand, on this page.
    ByHand(String),
}

/// A name as it may be shown and typed: no control character, not longer than names are.
pub fn checked_name(name: String) -> Option<String> {
    let is_name = !name.is_empty() && name.len() <= 256 && !name.chars().any(char::is_control);
    is_name.then_some(name)
}

/// `text` as the value of a query (RFC 3986 §2.3: everything but the unreserved is encoded).
pub fn encoded(text: &str) -> String {
    percent::encoded(text.as_bytes(), b"-._~")
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

    #[test]
    fn words_are_read_back() {
        for kind in ForgeKind::ALL {
            assert_eq!(ForgeKind::from_word(kind.word()), Some(kind));
        }
        assert_eq!(ForgeKind::from_word("forgejo"), Some(ForgeKind::Gitea));
        assert_eq!(ForgeKind::from_word("GitHub"), None);
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

    #[test]
    fn query_values_are_encoded() {
        assert_eq!(
            encoded("git on büro & co"),
            "git%20on%20b%C3%BCro%20%26%20co"
        );
    }
}
