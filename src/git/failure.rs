//! The failures of a call of git.

use std::io;

/// SIGSEGV, on every system.
const CRASH: i32 = 11;

/// The hint if git does not answer about its settings.
pub const UNREADABLE: &str = "look at the files that '[include]' names in git's configuration: one may be a pipe or a device, or on a slow disk";

/// A failed call of git.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No absolute folder on PATH has it.
    #[error("cannot find git on PATH")]
    Missing,
    /// The system could not start it.
    #[error("cannot run git")]
    Run(#[source] io::Error),
    /// It was killed at its deadline.
    #[error("'{0}' gave no answer in time")]
    TooSlow(String),
    /// It was killed because its answer was too long.
    #[error("'{0}' gave too long an answer")]
    TooMuch(String),
    /// It failed, with this message.
    #[error("git config failed: {0}")]
    Refused(String),
    /// A signal ended it, without a message.
    #[error("git config was ended by signal {0}")]
    Ended(i32),
}

impl Error {
    /// Returns what to do, if that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Ended(CRASH) => {
                Some("take out the line that says only 'helper': an old git crashes on it")
            }
            Self::Refused(complaint) if complaint.contains("bad config") => {
                Some("fix that line in an editor: until then git reads none of its settings")
            }
            Self::TooSlow(_) | Self::TooMuch(_) => Some(UNREADABLE),
            _ => None,
        }
    }
}
