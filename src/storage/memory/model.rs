//! Memory against a model: one vector of all entries, in the order in which they answer.

use std::cell::Cell;
use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::{Lifetime, Memory};
use crate::credential::Credential;
use crate::credential::expiry::Expiry;
use crate::credential::query::Query;
use crate::secret::Secret;
use crate::storage::{Expected, Listed, Position, Storage};
use crate::time::Now;

const START: Now = Now {
    monotonic: Duration::from_secs(1000),
    unix: 1_000_000,
    fraction: 0,
};

thread_local! {
    static NOW: Cell<Now> = const { Cell::new(START) };
}

#[derive(Debug, Clone)]
enum Step {
    /// Key, secret, expiry, timeout and maximum age, place, and the expected entry: 0 any, 1 none, else the one with the secret
    /// of this number less 2.
    Put(KeyStep, u8, Option<u64>, (u64, u64), Position, u8),
    /// Whether the query is exact, and whether it is pathless.
    Get(KeyStep, bool, bool),
    Erase(KeyStep, Option<u8>),
    SetExpiry(KeyStep, u8, Option<u64>),
    /// Seconds of the monotonic clock and of the wall clock.
    Wait(u64, u64),
    Sweep,
    List,
}

/// Protocol, host, path and username.
type KeyStep = (bool, u8, Option<u8>, Option<u8>);

struct ModelEntry {
    credential: Credential,
    lifetime: Lifetime,
    stored: Duration,
    used: Duration,
}

impl ModelEntry {
    fn forgotten(&self) -> Duration {
        let end_of_use = self.used + self.lifetime.timeout;
        end_of_use.min(self.stored + self.lifetime.max_age)
    }
}

#[derive(Default)]
struct Model(Vec<ModelEntry>);

impl Model {
    fn age(&mut self, at: Option<&Query>) {
        let now = NOW.get();
        self.0.retain_mut(|entry| {
            let key = &entry.credential.key;
            let is_meant = at.is_none_or(|at| {
                at.host.as_ref() == Some(&key.host) && at.protocol.as_ref() == Some(&key.protocol)
            });
            if is_meant && entry.credential.is_expired(now.unix) {
                entry.credential.wipe_expired();
            }
            !is_meant || now.monotonic < entry.forgotten()
        });
    }

    fn put(
        &mut self,
        credential: Credential,
        lifetime: Lifetime,
        position: Position,
        expected: Expected<'_>,
    ) -> bool {
        self.age(Some(&Query::of(&credential.key)));
        let now = NOW.get().monotonic;
        let known = self
            .0
            .iter()
            .position(|entry| entry.credential.key == credential.key);
        if !expected.is_met(known.map(|at| &self.0[at].credential)) {
            return false;
        }
        let kept = known.map(|at| self.0.remove(at));
        let same = kept.filter(|kept| kept.credential.has_same_secrets(&credential));
        let at = match position {
            Position::Newest => self.0.len(),
            Position::Behind => known.unwrap_or(0),
        };
        let entry = ModelEntry {
            credential,
            lifetime,
            stored: same.map_or(now, |same| same.stored),
            used: now,
        };
        if now < entry.forgotten() {
            self.0.insert(at, entry);
        }
        true
    }

    fn get(&mut self, wanted: &Query) -> Option<Credential> {
        self.age(Some(wanted));
        let mut newest_first = self.0.iter_mut().rev();
        let found = newest_first.find(|entry| wanted.matches(&entry.credential.key))?;
        found.used = NOW.get().monotonic;
        Some(found.credential.duplicate())
    }

    fn erase(&mut self, unwanted: &Query) -> usize {
        let before = self.0.len();
        self.0
            .retain(|entry| !entry.credential.is_named_by(unwanted));
        before - self.0.len()
    }

    fn set_expiry(&mut self, kept: &Credential, end: Option<Expiry>) -> bool {
        let same = self.0.iter_mut().find(|entry| {
            entry.credential.key == kept.key && entry.credential.has_same_secrets(kept)
        });
        same.map(|same| same.credential.expiry = end).is_some()
    }

    /// The number of entries that are not forgotten, and of secrets that have not expired.
    fn live(&self, now: Now) -> (usize, usize) {
        let kept = |entry: &&ModelEntry| now.monotonic < entry.forgotten();
        let works = |entry: &&ModelEntry| {
            entry.credential.is_complete() && !entry.credential.is_expired(now.unix)
        };
        let all = self.0.iter();
        (all.clone().filter(kept).count(), all.filter(works).count())
    }

    fn list(&mut self) -> Vec<Listed> {
        self.age(None);
        let now = NOW.get();
        let listed = self.0.iter().map(|entry| Listed {
            forgotten: Some(now.unix + entry.forgotten().saturating_sub(now.monotonic).as_secs()),
            ..Listed::of(&entry.credential)
        });
        listed.collect()
    }
}

fn query((is_http, host, path, username): KeyStep) -> Query {
    Query {
        protocol: Some(if is_http { "http" } else { "https" }.into()),
        host: Some(format!("{host}.test").into_bytes()),
        path: path.map(|path| format!("{path}.git").into_bytes()),
        username: username.map(|name| format!("user-{name}").into_bytes().into()),
        ..Query::default()
    }
}

