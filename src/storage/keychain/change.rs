//! Making items, and changing them.

use keyring::CredentialStore;

use super::attributes::{Schema, Spelling, label};
use super::found::{FoundItem, KeychainFailure, delete, find, get, map, newest_first, reveal};
use crate::credential::Credential;
use crate::credential::expiry::Expiry;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::credential::username::Username;
use crate::protocol::write;
use crate::secret::Buffer;
use crate::storage::is_still;

/// Whether an item is to be as somebody has seen it.
pub(super) enum Expected {
    /// Whatever there is.
    Anything,
    /// The secret of this one, or none.
    Still(Option<Credential>),
    /// The secret of this one.
    There(Credential),
}

/// Times that an item may go while it is changed: another program's doing.
const TRIES: usize = 3;

/// The item is updated where it is; a new one goes where the system keeps new ones. Returns whether it is stored.
pub(super) fn put(
    store: &CredentialStore,
    credential: &Credential,
    expected: &Expected,
) -> Result<bool, KeychainFailure> {
    for _ in 1..TRIES {
        match put_once(store, credential, expected) {
            Err(KeychainFailure::Keyring(keyring::Error::NoEntry)) => {}
            done => return done,
        }
    }
    put_once(store, credential, expected)
}

fn put_once(
    store: &CredentialStore,
    credential: &Credential,
    expected: &Expected,
) -> Result<bool, KeychainFailure> {
    let key = &credential.key;
    let mut text = Buffer::with_capacity(256);
    write::body(credential, &mut text)?;
    let schema = match credential.password {
        Some(_) => Schema::Password,
        None => Schema::Authorization,
    };
    let attributes = schema.attributes(key).ok_or(KeychainFailure::NotText)?;
    let found = newest_first(items_of(store, key)?)?;
    let is_expected = match expected {
        Expected::Anything => true,
        Expected::Still(known) => is_still(first_whole(&found)?.as_ref(), known.as_ref()),
        Expected::There(known) => {
            first_whole(&found)?.is_some_and(|kept| kept.has_same_secrets(known))
        }
    };
    if !is_expected {
        return Ok(false);
    }
    let (same, other): (Vec<_>, Vec<_>) = found.into_iter().partition(|item| item.schema == schema);
    if let Some(item) = same.first() {
        let known = item.read()?;
        if !known.is_some_and(|known| known.is_same(credential)) {
            item.entry.set_secret(text.as_slice())?;
        }
    } else {
        let user = key.username.as_ref().map(Username::expose);
        let user = user.unwrap_or_default();
        let user = String::from_utf8_lossy(user);
        let new = store.build(&label(key), &user, Some(&map(&attributes)))?;
        new.set_secret(text.as_slice())?;
    }
    for item in same.iter().skip(1).chain(&other) {
        delete(&item.entry)?;
    }
    Ok(true)
}

/// What is answered of `found`, the newest first.
fn first_whole(found: &[FoundItem]) -> Result<Option<Credential>, KeychainFailure> {
    for item in found {
        if let Some(known) = item.read()?.filter(Credential::is_complete) {
            return Ok(Some(known));
        }
    }
    Ok(None)
}

fn items_of(store: &CredentialStore, key: &Key) -> Result<Vec<FoundItem>, KeychainFailure> {
    let wanted = Query::of(key);
    let mut found = find(store, &wanted, Spelling::AsKept)?;
    reveal(&mut found, &wanted)?;
    found.retain(|item| item.key() == Some(key));
    if found.is_empty() {
        found = find(store, &wanted, Spelling::Any)?;
        found.retain(|item| item.key() == Some(key));
    }
    Ok(found)
}

/// The newest item under `key` is written again: it is the newest of all then.
pub(super) fn touch(store: &CredentialStore, key: &Key) -> Result<(), KeychainFailure> {
    if let Some(item) = newest_first(items_of(store, key)?)?.first() {
        item.write_again()?;
    }
    Ok(())
}

pub(super) fn check_writable(
    store: &CredentialStore,
    kept: &Credential,
) -> Result<bool, KeychainFailure> {
    for item in newest_first(items_of(store, &kept.key)?)? {
        let known = item.read()?;
        if known.is_some_and(|known| known.is_complete() && known.has_same_secrets(kept)) {
            return item.write_again();
        }
    }
    Ok(false)
}

pub(super) fn set_expiry(
    store: &CredentialStore,
    kept: &Credential,
    end: Option<Expiry>,
) -> Result<bool, KeychainFailure> {
    match get(store, &Query::exact(&kept.key))? {
        Some(mut found) if found.has_same_secrets(kept) => {
            found.expiry = end;
            put(store, &found, &Expected::There(kept.duplicate()))
        }
        _ => Ok(false),
    }
}
