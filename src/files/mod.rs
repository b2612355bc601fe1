//! Files: those of this program, which no other user can use, and those of other programs.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::platform::permissions::{Lost, command_to_close};
use crate::platform::{FileFacts, OpenFolder, is_root};
use crate::secret::Buffer;
use crate::terminal::escape::shell_word;

pub mod external;
pub mod owned;
pub mod places;

const OF_ANOTHER: &str = "belongs to another user";
/// A hint for root in the home of a user.
pub const HOME_OF_ANOTHER: &str = "run this as that user, without sudo; 'sudo -H' or, in a container, 'export HOME=/root' takes root's own home";
const LOGIN_INSTEAD: &str =
    "only a file of your own is used: give its token to 'git credential-pat login'";
const OPEN_FOLDER: &str = "open the folder";

/// Why a file or folder was not used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It belongs to another user, is open to others, or is no plain file.
    #[error("{} {problem}", path.display())]
    Unusable {
        path: PathBuf,
        problem: &'static str,
        /// What to do about it, if there is something.
        remedy: Option<String>,
    },
    /// The end of a link cannot be used.
    #[error("cannot use {}, which is a link", link.display())]
    Linked {
        link: PathBuf,
        #[source]
        cause: Box<Self>,
    },
    /// Another program replaced a file twice while it was being removed.
    #[error("{} was written twice while it was to be removed: the first is kept as {}", path.display(), aside.display())]
    Overtaken { path: PathBuf, aside: PathBuf },
    #[error("cannot {action} {}", path.display())]
    System {
        action: &'static str,
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    /// Another process of this program holds the lock file at `path`.
    #[error("another process keeps {} locked", path.display())]
    Busy { path: PathBuf },
    /// Another program holds git's lock, or a killed one left it.
    #[error("{} is there: another program is changing the file beside it", path.display())]
    Locked { path: PathBuf },
}

impl Error {
    /// Returns what to do about it.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Unusable { remedy, .. } => remedy.as_deref(),
            Self::Linked { cause, .. } => cause.hint(),
            Self::Overtaken { .. } => Some("look at both, and remove the one that is not needed"),
            Self::System {
                action: OPEN_FOLDER,
                cause,
                ..
            } if cause.kind() == io::ErrorKind::NotFound => {
                Some("make this folder, or name a file in one that is there")
            }
            Self::Locked { .. } => {
                Some("if no git is running, remove that file: one that was killed left it")
            }
            Self::System { .. } | Self::Busy { .. } => None,
        }
    }

    /// A folder that the user named does not exist.
    pub fn missing(folder: &Path) -> Self {
        system(OPEN_FOLDER, folder, io::ErrorKind::NotFound.into())
    }
}

pub fn system(action: &'static str, path: &Path, cause: io::Error) -> Error {
    Error::System {
        action,
        path: path.to_path_buf(),
        cause,
    }
}

fn unusable(path: &Path, problem: &'static str, remedy: Option<&str>) -> Error {
    Error::Unusable {
        path: path.to_path_buf(),
        problem,
        remedy: remedy.map(str::to_owned),
    }
}

/// Which files and folders may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ownership {
    /// An owned file or folder: of this user, closed to all others.
    Closed,
    /// A folder that the user names, such as the home folder: of this user, not writable by others.
    NotWritable,
    /// An external file: of this user, with any mode.
    External,
    /// A file of any owner that another program reads. For messages only.
    Any,
}

impl Ownership {
    fn check_folder(self, folder: &OpenFolder, path: &Path) -> Result<(), Error> {
        let found = folder.facts();
        self.check(
            &found.map_err(|cause| system("look at", path, cause))?,
            path,
        )
    }

    fn check(self, found: &FileFacts, path: &Path) -> Result<(), Error> {
        if self == Self::Any {
            return Ok(());
        }
        if !found.is_ours() {
            let remedy = match self {
                Self::External => Some(LOGIN_INSTEAD),
                // Root in the home of a user, for example after sudo.
                _ => is_root().then_some(HOME_OF_ANOTHER),
            };
            return Err(unusable(path, OF_ANOTHER, remedy));
        }
        let (is_open, lost) = match self {
            Self::Closed if found.is_folder() => (found.is_open_to_others(), Lost::Folder),
            Self::Closed => (found.is_open_to_others(), Lost::File),
            Self::NotWritable => (found.is_writable_by_others(), Lost::Writing),
            Self::External | Self::Any => return Ok(()),
        };
        if !is_open {
            return Ok(());
        }
        let path_word = shell_word(path.as_os_str().as_encoded_bytes());
        let remedy = if found.stays_open() {
            "name a place in a folder of your own".to_owned()
        } else {
            let [before, after] = command_to_close(lost);
            format!("close it with '{before}{path_word}{after}'")
        };
        Err(unusable(path, "is open to other users", Some(&remedy)))
    }
}

/// Opens a file of `folder` for [`read_all`]; `None` if it does not exist.
fn open_in(folder: &OpenFolder, name: &OsStr, path: &Path) -> Result<Option<File>, Error> {
    match folder.open_file(name) {
        Ok(file) => Ok(Some(file)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(_) if folder.facts_of(name).is_ok_and(|found| found.is_link()) => {
            Err(unusable(path, "is a link, not a file", None))
        }
        Err(cause) => Err(system("open", path, cause)),
    }
}

/// Returns the length of a plain file of at most `most` bytes that `ownership` allows.
fn checked_length(
    file: &File,
    path: &Path,
    most: usize,
    ownership: Ownership,
) -> Result<usize, Error> {
    let found = FileFacts::of(file).map_err(|cause| system("look at", path, cause))?;
    if !found.is_file() {
        return Err(unusable(path, "is not a plain file", None));
    }
    ownership.check(&found, path)?;
    if found.length() > most {
        return Err(system("read", path, io::ErrorKind::FileTooLarge.into()));
    }
    Ok(found.length())
}

/// Reads a plain file of at most `most` bytes that `ownership` allows.
fn read_all(
    file: &mut File,
    path: &Path,
    most: usize,
    ownership: Ownership,
) -> Result<Buffer, Error> {
    let length = checked_length(file, path, most, ownership)?;
    let mut bytes = Buffer::with_capacity(length + 1);
    let read = bytes.read_to_end(file, most);
    read.map_err(|cause| system("read", path, cause))?;
    Ok(bytes)
}
