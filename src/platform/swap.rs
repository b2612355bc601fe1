//! Moves within a folder that lose no file, whatever other programs do there meanwhile.

use std::ffi::OsStr;
use std::fs::File;

use rustix::fs::{AtFlags, RenameFlags, linkat, renameat_with, unlinkat};
use rustix::io::{Errno, Result};

/// Not every file system knows the flags of renameat2(2).
fn is_unknown(error: Errno) -> bool {
    [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP].contains(&error)
}

/// Lets two files change their names in one move. Returns false if the file system cannot.
pub fn exchange(folder: &File, one: &OsStr, other: &OsStr) -> Result<bool> {
    match renameat_with(folder, one, folder, other, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(true),
        Err(error) if is_unknown(error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Gives a file another name that no file has. Fails with `EXIST` if one has it.
pub fn rename_to_free(folder: &File, from: &OsStr, to: &OsStr) -> Result<()> {
    match renameat_with(folder, from, folder, to, RenameFlags::NOREPLACE) {
        Err(error) if is_unknown(error) => {
            linkat(folder, from, folder, to, AtFlags::empty())?;
            unlinkat(folder, from, AtFlags::empty())
        }
        result => result,
    }
}
