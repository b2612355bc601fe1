//! The reasons why git's configuration was not changed.

use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};

use crate::files;
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
        "the path of this program, or an option, holds an invisible character that git's configuration cannot hold"
    )]
    Invisible,
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
            Self::Invisible => None,
        }
    }
}
