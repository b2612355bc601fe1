//! A new version of a configuration file: made under git's own lock, and put in place in one move.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::failure::Error;
use crate::files::external::{GitLock, followed, read_as_its_reader};
use crate::files::system;
use crate::platform::permissions;

/// git's lock `FILE.lock`, which holds the next content of FILE. Without [`Draft::put`] the file stays as it was.
pub(super) struct Draft {
    /// Where the file's name leads, as git itself follows links.
    target: PathBuf,
    lock: GitLock,
    /// The file's content; `None`: there is no file.
    pub(super) before: Option<Vec<u8>>,
    is_put: bool,
}

impl Draft {
    pub(super) fn of(path: &Path) -> Result<Self, Error> {
        let target = followed(path)?;
        let is_new = read(&target)?.is_none();
        let lock = GitLock::take(&target, is_new)?;
        // Closed at once: git replaces the file.
        let (lock, _) = lock.ok_or_else(|| system("lock", path, io::ErrorKind::NotFound.into()))?;
        let before = read(&target)?;
        let mut draft = Self {
            target,
            lock,
            before,
            is_put: false,
        };
        draft.sweep();
        draft.write(&draft.before.clone().unwrap_or_default())?;
        Ok(draft)
    }

    /// The file for `git config` to change.
    pub(super) fn path(&self) -> PathBuf {
        self.lock.path()
    }

    pub(super) fn content(&self) -> Result<Vec<u8>, Error> {
        Ok(read(&self.path())?.unwrap_or_default())
    }

    /// Makes `bytes` the content.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut options = OpenOptions::new();
        let file = options.write(true).truncate(true).open(self.path());
        let written = file.and_then(|mut file| file.write_all(bytes));
        Ok(written.map_err(|cause| system("write", &self.path(), cause))?)
    }

    /// Replaces the file. The new one has the owner, group and mode of the old one, or fewer permissions. Signals stay deferred
    /// until the draft is dropped.
    pub(super) fn put(&mut self) -> Result<(), Error> {
        if self.content()? == self.before.as_deref().unwrap_or_default() {
            return Ok(());
        }
        let path = self.path();
        let written = (|| {
            let file = OpenOptions::new().write(true).open(&path)?;
            if self.before.is_some() {
                permissions::carry_over(&File::open(&self.target)?, &file)?;
            }
            file.sync_all()
        })();
        written.map_err(|cause| system("write", &path, cause))?;
        self.sweep();
        self.is_put = true;
        Ok(self.lock.take_the_place()?)
    }

    /// Removes the file itself.
    pub(super) fn remove(&self) -> Result<(), Error> {
        let removed = fs::remove_file(&self.target);
        Ok(removed.map_err(|cause| system("remove", &self.target, cause))?)
    }

    /// Removes git's lock on the draft, which a git that crashed leaves. The lock on the file excludes every other writer.
    fn sweep(&self) {
        let mut lock = self.path().into_os_string();
        lock.push(".lock");
        let _ = fs::remove_file(lock);
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_put {
            self.sweep();
        }
    }
}

/// Returns the content of a configuration file; `None`: there is none.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let bytes = read_as_its_reader(path)?;
    Ok(bytes.map(|bytes| bytes.as_slice().to_vec()))
}
