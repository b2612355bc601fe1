//! Files of other programs: read within bounds, refused where they are a link or somebody else's, and changed under the
//! lock that git itself takes.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, Mode, OFlags, Stat, fchmod, fstat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

use crate::platform::ending::Waiting;
use crate::platform::{boot_time, effective_uid};
use crate::secret::Buffer;

/// Larger than any file of credentials that a person has.
pub const LARGEST: usize = 16 * 1024 * 1024;
/// As long as git-credential-store waits (git-config(1), `credentialStore.lockTimeoutMS`).
const PATIENCE: Duration = Duration::from_secs(1);

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
    /// The system said no.
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
        let is_locked = matches!(self, Self::Locked { .. });
        is_locked.then_some("if no git is running, remove that file: one that was killed left it")
    }
}

/// The bytes of a file, if it is there.
pub fn read(path: &Path) -> Result<Option<Buffer>, Error> {
    Ok(Folder::of(path)?
        .map(|folder| folder.read())
        .transpose()?
        .flatten()
        .map(|(bytes, _)| bytes))
}

/// The bytes of a file, if it is there, as the program gets them that goes by them: through links, and whosever it is. To tell
/// of, and never to take over.
pub fn read_as_its_reader(path: &Path) -> Result<Option<Buffer>, Error> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(descriptor) => {
            bytes(&mut descriptor.into(), path, |_| Ok(())).map(|(bytes, _)| Some(bytes))
        }
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(cause) => Err(failed(path, "open", cause.into())),
    }
}

/// Takes stretches out of a file, and leaves all the other bytes as they are: `choose` is given the bytes, under the
/// lock, and returns the stretches in order. The file keeps its mode, and is the old or the new one whatever happens.
/// Returns how many stretches went.
pub fn cut(path: &Path, choose: impl FnOnce(&[u8]) -> Vec<Range<usize>>) -> Result<usize, Error> {
    let Some(mut lock) = Lock::take(path, Mode::RUSR | Mode::WUSR)? else {
        return Ok(0);
    };
    let Some((bytes, mode)) = lock.folder.read()? else {
        return Ok(0);
    };
    let bytes = bytes.as_slice();
    let stretches = choose(bytes);
    if stretches.is_empty() {
        return Ok(0);
    }
    let written = (|| {
        let mut start = 0;
        for stretch in &stretches {
            lock.file.write_all(&bytes[start..stretch.start])?;
            start = stretch.end;
        }
        lock.file.write_all(&bytes[start..])?;
        fchmod(&lock.file, mode)?;
        lock.file.sync_all()
    })();
    written.map_err(|cause| lock.folder.failed("write", cause))?;
    lock.take_the_place()?;
    Ok(stretches.len())
}

