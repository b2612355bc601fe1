//! git's lock on a file.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::Located;
use crate::files::Error;
use crate::platform::{DeferredSignals, FileFacts, monotonic_now};

/// As long as git-credential-store waits (git-config(1), `credentialStore.lockTimeoutMS`).
const PATIENCE: Duration = Duration::from_secs(1);
/// Give up after 4 swaps that another program overtook.
const SWAPS: usize = 4;

/// git's lock on a file, and its new content: `NAME.lock`, created by each writer of the file (lockfile.h of git). Removed on
/// drop, unless it replaced the file. Signals that would end this process and leave the lock are deferred.
pub struct GitLock {
    pub(crate) located: Located,
    name: OsString,
    /// [`FileFacts::identity`] of the file as created: another program may replace it.
    created: (u64, u64),
    is_used: bool,
    // Dropped last: a deferred signal may end the process.
    _deferred: DeferredSignals,
}

impl GitLock {
    /// Locks a file that is no link; `None` if its folder does not exist. Returns the new content's file too, which is closed before
    /// it is renamed or git replaces it: not every file system renames an open file. The mode of a new file is 0666 less the umask,
    /// as git's; a replacement is 0600 until it gets the mode of its file.
    pub fn take(path: &Path, is_new: bool) -> Result<Option<(Self, File)>, Error> {
        let Some(located) = Located::find(path)? else {
            return Ok(None);
        };
        let name = OsString::from_iter([&*located.name, ".lock".as_ref()]);
        let until = monotonic_now().saturating_add(PATIENCE);
        loop {
            let deferred = DeferredSignals::begin();
            match located.folder.create_file(&name, !is_new) {
                Ok(file) => {
                    let mut lock = Self {
                        located,
                        name,
                        created: (0, 0),
                        is_used: false,
                        _deferred: deferred,
                    };
                    let found = FileFacts::of(&file);
                    let found = found.map_err(|cause| lock.located.failed("look at", cause))?;
                    lock.created = found.identity();
                    return Ok(Some((lock, file)));
                }
                Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(located.failed("lock", cause));
                }
                Err(_) if monotonic_now() >= until => {
                    let path = path.with_file_name(&name);
                    return Err(Error::Locked { path });
                }
                Err(_) => {
                    drop(deferred);
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
        }
    }

    pub fn path(&self) -> PathBuf {
        self.located.path.with_file_name(&self.name)
    }

    /// Replaces the file with the lock.
    pub fn take_the_place(&mut self) -> Result<(), Error> {
        let renamed = self.located.folder.rename(&self.name, &self.located.name);
        renamed.map_err(|cause| self.located.failed("replace", cause))?;
        self.is_used = true;
        self.sync_folder()
    }

    /// As [`GitLock::take_the_place`], if the file still holds `bytes`: gh, glab and editors write it without a lock. Returns
    /// false and leaves the file if it holds other bytes.
    pub(crate) fn take_the_place_of(&mut self, bytes: &[u8]) -> Result<bool, Error> {
        if !self.exchange()? {
            let now = self.located.read()?;
            if now.is_none_or(|(now, _)| now.as_slice() != bytes) {
                return Ok(false);
            }
            self.take_the_place()?;
            return Ok(true);
        }
        // The old file has the lock's name now, and goes with the lock.
        let before = self.located.read_named(&self.name);
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
            // Another program replaced the file once more: that file is the newest.
        }
        before.map(|_| false)
    }

    /// As [`GitLock::take_the_place`], where there is no file. Returns false and leaves the file if there is one.
    pub(crate) fn take_a_free_place(&mut self) -> Result<bool, Error> {
        let Located { folder, name, .. } = &self.located;
        match folder.rename_to_free(&self.name, name) {
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
            renamed => renamed.map_err(|cause| self.located.failed("create", cause))?,
        }
        self.is_used = true;
        self.sync_folder()?;
        Ok(true)
    }

    /// Swaps the names of the lock and the file. Returns false if there is no file, or the file system cannot.
    fn exchange(&self) -> Result<bool, Error> {
        match self.located.folder.exchange(&self.name, &self.located.name) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(false),
            done => done.map_err(|cause| self.located.failed("replace", cause)),
        }
    }

    /// Whether the lock's name is that of the file that was created for it.
    fn is_ours(&self) -> bool {
        let named = self.located.folder.facts_of(&self.name);
        named.is_ok_and(|named| named.identity() == self.created)
    }

    fn sync_folder(&self) -> Result<(), Error> {
        let synced = self.located.folder.sync();
        synced.map_err(|cause| self.located.failed("sync the folder of", cause))
    }
}

impl Drop for GitLock {
    fn drop(&mut self) {
        if !self.is_used {
            let _ = self.located.folder.remove(&self.name);
        }
    }
}
