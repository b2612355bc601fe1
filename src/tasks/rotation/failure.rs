//! Why a rotation saved no new token, and what the user can do.

use std::borrow::Cow;

use crate::credential::key::Key;
use crate::forge::http;
use crate::journal;
use crate::storage;
use crate::terminal::escape;

/// The usual reason for a 400. GitLab's own words differ between versions.
const TOO_LONG: &str = "GitLab lets a token live for at most 365 days, for 400 if its administrator says so (17.6), or for fewer: try \
                        --expires 90d";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the token was not rotated, and nothing has changed")]
    Storage(#[from] storage::Error),
    /// The lock, the guard or the journal.
    #[error("the token was not rotated, and nothing has changed")]
    Journal(#[from] journal::Error),
    /// The request did not reach the forge.
    #[error("the token was not rotated, and nothing has changed")]
    NotAsked(#[from] http::Error),
    /// A new token has to be created by hand.
    #[error("{0}: it was not rotated")]
    Unfit(Cow<'static, str>),
    /// The forge says that the stored token is invalid, and its successor is lost.
    #[error("{0}")]
    Lost(Cow<'static, str>),
    /// The forge may have replaced the stored token, or may do so yet.
    #[error("{0}: the stored token may be invalid now")]
    Unknown(String),
    #[error("{what}: nothing was done")]
    Later {
        what: &'static str,
        /// When another attempt makes sense.
        when: String,
    },
    #[error(
        "an earlier rotation is not finished, and a storage that may hold one of its tokens does not answer: nothing was done"
    )]
    Unfinished(#[source] storage::Error),
    /// The forge says no, and the stored token is still good.
    #[error("the forge answers {0}: the token was not rotated")]
    Refused(u16),
    #[error("saving the new token failed, and the stored one is invalid now")]
    Unsaved(#[source] storage::Error),
    #[error(
        "the stored token was replaced or removed meanwhile, and that stays: the new token was not saved"
    )]
    Displaced,
}

impl Error {
    pub(super) fn invalid() -> Self {
        Self::Unfit("the stored token is invalid".into())
    }

    pub(super) fn cut_off() -> Self {
        Self::Lost(
            "an earlier rotation was cut off: the stored token is invalid, and its successor was lost".into(),
        )
    }

    pub(super) fn busy() -> Self {
        Self::later("another process is rotating a token", "when that is done")
    }

    pub(super) fn overtaken() -> Self {
        let what = "another process has replaced this token";
        Self::later(what, "to replace the new one, too")
    }

    /// The guard holds for so many more seconds.
    pub(super) fn guarded(seconds: u64) -> Self {
        let minutes = seconds.div_ceil(60);
        let unit = if minutes == 1 { "minute" } else { "minutes" };
        Self::later(
            "an earlier rotation was cut off, and the forge may still be at work on it (a second request revokes both tokens)",
            &format!("in {minutes} {unit}"),
        )
    }

    pub(super) fn later(what: &'static str, when: &str) -> Self {
        Self::Later {
            what,
            when: when.to_owned(),
        }
    }

    /// The command to run. `key`: the entry that was to be rotated.
    pub fn hint(&self, key: &Key) -> Option<String> {
        let url = key.argument();
        let login = format!("create a new one with 'git credential-pat login {url}'");
        let check =
            format!("'git credential-pat check {url}' tells whether the stored one is good");
        let again = format!("run 'git credential-pat rotate {url}' again");
        Some(match self {
            Self::Unknown(_) => {
                format!("wait for 10 minutes before you rotate again; then {check}")
            }
            Self::Later { when, .. } => format!("{when}, {again}"),
            Self::Unsaved(storage::Error::Unavailable { .. }) => {
                format!("when the storage answers again, {check}")
            }
            Self::Unfit(_) | Self::Lost(_) | Self::Unsaved(_) => login,
            Self::Displaced => check,
            Self::NotAsked(_) => {
                let host = escape::safe(&key.host);
                format!(
                    "'git credential-pat doctor {url}' finds why {host} cannot be reached; then {again}"
                )
            }
            Self::Refused(400) => TOO_LONG.to_owned(),
            Self::Journal(journal::Error::Damaged(_)) => {
                "move the journal away: an earlier rotation that it may know of is then lost".into()
            }
            Self::Journal(journal::Error::File(cause)) => cause.hint()?.to_owned(),
            Self::Storage(cause) | Self::Unfinished(cause) => cause.hint()?.to_owned(),
            Self::Journal(_) | Self::Refused(_) => return None,
        })
    }
}
