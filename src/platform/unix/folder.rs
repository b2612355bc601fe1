//! A folder held open, so that no other process can replace it, and the files in it by their names.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use rustix::fs::{
    Access, AtFlags, CWD, FileType, Mode, OFlags, RawMode, Stat, access, fstat, linkat, openat,
    renameat, statat, unlinkat,
};
use rustix::io::Errno;

use super::owners::{is_private_group, is_roots_unmapped};
use super::process::effective_uid;
use super::rename::{exchange, to_free};

/// Mode bits of other users: any use, and writing.
const ALL_USE: RawMode = 0o077;
const WRITING: RawMode = 0o022;
/// Each user removes only their own files from such a folder (chmod(1), restricted deletion flag).
const STICKY: RawMode = 0o1000;

/// What the system knows about a file, folder or link.
pub struct FileFacts(pub(super) Stat);

impl FileFacts {
    pub fn of(file: &File) -> io::Result<Self> {
        Ok(Self(fstat(file)?))
    }

    /// Does not follow a link.
    pub fn of_path(path: &Path) -> io::Result<Self> {
        Ok(Self(statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW)?))
    }

    fn kind(&self) -> FileType {
        FileType::from_raw_mode(self.0.st_mode)
    }

    pub fn is_file(&self) -> bool {
        self.kind().is_file()
    }

    pub fn is_folder(&self) -> bool {
        self.kind().is_dir()
    }

    pub fn is_link(&self) -> bool {
        self.kind().is_symlink()
    }

    pub fn is_socket(&self) -> bool {
        self.kind().is_socket()
    }

    /// Whether it belongs to this user.
    pub fn is_ours(&self) -> bool {
        self.0.st_uid == effective_uid()
    }

    /// Whether it belongs to this user or to root.
    pub fn is_ours_or_roots(&self) -> bool {
        self.is_ours() || self.0.st_uid == 0
    }

    pub fn is_open_to_others(&self) -> bool {
        self.0.st_mode & ALL_USE != 0
    }

    pub fn is_writable_by_others(&self) -> bool {
        self.0.st_mode & WRITING != 0
    }

    pub fn is_writable_by_all(&self) -> bool {
        self.0.st_mode & 0o002 != 0
    }

    pub fn is_writable_by_group(&self) -> bool {
        self.0.st_mode & 0o020 != 0
    }

    /// Whether its group is this user's own, without other members.
    pub fn has_private_group(&self) -> bool {
        is_private_group(self.0.st_gid)
    }

    /// Whether its owner has no number in this user namespace, as root in a sandbox.
    pub fn is_unmapped_roots(&self) -> bool {
        is_roots_unmapped(self.0.st_uid)
    }

    /// Whether it is a folder for all users, such as `/tmp`.
    pub fn is_sticky(&self) -> bool {
        self.0.st_mode & STICKY != 0
    }

    /// Whether it is open to others and must stay so.
    pub fn stays_open(&self) -> bool {
        self.is_sticky()
    }

    pub fn length(&self) -> usize {
        usize::try_from(self.0.st_size).unwrap_or(0)
    }

    /// The numbers of its file system and of the file in it.
    // Their types differ between systems.
    #[allow(clippy::unnecessary_cast, clippy::cast_sign_loss)]
    pub fn identity(&self) -> (u64, u64) {
        (self.0.st_dev as u64, self.0.st_ino as u64)
    }
}

/// Opens a file for reading, through links. A pipe or a device is not waited for, and no terminal becomes ours.
pub fn open_any(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

/// Opens a file to append to it, and creates it for this user alone. Fails for a link. A pipe or a device is not waited for.
pub fn open_to_append(path: &Path) -> io::Result<File> {
    let flags = OFlags::WRONLY
        | OFlags::APPEND
        | OFlags::CREATE
        | OFlags::NOFOLLOW
        | OFlags::CLOEXEC
        | OFlags::NONBLOCK
        | OFlags::NOCTTY;
    Ok(rustix::fs::open(path, flags, Mode::from_raw_mode(0o600))?.into())
}

/// Whether this user may read the file.
pub fn is_readable(path: &Path) -> bool {
    access(path, Access::READ_OK).is_ok()
}

/// Fails if this user cannot create a file in the folder. If the folder is missing, the nearest one above it counts.
pub fn check_writable(folder: &Path) -> io::Result<()> {
    let mut above = folder.ancestors();
    let nearest = above.find(|folder| folder.exists()).unwrap_or(folder);
    Ok(access(nearest, Access::WRITE_OK | Access::EXEC_OK)?)
}

/// Whether a path leads to a named pipe.
pub fn is_pipe(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo())
}

/// A folder held open.
#[derive(Debug)]
pub struct OpenFolder(pub(super) File);

impl OpenFolder {
    /// Opens a folder, through links.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::open_with(path, OFlags::empty())
    }

    /// Opens a folder. Fails with `NotADirectory` for a link or a file.
    pub fn open_no_link(path: &Path) -> io::Result<Self> {
        let opened = Self::open_with(path, OFlags::NOFOLLOW);
        opened.map_err(|cause| match cause.raw_os_error() {
            Some(number) if number == Errno::LOOP.raw_os_error() => Errno::NOTDIR.into(),
            _ => cause,
        })
    }

    fn open_with(path: &Path, more: OFlags) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | more;
        Ok(Self(rustix::fs::open(path, flags, Mode::empty())?.into()))
    }

    pub fn facts(&self) -> io::Result<FileFacts> {
        FileFacts::of(&self.0)
    }

    /// Does not follow a link.
    pub fn facts_of(&self, name: &OsStr) -> io::Result<FileFacts> {
        let found = statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(FileFacts(found))
    }

    /// Opens a file for reading. Fails for a link, and does not wait for a writer of a named pipe.
    pub fn open_file(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        Ok(openat(&self.0, name, flags, Mode::empty())?.into())
    }

    /// Creates a file for this user alone; for all that the umask allows if not `is_private`. Fails with `AlreadyExists`.
    pub fn create_file(&self, name: &OsStr, is_private: bool) -> io::Result<File> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(if is_private { 0o600 } else { 0o666 });
        Ok(openat(&self.0, name, flags, mode)?.into())
    }

    pub fn remove(&self, name: &OsStr) -> io::Result<()> {
        Ok(unlinkat(&self.0, name, AtFlags::empty())?)
    }

    /// Renames a file, and replaces the file with the new name.
    pub fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        Ok(renameat(&self.0, from, &self.0, to)?)
    }

    /// Swaps the names of two files in one step. Returns false if the file system cannot.
    pub fn exchange(&self, one: &OsStr, other: &OsStr) -> io::Result<bool> {
        match exchange(&self.0, one, other) {
            Ok(()) => Ok(true),
            Err(error) if is_unknown(error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Renames a file to a name that is free. Fails with `AlreadyExists` otherwise.
    pub fn rename_to_free(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        match to_free(&self.0, from, to) {
            Err(error) if is_unknown(error) => {
                linkat(&self.0, from, &self.0, to, AtFlags::empty())?;
                self.remove(from)
            }
            result => Ok(result?),
        }
    }

    /// Writes the names in the folder to the disk.
    pub fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }
}

/// Whether a system or a file system does not know the flags of renameat2(2).
fn is_unknown(error: Errno) -> bool {
    [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP].contains(&error)
}

/// Creates a folder and the missing folders above it, for this user alone.
pub fn make_private_folders(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(path)
}

impl AsFd for OpenFolder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
