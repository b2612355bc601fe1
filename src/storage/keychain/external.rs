//! Items of other programs, for those who know what they look like: found by their attributes, read, and removed one at
//! a time.

use std::collections::HashMap;

use keyring::{CredentialStore, Entry};
use zeroize::Zeroizing;

use super::attributes::SCHEMA;
use super::found::{KeychainFailure, delete, map};
use crate::secret::Secret;

/// More than any program keeps.
const MOST: usize = 1000;

/// What an item of another program is found by: names and values, all of which it has.
pub type ExternalAttributes = Vec<(&'static str, String)>;

/// An item of another program.
#[derive(Debug)]
pub struct ExternalItem {
    /// All that it tells of itself.
    pub attributes: HashMap<String, String>,
    /// What it keeps.
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
            // Gone in the meantime.
            Err(keyring::Error::NoEntry) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// What an item tells of itself. gnome-keyring adds this schema to items that were made without any, sooner or later.
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

/// Removes the items that have exactly these attributes and keep `secret`. Returns how many went.
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
                known == *attributes && Secret::new(&kept).is_same(secret)
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
