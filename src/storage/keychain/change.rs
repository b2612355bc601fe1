//! Creates, changes and removes items.

use super::attributes::{Schema, Spelling, label};
use super::failure::KeychainFailure;
use super::found::{FoundItem, find, get, newest_first, reveal};
use super::items::{ItemStore, if_there};
use crate::credential::Credential;
use crate::credential::expiry::Expiry;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::protocol::write;
use crate::secret::Buffer;
use crate::storage::{Advice, Expected, Lack};

/// The secret that an item must have to be changed.
pub(super) enum ExpectedItem {
    /// Any, or no item.
    Anything,
    /// This one, or no item.
    Still(Option<Credential>),
    /// This one.
    There(Credential),
}

/// Attempts while another program removes the item.
const TRIES: usize = 3;

/// Updates the item in its collection, or creates one in the default collection. Returns whether the credential is stored.
pub(super) fn put(
    store: &dyn ItemStore,
    credential: &Credential,
    expected: &ExpectedItem,
) -> Result<bool, KeychainFailure> {
    for _ in 1..TRIES {
        match put_once(store, credential, expected) {
            Err(KeychainFailure::Gone) => {}
            done => return done,
        }
    }
    put_once(store, credential, expected)
}

fn put_once(
    store: &dyn ItemStore,
    credential: &Credential,
    expected: &ExpectedItem,
) -> Result<bool, KeychainFailure> {
    let key = &credential.key;
    let mut text = Buffer::with_capacity(256);
    write::body(credential, &mut text)?;
    let schema = match credential.password {
        Some(_) => Schema::Password,
        None => Schema::Authorization,
    };
    let attributes = schema.attributes(key).ok_or_else(not_text)?;
    let found = newest_first(store, items_of(store, key)?)?;
    let is_expected = match expected {
        ExpectedItem::Anything => true,
        ExpectedItem::Still(known) => {
            Expected::Still(known.as_ref()).is_met(first_whole(store, &found)?.as_ref())
        }
        ExpectedItem::There(known) => {
            first_whole(store, &found)?.is_some_and(|kept| kept.has_same_secrets(known))
        }
    };
    if !is_expected {
        return Ok(false);
    }
    let (same, other): (Vec<_>, Vec<_>) = found.into_iter().partition(|item| item.schema == schema);
    if let Some(item) = same.first() {
        if item.read(store)?.as_ref() != Some(credential) {
            store.set_secret(&item.handle, text.as_slice())?;
        }
    } else {
        store.create(&label(key), attributes, text.as_slice())?;
    }
    for item in same.iter().skip(1).chain(&other) {
        if_there(store.delete(&item.handle))?;
    }
    Ok(true)
}

fn not_text() -> KeychainFailure {
    let advice = Advice::new(
        "the keychain holds only text, and the entry is not valid UTF-8",
        "choose another storage with '--storage'",
        Lack::Use,
    );
    KeychainFailure::Failed(advice.into())
}

/// Returns the credential that answers: the first complete one of `found`, which has the newest item first.
fn first_whole(
    store: &dyn ItemStore,
    found: &[FoundItem],
) -> Result<Option<Credential>, KeychainFailure> {
    for item in found {
        if let Some(known) = item.read(store)?.filter(Credential::is_complete) {
            return Ok(Some(known));
        }
    }
    Ok(None)
}

fn items_of(store: &dyn ItemStore, key: &Key) -> Result<Vec<FoundItem>, KeychainFailure> {
    let wanted = Query::of(key);
    let mut found = find(store, &wanted, Spelling::AsKept)?;
    reveal(store, &mut found, &wanted)?;
    found.retain(|item| item.key() == Some(key));
    if found.is_empty() {
        found = find(store, &wanted, Spelling::Any)?;
        found.retain(|item| item.key() == Some(key));
    }
    Ok(found)
}

/// Most items that are written again to keep their order: each costs a second.
const MOST_TOUCHED: usize = 5;

/// The keys of the host's items that are newer than the item under `key`, the newest last.
pub(super) fn newer_keys(store: &dyn ItemStore, key: &Key) -> Result<Vec<Key>, KeychainFailure> {
    let host = Query {
        path: None,
        username: None,
        ..Query::of(key)
    };
    let mut newer = Vec::new();
    for item in newest_first(store, find(store, &host, Spelling::AsKept)?)? {
        let Some(other) = item.key() else { continue };
        if other == key {
            newer.truncate(MOST_TOUCHED);
            newer.reverse();
            return Ok(newer);
        }
        if !newer.contains(other) {
            newer.push(other.clone());
        }
    }
    Ok(Vec::new())
}

/// Writes the newest item under `key` again, so that it becomes the newest of all.
pub(super) fn touch(store: &dyn ItemStore, key: &Key) -> Result<(), KeychainFailure> {
    if let Some(item) = newest_first(store, items_of(store, key)?)?.first() {
        item.write_again(store)?;
    }
    Ok(())
}

pub(super) fn check_writable(
    store: &dyn ItemStore,
    kept: &Credential,
) -> Result<bool, KeychainFailure> {
    for item in newest_first(store, items_of(store, &kept.key)?)? {
        let known = item.read(store)?;
        if known.is_some_and(|known| known.is_complete() && known.has_same_secrets(kept)) {
            return item.write_again(store);
        }
    }
    Ok(false)
}

pub(super) fn set_expiry(
    store: &dyn ItemStore,
    kept: &Credential,
    end: Option<Expiry>,
) -> Result<bool, KeychainFailure> {
    match get(store, &Query::exact(&kept.key))? {
        Some(mut found) if found.has_same_secrets(kept) => {
            found.expiry = end;
            put(store, &found, &ExpectedItem::There(kept.duplicate()))
        }
        _ => Ok(false),
    }
}

pub(super) fn erase(store: &dyn ItemStore, unwanted: &Query) -> Result<usize, KeychainFailure> {
    // An item with hidden attributes is found only by the exact spelling. Once unlocked, the second search finds it too.
    let mut hidden = find(store, unwanted, Spelling::AsKept)?;
    hidden.retain(FoundItem::is_hidden);
    reveal(store, &mut hidden, unwanted)?;
    let mut found = find(store, unwanted, Spelling::Any)?;
    if found.is_empty() {
        store.check(false)?;
    }
    found.retain(|item| !item.is_hidden());
    let erased = erase_named(store, found, unwanted)?;
    if erased > 0 || !names_secret(unwanted) || unwanted.username.is_none() {
        return Ok(erased);
    }
    // git may have asked the user for the name, and have got the secret from us.
    let anyone = Query {
        username: None,
        ..unwanted.duplicate()
    };
    let mut nameless = find(store, &anyone, Spelling::AsKept)?;
    nameless.retain(|item| item.key().is_some_and(|key| key.username.is_none()));
    erase_named(store, nameless, &anyone)
}

pub(super) fn names_secret(query: &Query) -> bool {
    query.password.is_some() || query.credential.is_some()
}

/// Removes the items, or only those with the secret that `unwanted` names. Returns their number.
fn erase_named(
    store: &dyn ItemStore,
    items: Vec<FoundItem>,
    unwanted: &Query,
) -> Result<usize, KeychainFailure> {
    let mut erased = 0;
    for item in items {
        let is_named = !names_secret(unwanted)
            || item
                .read(store)?
                .is_some_and(|kept| kept.is_named_by(unwanted));
        if is_named && if_there(store.delete(&item.handle))?.is_some() {
            erased += 1;
        }
    }
    Ok(erased)
}
