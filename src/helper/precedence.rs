//! Who answers where several fit, and that whoever does goes on when others are taken in.

use std::collections::{HashMap, HashSet};

use super::{Helper, is_good};
use crate::config::account::{self, Account};
use crate::credential::Credential;
use crate::credential::expiry::Expiry;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::storage::{Error, Listed, Storage, StorageKind};
use crate::time::Now;

/// The keys of a storage that have not ended, host by host, the one stored last at the end.
struct Order(HashMap<(Vec<u8>, Vec<u8>), Vec<Key>>);

impl Order {
    fn of<'a>(listed: impl IntoIterator<Item = &'a Listed>, unix_now: u64) -> Self {
        let mut order = Self(HashMap::new());
        for listed in listed {
            if !listed.expiry.is_some_and(|end| end.is_past(unix_now)) {
                let key = listed.key.clone();
                let host = (key.protocol.clone(), key.host.clone());
                order.0.entry(host).or_default().push(key);
            }
        }
        order
    }

    /// The one stored last first.
    fn fitting<'a>(&'a self, wanted: &'a Query) -> impl Iterator<Item = &'a Key> {
        let host = wanted.protocol.clone().zip(wanted.host.clone());
        let keys = host.and_then(|host| self.0.get(&host));
        let keys = keys.into_iter().flat_map(|keys| keys.iter().rev());
        keys.filter(|key| wanted.matches(key))
    }

    fn last<'a>(&'a self, wanted: &'a Query) -> Option<&'a Key> {
        self.fitting(wanted).next()
    }

    fn touch(&mut self, key: &Key) {
        let host = (key.protocol.clone(), key.host.clone());
        let keys = self.0.entry(host).or_default();
        keys.retain(|known| known != key);
        keys.push(key.clone());
    }
}

/// Who answers what in one storage.
struct Standing {
    listed: Vec<Listed>,
    kept: Order,
    /// Of which keys it is known whether they can answer.
    good: HashMap<Key, bool>,
    /// By question.
    keys: Vec<Option<Key>>,
    /// Each of them with its questions, the one stored last at the end.
    order: Vec<(Key, Vec<usize>)>,
}

/// Whoever answers the questions that something taken in could change, in every storage; and the questions that could change
/// when these are put last again.
pub(crate) struct Standings {
    questions: Vec<Query>,
    by_storage: Vec<Standing>,
}

impl Standings {
    /// Before anything under `keys` is put last.
    fn of(storages: &[&dyn Storage], keys: &[&Key], now: Now) -> Self {
        let mut before = Self {
            questions: Vec::new(),
            by_storage: storages.iter().map(|it| Standing::of(*it, now)).collect(),
        };
        let mut asked = HashSet::new();
        let mut moved = HashSet::new();
        let keys = keys.iter().map(|key| (*key).clone());
        let mut fresh: Vec<Key> = keys.filter(|key| moved.insert(key.clone())).collect();
        // Whoever is put last again could take what another answers: so that is asked, too, until nobody is new.
        while !fresh.is_empty() {
            let questions = fresh.iter().flat_map(questions);
            let new = questions.filter(|wanted| asked.insert((wanted.key(), wanted.is_pathless)));
            let at = before.questions.len();
            before.questions.extend(new);
            fresh.clear();
            for (storage, standing) in storages.iter().zip(&mut before.by_storage) {
                standing.ask(*storage, &before.questions[at..], now);
                let answering = standing.keys[at..].iter().flatten();
                fresh.extend(
                    answering
                        .filter(|key| moved.insert((*key).clone()))
                        .cloned(),
                );
            }
        }
        for standing in &mut before.by_storage {
            standing.put_in_order();
        }
        before
    }
}

impl Helper {
    /// Before anything is stored under `keys`. A storage that cannot be reached answers nothing.
    pub(crate) fn standings(&self, keys: &[&Key], now: Now) -> Standings {
        let storages: Vec<&dyn Storage> = self.storages.iter().map(|storage| &**storage).collect();
        Standings::of(&storages, keys, now)
    }

