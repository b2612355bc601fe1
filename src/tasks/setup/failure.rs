//! The reasons why git's configuration was not changed.

use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
use std::path::PathBuf;

use super::scheduler::SchedulerError;
use crate::files;
use crate::files::places::NoHome;
use crate::git;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Git(#[from] git::failure::Error),
    #[error(transparent)]
    External(#[from] files::Error),
    /// A configuration of the user or of a repository cannot be written.
    #[error(transparent)]
    ReadOnly(Box<Error>),
    #[error("{0} belongs to another user: nothing is written there")]
    OfAnother(String),
    #[error("this is no repository")]
    NoRepository,
    #[error("git asks no helper for this kind of URL")]
    Protocol,
    #[error(
        "the URL holds a token in the place of the user, and git's configuration would hold it, too"
    )]
    Token,
    #[error(
        "the path of this program, or an option, holds an invisible character that a configuration file cannot hold"
    )]
    Invisible,
    #[error("systemd starts no program whose path holds a quote or a backslash")]
    UnitProgram,
    #[error(transparent)]
    NoHome(#[from] NoHome),
    /// With a hint.
    #[error("there is no {program} on PATH: the reminder is {kind}")]
    NoScheduler {
        program: &'static str,
        kind: &'static str,
        hint: String,
    },
    #[error("{} is not as setup wrote it: nothing is written there", .0.display())]
    ForeignUnit(PathBuf),
    #[error("the reminder is written, but its timer was not started")]
    NotStarted {
        #[source]
        cause: SchedulerError,
        hint: &'static str,
    },
}

impl Error {
    pub(super) fn is_denied(&self) -> bool {
        matches!(self, Self::External(files::Error::System { cause, .. })
            if matches!(cause.kind(), PermissionDenied | ReadOnlyFilesystem))
    }

    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Git(error) => error.hint(),
            _ if self.is_denied() => Some(
                "only root may write there ('sudo'); without --system a file of your own is changed",
            ),
            Self::External(error) => error.hint(),
            Self::ReadOnly(_) => Some(
                "if a program generates this file (home-manager, a dotfiles manager), have it write the line; \
                else make the file and its folder writable",
            ),
            Self::OfAnother(_) => Some(files::HOME_OF_ANOTHER),
            Self::NoRepository => Some("go into one, or leave out --local"),
            Self::Protocol => Some("give a URL such as https://github.com"),
            Self::Token => {
                Some("leave the token out; without a user the setting applies to every user")
            }
            Self::Invisible | Self::NoHome(_) => None,
            Self::UnitProgram => Some("install this program in another folder"),
            Self::NoScheduler { hint, .. } => Some(hint),
            Self::ForeignUnit(_) => Some("move the file away, and run this again"),
            Self::NotStarted { hint, .. } => Some(hint),
        }
    }
}
