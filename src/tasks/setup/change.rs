//! One change of git's configuration, and warnings about its lines.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::credential::url::without_secrets;
use crate::git::Git;
use crate::git::failure::Error;
use crate::terminal::escape::shell_word;

/// One change of git's configuration. Not `Debug`: a key may hold a password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub(super) key: OsString,
    pub(super) value: OsString,
    pub(super) is_removal: bool,
}

impl Change {
    pub(super) fn addition(key: &OsStr, value: impl Into<OsString>) -> Self {
        Self {
            key: key.to_owned(),
            value: value.into(),
            is_removal: false,
        }
    }

    /// Removes each line with this key and value.
    pub(super) fn removal(key: &OsStr, value: impl Into<OsString>) -> Self {
        Self {
            is_removal: true,
            ..Self::addition(key, value)
        }
    }

    /// The arguments of `git config`; `place` names the file or scope.
    fn words<'a>(&'a self, place: &[&'a OsStr], key: &'a OsStr) -> Vec<&'a OsStr> {
        let mut words = place.to_vec();
        if self.is_removal {
            words.extend(["--fixed-value", "--unset-all"].map(OsStr::new));
        } else {
            words.push("--add".as_ref());
        }
        words.extend([key, &self.value]);
        words
    }

    pub(super) fn make(&self, git: &Git, file: &Path) -> Result<(), Error> {
        git.config(&self.words(&["--file".as_ref(), file.as_os_str()], &self.key))?;
        Ok(())
    }

    /// Returns the command for a shell; `place` names the file or scope. A secret in the key is hidden.
    pub fn command(&self, place: &[&OsStr]) -> String {
        let mut command = "git config".to_owned();
        for word in self.words(place, &without_secrets(&self.key)) {
            command.push(' ');
            command.push_str(&shell_word(word.as_encoded_bytes()));
        }
        command
    }
}

/// A state that the user should know, and what to do about it.
pub struct Warning {
    pub says: String,
    pub hint: Option<String>,
}

impl Warning {
    pub(super) fn new(says: String, hint: impl Into<String>) -> Self {
        let hint = Some(hint.into());
        Self { says, hint }
    }
}
