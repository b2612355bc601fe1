//! Lists every item that may belong to git.

use super::attributes::{Schema, Seen};
use super::failure::KeychainFailure;
use super::found::{FoundItem, newest_first, search};
use super::items::ItemStore;
use super::native;
use crate::credential::Credential;
use crate::credential::key::Key;
use crate::storage::Listed;

/// So many secrets are read at once.
const AT_ONCE: usize = 64;

/// Reads the open items, in their order, many at once. `None`: the secret of the item needs to be unlocked.
fn read_open(
    store: &dyn ItemStore,
    items: &[FoundItem],
) -> Vec<Option<Result<Option<Credential>, KeychainFailure>>> {
    let mut read = Vec::with_capacity(items.len());
    for items in items.chunks(AT_ONCE) {
        let is_open = |item: &&FoundItem| !item.handle.is_locked.get();
        let open = items.iter().filter(is_open).map(|item| &item.handle);
        let mut secrets = store.secrets(&open.collect::<Vec<_>>()).into_iter();
        for item in items {
            let secret = secrets.by_ref().take(usize::from(is_open(&item))).next();
            read.push(secret.map(|secret| item.credential(store, secret)));
        }
    }
    read
}

/// Returns every entry, the newest last. The expiry of a locked one stays unknown: a keyring with an empty password would open
/// without a prompt.
pub(super) fn list(store: &dyn ItemStore) -> Result<Vec<Listed>, KeychainFailure> {
    let mut listed = Vec::new();
    let items = everything(store)?;
    for (item, read) in items.iter().zip(read_open(store, &items)) {
        let read = match read {
            Some(read) => read,
            None if store.is_open(&item.handle) => item.read(store),
            None => Err(KeychainFailure::locked(native::TEXTS.locked)),
        };
        let known = match read {
            Err(failure) if failure.is_locked() && !item.is_hidden() => None,
            known => known?,
        };
        listed.extend(item.listed(store, known.as_ref()));
    }
    Ok(listed)
}

/// Returns the key of every entry, without reading a secret.
pub(super) fn keys(store: &dyn ItemStore) -> Result<Vec<Key>, KeychainFailure> {
    let items = everything(store)?;
    Ok(items
        .iter()
        .filter_map(|item| item.key().cloned())
        .collect())
}

/// Returns every complete item in the order of [`list`], with several under one key too, and the number of locked items.
/// Fails on a locked item if `must_be_open`.
pub(super) fn all(
    store: &dyn ItemStore,
    must_be_open: bool,
) -> Result<(Vec<(Listed, Credential)>, usize), KeychainFailure> {
    let (mut all, mut locked) = (Vec::new(), 0);
    let items = everything(store)?;
    for (item, read) in items.iter().zip(read_open(store, &items)) {
        let known = match read.unwrap_or_else(|| item.read(store)) {
            Err(failure) if failure.is_locked() && !item.is_hidden() && !must_be_open => {
                locked += 1;
                None
            }
            known => known?,
        };
        if let Some(known) = known.filter(Credential::is_complete)
            && let Some(listed) = item.listed(store, Some(&known))
        {
            all.push((listed, known));
        }
    }
    Ok((all, locked))
}

/// Returns every item that may belong to git, the newest last.
fn everything(store: &dyn ItemStore) -> Result<Vec<FoundItem>, KeychainFailure> {
    let searches = |schema: Schema| {
        let searches = schema.everything().into_iter();
        searches.map(move |attributes| (schema, attributes))
    };
    let mut found = search(store, Schema::ALL.into_iter().flat_map(searches).collect())?;
    if found.is_empty() {
        // A keyring that was never open does not show which items belong to git.
        store.check(true)?;
    }
    // Never read the secrets of other programs.
    found.retain(|item| item.seen != Seen::Foreign);
    let mut found = newest_first(store, found)?;
    found.reverse();
    Ok(found)
}