    /// Whoever answered before answers again. All is tried that can be; the first failure is told.
    pub(crate) fn restore(&self, before: &Standings, now: Now) -> Result<(), Error> {
        let mut result = self.lend(before, now);
        for (storage, standing) in self.storages.iter().zip(&before.by_storage) {
            result = result.and(restore_in(&**storage, standing, &before.questions, now));
        }
        result
    }

    /// What answered from a storage further down the list answers no more once one above it has something that fits: it is
    /// kept there as well.
    fn lend(&self, before: &Standings, now: Now) -> Result<(), Error> {
        let mut result = Ok(());
        // What is lent from further down must not take what one between answered.
        for (at, from) in self.storages.iter().enumerate().rev() {
            let (above, rest) = before.by_storage.split_at(at);
            let is_first = |question: &usize| above.iter().all(|it| it.keys[*question].is_none());
            let mut first = Vec::new();
            for (key, asked) in &rest[0].order {
                let asked = asked.iter().filter(|question| is_first(question));
                let asked: Vec<_> = asked.map(|&question| &before.questions[question]).collect();
                if !asked.is_empty() {
                    first.push((key, asked));
                }
            }
            for (to, own) in self.storages.iter().zip(above) {
                if !may_lend(from.kind(), to.kind()) {
                    continue;
                }
                let back = give_back(&**from, &**to, &rest[0], (own, &before.questions), now);
                result = result.and(back);
                if !first.is_empty() {
                    result = result.and(lend(&**from, &**to, &first, now));
                }
            }
        }
        result
    }
}

impl Standing {
    fn of(storage: &dyn Storage, now: Now) -> Self {
        let listed = storage.list().unwrap_or_default();
        Self {
            kept: Order::of(&listed, now.unix),
            listed,
            good: HashMap::new(),
            keys: Vec::new(),
            order: Vec::new(),
        }
    }

    /// Who answers `questions`, after those that were asked before.
    fn ask(&mut self, storage: &dyn Storage, questions: &[Query], now: Now) {
        let mut is_good = |key: &Key| {
            *self.good.entry(key.clone()).or_insert_with(|| {
                let kept = storage.get(&Query::exact(key)).ok().flatten();
                kept.is_some_and(|kept| is_good(&kept, now))
            })
        };
        for wanted in questions {
            let first = self.kept.fitting(wanted).find(|key| is_good(key));
            self.keys.push(first.cloned());
        }
    }

    fn put_in_order(&mut self) {
        let mut answering: HashMap<&Key, Vec<usize>> = HashMap::new();
        for (question, key) in self.keys.iter().enumerate() {
            if let Some(key) = key {
                answering.entry(key).or_default().push(question);
            }
        }
        let newest = self.listed.iter().rev();
        let newest = newest.filter_map(|listed| answering.remove_entry(&listed.key));
        self.order = newest.map(|(key, asked)| (key.clone(), asked)).collect();
        self.order.reverse();
    }
}

/// In the order that they had: then none of them takes a question from another.
fn restore_in(
    storage: &dyn Storage,
    standing: &Standing,
    questions: &[Query],
    now: Now,
) -> Result<(), Error> {
    if standing.order.is_empty() {
        return Ok(());
    }
    let mut order = Order::of(&storage.list()?, now.unix);
    for (key, asked) in &standing.order {
        let mut asked = asked.iter().map(|&question| &questions[question]);
        if asked.any(|wanted| order.last(wanted) != Some(key)) {
            storage.touch(key)?;
            order.touch(key);
        }
    }
    Ok(())
}

