//! The records of `setup`, from which undo restores a file byte for byte.
//!
//! A record holds places, lengths and the lines that `setup` removed, never the rest of a file: git's configuration may hold
//! secrets. The digests before and after tell whether the file is still as `setup` left it, and prove each restored state.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::change::Change;
use crate::files::Error;
use crate::files::owned::Folder;
use crate::platform::lock::Lock;

const NAME: &str = "setup";

/// SHA-256 of a file's content; `None`: there is no file.
pub(super) type State = Option<[u8; 32]>;

/// The changes that one run of `setup` made in one file.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) file: OsString,
    /// The key of helpers that `setup` was asked for.
    pub(super) key: OsString,
    pub(super) before: State,
    pub(super) after: State,
    /// In order; `None`: no exact inverse is known.
    pub(super) edits: Option<Vec<Edit>>,
    pub(super) changes: Vec<Change>,
}

/// One stretch of bytes in the place of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Edit {
    at: usize,
    /// How many bytes came in. The digest of the file vouches for them.
    inserted: usize,
    removed: Vec<u8>,
}

impl Edit {
    /// Returns the difference if bytes only came, or only went, in one place. In other differences the stretch could hold lines
    /// of other programs.
    pub(super) fn between(before: &[u8], after: &[u8]) -> Option<Self> {
        let same = |(one, two): &(&u8, &u8)| one == two;
        let at = before.iter().zip(after).take_while(same).count();
        let rest = before.len().min(after.len()) - at;
        let ends = before.iter().rev().zip(after.iter().rev());
        let tail = ends.take(rest).take_while(same).count();
        let edit = Self {
            at,
            inserted: after.len() - at - tail,
            removed: before[at..before.len() - tail].to_vec(),
        };
        (edit.inserted == 0 || edit.removed.is_empty()).then_some(edit)
    }
}

impl Record {
    /// Whether `setup` added this setting. git lists a variable's name in lower case.
    pub(super) fn has_added(&self, key: &OsStr, value: &OsStr) -> bool {
        let mut added = self.changes.iter().filter(|change| !change.is_removal);
        added.any(|change| change.key.eq_ignore_ascii_case(key) && change.value == value)
    }

    /// Whether this record added just what `removals` remove.
    pub(super) fn is_inverse(&self, removals: &[Change]) -> bool {
        self.changes.len() == removals.len()
            && removals
                .iter()
                .all(|removal| self.has_added(&removal.key, &removal.value))
    }

    /// Restores the content before, if it is now as `setup` left it. Returns whether it is as it was before.
    pub(super) fn undo(&self, content: &mut Option<Vec<u8>>) -> bool {
        let now = digest(content.as_deref());
        if now == self.before {
            // A process that was killed between record and change leaves this.
            return true;
        }
        let is_ours = now == self.after;
        let Some(edits) = self.edits.as_ref().filter(|_| is_ours) else {
            return false;
        };
        let mut bytes = content.clone().unwrap_or_default();
        for Edit {
            at,
            inserted,
            removed,
        } in edits.iter().rev()
        {
            let end = at.saturating_add(*inserted);
            if end > bytes.len() {
                return false;
            }
            bytes.splice(*at..end, removed.iter().copied());
        }
        let before = self.before.map(|_| bytes);
        let is_same = digest(before.as_deref()) == self.before;
        if is_same {
            *content = before;
        }
        is_same
    }
}

pub(super) fn digest(content: Option<&[u8]>) -> State {
    content.map(|bytes| Sha256::digest(bytes).into())
}

/// The records of one scope, locked.
pub(super) struct Records {
    folder: Folder,
    lock: Lock,
    pub(super) all: Vec<Record>,
}

impl Records {
    pub(super) fn lock(folder: Folder) -> Result<Self, Error> {
        let lock = folder.lock(NAME)?;
        let bytes = folder.read(NAME)?;
        // Records that cannot be read, such as those of 0.1.0, count as lost.
        let all = bytes.and_then(|bytes| serde_json::from_slice(bytes.as_slice()).ok());
        Ok(Self {
            folder,
            lock,
            all: all.unwrap_or_default(),
        })
    }

