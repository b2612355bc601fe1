//! Names of files that Windows takes for something else: devices, streams, and names that it cuts.
//!
//! Source: "Naming Files, Paths, and Namespaces" of the Win32 documentation.

use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, Prefix};

/// Devices in every folder, also with an extension. `COM` and `LPT` are followed by a digit.
const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
const NUMBERED_DEVICES: [&str; 2] = ["COM", "LPT"];
/// Not allowed in a name. A colon would open a stream of the file.
const RESERVED: &str = "<>:\"/\\|?*";
/// Windows cuts them off the end of a name.
const CUT: [char; 2] = ['.', ' '];

/// Fails with `InvalidFilename` if a name does not stand for a file of that name.
pub fn check(name: &OsStr) -> io::Result<()> {
    let text = name.to_string_lossy();
    let is_reserved = |character: char| character < ' ' || RESERVED.contains(character);
    let is_usable = !text.is_empty()
        && !text.contains(is_reserved)
        && !text.ends_with(CUT)
        && !is_device(&text);
    if is_usable {
        return Ok(());
    }
    Err(io::ErrorKind::InvalidFilename.into())
}

/// As [`check`], for each name of a path. Fails too for a path of devices or pipes, such as `\\.\COM1`.
pub fn check_path(path: &Path) -> io::Result<()> {
    for part in path.components() {
        match part {
            Component::Normal(name) => check(name)?,
            Component::Prefix(prefix) if is_of_devices(prefix.kind()) => {
                return Err(io::ErrorKind::InvalidFilename.into());
            }
            _ => {}
        }
    }
    Ok(())
}

/// `\\.\…`, `\\?\…` of no drive, and the pipes of a server.
fn is_of_devices(prefix: Prefix<'_>) -> bool {
    match prefix {
        Prefix::DeviceNS(_) => true,
        Prefix::Verbatim(name) => !name.to_string_lossy().starts_with("Volume{"),
        Prefix::UNC(_, share) | Prefix::VerbatimUNC(_, share) => ["pipe", "mailslot"]
            .iter()
            .any(|name| share.eq_ignore_ascii_case(name)),
        Prefix::VerbatimDisk(_) | Prefix::Disk(_) => false,
    }
}

/// Whether a path leads to a named pipe.
pub fn is_pipe(path: &Path) -> bool {
    let Some(Component::Prefix(prefix)) = path.components().next() else {
        return false;
    };
    match prefix.kind() {
        Prefix::DeviceNS(name)
        | Prefix::Verbatim(name)
        | Prefix::UNC(_, name)
        | Prefix::VerbatimUNC(_, name) => name.eq_ignore_ascii_case("pipe"),
        Prefix::VerbatimDisk(_) | Prefix::Disk(_) => false,
    }
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name);
    let stem = stem.trim_end_matches(' ').to_uppercase();
    if DEVICES.contains(&stem.as_str()) {
        return true;
    }
    NUMBERED_DEVICES.iter().any(|device| {
        let number = stem.strip_prefix(device).map(|number| number.chars());
        let Some(mut number) = number else {
            return false;
        };
        let digit = number.next();
        digit.is_some_and(|digit| digit.is_ascii_digit() || "¹²³".contains(digit))
            && number.next().is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_streams_and_names_that_are_cut_are_no_files() {
        for name in [
            "",
            ".",
            "..",
            "nul",
            "NUL.txt",
            "nul .x",
            "Con",
            "aux.tar.gz",
            "prn",
            "com1",
            "COM0.x",
            "lpt9",
            "COM¹",
            "conin$",
            "CONOUT$",
            "a:b",
            "a::$DATA",
            "a.",
            "a ",
            "a/b",
            "a\\b",
            "a*",
            "a?",
            "a\"",
            "a|b",
            "a<",
            "\u{1}",
        ] {
            assert!(check(name.as_ref()).is_err(), "{name:?}");
        }
        for name in [
            "nulx",
            "null",
            "com",
            "com10",
            "communication.txt",
            ".x",
            "a.b",
            "a b",
            "aux-",
            "ä",
            "config.toml",
        ] {
            assert!(check(name.as_ref()).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn each_name_of_a_path_counts() {
        for path in [
            r"C:\a\nul\b",
            r"C:\a\b:c",
            r"\\.\pipe\x",
            r"\\.\COM1",
            r"\\?\COM1",
            r"\\?\PIPE\x",
            r"\\?\GLOBALROOT\Device\x",
            r"\\server\pipe\x",
            r"\\?\UNC\server\mailslot\x",
            r"a\b.",
            r"nul",
        ] {
            assert!(check_path(Path::new(path)).is_err(), "{path}");
        }
        for path in [
            r"C:\a\b",
            r"C:\a\..\b",
            r"\\?\C:\a",
            r"\\?\Volume{0}\a",
            r"\\server\share\a",
            "C:/a/b",
        ] {
            assert!(check_path(Path::new(path)).is_ok(), "{path}");
        }
    }

    #[test]
    fn a_path_of_a_pipe_is_told_from_one_of_a_file() {
        for path in [
            r"\\.\pipe\x",
            r"\\.\PIPE\x",
            r"\\?\pipe\x",
            r"\\server\pipe\x",
        ] {
            assert!(is_pipe(Path::new(path)), "{path}");
        }
        for path in [r"C:\pipe\x", r"\\.\COM1", r"\\server\share\pipe", r"pipe\x"] {
            assert!(!is_pipe(Path::new(path)), "{path}");
        }
    }
}
