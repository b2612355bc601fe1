//! The reasons why a rule is not added or removed.

use std::path::Path;

use crate::config;
use crate::config::account::Account;
use crate::credential::query::Query;
use crate::credential::username::Username;
use crate::terminal::escape::safe;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("a rule works for HTTPS only")]
    NotHttps,
    #[error("a rule for a whole host needs a user")]
    WholeHost,
    #[error("{0}")]
    Path(&'static str),
    #[error("the URL and the argument name two users")]
    TwoUsers,
    #[error("NAME looks like a URL")]
    NameIsUrl,
    #[error("this is a token, not a username: nothing was changed")]
    Token,
    #[error("the path of the URL contains a token: nothing was changed")]
    TokenInPath,
    #[error("the username contains characters that a terminal does not show")]
    Invisible,
    #[error("there is a rule for {url} already, for {user}")]
    OtherUser {
        url: String,
        user: String,
        hint: String,
    },
    #[error("there is no rule for {0}")]
    Unknown(String),
    #[error("another program keeps writing {0}: nothing was changed")]
    Overtaken(String),
    #[error(transparent)]
    Config(#[from] config::failure::Error),
}

impl Error {
    pub(super) fn other_user(known: &Account) -> Self {
        let user = known.key.username.as_ref().map(Username::shown);
        Self::OtherUser {
            url: safe(&known.key.url()),
            user: user.unwrap_or_else(|| "every user".to_owned()),
            hint: format!(
                "remove that rule first with 'git credential-pat account remove {}'",
                known.key.argument()
            ),
        }
    }

    pub(super) fn unknown(url: &Query) -> Self {
        let url = url.key().map(|key| key.encoded()).unwrap_or_default();
        Self::Unknown(url)
    }

    pub(super) fn overtaken(path: &Path) -> Self {
        Self::Overtaken(safe(path.as_os_str().as_encoded_bytes()))
    }

    pub fn hint(&self) -> &str {
        match self {
            Self::NotHttps => "give the https:// URL of an owner, such as https://github.com/acme",
            Self::WholeHost => {
                "name the user, or give the URL of an owner: 'git credential-pat account add https://github.com/acme'"
            }
            Self::Path(_) => "give the URL as the forge shows it, such as https://github.com/acme",
            Self::TwoUsers => "name the user once",
            Self::NameIsUrl => {
                "give the URL first: 'git credential-pat account add https://github.com/acme octocat-work'"
            }
            Self::Token | Self::TokenInPath => {
                "other users can see arguments: revoke the token at its forge; a new one is read by 'git credential-pat login'"
            }
            Self::Invisible => "type it again",
            Self::OtherUser { hint, .. } => hint,
            Self::Unknown(_) => "'git credential-pat account list' shows every rule",
            Self::Overtaken(_) => "close the editor that writes it, and try again",
            Self::Config(error) => error.hint(),
        }
    }
}
