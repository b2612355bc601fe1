//! The Secret Service (freedesktop.org's Secret Service API), such as gnome-keyring.
//!
//! The session is plain: the secret crosses the user's own bus unencrypted. Diffie-Hellman would hide it only from processes
//! that can already listen on that bus, and takes more time than everything else here.
//!
//! The first message of a connection asks whether the default collection is locked, as libsecret does. gnome-keyring registers
//! a client with its first message, and may drop it again when another client disconnects. If an unregistered client opens a
//! session, the service crashes and locks all keyrings (seen with 42.1, with some thousand clients at once).
//!
//! A call may return a prompt in place of a result. If prompts are not allowed, it runs only if it shows no dialog: see
//! `delete`, `create`, `unlock`.

mod calls;
mod program;
mod prompt;
mod service;

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use dbus::arg::{PropMap, RefArg, Variant};
use dbus::blocking::Connection;
use dbus::strings::Path;
use zeroize::Zeroizing;

use self::calls::Error;
use self::service::{COLLECTION, Service, WireSecret};
use crate::desktop::bus;
use crate::storage::keychain::deadline::Prompts;
use crate::storage::keychain::items::{Item, ItemAttributes, ItemResult, ItemStore, Stored};

const ITEM: &str = "org.freedesktop.Secret.Item";

/// Connects to the user's own session bus. `patience`: how long a prompt may wait for the user; zero: no prompt. `prompts`
/// measures the time of prompts.
pub(crate) fn open(patience: Duration, prompts: &Arc<Prompts>) -> ItemResult<Box<dyn ItemStore>> {
    let service = Service::connect(patience, Arc::clone(prompts))?;
    Ok(Box::new(service))
}

/// Whether a keyring service runs. Asks the bus alone: a call to the service would start one.
pub(crate) fn is_running(patience: Duration) -> bool {
    let Ok(channel) = bus::connect() else {
        return false;
    };
    let connection = Connection::from(channel);
    let bus = connection.with_proxy("org.freedesktop.DBus", "/org/freedesktop/DBus", patience);
    let answer: Result<(bool,), dbus::Error> = bus.method_call(
        "org.freedesktop.DBus",
        "NameHasOwner",
        ("org.freedesktop.secrets",),
    );
    answer.is_ok_and(|(is_running,)| is_running)
}

impl ItemStore for Service {
    fn search(&self, attributes: &ItemAttributes) -> ItemResult<Vec<Item>> {
        let (unlocked, locked) = self.find(attributes)?;
        let item = |path: Path<'_>, is_locked| Item {
            id: path.to_string(),
            is_locked: Cell::new(is_locked),
        };
        let open = unlocked.into_iter().map(|path| item(path, false));
        let locked = locked.into_iter().map(|path| item(path, true));
        Ok(open.chain(locked).collect())
    }

    fn attributes(&self, item: &Item) -> ItemResult<ItemAttributes> {
        of_item(self.calls.property(&item.id, ITEM, "Attributes"))
    }

    fn label(&self, item: &Item) -> ItemResult<String> {
        of_item(self.calls.property(&item.id, ITEM, "Label"))
    }

    fn stored(&self, item: &Item) -> ItemResult<Stored> {
        let number = item.id.rsplit('/').next();
        Ok(Stored {
            modified: of_item(self.calls.property(&item.id, ITEM, "Modified"))?,
            created: of_item(self.calls.property(&item.id, ITEM, "Created"))?,
            number: number.and_then(|last| last.parse().ok()).unwrap_or(0),
        })
    }

    /// `KWallet` calls the items of an open wallet locked.
    fn is_open(&self, item: &Item) -> bool {
        !item.is_locked.get() || self.is_open_wallet(&item.id)
    }

    fn secret(&self, item: &Item) -> ItemResult<Zeroizing<Vec<u8>>> {
        self.unlock_item(item)?;
        let session = self.session()?.clone();
        let (secret,): (WireSecret<Vec<u8>, String>,) =
            of_item(self.calls.call(&item.id, ITEM, "GetSecret", (session,)))?;
        Ok(Zeroizing::new(secret.2))
    }

    fn set_secret(&self, item: &Item, secret: &[u8]) -> ItemResult<()> {
        self.unlock_item(item)?;
        let secret = self.sealed(secret)?;
        of_item(self.calls.call(&item.id, ITEM, "SetSecret", (secret,)))
    }

    /// Creates the item in the default collection, since creating a collection would prompt. Unlocks it first: then no known
    /// service shows a dialog, so `KeePassXC`'s prompt runs even if no dialog is allowed.
    ///
    /// Replaces no item: gnome-keyring would replace one that has these attributes and also a path.
    fn create(&self, label: &str, attributes: ItemAttributes, secret: &[u8]) -> ItemResult<()> {
        let collection = self.default_collection()?;
        if self.is_locked(&collection)? {
            self.unlock(&collection)?;
        }
        let mut properties = PropMap::new();
        let label: Box<dyn RefArg> = Box::new(label.to_owned());
        properties.insert(format!("{ITEM}.Label"), Variant(label));
        properties.insert(format!("{ITEM}.Attributes"), Variant(Box::new(attributes)));
        let arguments = (properties, self.sealed(secret)?, false);
        let (_, prompt): (Path<'_>, Path<'static>) =
            self.calls
                .call(&collection, COLLECTION, "CreateItem", arguments)?;
        Ok(self.run(&prompt)?)
    }

    /// Deletes an item of an open collection. `KeePassXC`'s prompt moves it to the recycle bin without a dialog.
    fn delete(&self, item: &Item) -> ItemResult<()> {
        self.unlock_item(item)?;
        let (prompt,): (Path<'static>,) = of_item(self.calls.call(&item.id, ITEM, "Delete", ()))?;
        Ok(self.run(&prompt)?)
    }

    fn check(&self, must_be_open: bool) -> ItemResult<()> {
        let collection = self.default_collection()?;
        if must_be_open && self.is_locked(&collection)? {
            return Err(Error::Locked.into());
        }
        Ok(())
    }
}

/// A removed item has no path on the bus.
fn of_item<T>(answer: calls::Result<T>) -> ItemResult<T> {
    Ok(answer.map_err(|error| error.unknown_is(Error::NoObject))?)
}
