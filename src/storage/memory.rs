//! Credentials in the memory of the daemon, each until a timeout.

#[cfg(test)]
mod model;
mod packed;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::ops::RangeInclusive;
use std::time::Duration;

use self::packed::{Packed, Times};
use super::{Error, Expected, Listed, Position, Storage, StorageKind};
use crate::credential::Credential;
use crate::credential::expiry::Expiry;
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

/// Credentials by protocol and host, so that no request looks at the entries of other hosts.
pub struct Memory {
    clock: Clock,
    hasher: RandomState,
    entries: RefCell<BTreeMap<Place, Packed>>,
    /// The ranks of the entries that were stored last, and last behind the others.
    newest: Cell<i64>,
    oldest: Cell<i64>,
    /// A time on the monotonic clock before which [`Packed::age`] changes no entry.
    due: Cell<Duration>,
}

/// Where an entry lies. Of several entries that match a query, the one with the highest rank answers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// A hash of protocol and host. Two hosts may share one: [`Query::matches`] decides.
    origin: u64,
    rank: i64,
}

impl Memory {
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            hasher: RandomState::new(),
            entries: RefCell::default(),
            newest: Cell::new(0),
            oldest: Cell::new(0),
            due: Cell::new(Duration::MAX),
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
        let key = credential.key.parts();
        let origin = self.origin(key.protocol, key.host);
        let mut entries = self.entries.borrow_mut();
        age_all(&mut entries, origin, now);
        let mut at_origin = entries.range(places(origin));
        let known = at_origin.find(|(_, entry)| entry.key_parts() == key);
        let known = known.map(|(place, entry)| (*place, entry.times().stored, entry.credential()));
        if !is_expected(known.as_ref().map(|(_, _, kept)| kept)) {
            return false;
        }
        // The same secret keeps its age.
        let same = known
            .as_ref()
            .filter(|(_, _, kept)| kept.has_same_secrets(credential));
        let times = Times {
            timeout: seconds(lifetime.timeout),
            max_age: seconds(lifetime.max_age),
            stored: same.map_or(nanoseconds(now.monotonic), |(_, stored, _)| *stored),
            used: nanoseconds(now.monotonic),
        };
        // Copy before removing: the allocation may fail.
        let entry = Packed::of(credential, times);
        let known = known.map(|(place, _, _)| place);
        if let Some(place) = known {
            entries.remove(&place);
        }
        let rank = match (position, known) {
            (Position::Newest, _) => moved(&self.newest, 1),
            (Position::Behind, Some(place)) => place.rank,
            (Position::Behind, None) => moved(&self.oldest, -1),
        };
        if now.monotonic < entry.forgotten() {
            self.due.set(self.due.get().min(entry.due(now)));
            entries.insert(Place { origin, rank }, entry);
        }
        true
    }

    /// Forgets expired entries, and notes when the next one expires.
    pub fn sweep(&self) {
        let now = (self.clock)();
        let mut due = Duration::MAX;
        self.entries.borrow_mut().retain(|_, entry| {
            let stays = entry.age(now);
            if stays {
                due = due.min(entry.due(now));
            }
            stays
        });
        self.due.set(due);
    }

    /// Calls `visit` with each entry and its secrets, the oldest first. That is no use of the entry.
    pub fn each_with_secrets<E>(
        &self,
        mut visit: impl FnMut(&Listed, &Credential) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut outcome = Ok(());
        self.each(|forgotten, packed| {
            if outcome.is_ok() {
                let credential = packed.credential();
                let listed = Listed {
                    forgotten,
                    ..Listed::of(&credential)
                };
                outcome = visit(&listed, &credential);
            }
        });
        outcome
    }

    /// Calls `visit` with each entry, and when it is forgotten in Unix seconds, the oldest first.
    fn each(&self, mut visit: impl FnMut(Option<u64>, &Packed)) {
        self.sweep();
        let now = (self.clock)();
        let entries = self.entries.borrow();
        let mut ranked: Vec<(i64, &Packed)> = Vec::with_capacity(entries.len());
        ranked.extend(entries.iter().map(|(place, entry)| (place.rank, entry)));
        ranked.sort_unstable_by_key(|(rank, _)| *rank);
        for (_, entry) in ranked {
            let left = entry.forgotten().saturating_sub(now.monotonic).as_secs();
            visit(now.unix.checked_add(left), entry);
        }
    }

    /// A time on the monotonic clock before which [`Memory::sweep`] finds nothing. A use may have moved the expiry since.
    pub fn due(&self) -> Duration {
        self.due.get()
    }

    /// Forgets all entries and returns their number.
    pub fn clear(&self) -> usize {
        let count = self.len();
        self.entries.borrow_mut().clear();
        self.due.set(Duration::MAX);
        count
    }

    pub fn len(&self) -> usize {
        self.entries.borrow().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn origin(&self, protocol: &[u8], host: &[u8]) -> u64 {
        self.hasher.hash_one((protocol, host))
    }

    /// `None`: the query matches no entry.
    fn origin_of(&self, query: &Query) -> Option<u64> {
        Some(self.origin(query.protocol.as_deref()?, query.host.as_deref()?))
    }
}

