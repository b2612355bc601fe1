//! What the journal says of secrets at one moment, and the marks that it is given.

use std::cell::OnceCell;

use super::about::{About, Fingerprint};
use super::known::{Known, LookupOutcome};
use super::mark::Mark;
use super::places::{UserPlaces, entries_for};
use super::{Contents, Entry, Error, JOURNAL, Journal, LONG_PATIENCE, PATIENCE};
use crate::credential::Credential;
use crate::credential::expiry::Expiry;
use crate::credential::key::Key;
use crate::trace::{self, counted};

/// How long a displacement counts: a slow command that still uses the other secret has finished by then.
pub(super) const DISPLACED: u64 = 12 * 3600;

/// A mark, and when it was set, in Unix seconds.
pub type MarkedAt = (Mark, u64);

/// The journal at one moment. Empty if there is none.
#[derive(Default)]
pub struct Snapshot {
    contents: Option<Contents>,
    /// If many questions are to come.
    places: Option<UserPlaces>,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Snapshot")
    }
}

impl Snapshot {
    fn of(contents: Option<Contents>) -> Self {
        Self {
            contents,
            places: None,
        }
    }

    /// Prepares for many questions: each one then looks at the entries of one user alone.
    #[must_use]
    pub fn for_many(self) -> Self {
        let contents = self.contents.as_ref();
        Self {
            places: contents.map(|contents| UserPlaces::of(&contents.entries)),
            ..self
        }
    }

    fn entries_for(&self, key: &Key) -> impl Iterator<Item = &Entry> {
        entries_for(self.contents.as_ref(), self.places.as_ref(), key)
    }

    /// The mark by which a copy of `credential`'s secret is stale, and its time in Unix seconds. A secret that was rejected or
    /// superseded under another path may be good under its own: some forges' tokens are for one organization alone.
    pub fn mark_of(&self, credential: &Credential) -> Option<MarkedAt> {
        self.first_mark(credential, |mark, _| mark.is_of_copies())
    }

    /// Whether `credential` must not be used in a conflict: rejected, superseded or removed.
    pub fn is_invalid(&self, credential: &Credential) -> bool {
        self.first_mark(credential, |mark, _| is_invalid(mark))
            .is_some()
    }

    /// Whether `credential` is invalid, or was displaced a short time before `unix_now`.
    pub fn is_invalid_or_displaced(&self, credential: &Credential, unix_now: u64) -> bool {
        let counts =
            |mark, at| is_invalid(mark) || mark == Mark::Displaced && is_recent(at, unix_now);
        self.first_mark(credential, counts).is_some()
    }

    /// Whether anything is marked for `credential`'s secret that a confirmation clears.
    pub fn is_marked(&self, credential: &Credential, only: Option<Mark>) -> bool {
        let counts = |mark, _| only.is_none_or(|only| only == mark);
        self.first_mark(credential, counts).is_some()
    }

    fn first_mark(
        &self,
        credential: &Credential,
        counts: impl Fn(Mark, u64) -> bool,
    ) -> Option<(Mark, u64)> {
        let contents = self.contents.as_ref()?;
        let about = OnceCell::new();
        let path = credential.key.path.as_deref();
        for entry in self.entries_for(&credential.key) {
            if let Some((mark, at)) = entry.effective_mark()
                && counts(mark, at)
                && mark.reaches(entry.path(), path)
                && entry.is_of(about.get_or_init(|| contents.about_secret(credential)))
            {
                return Some((mark, at));
            }
        }
        None
    }

    /// The knowledge of this very secret under this very key.
    pub fn known(&self, credential: &Credential) -> Option<&Known> {
        let contents = self.contents.as_ref()?;
        let about = contents.about_secret(credential);
        let mut entries = self.entries_for(&credential.key);
        let found = entries.find(|entry| entry.about.as_ref() == Some(&about))?;
        Some(&found.known)
    }

    /// The knowledge of the secret under `key` that was stored, confirmed or looked up last, and the mark by which it is stale.
    /// Of several, one with the `expiry` of the stored entry comes first, since another storage may have another secret. A secret
    /// with a mark has given way to another.
    pub fn stored(&self, key: &Key, expiry: Option<Expiry>) -> Option<(&Known, Option<MarkedAt>)> {
        let owner = self.contents.as_ref()?.owner(key);
        let is_of = |about: &About| about.owner == owner;
        let latest = self
            .entries_for(key)
            .filter(|entry| entry.about.as_ref().is_some_and(is_of))
            .max_by_key(|entry| {
                let known = &entry.known;
                (
                    expiry.is_some() && known.end.map(|(end, _)| end) == expiry,
                    entry.effective_mark().is_none(),
                    known.since.max(known.used).max(known.asked),
                )
            })?;
        let mark = latest.effective_mark();
        Some((&latest.known, mark.filter(|(mark, _)| mark.is_of_copies())))
    }

