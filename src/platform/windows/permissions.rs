//! A file's permissions, carried over to the file that replaces it.

use std::fs::File;
use std::io;
use std::path::Path;

use super::handles::{descriptor, keeps_access_lists, reopen_for_list, set_access_list};

/// Gives `new` the access list of `old`, entry by entry. Its owner is this user, as with every file that this user writes.
pub fn carry_over(old: &File, new: &File) -> io::Result<()> {
    if !keeps_access_lists(new)? {
        return Ok(());
    }
    set_access_list(&reopen_for_list(new)?, &descriptor(old)?)
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

/// Returns the command that takes a use away from other users, without the path: it stands between the two parts. It keeps the
/// entries of single users, and removes those of everyone, of users and of signed-in users, whose names differ between languages.
pub fn command_to_close(_: Lost) -> [&'static str; 2] {
    [
        "icacls ",
        " /inheritance:d /remove:g *S-1-1-0 *S-1-5-32-545 *S-1-5-11",
    ]
}

/// Whether a file or folder has an access list, which may name any user. Every file has one here.
pub fn has_access_list(_: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::platform::{FileFacts, OpenFolder};

    /// The entries of a descriptor, and what follows them.
    fn list_of(file: &File) -> Vec<u8> {
        let descriptor = descriptor(file).unwrap();
        let start = u32::from_le_bytes(descriptor[16..20].try_into().unwrap());
        descriptor[start as usize..].to_vec()
    }

    #[test]
    fn the_new_file_has_the_list_of_the_old_one() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("handed down"), b"").unwrap();
        let folder = OpenFolder::open(home.path()).unwrap();
        folder.create_file("closed".as_ref(), true).unwrap();
        for old in ["handed down", "closed"] {
            let old = fs::File::open(home.path().join(old)).unwrap();
            let new = folder.create_file("new".as_ref(), true).unwrap();
            carry_over(&old, &new).unwrap();
            assert_eq!(list_of(&new), list_of(&old));
            assert!(FileFacts::of(&new).unwrap().is_ours());
            drop(new);
            folder.remove("new".as_ref()).unwrap();
        }
    }
}
