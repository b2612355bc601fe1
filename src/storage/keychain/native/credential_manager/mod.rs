//! The Windows Credential Manager, with the items of git-credential-wincred and Git Credential Manager.
//!
//! Upwards an item has the attributes and the text that it has in the Secret Service. Downwards it is a generic credential. Its
//! target is the only key, and Windows ignores its case: two users need two targets.
//!
//! Nothing is ever locked, and nothing prompts. There is no compare-and-swap: the storage takes its lock for each change, and an
//! item is compared just before it changes.

#[cfg(windows)]
mod api;
mod blob;
pub(super) mod failure;
#[cfg(test)]
mod fake;
mod generic;
mod programs;
mod target;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::collections::HashMap;

use zeroize::Zeroizing;

use self::failure::{check_limits, not_lasting, not_text, occupied};
use self::generic::{ErrorCode, GenericCredential, GenericStore, LOCAL_MACHINE};
use self::target::{ItemOwner, plain};
#[cfg(test)]
pub(in crate::storage::keychain) use self::tests::with as of_items;
use crate::storage::keychain::attributes::{SCHEMA, Schema, Seen};
use crate::storage::keychain::items::{Item, ItemAttributes, ItemResult, ItemStore};

/// 100 ns in a second, and seconds from 1601 to 1970.
const TICKS: u64 = 10_000_000;
const EPOCH: u64 = 11_644_473_600;

/// The items of the Credential Manager behind `store`.
struct CredentialManager<S>(S);

/// Opens the user's Credential Manager. No prompt can appear, so neither argument matters.
#[cfg(windows)]
#[allow(clippy::unnecessary_wraps, reason = "the face of the Secret Service")]
pub(crate) fn open(
    _patience: std::time::Duration,
    _prompts: &std::sync::Arc<crate::storage::keychain::deadline::Prompts>,
) -> ItemResult<Box<dyn ItemStore>> {
    Ok(Box::new(CredentialManager(api::Api)))
}

/// Whether this logon session has a Credential Manager.
#[cfg(windows)]
pub(crate) fn is_running(_patience: std::time::Duration) -> bool {
    CredentialManager(api::Api).check(false).is_ok()
}

impl<S: GenericStore> ItemStore for CredentialManager<S> {
    fn search(&self, wanted: &[ItemAttributes]) -> ItemResult<Vec<Vec<Item>>> {
        let mut listed: HashMap<String, Vec<(ItemAttributes, u64, String)>> = HashMap::new();
        let mut all = Vec::with_capacity(wanted.len());
        for wanted in wanted {
            let mut found = Vec::new();
            if let Some(prefix) = prefix(wanted) {
                if !listed.contains_key(&prefix) {
                    listed.insert(prefix.clone(), self.described(&prefix)?);
                }
                for (attributes, written, target) in &listed[&prefix] {
                    let is_wanted = |(name, value)| attributes.get(name) == Some(value);
                    if wanted.iter().all(is_wanted) {
                        found.push(Item {
                            id: target.clone(),
                            is_locked: Cell::new(false),
                            number: Cell::new(*written),
                        });
                    }
                }
            }
            all.push(found);
        }
        Ok(all)
    }

    fn attributes(&self, items: &[&Item]) -> Vec<ItemResult<ItemAttributes>> {
        let read = items.iter();
        read.map(|item| Ok(self.read(&item.id)?.1)).collect()
    }

    /// The label decides only about a schema that no item here has.
    fn labels(&self, items: &[&Item]) -> Vec<ItemResult<String>> {
        items.iter().map(|_| Ok(String::new())).collect()
    }

    fn modified(&self, items: &[&Item]) -> Vec<ItemResult<u64>> {
        let seconds = |item: &&Item| Ok((item.number.get() / TICKS).saturating_sub(EPOCH));
        items.iter().map(seconds).collect()
    }

    /// Windows does not keep it. The numbers of two items of one second tell their order.
    fn created(&self, items: &[&Item]) -> Vec<ItemResult<u64>> {
        self.modified(items)
    }

    fn secrets(&self, items: &[&Item]) -> Vec<ItemResult<Zeroizing<Vec<u8>>>> {
        let read = items.iter();
        read.map(|item| Ok(self.read(&item.id)?.2)).collect()
    }

    fn set_secret(&self, item: &Item, secret: &[u8]) -> ItemResult<()> {
        let written = self.write(self.unchanged(item)?, secret)?;
        // The caller may change the item again, but not what another program has written meanwhile.
        if let Ok(kept) = self.0.read(&item.id)
            && kept.blob == written.blob
        {
            item.number.set(kept.written);
        }
        Ok(())
    }

