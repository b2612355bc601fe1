//! Credentials in the memory of the daemon, each until a timeout.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use super::{Error, Expected, Listed, Position, Storage, StorageKind};
use crate::credential::Credential;
use crate::credential::expiry::Expiry;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::time::{Clock, Now};

/// How long memory keeps an entry: until the first of these two, or the expiry of its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// The time after the last use.
    pub timeout: Duration,
    /// The time after the secret was stored.
    pub max_age: Duration,
}

const UNLIMITED: Lifetime = Lifetime {
    timeout: Duration::MAX,
    max_age: Duration::MAX,
};

pub struct Memory {
    clock: Clock,
    by_origin: RefCell<HashMap<Origin, Vec<MemoryEntry>>>,
}

/// Every query has a protocol and a host, so they select the few entries that can match.
#[derive(PartialEq, Eq, Hash)]
struct Origin {
    protocol: Vec<u8>,
    host: Vec<u8>,
}

struct MemoryEntry {
    credential: Credential,
    lifetime: Lifetime,
    stored: Duration,
    /// When it was last stored, with the same secret too.
    written: Duration,
    used: Duration,
}

impl MemoryEntry {
    /// When to forget the entry, on the monotonic clock.
    fn forgotten(&self) -> Duration {
        let Lifetime { timeout, max_age } = self.lifetime;
        self.used
            .saturating_add(timeout)
            .min(self.stored.saturating_add(max_age))
    }

    /// Wipes expired secrets. Returns false if the entry must be forgotten.
    fn age(&mut self, now: Now) -> bool {
        if self.credential.is_expired(now.unix) {
            self.credential.wipe_expired();
        }
        now.monotonic < self.forgotten()
    }

    /// The time until [`MemoryEntry::age`] changes something.
    fn due(&self, now: Now) -> Duration {
        let forgotten = self.forgotten().saturating_sub(now.monotonic);
        match self
            .credential
            .expiry
            .filter(|_| self.credential.is_complete())
        {
            // One second more: a token still works in its last second.
            Some(expiry) => forgotten.min(Duration::from_secs(expiry.left(now.unix) + 1)),
            None => forgotten,
        }
    }
}

