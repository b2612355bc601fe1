//! A file's permissions, carried over to the file that replaces it.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{Gid, Mode, RawMode, Uid, fchmod, fchown, fstat};

/// The permission bits, without set-user-ID, set-group-ID and sticky bit.
const ALL: RawMode = 0o777;

/// Gives `new` the owner, group, mode and access list of `old`, or fewer permissions where the system does not let us give the
/// file to its owner or group. Never more: a group or user that could not use `old` cannot use `new`.
pub fn carry_over(old: &File, new: &File) -> io::Result<()> {
    let (from, to) = (fstat(old)?, fstat(new)?);
    let (owner, group) = (Uid::from_raw(from.st_uid), Gid::from_raw(from.st_gid));
    if from.st_uid != to.st_uid {
        // Only root gives files away. For others the writer is the new owner, as with git's own files.
        let _ = fchown(new, Some(owner), None);
    }
    let has_group = from.st_gid == to.st_gid || fchown(new, None, Some(group)).is_ok();
    let list = access_list::read(old)?;
    access_list::remove(new)?;
    let mode = match (has_group, &list) {
        (true, None) => from.st_mode & ALL,
        (false, None) => without_group(from.st_mode),
        // With a list the group bits are the list's mask, not what the group may do.
        (true, Some(list)) if access_list::write(new, list).is_ok() => return Ok(()),
        (_, Some(_)) => from.st_mode & 0o700,
    };
    Ok(fchmod(new, Mode::from_raw_mode(mode))?)
}

/// The uses of a file or folder that other users lose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// Every use of a file.
    File,
    /// Every use of a folder.
    Folder,
    /// Writing to either.
    Writing,
}

/// Returns the command that takes a use away from other users, without the path: it stands between the two parts.
pub fn command_to_close(lost: Lost) -> [&'static str; 2] {
    match lost {
        Lost::File => ["chmod 600 ", ""],
        Lost::Folder => ["chmod 700 ", ""],
        Lost::Writing => ["chmod go-w ", ""],
    }
}

/// Whether a file or folder has an access list, which may name any user. True if the system does not tell.
pub fn has_access_list(path: &Path) -> bool {
    access_list::is_there(path)
}

/// The mode of a file that falls into another group. The old group's members count as others now, and others may be members of
/// the new group: each class gets only what both had.
fn without_group(mode: RawMode) -> RawMode {
    let both = (mode >> 3) & mode & 0o7;
    (mode & 0o700) | (both << 3) | both
}

/// POSIX access lists (acl(5)), which Linux keeps in an extended attribute.
#[cfg(target_os = "linux")]
mod access_list {
    use std::fs::File;
    use std::io;
    use std::path::Path;

    use rustix::fs::{XattrFlags, fgetxattr, fremovexattr, fsetxattr, lgetxattr};
    use rustix::io::Errno;

    const NAME: &str = "system.posix_acl_access";
    /// The largest value of an attribute (xattr(7)).
    const LARGEST: usize = 64 * 1024;

    pub(super) fn read(file: &File) -> io::Result<Option<Vec<u8>>> {
        let mut list = vec![0; LARGEST];
        match fgetxattr(file, NAME, &mut list[..]) {
            Ok(length) => {
                list.truncate(length);
                Ok(Some(list))
            }
            Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn is_there(path: &Path) -> bool {
        let mut none = [0; 0];
        let found = lgetxattr(path, NAME, &mut none[..]);
        !matches!(found, Err(Errno::NODATA | Errno::OPNOTSUPP))
    }

    /// A new file may have got one from its folder.
    pub(super) fn remove(file: &File) -> io::Result<()> {
        match fremovexattr(file, NAME) {
            Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn write(file: &File, list: &[u8]) -> io::Result<()> {
        Ok(fsetxattr(file, NAME, list, XattrFlags::empty())?)
    }
}

#[cfg(not(target_os = "linux"))]
#[allow(clippy::unnecessary_wraps, reason = "the face of Linux")]
mod access_list {
    use std::fs::File;
    use std::io;
    use std::path::Path;

    /// macOS has lists of another kind, which take no permission away from the mode.
    pub(super) fn is_there(_: &Path) -> bool {
        true
    }

    pub(super) fn read(_: &File) -> io::Result<Option<Vec<u8>>> {
        Ok(None)
    }

    pub(super) fn remove(_: &File) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn write(_: &File, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_in_another_group_is_open_to_no_one_new() {
        for (before, after) in [
            (0o600, 0o600),
            (0o640, 0o600),
            (0o660, 0o600),
            (0o644, 0o644),
            (0o664, 0o644),
            (0o604, 0o600),
            (0o666, 0o666),
            (0o4755, 0o755),
        ] {
            assert_eq!(without_group(before), after, "{before:o}");
        }
    }
}
