//! The rotation lock, and its guard against asking a forge twice.
//!
//! One process of a user rotates at a time, under `rotation.lock`. Before it asks a forge for a new token, it writes the time
//! into the file `rotation` beside the lock, and removes the file when the forge has answered. A process that is killed in
//! between leaves the file: the forge may still be at work on the request, so nothing is asked for ten minutes. The time is
//! not that of the lock file, which each attempt to rotate sets anew. Neither file depends on the journal or its key.

use std::fs;
use std::path::Path;

use crate::files;
use crate::files::owned::Folder;
use crate::journal::Error;
use crate::platform::lock::Lock;

const NAME: &str = "rotation";
/// How long a forge may work on a request that no client waits for any more, in seconds. Servers and gateways before them
/// keep a request for less.
const GUARD: u64 = 600;

/// The right to rotate tokens.
pub(super) struct RotationLock {
    folder: Folder,
    lock: Lock,
}

impl RotationLock {
    /// Waits some seconds for another process that rotates a token. Returns `None` if it is still busy then.
    pub(super) fn take(state: &Path) -> Result<Option<Self>, Error> {
        let folder = Folder::make(state)?;
        match folder.lock(NAME) {
            Ok(lock) => Ok(Some(Self { folder, lock })),
            Err(files::Error::Busy { .. }) => Ok(None),
            Err(cause) => Err(cause.into()),
        }
    }

    /// Returns for how many seconds a forge may still work on an earlier request. A time that cannot be read, or that lies in the
    /// future, counts from now.
    pub(super) fn guards_for(&self, unix_now: u64) -> Result<Option<u64>, Error> {
        let Some(text) = self.folder.read(NAME)? else {
            return Ok(None);
        };
        let text = str::from_utf8(text.as_slice()).unwrap_or_default();
        let asked: Option<u64> = text.trim_ascii().parse().ok();
        let Some(asked) = asked.filter(|&asked| asked <= unix_now) else {
            self.guard(unix_now)?;
            return Ok(Some(GUARD));
        };
        let left = GUARD.saturating_sub(unix_now - asked);
        Ok((left > 0).then_some(left))
    }

    /// Records that a forge is asked for a new token now.
    pub(super) fn guard(&self, unix_now: u64) -> Result<(), Error> {
        let text = format!("{unix_now}\n");
        self.folder
            .replace(NAME, &[text.as_bytes()], &self.lock)
            .map_err(Error::from)
    }

    /// Records that the forge has answered.
    pub(super) fn end_guard(&self) {
        // A file that stays makes the next rotation wait.
        let _ = fs::remove_file(self.folder.path().join(NAME));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guard_holds_for_ten_minutes() {
        let home = tempfile::tempdir().unwrap();
        let state = home.path().join("own");
        let lock = RotationLock::take(&state).unwrap().unwrap();
        assert_eq!(lock.guards_for(10_000).unwrap(), None);
        lock.guard(10_000).unwrap();
        drop(lock);
        for (unix_now, left) in [(10_000, Some(600)), (10_599, Some(1)), (10_600, None)] {
            let lock = RotationLock::take(&state).unwrap().unwrap();
            assert_eq!(lock.guards_for(unix_now).unwrap(), left, "{unix_now}");
        }
        let lock = RotationLock::take(&state).unwrap().unwrap();
        lock.end_guard();
        assert_eq!(lock.guards_for(10_001).unwrap(), None);
    }

    /// After a clock was set back, or a file was emptied: for ten minutes, and not for ever.
    #[test]
    fn a_time_that_cannot_be_counts_from_now() {
        for text in ["", "soon\n", "99999999999999999999", "20000\n"] {
            let home = tempfile::tempdir().unwrap();
            let state = home.path().join("own");
            let lock = RotationLock::take(&state).unwrap().unwrap();
            lock.guard(10_000).unwrap();
            fs::write(state.join(NAME), text).unwrap();
            for (unix_now, left) in [(10_100, Some(600)), (10_600, Some(100)), (10_701, None)] {
                assert_eq!(lock.guards_for(unix_now).unwrap(), left, "{text}");
            }
        }
    }

    #[test]
    fn an_obstacle_is_an_error() {
        let home = tempfile::tempdir().unwrap();
        let state = home.path().join("own");
        let lock = RotationLock::take(&state).unwrap().unwrap();
        fs::create_dir(state.join(NAME)).unwrap();
        assert!(lock.guards_for(1).is_err() && lock.guard(1).is_err());
        drop(lock);
        fs::remove_file(state.join("rotation.lock")).unwrap();
        fs::create_dir(state.join("rotation.lock")).unwrap();
        let taken = RotationLock::take(&state).map(drop);
        assert!(matches!(taken, Err(Error::File(_))));
    }
}
