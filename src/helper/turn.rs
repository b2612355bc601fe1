//! The right to replace a token, and the mark that somebody has begun to.

use std::fs;
use std::path::Path;

use crate::private::{Error, Folder, Lock};

const BEGUN: &[u8] = b"a rotation has begun\n";

/// That a rotation has begun.
pub(super) struct Mark {
    /// What the new token is called, if it is kept somewhere.
    pub(super) successor: Option<String>,
}

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

    /// What somebody has left who had begun, and did not come to an end.
    pub(super) fn left(&self) -> Result<Option<Mark>, Error> {
        let text = self.folder.read(&self.name)?;
        Ok(text.map(|text| {
            let rest = text.as_slice().strip_prefix(BEGUN);
            let successor = rest.and_then(|rest| std::str::from_utf8(rest).ok());
            let successor = successor.map(str::trim).filter(|name| !name.is_empty());
            Mark {
                successor: successor.map(str::to_owned),
            }
        }))
    }

    pub(super) fn mark(&self) -> Result<(), Error> {
        self.folder.replace(&self.name, &[BEGUN], &self.lock)
    }

    /// The new token is called `successor`, and kept somewhere: the rest can be done by anybody.
    pub(super) fn name_successor(&self, successor: &str) {
        // Without it the next to try has to say that it was lost.
        let text = [BEGUN, successor.as_bytes(), b"\n"];
        let _ = self.folder.replace(&self.name, &text, &self.lock);
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
