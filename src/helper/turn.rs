//! The right to replace a token, and the mark that somebody has begun to.

use std::fs;
use std::path::Path;

use crate::private::{Error, Folder, Lock};

/// One process at a time has it.
pub(super) struct Turn {
    folder: Folder,
    name: String,
    lock: Lock,
}

impl Turn {
    /// Waits for whoever replaces the token called `token`.
    pub(super) fn take(state: &Path, token: &str) -> Result<Self, Error> {
        let folder = Folder::make(state)?;
        let name = format!("rotation-{token}");
        let lock = folder.lock(&name)?;
        Ok(Self { folder, name, lock })
    }

    /// Whether somebody had begun, and did not come to an end.
    pub(super) fn is_marked(&self) -> Result<bool, Error> {
        Ok(self.folder.read(&self.name)?.is_some())
    }

    pub(super) fn mark(&self) -> Result<(), Error> {
        let text: &[u8] = b"a rotation has begun\n";
        self.folder.replace(&self.name, &[text], &self.lock)
    }

    /// Nothing is open any more.
    pub(super) fn unmark(&self) {
        // One that stays makes the next rotation look twice.
        let _ = fs::remove_file(self.folder.path().join(&self.name));
    }

    /// Nobody takes a turn for this token again: no storage has it.
    pub(super) fn end(self) {
        self.unmark();
        // Who waits for it still gets it, and finds another token.
        let _ = fs::remove_file(self.folder.path().join(format!("{}.lock", self.name)));
    }
}
