//! Files of tests, in the way of each system.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

/// The start of an absolute path, before its first `/`.
pub const DRIVE: &str = "";

pub fn set_mode(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// The rights of its owner, its group and all others.
pub fn mode(path: impl AsRef<Path>) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

pub fn make_link(target: impl AsRef<Path>, link: impl AsRef<Path>) {
    symlink(target, link).unwrap();
}

/// Makes a named pipe in a folder. Returns false where there is none of this kind.
pub fn make_pipe(path: &Path) -> bool {
    let made = Command::new("mkfifo")
        .args(["-m", "600"])
        .arg(path)
        .status();
    assert!(made.unwrap().success());
    true
}

/// Gives a file to another user. Returns false where this user cannot.
pub fn give_away(path: &Path) -> bool {
    chown(path, Some(65_534), None).is_ok()
}