/// Gives the entry of `kept` another end. To a keychain that makes it the one stored last: who answered before goes on.
/// Returns whether there was such an entry.
pub(crate) fn set_expiry(
    storage: &dyn Storage,
    kept: &Credential,
    end: Option<Expiry>,
    now: Now,
) -> Result<bool, Error> {
    if storage.kind() != StorageKind::Keychain {
        return storage.set_expiry(kept, end);
    }
    let mut before = Standings::of(&[storage], &[&kept.key], now);
    let standing = &mut before.by_storage[0];
    standing.order.retain(|(key, _)| *key != kept.key);
    let is_done = storage.set_expiry(kept, end)?;
    if is_done {
        restore_in(storage, standing, &before.questions, now)?;
    }
    Ok(is_done)
}

/// Never to where a secret lies more openly, or longer, than where it is.
fn may_lend(from: StorageKind, to: StorageKind) -> bool {
    match (from, to) {
        (StorageKind::Keychain | StorageKind::File, StorageKind::Memory)
        | (StorageKind::File, StorageKind::Keychain) => true,
        (StorageKind::Memory, _)
        | (StorageKind::Keychain | StorageKind::File, StorageKind::Keychain | StorageKind::File) => {
            false
        }
    }
}

/// `first`: who answered from `from`, and what; the one stored last at the end.
fn lend(
    from: &dyn Storage,
    to: &dyn Storage,
    first: &[(&Key, Vec<&Query>)],
    now: Now,
) -> Result<(), Error> {
    let mut order = match to.list() {
        Ok(listed) => Order::of(&listed, now.unix),
        Err(Error::Unavailable { .. }) => return Ok(()),
        Err(cause) => return Err(cause),
    };
    for (key, asked) in first {
        let is_taken = |wanted: &&Query| order.last(wanted).is_some_and(|last| last != *key);
        if !asked.iter().any(is_taken) {
            continue;
        }
        let kept = from.get(&Query::exact(key))?;
        if let Some(kept) = kept.filter(|kept| is_good(kept, now)) {
            to.store(&kept)?;
            order.touch(key);
        }
    }
    Ok(())
}

/// What `to` has handed down to `from`, as `auto` does to the keychain: back, where another would answer now.
fn give_back(
    from: &dyn Storage,
    to: &dyn Storage,
    below: &Standing,
    (own, questions): (&Standing, &[Query]),
    now: Now,
) -> Result<(), Error> {
    if own.order.is_empty() {
        return Ok(());
    }
    // Whoever does not answer is told of where the order is put right.
    let (Ok(listed), Ok(below_it)) = (to.list(), from.list()) else {
        return Ok(());
    };
    let kept: HashSet<&Key> = listed.iter().map(|listed| &listed.key).collect();
    let handed: Vec<_> = own
        .order
        .iter()
        .filter(|(key, _)| !kept.contains(key))
        .collect();
    if handed.is_empty() {
        return Ok(());
    }
    let here = Order::of(&listed, now.unix);
    let there = Order::of(&below_it, now.unix);
    let has_rival = |(key, asked): &&(Key, Vec<usize>)| {
        let mut rivals = asked.iter().flat_map(|&question| {
            let wanted = &questions[question];
            let newest = [here.last(wanted), there.last(wanted)];
            newest.into_iter().flatten().chain(&below.keys[question])
        });
        rivals.any(|rival| rival != key)
    };
    // One alone would take what the others answer from below.
    if handed.iter().copied().any(|one| has_rival(&one)) {
        for (key, _) in handed {
            if let Some(handed) = from.get(&Query::exact(key))? {
                to.store(&handed)?;
            }
        }
    }
    Ok(())
}

/// Every question that what is kept under `key` fits: with and without its path and its user.
fn questions(key: &Key) -> Vec<Query> {
    let mut questions = Vec::new();
    for with_path in [false, true] {
        for with_user in [false, true] {
            let wanted = Query::of(&Key {
                path: key.path.clone().filter(|_| with_path),
                username: key.username.clone().filter(|_| with_user),
                ..key.clone()
            });
            if key.path.is_none() {
                questions.push(Query {
                    is_pathless: true,
                    ..wanted.duplicate()
                });
            }
            questions.push(wanted);
        }
    }
    questions
}

