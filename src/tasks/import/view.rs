//! The contents of one storage when an import begins.

use std::collections::HashMap;

use crate::credential::Credential;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::storage::{Error, Listed, Storage};

/// The contents of one storage. Empty if this system has no such storage.
#[derive(Debug, Default)]
pub(super) struct StorageView {
    /// In the storage's order.
    pub(super) listed: Vec<Listed>,
    pub(super) entries: HashMap<Key, Credential>,
    /// It is locked or does not answer: it may have any entry.
    pub(super) is_silent: bool,
}

impl StorageView {
    /// Reads all of `storage` at once: a source may have thousands of credentials.
    pub(super) fn read(storage: &dyn Storage) -> Result<Self, Error> {
        let all = storage.all()?.into_iter();
        let mut entries: HashMap<_, _> = all.map(|(listed, found)| (listed.key, found)).collect();
        let listed = storage.list()?;
        for Listed { key, .. } in &listed {
            // `all` leaves out what is locked. Then this fails, and the storage counts as silent.
            if !entries.contains_key(key)
                && let Some(found) = storage.get(&Query::exact(key))?
            {
                entries.insert(key.clone(), found);
            }
        }
        Ok(Self {
            listed,
            entries,
            is_silent: false,
        })
    }
}