    /// Whether the journal has an entry about the user of `key` at its host.
    pub fn knows_user_of(&self, key: &Key) -> bool {
        let Some(contents) = &self.contents else {
            return false;
        };
        let owner = contents.owner(key);
        let mut known = self.entries_for(key).flat_map(|entry| &entry.about);
        known.any(|about| about.owner.is_same_user(&owner))
    }

    /// Whether this secret was ever kept for its user, or found good, under any path.
    pub fn was_good(&self, credential: &Credential) -> bool {
        let Some(contents) = &self.contents else {
            return false;
        };
        let about = contents.about_secret(credential);
        self.entries_for(&credential.key).any(|entry| {
            let known = &entry.known;
            let was_kept = known.since.or(known.accepted).or(known.used).is_some();
            (was_kept || known.outcome == Some(LookupOutcome::Good)) && entry.is_of(&about)
        })
    }

    /// Tells two secrets apart in what a user is shown, and says nothing about either: the first digits of the fingerprint.
    pub fn tag(&self, credential: &Credential) -> Option<String> {
        let contents = self
            .contents
            .as_ref()
            .filter(|_| credential.is_complete())?;
        let Fingerprint(mut digits) = contents.about_secret(credential).secret;
        digits.truncate(6);
        Some(digits)
    }
}

impl Journal {
    /// Marks the secret of `credential`. An expiry says nothing if the same secret was stored under another path after it.
    pub fn mark(&self, credential: &Credential, mark: Mark, unix_now: u64) -> Result<(), Error> {
        self.mark_all(std::slice::from_ref(credential), mark, unix_now)
    }

    /// Marks the secrets of all of these.
    pub fn mark_all(&self, all: &[Credential], mark: Mark, unix_now: u64) -> Result<(), Error> {
        if all.is_empty() {
            return Ok(());
        }
        trace::tell(JOURNAL, || {
            let secrets = counted(all.len(), "secret", "secrets");
            format!("marks {secrets} as {}", mark.word())
        });
        self.change_within(LONG_PATIENCE, unix_now, |contents| {
            let mut is_changed = false;
            for credential in all {
                if mark != Mark::Expired || !contents.has_outlived(credential) {
                    contents.mark(credential, mark, unix_now);
                    is_changed = true;
                }
            }
            is_changed
        })
        .map(drop)
    }

    /// Removes the marks of `credential`'s secret: all, or `only` this one. Writes nothing if there is none.
    pub fn clear(
        &self,
        credential: &Credential,
        only: Option<Mark>,
        unix_now: u64,
    ) -> Result<(), Error> {
        self.change(unix_now, |contents| contents.clear(credential, only))
            .map(drop)
    }

    /// Writes down in one step that `stored` is about to be stored: sets `mark` on the secrets that give way, clears the
    /// marks of `stored` (all, or `only` this one), and has `learn` add what is known of it.
    pub fn record(
        &self,
        (displaced, mark): (&[&Credential], Mark),
        (stored, only): (&Credential, Option<Mark>),
        learn: impl FnOnce(&mut Known),
        unix_now: u64,
    ) -> Result<(), Error> {
        // A mark that is not written may cost a token later; knowledge is found out again.
        let patience = if displaced.is_empty() {
            PATIENCE
        } else {
            LONG_PATIENCE
        };
        trace::tell(JOURNAL, || {
            if displaced.is_empty() {
                return "notes what is known of the secret that is stored".to_owned();
            }
            let secrets = counted(displaced.len(), "other secret", "other secrets");
            format!(
                "notes the secret that is stored, and marks {secrets} as {}",
                mark.word()
            )
        });
        self.change_within(patience, unix_now, |contents| {
            for other in displaced {
                contents.mark(other, mark, unix_now);
            }
            let is_cleared = contents.clear(stored, only);
            let is_learnt = contents.learn(stored, learn);
            !displaced.is_empty() || is_cleared || is_learnt
        })
        .map(drop)
    }

    /// The journal as it is now.
    pub fn snapshot(&self) -> Result<Snapshot, Error> {
        Ok(Snapshot::of(self.contents()?))
    }

    /// The same, and fails if the journal is damaged: it is not begun anew.
    pub fn whole_snapshot(&self) -> Result<Snapshot, Error> {
        Ok(Snapshot::of(self.contents_by(Contents::read_whole)?))
    }