/// The places of the entries with this hash.
fn places(origin: u64) -> RangeInclusive<Place> {
    let place = |rank| Place { origin, rank };
    place(i64::MIN)..=place(i64::MAX)
}

/// Ages the entries of one host.
fn age_all(entries: &mut BTreeMap<Place, Packed>, origin: u64, now: Now) {
    let mut forgotten = Vec::new();
    for (place, entry) in entries.range_mut(places(origin)) {
        if !entry.age(now) {
            forgotten.push(*place);
        }
    }
    for place in forgotten {
        entries.remove(&place);
    }
}

/// Returns the next rank.
fn moved(rank: &Cell<i64>, step: i64) -> i64 {
    rank.set(rank.get() + step);
    rank.get()
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

fn nanoseconds(moment: Duration) -> u64 {
    u64::try_from(moment.as_nanos()).unwrap_or(u64::MAX)
}

impl Storage for Memory {
    fn kind(&self) -> StorageKind {
        StorageKind::Memory
    }

    fn get(&self, wanted: &Query) -> Result<Option<Credential>, Error> {
        let Some(origin) = self.origin_of(wanted) else {
            return Ok(None);
        };
        let now = (self.clock)();
        let mut entries = self.entries.borrow_mut();
        age_all(&mut entries, origin, now);
        let found = entries
            .range_mut(places(origin))
            .rev()
            .find(|(_, entry)| wanted.matches_parts(entry.key_parts()));
        Ok(found.map(|(_, entry)| {
            entry.set_used(nanoseconds(now.monotonic));
            entry.credential()
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
        let key = kept.key.parts();
        let origin = self.origin(key.protocol, key.host);
        for (_, entry) in self.entries.borrow_mut().range_mut(places(origin)) {
            if entry.key_parts() == key
                && entry.is_complete()
                && entry.credential().has_same_secrets(kept)
            {
                entry.set_expiry(end);
                self.due.set(self.due.get().min(entry.due((self.clock)())));
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn erase(&self, unwanted: &Query) -> Result<usize, Error> {
        let Some(origin) = self.origin_of(unwanted) else {
            return Ok(0);
        };
        let mut entries = self.entries.borrow_mut();
        let mut named = Vec::new();
        for (place, entry) in entries.range(places(origin)) {
            if unwanted.matches_parts(entry.key_parts()) && entry.credential().is_named_by(unwanted)
            {
                named.push(*place);
            }
        }
        for place in &named {
            entries.remove(place);
        }
        Ok(named.len())
    }

    fn list(&self) -> Result<Vec<Listed>, Error> {
        let mut all = Vec::with_capacity(self.len());
        self.each(|forgotten, packed| {
            all.push(Listed {
                forgotten,
                ..packed.listed()
            });
        });
        Ok(all)
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
        assert_eq!(memory.due(), Duration::from_secs(1060));
        at(60, 60);
        memory.sweep();
        assert_eq!((memory.due(), memory.len()), (Duration::MAX, 0));
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
        assert_eq!(memory.due(), Duration::from_secs(1011));
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
