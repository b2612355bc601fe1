//! Making items, and changing them.

use std::path::Path;
use std::time::Duration;

use keyring::CredentialStore;

use super::attributes::{Schema, Spelling, label};
use super::found::{Failure, Found, delete, find, get, map, newest_first, reveal};
use crate::credential::Credential;
use crate::credential::description::Description;
use crate::credential::expiry::Expiry;
use crate::credential::key::Key;
use crate::private::{Folder, Lock};
use crate::protocol::write;
use crate::secret::Buffer;

/// How long to wait for one's turn; what is left of an operation is for the service.
const TURN: Duration = Duration::from_millis(1200);

/// The item is updated where it is; a new one goes where the system keeps new ones. Should two who store at once both make
/// one all the same, the next to store leaves one of them.
pub(super) fn put(
    store: &CredentialStore,
    credential: &Credential,
    turns: Option<&Path>,
) -> Result<(), Failure> {
    let key = &credential.key;
    let mut text = Buffer::with_capacity(256);
    write::body(credential, &mut text)?;
    let schema = match credential.password {
        Some(_) => Schema::Password,
        None => Schema::Authorization,
    };
    let attributes = schema.attributes(key).ok_or(Failure::NotText)?;

    let mut found = items_of(store, key)?;
    let mut turn = None;
    if !found.iter().any(|item| item.schema == schema) {
        turn = turns.and_then(take_turn);
        // Waited for in vain, too: whoever was first has made one meanwhile.
        if turns.is_some() {
            found = items_of(store, key)?;
        }
    }
    let (same, other): (Vec<_>, Vec<_>) = newest_first(found)?
        .into_iter()
        .partition(|item| item.schema == schema);
    if let Some(item) = same.first() {
        let known = item.read()?;
        if !known.is_some_and(|known| known.is_same(credential)) {
            item.entry.set_secret(text.as_slice())?;
        }
    } else {
        let user = String::from_utf8_lossy(key.username.as_deref().unwrap_or_default());
        let new = store.build(&label(key), &user, Some(&map(&attributes)))?;
        new.set_secret(text.as_slice())?;
    }
    drop(turn);
    for item in same.iter().skip(1).chain(&other) {
        delete(&item.entry)?;
    }
    Ok(())
}

fn items_of(store: &CredentialStore, key: &Key) -> Result<Vec<Found>, Failure> {
    let wanted = Description::of(key);
    let mut found = find(store, &wanted, Spelling::AsKept)?;
    reveal(&mut found, &wanted)?;
    found.retain(|item| item.key() == Some(key));
    if found.is_empty() {
        found = find(store, &wanted, Spelling::Any)?;
        found.retain(|item| item.key() == Some(key));
    }
    Ok(found)
}

/// `None`: it takes too long, or there is no such folder. Then an item is made out of turn.
fn take_turn(folder: &Path) -> Option<Lock> {
    let folder = Folder::make(folder).ok()?;
    folder.lock_within("keychain.lock", TURN).ok()?
}

/// The newest item under `key` is written again: it is the newest of all then.
pub(super) fn touch(store: &CredentialStore, key: &Key) -> Result<(), Failure> {
    if let Some(item) = newest_first(items_of(store, key)?)?.first() {
        item.write_again()?;
    }
    Ok(())
}

pub(super) fn rehearse(store: &CredentialStore, kept: &Credential) -> Result<bool, Failure> {
    for item in newest_first(items_of(store, &kept.key)?)? {
        let known = item.read()?;
        if known.is_some_and(|known| known.is_complete() && known.has_same_secrets(kept)) {
            return item.write_again();
        }
    }
    Ok(false)
}

pub(super) fn redate(
    store: &CredentialStore,
    kept: &Credential,
    end: Option<Expiry>,
    turns: Option<&Path>,
) -> Result<bool, Failure> {
    match get(store, &Description::exactly(&kept.key))? {
        Some(mut found) if found.has_same_secrets(kept) => {
            found.expiry = end;
            put(store, &found, turns)?;
            Ok(true)
        }
        _ => Ok(false),
    }
}
