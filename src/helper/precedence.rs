//! Precedence: which of several entries answers a query, for `list` and for the preview of `import`.

use std::collections::HashMap;

use crate::config::account::{self, Account};
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::credential::username::Username;
use crate::storage::{Listed, StorageKind};

/// The unexpired keys of a list of storages, in which the first storage with a match answers.
pub(crate) struct Precedence(Vec<Order>);

/// The newest key of one storage for each form of query, so that an answer costs the same however many entries there are.
type Order = HashMap<Wanted, Key>;

/// A form of query that some key matches.
#[derive(PartialEq, Eq, Hash)]
struct Wanted {
    protocol: Vec<u8>,
    host: Vec<u8>,
    path: Part<Vec<u8>>,
    username: Part<Username>,
}

/// A path or a username in a query.
#[derive(PartialEq, Eq, Hash)]
enum Part<T> {
    Any,
    /// Exactly this one, or none.
    Only(Option<T>),
}

impl<T: Clone> Part<T> {
    fn of(part: Option<&T>, counts: bool) -> Self {
        if counts {
            Self::Only(part.cloned())
        } else {
            Self::Any
        }
    }
}

impl Wanted {
    /// Every form of query that `key` matches.
    fn by(key: &Key) -> [Self; 4] {
        [(false, false), (false, true), (true, false), (true, true)].map(|(path, user)| Self {
            protocol: key.protocol.clone(),
            host: key.host.clone(),
            path: Part::of(key.path.as_ref(), path),
            username: Part::of(key.username.as_ref(), user),
        })
    }

    /// The form of `query`; `None`: it matches no key.
    fn of(query: &Query) -> Option<Self> {
        let (path, user) = (query.path.as_ref(), query.username.as_ref());
        let is_pathless = query.is_pathless || query.is_exact;
        Some(Self {
            protocol: query.protocol.clone()?,
            host: query.host.clone()?,
            path: Part::of(path, path.is_some() || is_pathless),
            username: Part::of(user, user.is_some() || query.is_exact),
        })
    }
}

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
                for wanted in Wanted::by(key) {
                    order.insert(wanted, key.clone());
                }
            }
            orders.push(order);
        }
        Self(orders)
    }

    /// Whether any storage has an unexpired entry for the protocol and host of `key`.
    pub(crate) fn has_host(&self, key: &Key) -> bool {
        let at_host = Query {
            path: None,
            username: None,
            ..Query::of(key)
        };
        self.answer(&at_host).is_some()
    }

    /// The index of the storage that answers `query`, and the key of its answer.
    pub(crate) fn answer(&self, query: &Query) -> Option<(usize, &Key)> {
        let wanted = Wanted::of(query)?;
        let mut answers = self.0.iter().map(|order| order.get(&wanted)).enumerate();
        let (index, key) = answers.find_map(|(index, key)| Some((index, key?)))?;
        query.matches(key).then_some((index, key))
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
    kept: &[(StorageKind, &Listed)],
    accounts: &[Account],
    unix_now: u64,
    tells_path: impl Fn(&Key) -> bool,
) -> Vec<bool> {
    let by_storage: Vec<_> = kept.chunk_by(|one, two| one.0 == two.0).collect();
    let lists = by_storage
        .iter()
        .map(|entries| entries.iter().map(|(_, listed)| *listed));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(path: Option<&str>, username: Option<&str>) -> Listed {
        Listed {
            key: Key {
                protocol: b"https".to_vec(),
                host: b"one.test".to_vec(),
                path: path.map(|path| path.as_bytes().to_vec()),
                username: username.map(Username::from),
            },
            expiry: None,
            scheme: None,
            is_renewable: false,
            forgotten: None,
            written: None,
        }
    }

    #[test]
    fn the_newest_key_that_matches_answers_each_form_of_query() {
        let parts = [None, Some(""), Some("a"), Some("b")];
        let mut all = Vec::new();
        for path in parts {
            all.extend(parts.map(|username| listed(path, username)));
        }
        let lists = [&all[..3], &all[2..13], &all[..9]];
        let precedence = Precedence::of(lists, 1000);
        for Listed { key, .. } in &all {
            for (is_exact, is_pathless) in [(false, false), (true, false), (false, true)] {
                let query = Query {
                    is_exact,
                    is_pathless,
                    ..Query::of(key)
                };
                let mut expected = None;
                for (index, list) in lists.iter().enumerate() {
                    let newest = list.iter().rev().find(|listed| query.matches(&listed.key));
                    expected = expected.or(newest.map(|listed| (index, &listed.key)));
                }
                assert!(precedence.answer(&query) == expected, "{key:?} {query:?}");
            }
        }
    }
}
