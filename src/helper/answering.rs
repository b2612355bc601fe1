//! Who answers where several fit, and that whoever does goes on when others are taken in.

use std::collections::{HashMap, HashSet};

use super::{Helper, is_good};
use crate::config::account::{self, Account};
use crate::credential::Credential;
use crate::credential::description::Description;
use crate::credential::expiry::Expiry;
use crate::credential::key::Key;
use crate::storage::{Error, Kind, Listed, Storage};
use crate::time::Now;

/// The keys of a storage that have not ended, host by host, the one stored last at the end.
struct Order(HashMap<(Vec<u8>, Vec<u8>), Vec<Key>>);

impl Order {
    fn of<'a>(listed: impl IntoIterator<Item = &'a Listed>, wall: u64) -> Self {
        let mut order = Self(HashMap::new());
        for listed in listed {
            if !listed.expiry.is_some_and(|end| end.is_past(wall)) {
                let key = listed.key.clone();
                let host = (key.protocol.clone(), key.host.clone());
                order.0.entry(host).or_default().push(key);
            }
        }
        order
    }

    /// The one stored last first.
    fn fitting<'a>(&'a self, wanted: &'a Description) -> impl Iterator<Item = &'a Key> {
        let host = wanted.protocol.clone().zip(wanted.host.clone());
        let keys = host.and_then(|host| self.0.get(&host));
        let keys = keys.into_iter().flat_map(|keys| keys.iter().rev());
        keys.filter(|key| wanted.fits(key))
    }

    fn last<'a>(&'a self, wanted: &'a Description) -> Option<&'a Key> {
        self.fitting(wanted).next()
    }

    fn put_last(&mut self, key: &Key) {
        let host = (key.protocol.clone(), key.host.clone());
        let keys = self.0.entry(host).or_default();
        keys.retain(|known| known != key);
        keys.push(key.clone());
    }
}

/// Who answers what in one storage.
struct Standing {
    /// By question.
    keys: Vec<Option<Key>>,
    /// Each of them with its questions, the one stored last at the end.
    order: Vec<(Key, Vec<usize>)>,
}

/// Whoever answers the questions that something taken in could change, in every storage.
pub(super) struct Standings {
    questions: Vec<Description>,
    by_storage: Vec<Standing>,
}

impl Helper {
    /// Before anything is stored under `keys`. A storage that cannot be reached answers nothing.
    pub(super) fn standings(&self, keys: &[&Key], now: Now) -> Standings {
        let mut known = HashSet::new();
        let questions: Vec<Description> = keys
            .iter()
            .flat_map(|key| questions(key))
            .filter(|wanted| known.insert((wanted.key(), wanted.is_pathless)))
            .collect();
        let storages = self.storages.iter();
        Standings {
            by_storage: storages
                .map(|storage| standing(&**storage, &questions, now))
                .collect(),
            questions,
        }
    }

    /// Whoever answered before answers again. All is tried that can be; the first failure is told.
    pub(super) fn restore(&self, before: &Standings, now: Now) -> Result<(), Error> {
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
        for (at, from) in self.storages.iter().enumerate() {
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
            for to in &self.storages[..at] {
                if !first.is_empty() && may_lend(from.kind(), to.kind()) {
                    result = result.and(lend(&**from, &**to, &first, now));
                }
            }
        }
        result
    }
}

fn standing(storage: &dyn Storage, questions: &[Description], now: Now) -> Standing {
    let listed = storage.list().unwrap_or_default();
    let order = Order::of(&listed, now.wall);
    let mut asked: HashMap<Key, bool> = HashMap::new();
    let mut is_good = |key: &Key| {
        if let Some(known) = asked.get(key) {
            return *known;
        }
        let kept = storage.get(&Description::exactly(key)).ok().flatten();
        let is_good = kept.is_some_and(|kept| is_good(&kept, now));
        asked.insert(key.clone(), is_good);
        is_good
    };
    let keys: Vec<Option<Key>> = questions
        .iter()
        .map(|wanted| order.fitting(wanted).find(|key| is_good(key)).cloned())
        .collect();
    let mut answering: HashMap<&Key, Vec<usize>> = HashMap::new();
    for (question, key) in keys.iter().enumerate() {
        if let Some(key) = key {
            answering.entry(key).or_default().push(question);
        }
    }
    let newest = listed.iter().rev();
    let newest = newest.filter_map(|listed| answering.remove_entry(&listed.key));
    let mut order: Vec<_> = newest.map(|(key, asked)| (key.clone(), asked)).collect();
    order.reverse();
    Standing { keys, order }
}

