//! The credentials of a storage, one item for each secret, and the removal of one of them.

use std::collections::HashMap;

use crate::credential::Credential;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::storage::{Error, Storage, StorageKind};
use crate::time::Now;

/// A secret under a key in a storage.
#[derive(Debug)]
pub(crate) struct InventoryItem {
    pub(crate) kind: StorageKind,
    pub(crate) credential: Credential,
    /// When it was written, in Unix seconds, if the storage knows.
    pub(crate) written: Option<u64>,
    /// The number of equal entries.
    pub(crate) items: usize,
}

/// Every secret in a storage, in the storage's order: of several under one key, the last one answers. Equal secrets under one key
/// are one item, at the place of the last one.
pub(crate) fn everything(storage: &dyn Storage) -> Result<Vec<InventoryItem>, Error> {
    let mut all: Vec<Option<InventoryItem>> = Vec::new();
    let mut by_key: HashMap<Key, Vec<usize>> = HashMap::new();
    for (listed, credential) in storage.all()? {
        let mut kept = InventoryItem {
            kind: storage.kind(),
            credential,
            written: listed.written,
            items: 1,
        };
        let of_key = by_key.entry(listed.key).or_default();
        let is_same = |older: &&mut Option<InventoryItem>| {
            let older = older.as_ref();
            older.is_some_and(|older| older.credential.has_same_secrets(&kept.credential))
        };
        let mut older = None;
        for &at in of_key.iter() {
            older = Some(&mut all[at]).filter(is_same).and_then(Option::take);
            if older.is_some() {
                break;
            }
        }
        if let Some(older) = older {
            kept.items += older.items;
            kept.written = kept.written.max(older.written);
        }
        of_key.push(all.len());
        all.push(Some(kept));
    }
    Ok(all.into_iter().flatten().collect())
}

/// The error if the keychain is locked: [`everything`] leaves locked items out without an error.
pub(crate) fn locked(storage: &dyn Storage) -> Option<Error> {
    let is_keychain = storage.kind() == StorageKind::Keychain;
    is_keychain.then(|| storage.check().err()).flatten()
}

/// Removes a credential if its secret is unchanged. Memory wipes an expired secret: without a secret to compare, the entry must have
/// expired as well.
pub(crate) fn remove_from(
    storage: &dyn Storage,
    stale: &Credential,
    now: Now,
) -> Result<usize, Error> {
    let exact = Query::exact(&stale.key);
    if !stale.is_complete() {
        let kept = storage.get(&exact)?;
        let is_expired = kept.is_some_and(|kept| !kept.is_complete() && kept.is_expired(now.unix));
        return if is_expired {
            storage.erase(&exact)
        } else {
            Ok(0)
        };
    }
    // Another expiry was set meanwhile: the token may work again.
    match storage.get(&exact)? {
        Some(kept) if kept.has_same_secrets(stale) && kept.expiry != stale.expiry => Ok(0),
        _ => storage.erase(&stale.as_rejected()),
    }
}

/// Removes a credential while another secret answers in its place.
pub(crate) fn remove_shadowed(storage: &dyn Storage, stale: &Credential) -> Result<usize, Error> {
    match storage.get(&Query::exact(&stale.key))? {
        Some(kept) if kept.is_complete() && !kept.has_same_secrets(stale) => {
            storage.erase(&stale.as_rejected())
        }
        _ => Ok(0),
    }
}
