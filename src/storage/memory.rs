//! Credentials in the memory of one process, each for a while.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use super::{Error, Listed, Position, Storage, StorageKind, is_still};
use crate::credential::Credential;
use crate::credential::expiry::Expiry;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::time::{Clock, Now};

/// How long an entry is kept. The earlier of the two ends it, and so does the end of its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// Forgotten when nobody used it for this long.
    pub timeout: Duration,
    /// Forgotten this long after it was stored, used or not.
    pub max_age: Duration,
}

const FOR_EVER: Lifetime = Lifetime {
    timeout: Duration::MAX,
    max_age: Duration::MAX,
};

/// The storage inside the daemon.
pub struct Memory {
    clock: Clock,
    sites: RefCell<HashMap<Origin, Vec<MemoryEntry>>>,
}

/// Protocol and host: no question goes without them, so they lead straight to the few entries that can fit.
#[derive(PartialEq, Eq, Hash)]
struct Origin {
    protocol: Vec<u8>,
    host: Vec<u8>,
}

struct MemoryEntry {
    credential: Credential,
    lifetime: Lifetime,
    stored: Duration,
    /// When it was stored last, be it with the secret that it had.
    written: Duration,
    used: Duration,
}

impl MemoryEntry {
    /// On the clock that nobody sets.
    fn forgotten(&self) -> Duration {
        let Lifetime { timeout, max_age } = self.lifetime;
        self.used
            .saturating_add(timeout)
            .min(self.stored.saturating_add(max_age))
    }

    /// Wipes secrets that have ended; false if nothing worth keeping is left.
    fn age(&mut self, now: Now) -> bool {
        if self.credential.is_expired(now.unix) {
            self.credential.wipe_expired();
        }
        now.monotonic < self.forgotten()
    }
}

impl Memory {
    /// Nothing yet.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            sites: RefCell::default(),
        }
    }

    /// As [`Storage::store`], for `lifetime`. Storing the same secret again counts as a use: its age goes on.
    pub fn store_for(&self, credential: &Credential, lifetime: Lifetime) {
        self.replace_for(credential, lifetime, Position::Newest, |_| true);
    }

    /// As [`Memory::store_for`], if what is kept under its key is as expected. Returns whether it was stored.
    pub fn replace_for(
        &self,
        credential: &Credential,
        lifetime: Lifetime,
        position: Position,
        is_expected: impl FnOnce(Option<&Credential>) -> bool,
    ) -> bool {
        let now = (self.clock)();
        let mut sites = self.sites.borrow_mut();
        let entries = sites.entry(Origin::of(&credential.key)).or_default();
        entries.retain_mut(|entry| entry.age(now));
        let known = entries
            .iter()
            .position(|entry| entry.credential.key == credential.key);
        if !is_expected(known.map(|at| &entries[at].credential)) {
            return false;
        }
        // Before the old one goes: there may be no memory for the new one.
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

    /// Forgets what is due, and tells how long until something will be; `None` if nothing is kept.
    pub fn sweep(&self) -> Option<Duration> {
        let now = (self.clock)();
        let mut sites = self.sites.borrow_mut();
        let mut next: Option<Duration> = None;
        sites.retain(|_, entries| {
            entries.retain_mut(|entry| {
                let is_kept = entry.age(now);
                if is_kept {
                    let ends = entry
                        .credential
                        .expiry
                        .filter(|_| entry.credential.is_complete());
                    // One second more: in its last second a token is still good.
                    let ends = ends.map(|expiry| Duration::from_secs(expiry.left(now.unix) + 1));
                    let due = entry.forgotten().saturating_sub(now.monotonic);
                    let due = ends.map_or(due, |ends| ends.min(due));
                    next = Some(next.map_or(due, |next| next.min(due)));
                }
                is_kept
            });
            !entries.is_empty()
        });
        next
    }

    /// Forgets everything, and tells how many entries that were.
    pub fn clear(&self) -> usize {
        let count = self.len();
        self.sites.borrow_mut().clear();
        count
    }

    /// How many entries are kept.
    pub fn len(&self) -> usize {
        self.sites.borrow().values().map(Vec::len).sum()
    }

    /// Whether nothing is kept.
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
        let mut sites = self.sites.borrow_mut();
        let Some(entries) = Origin::wanted(wanted).and_then(|site| sites.get_mut(&site)) else {
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

    /// For as long as nobody says otherwise: to the daemon, clients always say. See [`Memory::store_for`].
    fn store(&self, credential: &Credential) -> Result<(), Error> {
        self.store_for(credential, FOR_EVER);
        Ok(())
    }

    fn replace(&self, known: Option<&Credential>, credential: &Credential) -> Result<bool, Error> {
        let is_known = |kept: Option<&Credential>| is_still(kept, known);
        Ok(self.replace_for(credential, FOR_EVER, Position::Newest, is_known))
    }

    fn insert_behind(
        &self,
        known: Option<&Credential>,
        credential: &Credential,
    ) -> Result<bool, Error> {
        let is_known = |kept: Option<&Credential>| is_still(kept, known);
        Ok(self.replace_for(credential, FOR_EVER, Position::Behind, is_known))
    }

    fn set_expiry(&self, kept: &Credential, end: Option<Expiry>) -> Result<bool, Error> {
        let mut sites = self.sites.borrow_mut();
        let entries = sites.get_mut(&Origin::of(&kept.key));
        let same = entries.into_iter().flatten().find(|entry| {
            let credential = &entry.credential;
            credential.key == kept.key
                && credential.is_complete()
                && credential.has_same_secrets(kept)
        });
        Ok(same.map(|entry| entry.credential.expiry = end).is_some())
    }

    fn check_writable(&self, kept: &Credential) -> Result<bool, Error> {
        let found = self.get(&Query::exact(&kept.key))?;
        let same = found.filter(|found| found.is_complete() && found.has_same_secrets(kept));
        same.map_or(Ok(false), |same| self.set_expiry(&same, same.expiry))
    }

    fn erase(&self, unwanted: &Query) -> Result<usize, Error> {
        let mut sites = self.sites.borrow_mut();
        let Some(entries) = Origin::wanted(unwanted).and_then(|site| sites.get_mut(&site)) else {
            return Ok(0);
        };
        let before = entries.len();
        entries.retain(|entry| !entry.credential.is_named_by(unwanted));
        Ok(before - entries.len())
    }

    fn list(&self) -> Result<Vec<Listed>, Error> {
        self.sweep();
        let now = (self.clock)();
        let sites = self.sites.borrow();
        let mut entries: Vec<&MemoryEntry> = sites.values().flatten().collect();
        entries.sort_by_key(|entry| entry.written);
        let forgotten = |entry: &MemoryEntry| {
            let left = entry.forgotten().saturating_sub(now.monotonic).as_secs();
            now.unix.checked_add(left)
        };
        Ok(entries
            .into_iter()
            .map(|entry| Listed {
                forgotten: forgotten(entry),
                ..Listed::of(&entry.credential)
            })
            .collect())
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
        assert!(
            memory
                .get(&described("alice"))
                .unwrap()
                .unwrap()
                .is_same(&new)
        );
        assert!(memory.replace(Some(&new), &old).unwrap());
        memory.clear();
        assert!(memory.replace(Some(&new), &old).unwrap());
        assert!(
            memory
                .get(&described("alice"))
                .unwrap()
                .unwrap()
                .is_same(&old)
        );
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
        assert!(memory.get(&anyone).unwrap().unwrap().is_same(&new));
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
