//! Which secrets are of no use any more, so that a copy of one is known wherever it turns up.

use std::ops::RangeInclusive;

use super::about::{About, Fingerprint};
use super::known::{Known, Outcome};
use super::mark::Mark;
use super::{Contents, Entry, Error, Journal, LONG_PATIENCE, Topic};
use crate::credential::Credential;
use crate::credential::expiry::Expiry;
use crate::credential::key::Key;
use crate::files::owned::Folder;
use crate::time::Now;

/// What the journal said of the dead, at one moment.
#[derive(Default)]
pub struct Snapshot(Option<Contents>);

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Snapshot")
    }
}

impl Snapshot {
    /// Whether `credential` holds a secret that died at its host for its user, and when. What was refused or replaced under
    /// another path may be good under its own: some forges' tokens are for one organization or repository alone.
    pub fn mark_of(&self, credential: &Credential) -> Option<(Mark, u64)> {
        let contents = self.0.as_ref()?;
        let about = contents.about_secret(credential);
        let mut entries = contents.entries.iter();
        entries.find_map(|entry| {
            let (fate, at) = entry.death()?;
            let reaches =
                entry.is_of(&about) && fate.reaches(entry.path(), credential.key.path.as_deref());
            reaches.then_some((fate, at))
        })
    }
}

impl Snapshot {
    /// Whether `credential`'s secret was refused, replaced or taken away in this time, in milliseconds since 1970.
    pub fn died_within(&self, credential: &Credential, time: RangeInclusive<u64>) -> bool {
        let contents = self.0.as_ref();
        contents.is_some_and(|contents| {
            let about = contents.about_secret(credential);
            let path = credential.key.path.as_deref();
            contents.entries.iter().any(|entry| {
                let reaches = entry.fate.map_or(entry.path() == path, |(fate, _)| {
                    fate.reaches(entry.path(), path)
                });
                entry.known.died.is_some_and(|died| time.contains(&died))
                    && entry.is_of(&about)
                    && reaches
            })
        })
    }

    /// What is known of this very secret under this very key.
    pub fn known(&self, credential: &Credential) -> Option<&Known> {
        let contents = self.0.as_ref()?;
        let about = contents.about(Topic::ExpiresSoon(credential));
        let mut entries = contents.entries.iter();
        let found = entries.find(|entry| entry.about == about)?;
        Some(&found.known)
    }

    /// What is known of the secrets that were kept under `key`: of the one stored or asked about last.
    pub fn latest(&self, key: &Key) -> Option<&Known> {
        let contents = self.0.as_ref()?;
        let owner = contents.owner(key);
        let is_of = |entry: &&Entry| {
            entry
                .about
                .as_ref()
                .is_some_and(|about| about.owner == owner)
        };
        let known = contents
            .entries
            .iter()
            .filter(is_of)
            .map(|entry| &entry.known);
        known.max_by_key(|known| known.since.max(known.asked))
    }

    /// Whether anything is known of the user of `key` at its host.
    pub fn knows_user_of(&self, key: &Key) -> bool {
        let Some(contents) = &self.0 else {
            return false;
        };
        let owner = contents.owner(key);
        let mut known = contents
            .entries
            .iter()
            .filter_map(|entry| entry.about.as_ref());
        known.any(|about| about.owner.is_same_user(&owner))
    }

    /// Whether this secret was ever kept by us for its user, or found good, under whatever path.
    pub fn was_good(&self, credential: &Credential) -> bool {
        let Some(contents) = &self.0 else {
            return false;
        };
        let about = contents.about_secret(credential);
        contents.entries.iter().any(|entry| {
            let Known {
                since,
                accepted,
                outcome,
                ..
            } = &entry.known;
            let is_good = since.is_some() || accepted.is_some() || *outcome == Some(Outcome::Good);
            is_good && entry.is_of(&about)
        })
    }

    /// Tells two secrets apart in what a person is shown, and nothing about either: the beginning of the fingerprint.
    pub fn mark(&self, credential: &Credential) -> Option<String> {
        let contents = self.0.as_ref().filter(|_| credential.is_complete())?;
        let Fingerprint(mut digits) = contents.about_secret(credential).secret;
        digits.truncate(6);
        Some(digits)
    }
}

