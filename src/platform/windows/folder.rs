//! A folder held open, so that no other process can replace it, and the files in it by their names.
//!
//! A folder that is open without the right to share its removal cannot be renamed or removed, nor can a folder above it. So its
//! path without links leads to the same folder until it is closed, and its files are reached by that path.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::windows::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_DIRECTORY, ERROR_LOCK_VIOLATION, ERROR_SHARING_VIOLATION,
    ERROR_STOPPED_ON_SYMLINK, GENERIC_READ, GENERIC_WRITE,
};
use windows_sys::Win32::Storage::FileSystem::{
    CREATE_NEW, FILE_ADD_FILE, FILE_ADD_SUBDIRECTORY, FILE_APPEND_DATA, FILE_ATTRIBUTE_NORMAL,
    FILE_ATTRIBUTE_REPARSE_POINT, FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT,
    FILE_READ_ATTRIBUTES, FILE_SHARE_READ, FILE_SHARE_WRITE, FILE_WRITE_ATTRIBUTES, OPEN_ALWAYS,
    READ_CONTROL, SECURITY_IDENTIFICATION, SYNCHRONIZE,
};

use super::facts::{FileFacts, Kind, NO_LINK, kind_of};
use super::handles;
use super::names;
use super::owners::own_sid;
use super::user::Protection;

/// Another program has the file open for a moment and does not share it: virus scanners and indexers do so with new files.
const UNSHARED: [u32; 2] = [ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION];
/// The same, where the system also answers that access is denied.
const IN_USE: [u32; 3] = [
    ERROR_ACCESS_DENIED,
    ERROR_SHARING_VIOLATION,
    ERROR_LOCK_VIOLATION,
];
/// The pauses are 1, 2, 4 … ms: about a second in all.
const ATTEMPTS: u32 = 10;

/// Opens a file for reading, through links. Fails for the name of a device. The server of a pipe learns this user's name only.
pub fn open_any(path: &Path) -> io::Result<File> {
    names::check_path(path)?;
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(FILE_FLAG_BACKUP_SEMANTICS);
    options.security_qos_flags(SECURITY_IDENTIFICATION);
    patiently(&UNSHARED, || options.open(path))
}

/// Opens a file to append to it, and creates it for this user alone. Fails for a link.
pub fn open_to_append(path: &Path) -> io::Result<File> {
    let (folder, name) = OpenFolder::above(path)?;
    let access = FILE_APPEND_DATA | FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES;
    folder.open_or_create(name, access | READ_CONTROL | SYNCHRONIZE)
}

/// Whether this user may read the file.
pub fn is_readable(path: &Path) -> bool {
    open_any(path).is_ok()
}

/// Fails if this user cannot create a file in the folder. If the folder is missing, the nearest one above it counts.
pub fn check_writable(folder: &Path) -> io::Result<()> {
    let mut above = folder.ancestors();
    let nearest = above.find(|folder| folder.exists()).unwrap_or(folder);
    let mut options = OpenOptions::new();
    options.access_mode(FILE_ADD_FILE | FILE_ADD_SUBDIRECTORY);
    let opened = options
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS)
        .open(nearest);
    opened.map(drop)
}

/// Whether the system makes a file up as it is read: a device or a pipe.
pub fn is_kernels(file: &File) -> bool {
    !handles::is_on_volume(file)
}

/// Creates a folder and the missing folders above it, for this user alone.
pub fn make_private_folders(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    make_private_folders(folder_of(path)?)?;
    let (folder, name) = OpenFolder::above(path)?;
    match handles::create_folder(&folder.path_of(name)?, &private(true)?) {
        Err(cause) if cause.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    }
}

/// The folder that a path lies in: the working directory for a name alone.
fn folder_of(path: &Path) -> io::Result<&Path> {
    match path.parent() {
        Some(parent) if parent == Path::new("") => Ok(Path::new(".")),
        parent => Ok(parent.ok_or(ErrorKind::NotFound)?),
    }
}

/// For this user alone: all rights, and none from the folder above. The system may read it too, since backups need to.
fn private(is_folder: bool) -> io::Result<Protection> {
    let user = own_sid()?;
    let inherited = if is_folder { "OICI" } else { "" };
    let text = format!("O:{user}D:PAI(A;{inherited};FA;;;{user})(A;{inherited};FA;;;SY)");
    Protection::of(&text, false)
}

/// A folder held open.
#[derive(Debug)]
pub struct OpenFolder {
    held: File,
    /// Without links.
    path: PathBuf,
}

