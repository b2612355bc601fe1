//! The text of the reminder's systemd units, and whether a unit file is still as it was written.
//!
//! The first line has a checksum of the rest. So a file of an older version is known, and a file that the user changed.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::draft::read;
use super::failure::Error;
use crate::credential::code::hex;
use crate::terminal::escape::is_plain;

/// Before the checksum.
const MARK: &str = "# Written by 'git-credential-pat setup --reminder'; while unchanged, 'setup --undo' removes it: ";

const SERVICE: &str = "\
[Unit]
Description=Check the personal access tokens of git, and notify of those that expire soon

[Service]
Type=oneshot
Environment=GIT_TERMINAL_PROMPT=0
ExecStart=@COMMAND@
SuccessExitStatus=3 4 5
TimeoutStartSec=5min
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
";

/// The random delay also counts when a missed run is made up for at login: by then the desktop is there.
const TIMER: &str = "\
[Unit]
Description=Daily check of the personal access tokens of git

[Timer]
OnCalendar=daily
Persistent=true
RandomizedDelaySec=30min

[Install]
WantedBy=timers.target
";

/// A unit file as it should be.
pub struct Unit {
    pub path: PathBuf,
    pub text: String,
}

/// A unit file as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnitState {
    Absent,
    /// It has the text that is written now.
    Current,
    /// It is as another version or another program path wrote it.
    Outdated,
    /// The user or another program wrote it.
    Foreign,
}

/// The file of a unit, and whether this program wrote it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FoundUnit {
    Absent,
    /// Any version of this program wrote this text.
    Written(String),
    /// The user or another program wrote it, or masked the unit.
    Foreign,
}

impl Unit {
    pub(super) fn service(path: PathBuf, command: &[&OsStr]) -> Result<Self, Error> {
        // systemd takes none of these in the path of a program (`string_is_safe` in its basic/string-util.c).
        let is_special = |byte: &u8| b"\"'\\".contains(byte);
        let program = command
            .first()
            .map_or(&b""[..], |path| path.as_encoded_bytes());
        if program.iter().any(is_special) {
            return Err(Error::UnitProgram);
        }
        let command = command_line(command).ok_or(Error::Invisible)?;
        Ok(Self::new(path, &SERVICE.replace("@COMMAND@", &command)))
    }

    pub(super) fn timer(path: PathBuf) -> Self {
        Self::new(path, TIMER)
    }

    fn new(path: PathBuf, text: &str) -> Self {
        Self {
            path,
            text: format!("{}\n{text}", first_line(text)),
        }
    }

    pub(super) fn state(&self) -> Result<UnitState, Error> {
        let found = FoundUnit::at(&self.path)?;
        Ok(match found {
            FoundUnit::Written(text) if text == self.text => UnitState::Current,
            FoundUnit::Written(_) => UnitState::Outdated,
            FoundUnit::Absent => UnitState::Absent,
            FoundUnit::Foreign => UnitState::Foreign,
        })
    }
}

impl FoundUnit {
    pub(super) fn at(path: &Path) -> Result<Self, Error> {
        // systemd.unit(5): a unit is masked by a link to /dev/null, or by an empty file.
        if fs::read_link(path).is_ok_and(|target| target == Path::new("/dev/null")) {
            return Ok(Self::Foreign);
        }
        let Some(found) = read(path)? else {
            return Ok(Self::Absent);
        };
        let Ok(found) = String::from_utf8(found) else {
            return Ok(Self::Foreign);
        };
        let is_ours = found
            .split_once('\n')
            .is_some_and(|(first, rest)| first == first_line(rest));
        Ok(if is_ours {
            Self::Written(found)
        } else {
            Self::Foreign
        })
    }
}

fn first_line(rest: &str) -> String {
    let checksum = hex(&Sha256::digest(rest));
    format!("{MARK}{}", &checksum[..16])
}

/// Writes a command as systemd reads it (systemd.service(5), "Command lines"; systemd.syntax(7), "Quoting"). `None`: a word is
/// not UTF-8, or holds a character that would not be visible in the file.
fn command_line(words: &[&OsStr]) -> Option<String> {
    let mut line = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let word = word.to_str().filter(|text| text.chars().all(is_plain))?;
        let mut quoted = String::new();
        for character in word.chars() {
            match character {
                '"' | '\\' => quoted.extend(['\\', character]),
                '%' => quoted.push_str("%%"),
                // In the path of the program, no variable is replaced.
                '$' if at > 0 => quoted.push_str("$$"),
                _ => quoted.push(character),
            }
        }
        let is_bare = |character: char| {
            character.is_ascii_alphanumeric() || "-_./:,+=@%$".contains(character)
        };
        let is_quoted = word.is_empty() || !quoted.chars().all(is_bare);
        line.push(if is_quoted {
            format!("\"{quoted}\"")
        } else {
            quoted
        });
    }
    Some(line.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::testing::make_link;

    #[test]
    fn words_are_written_as_systemd_reads_them() {
        for (words, expected) in [
            (&["/usr/bin/x", "check"][..], Some("/usr/bin/x check")),
            (&["/a b/x"], Some("\"/a b/x\"")),
            (&["/a'b;#/x"], Some("\"/a'b;#/x\"")),
            (&["/a\"\\b/x"], Some("\"/a\\\"\\\\b/x\"")),
            (&["/100%/$HOME/x"], Some("/100%%/$HOME/x")),
            (&["/x", "${HOME}", ""], Some("/x \"$${HOME}\" \"\"")),
            (&["/é/x"], Some("\"/é/x\"")),
            (&["/a\nExecStartPre=/b"], None),
            (&["/x", "a\u{7f}"], None),
            (&["/x", "a\u{202e}"], None),
        ] {
            let words: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
            assert_eq!(command_line(&words).as_deref(), expected, "{words:?}");
        }
    }

    #[test]
    #[cfg_attr(
        windows,
        ignore = "real Windows: links need a right, and wine has none"
    )]
    fn a_change_of_any_line_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.timer");
        let unit = Unit::timer(path.clone());
        assert_eq!(unit.state().unwrap(), UnitState::Absent);
        let older = Unit::new(path.clone(), "[Timer]\nOnCalendar=weekly\n");
        for (text, state) in [
            (unit.text.clone(), UnitState::Current),
            (older.text.clone(), UnitState::Outdated),
            (unit.text.replace("daily", "weekly"), UnitState::Foreign),
            (unit.text.replace("Written", "written"), UnitState::Foreign),
            (format!("{}#\n", older.text), UnitState::Foreign),
            (TIMER.to_owned(), UnitState::Foreign),
            (String::new(), UnitState::Foreign),
        ] {
            fs::write(&path, &text).unwrap();
            assert_eq!(unit.state().unwrap(), state, "{text}");
            let is_written = state != UnitState::Foreign;
            let found = if is_written {
                FoundUnit::Written(text)
            } else {
                FoundUnit::Foreign
            };
            assert_eq!(FoundUnit::at(&path).unwrap(), found);
        }
        fs::remove_file(&path).unwrap();
        make_link("/dev/null", &path);
        assert_eq!(unit.state().unwrap(), UnitState::Foreign);
    }
}