    /// The journal as it is now, with a key that gives one secret the same tag tomorrow: if there is no journal yet, one is begun.
    pub fn tagged(&self, unix_now: u64) -> Result<Snapshot, Error> {
        let snapshot = self.snapshot()?;
        if snapshot.contents.is_some() {
            return Ok(snapshot);
        }
        self.change(unix_now, |_| true)?;
        self.snapshot()
    }
}

fn is_invalid(mark: Mark) -> bool {
    matches!(mark, Mark::Rejected | Mark::Superseded | Mark::Removed)
}

/// A time in the future was written before the clock was set back: it does not count.
fn is_recent(at: u64, unix_now: u64) -> bool {
    at <= unix_now && unix_now - at < DISPLACED
}

impl Contents {
    fn mark(&mut self, credential: &Credential, mark: Mark, unix_now: u64) {
        let about = Some(self.about_secret(credential));
        let entry = self.entry(about);
        if entry.mark.is_none_or(|(former, _)| mark.outranks(former)) {
            entry.mark = Some((mark, unix_now));
        }
    }

    /// Returns whether anything was cleared.
    fn clear(&mut self, credential: &Credential, only: Option<Mark>) -> bool {
        let about = self.about_secret(credential);
        let mut is_cleared = false;
        for entry in &mut self.entries {
            let marked = entry.effective_mark().filter(|_| entry.is_of(&about));
            if marked.is_some_and(|(mark, _)| only.is_none_or(|only| only == mark)) {
                entry.mark = None;
                let outcome = &mut entry.known.outcome;
                *outcome = outcome.filter(|&said| Mark::told_by(said).is_none());
                is_cleared = true;
            }
        }
        is_cleared
    }

    /// Returns whether anything was learnt.
    pub(super) fn learn(
        &mut self,
        credential: &Credential,
        learn: impl FnOnce(&mut Known),
    ) -> bool {
        let about = self.about_secret(credential);
        let mut known = self.known(&about).cloned().unwrap_or_default();
        let before = known.clone();
        learn(&mut known);
        let is_learnt = known != before;
        if is_learnt {
            self.entry(Some(about)).known = known;
        }
        is_learnt
    }

    fn known(&self, about: &About) -> Option<&Known> {
        let mut entries = self.entries.iter();
        let found = entries.find(|entry| entry.about.as_ref() == Some(about))?;
        Some(&found.known)
    }

    fn has_outlived(&self, credential: &Credential) -> bool {
        let end = credential.expiry.map(Expiry::unix);
        let about = self.about_secret(credential);
        self.entries.iter().any(|entry| {
            let is_other = entry.about.as_ref() != Some(&about);
            let stored = entry.known.since.max(entry.known.accepted);
            is_other && stored > end && end.is_some() && entry.is_of(&about)
        })
    }
}

impl Entry {
    fn is_of(&self, about: &About) -> bool {
        let known = self.about.as_ref();
        known.is_some_and(|known| known.is_same_secret(about))
    }

    fn path(&self) -> Option<&[u8]> {
        self.about.as_ref()?.owner.place.path.as_deref()
    }

