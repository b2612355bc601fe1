//! Owned folders and files: only this user can use them. They are replaced whole or not at all.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Error, OF_ANOTHER, Ownership, checked_length, open_in, read_all, system, unusable};
use crate::platform::lock::Lock;
use crate::platform::{self, FileFacts, OpenFolder, is_root, make_private_folders, stranger_above};
use crate::secret::Buffer;

/// Half a million credentials. A larger file is none that we wrote, and git would wait while it is read.
const LARGEST: usize = 64 * 1024 * 1024;
/// How long to wait for another process that holds the lock and changes nothing.
const LOCK_PATIENCE: Duration = Duration::from_secs(4);
/// How long to wait in all: hundreds may store at once into a file of a hundred thousand entries, and each has its turn.
const QUEUE_PATIENCE: Duration = Duration::from_secs(60);
/// How long to wait for the lock where git waits for an answer, and there may be another storage to give it.
const SHORT_PATIENCE: Duration = Duration::from_secs(2);

/// The suffix of a file that is being written.
const NEW: &str = ".git-credential-pat-new";

/// A folder of this user, held open so that no other process can replace it.
#[derive(Debug)]
pub struct Folder {
    open: OpenFolder,
    path: PathBuf,
}

impl Folder {
    /// Opens a folder that no other user can look into; `None` if it does not exist.
    pub fn open(path: &Path) -> Result<Option<Self>, Error> {
        Self::open_as(path, Ownership::Closed)
    }

    /// Opens a folder that no other user can change, for a folder that the user named, such as the home folder. Its files are
    /// closed to all others as everywhere.
    pub fn open_readable(path: &Path) -> Result<Option<Self>, Error> {
        Self::open_as(path, Ownership::NotWritable)
    }

    fn open_as(path: &Path, ownership: Ownership) -> Result<Option<Self>, Error> {
        let open = match OpenFolder::open_no_link(path) {
            Ok(open) => open,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) if cause.kind() == io::ErrorKind::NotADirectory => {
                return Err(unusable(path, "is not a folder of its own", None));
            }
            Err(cause) => return Err(system("open", path, cause)),
        };
        ownership.check_folder(&open, path)?;
        let path = path.to_path_buf();
        Ok(Some(Self { open, path }))
    }

    /// Opens a folder, or creates it and the missing folders above it, private from the start.
    pub fn make(path: &Path) -> Result<Self, Error> {
        if let Some(folder) = Self::open(path)? {
            return Ok(folder);
        }
        // A folder of root would lock the user of a home out of it.
        if let Some(above) = stranger_above(path) {
            let remedy = is_root().then_some(super::HOME_OF_ANOTHER);
            return Err(unusable(&above, OF_ANOTHER, remedy));
        }
        // `/nonexistent` is the home of many system users (Debian policy, 9.2.3).
        if let Some(home) = missing_home_of(path) {
            return Err(Error::missing(&home));
        }
        make_private_folders(path).map_err(|cause| system("make", path, cause))?;
        Self::open(path)?.ok_or_else(|| system("open", path, io::ErrorKind::NotFound.into()))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the open folder, for operations relative to it.
    pub fn handle(&self) -> &OpenFolder {
        &self.open
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
        let lock_name = OsString::from_iter([name, ".lock".as_ref()]);
        let lock = self.lock_in_turn(&lock_name, patience, limit)?;
        lock.ok_or_else(|| Error::Busy {
            path: self.path.join(lock_name),
        })
    }

    /// Takes the lock file `name` once it is free: see [`Lock::take`]. `None`: it was not free in time.
    pub fn lock_in_turn(
        &self,
        name: impl AsRef<OsStr>,
        patience: Duration,
        limit: Duration,
    ) -> Result<Option<Lock>, Error> {
        let name = name.as_ref();
        let lock = Lock::take(&self.open, name, patience, limit);
        lock.map_err(|cause| Error::System {
            action: "lock",
            path: self.path.join(name),
            cause,
        })
    }

    /// Reads a plain file of this user that is closed to others; `None` if it does not exist.
    pub fn read(&self, name: impl AsRef<OsStr>) -> Result<Option<Buffer>, Error> {
        let name = name.as_ref();
        let path = self.path.join(name);
        let Some(mut file) = open_in(&self.open, name, &path)? else {
            return Ok(None);
        };
        read_all(&mut file, &path, LARGEST, Ownership::Closed).map(Some)
    }

    /// Opens such a file to read parts of it; `None` if it does not exist.
    pub fn open_file(&self, name: impl AsRef<OsStr>) -> Result<Option<OwnedFile>, Error> {
        let name = name.as_ref();
        let path = self.path.join(name);
        let Some(file) = open_in(&self.open, name, &path)? else {
            return Ok(None);
        };
        let length = checked_length(&file, &path, LARGEST, Ownership::Closed)?;
        Ok(Some(OwnedFile { file, path, length }))
    }

    /// Replaces a file by `pieces`, and returns when they are on the disk. After any failure, a power cut included, the file
    /// has the old bytes or the new ones. The next process removes the leftover of a killed one. Fails if the file would be
    /// too large to be read again.
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
        let length: usize = pieces.iter().map(|piece| piece.len()).sum();
        if length > LARGEST {
            let cause = io::ErrorKind::FileTooLarge.into();
            return Err(system("write", &self.path.join(name), cause));
        }
        let new = &new_of(name);
        let path = self.path.join(new);
        // A killed process leaves it. Only this user can write here, and no other program uses the name.
        match self.open.remove(new) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                return Err(system("remove the leftover", &path, cause));
            }
            _ => {}
        }
        let file = self.open.create_file(new, true);
        let file = file.map_err(|cause| system("create", &path, cause))?;
        let result = write(file, pieces, room).and_then(|()| {
            let renamed = self.open.rename(new, name);
            renamed.map_err(|cause| ("rename", cause))?;
            let synced = self.open.sync();
            synced.map_err(|cause| ("sync the folder of", cause))
        });
        result.map_err(|(action, cause)| {
            let _ = self.open.remove(new);
            system(action, &path, cause)
        })
    }
}

