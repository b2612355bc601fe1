//! The items of a keychain, seen through one narrow trait.
#![cfg_attr(
    windows,
    allow(
        dead_code,
        reason = "the Credential Manager has neither prompts nor locks"
    )
)]

use std::cell::Cell;
use std::collections::HashMap;

use zeroize::Zeroizing;

use super::failure::KeychainFailure;

/// The names and values of an item's attributes.
pub(super) type ItemAttributes = HashMap<String, String>;

pub(super) type ItemResult<T> = Result<T, keyring::Error>;

/// An item that a search has found.
pub(super) struct Item {
    /// The store's own name of the item.
    pub(super) id: String,
    /// Whether its secret can be used only after a prompt.
    pub(super) is_locked: Cell<bool>,
    /// Orders two items of the same second: the higher number is the later one.
    pub(super) number: Cell<u64>,
}

/// The keychain of one system. An operation on an item that was removed meanwhile fails with `NoEntry`. `NoStorageAccess`
/// holds an `Advice`, and `PlatformFailure` a cause that may be shown. Only `secrets`, `set_secret`, `create` and `delete` unlock
/// anything.
///
/// A method for many items answers for each of them, in their order, and asks for all at once if it can.
pub(super) trait ItemStore: Send {
    /// Finds for each of `wanted` the items with these attributes, locked ones too.
    fn search(&self, wanted: &[ItemAttributes]) -> ItemResult<Vec<Vec<Item>>>;

    fn attributes(&self, items: &[&Item]) -> Vec<ItemResult<ItemAttributes>>;

    /// The labels in the user's keyring.
    fn labels(&self, items: &[&Item]) -> Vec<ItemResult<String>>;

    /// When the items were written, in Unix seconds.
    fn modified(&self, items: &[&Item]) -> Vec<ItemResult<u64>>;

    /// When the items were created, in Unix seconds.
    fn created(&self, items: &[&Item]) -> Vec<ItemResult<u64>>;

    /// Whether [`ItemStore::secrets`] needs to unlock no keyring and no item.
    fn is_open(&self, item: &Item) -> bool {
        !item.is_locked.get()
    }

    fn secrets(&self, items: &[&Item]) -> Vec<ItemResult<Zeroizing<Vec<u8>>>>;

    fn secret(&self, item: &Item) -> ItemResult<Zeroizing<Vec<u8>>> {
        let mut secrets = self.secrets(&[item]);
        secrets.pop().unwrap_or(Err(keyring::Error::NoEntry))
    }

    /// Whether git could read `secret` in full. An item that is not sound counts as unreadable.
    fn is_sound(&self, _secret: &[u8]) -> bool {
        true
    }

    fn set_secret(&self, item: &Item, secret: &[u8]) -> ItemResult<()>;

    /// Creates an item, even if another one has these attributes.
    fn create(&self, label: &str, attributes: ItemAttributes, secret: &[u8]) -> ItemResult<()>;

    fn delete(&self, item: &Item) -> ItemResult<()>;

    /// Fails if there is no place for new items, or if it is locked and `must_be_open`. Changes nothing.
    fn check(&self, must_be_open: bool) -> ItemResult<()>;
}

/// Returns `None` if the item was removed meanwhile.
pub(super) fn if_there<T>(
    result: Result<T, impl Into<KeychainFailure>>,
) -> Result<Option<T>, KeychainFailure> {
    match result.map_err(Into::into) {
        Err(KeychainFailure::Gone) => Ok(None),
        result => result.map(Some),
    }
}
