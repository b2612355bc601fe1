//! Renames with conditions (renameat2(2)): Linux and macOS have them, other systems answer that they do not.

use std::ffi::OsStr;
use std::fs::File;

use rustix::io::Errno;

/// Swaps the names of two files.
#[cfg(any(target_os = "linux", target_os = "macos"))]
pub(super) fn exchange(folder: &File, one: &OsStr, other: &OsStr) -> Result<(), Errno> {
    let flags = rustix::fs::RenameFlags::EXCHANGE;
    rustix::fs::renameat_with(folder, one, folder, other, flags)
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(super) fn exchange(_: &File, _: &OsStr, _: &OsStr) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}

/// Renames a file to a name that is free.
#[cfg(any(target_os = "linux", target_os = "macos"))]
pub(super) fn to_free(folder: &File, from: &OsStr, to: &OsStr) -> Result<(), Errno> {
    let flags = rustix::fs::RenameFlags::NOREPLACE;
    rustix::fs::renameat_with(folder, from, folder, to, flags)
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(super) fn to_free(_: &File, _: &OsStr, _: &OsStr) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}