/// A plain file of this user that is closed to others, open to be read. A process that replaces it does not change it.
#[derive(Debug)]
pub struct OwnedFile {
    file: File,
    path: PathBuf,
    length: usize,
}

impl OwnedFile {
    /// In bytes, when it was opened.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Reads these bytes. Fails if the file has become shorter.
    pub fn read(&mut self, range: Range<usize>) -> Result<Buffer, Error> {
        let mut read = || -> io::Result<Buffer> {
            self.file.seek(SeekFrom::Start(range.start as u64))?;
            let mut bytes = Buffer::with_capacity(range.len());
            while bytes.as_slice().len() < range.len() {
                let missing = range.len() - bytes.as_slice().len();
                match bytes.read_from(&mut self.file, missing) {
                    Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(_) => {}
                    Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                    Err(cause) => return Err(cause),
                }
            }
            Ok(bytes)
        };
        read().map_err(|cause| system("read", &self.path, cause))
    }
}

/// Opens a plain file of this user, closed to all others, to append to it. Creates it if it does not exist. Follows no link.
pub fn open_to_append(path: &Path) -> Result<File, Error> {
    let file = match platform::open_to_append(path) {
        Ok(file) => file,
        Err(_) if FileFacts::of_path(path).is_ok_and(|found| found.is_link()) => {
            return Err(unusable(path, "is a link, not a file", None));
        }
        Err(_) if FileFacts::of_path(path).is_ok_and(|found| !found.is_file()) => {
            return Err(unusable(path, "is not a plain file", None));
        }
        Err(cause) => return Err(system("open", path, cause)),
    };
    let found = FileFacts::of(&file).map_err(|cause| system("look at", path, cause))?;
    if !found.is_file() || platform::is_kernels(&file) {
        return Err(unusable(path, "is not a plain file", None));
    }
    Ownership::Closed.check(&found, path)?;
    Ok(file)
}

/// Writes a file to the disk. Fails with the action that failed, also if there is no space for `room` bytes more.
fn write(mut file: File, pieces: &[&[u8]], room: usize) -> Result<(), (&'static str, io::Error)> {
    let mut length = 0;
    for piece in pieces {
        file.write_all(piece).map_err(|cause| ("write", cause))?;
        length += piece.len() as u64;
    }
    if room > 0 {
        // Zeros, not a hole: a hole takes no space.
        let more = file.write_all(&vec![0; room]);
        let more = more.and_then(|()| file.sync_all());
        more.and_then(|()| file.set_len(length))
            .map_err(|cause| ("write", cause))?;
    }
    file.sync_all().map_err(|cause| ("sync", cause))
}

/// Whether a file of this name would be taken for another's leftover.
pub fn is_reserved(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(b".") && name.ends_with(NEW.as_bytes())
}

/// The hidden name of the new file until it is complete. No other program uses this name.
fn new_of(name: &OsStr) -> OsString {
    OsString::from_iter([".".as_ref(), name, NEW.as_ref()])
}

/// The home folder, if `path` lies in it and there is none.
fn missing_home_of(path: &Path) -> Option<PathBuf> {
    let home = PathBuf::from(std::env::var_os("HOME")?);
    (home.is_absolute() && path.starts_with(&home) && !home.exists()).then_some(home)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::testing::{make_link, set_mode};

    #[test]
    fn a_giant_is_not_read() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::make(&home.path().join("own")).unwrap();
        let path = folder.path().join("giant");
        let file = File::create(&path).unwrap();
        set_mode(&path, 0o600);
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
        let write = |name: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, b"a person's").unwrap();
            set_mode(&path, 0o600);
            path
        };
        let (new, lock) = (write("it.new"), write("it.lock"));
        let taken = folder.lock("it").unwrap();
        let hidden = write(".it.git-credential-pat-new");
        folder.replace("it", &[b"one"], &taken).unwrap();
        assert!(!hidden.exists());
        for path in [&new, &lock] {
            assert_eq!(std::fs::read(path).unwrap(), b"a person's");
        }
        std::fs::create_dir(&hidden).unwrap();
        let result = folder.replace("it", &[b"two"], &taken);
        assert!(matches!(result, Err(Error::System { .. })));
        assert_eq!(folder.read("it").unwrap().unwrap().as_slice(), b"one");
    }

    #[test]
    #[cfg_attr(
        windows,
        ignore = "real Windows: links need a right, and wine has none"
    )]
    fn a_link_in_the_place_of_a_leftover_goes_and_its_end_stays() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::make(&home.path().join("own")).unwrap();
        let end = folder.path().join("end");
        std::fs::write(&end, b"a person's").unwrap();
        let hidden = folder.path().join(new_of("it".as_ref()));
        make_link(&end, &hidden);
        let lock = folder.lock("it").unwrap();
        folder.replace("it", &[b"one"], &lock).unwrap();
        assert!(!hidden.is_symlink());
        assert_eq!(std::fs::read(&end).unwrap(), b"a person's");
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