    /// The mark that was set, else the one that the forge's answer amounts to.
    fn effective_mark(&self) -> Option<(Mark, u64)> {
        let told = || Some((Mark::told_by(self.known.outcome?)?, self.known.asked?));
        self.mark.or_else(told)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{DAY, journal, token};
    use super::super::{KEPT, MOST_MARKED, NAME, Topic};
    use super::*;

    #[test]
    fn a_displacement_counts_for_twelve_hours_and_in_a_conflict_only() {
        let (_home, journal) = journal();
        let old = token("alice", "one");
        let mut elsewhere = token("alice", "one");
        elsewhere.key.path = Some(b"a.git".to_vec());
        journal.mark(&old, Mark::Displaced, 1000).unwrap();
        let snapshot = journal.snapshot().unwrap();
        let counts = |token, unix_now| snapshot.is_invalid_or_displaced(token, unix_now);
        assert!(counts(&old, 1000) && counts(&old, 1000 + DISPLACED - 1));
        assert!(!counts(&old, 1000 + DISPLACED));
        assert!(!counts(&old, 999), "after the clock was set back");
        assert!(!counts(&elsewhere, 1000), "another path");
        assert!(!snapshot.is_invalid(&old) && snapshot.mark_of(&old).is_none());
    }

    #[test]
    fn a_token_that_is_entered_again_is_the_latest_one() {
        let (_home, journal) = journal();
        let (old, new) = (token("alice", "one"), token("alice", "two"));
        for (credential, unix) in [(&old, 1000), (&new, 1001)] {
            let learnt = journal.learn(credential, unix, |known| known.since = Some(unix));
            learnt.unwrap();
        }
        let latest = || {
            let snapshot = journal.snapshot().unwrap();
            let found = snapshot.stored(&old.key, None);
            found.and_then(|(known, _)| known.since)
        };
        assert_eq!(latest(), Some(1001));
        journal.mark(&new, Mark::Superseded, 1002).unwrap();
        assert_eq!(latest(), Some(1000));
    }

    #[test]
    fn one_that_is_prepared_for_many_questions_answers_the_same() {
        let (_home, journal) = journal();
        let mut elsewhere = token("alice", "one");
        elsewhere.key.path = Some(b"a.git".to_vec());
        let all = [
            token("alice", "one"),
            token("alice", "two"),
            token("bob", "one"),
            elsewhere,
        ];
        journal.mark(&all[0], Mark::Rejected, 1000).unwrap();
        journal.mark(&all[1], Mark::Superseded, 1001).unwrap();
        let learnt = journal.learn(&all[3], 1002, |known| known.since = Some(1002));
        learnt.unwrap();
        let (scanned, prepared) = (journal.snapshot(), journal.snapshot());
        let (scanned, prepared) = (scanned.unwrap(), prepared.unwrap().for_many());
        let mut marked = 0;
        for one in &all {
            marked += usize::from(scanned.mark_of(one).is_some());
            assert_eq!(scanned.mark_of(one), prepared.mark_of(one));
            assert_eq!(scanned.known(one), prepared.known(one));
            assert_eq!(scanned.was_good(one), prepared.was_good(one));
            let stored = |snapshot: &Snapshot| format!("{:?}", snapshot.stored(&one.key, None));
            assert_eq!(stored(&scanned), stored(&prepared));
            let knows = |snapshot: &Snapshot| snapshot.knows_user_of(&one.key);
            assert_eq!(knows(&scanned), knows(&prepared));
        }
        assert_eq!(marked, 3, "a rejection without a path counts under each");
    }

    #[test]
    fn a_removal_counts_in_a_conflict_only() {
        let (_home, journal) = journal();
        let old = token("alice", "one");
        journal.mark(&old, Mark::Removed, 1000).unwrap();
        let snapshot = journal.snapshot().unwrap();
        assert!(snapshot.is_invalid(&old) && snapshot.mark_of(&old).is_none());
    }

    #[test]
    fn a_mark_that_says_more_stays() {
        let (_home, journal) = journal();
        let old = token("alice", "one");
        let mark = || {
            journal
                .snapshot()
                .unwrap()
                .mark_of(&old)
                .map(|(mark, _)| mark)
        };
        journal.mark(&old, Mark::Displaced, 1000).unwrap();
        journal.mark(&old, Mark::Rejected, 1001).unwrap();
        journal.mark(&old, Mark::Removed, 1002).unwrap();
        journal.mark(&old, Mark::Displaced, 1003).unwrap();
        assert_eq!(mark(), Some(Mark::Rejected));
        journal.mark(&old, Mark::Superseded, 1004).unwrap();
        assert_eq!(mark(), Some(Mark::Superseded));
    }

    #[test]
    fn one_write_marks_clears_and_learns() {
        let (_home, journal) = journal();
        let (old, new) = (token("alice", "one"), token("alice", "two"));
        journal.mark(&new, Mark::Removed, 1000).unwrap();
        journal
            .record(
                (&[&old], Mark::Superseded),
                (&new, None),
                |known| known.since = Some(1001),
                1001,
            )
            .unwrap();
        let snapshot = journal.snapshot().unwrap();
        assert_eq!(snapshot.mark_of(&old), Some((Mark::Superseded, 1001)));
        assert!(!snapshot.is_marked(&new, None));
        assert_eq!(snapshot.known(&new).unwrap().since, Some(1001));
    }

    #[test]
    fn a_rejection_alone_is_cleared_by_an_answer_that_worked() {
        let (_home, journal) = journal();
        let token = token("alice", "one");
        for (mark, is_cleared) in [(Mark::Rejected, true), (Mark::Superseded, false)] {
            journal.mark(&token, mark, 1000).unwrap();
            let only = Some(Mark::Rejected);
            journal
                .record((&[], Mark::Displaced), (&token, only), |_| {}, 1001)
                .unwrap();
            assert_eq!(
                journal.snapshot().unwrap().is_marked(&token, None),
                !is_cleared
            );
        }
    }

    #[test]
    fn knows_marked_tokens_by_their_secret() {
        let (_home, journal) = journal();
        let (old, new) = (token("alice", "one"), token("alice", "two"));
        let mark = |credential: &Credential| journal.snapshot().unwrap().mark_of(credential);
        journal.clear(&new, None, 1000).unwrap();
        assert!(!journal.folder.join(NAME).exists(), "nothing to take back");
        journal.mark(&old, Mark::Rejected, 1000).unwrap();
        assert_eq!(mark(&old), Some((Mark::Rejected, 1000)));
        assert_eq!((mark(&new), mark(&token("bob", "one"))), (None, None));
        let mut elsewhere = token("alice", "one");
        elsewhere.key.path = Some(b"a.git".to_vec());
        assert_eq!(mark(&elsewhere), Some((Mark::Rejected, 1000)));

        assert!(
            journal
                .is_news(Topic::ExpiresSoon(&old), DAY, 1001)
                .unwrap()
        );
        assert!(
            !journal
                .is_news(Topic::ExpiresSoon(&old), DAY, 1002)
                .unwrap()
        );
        assert_eq!(mark(&old), Some((Mark::Rejected, 1000)), "and still marked");
        journal.mark(&old, Mark::Superseded, 1003).unwrap();
        assert!(
            !journal
                .is_news(Topic::ExpiresSoon(&old), DAY, 1004)
                .unwrap()
        );
        journal.clear(&old, None, 1005).unwrap();
        assert_eq!(mark(&old), None);
        assert!(
            !journal
                .is_news(Topic::ExpiresSoon(&old), DAY, 1006)
                .unwrap()
        );
    }

    #[test]
    fn tags_tell_secrets_apart_and_nothing_else() {
        let ((_home, journal), (_elsewhere, other)) = (journal(), journal());
        let tag =
            |snapshot: &Snapshot, password: &str| snapshot.tag(&token("alice", password)).unwrap();
        assert_eq!(
            journal.snapshot().unwrap().tag(&token("alice", "one")),
            None
        );
        assert!(!journal.folder.exists(), "nothing is written for it");
        let snapshot = journal.tagged(1000).unwrap();
        assert_eq!(tag(&snapshot, "one"), tag(&snapshot, "one"));
        assert_ne!(tag(&snapshot, "one"), tag(&snapshot, "two"));
        let other = other.tagged(1000).unwrap();
        assert_ne!(tag(&snapshot, "one"), tag(&other, "one"), "another key");
        let again = journal.tagged(2000).unwrap();
        assert_eq!(tag(&snapshot, "one"), tag(&again, "one"));
        journal
            .mark(&token("alice", "x"), Mark::Rejected, 1000)
            .unwrap();
        let (snapshot, again) = (journal.snapshot().unwrap(), journal.snapshot().unwrap());
        assert_eq!(
            tag(&snapshot, "one"),
            tag(&again, "one"),
            "the journal's key"
        );
        let mut wiped = token("alice", "one");
        wiped.wipe_expired();
        assert_eq!(snapshot.tag(&wiped), None);
    }

    #[test]
    fn what_a_forge_says_of_a_secret_counts() {
        let (_home, journal) = journal();
        let token = token("alice", "one");
        for (said, expected) in [
            (LookupOutcome::Good, None),
            (LookupOutcome::Rejected, None),
            (LookupOutcome::Ended, Some((Mark::Expired, 1000))),
            (LookupOutcome::Revoked, Some((Mark::Rejected, 1000))),
        ] {
            journal
                .learn(&token, 1000, |known| {
                    known.asked = Some(1000);
                    known.outcome = Some(said);
                })
                .unwrap();
            assert_eq!(journal.snapshot().unwrap().mark_of(&token), expected);
        }
        journal.clear(&token, None, 1001).unwrap();
        assert_eq!(journal.snapshot().unwrap().mark_of(&token), None);
    }

    #[test]
    fn marks_are_bounded_and_forgotten() {
        let mut contents = Contents::new().unwrap();
        for number in 0..MOST_MARKED as u64 + 10 {
            let about = Some(About {
                secret: Fingerprint(number.to_string()),
                ..contents.about_secret(&token("alice", ""))
            });
            contents.entry(about).mark = Some((Mark::Rejected, 1000 + number));
        }
        contents.entries.insert(
            0,
            Entry {
                said: Some(1000),
                ..Entry::default()
            },
        );
        contents.forget(2000);
        assert_eq!(contents.entries.len(), MOST_MARKED + 1);
        contents.forget(1100 + KEPT);
        assert_eq!(contents.entries.len(), MOST_MARKED - 91);
    }
}