/// A password with a username, else an authorization.
fn credential(key: KeyStep, secret: u8, expiry: Option<u64>) -> Credential {
    let secret = Secret::new(format!("made-up-{secret}").as_bytes());
    let mut described = query(key);
    described.expiry = expiry.and_then(|after| Expiry::from_unix(START.unix + after));
    if described.username.is_some() {
        described.password = Some(secret);
    } else {
        described.authtype = Some(b"Bearer".to_vec());
        described.credential = Some(secret);
    }
    Credential::complete(described).unwrap()
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = || {
        (
            any::<bool>(),
            0..2_u8,
            option::of(0..2_u8),
            option::of(0..3_u8),
        )
    };
    let expiry = || option::of(0..200_u64);
    let position = prop_oneof![Just(Position::Newest), Just(Position::Behind)];
    let lifetime = (0..90_u64, 0..120_u64);
    let put = (key(), 0..2_u8, expiry(), lifetime, position, 0..4_u8);
    let put = put.prop_map(|(key, secret, expiry, lifetime, position, expected)| {
        Step::Put(key, secret, expiry, lifetime, position, expected)
    });
    let get = (key(), any::<bool>(), any::<bool>());
    let get = get.prop_map(|(key, is_exact, is_pathless)| Step::Get(key, is_exact, is_pathless));
    let erase = (key(), option::of(0..2_u8)).prop_map(|(key, secret)| Step::Erase(key, secret));
    let redate = (key(), 0..2_u8, expiry());
    let redate = redate.prop_map(|(key, secret, expiry)| Step::SetExpiry(key, secret, expiry));
    let wait = (0..30_u64, 0..30_u64);
    let wait = wait.prop_map(|(monotonic, unix)| Step::Wait(monotonic, unix));
    vec(
        prop_oneof![
            6 => put,
            4 => get,
            1 => erase,
            1 => redate,
            2 => wait,
            1 => Just(Step::Sweep),
            1 => Just(Step::List),
        ],
        1..60,
    )
}

fn follow(step: &Step, memory: &Memory, model: &mut Model) {
    match *step {
        Step::Put(key, secret, expiry, (timeout, max_age), position, expected) => {
            let new = credential(key, secret, expiry);
            let known = expected.checked_sub(2);
            let known = known.map(|secret| credential(key, secret, None));
            let expected = match expected {
                0 => Expected::Anything,
                _ => Expected::Still(known.as_ref()),
            };
            let lifetime = Lifetime {
                timeout: Duration::from_secs(timeout),
                max_age: Duration::from_secs(max_age),
            };
            let is_met = |kept: Option<&Credential>| expected.is_met(kept);
            let is_done = memory.replace_for(&new, lifetime, position, is_met);
            assert_eq!(is_done, model.put(new, lifetime, position, expected));
        }
        Step::Get(key, is_exact, is_pathless) => {
            let mut wanted = query(key);
            (wanted.is_exact, wanted.is_pathless) = (is_exact, is_pathless);
            assert_eq!(memory.get(&wanted).unwrap(), model.get(&wanted));
        }
        Step::Erase(key, secret) => {
            let named = secret.map(|secret| credential(key, secret, None).as_rejected());
            let named = named.unwrap_or_default();
            let mut unwanted = query(key);
            (unwanted.password, unwanted.credential) = (named.password, named.credential);
            assert_eq!(memory.erase(&unwanted).unwrap(), model.erase(&unwanted));
        }
        Step::SetExpiry(key, secret, expiry) => {
            let kept = credential(key, secret, None);
            let end = expiry.and_then(|after| Expiry::from_unix(START.unix + after));
            let is_done = memory.set_expiry(&kept, end).unwrap();
            assert_eq!(is_done, model.set_expiry(&kept, end));
        }
        Step::Wait(monotonic, unix) => {
            let now = NOW.get();
            NOW.set(Now {
                monotonic: now.monotonic + Duration::from_secs(monotonic),
                unix: now.unix + unix,
                fraction: 0,
            });
        }
        Step::Sweep => {
            memory.sweep();
            model.age(None);
        }
        Step::List => assert_eq!(memory.list().unwrap(), model.list()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn memory_answers_as_one_vector_of_entries_does(steps in steps()) {
        NOW.set(START);
        let memory = Memory::new(|| NOW.get());
        let mut model = Model::default();
        for step in steps {
            follow(&step, &memory, &mut model);
            assert_eq!(memory.len(), model.0.len());
        }
        follow(&Step::List, &memory, &mut model);
    }

    #[test]
    fn nothing_expires_before_memory_is_due(steps in steps()) {
        NOW.set(START);
        let memory = Memory::new(|| NOW.get());
        let mut model = Model::default();
        for mut step in steps {
            // No clock is set.
            if let Step::Wait(monotonic, unix) = &mut step {
                *unix = *monotonic;
            }
            follow(&step, &memory, &mut model);
            let now = NOW.get();
            let left = memory.due().saturating_sub(now.monotonic);
            if memory.due() == Duration::MAX || left.is_zero() {
                continue;
            }
            let last = left.saturating_sub(Duration::from_nanos(1));
            let then = Now {
                monotonic: now.monotonic + last,
                unix: now.unix + last.as_secs(),
                fraction: 0,
            };
            assert_eq!(model.live(then), model.live(now));
        }
    }
}