impl Journal {
    /// Notes that `credential`'s secret is dead. That its end has passed says nothing where the same secret was stored under
    /// another path after that.
    pub fn bury(&self, credential: &Credential, fate: Mark, now: Now) -> Result<(), Error> {
        self.change_within(LONG_PATIENCE, now.unix, |contents| {
            if fate == Mark::Expired && contents.has_outlived(credential) {
                return false;
            }
            let about = contents.about(Topic::ExpiresSoon(credential));
            let entry = contents.entry(about);
            entry.fate = Some((fate, now.unix));
            entry.known.died = (fate != Mark::Expired).then(|| now.milliseconds());
            true
        })
        .map(drop)
    }

    /// Notes that another one takes the places of these now, or that somebody takes them away, which says nothing ill of them.
    pub fn note_gone(&self, gone: &[Credential], now: Now) -> Result<(), Error> {
        if gone.is_empty() {
            return Ok(());
        }
        self.change_within(LONG_PATIENCE, now.unix, |contents| {
            for credential in gone {
                let about = contents.about(Topic::ExpiresSoon(credential));
                contents.entry(about).known.died = Some(now.milliseconds());
            }
            true
        })
        .map(drop)
    }

    /// Takes it back: `credential` was accepted after all. Writes nothing if nobody thought otherwise.
    pub fn revive(&self, credential: &Credential, unix_now: u64) -> Result<(), Error> {
        if self.snapshot()?.mark_of(credential).is_none() {
            return Ok(());
        }
        self.change(unix_now, |contents| {
            let about = contents.about_secret(credential);
            for entry in &mut contents.entries {
                if entry.death().is_some() && entry.is_of(&about) {
                    entry.fate = None;
                    entry.known.died = None;
                    entry.known.outcome = entry
                        .known
                        .outcome
                        .filter(|&said| Mark::told_by(said).is_none());
                }
            }
            true
        })
        .map(drop)
    }

    /// All that is known to be dead.
    pub fn snapshot(&self) -> Result<Snapshot, Error> {
        let contents = match Folder::open(&self.folder)? {
            Some(folder) => Contents::read(&folder)?,
            None => None,
        };
        Ok(Snapshot(contents))
    }

    /// The same, with a key that gives one secret the same mark tomorrow: where there is no journal yet, one is begun.
    pub fn marked(&self, unix_now: u64) -> Result<Snapshot, Error> {
        let dead = self.snapshot()?;
        if dead.0.is_some() {
            return Ok(dead);
        }
        self.change(unix_now, |_| true)?;
        self.snapshot()
    }
}

