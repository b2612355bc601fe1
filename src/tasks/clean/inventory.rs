//! What a storage of ours keeps, entry by entry, and taking one of them away.

use std::collections::HashMap;

use crate::credential::Credential;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::storage::{Error, Storage, StorageKind};
use crate::time::Now;

/// A secret that is kept under a key.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) kind: StorageKind,
    pub(crate) credential: Credential,
    /// When, in Unix seconds, where the storage knows.
    pub(crate) written: Option<u64>,
    /// How many items keep it.
    pub(crate) items: usize,
}

/// Every secret that a storage keeps, of several under one key the one that answers last. Where the same one is kept more
/// than once under its key, the latest tells of it.
pub(crate) fn everything(storage: &dyn Storage) -> Result<Vec<Kept>, Error> {
    let mut all: Vec<Option<Kept>> = Vec::new();
    let mut by_key: HashMap<Key, Vec<usize>> = HashMap::new();
    for (listed, credential) in storage.all()? {
        let mut kept = Kept {
            kind: storage.kind(),
            credential,
            written: listed.written,
            items: 1,
        };
        let of_key = by_key.entry(listed.key).or_default();
        let is_same = |older: &&mut Option<Kept>| {
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

/// Why [`everything`] may have left something out: what is locked in the keychain is passed over there in silence.
pub(crate) fn what_is_locked(storage: &dyn Storage) -> Option<Error> {
    let is_keychain = storage.kind() == StorageKind::Keychain;
    is_keychain.then(|| storage.check().err()).flatten()
}

/// Memory has wiped a secret that ended: there is nothing to compare, but then what is there now must have ended as well.
pub(crate) fn remove_from(
    storage: &dyn Storage,
    stale: &Credential,
    now: Now,
) -> Result<usize, Error> {
    let exactly = Query::exact(&stale.key);
    if !stale.is_complete() {
        let kept = storage.get(&exactly)?;
        let is_expired = kept.is_some_and(|kept| !kept.is_complete() && kept.is_expired(now.unix));
        return if is_expired {
            storage.erase(&exactly)
        } else {
            Ok(0)
        };
    }
    // Another end was told meanwhile: it may be good again.
    match storage.get(&exactly)? {
        Some(kept) if kept.has_same_secrets(stale) && kept.expiry != stale.expiry => Ok(0),
        _ => storage.erase(&stale.as_rejected()),
    }
}

/// Only while another one still answers in its place.
pub(crate) fn remove_behind(storage: &dyn Storage, stale: &Credential) -> Result<usize, Error> {
    match storage.get(&Query::exact(&stale.key))? {
        Some(kept) if kept.is_complete() && !kept.has_same_secrets(stale) => {
            storage.erase(&stale.as_rejected())
        }
        _ => Ok(0),
    }
}
