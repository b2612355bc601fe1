//! A change of another program's file: made on a draft under git's own lock, and put in place in one move.

use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use rustix::io::Errno;

use super::step::{Step, steps};
use crate::files::external::{self, Lock, followed};
use crate::files::owned;
use crate::platform::permissions;

/// A configuration larger than this is not read.
const LARGEST: u64 = 16 * 1024 * 1024;

/// Why a file was not changed, or a trace not kept or followed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Our own folder.
    #[error(transparent)]
    Folder(#[from] owned::Error),
    /// The lock beside the other program's file.
    #[error(transparent)]
    Lock(#[from] external::Error),
    /// The other program's file.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was to be done.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
}

impl Error {
    /// Whether the other program's file, or the folder that it is in, may not be written.
    pub fn is_forbidden(&self) -> bool {
        let (Self::Lock(external::Error::System { cause, .. }) | Self::File { cause, .. }) = self
        else {
            return false;
        };
        let kinds = [
            io::ErrorKind::PermissionDenied,
            io::ErrorKind::ReadOnlyFilesystem,
        ];
        kinds.contains(&cause.kind())
    }

    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Folder(error) => error.hint(),
            _ if self.is_forbidden() => Some(
                "you have no right to write there: root has ('sudo'); without --system a file of your own is changed",
            ),
            Self::Lock(error) => error.hint(),
            Self::File { .. } => None,
        }
    }
}

/// Goes when dropped, and the file is as it was, unless it was put in its place.
pub struct Draft {
    /// Where the file's name leads.
    target: PathBuf,
    lock: Lock,
    /// `None`: it was not there.
    before: Option<Vec<u8>>,
    /// As it was at the last step.
    state: Option<Vec<u8>>,
    steps: Vec<Step>,
    is_put: bool,
}

impl Draft {
    /// Where links lead, as git itself writes it.
    pub fn of(path: &Path) -> Result<Self, Error> {
        let target = followed(path)?;
        // A new one is as git makes it.
        let is_new = read(&target)?.is_none();
        let mode = if is_new { 0o666 } else { 0o600 };
        let lock = Lock::take(&target, Mode::from_raw_mode(mode))?;
        let missing = || failed("lock", path)(Errno::NOENT.into());
        let lock = lock.ok_or_else(missing)?;
        let before = read(&target)?;
        let mut draft = Self {
            target,
            lock,
            state: before.clone(),
            before,
            steps: Vec::new(),
            is_put: false,
        };
        draft.sweep();
        draft.write(&draft.before.clone().unwrap_or_default())?;
        Ok(draft)
    }

    /// The file to be changed instead.
    pub fn path(&self) -> PathBuf {
        self.lock.path()
    }

    /// What was there before.
    pub(super) fn before(&self) -> Option<&[u8]> {
        self.before.as_deref()
    }

    /// What was done to it up to now, step by step.
    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// What was done to it since the last step is one, under `label`.
    pub(super) fn step(&mut self, label: &[u8]) -> Result<(), Error> {
        let now = read(&self.path())?;
        let is_there = self.state.is_some();
        if now != self.state && (is_there || now.as_ref().is_some_and(|now| !now.is_empty())) {
            let after = now.as_deref().unwrap_or_default();
            self.steps
                .extend(steps(label, self.state.as_deref(), after));
            self.state = now;
        }
        Ok(())
    }

    /// Makes it all of `bytes`, before any other program was at it.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let file = &mut self.lock.file;
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(bytes));
        written.map_err(failed("write", &self.path()))
    }

    /// In one move, with the owner, group and mode that the file had, or fewer permissions. The lock is gone then, and signals
    /// wait no longer when the draft goes.
    pub fn put(&mut self) -> Result<(), Error> {
        let path = self.path();
        let is_changed = read(&path)?.unwrap_or_default() != *self.before().unwrap_or_default();
        if !is_changed {
            return Ok(());
        }
        let written = (|| {
            // git has put another file in the place of the one that we made.
            let file = fs::OpenOptions::new().write(true).open(&path)?;
            if self.before.is_some() {
                permissions::carry_over(&File::open(&self.target)?, &file)?;
            }
            file.sync_all()
        })();
        written.map_err(failed("write", &path))?;
        self.sweep();
        self.is_put = true;
        Ok(self.lock.take_the_place()?)
    }

    /// Takes the file away.
    pub(super) fn remove(&self) -> Result<(), Error> {
        fs::remove_file(&self.target).map_err(failed("remove", &self.target))
    }

    /// A git that crashed over the draft has left a lock on it. Whoever holds the draft is alone with that.
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

/// What is in another program's file; `None`: there is none.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let failed = failed("read", path);
    match fs::metadata(path) {
        Ok(found) if found.is_file() && found.len() <= LARGEST => {
            Ok(Some(fs::read(path).map_err(failed)?))
        }
        Ok(_) => Err(failed(io::Error::other("not a file, or far too large"))),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(failed(cause)),
    }
}

fn failed(action: &'static str, path: &Path) -> impl Fn(io::Error) -> Error + use<> {
    let path = path.to_path_buf();
    move |cause| Error::File {
        action,
        path: path.clone(),
        cause,
    }
}
