//! Long stories of stores, questions, erasures and clocks, over memory and over the plaintext file, each step beside a
//! model that is a plain list. `PROPTEST_CASES=10000` tells more of them.

use std::cell::Cell;
use std::time::Duration;

use git_credential_pat::credential::Credential;
use git_credential_pat::credential::expiry::Expiry;
use git_credential_pat::credential::query::Query;
use git_credential_pat::secret::Secret;
use git_credential_pat::storage::Storage;
use git_credential_pat::storage::file::PlaintextFile;
use git_credential_pat::storage::memory::{Lifetime, Memory};
use git_credential_pat::time::Now;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::Config;

const START: Now = Now {
    monotonic: Duration::from_secs(1_000_000),
    unix: 2_000_000_000,
    fraction: 0,
};

thread_local! {
    static NOW: Cell<Now> = const { Cell::new(START) };
}

/// Protocol, host, path, username.
type Key = (u8, u8, Option<u8>, Option<u8>);

#[derive(Debug, Clone)]
enum Step {
    Store {
        key: Key,
        secret: u8,
        /// Seconds from now; before now too.
        ends: Option<i16>,
        is_renewable: bool,
        timeout: u8,
        max_age: u8,
    },
    Get(Question),
    Erase(Question, Option<u8>),
    List,
    /// Both clocks go on, by night or day.
    Pass(u8),
    /// The system clock is set.
    Set(i16),
    Clear,
}

/// `None`: not said.
#[derive(Debug, Clone)]
struct Question {
    protocol: Option<u8>,
    host: Option<u8>,
    path: Option<u8>,
    user: Option<u8>,
    is_exact: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct Kept {
    key: Key,
    /// `None`: it has ended, and that was seen.
    secret: Option<u8>,
    expiry: Option<u64>,
    is_renewable: bool,
    timeout: u64,
    max_age: u64,
    stored: u64,
    used: u64,
}

impl Question {
    fn matches(&self, key: Key) -> bool {
        let (protocol, host, path, user) = key;
        let said = |asked: Option<u8>, kept: Option<u8>| match asked {
            None => !self.is_exact || kept.is_none(),
            some => some == kept,
        };
        self.protocol == Some(protocol)
            && self.host == Some(host)
            && said(self.path, path)
            && said(self.user, user)
    }

    fn described(&self) -> Query {
        let text = |name: &str, number: Option<u8>| number.map(|n| format!("{name}{n}").into());
        Query {
            protocol: text("p", self.protocol),
            host: text("host", self.host),
            path: text("path", self.path),
            username: text("user", self.user).map(|name: Vec<u8>| name.into()),
            is_exact: self.is_exact,
            ..Query::default()
        }
    }
}

fn secret(number: u8) -> Secret {
    Secret::new(format!("made-up-{number}").as_bytes())
}

/// As the storage should answer it.
fn credential(kept: &Kept) -> Credential {
    let (protocol, host, path, user) = kept.key;
    let asked = Question {
        protocol: Some(protocol),
        host: Some(host),
        path,
        user,
        is_exact: false,
    };
    let mut described = asked.described();
    described.expiry = kept.expiry.and_then(Expiry::from_unix);
    described.refresh_token = kept.is_renewable.then(|| Secret::new(b"made-up-refresh"));
    if user.is_some() {
        described.password = kept.secret.map(secret);
    } else {
        // Only a header's scheme can do without a name.
        described.authtype = kept.secret.map(|_| b"Bearer".to_vec());
        described.credential = kept.secret.map(secret);
    }
    Credential::partial(described).unwrap()
}

/// Beside every storage: a list in the order of storing.
struct Model {
    all: Vec<Kept>,
    /// Entries end with time, and an identical one that is stored again counts as the newest.
    is_memory: bool,
}

impl Model {
    /// What memory does with entries that it comes by: the file keeps all as they are.
    fn look(&mut self, concerned: impl Fn(Key) -> bool) {
        if !self.is_memory {
            return;
        }
        let Now {
            monotonic, unix, ..
        } = NOW.get();
        self.all.retain_mut(|kept| {
            if !concerned(kept.key) {
                return true;
            }
            if kept.expiry.is_some_and(|expiry| expiry < unix) {
                kept.secret = None;
            }
            let forgotten = (kept.used + kept.timeout).min(kept.stored + kept.max_age);
            monotonic.as_secs() < forgotten
        });
    }

