//! Files of tests, in the way of each system.

use std::fmt::Write;
use std::os::windows::fs::{symlink_dir, symlink_file};
use std::path::Path;

use super::facts::FileFacts;
use super::handles;
use super::owners::own_sid;

/// The start of an absolute path, before its first `/`.
pub const DRIVE: &str = "C:";

/// What a digit of a mode allows, in a folder without and with the sticky bit.
const RIGHTS: [(u32, u32, u32); 3] = [
    (0o4, 0x0012_0089, 0x0012_0089),
    (0o2, 0x0013_0156, 0x0012_0116),
    (0o1, 0x0012_00a0, 0x0012_00a0),
];

/// Gives this user every right, and all others those of the last digit. There is no group.
pub fn set_mode(path: impl AsRef<Path>, mode: u32) {
    let mut others = 0;
    for (bit, usual, sticky) in RIGHTS {
        if mode & bit != 0 {
            others |= if mode & 0o1000 == 0 { usual } else { sticky };
        }
    }
    let user = own_sid().unwrap();
    let mut text = format!("O:{user}D:P(A;;FA;;;{user})(A;;FA;;;SY)");
    if others != 0 {
        write!(text, "(A;;0x{others:x};;;WD)").unwrap();
    }
    let file = handles::open_for_list(path.as_ref()).unwrap();
    handles::set_access_list(&file, &handles::descriptor_of(&text)).unwrap();
}

/// As Unix would tell it: the rights of its owner and of all others.
pub fn mode(path: impl AsRef<Path>) -> u32 {
    let found = FileFacts::of_path(path.as_ref()).unwrap();
    let own = if found.is_folder() { 0o700 } else { 0o600 };
    match (found.is_open_to_others(), found.is_writable_by_others()) {
        (false, _) => own,
        (true, false) => own | 0o4,
        (true, true) => own | 0o6,
    }
}

/// Needs a right that administrators have.
pub fn make_link(target: impl AsRef<Path>, link: impl AsRef<Path>) {
    let (target, link) = (target.as_ref(), link.as_ref());
    let whole = link.parent().unwrap().join(target);
    if whole.is_dir() {
        symlink_dir(target, link).unwrap();
    } else {
        symlink_file(target, link).unwrap();
    }
}

/// Returns false: no folder holds pipes.
pub fn make_pipe(_: &Path) -> bool {
    false
}

/// Returns false: only administrators give files away.
pub fn give_away(_: &Path) -> bool {
    false
}
