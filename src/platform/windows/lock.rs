//! Turns: a process that changes the files of a folder waits for others, as long as they make progress.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::time::{Duration, SystemTime};

use super::folder::OpenFolder;
use super::handles;
use super::process::monotonic_now;

/// The right to change a folder's files: a parameter of everything that does.
#[derive(Debug)]
pub struct Lock {
    /// Closing it frees the lock.
    _held: File,
}

impl Lock {
    /// Takes the lock file `name` in `folder` once it is free. Waits `patience` for one who holds it, and `limit` for all of them
    /// together; `None`: it was not free in that time. Zero tries once.
    pub fn take(
        folder: &OpenFolder,
        name: &OsStr,
        patience: Duration,
        limit: Duration,
    ) -> io::Result<Option<Self>> {
        let held = folder.open_lock(name)?;
        let end = monotonic_now().saturating_add(limit);
        let mut until = monotonic_now().saturating_add(patience).min(end);
        let mut pause = Duration::from_millis(1);
        let mut seen = None;
        loop {
            if handles::lock(&held)? {
                // Marks a new turn, which waiting processes watch. On a volume without exact times they wait less.
                let _ = held.set_modified(SystemTime::now());
                return Ok(Some(Self { _held: held }));
            }
            let turn = held.metadata().and_then(|found| found.modified()).ok();
            if seen.replace(turn).is_some_and(|seen| seen != turn) {
                until = monotonic_now().saturating_add(patience).min(end);
            }
            if monotonic_now() >= until {
                return Ok(None);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(10));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::thread;

    use super::*;
    use crate::platform::make_private_folders;

    const NOW: Duration = Duration::ZERO;
    const LONG: Duration = Duration::from_secs(60);

    fn folder() -> (tempfile::TempDir, OpenFolder) {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("own");
        make_private_folders(&path).unwrap();
        let folder = OpenFolder::open(&path).unwrap();
        (home, folder)
    }

    #[test]
    fn one_at_a_time_holds_a_lock() {
        let (_home, folder) = folder();
        let take = |patience| Lock::take(&folder, "lock".as_ref(), patience, patience);
        let held = take(NOW).unwrap().unwrap();
        assert!(take(NOW).unwrap().is_none());
        assert!(take(Duration::from_millis(30)).unwrap().is_none());
        drop(held);
        assert!(take(NOW).unwrap().is_some());
        let found = folder.facts_of("lock".as_ref()).unwrap();
        assert!(found.is_file() && found.is_ours() && !found.is_open_to_others());
    }

    #[test]
    fn threads_take_turns() {
        let (_home, folder) = folder();
        let count = std::sync::Mutex::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10 {
                        let _held = Lock::take(&folder, "lock".as_ref(), LONG, LONG).unwrap();
                        let mut alone = count.try_lock().unwrap();
                        *alone += 1;
                    }
                });
            }
        });
        assert_eq!(count.into_inner().unwrap(), 40);
    }

    #[test]
    fn a_locked_file_can_be_read_and_written() {
        let (_home, folder) = folder();
        let mut file = folder.create_file("lock".as_ref(), true).unwrap();
        let _held = Lock::take(&folder, "lock".as_ref(), NOW, NOW)
            .unwrap()
            .unwrap();
        file.write_all(b"text").unwrap();
        let mut text = String::new();
        let mut file = folder.open_file("lock".as_ref()).unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "text");
    }
}
