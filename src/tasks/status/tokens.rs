//! The stored tokens: each key once, in the state of the entry that answers.

use std::collections::HashMap;

use super::storages::StorageEntries;
use crate::credential::expiry::Expiry;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::helper::Helper;
use crate::helper::precedence::Precedence;
use crate::helper::token_state::{StoredTokens, TokenState};
use crate::storage::{Listed, StorageKind};

pub(crate) struct TokenStatus {
    pub(crate) key: Key,
    pub(crate) storage: StorageKind,
    pub(crate) state: TokenState,
    pub(crate) expiry: Option<Expiry>,
    /// When git last confirmed it, in Unix seconds.
    pub(crate) last_used: Option<u64>,
    /// Since when a token of GitHub has gone unused, if that is long.
    pub(crate) unused_since: Option<u64>,
}

/// The tokens of `lists`: all, or the one that answers `wanted`. If none answers, the expired ones that match.
pub(super) fn read(
    helper: &Helper,
    lists: &[StorageEntries],
    wanted: Option<&Query>,
    unix_now: u64,
) -> Vec<TokenStatus> {
    let stored = StoredTokens::read(helper, unix_now);
    let status = |kind: StorageKind, listed: &Listed| {
        let (known, state) = stored.token(kind, listed);
        TokenStatus {
            key: listed.key.clone(),
            storage: kind,
            state,
            expiry: listed.expiry,
            last_used: known.used,
            unused_since: known.unused_since(unix_now),
        }
    };
    let mut found = answering(lists, unix_now);
    if let Some(wanted) = wanted {
        found.retain(|(_, listed)| wanted.matches(&listed.key));
        let precedence = Precedence::of(lists.iter().map(|(_, list)| list), unix_now);
        if let Some((index, key)) = precedence.answer(wanted) {
            let kind = lists[index].0;
            found.retain(|(of, listed)| *of == kind && listed.key == *key);
        }
    }
    let found = found.into_iter();
    found.map(|(kind, listed)| status(kind, listed)).collect()
}

/// The entry that answers for each key: the first unexpired one, and within a storage the newest. Else the first expired one.
fn answering(lists: &[StorageEntries], unix_now: u64) -> Vec<(StorageKind, &Listed)> {
    let is_expired = |listed: &Listed| {
        let expiry = listed.expiry;
        expiry.is_some_and(|expiry| expiry.is_past(unix_now))
    };
    let mut found: Vec<(StorageKind, &Listed)> = Vec::new();
    let mut places = HashMap::new();
    for (kind, list) in lists {
        for listed in list.iter().rev() {
            let place = *places.entry(&listed.key).or_insert(found.len());
            if place == found.len() {
                found.push((*kind, listed));
            } else if is_expired(found[place].1) && !is_expired(listed) {
                found[place] = (*kind, listed);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::url;

    const NOW: u64 = 1000;

    #[test]
    fn the_first_unexpired_entry_of_a_key_answers_else_the_first_expired_one() {
        use StorageKind::{File, Memory};
        let key = url::parse(b"https://alice@one.test")
            .unwrap()
            .key()
            .unwrap();
        let listed = |end: &u64| Listed {
            key: key.clone(),
            expiry: Expiry::from_unix(*end),
            scheme: None,
            is_renewable: false,
            forgotten: None,
            written: None,
        };
        for (memory, file, expected) in [
            (&[2000][..], &[3000][..], (Memory, 2000)),
            (&[900], &[3000], (File, 3000)),
            (&[900], &[800], (Memory, 900)),
            (&[], &[800], (File, 800)),
            (&[2000, 3000], &[], (Memory, 3000)),
            (&[2000, 900], &[], (Memory, 2000)),
        ] {
            let of = |ends: &[u64]| ends.iter().map(listed).collect();
            let lists = [(Memory, of(memory)), (File, of(file))];
            let found = answering(&lists, NOW);
            let found = found.iter();
            let found = found.map(|(kind, listed)| (*kind, listed.expiry.unwrap().unix()));
            assert_eq!(found.collect::<Vec<_>>(), [expected], "{memory:?} {file:?}");
        }
    }
}
