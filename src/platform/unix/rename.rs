//! Renames with conditions (renameat2(2)): Linux and macOS have them, other systems answer that they do not.

#[cfg(any(target_os = "linux", target_os = "macos"))]
pub(super) use self::flags::{exchange, to_free};
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(super) use self::missing::{exchange, to_free};

#[cfg(any(target_os = "linux", target_os = "macos"))]
mod flags {
    use std::ffi::OsStr;
    use std::fs::File;

    use rustix::fs::{RenameFlags, renameat_with};
    use rustix::io::Errno;

    /// Swaps the names of two files.
    pub(in super::super) fn exchange(
        folder: &File,
        one: &OsStr,
        other: &OsStr,
    ) -> Result<(), Errno> {
        renameat_with(folder, one, folder, other, RenameFlags::EXCHANGE)
    }

    /// Renames a file to a name that is free.
    pub(in super::super) fn to_free(folder: &File, from: &OsStr, to: &OsStr) -> Result<(), Errno> {
        renameat_with(folder, from, folder, to, RenameFlags::NOREPLACE)
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
mod missing {
    use std::ffi::OsStr;
    use std::fs::File;

    use rustix::io::Errno;

    pub(in super::super) fn exchange(_: &File, _: &OsStr, _: &OsStr) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }

    pub(in super::super) fn to_free(_: &File, _: &OsStr, _: &OsStr) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }
}