/// In the order that they had: then none of them takes a question from another.
fn restore_in(
    storage: &dyn Storage,
    standing: &Standing,
    questions: &[Description],
    now: Now,
) -> Result<(), Error> {
    if standing.order.is_empty() {
        return Ok(());
    }
    let mut order = Order::of(&storage.list()?, now.wall);
    for (key, asked) in &standing.order {
        let mut asked = asked.iter().map(|&question| &questions[question]);
        if asked.any(|wanted| order.last(wanted) != Some(key)) {
            storage.put_last(key)?;
            order.put_last(key);
        }
    }
    Ok(())
}

/// Gives the entry of `kept` another end. To a keychain that makes it the one stored last: who answered before goes on.
/// Returns whether there was such an entry.
pub(super) fn redate(
    storage: &dyn Storage,
    kept: &Credential,
    end: Option<Expiry>,
    now: Now,
) -> Result<bool, Error> {
    if storage.kind() != Kind::Keychain {
        return storage.redate(kept, end);
    }
    let questions = questions(&kept.key);
    let mut before = standing(storage, &questions, now);
    before.order.retain(|(key, _)| *key != kept.key);
    let is_done = storage.redate(kept, end)?;
    if is_done && !before.order.is_empty() {
        restore_in(storage, &before, &questions, now)?;
    }
    Ok(is_done)
}

/// Never to where a secret lies more openly, or longer, than where it is.
fn may_lend(from: Kind, to: Kind) -> bool {
    match (from, to) {
        (Kind::Keychain | Kind::File, Kind::Memory) | (Kind::File, Kind::Keychain) => true,
        (Kind::Memory, _) | (Kind::Keychain | Kind::File, Kind::Keychain | Kind::File) => false,
    }
}

/// `first`: who answered from `from`, and what; the one stored last at the end.
fn lend(
    from: &dyn Storage,
    to: &dyn Storage,
    first: &[(&Key, Vec<&Description>)],
    now: Now,
) -> Result<(), Error> {
    let mut order = match to.list() {
        Ok(listed) => Order::of(&listed, now.wall),
        Err(Error::Unavailable { .. }) => return Ok(()),
        Err(cause) => return Err(cause),
    };
    for (key, asked) in first {
        let is_taken = |wanted: &&Description| order.last(wanted).is_some_and(|last| last != *key);
        if !asked.iter().any(is_taken) {
            continue;
        }
        let kept = from.get(&Description::exactly(key))?;
        if let Some(kept) = kept.filter(|kept| is_good(kept, now)) {
            to.store(&kept)?;
            order.put_last(key);
        }
    }
    Ok(())
}

/// Every question that what is kept under `key` fits: with and without its path and its user.
fn questions(key: &Key) -> Vec<Description> {
    let mut questions = Vec::new();
    for with_path in [false, true] {
        for with_user in [false, true] {
            let wanted = Description::of(&Key {
                path: key.path.clone().filter(|_| with_path),
                username: key.username.clone().filter(|_| with_user),
                ..key.clone()
            });
            if key.path.is_none() {
                questions.push(Description {
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
    kept: &[(Kind, Listed)],
    accounts: &[Account],
    wall: u64,
    tells_path: impl Fn(&Key) -> bool,
) -> Vec<bool> {
    let mut kinds: Vec<Kind> = kept.iter().map(|(kind, _)| *kind).collect();
    kinds.dedup();
    let of_kind = |kind: &Kind| {
        let of_kind = kept.iter().filter(|(other, _)| other == kind);
        (*kind, Order::of(of_kind.map(|(_, listed)| listed), wall))
    };
    let orders: Vec<(Kind, Order)> = kinds.iter().map(of_kind).collect();
    let answers = |(kind, listed): &(Kind, Listed)| {
        let wanted = question(&listed.key, accounts, &tells_path);
        let first = orders
            .iter()
            .find_map(|(kind, order)| Some((kind, order.last(&wanted)?)));
        first == Some((kind, &listed.key)) && !listed.expiry.is_some_and(|end| end.is_past(wall))
    };
    kept.iter().map(answers).collect()
}

/// What git asks for the URL of `key`.
fn question(key: &Key, accounts: &[Account], tells_path: impl Fn(&Key) -> bool) -> Description {
    let mut said = Description {
        username: None,
        ..Description::of(key)
    };
    let is_ruled = |account: &Account| account.path.is_some() && account.covers(&said);
    if key.path.is_some() && !accounts.iter().any(is_ruled) && !tells_path(key) {
        said.path = None;
    }
    account::apply(accounts, &mut said);
    said
}
