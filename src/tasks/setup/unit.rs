//! A file of the reminder, and whether it is still as it was written.
//!
//! One line has a checksum of the rest. So a file of an older version is known, and a file that the user changed.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::draft::read;
use super::failure::Error;
use crate::credential::code::hex;

/// The form of the line with the checksum.
#[derive(Debug, Clone, Copy)]
pub(super) enum UnitMark {
    Hash,
    /// A comment of XML, which holds no `--`.
    Xml,
}

/// A file as it should be.
pub struct Unit {
    pub path: PathBuf,
    pub text: String,
}

/// A file as it is.
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

/// A file, and whether this program wrote it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FoundUnit {
    Absent,
    /// Any version of this program wrote this text.
    Written(String),
    /// The user or another program wrote it, or masked the unit.
    Foreign,
}

impl UnitMark {
    const ALL: [Self; 2] = [Self::Hash, Self::Xml];

    /// The line before and after the checksum.
    fn around(self) -> (&'static str, &'static str) {
        match self {
            Self::Hash => (
                "# Written by 'git-credential-pat setup --reminder'; while unchanged, 'setup --undo' removes it: ",
                "",
            ),
            Self::Xml => (
                "<!-- Written by the setup of git-credential-pat; while unchanged, its undo removes it: ",
                " -->",
            ),
        }
    }

    /// The line for a file with this `rest`.
    fn line(self, rest: &str) -> String {
        let (before, after) = self.around();
        let checksum = hex(&Sha256::digest(rest));
        format!("{before}{}{after}", &checksum[..16])
    }
}

impl Unit {
    /// The mark stands between `head` and `text`.
    pub(super) fn new(path: &Path, mark: UnitMark, head: &str, text: &str) -> Self {
        let line = mark.line(&format!("{head}{text}"));
        Self {
            path: path.to_path_buf(),
            text: format!("{head}{line}\n{text}"),
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
        Ok(if is_ours(&found) {
            Self::Written(found)
        } else {
            Self::Foreign
        })
    }
}

/// Whether a line of `text` is the mark of all other lines.
fn is_ours(text: &str) -> bool {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let end = start + line.len();
        for mark in UnitMark::ALL {
            if line.starts_with(mark.around().0) {
                let rest = format!("{}{}", &text[..start], &text[end..]);
                return line.strip_suffix('\n') == Some(&mark.line(&rest));
            }
        }
        start = end;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::testing::make_link;

    const DAILY: &str = "[Timer]\nOnCalendar=daily\n";

    #[test]
    #[cfg_attr(
        windows,
        ignore = "real Windows: links need a right, and wine has none"
    )]
    fn a_change_of_any_line_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.timer");
        for (mark, head) in [(UnitMark::Hash, ""), (UnitMark::Xml, "<?xml?>\n")] {
            let unit = Unit::new(&path, mark, head, DAILY);
            assert_eq!(unit.state().unwrap(), UnitState::Absent);
            let older = Unit::new(&path, mark, head, "[Timer]\nOnCalendar=weekly\n");
            for (text, state) in [
                (unit.text.clone(), UnitState::Current),
                (older.text.clone(), UnitState::Outdated),
                (unit.text.replace("daily", "weekly"), UnitState::Foreign),
                (unit.text.replace("Written", "written"), UnitState::Foreign),
                (format!("{}#\n", older.text), UnitState::Foreign),
                (format!("#\n{}", older.text), UnitState::Foreign),
                (DAILY.to_owned(), UnitState::Foreign),
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
        }
        make_link("/dev/null", &path);
        let unit = Unit::new(&path, UnitMark::Hash, "", DAILY);
        assert_eq!(unit.state().unwrap(), UnitState::Foreign);
    }
}
