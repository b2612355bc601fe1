//! Reads the text of `config.toml`, if it is a plain file that only this user and root can write.

use std::fs::File;
use std::io;
use std::path::Path;

use super::failure::Error;
use super::trust::{self, Doubt, REPLACED, doubt};
use crate::platform::permissions::{Lost, command_to_close};
use crate::platform::{FileFacts, is_kernels, open_any};
use crate::secret::Buffer;
use crate::terminal::escape::shell_word;

/// In bytes.
const LARGEST: usize = 1024 * 1024;

/// Open the file three times at most: `account` and editors put a new file in its place.
const ATTEMPTS: usize = 3;

/// Reads the file. Follows links: the file, and each folder and link on the way to it, must be trusted ([`trust`]).
pub(super) fn read(path: &Path) -> Result<String, Error> {
    // Never wait for a pipe or a device.
    read_opened_by(|| open_any(path), path)
}

/// Reads the file at `path` that `open` opens. Opens it again if it was replaced before the check.
fn read_opened_by(open: impl FnMut() -> io::Result<File>, path: &Path) -> Result<String, Error> {
    let mut open = open;
    for _ in 1..ATTEMPTS {
        match read_once(open(), path) {
            Err(Error::NotOurs { cause, .. }) if cause.problem == REPLACED => {}
            text => return text,
        }
    }
    read_once(open(), path)
}

fn read_once(file: io::Result<File>, path: &Path) -> Result<String, Error> {
    read_file(file.map_err(|cause| unreadable(path, cause))?, path)
}

// Not inlined: without a configuration file, git's calls do not need its code.
#[inline(never)]
fn read_file(mut file: File, path: &Path) -> Result<String, Error> {
    let unreadable = |cause| unreadable(path, cause);
    let found = FileFacts::of(&file).map_err(unreadable)?;
    if !found.is_file() {
        return Err(unreadable(io::Error::other("it is not a plain file")));
    }
    let doubt = if is_kernels(&file) {
        Some(doubt(
            path,
            "leads to a file that the kernel makes up",
            false,
        ))
    } else {
        trust::check(path, &found).map_err(unreadable)?
    };
    if let Some(cause) = doubt {
        return Err(not_ours(path, cause));
    }
    // Ignores the file's length: some file systems report a wrong one.
    let mut text = Buffer::with_capacity(4096);
    text.read_to_end(&mut file, LARGEST).map_err(unreadable)?;
    let text = str::from_utf8(text.as_slice()).map(str::to_owned);
    text.map_err(|cause| unreadable(io::Error::other(cause)))
}

fn unreadable(path: &Path, cause: io::Error) -> Error {
    Error::Unreadable {
        path: path.to_path_buf(),
        cause,
    }
}

fn not_ours(path: &Path, cause: Doubt) -> Error {
    let hint = if cause.is_mode {
        let word = shell_word(cause.path.as_os_str().as_encoded_bytes());
        let [before, after] = command_to_close(Lost::Writing);
        format!(
            "until then the helper answers nothing: check the file's content, then run: {before}{word}{after}"
        )
    } else {
        "use a file and folders of your own; until then the helper answers nothing".to_owned()
    };
    Error::NotOurs {
        path: path.to_path_buf(),
        cause,
        hint,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::testing::{make_link, make_pipe, set_mode};

    #[test]
    #[cfg_attr(windows, ignore = "real Windows: wine replaces no open file")]
    fn a_file_that_is_replaced_while_it_is_read_is_opened_again() {
        let home = tempfile::tempdir().unwrap();
        set_mode(home.path(), 0o700);
        let path = home.path().join("config.toml");
        let put = |text: &str| {
            let new = home.path().join("new");
            std::fs::write(&new, text).unwrap();
            set_mode(&new, 0o600);
            std::fs::rename(&new, &path).unwrap();
        };
        for (count, is_read) in [(1, true), (2, true), (3, false)] {
            put("storage = 'memory'");
            let mut races = 0..count;
            let open = || {
                let file = open_any(&path);
                races.next().inspect(|_| put("storage = 'file'"));
                file
            };
            let text = read_opened_by(open, &path);
            match text {
                Ok(text) => assert_eq!((text.as_str(), is_read), ("storage = 'file'", true)),
                Err(error) => assert!(!is_read && matches!(error, Error::NotOurs { .. })),
            }
        }
    }

    #[test]
    fn what_cannot_be_trusted_or_has_no_end_is_not_read() {
        let home = tempfile::tempdir().unwrap();
        set_mode(home.path(), 0o700);
        let path = home.path().join("config.toml");
        std::fs::write(&path, "storage = 'memory'").unwrap();
        set_mode(&path, 0o644);
        assert!(read(&path).is_ok());
        set_mode(&path, 0o666);
        assert!(matches!(read(&path), Err(Error::NotOurs { .. })));
        set_mode(&path, 0o600);
        let mut long = "#\n".repeat(512 * 1024);
        std::fs::write(&path, &long).unwrap();
        assert!(read(&path).is_ok());
        long.push('#');
        std::fs::write(&path, &long).unwrap();
        let pipe = home.path().join("pipe");
        let has_pipe = make_pipe(&pipe);
        #[cfg(target_os = "linux")]
        for made_up in ["/proc/version", "/proc/self/environ"] {
            let planted = home.path().join("planted");
            make_link(made_up, &planted);
            for path in [Path::new(made_up), &planted] {
                assert!(matches!(read(path), Err(Error::NotOurs { .. })));
            }
            std::fs::remove_file(planted).unwrap();
        }
        if has_pipe {
            for path in [&*pipe, Path::new("/dev/zero")] {
                assert!(matches!(read(path), Err(Error::Unreadable { .. })));
            }
        }
        for path in [&*path, home.path()] {
            assert!(matches!(read(path), Err(Error::Unreadable { .. })));
        }
    }

    #[test]
    #[cfg_attr(
        windows,
        ignore = "real Windows: links need a right, and wine has none"
    )]
    fn a_link_is_as_good_as_its_end() {
        let home = tempfile::tempdir().unwrap();
        set_mode(home.path(), 0o700);
        let (path, link) = (home.path().join("file"), home.path().join("link"));
        std::fs::write(&path, "storage = 'memory'").unwrap();
        make_link(&path, &link);
        for (mode, is_read) in [(0o644, true), (0o666, false)] {
            set_mode(&path, mode);
            match read(&link) {
                Ok(_) => assert!(is_read),
                Err(error) => assert!(!is_read && matches!(error, Error::NotOurs { .. })),
            }
        }
    }
}
