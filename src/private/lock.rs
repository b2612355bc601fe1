//! Turns: who changes a folder's files waits for whoever does so now, as long as those get on.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::time::Duration;

use rustix::fs::{
    FlockOperation, Mode, OFlags, Timespec, Timestamps, UTIME_NOW, flock, fstat, futimens, openat,
};
use rustix::io::Errno;

use super::{Error, Folder, system};
use crate::platform::boot_time;

/// How long to wait for another process that holds the lock and changes nothing.
const LOCK_PATIENCE: Duration = Duration::from_secs(4);
/// How long to wait in all: hundreds may store at once into a file of a hundred thousand entries, and each has its turn.
const QUEUE_PATIENCE: Duration = Duration::from_secs(60);
/// How long to wait for the lock where git waits for an answer, and there may be another storage to give it.
const SHORT_PATIENCE: Duration = Duration::from_secs(2);

/// The right to change a folder's files: a parameter of everything that does.
#[derive(Debug)]
pub struct Lock {
    _held: File,
}

impl Folder {
    /// Waits until no other process changes `name`: as long as the others get on, and not for ever.
    pub fn lock(&self, name: impl AsRef<OsStr>) -> Result<Lock, Error> {
        let lock_name = lock_of(name.as_ref());
        let lock = self.lock_in_turn(&lock_name, LOCK_PATIENCE, QUEUE_PATIENCE)?;
        lock.ok_or_else(|| Error::Busy {
            path: self.path.join(lock_name),
        })
    }

    /// As [`Folder::lock`], and for a moment only, whether the others get on or not.
    pub fn lock_soon(&self, name: impl AsRef<OsStr>) -> Result<Lock, Error> {
        let lock_name = lock_of(name.as_ref());
        let lock = self.lock_within(&lock_name, SHORT_PATIENCE)?;
        lock.ok_or_else(|| Error::Busy {
            path: self.path.join(lock_name),
        })
    }

    /// Takes the lock file `name` if it is free within `patience`; zero tries once.
    pub fn lock_within(
        &self,
        name: impl AsRef<OsStr>,
        patience: Duration,
    ) -> Result<Option<Lock>, Error> {
        self.lock_in_turn(name, patience, patience)
    }

    /// Takes the lock file `name` once it is free. Waits `patience` for one who holds it, and `limit` for all of them together.
    pub fn lock_in_turn(
        &self,
        name: impl AsRef<OsStr>,
        patience: Duration,
        limit: Duration,
    ) -> Result<Option<Lock>, Error> {
        let name = name.as_ref();
        let failed = |cause| system("lock", &self.path.join(name), cause);
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let opened = openat(&self.descriptor, name, flags, Mode::RUSR | Mode::WUSR);
        let held = File::from(opened.map_err(failed)?);
        let end = boot_time().saturating_add(limit);
        let mut until = boot_time().saturating_add(patience).min(end);
        let mut pause = Duration::from_millis(1);
        let mut seen = None;
        loop {
            match flock(&held, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {
                    tell_turn(&held);
                    return Ok(Some(Lock { _held: held }));
                }
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) => {
                    let turn = turn_of(&held);
                    if seen.replace(turn).is_some_and(|seen| seen != turn) {
                        until = boot_time().saturating_add(patience).min(end);
                    }
                    if boot_time() >= until {
                        return Ok(None);
                    }
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_millis(10));
                }
                Err(cause) => return Err(failed(cause)),
            }
        }
    }
}

/// Those who wait see by the lock file's time that somebody else has it now. A system that does not note it lets them wait less.
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

/// Another one whenever somebody has taken the lock.
fn turn_of(lock: &File) -> Option<(i64, u64)> {
    let found = fstat(lock).ok()?;
    // The types of these differ between systems.
    #[allow(clippy::unnecessary_cast, clippy::cast_sign_loss)]
    Some((found.st_mtime as i64, found.st_mtime_nsec as u64))
}

fn lock_of(name: &OsStr) -> OsString {
    let mut lock = name.to_owned();
    lock.push(".lock");
    lock
}
