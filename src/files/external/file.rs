//! Reading: the end of all links, if it is a plain file of this user and not too large.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::files::{Error, Ownership, open_in, read_all, system, unusable};
use crate::platform::{FileFacts, OpenFolder, is_kernels, open_any};
use crate::secret::Buffer;

/// A larger file is none of credentials, and reading it would take long.
const LARGEST: usize = 64 * 1024 * 1024;
/// More links than these lead in a circle.
const LINKS: usize = 32;

/// Returns the bytes of a file, or of the file at the end of a link; `None` if there is none.
pub fn read(path: &Path) -> Result<Option<Buffer>, Error> {
    let read = at_end(path, |end| match Located::find(end)? {
        Some(located) => located.read(),
        None => Ok(None),
    });
    Ok(read?.map(|(bytes, _)| bytes))
}

/// Follows links to the end, which need not exist. Each link must belong to this user or to root: another user may change
/// theirs at any time.
pub fn followed(path: &Path) -> Result<PathBuf, Error> {
    let mut end = path.to_path_buf();
    for _ in 0..LINKS {
        match FileFacts::of_path(&end) {
            Ok(found) if found.is_link() && found.is_ours_or_roots() => {}
            Ok(found) if found.is_link() => {
                return Err(unusable(&end, "is a link of another user", None));
            }
            // The end, or an error that opening it tells.
            _ => return Ok(end),
        }
        match fs::read_link(&end) {
            // An absolute target replaces the whole path.
            Ok(next) => end = end.with_file_name("").join(next),
            Err(cause) => return Err(system("follow", &end, cause)),
        }
    }
    let circle = io::Error::other("too many levels of symbolic links");
    Err(system("follow", path, circle))
}

/// Reads a file as its own program does: through links and for any owner. For messages and git's
/// configuration, never for an import.
pub fn read_as_its_reader(path: &Path) -> Result<Option<Buffer>, Error> {
    match open_any(path) {
        Ok(mut file) => read_all(&mut file, path, LARGEST, Ownership::Any).map(Some),
        Err(cause) if is_absence(&cause) => Ok(None),
        Err(cause) => Err(system("open", path, cause)),
    }
}

