//! The text of `config.toml`: of a plain file that nobody else could have written, or not at all.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::platform::effective_uid;

/// A configuration file larger than this is none.
const LARGEST: u64 = 1024 * 1024;
const WRITING_OF_OTHERS: u32 = 0o022;

/// Why the file says nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// Others could have written it: what is in it decides where tokens are kept, and for how long.
    #[error("{} {problem}", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl Error {
    /// Whether there is no such file.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::Unreadable { cause, .. } if cause.kind() == io::ErrorKind::NotFound)
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } if self.is_absence() => {
                "nothing is answered without it: write it, or leave out --config"
            }
            Self::Unreadable { .. } => {
                "nothing is answered without it: make it readable, or remove it"
            }
            Self::NotOurs { .. } => {
                "nothing is answered before: look at what it says, make it your own, and close it with 'chmod go-w'"
            }
        }
    }
}

/// Follows a link: what counts is whose file is at its end.
pub(super) fn read(path: &Path) -> Result<String, Error> {
    let unreadable = |cause| Error::Unreadable {
        path: path.to_path_buf(),
        cause,
    };
    // A pipe or a device must not be waited for.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = rustix::fs::open(path, flags, Mode::empty());
    let file = File::from(file.map_err(|cause| unreadable(cause.into()))?);
    let found = file.metadata().map_err(unreadable)?;
    if !found.is_file() {
        return Err(unreadable(io::Error::other("it is not a plain file")));
    }
    if let Some(problem) = problem_of(found.uid(), found.mode()) {
        return Err(Error::NotOurs {
            path: path.to_path_buf(),
            problem,
        });
    }
    let mut text = String::new();
    // Its length is not asked: what the system makes up has none, and may have no end.
    let read = file.take(LARGEST + 1).read_to_string(&mut text);
    if read.map_err(unreadable)? as u64 > LARGEST {
        return Err(unreadable(io::Error::other("it is far too large")));
    }
    Ok(text)
}

/// As ssh has it with its own file (`ssh_config(5)`).
fn problem_of(owner: u32, mode: u32) -> Option<&'static str> {
    if owner != effective_uid() && owner != 0 {
        Some("belongs to another user")
    } else if mode & WRITING_OF_OTHERS != 0 {
        Some("can be written by other users")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn only_ours_and_roots_say_what_holds() {
        let us = effective_uid();
        for mode in [0o600, 0o644, 0o755, 0o444] {
            assert_eq!((problem_of(us, mode), problem_of(0, mode)), (None, None));
            assert!(problem_of(us + 1, mode).is_some());
        }
        for mode in [0o666, 0o620, 0o602, 0o777] {
            assert!(problem_of(us, mode).is_some() && problem_of(0, mode).is_some());
        }
    }

    #[test]
    fn what_cannot_be_trusted_or_has_no_end_is_not_read() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("config.toml");
        std::fs::write(&path, "storage = 'memory'").unwrap();
        let close = |mode| std::fs::set_permissions(&path, PermissionsExt::from_mode(mode));
        close(0o644).unwrap();
        let link = home.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(read(&path).is_ok() && read(&link).is_ok());
        close(0o666).unwrap();
        for path in [&path, &link] {
            assert!(matches!(read(path), Err(Error::NotOurs { .. })));
        }
        close(0o600).unwrap();
        let mut long = "#\n".repeat(512 * 1024);
        std::fs::write(&path, &long).unwrap();
        assert!(read(&path).is_ok());
        long.push('#');
        std::fs::write(&path, &long).unwrap();
        let pipe = home.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
        for path in [&*path, &*pipe, Path::new("/dev/zero"), home.path()] {
            assert!(matches!(read(path), Err(Error::Unreadable { .. })));
        }
    }
}
