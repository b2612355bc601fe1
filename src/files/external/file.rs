//! Reading: the end of all links, if it is a plain file of this user and not too large.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, fstat, openat, statat};
use rustix::io::Errno;

use crate::platform::effective_uid;
use crate::platform::kernel_files::is_kernels;
use crate::secret::Buffer;

/// Larger than any file of credentials that a person has.
pub const LARGEST: usize = 16 * 1024 * 1024;
/// More links than these lead in a circle.
const LINKS: usize = 32;
const OF_ANOTHER: &str = "belongs to another user";

/// Why a file was not used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not what it should be.
    #[error("{} {problem}", path.display())]
    Strange {
        /// What was found.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A link leads to something that is not what it should be.
    #[error("cannot use {}, which is a link", link.display())]
    Linked {
        /// The link.
        link: PathBuf,
        /// What is wrong with its end.
        #[source]
        cause: Box<Self>,
    },
    /// A file that was put aside to be removed was another one by then, and its place was taken meanwhile.
    #[error("{} was written twice while it was to be removed: the first is kept as {}", path.display(), aside.display())]
    Overtaken {
        /// Where it was.
        path: PathBuf,
        /// Where it is now.
        aside: PathBuf,
    },
    /// An error of the system.
    #[error("cannot {action} {}", path.display())]
    System {
        /// What was to be done.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// Another program is changing it, or one that was killed has left its lock.
    #[error("{} is there: another program is changing the file beside it", path.display())]
    Locked {
        /// The lock.
        path: PathBuf,
    },
}

impl Error {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Locked { .. } => {
                Some("if no git is running, remove that file: one that was killed left it")
            }
            Self::Strange {
                problem: OF_ANOTHER,
                ..
            } => Some(
                "only a file of your own is used: give its token to 'git credential-pat login'",
            ),
            Self::Overtaken { .. } => Some("look at both, and remove the one that is not needed"),
            Self::Linked { cause, .. } => cause.hint(),
            Self::Strange { .. } | Self::System { .. } => None,
        }
    }
}

/// Returns the bytes of a file, or of the file at the end of a link; `None` if there is none.
pub fn read(path: &Path) -> Result<Option<Buffer>, Error> {
    let end = followed(path)?;
    let read = || {
        let folder = Folder::of(&end)?;
        folder.map_or(Ok(None), |folder| folder.read())
    };
    let read = read().map_err(|error| error.behind(path, &end))?;
    Ok(read.map(|(bytes, _)| bytes))
}

/// Returns where a path leads through links, even if nothing is there yet. Each link must belong to this user or to root: one
/// of another user may lead anywhere tomorrow.
pub fn followed(path: &Path) -> Result<PathBuf, Error> {
    let mut end = path.to_path_buf();
    for _ in 0..LINKS {
        let owner = match statat(CWD, &end, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) if FileType::from_raw_mode(found.st_mode).is_symlink() => found.st_uid,
            // The end, or an error that opening it tells.
            _ => return Ok(end),
        };
        if owner != effective_uid() && owner != 0 {
            return Err(Error::Strange {
                path: end,
                problem: "is a link of another user",
            });
        }
        match fs::read_link(&end) {
            // An absolute one takes the place of the whole.
            Ok(next) => end = end.with_file_name("").join(next),
            Err(cause) => return Err(failed(&end, "follow", cause)),
        }
    }
    Err(failed(path, "follow", Errno::LOOP.into()))
}

/// The bytes of a file, if it exists, as its own program reads them: through links, whatever its owner. For messages, and for
/// git's configuration; never for an import.
pub fn read_as_its_reader(path: &Path) -> Result<Option<Buffer>, Error> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(descriptor) => bytes(&mut descriptor.into(), path, |_| Ok(())).map(Some),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(cause) => Err(failed(path, "open", cause.into())),
    }
}

/// What a name in a folder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort {
    /// A folder.
    Folder,
    /// A plain file.
    File,
    /// A link, a pipe, a socket: nothing that is read.
    Other,
}

/// Returns the names in a folder of this user, in order, at most `most`; none if it is not there.
pub fn names(path: &Path, most: usize) -> Result<Vec<(OsString, Sort)>, Error> {
    let end = followed(path)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = match rustix::fs::open(&end, flags, Mode::empty()) {
        Ok(folder) => File::from(folder),
        Err(Errno::NOENT) => return Ok(Vec::new()),
        Err(cause) => return Err(failed(&end, "open", cause.into()).behind(path, &end)),
    };
    let found = fstat(&folder).map_err(|cause| failed(&end, "look at", cause.into()))?;
    if found.st_uid != effective_uid() {
        let problem = OF_ANOTHER;
        let strange = Error::Strange {
            path: end.clone(),
            problem,
        };
        return Err(strange.behind(path, &end));
    }
    let mut names = Vec::new();
    let entries = fs::read_dir(&end).map_err(|cause| failed(&end, "list", cause))?;
    for entry in entries.take(most) {
        let entry = entry.map_err(|cause| failed(&end, "list", cause))?;
        let sort = match entry.file_type() {
            Ok(kind) if kind.is_dir() => Sort::Folder,
            Ok(kind) if kind.is_file() => Sort::File,
            Ok(_) => Sort::Other,
            // It has gone meanwhile.
            Err(_) => continue,
        };
        names.push((entry.file_name(), sort));
    }
    names.sort();
    Ok(names)
}

/// The folder of a file, held open so that no other process can replace it, and the file's name in it.
pub(crate) struct Folder {
    pub(crate) descriptor: File,
    pub(crate) name: OsString,
    pub(crate) path: PathBuf,
}