impl OpenFolder {
    /// Opens a folder, through links.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::open_with(path, FILE_FLAG_BACKUP_SEMANTICS)
    }

    /// Opens a folder. Fails with `NotADirectory` for a link or a file.
    pub fn open_no_link(path: &Path) -> io::Result<Self> {
        Self::open_with(path, NO_LINK)
    }

    fn open_with(path: &Path, flags: u32) -> io::Result<Self> {
        names::check_path(path)?;
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(flags);
        options.share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE);
        let held = patiently(&UNSHARED, || options.open(path))?;
        let (attributes, _) = handles::attributes_and_length(&held)?;
        if kind_of(&held, attributes)? != Kind::Folder {
            return Err(handles::error(ERROR_DIRECTORY));
        }
        // Some drives in memory do not tell it.
        let path = handles::final_path(&held).or_else(|_| std::path::absolute(path))?;
        Ok(Self { held, path })
    }

    /// Opens the folder of a file. Returns the file's name too.
    fn above(path: &Path) -> io::Result<(Self, &OsStr)> {
        let name = path.file_name().ok_or(ErrorKind::InvalidFilename)?;
        Ok((Self::open(folder_of(path)?)?, name))
    }

    fn path_of(&self, name: &OsStr) -> io::Result<PathBuf> {
        names::check(name)?;
        Ok(self.path.join(name))
    }

    pub fn facts(&self) -> io::Result<FileFacts> {
        FileFacts::of(&self.held)
    }

    /// Does not follow a link.
    pub fn facts_of(&self, name: &OsStr) -> io::Result<FileFacts> {
        FileFacts::of_path(&self.path_of(name)?)
    }

    /// Opens a file for reading. Fails for a link.
    pub fn open_file(&self, name: &OsStr) -> io::Result<File> {
        let path = self.path_of(name)?;
        let mut options = OpenOptions::new();
        options.read(true);
        no_link(|flags| patiently(&UNSHARED, || options.custom_flags(flags).open(&path)))
    }

    /// Creates a file for this user alone; with the rights that the folder hands down if not `is_private`. Fails with
    /// `AlreadyExists`.
    pub fn create_file(&self, name: &OsStr, is_private: bool) -> io::Result<File> {
        let path = self.path_of(name)?;
        let protection = is_private.then(|| private(false)).transpose()?;
        let how = (GENERIC_WRITE, CREATE_NEW, FILE_ATTRIBUTE_NORMAL | NO_LINK);
        // A file that was just removed may keep its name while another program has it open.
        patiently(&IN_USE, || handles::create(&path, how, protection.as_ref()))
    }

    /// Opens a lock file, and creates it for this user alone. Fails for a link.
    pub(super) fn open_lock(&self, name: &OsStr) -> io::Result<File> {
        self.open_or_create(name, GENERIC_READ | GENERIC_WRITE)
    }

    fn open_or_create(&self, name: &OsStr, access: u32) -> io::Result<File> {
        let path = self.path_of(name)?;
        let protection = private(false)?;
        no_link(|flags| {
            // No folder is meant.
            let flags = FILE_ATTRIBUTE_NORMAL | flags & FILE_FLAG_OPEN_REPARSE_POINT;
            let how = (access, OPEN_ALWAYS, flags);
            patiently(&UNSHARED, || handles::create(&path, how, Some(&protection)))
        })
    }

    pub fn remove(&self, name: &OsStr) -> io::Result<()> {
        let path = self.path_of(name)?;
        patiently(&IN_USE, || std::fs::remove_file(&path))
    }

    /// Renames a file, and replaces the file with the new name. If that is in use, it stays whole: std replaces an open file where
    /// the system can (`FileRenameInfoEx` with POSIX semantics), and fails elsewhere. `ReplaceFileW` may lose the old name.
    pub fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        let (from, to) = (self.path_of(from)?, self.path_of(to)?);
        patiently(&IN_USE, || std::fs::rename(&from, &to))
    }

    /// Swaps the names of two files in one step. Returns false: the system cannot.
    #[allow(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "Unix may fail"
    )]
    pub fn exchange(&self, _: &OsStr, _: &OsStr) -> io::Result<bool> {
        Ok(false)
    }

    /// Renames a file to a name that is free. Fails with `AlreadyExists` otherwise.
    pub fn rename_to_free(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        let (from, to) = (self.path_of(from)?, self.path_of(to)?);
        patiently(&IN_USE, || handles::move_to_free(&from, &to))
    }

    /// Does nothing: NTFS writes the names in its journal. After a power cut the old file may be back, whole.
    #[allow(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "Unix may fail"
    )]
    pub fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Opens a file with `open`, which is given flags. Fails for a link. A file of another sort of reparse point, as in the folder of a
