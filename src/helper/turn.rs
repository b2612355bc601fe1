//! The right to replace a token, and the mark that somebody has begun to.

use std::fs;
use std::path::Path;

use super::unrotated;
use crate::private::{Error, Folder, Lock};

const BEGUN: &str = "a rotation has begun";
const SINCE: &str = "since=";
const SUCCESSOR: &str = "successor=";

/// How long a forge may still be at what nobody waits for any more, in seconds: longer than a server or a gateway before
/// it keeps a request.
const AT_IT: u64 = 600;

/// That a rotation has begun.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// When, in Unix seconds.
    since: Option<u64>,
    /// What the new token is called, once the forge has told it. It may be kept nowhere.
    pub(super) successor: Option<String>,
}

impl Mark {
    fn read(text: &[u8]) -> Self {
        let lines = || text.split(|&byte| byte == b'\n');
        let told = |word: &str| {
            let mut values = lines().filter_map(|line| line.strip_prefix(word.as_bytes()));
            let value = values.next().and_then(|value| str::from_utf8(value).ok());
            value.filter(|value| !value.is_empty())
        };
        Self {
            since: told(SINCE).and_then(|since| since.parse().ok()),
            successor: told(SUCCESSOR).map(str::to_owned),
        }
    }

    /// For how many seconds the forge may still be at it.
    pub(super) fn is_open_for(&self, wall: u64) -> Option<u64> {
        // A clock that was put back keeps nobody waiting for longer than that.
        let age = wall.abs_diff(self.since?);
        AT_IT.checked_sub(age).filter(|&left| left > 0)
    }
}

/// One process at a time has it.
pub(super) struct Turn {
    folder: Folder,
    name: String,
    lock: Lock,
}

impl Turn {
    /// Waits a while for whoever replaces the token called `token`.
    pub(super) fn take(state: &Path, token: &str) -> Result<Self, unrotated::Error> {
        let folder = Folder::make(state)?;
        let name = name_for(token);
        let lock = folder.lock(&name).map_err(|cause| match cause {
            Error::Busy { .. } => unrotated::Error::AtIt,
            cause => cause.into(),
        })?;
        Ok(Self { folder, name, lock })
    }

    /// What somebody has left who had begun to replace the token called `token`, without a turn: it may change.
    pub(super) fn peek(state: &Path, token: &str) -> Result<Option<Mark>, Error> {
        let Some(folder) = Folder::open(state)? else {
            return Ok(None);
        };
        let text = folder.read(name_for(token))?;
        Ok(text.map(|text| Mark::read(text.as_slice())))
    }

    /// What somebody has left who had begun, and did not come to an end.
    pub(super) fn left(&self) -> Result<Option<Mark>, Error> {
        let text = self.folder.read(&self.name)?;
        Ok(text.map(|text| Mark::read(text.as_slice())))
    }

    pub(super) fn mark(&self, wall: u64) -> Result<(), Error> {
        let text = format!("{BEGUN}\n{SINCE}{wall}\n");
        self.folder
            .replace(&self.name, &[text.as_bytes()], &self.lock)
    }

    /// The new token is called `successor`: where one storage has it, anybody can do the rest.
    pub(super) fn name_successor(&self, successor: &str, wall: u64) {
        let text = format!("{BEGUN}\n{SINCE}{wall}\n{SUCCESSOR}{successor}\n");
        // Without it the next to try has to look for the new token.
        let _ = self
            .folder
            .replace(&self.name, &[text.as_bytes()], &self.lock);
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

fn name_for(token: &str) -> String {
    format!("rotation-{token}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_open_for_a_while() {
        let home = tempfile::tempdir().unwrap();
        let state = home.path().join("own");
        let turn = Turn::take(&state, "made-up").unwrap();
        assert_eq!(turn.left().unwrap(), None);
        turn.mark(10_000).unwrap();
        let mark = turn.left().unwrap().unwrap();
        for (wall, left) in [
            (10_000, Some(600)),
            (10_599, Some(1)),
            (10_600, None),
            (9_500, Some(100)),
            (0, None),
        ] {
            assert_eq!(mark.is_open_for(wall), left, "{wall}");
        }
        turn.name_successor("other", 10_001);
        let mark = Turn::peek(&state, "made-up").unwrap().unwrap();
        assert_eq!(mark.successor.as_deref(), Some("other"));
        assert_eq!(Mark::read(b"nonsense").is_open_for(0), None);
        turn.end();
        assert_eq!(Turn::peek(&state, "made-up").unwrap(), None);
    }
}