    pub(super) fn of(&self, file: &Path) -> Vec<Record> {
        let all = self.all.iter();
        all.filter(|record| record.file == file).cloned().collect()
    }

    pub(super) fn save(&self) -> Result<(), Error> {
        // Lists of numbers and texts are always written.
        let text = serde_json::to_vec(&self.all).unwrap_or_default();
        self.folder.replace(NAME, &[&text], &self.lock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(states: &[Option<&[u8]>]) -> Record {
        let steps = states.windows(2);
        Record {
            file: "f".into(),
            key: "k".into(),
            before: digest(states[0]),
            after: digest(*states.last().unwrap()),
            edits: steps
                .map(|two| Edit::between(two[0].unwrap_or_default(), two[1].unwrap_or_default()))
                .collect(),
            changes: Vec::new(),
        }
    }

    /// Whether it is undone, and the content then.
    fn undone(record: &Record, now: &[u8]) -> (bool, Option<Vec<u8>>) {
        let mut content = Some(now.to_vec());
        (record.undo(&mut content), content)
    }

    #[test]
    fn changes_are_undone_byte_for_byte() {
        for states in [
            &[
                Some(&b"[a]\n\tb = c"[..]),
                Some(b"[a]\n\tb = c\n[d]\n\te = f\n"),
            ][..],
            &[Some(b"[a]\nx\n[b]\nx\n"), Some(b"[a]\nx\nx\n[b]\nx\n")],
            &[Some(b"aaaa"), Some(b"aa"), Some(b"aaaaa")],
            &[Some(b""), Some(b"new")],
            &[None, Some(b"new"), Some(b"newer")],
            &[Some(b"\xff\0\n"), Some(b"\n"), Some(b"\xfe\n")],
        ] {
            let record = record(states);
            let after = states.last().unwrap().unwrap();
            let before = states[0].map(<[u8]>::to_vec);
            assert_eq!(undone(&record, after), (true, before), "{states:?}");
            let changed = [after, b"#"].concat();
            let same = (false, Some(changed.clone()));
            assert_eq!(undone(&record, &changed), same, "{states:?}");
        }
    }

    #[test]
    fn a_damaged_record_restores_nothing() {
        let good = record(&[Some(b"one\n"), Some(b"one\ntwo\n")]);
        for edit in [
            Edit {
                at: 0,
                inserted: 4,
                removed: Vec::new(),
            },
            Edit {
                at: 4,
                inserted: 5,
                removed: Vec::new(),
            },
            Edit {
                at: usize::MAX,
                inserted: 1,
                removed: Vec::new(),
            },
        ] {
            let edits = Some(vec![edit]);
            let bad = Record {
                edits,
                ..good.clone()
            };
            assert!(!undone(&bad, b"one\ntwo\n").0);
        }
    }

    #[test]
    fn a_record_of_a_change_that_was_not_made_is_passed_over() {
        let one = record(&[None, Some(b"one")]);
        let two = record(&[Some(b"one"), Some(b"two")]);
        let mut content = Some(b"one".to_vec());
        assert!(two.undo(&mut content));
        assert_eq!(content.as_deref(), Some(&b"one"[..]));
        assert!(one.undo(&mut content));
        assert_eq!(content, None);
    }

    /// Lines of others between two of ours would be in the record.
    #[test]
    fn two_places_have_no_exact_inverse() {
        let (before, after) = (b"ours\nsecret\nours\n", b"secret\n");
        assert_eq!(Edit::between(before, after), None);
        let none = record(&[Some(before), Some(after)]);
        assert!(!undone(&none, after).0);
        assert!(Edit::between(b"a\nours\nb\n", b"a\nb\n").is_some());
    }
}
