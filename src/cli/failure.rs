//! The reasons why a command fails, each with a hint.

use std::io;
use std::process::ExitCode;

use crate::credential::query::Query;
use crate::files::places::NoHome;
use crate::tasks::accounts::failure::Error as AccountError;
use crate::tasks::login::LoginError;
use crate::tasks::setup::failure::Error as SetupError;
use crate::tasks::target::TargetError;
use crate::terminal::prompt;
use crate::{config, git, protocol, storage};

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

    pub(super) fn hint(&self) -> Option<&str> {
        match self {
            Self::Config(error) => Some(error.hint()),
            Self::Storage(error) => error.hint(),
            Self::Target(error) => error.hint(),
            Self::Login(error) => error.hint(),
            Self::Setup(error) => error.hint(),
            Self::Account(error) => Some(error.hint()),
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