    /// Gives the item the first target that no other user and no other program has.
    fn create(&self, _label: &str, attributes: ItemAttributes, secret: &[u8]) -> ItemResult<()> {
        let schema = schema(&attributes).ok_or_else(not_text)?;
        let Seen::Key(key) = schema.key(&attributes, None) else {
            return Err(not_text());
        };
        let [.., user] = schema.attribute_names();
        let user = attributes.get(user).cloned();
        for target in target::candidates(&key, ItemOwner::prefix(schema)).ok_or_else(not_text)? {
            match self.0.read(&target) {
                Err(ErrorCode::NOT_FOUND) => {
                    let new = GenericCredential::new(target, user);
                    return self.write(new, secret).map(drop);
                }
                Ok(kept) if described(&kept).is_some_and(|(known, _)| known == attributes) => {
                    return self.write(kept, secret).map(drop);
                }
                Ok(_) => {}
                Err(code) => return Err(code.into()),
            }
        }
        Err(occupied())
    }

    fn delete(&self, item: &Item) -> ItemResult<()> {
        self.unchanged(item)?;
        Ok(self.0.delete(&item.id)?)
    }

    fn check(&self, _must_be_open: bool) -> ItemResult<()> {
        if self.0.most_lasting()? < LOCAL_MACHINE {
            return Err(not_lasting());
        }
        Ok(())
    }
}

impl<S: GenericStore> CredentialManager<S> {
    /// Returns attributes, time and target of each item that begins with `prefix`.
    fn described(&self, prefix: &str) -> ItemResult<Vec<(ItemAttributes, u64, String)>> {
        let listed = match self.0.list(prefix) {
            Err(ErrorCode::NOT_FOUND) => Vec::new(),
            listed => listed?,
        };
        let mut all = Vec::new();
        for credential in &listed {
            if let Some((attributes, _)) = described(credential) {
                all.push((
                    attributes,
                    credential.written,
                    plain(&credential.target).to_owned(),
                ));
            }
        }
        Ok(all)
    }

    /// Reads an item with its attributes and its text. An item that another program has overwritten is gone.
    fn read(
        &self,
        target: &str,
    ) -> ItemResult<(GenericCredential, ItemAttributes, Zeroizing<Vec<u8>>)> {
        let kept = self.0.read(target)?;
        let (attributes, text) = described(&kept).ok_or(keyring::Error::NoEntry)?;
        Ok((kept, attributes, text))
    }

    /// Reads an item that has not changed since the search. Windows can neither compare and write nor compare and delete at once,
    /// so a moment between the two remains.
    fn unchanged(&self, item: &Item) -> ItemResult<GenericCredential> {
        let (kept, ..) = self.read(&item.id)?;
        if kept.written != item.number.get() {
            return Err(keyring::Error::NoEntry);
        }
        Ok(kept)
    }

    /// Returns the credential as it was written.
    fn write(
        &self,
        mut credential: GenericCredential,
        text: &[u8],
    ) -> ItemResult<GenericCredential> {
        let owner = ItemOwner::of(plain(&credential.target));
        blob::set_text(&mut credential, owner, text).map_err(|_| not_text())?;
        check_limits(&credential, owner)?;
        self.0.write(&credential)?;
        Ok(credential)
    }
}

/// Returns the beginning of the targets of items that can have these attributes.
fn prefix(wanted: &ItemAttributes) -> Option<String> {
    match schema(wanted) {
        Some(schema) => Some(ItemOwner::prefix(schema).to_owned()),
        None => programs::prefix(wanted),
    }
}

/// Returns the schema of a search or of a new item, if it is one of this program's.
fn schema(wanted: &ItemAttributes) -> Option<Schema> {
    for schema in Schema::ALL {
        let [protocol, ..] = schema.attribute_names();
        let is_named = |search: &ItemAttributes| search.get(SCHEMA) == wanted.get(SCHEMA);
        if wanted.contains_key(protocol) || schema.everything().iter().any(is_named) {
            return Some(schema);
        }
    }
    None
}

/// Returns the attributes and the text of an item; `None`: this program must not touch it.
fn described(credential: &GenericCredential) -> Option<(ItemAttributes, Zeroizing<Vec<u8>>)> {
    let owner = ItemOwner::of(plain(&credential.target));
    let attributes = match owner.schema() {
        Some(schema) => {
            let key = target::key(credential, ItemOwner::prefix(schema))?;
            schema.attributes(&key)?
        }
        None => programs::attributes(credential, owner)?,
    };
    Some((attributes, blob::text_of(credential, owner)?))
}