/// Which of `kept`, in the order of the storages, answers when git asks for its URL and names no user. `tells_path`: whether
/// git tells the path where no account's rule has it do so.
pub fn answering(
    kept: &[(StorageKind, Listed)],
    accounts: &[Account],
    unix_now: u64,
    tells_path: impl Fn(&Key) -> bool,
) -> Vec<bool> {
    let mut kinds: Vec<StorageKind> = kept.iter().map(|(kind, _)| *kind).collect();
    kinds.dedup();
    let of_kind = |kind: &StorageKind| {
        let of_kind = kept.iter().filter(|(other, _)| other == kind);
        (
            *kind,
            Order::of(of_kind.map(|(_, listed)| listed), unix_now),
        )
    };
    let orders: Vec<(StorageKind, Order)> = kinds.iter().map(of_kind).collect();
    let answers = |(kind, listed): &(StorageKind, Listed)| {
        let wanted = question(&listed.key, accounts, &tells_path);
        let first = orders
            .iter()
            .find_map(|(kind, order)| Some((kind, order.last(&wanted)?)));
        first == Some((kind, &listed.key))
            && !listed.expiry.is_some_and(|end| end.is_past(unix_now))
    };
    kept.iter().map(answers).collect()
}

/// What git asks for the URL of `key`.
fn question(key: &Key, accounts: &[Account], tells_path: impl Fn(&Key) -> bool) -> Query {
    let mut said = Query {
        username: None,
        ..Query::of(key)
    };
    let is_ruled = |account: &Account| account.path.is_some() && account.covers(&said);
    if key.path.is_some() && !accounts.iter().any(is_ruled) && !tells_path(key) {
        said.path = None;
    }
    account::apply(accounts, &mut said);
    said
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::time::Duration;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::issuer::Issuers;
    use super::super::storages::Storages;
    use super::*;
    use crate::config::Warn;
    use crate::journal::Journal;
    use crate::secret::Secret;
    use crate::storage::memory::Lifetime;
    use crate::tasks::import::{Offer, Verdict};

    const NOW: Now = Now {
        monotonic: Duration::from_secs(1000),
        unix: 1_000_000,
        fraction: 0,
    };

    /// The contract of a storage, and no more.
    #[derive(Debug)]
    struct Naive(StorageKind, RefCell<Vec<Credential>>);

    impl Storage for Naive {
        fn kind(&self) -> StorageKind {
            self.0
        }

        fn get(&self, wanted: &Query) -> Result<Option<Credential>, Error> {
            let kept = self.1.borrow();
            let mut newest = kept.iter().rev();
            let found = newest.find(|kept| wanted.matches(&kept.key));
            Ok(found.map(Credential::duplicate))
        }

        fn store(&self, credential: &Credential) -> Result<(), Error> {
            let mut kept = self.1.borrow_mut();
            kept.retain(|other| other.key != credential.key);
            kept.push(credential.duplicate());
            Ok(())
        }

        fn replace(
            &self,
            _known: Option<&Credential>,
            credential: &Credential,
        ) -> Result<bool, Error> {
            self.store(credential).map(|()| true)
        }

        fn set_expiry(&self, _: &Credential, _: Option<Expiry>) -> Result<bool, Error> {
            Ok(false)
        }

        fn check_writable(&self, _: &Credential) -> Result<bool, Error> {
            Ok(false)
        }

        fn erase(&self, unwanted: &Query) -> Result<usize, Error> {
            let mut kept = self.1.borrow_mut();
            let before = kept.len();
            kept.retain(|kept| !kept.is_named_by(unwanted));
            Ok(before - kept.len())
        }

        fn list(&self) -> Result<Vec<Listed>, Error> {
            Ok(self.1.borrow().iter().map(Listed::of).collect())
        }

        fn check(&self) -> Result<(), Error> {
            Ok(())
        }
    }

    /// Whose, under which path, with which secret, and which of three ends: none, a passed one, one to come.
    type Said = (usize, usize, u8, usize);

    fn said() -> impl Strategy<Value = Said> {
        (0..3_usize, 0..3_usize, 0..4_u8, 0..6_usize)
    }

    fn question(user: usize, path: usize) -> Query {
        let user = ["u", "v", "w", ""][user];
        let path = ["", "x.git", "y.git", "other.git", ""][path];
        let some = |text: &str| (!text.is_empty()).then(|| text.as_bytes().to_vec());
        Query {
            protocol: Some(b"https".to_vec()),
            host: Some(b"h.test".to_vec()),
            path: some(path),
            username: some(user).map(Into::into),
            ..Query::default()
        }
    }

    fn credential((user, path, secret, end): Said) -> Credential {
        let ends = [None, None, None, None, Some(999_000), Some(1_999_000)];
        let said = Query {
            password: Some(Secret::new(&[b's', b'0' + secret])),
            expiry: ends[end].and_then(Expiry::from_unix),
            ..question(user, path)
        };
        Credential::complete(said).unwrap()
    }

    /// Everything that git may ask, with the one who answers it.
    fn answers(helper: &Helper) -> Vec<Option<Credential>> {
        let mut all = Vec::new();
        for user in 0..4 {
            for path in 0..5 {
                let wanted = Query {
                    is_pathless: path == 4,
                    ..question(user, path)
                };
                all.push(helper.find(&wanted, None, NOW).unwrap().value);
            }
        }
        all.into_iter()
            .map(|found| found.filter(Credential::is_complete))
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]

        #[test]
        fn who_answered_answers_whatever_is_taken_in(
            kinds in prop_oneof![
                Just(vec![StorageKind::File]),
                Just(vec![StorageKind::Memory, StorageKind::File]),
                Just(vec![StorageKind::Memory, StorageKind::Keychain]),
                Just(vec![StorageKind::Memory, StorageKind::Keychain, StorageKind::File]),
            ],
            kept in vec((0..3_usize, said()), 0..8),
            offered in vec(said(), 1..5),
        ) {
            let home = tempfile::tempdir().unwrap();
            let of_kind = |kind: &StorageKind| -> Box<dyn Storage> {
                Box::new(Naive(*kind, RefCell::default()))
            };
            let helper = Helper {
                storages: Storages::of(
                    kinds.iter().map(of_kind).collect(),
                    kinds == [StorageKind::Memory, StorageKind::Keychain],
                ),
                lifetime: Lifetime { timeout: Duration::MAX, max_age: Duration::MAX },
                warn: Warn { before: Duration::ZERO, every: Duration::ZERO },
                looks_up: false,
                issuers: Issuers::new(Vec::new()),
                journal: Journal::in_folder(home.path()),
            };
            for (storage, said) in kept {
                helper.storages.iter().nth(storage % kinds.len()).unwrap().store(&credential(said)).unwrap();
            }
            let mut known = HashSet::new();
            let offers: Vec<Offer> = offered
                .into_iter()
                .map(credential)
                .filter(|offered| !offered.is_expired(NOW.unix) && known.insert(offered.key.clone()))
                .map(|credential| Offer { credential, copies: Vec::new(), verdict: Verdict::New })
                .collect();
            let before = answers(&helper);
            helper.take_over(&offers.iter().collect::<Vec<_>>(), &mut |_, _| {}, NOW).unwrap();
            for (before, after) in before.iter().zip(answers(&helper)) {
                let Some(before) = before else { continue };
                let after = after.unwrap();
                prop_assert_eq!(&before.key, &after.key);
                let is_replaced = known.contains(&before.key);
                prop_assert!(is_replaced || before.has_same_secrets(&after));
            }
        }
    }
}
