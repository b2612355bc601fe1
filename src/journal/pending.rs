//! Pending rotations: the token that a forge was asked to replace, and the new token once it is known.
//!
//! A record holds fingerprints of the two tokens and nothing else, so it is found under any name that a token is kept under.
//! It stays until the rotation is finished: the journal's limits on number and age leave it alone.

use super::about::{Fingerprint, RotationRecord};
use super::{Contents, Error, Journal, LONG_PATIENCE};
use crate::files::owned::Folder;
use crate::secret::Secret;

/// The rotations that were pending at one moment.
pub struct PendingRotations(Option<Contents>);

impl PendingRotations {
    /// Whether a rotation of `old` is pending.
    pub fn has_begun(&self, old: &Secret) -> bool {
        self.has(Some(old), None)
    }

    /// Whether a pending rotation made `new` from some token.
    pub fn has_made(&self, new: &Secret) -> bool {
        self.has(None, Some(new))
    }

    /// Whether a pending rotation made `new` from `old`.
    pub fn has_made_from(&self, old: &Secret, new: &Secret) -> bool {
        self.has(Some(old), Some(new))
    }

    /// Whether a record is about these tokens; `None` stands for any.
    fn has(&self, old: Option<&Secret>, new: Option<&Secret>) -> bool {
        let Some(contents) = &self.0 else {
            return false;
        };
        let old = old.map(|token| contents.fingerprint(token));
        let new = new.map(|token| contents.fingerprint(token));
        contents.rotations.iter().any(|record| {
            (old.is_none() || old.as_ref() == Some(&record.old))
                && (new.is_none() || new == record.successor)
        })
    }
}

impl Journal {
    /// Returns the pending rotations. Fails if the journal cannot be read: a rotation may be pending in it.
    pub fn rotations(&self) -> Result<PendingRotations, Error> {
        let contents = match Folder::open(&self.folder)? {
            Some(folder) => Contents::read_whole(&folder)?,
            None => None,
        };
        Ok(PendingRotations(contents))
    }

    /// Records that a forge is about to be asked to replace `old`.
    pub fn begin_rotation(&self, old: &Secret, unix_now: u64) -> Result<(), Error> {
        self.change_record(old, unix_now, |_| None)
    }

    /// Records that `new` replaces `old`. If `old` is itself the successor in another record, `new` takes its place there.
    pub fn name_successor(&self, old: &Secret, new: &Secret, unix_now: u64) -> Result<(), Error> {
        self.change_record(old, unix_now, |contents| {
            let (old, new) = (contents.fingerprint(old), contents.fingerprint(new));
            for record in &mut contents.rotations {
                if record.successor.as_ref() == Some(&old) {
                    record.successor = Some(new.clone());
                }
            }
            Some(new)
        })
    }

    /// Removes the record about `old`: its rotation is finished, or never happened.
    pub fn end_rotation(&self, old: &Secret, unix_now: u64) -> Result<(), Error> {
        self.change_within(LONG_PATIENCE, unix_now, |contents| {
            let old = contents.fingerprint(old);
            let before = contents.rotations.len();
            contents.rotations.retain(|record| record.old != old);
            contents.rotations.len() < before
        })
        .map(drop)
    }

    /// Puts a new record about `old` in the place of the former one.
    fn change_record(
        &self,
        old: &Secret,
        unix_now: u64,
        successor: impl FnOnce(&mut Contents) -> Option<Fingerprint>,
    ) -> Result<(), Error> {
        self.change_within(LONG_PATIENCE, unix_now, |contents| {
            let successor = successor(contents);
            let old = contents.fingerprint(old);
            contents.rotations.retain(|record| record.old != old);
            contents.rotations.push(RotationRecord { old, successor });
            true
        })
        .map(drop)
    }
}

impl Contents {
    fn fingerprint(&self, token: &Secret) -> Fingerprint {
        Fingerprint::of_token(&self.key, token)
    }

