//! Items of other programs: finds them by their attributes, reads and removes them.

use std::collections::HashMap;

use keyring::{CredentialStore, Entry};
use zeroize::Zeroizing;

use super::attributes::SCHEMA;
use super::failure::KeychainFailure;
use super::found::{delete, map};
use crate::secret::Secret;

/// No program has more items.
const MOST: usize = 1000;

/// The names and values that an item must have.
pub type ExternalAttributes = Vec<(&'static str, String)>;

/// An item of another program.
#[derive(Debug)]
pub struct ExternalItem {
    pub attributes: HashMap<String, String>,
    pub secret: Secret,
}

pub(super) fn find(
    store: &CredentialStore,
    spec: &ExternalAttributes,
) -> Result<Vec<ExternalItem>, KeychainFailure> {
    let mut found = Vec::new();
    for entry in store.search(&map(spec))?.into_iter().take(MOST) {
        let read = told(&entry)
            .and_then(|attributes| Ok((attributes, Zeroizing::new(entry.get_secret()?))));
        match read {
            Ok((attributes, secret)) => found.push(ExternalItem {
                attributes,
                secret: Secret::new(&secret),
            }),
            // Removed meanwhile.
            Err(keyring::Error::NoEntry) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// The attributes of `entry`, without the schema that gnome-keyring adds later to items without one.
fn told(entry: &Entry) -> keyring::Result<HashMap<String, String>> {
    let mut attributes = entry.get_attributes()?;
    if attributes
        .get(SCHEMA)
        .is_some_and(|name| name == "org.freedesktop.Secret.Generic")
    {
        attributes.remove(SCHEMA);
    }
    Ok(attributes)
}

/// Removes the items with exactly these attributes that have `secret`. Returns their number.
pub(super) fn remove(
    store: &CredentialStore,
    attributes: &HashMap<String, String>,
    secret: &Secret,
) -> Result<usize, KeychainFailure> {
    let spec = attributes.iter();
    let spec = spec.map(|(name, value)| (&name[..], &value[..])).collect();
    let mut removed = 0;
    for entry in store.search(&spec)? {
        let is_meant = match (told(&entry), entry.get_secret()) {
            (Ok(known), Ok(kept)) => {
                let kept = Zeroizing::new(kept);
                known == *attributes && Secret::new(&kept) == *secret
            }
            (Err(keyring::Error::NoEntry), _) | (_, Err(keyring::Error::NoEntry)) => false,
            (Err(error), _) | (_, Err(error)) => return Err(error.into()),
        };
        if is_meant && delete(&entry)? {
            removed += 1;
        }
    }
    Ok(removed)
}
