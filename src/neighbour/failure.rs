//! Why a neighbour was not read, or not changed.

use std::path::PathBuf;

use super::yaml::document;
use crate::credential::pasted::Flaw;
use crate::files;
use crate::storage;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    File(#[from] files::Error),
    /// Its file is no YAML that we can read.
    #[error("cannot read {}", path.display())]
    Wording {
        path: PathBuf,
        #[source]
        cause: document::Error,
    },
    /// Its file cannot lose one entry and keep the others.
    #[error("cannot remove one entry from {}", path.display())]
    Entangled { path: PathBuf },
    #[error(transparent)]
    Keychain(#[from] storage::Error),
    /// Its daemon does not answer as it should.
    #[error("cannot ask {}: {problem}", path.display())]
    Daemon {
        path: PathBuf,
        problem: &'static str,
    },
    /// Only another program can read its file.
    #[error("cannot read {}: {problem}", path.display())]
    Encrypted {
        path: PathBuf,
        problem: &'static str,
        hint: &'static str,
    },
    /// git's configuration names a path that only a shell can expand.
    #[error("cannot tell where a helper of git's keeps credentials: {helper}")]
    Untold {
        /// The helper, as it may be shown.
        helper: String,
    },
    /// A file that the user named.
    #[error("there is no file {}", .0.display())]
    NoFile(PathBuf),
    /// A variable that is not set, or empty.
    #[error("the environment variable {0} is not set")]
    Unset(String),
    /// A variable with a text that cannot be sent as a token.
    #[error("the environment variable {variable} holds no token: {flaw}")]
    Unfit { variable: String, flaw: Flaw },
    /// A variable whose token needs its own username.
    #[error("the token in the environment variable {0} needs its own username")]
    Nameless(String),
    /// A neighbour that is only read.
    #[error("nothing is removed from {0}")]
    ReadOnly(&'static str),
}

impl Error {
    /// What the user can do.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Keychain(error) => error.hint(),
            Self::Encrypted { hint, .. } => Some(hint),
            Self::Nameless(_) => Some("name its user in the URL, as in '--url https://USER@HOST'"),
            Self::Entangled { .. } => Some("remove it there yourself"),
            Self::Untold { .. } => {
                Some("if it is a file, name it with 'git credential-pat import git-store:PATH'")
            }
            Self::File(error) => error.hint(),
            _ => None,
        }
    }

    /// Whether this system has no keychain.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::Keychain(error) if error.is_absence())
    }
}
