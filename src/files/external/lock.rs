//! git's lock on a file.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, Mode, OFlags, fstat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

use super::file::{Error, Folder};
use crate::platform::ending::Waiting;
use crate::platform::{monotonic_now, swap};

/// As long as git-credential-store waits (git-config(1), `credentialStore.lockTimeoutMS`).
const PATIENCE: Duration = Duration::from_secs(1);
/// Each time another program was faster.
const SWAPS: usize = 4;

/// git's lock, and the new file in one: `NAME.lock`, made by each writer of the file (lockfile.h of git). Taken away when
/// dropped, unless it took the file's place. As long as it is held, signals that would end us and leave it wait.
pub struct Lock {
    pub(crate) folder: Folder,
    /// As it was made: another program may put a file of its own in its place.
    pub file: File,
    name: OsString,
    is_used: bool,
    // Goes last: what waited may end us.
    _waiting: Waiting,
}

impl Lock {
    /// Of a file that is no link; `None`: its folder does not exist. The mode of a new file is 0666 less the umask, as git's;
    /// the replacement of a file is 0600 until it gets that file's mode.
    pub fn take(path: &Path, is_new: bool) -> Result<Option<Self>, Error> {
        let mode = Mode::from_raw_mode(if is_new { 0o666 } else { 0o600 });
        let Some(folder) = Folder::of(path)? else {
            return Ok(None);
        };
        let mut name = folder.name.clone();
        name.push(".lock");
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let until = monotonic_now().saturating_add(PATIENCE);
        loop {
            let waiting = Waiting::begin();
            match openat(&folder.descriptor, &name, flags, mode) {
                Ok(descriptor) => {
                    return Ok(Some(Self {
                        folder,
                        file: descriptor.into(),
                        name,
                        is_used: false,
                        _waiting: waiting,
                    }));
                }
                Err(Errno::EXIST) if monotonic_now() < until => {
                    drop(waiting);
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(Errno::EXIST) => {
                    return Err(Error::Locked {
                        path: path.with_file_name(&name),
                    });
                }
                Err(cause) => return Err(folder.failed("lock", cause.into())),
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.folder.path.with_file_name(&self.name)
    }

    /// Puts it where the file was.
    pub fn take_the_place(&mut self) -> Result<(), Error> {
        let folder = &self.folder.descriptor;
        renameat(folder, &self.name, folder, &self.folder.name)
            .map_err(|cause| self.folder.failed("replace", cause.into()))?;
        self.is_used = true;
        self.sync_folder()
    }

    /// As [`Lock::take_the_place`], where the file still holds `bytes`: gh, glab and editors write it without a lock. Returns
    /// false and leaves the file that is there if it holds other bytes.
    pub(crate) fn take_the_place_of(&mut self, bytes: &[u8]) -> Result<bool, Error> {
        if !self.exchange()? {
            let now = self.folder.read()?;
            if now.is_none_or(|(now, _)| now.as_slice() != bytes) {
                return Ok(false);
            }
            self.take_the_place()?;
            return Ok(true);
        }
        // The file that was there has the lock's name now, and goes with the lock.
        let before = self.folder.read_named(&self.name);
        if let Ok(Some((before, _))) = &before
            && before.as_slice() == bytes
        {
            self.sync_folder()?;
            return Ok(true);
        }
        for _ in 0..SWAPS {
            self.exchange()?;
            if self.is_ours() {
                break;
            }
            // The name was taken once more meanwhile: that file is the newest.
        }
        before.map(|_| false)
    }

    /// Lets the lock and the file change places. Returns false if there is no file, or the file system cannot.
    fn exchange(&self) -> Result<bool, Error> {
        match swap::exchange(&self.folder.descriptor, &self.name, &self.folder.name) {
            Err(Errno::NOENT) => Ok(false),
            done => done.map_err(|cause| self.folder.failed("replace", cause.into())),
        }
    }

    /// Whether the lock's name is that of the file that was made for it.
    fn is_ours(&self) -> bool {
        let made = fstat(&self.file);
        let named = statat(
            &self.folder.descriptor,
            &self.name,
            AtFlags::SYMLINK_NOFOLLOW,
        );
        let (Ok(made), Ok(named)) = (made, named) else {
            return false;
        };
        (made.st_dev, made.st_ino) == (named.st_dev, named.st_ino)
    }

    fn sync_folder(&self) -> Result<(), Error> {
        let synced = self.folder.descriptor.sync_all();
        synced.map_err(|cause| self.folder.failed("sync the folder of", cause))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if !self.is_used {
            let name: &OsStr = &self.name;
            let _ = unlinkat(&self.folder.descriptor, name, AtFlags::empty());
        }
    }
}
