//! One setting of git's configuration, and where it comes from.

use std::ffi::OsString;

use super::boolean;

/// One setting, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// `system`, `global`, `local`, `worktree` or `command`.
    pub scope: String,
    /// Such as the file.
    pub origin: String,
    /// `SECTION.NAME` or `SECTION.CONTEXT.NAME`: git gives SECTION and NAME in lower case.
    pub key: OsString,
    /// May be empty, and is where the key stands alone.
    pub value: OsString,
    /// Whether the key stands alone, without `=`: a boolean is then true.
    pub is_bare: bool,
}

impl Setting {
    /// The boolean value; `None`: git does not understand it, and stops.
    pub fn is_on(&self) -> Option<bool> {
        if self.is_bare {
            return Some(true);
        }
        boolean::parse(self.value.as_encoded_bytes())
    }
}

#[cfg(test)]
impl Setting {
    /// A setting of the user's own configuration.
    pub(crate) fn global(key: &str, value: &str) -> Self {
        use crate::platform::testing::DRIVE;
        Self {
            scope: "global".to_owned(),
            origin: format!("{DRIVE}/home/octocat/.gitconfig"),
            key: key.into(),
            value: value.into(),
            is_bare: false,
        }
    }
}