/// Removes a file, if `is_meant` finds what it should in it. Returns whether it went.
pub fn remove(path: &Path, is_meant: impl FnOnce(&[u8]) -> bool) -> Result<bool, Error> {
    let Some(folder) = Folder::of(path)? else {
        return Ok(false);
    };
    let seen = folder.version();
    match folder.read()? {
        Some((bytes, _)) if is_meant(bytes.as_slice()) => {}
        _ => return Ok(false),
    }
    // Nobody locks these: what came in its place meanwhile is another's. The moment between is as short as can be.
    if seen.is_none() || folder.version() != seen {
        return Ok(false);
    }
    match unlinkat(&folder.descriptor, &folder.name, AtFlags::empty()) {
        Ok(()) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(cause) => Err(folder.failed("remove", cause.into())),
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

/// The names in a folder that is ours, in order, at most `most`. Nothing if it is not there.
pub fn names(path: &Path, most: usize) -> Vec<(OsString, Sort)> {
    use std::os::unix::fs::MetadataExt;
    let is_ours = std::fs::symlink_metadata(path)
        .is_ok_and(|found| found.is_dir() && found.uid() == effective_uid());
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries
        .filter(|_| is_ours)
        .take(most)
        .filter_map(|entry| {
            let sort = match entry.file_type().ok()? {
                kind if kind.is_dir() => Sort::Folder,
                kind if kind.is_file() => Sort::File,
                _ => Sort::Other,
            };
            Some((entry.file_name(), sort))
        })
        .collect();
    names.sort();
    names
}

/// The folder of a file, held open so that nobody can put another in its place, and the file's name in it.
struct Folder {
    descriptor: File,
    name: OsString,
    path: PathBuf,
}

impl Folder {
    fn of(path: &Path) -> Result<Option<Self>, Error> {
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

    fn read(&self) -> Result<Option<(Buffer, Mode)>, Error> {
        let strange = |problem| Error::Strange {
            path: self.path.clone(),
            problem,
        };
        // Without NONBLOCK the opening of a named pipe would wait for a writer.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let mut file = match openat(&self.descriptor, &self.name, flags, Mode::empty()) {
            Ok(descriptor) => File::from(descriptor),
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(strange("is a link: name the file itself")),
            Err(cause) => return Err(self.failed("open", cause.into())),
        };
        let read = bytes(&mut file, &self.path, |found| {
            if found.st_uid == effective_uid() {
                Ok(())
            } else {
                Err(strange("belongs to another user"))
            }
        });
        read.map(Some)
    }

    /// Changes whenever the file is written or replaced.
    fn version(&self) -> Option<impl PartialEq + use<>> {
        let found = statat(&self.descriptor, &self.name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        let changed = (
            found.st_mtime,
            found.st_mtime_nsec,
            found.st_ctime,
            found.st_ctime_nsec,
        );
        Some((found.st_dev, found.st_ino, found.st_size, changed))
    }

    fn failed(&self, action: &'static str, cause: io::Error) -> Error {
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

/// The bytes of a plain file that is not too large, and its mode, if `look` has nothing against it.
fn bytes(
    file: &mut File,
    path: &Path,
    look: impl FnOnce(&Stat) -> Result<(), Error>,
) -> Result<(Buffer, Mode), Error> {
    let strange = |problem| Error::Strange {
        path: path.to_path_buf(),
        problem,
    };
    let found = fstat(&*file).map_err(|cause| failed(path, "look at", cause.into()))?;
    if !rustix::fs::FileType::from_raw_mode(found.st_mode).is_file() {
        return Err(strange("is not a plain file"));
    }
    look(&found)?;
    let mut bytes =
        Buffer::with_capacity(usize::try_from(found.st_size).unwrap_or(0).min(LARGEST) + 1);
    loop {
        match bytes.read_from(file, LARGEST + 1 - bytes.as_slice().len()) {
            Ok(0) => return Ok((bytes, Mode::from_raw_mode(found.st_mode & 0o7777))),
            Ok(_) if bytes.as_slice().len() > LARGEST => return Err(strange("is far too large")),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(failed(path, "read", cause)),
        }
    }
}

/// git's lock, and the new file in one: `NAME.lock`, made by whoever changes the file (lockfile.h of git). Taken away when
/// dropped, unless it took the file's place. As long as it is held, signals that would end us and leave it wait.
pub struct Lock {
    folder: Folder,
    /// As it was made: another program may put a file of its own in its place.
    pub file: File,
    name: OsString,
    is_used: bool,
    // Goes last: what waited may end us.
    _waiting: Waiting,
}

impl Lock {
    /// Of a file that is no link; with `mode`, less what the umask takes. `None`: its folder is not there.
    pub fn take(path: &Path, mode: Mode) -> Result<Option<Self>, Error> {
        let Some(folder) = Folder::of(path)? else {
            return Ok(None);
        };
        let mut name = folder.name.clone();
        name.push(".lock");
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let until = boot_time().saturating_add(PATIENCE);
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
                Err(Errno::EXIST) if boot_time() < until => {
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
        folder
            .sync_all()
            .map_err(|cause| self.folder.failed("sync the folder of", cause))
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn only_the_stretches_go_and_the_mode_stays() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        std::fs::write(&path, b"one\r\ntwo\0\nthree").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        assert_eq!(cut(&path, |_| Vec::new()).unwrap(), 0);
        assert_eq!(cut(&path, |_| std::iter::once(0..5).collect()).unwrap(), 1);
        assert_eq!(std::fs::read(&path).unwrap(), b"two\0\nthree");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        assert_eq!(names(home.path(), 10).len(), 1, "no lock is left");
    }

    #[test]
    fn a_lock_of_gits_is_respected() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        std::fs::write(&path, b"one\n").unwrap();
        let lock = home.path().join("file.lock");
        std::fs::write(&lock, b"").unwrap();
        let refused = cut(&path, |_| panic!("not under the lock"));
        assert!(matches!(refused, Err(Error::Locked { .. })));
        assert!(lock.exists() && std::fs::read(&path).unwrap() == b"one\n");
    }

    #[test]
    fn signals_wait_while_a_lock_is_held() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        std::fs::write(&path, b"one\n").unwrap();
        // A child waits as its parent does.
        let survives = |signal: &str| {
            let mut child = std::process::Command::new("/bin/sh");
            child.args(["-c", &format!("kill -{signal} $$; exit 7")]);
            child.status().unwrap().code() == Some(7)
        };
        cut(&path, |_| {
            for signal in ["INT", "TERM", "HUP"] {
                assert!(survives(signal), "{signal}");
            }
            Vec::new()
        })
        .unwrap();
        // Whoever runs the tests may ignore the others.
        assert!(!survives("TERM"));
    }

    #[test]
    fn links_pipes_and_giants_are_refused() {
        let home = tempfile::tempdir().unwrap();
        let (file, link) = (home.path().join("file"), home.path().join("link"));
        std::fs::write(&file, b"one").unwrap();
        symlink(&file, &link).unwrap();
        assert!(matches!(read(&link), Err(Error::Strange { .. })));
        assert!(cut(&link, |_| panic!("a link")).is_err());
        assert!(matches!(read(home.path()), Err(Error::Strange { .. })));
        let followed = read_as_its_reader(&link).unwrap().unwrap();
        assert_eq!(followed.as_slice(), b"one");
        let strange = read_as_its_reader(home.path());
        assert!(matches!(strange, Err(Error::Strange { .. })));
        assert!(read(&home.path().join("none/at all")).unwrap().is_none());
        assert!(
            read(Path::new("file")).is_err(),
            "wherever one happens to be"
        );
        let giant = File::create(home.path().join("giant")).unwrap();
        giant.set_len(LARGEST as u64 + 1).unwrap();
        assert!(matches!(
            read(&home.path().join("giant")),
            Err(Error::Strange { .. })
        ));
    }

    #[test]
    fn a_file_goes_only_if_it_is_the_one() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        std::fs::write(&path, b"new").unwrap();
        assert!(!remove(&path, |bytes| bytes == b"old").unwrap());
        // Somebody writes a newer one just when the old one was looked at.
        let replaced = remove(&path, |bytes| {
            std::fs::write(home.path().join("newer"), b"newer").unwrap();
            std::fs::rename(home.path().join("newer"), &path).unwrap();
            bytes == b"new"
        });
        assert!(!replaced.unwrap());
        let rewritten = remove(&path, |bytes| {
            std::fs::write(&path, b"newest").unwrap();
            bytes == b"newer"
        });
        assert!(!rewritten.unwrap());
        assert!(remove(&path, |bytes| bytes == b"newest").unwrap());
        assert!(!remove(&path, |_| true).unwrap());
    }
}