impl Memory {
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            by_origin: RefCell::default(),
        }
    }

    /// As [`Storage::store`], for `lifetime`. To store the same secret again counts as a use and does not reset its age.
    pub fn store_for(&self, credential: &Credential, lifetime: Lifetime) {
        self.replace_for(credential, lifetime, Position::Newest, |_| true);
    }

    /// As [`Memory::store_for`], if the entry under its key is as expected. Returns whether it was stored.
    pub fn replace_for(
        &self,
        credential: &Credential,
        lifetime: Lifetime,
        position: Position,
        is_expected: impl FnOnce(Option<&Credential>) -> bool,
    ) -> bool {
        let now = (self.clock)();
        let mut by_origin = self.by_origin.borrow_mut();
        let entries = by_origin.entry(Origin::of(&credential.key)).or_default();
        entries.retain_mut(|entry| entry.age(now));
        let known = entries
            .iter()
            .position(|entry| entry.credential.key == credential.key);
        if !is_expected(known.map(|at| &entries[at].credential)) {
            return false;
        }
        // Copy before removing: the allocation may fail.
        let credential = credential.duplicate();
        let kept = known.map(|at| entries.remove(at));
        // The same secret keeps its age.
        let same = kept
            .as_ref()
            .filter(|kept| kept.credential.has_same_secrets(&credential));
        let (at, written) = match position {
            Position::Newest => (entries.len(), now.monotonic),
            Position::Behind => (
                known.unwrap_or(0),
                kept.as_ref().map_or(Duration::ZERO, |kept| kept.written),
            ),
        };
        let entry = MemoryEntry {
            credential,
            lifetime,
            stored: same.map_or(now.monotonic, |same| same.stored),
            written,
            used: now.monotonic,
        };
        if now.monotonic < entry.forgotten() {
            entries.insert(at, entry);
        }
        true
    }

    /// Forgets expired entries. Returns the time until the next sweep; `None` if memory is empty.
    pub fn sweep(&self) -> Option<Duration> {
        let now = (self.clock)();
        let mut next = None;
        self.by_origin.borrow_mut().retain(|_, entries| {
            entries.retain_mut(|entry| entry.age(now));
            next = entries.iter().map(|entry| entry.due(now)).chain(next).min();
            !entries.is_empty()
        });
        next
    }

    /// Forgets all entries and returns their number.
    pub fn clear(&self) -> usize {
        let count = self.len();
        self.by_origin.borrow_mut().clear();
        count
    }

    pub fn len(&self) -> usize {
        self.by_origin.borrow().values().map(Vec::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Storage for Memory {
    fn kind(&self) -> StorageKind {
        StorageKind::Memory
    }

    fn get(&self, wanted: &Query) -> Result<Option<Credential>, Error> {
        let now = (self.clock)();
        let mut by_origin = self.by_origin.borrow_mut();
        let Some(entries) = Origin::wanted(wanted).and_then(|origin| by_origin.get_mut(&origin))
        else {
            return Ok(None);
        };
        entries.retain_mut(|entry| entry.age(now));
        let found = entries
            .iter_mut()
            .rev()
            .find(|entry| wanted.matches(&entry.credential.key));
        Ok(found.map(|entry| {
            entry.used = now.monotonic;
            entry.credential.duplicate()
        }))
    }

    /// Keeps the entry until it is removed. Clients of the daemon give a lifetime: see [`Memory::store_for`].
    fn put(
        &self,
        credential: &Credential,
        position: Position,
        expected: Expected<'_>,
    ) -> Result<bool, Error> {
        let is_met = |kept: Option<&Credential>| expected.is_met(kept);
        Ok(self.replace_for(credential, UNLIMITED, position, is_met))
    }

    fn set_expiry(&self, kept: &Credential, end: Option<Expiry>) -> Result<bool, Error> {
        let mut by_origin = self.by_origin.borrow_mut();
        let entries = by_origin.get_mut(&Origin::of(&kept.key));
        for MemoryEntry { credential, .. } in entries.into_iter().flatten() {
            if credential.key == kept.key
                && credential.is_complete()
                && credential.has_same_secrets(kept)
            {
                credential.expiry = end;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn erase(&self, unwanted: &Query) -> Result<usize, Error> {
        let mut by_origin = self.by_origin.borrow_mut();
        let Some(entries) = Origin::wanted(unwanted).and_then(|origin| by_origin.get_mut(&origin))
        else {
            return Ok(0);
        };
        let before = entries.len();
        entries.retain(|entry| !entry.credential.is_named_by(unwanted));
        Ok(before - entries.len())
    }

    fn list(&self) -> Result<Vec<Listed>, Error> {
        self.sweep();
        let now = (self.clock)();
        let by_origin = self.by_origin.borrow();
        let mut entries: Vec<&MemoryEntry> = by_origin.values().flatten().collect();
        entries.sort_by_key(|entry| entry.written);
        let listed = entries.into_iter().map(|entry| {
            let left = entry.forgotten().saturating_sub(now.monotonic).as_secs();
            Listed {
                forgotten: now.unix.checked_add(left),
                ..Listed::of(&entry.credential)
            }
        });
        Ok(listed.collect())
    }

    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({} entries)", self.len())
    }
}

impl Origin {
    fn of(key: &Key) -> Self {
        Self {
            protocol: key.protocol.clone(),
            host: key.host.clone(),
        }
    }

    fn wanted(query: &Query) -> Option<Self> {
        Some(Self {
            protocol: query.protocol.clone()?,
            host: query.host.clone()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::secret::Secret;

    thread_local! {
        static NOW: Cell<Now> = const { Cell::new(Now { monotonic: Duration::from_secs(1000), unix: 1_000_000, fraction: 0 }) };
    }

    fn at(monotonic: u64, unix_now: u64) {
        NOW.set(Now {
            monotonic: Duration::from_secs(1000 + monotonic),
            unix: 1_000_000 + unix_now,
            fraction: 0,
        });
    }

    fn described(username: &str) -> Query {
        Query {
            protocol: Some(b"https".to_vec()),
            host: Some(b"example.test".to_vec()),
            username: Some(username.into()),
            ..Query::default()
        }
    }

    fn credential(username: &str, password: &str, expiry: Option<u64>) -> Credential {
        let password = Some(Secret::new(password.as_bytes()));
        let expiry = expiry.and_then(|after| Expiry::from_unix(1_000_000 + after));
        Credential::complete(Query {
            password,
            expiry,
            ..described(username)
        })
        .unwrap()
    }

    fn memory() -> Memory {
        at(0, 0);
        Memory::new(|| NOW.get())
    }

    fn lifetime(timeout: u64, max_age: u64) -> Lifetime {
        Lifetime {
            timeout: Duration::from_secs(timeout),
            max_age: Duration::from_secs(max_age),
        }
    }

    fn has(memory: &Memory, username: &str) -> bool {
        memory
            .get(&described(username))
            .unwrap()
            .is_some_and(|found| found.is_complete())
    }

    #[test]
    fn use_renews_the_timeout_but_not_the_age() {
        let memory = memory();
        memory.store_for(&credential("alice", "one", None), lifetime(60, 100));
        at(59, 59);
        assert!(has(&memory, "alice"));
        at(99, 99);
        memory.store_for(&credential("alice", "one", None), lifetime(60, 100));
        assert!(has(&memory, "alice"));
        at(100, 100);
        assert!(!has(&memory, "alice"));
    }

    #[test]
    fn unused_it_goes_at_the_timeout() {
        let memory = memory();
        memory.store_for(&credential("alice", "one", None), lifetime(60, 100));
        assert_eq!(memory.sweep(), Some(Duration::from_secs(60)));
        at(60, 60);
        assert_eq!((memory.sweep(), memory.len()), (None, 0));
    }

    #[test]
    fn learning_an_end_prolongs_nothing() {
        let memory = memory();
        memory.store_for(&credential("alice", "one", None), lifetime(100, 100));
        at(90, 90);
        memory.store_for(&credential("alice", "one", Some(5000)), lifetime(100, 100));
        at(100, 100);
        assert!(!has(&memory, "alice"));
    }

    #[test]
    fn what_somebody_stored_meanwhile_stays() {
        let memory = memory();
        let [old, new] = ["one", "two"].map(|secret| credential("alice", secret, None));
        memory.store(&new).unwrap();
        for seen in [None, Some(&old)] {
            assert!(!memory.replace(seen, &old).unwrap());
        }
        assert_eq!(memory.get(&described("alice")).unwrap().unwrap(), new);
        assert!(memory.replace(Some(&new), &old).unwrap());
        memory.clear();
        assert!(memory.replace(Some(&new), &old).unwrap());
        assert_eq!(memory.get(&described("alice")).unwrap().unwrap(), old);
    }

    #[test]
    fn only_the_same_secret_is_redated() {
        let memory = memory();
        let (old, new) = (
            credential("alice", "one", None),
            credential("alice", "two", None),
        );
        memory.store(&new).unwrap();
        assert!(
            !memory
                .set_expiry(&old, Expiry::from_unix(5_000_000))
                .unwrap()
        );
        assert!(
            memory
                .set_expiry(&new, Expiry::from_unix(5_000_000))
                .unwrap()
        );
        assert_eq!(
            memory.get(&described("alice")).unwrap().unwrap().expiry,
            Expiry::from_unix(5_000_000)
        );
        memory.clear();
        assert!(!memory.set_expiry(&new, None).unwrap() && memory.is_empty());
    }

    #[test]
    fn a_new_secret_begins_a_new_age() {
        let memory = memory();
        memory.store_for(&credential("alice", "one", None), lifetime(100, 100));
        at(90, 90);
        memory.store_for(&credential("alice", "two", None), lifetime(100, 100));
        at(150, 150);
        assert!(has(&memory, "alice"));
    }

    #[test]
    fn setting_the_wall_clock_moves_no_lifetime() {
        let memory = memory();
        memory.store_for(&credential("alice", "one", None), lifetime(60, 100));
        NOW.set(Now {
            unix: 10,
            fraction: 0,
            ..NOW.get()
        });
        assert!(has(&memory, "alice"));
        NOW.set(Now {
            monotonic: Duration::from_secs(1060),
            unix: 10,
            fraction: 0,
        });
        assert!(!has(&memory, "alice"));
    }

    #[test]
    fn an_ended_secret_is_wiped_and_its_end_remembered() {
        let memory = memory();
        memory.store_for(&credential("alice", "one", Some(10)), lifetime(60, 100));
        assert_eq!(memory.sweep(), Some(Duration::from_secs(11)));
        at(10, 10);
        assert!(has(&memory, "alice"));
        at(11, 11);
        let found = memory.get(&described("alice")).unwrap().unwrap();
        assert!(found.password.is_none() && found.is_expired(1_000_011));
    }

    #[test]
    fn an_entry_that_is_inserted_behind_answers_last() {
        let memory = memory();
        memory.store(&credential("alice", "one", None)).unwrap();
        at(1, 1);
        for user in ["bob", "carol"] {
            let new = credential(user, "two", None);
            assert!(memory.insert_behind(None, &new).unwrap());
        }
        let order = || {
            let listed = memory.list().unwrap().into_iter();
            listed
                .map(|listed| listed.key.username.unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(order(), ["carol".into(), "bob".into(), "alice".into()]);
        let (old, new) = (
            credential("alice", "one", None),
            credential("alice", "new", None),
        );
        assert!(!memory.insert_behind(None, &new).unwrap());
        assert!(memory.insert_behind(Some(&old), &new).unwrap());
        let anyone = Query {
            username: None,
            ..described("")
        };
        assert_eq!(memory.get(&anyone).unwrap().unwrap(), new);
        assert_eq!(order(), ["carol".into(), "bob".into(), "alice".into()]);
    }

    #[test]
    fn the_one_stored_last_answers() {
        let memory = memory();
        for name in ["alice", "bob", "alice"] {
            memory.store(&credential(name, "one", None)).unwrap();
        }
        let anyone = Query {
            username: None,
            ..described("")
        };
        assert_eq!(
            memory.get(&anyone).unwrap().unwrap().key.username.unwrap(),
            "alice".into()
        );
        assert_eq!(memory.len(), 2);
    }

    #[test]
    fn no_time_is_not_kept() {
        let memory = memory();
        memory.store_for(&credential("alice", "one", None), lifetime(0, 100));
        assert!(memory.is_empty() && memory.list().unwrap().is_empty());
    }
}