    fn store(&mut self, new: &Kept) {
        self.look(|(protocol, host, ..)| (protocol, host) == (new.key.0, new.key.1));
        let old = self.all.iter().position(|kept| kept.key == new.key);
        let is_same = |old: &Kept| {
            (old.secret, old.expiry, old.is_renewable) == (new.secret, new.expiry, new.is_renewable)
        };
        let known = old.map(|at| self.all[at].clone()).filter(is_same);
        if known.is_some() && !self.is_memory {
            return;
        }
        // In memory the age of a secret goes on, whatever else is learnt of it.
        let same_secret = old.filter(|at| self.is_memory && self.all[*at].secret == new.secret);
        let stored = same_secret.map_or(new.stored, |at| self.all[at].stored);
        if let Some(at) = old {
            self.all.remove(at);
        }
        let new = Kept {
            stored,
            ..new.clone()
        };
        if !self.is_memory || new.used < (new.used + new.timeout).min(stored + new.max_age) {
            self.all.push(new);
        }
    }

    fn get(&mut self, asked: &Question) -> Option<Kept> {
        self.look(|key| asked.protocol == Some(key.0) && asked.host == Some(key.1));
        let found = self
            .all
            .iter_mut()
            .rev()
            .find(|kept| asked.matches(kept.key))?;
        found.used = NOW.get().monotonic.as_secs();
        Some(found.clone())
    }

