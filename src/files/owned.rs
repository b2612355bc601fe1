//! Folders and files that only their owner can use: refused when they are anything else, replaced whole or not at all.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, Mode, OFlags, fstat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

use crate::platform::lock::Lock;
use crate::platform::owners::stranger_above;
use crate::platform::{disk, effective_uid};
use crate::secret::Buffer;
use crate::terminal::escape::shell_word;

/// Half a million credentials. A larger file is none that we wrote, and git would wait while it is read.
const LARGEST: usize = 64 * 1024 * 1024;
/// How long to wait for another process that holds the lock and changes nothing.
const LOCK_PATIENCE: Duration = Duration::from_secs(4);
/// How long to wait in all: hundreds may store at once into a file of a hundred thousand entries, and each has its turn.
const QUEUE_PATIENCE: Duration = Duration::from_secs(60);
/// How long to wait for the lock where git waits for an answer, and there may be another storage to give it.
const SHORT_PATIENCE: Duration = Duration::from_secs(2);

/// What ends the name of a file that is being written.
const NEW: &str = ".git-credential-pat-new";

const OF_ANOTHER: &str = "belongs to another user";
/// For root in the home of a user.
pub const HOME_OF_ANOTHER: &str = "run this as that user, without sudo; 'sudo -H' or, in a container, 'export HOME=/root' takes root's own home";

/// Mode bits of other users: any use at all, and writing.
const ALL_USE: u32 = 0o077;
const WRITING: u32 = 0o022;
/// Mode bit of a folder that many write into and each keeps their own (chmod(1), restricted deletion flag).
const STICKY: u32 = 0o1000;

/// Why a folder or file was not used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else's, a link, or open to others.
    #[error("{} {problem}", path.display())]
    NotPrivate {
        /// What was found.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
        /// How to mend it, if there is a command for that.
        remedy: Option<String>,
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
    /// Another process holds the lock and does not let go.
    #[error("another process keeps {} locked", path.display())]
    Busy {
        /// The lock file.
        path: PathBuf,
    },
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::NotPrivate { remedy, .. } => remedy.as_deref(),
            Self::System {
                action: OPEN_FOLDER,
                cause,
                ..
            } if cause.kind() == io::ErrorKind::NotFound => {
                Some("make this folder, or name a file in one that is there")
            }
            Self::System { .. } | Self::Busy { .. } => None,
        }
    }

    /// A folder that a person has named, and that is not there.
    pub fn missing(folder: &Path) -> Self {
        system(OPEN_FOLDER, folder, Errno::NOENT)
    }
}

const OPEN_FOLDER: &str = "open the folder";

/// A folder that is ours alone, held open so that nobody can put another in its place.
#[derive(Debug)]
pub struct Folder {
    descriptor: File,
    path: PathBuf,
}

impl Folder {
    /// Opens it, if it is there and no other user can look into it.
    pub fn open(path: &Path) -> Result<Option<Self>, Error> {
        Self::open_closed_to(path, ALL_USE)
    }

    /// Opens it, if it is there and no other user can change it: for a folder that a person has named, such as their
    /// home. Its files are closed to all use as everywhere.
    pub fn open_readable(path: &Path) -> Result<Option<Self>, Error> {
        Self::open_closed_to(path, WRITING)
    }

