//! Why a rotation did not put a new token into the store.

use crate::credential::key::Key;
use crate::credential::username::Username;
use crate::files;
use crate::forge::http;
use crate::journal;
use crate::storage::{self, StorageKind};
use crate::terminal::escape;

/// The usual reason for a 400, which GitLab gives in words that differ from version to version.
const TOO_LONG: &str = "GitLab lets a token live for 365 days at most, or 400 where its administrator says so (17.6), or fewer: try \
                        --expires 90d";

/// Why there is no new token in the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A storage that cannot be used: found out before the forge was asked.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// The lock, or the mark of what is going on.
    #[error(transparent)]
    Private(#[from] files::Error),
    /// Without the journal nobody could tell whether the token is dead.
    #[error("the token was not rotated")]
    Journal(#[from] journal::Error),
    /// Somebody else is at it, and the forge takes its time.
    #[error("another process is rotating a token just now: nothing was done")]
    AtIt,
    /// Somebody else was faster.
    #[error("another process has replaced this token just now: nothing was done")]
    Overtaken,
    /// The old one is dead, and was before.
    #[error("the kept token is dead: only a new one helps")]
    Dead,
    /// An earlier rotation ended between the forge's answer and the store.
    #[error("an earlier rotation was cut off: the kept token is dead, and its successor was lost")]
    CutOff,
    /// The same, and a storage that may have the successor says nothing.
    #[error(
        "an earlier rotation was cut off, and its new token may be in a storage that does not answer: nothing was done"
    )]
    Silent(#[source] storage::Error),
    /// The kept token is what an earlier rotation has made, and a storage that may have the dead one says nothing.
    #[error(
        "an earlier rotation is not finished, and a storage that may still have its dead token does not answer: nothing was done"
    )]
    Unfinished(#[source] storage::Error),
    /// The successor of a rotation that was cut off is kept; the forge says nothing of it.
    #[error(
        "the forge cannot tell now whether the new token of an earlier rotation is good: nothing was done"
    )]
    Unsettled(#[source] Option<http::Error>),
    /// The kept token is dead, and there is another that is not.
    #[error(
        "the token in the {dead} storage is dead, and the {good} storage has another one of the same user that the forge takes: nothing was done"
    )]
    Elsewhere {
        /// Where the dead one is.
        dead: StorageKind,
        /// Where the other is.
        good: StorageKind,
    },
    /// The forge says that it is good; a forge of several servers may lag behind.
    #[error(
        "the kept token was refused or replaced before, whatever the forge says of it now: it was not rotated"
    )]
    Spent,
    /// Something answers in the forge's place, or the forge says nothing: it is no proof that the token lives.
    #[error("the forge says nothing of the kept token: it was not rotated")]
    Undescribed,
    /// No date can be written for it.
    #[error("the new token's end lies too far ahead: the kept token was not rotated")]
    TooFar,
    /// An earlier rotation ended before the forge's answer, and the forge may not have.
    #[error(
        "an earlier rotation was cut off, and the forge may still be at it: nothing was done, for to ask it twice revokes both tokens"
    )]
    Pending(u64),
    /// It may not.
    #[error("the token may not rotate itself: it has neither the scope '{0}'")]
    Scope(String),
    /// An OAuth token: its application renews it.
    #[error("the forge replaces only access tokens, and this is another kind: it was not rotated")]
    Kind,
    /// The forge said no; nothing has changed.
    #[error("the forge answers {0}: the kept token was not rotated")]
    Refused(u16),
    /// It was never asked.
    #[error("the kept token was not rotated")]
    NotAsked(#[source] http::Error),
    /// It did, and we do not know the new token.
    #[error("the forge's answer was lost: the kept token is dead now")]
    Budget,
    /// Nobody knows.
    #[error("the forge's answer was lost: the kept token may be dead now")]
    Unknown,
    /// It said no, or somebody before it did, and it may have replaced the token all the same.
    #[error("the forge answers {status}: the kept token {}", .fate.words())]
    Doubtful {
        /// What it answers.
        status: u16,
        /// What it says of the old one.
        fate: Fate,
    },
    /// It said yes, and what came with it is no token.
    #[error("the forge answered without a new token: the kept one {}", .0.words())]
    NoToken(Fate),
    /// Asked before the forge is.
    #[error(
        "the token is kept where nothing can be written now: it was not rotated, and nothing has changed"
    )]
    NotWritable(#[source] storage::Error),
    /// The store refused what it had promised to take.
    #[error("the new token could not be stored, and is lost: the kept one is dead now")]
    Unstored(#[source] storage::Error),
    /// It did not say whether it took it.
    #[error("the new token may not be stored, and lost: the kept one is dead now")]
    Unheard(#[source] storage::Error),
    /// Somebody stored another one meanwhile, wherever the old one was.
    #[error(
        "another token was stored in the kept one's place meanwhile, and stays: the forge has replaced the old one, and its successor is kept nowhere"
    )]
    Displaced,
}