    /// Reads the journal, and fails if it is damaged. `None`: there is none.
    pub(super) fn read_whole(folder: &Folder) -> Result<Option<Self>, Error> {
        let Some(bytes) = folder.read(super::NAME)? else {
            return Ok(None);
        };
        let contents = Self::parse(bytes.as_slice());
        let path = || folder.path().join(super::NAME);
        contents.map(Some).ok_or_else(|| Error::Damaged(path()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{journal, token};
    use super::super::{KEPT, MOST, MOST_MARKED, NAME, Topic};
    use super::*;
    use crate::journal::mark::Mark;

    fn secrets() -> [Secret; 3] {
        ["first", "second", "third"].map(|text| Secret::new(text.as_bytes()))
    }

    #[test]
    fn a_record_is_found_by_either_token_until_the_rotation_ends() {
        let (_home, journal) = journal();
        let [old, new, other] = secrets();
        assert!(!journal.rotations().unwrap().has_begun(&old));
        journal.begin_rotation(&old, 1000).unwrap();
        let pending = journal.rotations().unwrap();
        assert!(pending.has_begun(&old) && !pending.has_begun(&other));
        assert!(!pending.has_made(&new) && !pending.has_made_from(&old, &new));
        journal.name_successor(&old, &new, 1001).unwrap();
        let pending = journal.rotations().unwrap();
        assert!(pending.has_begun(&old) && !pending.has_begun(&new));
        assert!(pending.has_made(&new) && !pending.has_made(&old));
        assert!(pending.has_made_from(&old, &new) && !pending.has_made_from(&other, &new));
        let text = std::fs::read_to_string(journal.folder.join(NAME)).unwrap();
        assert!(
            !text.contains("first") && !text.contains("second"),
            "{text}"
        );
        assert_eq!(text.matches("rotation=").count(), 1, "{text}");
        journal.end_rotation(&old, 1002).unwrap();
        let pending = journal.rotations().unwrap();
        assert!(!pending.has_begun(&old) && !pending.has_made(&new));
    }

    #[test]
    fn a_successor_of_a_successor_takes_its_place() {
        let (_home, journal) = journal();
        let [first, second, third] = secrets();
        journal.name_successor(&first, &second, 1000).unwrap();
        journal.begin_rotation(&second, 1001).unwrap();
        journal.name_successor(&second, &third, 1002).unwrap();
        journal.end_rotation(&second, 1003).unwrap();
        let pending = journal.rotations().unwrap();
        assert!(pending.has_made_from(&first, &third) && !pending.has_made(&second));
    }

    #[test]
    fn neither_age_nor_number_removes_a_record() {
        let (_home, journal) = journal();
        let [old, new, _] = secrets();
        journal.name_successor(&old, &new, 1000).unwrap();
        journal
            .change(1001, |contents| {
                for number in 0..=MOST + MOST_MARKED {
                    let other = token("alice", &number.to_string());
                    let about = contents.about(Topic::ExpiresSoon(&other));
                    let entry = contents.entry(about);
                    entry.said = Some(1001);
                    entry.mark = number.is_multiple_of(2).then_some((Mark::Rejected, 1001));
                }
                true
            })
            .unwrap();
        let late = 1001 + 2 * KEPT;
        journal
            .mark(&token("bob", "one"), Mark::Rejected, late)
            .unwrap();
        assert!(journal.rotations().unwrap().has_made_from(&old, &new));
    }

    #[test]
    fn a_damaged_journal_is_an_error_and_stays() {
        let (_home, journal) = journal();
        let [old, _, _] = secrets();
        journal.begin_rotation(&old, 1000).unwrap();
        let path = journal.folder.join(NAME);
        for damaged in ["", "X", "key=00\n\nrotation=1\n"] {
            std::fs::write(&path, damaged).unwrap();
            let result = journal.rotations().map(drop);
            assert!(matches!(result, Err(Error::Damaged(_))), "{damaged}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), damaged);
        }
        std::fs::remove_file(&path).unwrap();
        assert!(!journal.rotations().unwrap().has_begun(&old));
    }
}