fn is_absence(cause: &io::Error) -> bool {
    matches!(
        cause.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// What a name in a folder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort {
    Folder,
    File,
    /// A link, a pipe or a socket, which is not read.
    Other,
}

/// Returns the names in a folder of this user, in order, at most `most`; none if the folder does not exist.
pub fn names(path: &Path, most: usize) -> Result<Vec<(OsString, Sort)>, Error> {
    at_end(path, |end| names_at(end, most))
}

fn names_at(end: &Path, most: usize) -> Result<Vec<(OsString, Sort)>, Error> {
    let folder = match OpenFolder::open_no_link(end) {
        Ok(folder) => folder,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => return Err(system("open", end, cause)),
    };
    Ownership::External.check_folder(&folder, end)?;
    let mut names = Vec::new();
    let failed = |cause| system("list", end, cause);
    for entry in fs::read_dir(end).map_err(failed)?.take(most) {
        let entry = entry.map_err(failed)?;
        let sort = match entry.file_type() {
            Ok(kind) if kind.is_dir() => Sort::Folder,
            Ok(kind) if kind.is_file() => Sort::File,
            Ok(_) => Sort::Other,
            // It was removed meanwhile.
            Err(_) => continue,
        };
        names.push((entry.file_name(), sort));
    }
    names.sort();
    Ok(names)
}

/// A file that is no link, by its name in its open folder.
pub(crate) struct Located {
    pub(crate) folder: OpenFolder,
    pub(crate) name: OsString,
    pub(crate) path: PathBuf,
}

impl Located {
    /// Opens the folder of `path`; `None` if it does not exist.
    pub(crate) fn find(path: &Path) -> Result<Option<Self>, Error> {
        let parts = path.parent().zip(path.file_name());
        let Some((parent, name)) = parts.filter(|_| path.is_absolute()) else {
            return Err(unusable(path, "is no absolute path of a file", None));
        };
        match OpenFolder::open(parent) {
            Ok(folder) => Ok(Some(Self {
                folder,
                name: name.to_os_string(),
                path: path.to_path_buf(),
            })),
            Err(cause) if is_absence(&cause) => Ok(None),
            Err(cause) => Err(system("open", parent, cause)),
        }
    }

    /// Returns the bytes of the file, and the file itself; `None` if it does not exist.
    pub(crate) fn read(&self) -> Result<Option<(Buffer, File)>, Error> {
        self.read_named(&self.name)
    }

    /// As [`Located::read`], of another file in the folder.
    pub(crate) fn read_named(&self, name: &OsStr) -> Result<Option<(Buffer, File)>, Error> {
        let path = self.path.with_file_name(name);
        let Some(mut file) = open_in(&self.folder, name, &path)? else {
            return Ok(None);
        };
        let bytes = read_all(&mut file, &path, LARGEST, Ownership::External)?;
        if is_kernels(&file) {
            return Err(unusable(&path, "is no file on a disk", None));
        }
        Ok(Some((bytes, file)))
    }

    pub(crate) fn failed(&self, action: &'static str, cause: io::Error) -> Error {
        system(action, &self.path, cause)
    }
}

/// Acts on the end of a link, and names the link in an error about its end.
pub(super) fn at_end<T>(
    link: &Path,
    act: impl FnOnce(&Path) -> Result<T, Error>,
) -> Result<T, Error> {
    let end = followed(link)?;
    act(&end).map_err(|error| match error {
        Error::Unusable { .. } | Error::System { .. } if link != end => Error::Linked {
            link: link.to_path_buf(),
            cause: Box::new(error),
        },
        error => error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::testing::{make_link, make_pipe};

    #[test]
    fn pipes_giants_and_files_of_the_kernel_are_refused() {
        let home = tempfile::tempdir().unwrap();
        let strange = |path: &Path| matches!(read(path), Err(Error::Unusable { .. }));
        assert!(strange(home.path()));
        let followed = read_as_its_reader(home.path());
        assert!(matches!(followed, Err(Error::Unusable { .. })));
        assert!(read(&home.path().join("none/at all")).unwrap().is_none());
        assert!(read(Path::new("file")).is_err(), "in the working directory");
        let giant = home.path().join("giant");
        let file = File::create(&giant).unwrap();
        file.set_len(LARGEST as u64 + 1).unwrap();
        let read_giant = read(&giant);
        assert!(matches!(read_giant, Err(Error::System { cause, .. })
            if cause.kind() == io::ErrorKind::FileTooLarge));
        let pipe = home.path().join("pipe");
        assert!(!make_pipe(&pipe) || strange(&pipe));
        #[cfg(target_os = "linux")]
        assert!(strange(Path::new("/proc/self/environ")));
    }

    #[test]
    #[cfg_attr(
        windows,
        ignore = "real Windows: links need a right, and wine has none"
    )]
    fn a_link_of_ones_own_is_followed_to_a_file_of_ones_own() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("dotfiles");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("file"), b"one").unwrap();
        make_link("dotfiles/file", home.path().join("first"));
        let link = home.path().join("link");
        make_link(home.path().join("first"), &link);
        assert_eq!(followed(&link).unwrap(), folder.join("file"));
        assert_eq!(read(&link).unwrap().unwrap().as_slice(), b"one");
        let by_reader = read_as_its_reader(&link).unwrap().unwrap();
        assert_eq!(by_reader.as_slice(), b"one");
        let folders = home.path().join("folders");
        make_link(&folder, &folders);
        assert_eq!(names(&folders, 10).unwrap().len(), 1);
        // An end that is not there is no file, and a circle is an error.
        let dangling = home.path().join("dangling");
        make_link("nowhere", &dangling);
        assert!(read(&dangling).unwrap().is_none());
        let circle = home.path().join("circle");
        make_link("circle", &circle);
        assert!(matches!(read(&circle), Err(Error::System { .. })));
        make_link("dotfiles", home.path().join("to folder"));
        let error = read(&home.path().join("to folder")).unwrap_err();
        assert!(matches!(error, Error::Linked { .. }), "{error}");
    }
}
