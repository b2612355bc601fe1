//! Turns: a process that changes the files of a folder waits for others, as long as they make progress.

use std::ffi::OsStr;
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::time::{Duration, SystemTime};

use rustix::fs::{Mode, OFlags, openat};

use super::folder::OpenFolder;
use super::process::monotonic_now;

/// The right to change a folder's files: a parameter of everything that does.
#[derive(Debug)]
pub struct Lock {
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
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let held = File::from(openat(&folder.0, name, flags, Mode::RUSR | Mode::WUSR)?);
        let end = monotonic_now().saturating_add(limit);
        let mut until = monotonic_now().saturating_add(patience).min(end);
        let mut pause = Duration::from_millis(1);
        let mut seen = None;
        loop {
            match held.try_lock() {
                Ok(()) => {
                    // A new turn: waiting processes watch the file's time. On a file system without such times they wait less.
                    let _ = held.set_modified(SystemTime::now());
                    return Ok(Some(Self { _held: held }));
                }
                Err(TryLockError::Error(cause)) if cause.kind() == ErrorKind::Interrupted => {}
                Err(TryLockError::Error(cause)) => return Err(cause),
                Err(TryLockError::WouldBlock) => {
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
    }
}