    fn erase(&mut self, asked: &Question, named: Option<u8>) -> usize {
        self.look(|_| true);
        let before = self.all.len();
        self.all.retain(|kept| {
            let is_named = match named {
                None => true,
                // A password: entries that have none, but a header's parameters, are not meant.
                Some(_) => kept.key.3.is_some() && kept.secret == named,
            };
            !(asked.matches(kept.key) && is_named)
        });
        before - self.all.len()
    }
}

fn numbers() -> impl Strategy<Value = Key> {
    (
        0..2_u8,
        0..2_u8,
        option::of(0..2_u8),
        option::weighted(0.8, 0..3_u8),
    )
}

fn questions() -> impl Strategy<Value = Question> {
    let said = option::weighted(0.95, 0..2_u8);
    let parts = (said.clone(), said, option::of(0..2_u8), option::of(0..3_u8));
    (parts, prop::bool::weighted(0.3)).prop_map(|((protocol, host, path, user), is_exact)| {
        Question {
            protocol,
            host,
            path,
            user,
            is_exact,
        }
    })
}

fn steps() -> impl Strategy<Value = Step> {
    let ends = option::weighted(0.4, -100..400_i16);
    let store = (
        numbers(),
        0..3_u8,
        ends,
        any::<bool>(),
        0..120_u8,
        0..240_u8,
    );
    let store = store.prop_map(
        |(key, secret, ends, is_renewable, timeout, max_age)| Step::Store {
            key,
            secret,
            ends,
            is_renewable,
            timeout,
            max_age,
        },
    );
    prop_oneof![
        8 => store,
        8 => questions().prop_map(Step::Get),
        3 => (questions(), option::of(0..3_u8)).prop_map(|(asked, named)| Step::Erase(asked, named)),
        1 => Just(Step::List),
        4 => (0..70_u8).prop_map(Step::Pass),
        2 => (-500..500_i16).prop_map(Step::Set),
        1 => Just(Step::Clear),
    ]
}

fn pass(monotonic: u64, unix: i64) {
    let now = NOW.get();
    NOW.set(Now {
        monotonic: now.monotonic + Duration::from_secs(monotonic),
        unix: now.unix.saturating_add_signed(unix),
        fraction: 0,
    });
}

/// Tells a story to a storage and to its model. `store` keeps for a lifetime where the storage knows of that; `sweep` is
/// what the daemon does once a second.
fn tell(
    told: Vec<Step>,
    storage: &dyn Storage,
    is_memory: bool,
    store: impl Fn(&Credential, Lifetime),
    sweep: impl Fn(),
    clear: impl Fn(),
) -> Result<(), TestCaseError> {
    NOW.set(START);
    let mut model = Model {
        all: Vec::new(),
        is_memory,
    };
    for step in told {
        match step {
            Step::Store {
                key,
                secret,
                ends,
                is_renewable,
                timeout,
                max_age,
            } => {
                let Now {
                    monotonic, unix, ..
                } = NOW.get();
                let new = Kept {
                    key,
                    secret: Some(secret),
                    expiry: ends.map(|ends| unix.saturating_add_signed(ends.into())),
                    is_renewable,
                    timeout: timeout.into(),
                    max_age: max_age.into(),
                    stored: monotonic.as_secs(),
                    used: monotonic.as_secs(),
                };
                let lifetime = Lifetime {
                    timeout: Duration::from_secs(new.timeout),
                    max_age: Duration::from_secs(new.max_age),
                };
                store(&credential(&new), lifetime);
                model.store(&new);
            }
            Step::Get(asked) => {
                let found = storage.get(&asked.described()).unwrap();
                let wanted = model.get(&asked);
                let is_right = match (&found, &wanted) {
                    (Some(found), Some(wanted)) => *found == credential(wanted),
                    (found, wanted) => found.is_none() && wanted.is_none(),
                };
                prop_assert!(is_right, "{asked:?}: {found:?}, not {wanted:?}");
            }
            Step::Erase(asked, named) => {
                sweep();
                let unwanted = Query {
                    password: named.map(secret),
                    ..asked.described()
                };
                let gone = storage.erase(&unwanted).unwrap();
                prop_assert_eq!(gone, model.erase(&asked, named), "{:?}", asked);
            }
            Step::List => {
                let listed = storage.list().unwrap();
                model.look(|_| true);
                let mut shown: Vec<_> = listed
                    .iter()
                    .map(|one| (one.key.clone(), one.expiry))
                    .collect();
                let wanted = model.all.iter().map(|kept| {
                    let credential = credential(kept);
                    (credential.key, credential.expiry)
                });
                let mut wanted: Vec<_> = wanted.collect();
                shown.sort();
                wanted.sort();
                prop_assert_eq!(shown, wanted);
            }
            Step::Pass(seconds) => pass(seconds.into(), seconds.into()),
            Step::Set(seconds) => pass(0, seconds.into()),
            Step::Clear => {
                clear();
                model.all.clear();
            }
        }
    }
    Ok(())
}

/// `PROPTEST_CASES` goes before.
fn at_least(cases: u32) -> Config {
    let default = Config::default();
    let is_said = std::env::var_os("PROPTEST_CASES").is_some();
    Config {
        cases: if is_said { default.cases } else { cases },
        failure_persistence: None,
        ..default
    }
}

proptest! {
    #![proptest_config(at_least(512))]

    #[test]
    fn memory_does_what_a_list_would(story in vec(steps(), 1..80)) {
        let memory = Memory::new(|| NOW.get());
        let sweep = || {
            memory.sweep();
        };
        let clear = || {
            memory.clear();
        };
        let store = |credential: &Credential, lifetime| memory.store_for(credential, lifetime);
        tell(story, &memory, true, store, sweep, clear)?;
    }
}

proptest! {
    // Every store waits for the disk.
    #![proptest_config(at_least(32))]

    #[test]
    fn the_file_does_what_a_list_would(story in vec(steps(), 1..60)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials");
        let file = PlaintextFile::at(&path).unwrap();
        let clear = || drop(std::fs::remove_file(&path));
        tell(story, &file, false, |credential, _| file.store(credential).unwrap(), || (), clear)?;
    }
}
