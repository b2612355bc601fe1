//! The reasons why a command fails, each with a hint.

use std::io;

use super::exit_code::ExitCode;
use crate::credential::query::Query;
use crate::files::places::NoHome;
use crate::tasks::accounts::failure::Error as AccountError;
use crate::tasks::login::LoginError;
use crate::tasks::setup::failure::Error as SetupError;
use crate::tasks::target::TargetError;
use crate::terminal::prompt;
use crate::{config, git, journal, protocol, storage};

const MOVE_JOURNAL: &str = "move the journal away: git-credential-pat then forgets which tokens were rejected or superseded";

/// The result of a command or of a step of it.
pub(super) type CliResult<T = ExitCode> = Result<T, Failure>;

#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Config(#[from] config::failure::Error),
    #[error(transparent)]
    Request(#[from] protocol::Error),
    #[error(transparent)]
    Storage(#[from] storage::Error),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Login(#[from] LoginError),
    #[error(transparent)]
    Git(#[from] git::failure::Error),
    /// The options of the helper lines are unknown, and with them the storages in use.
    #[error("cannot read git's configuration, which names the storages in use")]
    GitsFlags {
        hint: String,
        #[source]
        cause: git::failure::Error,
    },
    #[error("cannot tell whether the token is valid")]
    UnreadableJournal(#[source] journal::Error),
    #[error(transparent)]
    NoHome(#[from] NoHome),
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error(transparent)]
    Account(#[from] AccountError),
    #[error("cannot write the output")]
    Output(#[from] io::Error),
    #[error(transparent)]
    Prompt(#[from] prompt::Error),
    #[error("{what}")]
    Plain { what: String, hint: Option<String> },
}

impl Failure {
    pub(super) fn new(what: impl Into<String>, hint: impl Into<Option<&'static str>>) -> Self {
        Self::Plain {
            what: what.into(),
            hint: hint.into().map(str::to_owned),
        }
    }

    pub(super) fn of_gits_flags(cause: git::failure::Error) -> Self {
        let fix = cause
            .hint()
            .unwrap_or("run 'git credential-pat doctor' to find the cause");
        Self::GitsFlags {
            hint: format!(
                "{fix}; or name the storages, such as '--storage file': git's configuration does not count then"
            ),
            cause,
        }
    }

    pub(super) fn hint(&self) -> Option<&str> {
        match self {
            Self::Config(error) => Some(error.hint()),
            Self::Storage(error) => error.hint(),
            Self::Target(error) => error.hint(),
            Self::Login(error) => error.hint(),
            Self::Setup(error) => error.hint(),
            Self::Account(error) => Some(error.hint()),
            Self::UnreadableJournal(cause) => Some(match cause {
                journal::Error::File(cause) => cause.hint().unwrap_or(MOVE_JOURNAL),
                _ => MOVE_JOURNAL,
            }),
            Self::GitsFlags { hint, .. } => Some(hint),
            Self::Plain { hint, .. } => hint.as_deref(),
            Self::Git(error) => error.hint(),
            Self::NoHome(_) | Self::Request(_) | Self::Prompt(_) | Self::Output(_) => None,
        }
    }
}

/// Nothing was found, but a storage could not be read.
pub(super) fn nothing_known() -> Failure {
    Failure::new(
        "cannot tell whether anything is kept: not every storage could be asked",
        "run 'git credential-pat doctor' to find the cause",
    )
}

/// Nothing was found in any storage.
pub(super) fn nothing_stored(wanted: &Query) -> Failure {
    let url = wanted.key().map(|key| key.argument()).unwrap_or_default();
    Failure::Plain {
        what: "nothing is kept for this URL".to_owned(),
        hint: Some(format!(
            "save a token with 'git credential-pat login {url}'; 'git credential-pat list' shows what is kept"
        )),
    }
}
