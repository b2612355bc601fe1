//! Turns: a process that changes the files of a folder waits for others, as long as they make progress.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags, Timespec, Timestamps, UTIME_NOW};
use rustix::fs::{flock, futimens, openat};
use rustix::io::Errno;

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
            // By rustix: each name that std takes from libc costs every start of this program 700 instructions.
            match flock(&held, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {
                    tell_turn(&held);
                    return Ok(Some(Self { _held: held }));
                }
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) => {
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
                Err(cause) => return Err(cause.into()),
            }
        }
    }
}

/// Marks a new turn by the lock file's time, which waiting processes watch. On a file system without such times they wait less.
fn tell_turn(lock: &File) {
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_NOW,
    };
    let times = Timestamps {
        last_access: now,
        last_modification: now,
    };
    let _ = futimens(lock, &times);
}