    fn open_closed_to(path: &Path, forbidden: u32) -> Result<Option<Self>, Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let descriptor = match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(descriptor) => File::from(descriptor),
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP | Errno::NOTDIR) => {
                return Err(not_private(path, "is not a folder of its own", None));
            }
            Err(cause) => return Err(system("open", path, cause)),
        };
        let folder = Self {
            descriptor,
            path: path.to_path_buf(),
        };
        let remedy = if forbidden == ALL_USE { "700" } else { "go-w" };
        check_owner_and_mode(&folder.descriptor, path, forbidden, remedy)?;
        Ok(Some(folder))
    }

    /// Opens it, or makes it and what is missing above it, private from the first moment.
    pub fn make(path: &Path) -> Result<Self, Error> {
        use std::os::unix::fs::DirBuilderExt;
        if let Some(folder) = Self::open(path)? {
            return Ok(folder);
        }
        // Root's folder would lock the user of a home out of it.
        if let Some(above) = stranger_above(path) {
            return Err(not_private(&above, OF_ANOTHER, own_home()));
        }
        // `/nonexistent` is the home of many system users (Debian policy, 9.2.3).
        if let Some(home) = missing_home_of(path) {
            return Err(Error::missing(&home));
        }
        let made = std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path);
        made.map_err(|cause| Error::System {
            action: "make",
            path: path.to_path_buf(),
            cause,
        })?;
        Self::open(path)?.ok_or_else(|| system("open", path, Errno::NOENT))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder itself, for what must be done relative to it.
    pub fn descriptor(&self) -> &File {
        &self.descriptor
    }

    /// Waits until no other process changes `name`: as long as the others get on, and not for ever.
    pub fn lock(&self, name: impl AsRef<OsStr>) -> Result<Lock, Error> {
        self.lock_or_busy(name.as_ref(), LOCK_PATIENCE, QUEUE_PATIENCE)
    }

    /// As [`Folder::lock`], and for a moment only, whether the others get on or not.
    pub fn lock_soon(&self, name: impl AsRef<OsStr>) -> Result<Lock, Error> {
        self.lock_or_busy(name.as_ref(), SHORT_PATIENCE, SHORT_PATIENCE)
    }

    fn lock_or_busy(
        &self,
        name: &OsStr,
        patience: Duration,
        limit: Duration,
    ) -> Result<Lock, Error> {
        let lock_name = lock_of(name);
        let lock = self.lock_in_turn(&lock_name, patience, limit)?;
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

    /// Takes the lock file `name` once it is free: see [`Lock::take`].
    pub fn lock_in_turn(
        &self,
        name: impl AsRef<OsStr>,
        patience: Duration,
        limit: Duration,
    ) -> Result<Option<Lock>, Error> {
        let name = name.as_ref();
        let lock = Lock::take(&self.descriptor, name, patience, limit);
        lock.map_err(|cause| Error::System {
            action: "lock",
            path: self.path.join(name),
            cause,
        })
    }

    /// The bytes of a file, if it is there, is a plain file, is ours and is closed to others.
    pub fn read(&self, name: impl AsRef<OsStr>) -> Result<Option<Buffer>, Error> {
        self.read_at_most(LARGEST, name)
    }

    /// As [`Folder::read`], where so many bytes are too many.
    pub fn read_at_most(
        &self,
        most: usize,
        name: impl AsRef<OsStr>,
    ) -> Result<Option<Buffer>, Error> {
        let name = name.as_ref();
        let path = self.path.join(name);
        // Without NONBLOCK the opening of a named pipe would wait for a writer.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let mut file = match openat(&self.descriptor, name, flags, Mode::empty()) {
            Ok(descriptor) => File::from(descriptor),
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(not_private(&path, "is a link, not a file", None)),
            Err(cause) => return Err(system("open", &path, cause)),
        };
        let length = check_owner_and_mode(&file, &path, ALL_USE, "600")?;
        let mut bytes = Buffer::with_capacity(length.min(most) + 1);
        loop {
            let room = (most + 1).saturating_sub(bytes.as_slice().len());
            if length > most || room == 0 {
                return Err(system("read", &path, Errno::FBIG));
            }
            match bytes.read_from(&mut file, room) {
                Ok(0) => return Ok(Some(bytes)),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => {
                    return Err(Error::System {
                        action: "read",
                        path,
                        cause,
                    });
                }
            }
        }
    }

    /// Puts `pieces` in the place of a file, whole or not at all, and on the disk before it returns. Whatever goes wrong,
    /// power included, the old bytes or the new ones are there; what a killed process left is taken away by the next.
    pub fn replace(
        &self,
        name: impl AsRef<OsStr>,
        pieces: &[&[u8]],
        lock: &Lock,
    ) -> Result<(), Error> {
        self.replace_with_room(0, name, pieces, lock)
    }

    /// As [`Folder::replace`], and fails where there would be no room for `room` bytes more: they are written, and taken
    /// away before the file is in its place.
    pub fn replace_with_room(
        &self,
        room: usize,
        name: impl AsRef<OsStr>,
        pieces: &[&[u8]],
        _lock: &Lock,
    ) -> Result<(), Error> {
        let name = name.as_ref();
        let new = &new_of(name);
        let path = self.path.join(new);
        self.remove_leftover(new, &path)?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&self.descriptor, new, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|cause| system("create", &path, cause))?;
        let result = disk::write(File::from(file), pieces, room).and_then(|()| {
            renameat(&self.descriptor, new, &self.descriptor, name)
                .map_err(|cause| ("rename", cause.into()))?;
            self.descriptor
                .sync_all()
                .map_err(|cause| ("sync the folder of", cause))
        });
        result.map_err(|(action, cause)| {
            let _ = unlinkat(&self.descriptor, new, AtFlags::empty());
            Error::System {
                action,
                path,
                cause,
            }
        })
    }

    /// Takes away what a killed process left, and nothing else: another thing of this name is not ours to remove.
    fn remove_leftover(&self, new: &OsStr, path: &Path) -> Result<(), Error> {
        let found = match statat(&self.descriptor, new, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => found,
            Err(Errno::NOENT) => return Ok(()),
            Err(cause) => return Err(system("look at", path, cause)),
        };
        let is_plain = rustix::fs::FileType::from_raw_mode(found.st_mode).is_file();
        let is_closed = found.st_mode & ALL_USE == 0;
        if !is_plain || !is_closed || found.st_uid != effective_uid() || found.st_nlink != 1 {
            let remedy = "move it away: a new file is written under this name".to_owned();
            return Err(not_private(path, "is not ours to replace", Some(remedy)));
        }
        match unlinkat(&self.descriptor, new, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(cause) => Err(system("remove the leftover", path, cause)),
        }
    }
}

