//! Items of other programs: finds them by their attributes, reads and removes them.

use super::attributes::SCHEMA;
use super::failure::KeychainFailure;
use super::items::{Item, ItemAttributes, ItemResult, ItemStore, if_there};
use crate::secret::Secret;

/// No program has more items.
const MOST: usize = 1000;
/// So many items are read at once.
const AT_ONCE: usize = 64;

/// An item of another program.
#[derive(Debug)]
pub struct ExternalItem {
    pub attributes: ItemAttributes,
    pub secret: Secret,
}

pub(super) fn find(
    store: &dyn ItemStore,
    spec: &ItemAttributes,
) -> Result<Vec<ExternalItem>, KeychainFailure> {
    let items = search(store, spec)?;
    let items: Vec<&Item> = items.iter().take(MOST).collect();
    // A locked item may prompt: after a failure there is no other prompt.
    let is_open = items.iter().all(|item| !item.is_locked.get());
    let mut found = Vec::new();
    for items in items.chunks(if is_open { AT_ONCE } else { 1 }) {
        for item in read(store, items) {
            found.extend(if_there(item)?);
        }
    }
    Ok(found)
}

fn search(store: &dyn ItemStore, spec: &ItemAttributes) -> Result<Vec<Item>, KeychainFailure> {
    let found = store.search(std::slice::from_ref(spec))?;
    Ok(found.into_iter().flatten().collect())
}

/// Removes the items with exactly these attributes that have `secret`. Returns their number.
pub(super) fn remove(
    store: &dyn ItemStore,
    attributes: &ItemAttributes,
    secret: &Secret,
) -> Result<usize, KeychainFailure> {
    let mut removed = 0;
    for item in search(store, attributes)? {
        let kept = read(store, &[&item]).pop().map(if_there).transpose()?;
        let Some(kept) = kept.flatten() else {
            continue;
        };
        let is_meant = kept.attributes == *attributes && kept.secret == *secret;
        if is_meant && if_there(store.delete(&item))?.is_some() {
            removed += 1;
        }
    }
    Ok(removed)
}

/// Reads items, without the schema that gnome-keyring adds later to items without one.
fn read(store: &dyn ItemStore, items: &[&Item]) -> Vec<ItemResult<ExternalItem>> {
    let (attributes, secrets) = (store.attributes(items), store.secrets(items));
    let mut read = Vec::with_capacity(items.len());
    for (attributes, secret) in attributes.into_iter().zip(secrets) {
        read.push(attributes.and_then(|mut attributes| {
            let name = attributes.get(SCHEMA);
            if name.is_some_and(|name| name == "org.freedesktop.Secret.Generic") {
                attributes.remove(SCHEMA);
            }
            let secret = Secret::new(&secret?);
            Ok(ExternalItem { attributes, secret })
        }));
    }
    read
}