impl Contents {
    fn has_outlived(&self, credential: &Credential) -> bool {
        let end = credential.expiry.map(Expiry::unix);
        let about = self.about_secret(credential);
        self.entries.iter().any(|entry| {
            let is_other = entry.about.as_ref() != Some(&about);
            let Known {
                since, accepted, ..
            } = entry.known;
            is_other && since.max(accepted) > end && end.is_some() && entry.is_of(&about)
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

    /// By what git said, else by what its forge said.
    fn death(&self) -> Option<(Mark, u64)> {
        let told = || Some((Mark::told_by(self.known.outcome?)?, self.known.asked?));
        self.fate.or_else(told)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::{DAY, journal, token};
    use super::super::{KEPT, MOST_DEAD};
    use super::*;

    fn at(unix_now: u64) -> Now {
        Now {
            monotonic: Duration::ZERO,
            unix: unix_now,
            fraction: 250,
        }
    }

    #[test]
    fn knows_when_they_died() {
        let (_home, journal) = journal();
        let (old, new) = (token("alice", "one"), token("alice", "two"));
        let died = |credential: &Credential, time| {
            journal.snapshot().unwrap().died_within(credential, time)
        };
        journal.bury(&old, Mark::Superseded, at(1000)).unwrap();
        assert!(died(&old, 1_000_250..=1_000_250));
        assert!(!died(&old, 1_000_251..=u64::MAX) && !died(&old, 0..=1_000_249));
        assert!(!died(&new, 0..=u64::MAX));
        let mut elsewhere = token("alice", "one");
        elsewhere.key.path = Some(b"a.git".to_vec());
        assert!(
            !died(&elsewhere, 0..=u64::MAX),
            "what is replaced for all may be one's own"
        );
        journal.revive(&old, 1001).unwrap();
        assert!(!died(&old, 0..=u64::MAX));
        journal.bury(&old, Mark::Expired, at(1002)).unwrap();
        assert!(!died(&old, 0..=u64::MAX), "nobody did anything then");
        journal
            .note_gone(&[token("alice", "two")], at(1003))
            .unwrap();
        assert!(died(&new, 1_003_250..=1_003_250));
        assert_eq!(journal.snapshot().unwrap().mark_of(&new), None);
    }

    #[test]
    fn knows_the_dead_by_their_secret() {
        let (_home, journal) = journal();
        let (old, new) = (token("alice", "one"), token("alice", "two"));
        let fate = |credential: &Credential| journal.snapshot().unwrap().mark_of(credential);
        journal.revive(&new, 1000).unwrap();
        assert!(!journal.folder.exists(), "nothing to take back");
        journal.bury(&old, Mark::Rejected, at(1000)).unwrap();
        assert_eq!(fate(&old), Some((Mark::Rejected, 1000)));
        assert_eq!((fate(&new), fate(&token("bob", "one"))), (None, None));
        let mut elsewhere = token("alice", "one");
        elsewhere.key.path = Some(b"a.git".to_vec());
        assert_eq!(fate(&elsewhere), Some((Mark::Rejected, 1000)));

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
        assert_eq!(fate(&old), Some((Mark::Rejected, 1000)), "and still dead");
        journal.bury(&old, Mark::Superseded, at(1003)).unwrap();
        assert!(
            !journal
                .is_news(Topic::ExpiresSoon(&old), DAY, 1004)
                .unwrap()
        );
        journal.revive(&old, 1005).unwrap();
        assert_eq!(fate(&old), None);
        assert!(
            !journal
                .is_news(Topic::ExpiresSoon(&old), DAY, 1006)
                .unwrap()
        );
    }

    #[test]
    fn marks_tell_secrets_apart_and_nothing_else() {
        let ((_home, journal), (_elsewhere, other)) = (journal(), journal());
        let mark = |dead: &Snapshot, password: &str| dead.mark(&token("alice", password)).unwrap();
        assert_eq!(
            journal.snapshot().unwrap().mark(&token("alice", "one")),
            None
        );
        assert!(!journal.folder.exists(), "nothing is written for it");
        let dead = journal.marked(1000).unwrap();
        assert_eq!(mark(&dead, "one"), mark(&dead, "one"));
        assert_ne!(mark(&dead, "one"), mark(&dead, "two"));
        let other = other.marked(1000).unwrap();
        assert_ne!(mark(&dead, "one"), mark(&other, "one"), "another key");
        let again = journal.marked(2000).unwrap();
        assert_eq!(mark(&dead, "one"), mark(&again, "one"));
        journal
            .bury(&token("alice", "x"), Mark::Rejected, at(1000))
            .unwrap();
        let (dead, again) = (journal.snapshot().unwrap(), journal.snapshot().unwrap());
        assert_eq!(mark(&dead, "one"), mark(&again, "one"), "the journal's key");
        let mut wiped = token("alice", "one");
        wiped.wipe_expired();
        assert_eq!(dead.mark(&wiped), None);
    }

    #[test]
    fn what_a_forge_says_of_a_secret_counts() {
        let (_home, journal) = journal();
        let token = token("alice", "one");
        for (said, expected) in [
            (Outcome::Good, None),
            (Outcome::Rejected, None),
            (Outcome::Ended, Some((Mark::Expired, 1000))),
            (Outcome::Revoked, Some((Mark::Rejected, 1000))),
        ] {
            journal
                .learn(&token, 1000, |known| {
                    known.asked = Some(1000);
                    known.outcome = Some(said);
                })
                .unwrap();
            assert_eq!(journal.snapshot().unwrap().mark_of(&token), expected);
        }
        journal.revive(&token, 1001).unwrap();
        assert_eq!(journal.snapshot().unwrap().mark_of(&token), None);
    }

    #[test]
    fn the_dead_are_bounded_and_forgotten() {
        let mut contents = Contents::new().unwrap();
        for number in 0..MOST_DEAD as u64 + 10 {
            let about = Some(About {
                secret: Fingerprint(number.to_string()),
                ..contents.about_secret(&token("alice", ""))
            });
            contents.entry(about).fate = Some((Mark::Rejected, 1000 + number));
        }
        contents.entries.insert(
            0,
            Entry {
                said: Some(1000),
                ..Entry::default()
            },
        );
        contents.forget(2000);
        assert_eq!(contents.entries.len(), MOST_DEAD + 1);
        contents.forget(1100 + KEPT);
        assert_eq!(contents.entries.len(), MOST_DEAD - 91);
    }
}