/// Whether a file of this name would be taken for another's leftover.
pub fn is_reserved(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(b".") && name.ends_with(NEW.as_bytes())
}

fn lock_of(name: &OsStr) -> OsString {
    let mut lock = name.to_owned();
    lock.push(".lock");
    lock
}

/// Where the new file is written: hidden, and under a name that nobody else gives.
fn new_of(name: &OsStr) -> OsString {
    let mut new = OsString::from(".");
    new.push(name);
    new.push(NEW);
    new
}

/// The home folder, if `path` lies in it and there is none.
fn missing_home_of(path: &Path) -> Option<PathBuf> {
    let home = PathBuf::from(std::env::var_os("HOME")?);
    (home.is_absolute() && path.starts_with(&home) && !home.exists()).then_some(home)
}

/// The hint for root if a folder belongs to a user.
fn own_home() -> Option<String> {
    (effective_uid() == 0).then(|| HOME_OF_ANOTHER.to_owned())
}

/// Returns the length.
fn check_owner_and_mode(
    file: &File,
    path: &Path,
    forbidden: u32,
    mode: &str,
) -> Result<usize, Error> {
    let found = fstat(file).map_err(|cause| system("look at", path, cause))?;
    let kind = rustix::fs::FileType::from_raw_mode(found.st_mode);
    if !(kind.is_file() || kind.is_dir()) {
        return Err(not_private(path, "is not a plain file", None));
    }
    if found.st_uid != effective_uid() {
        return Err(not_private(path, OF_ANOTHER, own_home()));
    }
    if found.st_mode & forbidden != 0 {
        // A folder such as /tmp is shared on purpose.
        let remedy = if found.st_mode & STICKY == 0 {
            format!(
                "close it with 'chmod {mode} {}'",
                shell_word(path.as_os_str().as_bytes())
            )
        } else {
            "name a place in a folder of your own".to_owned()
        };
        return Err(not_private(path, "is open to other users", Some(remedy)));
    }
    Ok(usize::try_from(found.st_size).unwrap_or(0))
}

