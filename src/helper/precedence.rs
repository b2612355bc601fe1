//! Precedence: which of several entries answers a query, for `list` and for the preview of `import`.

use std::collections::HashMap;

use crate::config::account::{self, Account};
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::storage::{Listed, StorageKind};

/// The unexpired keys of a list of storages, in which the first storage with a match answers.
pub(crate) struct Precedence(Vec<Order>);

/// The keys of one storage by protocol and host, the newest last.
type Order = HashMap<(Vec<u8>, Vec<u8>), Vec<Key>>;

impl Precedence {
    /// `lists`: the entries of each storage, the newest last.
    pub(crate) fn of<'a, L>(lists: impl IntoIterator<Item = L>, unix_now: u64) -> Self
    where
        L: IntoIterator<Item = &'a Listed>,
    {
        let mut orders = Vec::new();
        for list in lists {
            let mut order = Order::new();
            for Listed { key, expiry, .. } in list {
                if expiry.is_some_and(|expiry| expiry.is_past(unix_now)) {
                    continue;
                }
                let host = (key.protocol.clone(), key.host.clone());
                order.entry(host).or_default().push(key.clone());
            }
            orders.push(order);
        }
        Self(orders)
    }

    /// The index of the storage that answers `query`, and the key of its answer.
    pub(crate) fn answer(&self, query: &Query) -> Option<(usize, &Key)> {
        let host = (query.protocol.clone()?, query.host.clone()?);
        for (index, order) in self.0.iter().enumerate() {
            let keys = order.get(&host).into_iter().flatten();
            if let Some(key) = keys.rev().find(|key| query.matches(key)) {
                return Some((index, key));
            }
        }
        None
    }
}

/// Every query that an entry with `key` matches: for its host, with and without its user and its path.
pub(crate) fn queries(key: &Key) -> Vec<Query> {
    let mut queries = Vec::new();
    for (with_path, with_user) in [(false, false), (false, true), (true, false), (true, true)] {
        let query = Query::of(&Key {
            path: key.path.clone().filter(|_| with_path),
            username: key.username.clone().filter(|_| with_user),
            ..key.clone()
        });
        if key.path.is_none() {
            queries.push(Query {
                is_pathless: true,
                ..query.duplicate()
            });
        }
        queries.push(query);
    }
    queries
}

/// Which of `kept`, in the order of the storages, answers when git asks for its URL without a user. `tells_path`: whether git
/// sends the path where no `[[account]]` rule makes it do so.
pub fn answering(
    kept: &[(StorageKind, Listed)],
    accounts: &[Account],
    unix_now: u64,
    tells_path: impl Fn(&Key) -> bool,
) -> Vec<bool> {
    let by_storage: Vec<_> = kept.chunk_by(|one, two| one.0 == two.0).collect();
    let lists = by_storage
        .iter()
        .map(|entries| entries.iter().map(|(_, listed)| listed));
    let precedence = Precedence::of(lists, unix_now);
    let mut answering = Vec::with_capacity(kept.len());
    for (index, entries) in by_storage.iter().enumerate() {
        for (_, Listed { key, expiry, .. }) in *entries {
            let is_expired = expiry.is_some_and(|expiry| expiry.is_past(unix_now));
            let answer = precedence.answer(&query_for(key, accounts, &tells_path));
            answering.push(!is_expired && answer == Some((index, key)));
        }
    }
    answering
}

/// The query that git sends for the URL of `key`.
fn query_for(key: &Key, accounts: &[Account], tells_path: impl Fn(&Key) -> bool) -> Query {
    let mut query = Query {
        username: None,
        ..Query::of(key)
    };
    let has_rule = accounts
        .iter()
        .any(|account| account.key.path.is_some() && account.covers(&query));
    if key.path.is_some() && !has_rule && !tells_path(key) {
        query.path = None;
    }
    account::apply(accounts, &mut query);
    query
}
