//! Why the settings cannot be used.

use std::io;
use std::path::PathBuf;

use super::trust::Doubt;
use crate::files;
use crate::files::places::NoHome;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    NoHome(#[from] NoHome),
    #[error("cannot read {}", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    /// Another user could have written it, and it decides where tokens are kept and for how long.
    #[error("cannot trust {}", path.display())]
    NotOurs {
        path: PathBuf,
        /// The part of the path that another user can change.
        #[source]
        cause: Doubt,
        hint: String,
    },
    /// Line and column count from 1, the column in characters.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Wrong {
        path: PathBuf,
        line: usize,
        column: usize,
        message: String,
    },
    #[error("{} cannot be the plaintext file", path.display())]
    NoFile { path: PathBuf },
    #[error("cannot write {}", path.display())]
    Unwritten {
        path: PathBuf,
        #[source]
        cause: files::Error,
    },
    /// The rules are not `[[account]]` sections.
    #[error("cannot change the account rules in {}: they are an inline array", path.display())]
    NotEditable { path: PathBuf },
}

impl Error {
    /// Whether there is no `config.toml`.
    pub(super) fn is_absence(&self) -> bool {
        matches!(self, Self::Unreadable { cause, .. } if cause.kind() == io::ErrorKind::NotFound)
    }

    pub fn hint(&self) -> &str {
        match self {
            Self::NoHome(_) => "or pass a file with --config and a socket with --socket",
            Self::Unreadable { .. } if self.is_absence() => {
                "write the file, or leave out --config; until then the helper answers nothing"
            }
            Self::Unreadable { .. } => {
                "make the file readable, or remove it; until then the helper answers nothing"
            }
            Self::NotOurs { hint, .. } => hint,
            Self::Wrong { .. } => {
                "fix that line; until then the helper answers nothing. git-credential-pat(1) lists every setting"
            }
            Self::Unwritten {
                cause: cause @ files::Error::Locked { .. },
                ..
            } => cause.hint().unwrap_or_default(),
            Self::Unwritten { .. } => {
                "if a program generates this file (home-manager, a dotfiles manager), have it write the rule; \
                else make the file and its folder writable"
            }
            Self::NotEditable { .. } => {
                "write each rule as an [[account]] section, or change the rules in an editor"
            }
            Self::NoFile { .. } => {
                "pass a file with --file or file.path, not a folder, '..' or a half-written file; until then the helper answers nothing"
            }
        }
    }
}
