//! The items of a keychain, seen through one narrow trait.
#![cfg_attr(target_os = "macos", allow(dead_code, reason = "no store yet"))]

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
}

/// The keychain of one system. An operation on an item that was removed meanwhile fails with `NoEntry`. `NoStorageAccess`
/// holds an `Advice`, and `PlatformFailure` a cause that may be shown. Only `secret`, `set_secret`, `create` and `delete` unlock
/// anything.
pub(super) trait ItemStore: Send {
    /// Finds the items with these attributes, locked ones too.
    fn search(&self, attributes: &ItemAttributes) -> ItemResult<Vec<Item>>;

    fn attributes(&self, item: &Item) -> ItemResult<ItemAttributes>;

    /// The label in the user's keyring.
    fn label(&self, item: &Item) -> ItemResult<String>;

    fn stored(&self, item: &Item) -> ItemResult<Stored>;

    /// Whether [`ItemStore::secret`] needs to unlock no keyring and no item.
    fn is_open(&self, item: &Item) -> bool {
        !item.is_locked.get()
    }

    fn secret(&self, item: &Item) -> ItemResult<Zeroizing<Vec<u8>>>;

    fn set_secret(&self, item: &Item, secret: &[u8]) -> ItemResult<()>;

    /// Creates an item, even if another one has these attributes.
    fn create(&self, label: &str, attributes: ItemAttributes, secret: &[u8]) -> ItemResult<()>;

    fn delete(&self, item: &Item) -> ItemResult<()>;

    /// Fails if there is no place for new items, or if it is locked and `must_be_open`. Changes nothing.
    fn check(&self, must_be_open: bool) -> ItemResult<()>;
}

/// When an item was stored. The larger value is the later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Stored {
    /// In Unix seconds.
    pub(super) modified: u64,
    /// In Unix seconds.
    pub(super) created: u64,
    /// Orders two items of the same second: the higher number is the later one.
    pub(super) number: u64,
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
