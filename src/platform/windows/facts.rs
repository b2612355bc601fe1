//! Properties of a file, folder or link: its sort, its owner, and the rights of other users.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use windows_sys::Win32::Storage::FileSystem::{
    FILE_ATTRIBUTE_DIRECTORY, FILE_ATTRIBUTE_REPARSE_POINT, FILE_FLAG_BACKUP_SEMANTICS,
    FILE_FLAG_OPEN_REPARSE_POINT, FILE_READ_ATTRIBUTES, READ_CONTROL,
};

use super::handles;
use super::names;
use super::owners::{Access, Owner, READING, REPLACING, WRITING};

/// Opens the link itself, or another reparse point.
pub const NO_LINK: u32 = FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT;
/// In the tag of a reparse point that stands for another file: links, junctions, mounted volumes (`IsReparseTagNameSurrogate`).
const LINK: u32 = 0x2000_0000;

/// The sorts of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    File,
    Folder,
    Link,
    /// A device or a pipe.
    Other,
}

/// Properties of a file, folder or link.
#[derive(Debug)]
pub struct FileFacts {
    kind: Kind,
    access: Access,
    length: u64,
    identity: (u64, u64),
}

impl FileFacts {
    pub fn of(file: &File) -> io::Result<Self> {
        if !handles::is_on_volume(file) {
            return Ok(Self {
                kind: Kind::Other,
                access: Access::STRANGE,
                length: 0,
                identity: (0, 0),
            });
        }
        let (attributes, length) = handles::attributes_and_length(file)?;
        let access = match handles::keeps_access_lists(file) {
            Ok(false) => Access::UNPROTECTED,
            _ => Access::read(&handles::descriptor(file)?)?,
        };
        Ok(Self {
            kind: kind_of(file, attributes)?,
            access,
            length,
            identity: handles::identity(file)?,
        })
    }

    /// Does not follow a link.
    pub fn of_path(path: &Path) -> io::Result<Self> {
        Self::of(&open_to_look(path, NO_LINK)?)
    }

    /// Of the end of all links.
    fn of_end(path: &Path) -> io::Result<Self> {
        Self::of(&open_to_look(path, FILE_FLAG_BACKUP_SEMANTICS)?)
    }

    pub fn is_file(&self) -> bool {
        self.kind == Kind::File
    }

    pub fn is_folder(&self) -> bool {
        self.kind == Kind::Folder
    }

    /// Whether it is a symbolic link or a junction.
    pub fn is_link(&self) -> bool {
        self.kind == Kind::Link
    }

    /// Whether it belongs to this user, or to the system or its administrators.
    pub fn is_ours(&self) -> bool {
        self.access.owner == Owner::Us
    }

    /// Whether it belongs to this user or to the system, Windows itself included.
    pub fn is_ours_or_roots(&self) -> bool {
        self.access.owner != Owner::Other
    }

    pub fn is_open_to_others(&self) -> bool {
        self.access.others & (READING | WRITING) != 0
    }

    pub fn is_writable_by_others(&self) -> bool {
        self.access.others & WRITING != 0
    }

    pub fn is_writable_by_all(&self) -> bool {
        self.is_writable_by_others()
    }

    /// False: every other user counts, see [`Self::is_writable_by_all`].
    #[allow(clippy::unused_self, reason = "Unix asks the file")]
    pub fn is_writable_by_group(&self) -> bool {
        false
    }

    #[allow(clippy::unused_self, reason = "Unix asks the file")]
    pub fn has_private_group(&self) -> bool {
        false
    }

    #[allow(clippy::unused_self, reason = "Unix asks the file")]
    pub fn is_unmapped_roots(&self) -> bool {
        false
    }

    /// Whether it is a folder for all users, such as `C:\`: others may add to it, and remove nothing.
    pub fn is_sticky(&self) -> bool {
        self.is_folder() && self.access.others & WRITING != 0 && self.access.others & REPLACING == 0
    }

    /// Whether it is open to others and must stay so: it is a folder for all users, or its volume keeps no access lists.
    pub fn stays_open(&self) -> bool {
        self.is_sticky() || self.access == Access::UNPROTECTED
    }

    pub fn length(&self) -> usize {
        usize::try_from(self.length).unwrap_or(usize::MAX)
    }

    /// The numbers of its volume and of the file in it.
    pub fn identity(&self) -> (u64, u64) {
        self.identity
    }
}

/// `attributes`: of the file, which was opened with [`NO_LINK`] unless links were followed.
pub fn kind_of(file: &File, attributes: u32) -> io::Result<Kind> {
    let is_point = attributes & FILE_ATTRIBUTE_REPARSE_POINT != 0;
    // The others are files, compressed by the system or kept in a cloud.
    if is_point && handles::reparse_tag(file)? & LINK != 0 {
        return Ok(Kind::Link);
    }
    let is_folder = attributes & FILE_ATTRIBUTE_DIRECTORY != 0;
    Ok(if is_folder { Kind::Folder } else { Kind::File })
}

/// Opens a file or folder for its facts alone.
fn open_to_look(path: &Path, flags: u32) -> io::Result<File> {
    names::check_path(path)?;
    let mut options = OpenOptions::new();
    options.access_mode(FILE_READ_ATTRIBUTES | READ_CONTROL);
    options.custom_flags(flags).open(path)
}

/// Returns the nearest folder above `path` that is there, if it belongs to neither this user nor the system.
pub fn stranger_above(path: &Path) -> Option<PathBuf> {
    for above in path.ancestors().skip(1) {
        match FileFacts::of_end(above) {
            Ok(found) => return (!found.is_ours_or_roots()).then(|| above.to_path_buf()),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(_) => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::folder::is_kernels;
    use super::super::testing::set_mode;
    use super::*;

    #[test]
    fn a_file_that_others_may_use_is_told_from_a_closed_one() {
        let home = tempfile::tempdir().unwrap();
        let facts = |name: &str, mode| {
            let path = home.path().join(name);
            fs::write(&path, b"").unwrap();
            set_mode(&path, mode);
            FileFacts::of_path(&path).unwrap()
        };
        let closed = facts("closed", 0o600);
        assert!(!closed.is_open_to_others() && !closed.is_writable_by_others());
        let read = facts("read", 0o604);
        assert!(read.is_open_to_others() && !read.is_writable_by_others());
        let written = facts("written", 0o606);
        assert!(written.is_open_to_others() && written.is_writable_by_all());
    }

    #[test]
    fn a_volume_without_access_lists_protects_nothing() {
        let found = FileFacts {
            kind: Kind::Folder,
            access: Access::UNPROTECTED,
            length: 0,
            identity: (0, 0),
        };
        assert!(found.is_ours() && found.is_open_to_others() && found.stays_open());
        assert!(found.is_writable_by_all() && !found.is_sticky());
    }

    #[test]
    fn a_device_is_no_file() {
        // Wine's name of it; the name that Windows knows is refused.
        let device = if Path::new(r"Z:\dev\null").exists() {
            r"Z:\dev\null"
        } else {
            "NUL"
        };
        let file = File::open(device).unwrap();
        let found = FileFacts::of(&file).unwrap();
        assert!(is_kernels(&file) && !found.is_file() && !found.is_ours());
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("file"), b"").unwrap();
        assert!(!is_kernels(&File::open(home.path().join("file")).unwrap()));
    }

    #[test]
    fn a_new_folder_of_ones_own_lies_in_no_strangers_folder() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(stranger_above(&home.path().join("none/at/all")), None);
    }
}