/// cloud, is opened once more: only then its content is there.
fn no_link(mut open: impl FnMut(u32) -> io::Result<File>) -> io::Result<File> {
    let file = open(NO_LINK)?;
    let (attributes, _) = handles::attributes_and_length(&file)?;
    if attributes & FILE_ATTRIBUTE_REPARSE_POINT == 0 {
        return Ok(file);
    }
    let is_link = kind_of(&file, attributes)? == Kind::Link;
    let whole = if is_link {
        None
    } else {
        Some(open(FILE_FLAG_BACKUP_SEMANTICS)?)
    };
    match whole {
        Some(whole) if handles::identity(&whole)? == handles::identity(&file)? => Ok(whole),
        _ => Err(handles::error(ERROR_STOPPED_ON_SYMLINK)),
    }
}

/// Acts again while it fails with one of these numbers, for about a second.
fn patiently<T>(numbers: &[u32], mut act: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for attempt in 0..ATTEMPTS {
        match act() {
            Err(cause) if handles::is_one_of(&cause, numbers) => {
                thread::sleep(Duration::from_millis(1 << attempt));
            }
            done => return done,
        }
    }
    act()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Read, Write};
    use std::process::Command;

    use super::*;

    fn folder_in(home: &tempfile::TempDir) -> OpenFolder {
        let path = home.path().join("own");
        make_private_folders(&path).unwrap();
        OpenFolder::open_no_link(&path).unwrap()
    }

    fn write(folder: &OpenFolder, name: &str, text: &str) {
        let file = folder.create_file(name.as_ref(), true);
        file.unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn read(folder: &OpenFolder, name: &str) -> String {
        let mut text = String::new();
        let mut file = folder.open_file(name.as_ref()).unwrap();
        file.read_to_string(&mut text).unwrap();
        text
    }

    fn names(folder: &OpenFolder) -> Vec<String> {
        let entries = fs::read_dir(&folder.path).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Junctions need no right, unlike symbolic links.
    fn make_junction(link: &Path, target: &Path) {
        let mut command = Command::new("cmd");
        command.args(["/c", "mklink", "/J"]).arg(link).arg(target);
        assert!(command.status().unwrap().success());
    }

    #[test]
    fn new_folders_and_files_are_closed_to_others_from_the_start() {
        let home = tempfile::tempdir().unwrap();
        make_private_folders(&home.path().join("a/b/c")).unwrap();
        make_private_folders(&home.path().join("a/b/c")).unwrap();
        for path in ["a", "a/b", "a/b/c"] {
            let found = FileFacts::of_path(&home.path().join(path)).unwrap();
            assert!(found.is_folder() && found.is_ours(), "{path}: {found:?}");
            assert!(!found.is_open_to_others(), "{path}: {found:?}");
        }
        let folder = OpenFolder::open_no_link(&home.path().join("a/b/c")).unwrap();
        let file = folder.create_file("file".as_ref(), true).unwrap();
        let appended = open_to_append(&home.path().join("a/b/c/log")).unwrap();
        for file in [file, appended] {
            let found = FileFacts::of(&file).unwrap();
            assert!(found.is_file() && found.is_ours() && !found.is_open_to_others());
        }
        let again = folder.create_file("file".as_ref(), true).unwrap_err();
        assert_eq!(again.kind(), ErrorKind::AlreadyExists);
    }

    #[test]
    fn lines_are_appended() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("log");
        for line in ["one\n", "two\n"] {
            let mut file = open_to_append(&path).unwrap();
            file.write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(fs::read(&path).unwrap(), b"one\ntwo\n");
        assert!(open_to_append(home.path()).is_err());
    }

    #[test]
    fn renaming_replaces_and_leaves_one_file() {
        let home = tempfile::tempdir().unwrap();
        let folder = folder_in(&home);
        write(&folder, "old", "old");
        write(&folder, "new", "new");
        folder.rename("new".as_ref(), "old".as_ref()).unwrap();
        assert_eq!(read(&folder, "old"), "new");
        assert_eq!(names(&folder), ["old"]);
        let found = folder.facts_of("old".as_ref()).unwrap();
        assert!(found.is_ours() && !found.is_open_to_others());
    }

    #[test]
    fn a_file_that_another_program_keeps_open_stays_whole() {
        let home = tempfile::tempdir().unwrap();
        let folder = folder_in(&home);
        write(&folder, "old", "old");
        write(&folder, "new", "new");
        let mut unshared = OpenOptions::new();
        unshared.read(true).share_mode(FILE_SHARE_READ);
        let held = unshared.open(folder.path.join("old")).unwrap();
        assert!(folder.rename("new".as_ref(), "old".as_ref()).is_err());
        drop(held);
        assert_eq!(read(&folder, "old"), "old");
        folder.rename("new".as_ref(), "old".as_ref()).unwrap();
        assert_eq!(read(&folder, "old"), "new");
    }

    #[test]
    #[ignore = "real Windows: wine replaces no open file"]
    fn a_file_that_is_open_with_all_shared_is_replaced() {
        let home = tempfile::tempdir().unwrap();
        let folder = folder_in(&home);
        write(&folder, "old", "old");
        let mut held = folder.open_file("old".as_ref()).unwrap();
        for round in 0..2000 {
            write(&folder, "new", &round.to_string());
            folder.rename("new".as_ref(), "old".as_ref()).unwrap();
            assert_eq!(read(&folder, "old"), round.to_string());
        }
        let mut text = String::new();
        held.read_to_string(&mut text).unwrap();
        assert_eq!(text, "old");
    }

    #[test]
    #[ignore = "real Windows: wine keeps the name while the file is open"]
    fn the_name_of_a_removed_file_is_free_at_once() {
        let home = tempfile::tempdir().unwrap();
        let folder = folder_in(&home);
        write(&folder, "file", "old");
        let _held = folder.open_file("file".as_ref()).unwrap();
        folder.remove("file".as_ref()).unwrap();
        write(&folder, "file", "new");
        assert_eq!(read(&folder, "file"), "new");
    }

    #[test]
    #[ignore = "real Windows: wine hands down no rights"]
    fn a_private_file_takes_no_rights_from_its_folder() {
        let home = tempfile::tempdir().unwrap();
        let user = own_sid().unwrap();
        let text = format!("D:P(A;OICI;FA;;;{user})(A;OICI;FA;;;WD)");
        let list = handles::open_for_list(home.path()).unwrap();
        handles::set_access_list(&list, &handles::descriptor_of(&text)).unwrap();
        let folder = OpenFolder::open(home.path()).unwrap();
        for (name, is_private) in [("private", true), ("shared", false)] {
            let file = folder.create_file(name.as_ref(), is_private).unwrap();
            let found = FileFacts::of(&file).unwrap();
            assert_eq!(found.is_open_to_others(), !is_private, "{found:?}");
        }
        make_private_folders(&home.path().join("own/inner")).unwrap();
        let inner = OpenFolder::open(&home.path().join("own/inner")).unwrap();
        // A folder of ours hands down what it has.
        let file = inner.create_file("file".as_ref(), false).unwrap();
        assert!(!FileFacts::of(&file).unwrap().is_open_to_others());
    }

    #[test]
    fn a_name_that_is_taken_is_not_replaced() {
        let home = tempfile::tempdir().unwrap();
        let folder = folder_in(&home);
        write(&folder, "one", "one");
        write(&folder, "two", "two");
        let taken = folder.rename_to_free("one".as_ref(), "two".as_ref());
        assert_eq!(taken.unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(read(&folder, "two"), "two");
        folder
            .rename_to_free("one".as_ref(), "three".as_ref())
            .unwrap();
        assert_eq!(names(&folder), ["three", "two"]);
        assert!(!folder.exchange("two".as_ref(), "three".as_ref()).unwrap());
    }

    #[test]
    fn an_action_is_tried_again_while_a_file_is_in_use_and_no_longer() {
        let act = |failures: u32, number: u32| {
            let mut attempts = 0;
            let done = patiently(&IN_USE, || {
                attempts += 1;
                if attempts > failures {
                    return Ok(attempts);
                }
                Err(handles::error(number))
            });
            (done.ok(), attempts)
        };
        for number in IN_USE {
            assert_eq!(act(3, number), (Some(4), 4));
        }
        assert_eq!(act(3, ERROR_DIRECTORY), (None, 1));
        assert_eq!(act(u32::MAX, ERROR_SHARING_VIOLATION), (None, ATTEMPTS + 1));
    }

    #[test]
    fn devices_and_streams_are_refused_everywhere() {
        let home = tempfile::tempdir().unwrap();
        let folder = folder_in(&home);
        write(&folder, "file", "");
        for name in ["nul", "NUL.txt", "file:stream", "file.", "..", "a\\b"] {
            let name = OsStr::new(name);
            let path = home.path().join("own").join(name);
            for failed in [
                folder.open_file(name).map(drop),
                folder.create_file(name, true).map(drop),
                folder.open_lock(name).map(drop),
                folder.remove(name),
                folder.rename("file".as_ref(), name),
                folder.rename_to_free("file".as_ref(), name),
                folder.facts_of(name).map(drop),
            ] {
                assert_eq!(failed.unwrap_err().kind(), ErrorKind::InvalidFilename);
            }
            if name != ".." && name != "a\\b" {
                assert!(open_any(&path).is_err() && open_to_append(&path).is_err());
                assert!(make_private_folders(&path).is_err());
            }
        }
        assert_eq!(names(&folder), ["file"]);
        assert!(open_any(Path::new(r"\\.\pipe\any")).is_err());
    }

    #[test]
    fn a_missing_file_is_told_from_other_failures() {
        let home = tempfile::tempdir().unwrap();
        let folder = folder_in(&home);
        let missing = |failed: io::Result<()>| failed.unwrap_err().kind() == ErrorKind::NotFound;
        assert!(missing(folder.open_file("none".as_ref()).map(drop)));
        assert!(missing(folder.remove("none".as_ref())));
        assert!(missing(folder.rename("none".as_ref(), "other".as_ref())));
        assert!(missing(
            open_any(&home.path().join("none/at all")).map(drop)
        ));
        assert!(missing(
            OpenFolder::open(&home.path().join("none")).map(drop)
        ));
        write(&folder, "file", "");
        for open in [OpenFolder::open, OpenFolder::open_no_link] {
            let opened = open(&home.path().join("own/file"));
            assert_eq!(opened.unwrap_err().kind(), ErrorKind::NotADirectory);
        }
        let inner = open_any(&home.path().join("own")).unwrap();
        assert!(FileFacts::of(&inner).unwrap().is_folder());
    }

    #[test]
    fn a_folder_that_is_open_keeps_its_name() {
        let home = tempfile::tempdir().unwrap();
        let folder = folder_in(&home);
        assert!(fs::rename(home.path().join("own"), home.path().join("other")).is_err());
        write(&folder, "file", "one");
        drop(folder);
        fs::rename(home.path().join("own"), home.path().join("other")).unwrap();
    }

    #[test]
    #[ignore = "real Windows: wine renames a folder above"]
    fn a_folder_above_an_open_one_keeps_its_name() {
        let home = tempfile::tempdir().unwrap();
        make_private_folders(&home.path().join("above/own")).unwrap();
        let folder = OpenFolder::open(&home.path().join("above/own")).unwrap();
        let (from, to) = (home.path().join("above"), home.path().join("other"));
        assert!(fs::rename(&from, &to).is_err());
        drop(folder);
        fs::rename(&from, &to).unwrap();
    }

    #[test]
    #[ignore = "real Windows: wine has no junctions"]
    fn a_junction_is_a_link_that_is_followed_only_where_links_are() {
        let home = tempfile::tempdir().unwrap();
        let folder = folder_in(&home);
        write(&folder, "file", "one");
        let link = home.path().join("link");
        make_junction(&link, &home.path().join("own"));
        let found = FileFacts::of_path(&link).unwrap();
        assert!(found.is_link() && !found.is_folder());
        assert!(
            FileFacts::of(&open_any(&link).unwrap())
                .unwrap()
                .is_folder()
        );
        let opened = OpenFolder::open_no_link(&link);
        assert_eq!(opened.unwrap_err().kind(), ErrorKind::NotADirectory);
        let through = OpenFolder::open(&link).unwrap();
        assert_eq!(read(&through, "file"), "one");
        assert_eq!(through.path, folder.path);
        let above = OpenFolder::open(home.path()).unwrap();
        assert!(above.open_file("link".as_ref()).is_err());
        assert!(open_to_append(&link).is_err());
    }

    #[test]
    fn a_path_longer_than_260_characters_is_used() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(["deep"; 80].join("/"));
        make_private_folders(&path).unwrap();
        let folder = OpenFolder::open_no_link(&path).unwrap();
        write(&folder, "file", "one");
        folder.rename("file".as_ref(), "other".as_ref()).unwrap();
        assert_eq!(read(&folder, "other"), "one");
        let mut log = open_to_append(&path.join("log")).unwrap();
        log.write_all(b"line").unwrap();
    }

    #[test]
    fn a_folder_that_may_be_written_is_told_before_it_is_there() {
        let home = tempfile::tempdir().unwrap();
        check_writable(&home.path().join("none/at/all")).unwrap();
        assert!(!home.path().join("none").exists());
        assert!(is_readable(home.path()) && !is_readable(&home.path().join("none")));
    }
}