fn not_private(path: &Path, problem: &'static str, remedy: Option<String>) -> Error {
    Error::NotPrivate {
        path: path.to_path_buf(),
        problem,
        remedy,
    }
}

fn system(action: &'static str, path: &Path, cause: Errno) -> Error {
    Error::System {
        action,
        path: path.to_path_buf(),
        cause: cause.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;

    use super::*;

    #[test]
    fn a_giant_is_not_read() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::make(&home.path().join("own")).unwrap();
        let path = folder.path().join("giant");
        let mut options = File::options();
        let file = options.write(true).create(true).mode(0o600).open(&path);
        let file = file.unwrap();
        file.set_len(LARGEST as u64 + 1).unwrap();
        let Err(Error::System { action, cause, .. }) = folder.read("giant") else {
            panic!("it was read");
        };
        assert_eq!(
            (action, cause.kind()),
            ("read", io::ErrorKind::FileTooLarge)
        );
        file.set_len(3).unwrap();
        assert_eq!(folder.read("giant").unwrap().unwrap().as_slice(), [0; 3]);
    }

    #[test]
    fn only_a_leftover_of_ours_is_taken_away() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::make(&home.path().join("own")).unwrap();
        let write = |name: &str, mode| {
            let path = folder.path().join(name);
            let mut options = File::options();
            let mut file = options.write(true).create_new(true).mode(mode).open(&path);
            file.as_mut().unwrap().write_all(b"a person's").unwrap();
            path
        };
        let (new, lock) = (write("it.new", 0o600), write("it.lock", 0o600));
        let taken = folder.lock("it").unwrap();
        let hidden = write(".it.git-credential-pat-new", 0o600);
        folder.replace("it", &[b"one"], &taken).unwrap();
        assert!(!hidden.exists());
        for path in [&new, &lock] {
            assert_eq!(std::fs::read(path).unwrap(), b"a person's");
        }
        let refused = || {
            let result = folder.replace("it", &[b"two"], &taken);
            assert!(matches!(result, Err(Error::NotPrivate { .. })));
            assert_eq!(folder.read("it").unwrap().unwrap().as_slice(), b"one");
        };
        write(".it.git-credential-pat-new", 0o644);
        refused();
        assert_eq!(std::fs::read(&hidden).unwrap(), b"a person's");
        std::fs::remove_file(&hidden).unwrap();
        std::fs::hard_link(&new, &hidden).unwrap();
        refused();
        std::fs::remove_file(&hidden).unwrap();
        std::os::unix::fs::symlink(&new, &hidden).unwrap();
        refused();
        assert!(hidden.is_symlink() && new.exists());
    }

    #[test]
    fn what_made_sure_of_room_is_not_left_behind() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::make(&home.path().join("own")).unwrap();
        let lock = folder.lock("it").unwrap();
        let pieces: [&[u8]; 2] = [b"one", b"two"];
        folder
            .replace_with_room(100_000, "it", &pieces, &lock)
            .unwrap();
        assert_eq!(folder.read("it").unwrap().unwrap().as_slice(), b"onetwo");
        assert!(folder.read_at_most(5, "it").is_err());
    }

    #[test]
    fn one_file_is_no_other_ones_leftover() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::make(&home.path().join("own")).unwrap();
        for name in ["it.new", "it"] {
            let lock = folder.lock(name).unwrap();
            folder.replace(name, &[name.as_bytes()], &lock).unwrap();
        }
        for name in ["it.new", "it"] {
            let found = folder.read(name).unwrap().unwrap();
            assert_eq!(found.as_slice(), name.as_bytes());
        }
        assert!(is_reserved(&new_of("it".as_ref())) && !is_reserved("it.new".as_ref()));
    }
}