/// What has become of the old token, as its forge tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is taken all the same.
    Alive,
    /// It is taken no longer.
    Dead,
    /// Nobody can tell.
    Unknown,
}

impl Fate {
    fn words(self) -> &'static str {
        match self {
            Self::Alive => "is still taken",
            Self::Dead => "is dead now",
            Self::Unknown => "may be dead now",
        }
    }
}

impl Error {
    /// Whether only a new token from the forge's page helps.
    pub fn needs_login(&self) -> bool {
        matches!(
            self,
            Self::Dead
                | Self::CutOff
                | Self::Budget
                | Self::NoToken(Fate::Dead)
                | Self::Doubtful {
                    fate: Fate::Dead,
                    ..
                }
                | Self::Scope(_)
                | Self::Kind
                | Self::Spent
                | Self::Unstored(_)
        )
    }

    /// Whether the forge says that the kept token is invalid, and its successor is lost.
    pub fn is_loss(&self) -> bool {
        matches!(
            self,
            Self::CutOff
                | Self::Budget
                | Self::NoToken(Fate::Dead)
                | Self::Doubtful {
                    fate: Fate::Dead,
                    ..
                }
        )
    }

    /// Whether it has to be found out whether the kept token is good.
    pub fn is_doubtful(&self) -> bool {
        matches!(
            self,
            Self::Unknown
                | Self::NoToken(Fate::Alive | Fate::Unknown)
                | Self::Doubtful {
                    fate: Fate::Unknown,
                    ..
                }
        )
    }

    /// What to do about it. `key`: what was to be rotated.
    pub fn hint(&self, key: &Key) -> Option<String> {
        let whose = key.argument();
        let check = format!("'git credential-pat check {whose}' tells");
        let again = format!("'git credential-pat rotate {whose}'");
        Some(match self {
            error if error.needs_login() => {
                format!("create a new one with 'git credential-pat login {whose}'")
            }
            error if error.is_doubtful() => {
                format!("do not rotate before 10 minutes are over; then {check}")
            }
            Self::AtIt => format!("when that is done, try again: {again}"),
            Self::Unheard(_) => format!("when the storage answers again, {check}"),
            Self::Displaced => format!("{check} whether that one is good"),
            Self::Unsettled(_) | Self::Undescribed => format!("try again later: {again}"),
            Self::Elsewhere { dead, good } => way_to(key, *dead, *good),
            Self::Pending(left) => {
                let wait = left.div_ceil(60);
                let unit = if wait == 1 { "minute" } else { "minutes" };
                format!("try again in {wait} {unit}: {again}")
            }
            Self::NotAsked(_) => {
                let host = escape::safe(&key.host);
                format!(
                    "'git credential-pat doctor {whose}' tells what is in the way to {host}; then try again: {again}"
                )
            }
            Self::Refused(400) | Self::TooFar => TOO_LONG.to_owned(),
            Self::Journal(journal::Error::Damaged(_)) => {
                "move the journal away: an earlier rotation that it may know of is then lost"
                    .to_owned()
            }
            Self::Private(error) | Self::Journal(journal::Error::File(error)) => {
                error.hint()?.to_owned()
            }
            Self::Storage(error)
            | Self::NotWritable(error)
            | Self::Silent(error)
            | Self::Unfinished(error) => error.hint()?.to_owned(),
            _ => return None,
        })
    }
}

/// How the dead token gets out of the good one's way.
fn way_to(key: &Key, dead: StorageKind, good: StorageKind) -> String {
    // `logout` takes all that fits: here it must be one.
    let has_no_name = key.username.as_ref().is_none_or(Username::is_empty) || key.hides_user();
    if dead == good || has_no_name {
        return "'git credential-pat list' shows both".to_owned();
    }
    let of_host = Key {
        path: None,
        ..key.clone()
    };
    format!(
        "'git credential-pat --storage {dead} logout {}' removes the dead one",
        of_host.argument()
    )
}
