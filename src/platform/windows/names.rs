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

/// As [`check`], for each name of a path. Fails too for a path of devices, such as `\\.\COM1`.
pub fn check_path(path: &Path) -> io::Result<()> {
    for part in path.components() {
        match part {
            Component::Normal(name) => check(name)?,
            Component::Prefix(prefix) if matches!(prefix.kind(), Prefix::DeviceNS(_)) => {
                return Err(io::ErrorKind::InvalidFilename.into());
            }
            _ => {}
        }
    }
    Ok(())
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
            r"a\b.",
            r"nul",
        ] {
            assert!(check_path(Path::new(path)).is_err(), "{path}");
        }
        for path in [
            r"C:\a\b",
            r"C:\a\..\b",
            r"\\?\C:\a",
            r"\\server\share\a",
            "C:/a/b",
        ] {
            assert!(check_path(Path::new(path)).is_ok(), "{path}");
        }
    }
}
