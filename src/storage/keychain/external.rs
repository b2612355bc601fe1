//! Items of other programs: finds them by their attributes, reads and removes them.

use super::attributes::SCHEMA;
use super::failure::KeychainFailure;
use super::items::{Item, ItemAttributes, ItemStore, if_there};
use crate::secret::Secret;

/// No program has more items.
const MOST: usize = 1000;

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
    let mut found = Vec::new();
    for item in store.search(spec)?.into_iter().take(MOST) {
        found.extend(if_there(read(store, &item))?);
    }
    Ok(found)
}

/// Removes the items with exactly these attributes that have `secret`. Returns their number.
pub(super) fn remove(
    store: &dyn ItemStore,
    attributes: &ItemAttributes,
    secret: &Secret,
) -> Result<usize, KeychainFailure> {
    let mut removed = 0;
    for item in store.search(attributes)? {
        let Some(kept) = if_there(read(store, &item))? else {
            continue;
        };
        let is_meant = kept.attributes == *attributes && kept.secret == *secret;
        if is_meant && if_there(store.delete(&item))?.is_some() {
            removed += 1;
        }
    }
    Ok(removed)
}

/// Reads an item, without the schema that gnome-keyring adds later to items without one.
fn read(store: &dyn ItemStore, item: &Item) -> Result<ExternalItem, KeychainFailure> {
    let mut attributes = store.attributes(item)?;
    let name = attributes.get(SCHEMA);
    if name.is_some_and(|name| name == "org.freedesktop.Secret.Generic") {
        attributes.remove(SCHEMA);
    }
    let secret = Secret::new(&store.secret(item)?);
    Ok(ExternalItem { attributes, secret })
}