impl Folder {
    pub(crate) fn of(path: &Path) -> Result<Option<Self>, Error> {
        let strange = || Error::Strange {
            path: path.to_path_buf(),
            problem: "is no absolute path of a file",
        };
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(strange());
        };
        if !path.is_absolute() {
            return Err(strange());
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::open(parent, flags, Mode::empty()) {
            Ok(descriptor) => Ok(Some(Self {
                descriptor: descriptor.into(),
                name: name.to_os_string(),
                path: path.to_path_buf(),
            })),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(cause) => Err(Error::System {
                action: "open",
                path: parent.to_path_buf(),
                cause: cause.into(),
            }),
        }
    }

    /// Returns the bytes of its file, and the file itself.
    pub(crate) fn read(&self) -> Result<Option<(Buffer, File)>, Error> {
        self.read_named(&self.name)
    }

    /// As [`Folder::read`], of another file in it.
    pub(crate) fn read_named(&self, name: &OsStr) -> Result<Option<(Buffer, File)>, Error> {
        let path = self.path.with_file_name(name);
        let strange = |problem| Error::Strange {
            path: path.clone(),
            problem,
        };
        // Without NONBLOCK the opening of a named pipe would wait for a writer.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let mut file = match openat(&self.descriptor, name, flags, Mode::empty()) {
            Ok(descriptor) => File::from(descriptor),
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(strange("was replaced by a link")),
            Err(cause) => return Err(failed(&path, "open", cause.into())),
        };
        let bytes = bytes(&mut file, &path, |found| {
            if found.st_uid == effective_uid() {
                Ok(())
            } else {
                Err(strange(OF_ANOTHER))
            }
        })?;
        if is_kernels(&file) {
            return Err(strange("is no file on a disk"));
        }
        Ok(Some((bytes, file)))
    }

    pub(crate) fn failed(&self, action: &'static str, cause: io::Error) -> Error {
        failed(&self.path, action, cause)
    }
}

fn failed(path: &Path, action: &'static str, cause: io::Error) -> Error {
    Error::System {
        action,
        path: path.to_path_buf(),
        cause,
    }
}

impl Error {
    /// Tells it as the end of `link`, where that is one.
    pub(crate) fn behind(self, link: &Path, end: &Path) -> Self {
        match self {
            Self::Strange { .. } | Self::System { .. } if link != end => Self::Linked {
                link: link.to_path_buf(),
                cause: Box::new(self),
            },
            error => error,
        }
    }
}

/// The bytes of a plain file that is not too large, if `look` has nothing against it.
fn bytes(
    file: &mut File,
    path: &Path,
    look: impl FnOnce(&Stat) -> Result<(), Error>,
) -> Result<Buffer, Error> {
    let strange = |problem| Error::Strange {
        path: path.to_path_buf(),
        problem,
    };
    let found = fstat(&*file).map_err(|cause| failed(path, "look at", cause.into()))?;
    if !FileType::from_raw_mode(found.st_mode).is_file() {
        return Err(strange("is not a plain file"));
    }
    look(&found)?;
    let mut bytes =
        Buffer::with_capacity(usize::try_from(found.st_size).unwrap_or(0).min(LARGEST) + 1);
    loop {
        match bytes.read_from(file, LARGEST + 1 - bytes.as_slice().len()) {
            Ok(0) => return Ok(bytes),
            Ok(_) if bytes.as_slice().len() > LARGEST => return Err(strange("is far too large")),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(failed(path, "read", cause)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn pipes_giants_and_files_of_the_kernel_are_refused() {
        let home = tempfile::tempdir().unwrap();
        let strange = |path: &Path| matches!(read(path), Err(Error::Strange { .. }));
        assert!(strange(home.path()));
        let followed = read_as_its_reader(home.path());
        assert!(matches!(followed, Err(Error::Strange { .. })));
        assert!(read(&home.path().join("none/at all")).unwrap().is_none());
        assert!(read(Path::new("file")).is_err(), "in the working directory");
        let giant = home.path().join("giant");
        let file = File::create(&giant).unwrap();
        file.set_len(LARGEST as u64 + 1).unwrap();
        assert!(strange(&giant));
        let pipe = home.path().join("pipe");
        rustix::fs::mkfifoat(CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
        assert!(strange(&pipe));
        #[cfg(target_os = "linux")]
        assert!(strange(Path::new("/proc/self/environ")));
    }

    #[test]
    fn a_link_of_ones_own_is_followed_to_a_file_of_ones_own() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("dotfiles");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("file"), b"one").unwrap();
        symlink("dotfiles/file", home.path().join("first")).unwrap();
        let link = home.path().join("link");
        symlink(home.path().join("first"), &link).unwrap();
        assert_eq!(followed(&link).unwrap(), folder.join("file"));
        assert_eq!(read(&link).unwrap().unwrap().as_slice(), b"one");
        let by_reader = read_as_its_reader(&link).unwrap().unwrap();
        assert_eq!(by_reader.as_slice(), b"one");
        let folders = home.path().join("folders");
        symlink(&folder, &folders).unwrap();
        assert_eq!(names(&folders, 10).unwrap().len(), 1);
        // An end that is not there is no file, and a circle is an error.
        let dangling = home.path().join("dangling");
        symlink("nowhere", &dangling).unwrap();
        assert!(read(&dangling).unwrap().is_none());
        let circle = home.path().join("circle");
        symlink("circle", &circle).unwrap();
        assert!(matches!(read(&circle), Err(Error::System { .. })));
        symlink("dotfiles", home.path().join("to folder")).unwrap();
        let error = read(&home.path().join("to folder")).unwrap_err();
        assert!(matches!(error, Error::Linked { .. }), "{error}");
    }
}
