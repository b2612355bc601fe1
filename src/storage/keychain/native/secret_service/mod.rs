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
mod content_type;
pub(super) mod failure;
mod program;
mod prompt;
mod service;

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use dbus::Message;
use dbus::arg::{Get, PropMap, RefArg, Variant};
use dbus::blocking::Connection;
use dbus::strings::Path;
use zeroize::Zeroizing;

use self::calls::value;
use self::failure::Error;
use self::service::{COLLECTION, SearchResult, Service, WireSecret};
use crate::desktop::bus;
use crate::storage::keychain::deadline::Prompts;
use crate::storage::keychain::items::{Item, ItemAttributes, ItemResult, ItemStore};

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
    fn search(&self, wanted: &[ItemAttributes]) -> ItemResult<Vec<Vec<Item>>> {
        let found = self.find(wanted)?.into_iter();
        Ok(found.map(items).collect())
    }

    fn attributes(&self, items: &[&Item]) -> Vec<ItemResult<ItemAttributes>> {
        let calls = items.iter();
        let calls = calls.map(|item| self.calls.property_message(&item.id, ITEM, "Attributes"));
        let is_open = items.iter().any(|item| !item.is_locked.get());
        values(self.ask_of_items(calls.collect(), is_open))
    }

    fn labels(&self, items: &[&Item]) -> Vec<ItemResult<String>> {
        self.properties(items, "Label")
    }

    fn modified(&self, items: &[&Item]) -> Vec<ItemResult<u64>> {
        self.properties(items, "Modified")
    }

    fn created(&self, items: &[&Item]) -> Vec<ItemResult<u64>> {
        self.properties(items, "Created")
    }

    /// `KWallet` calls the items of an open wallet locked.
    fn is_open(&self, item: &Item) -> bool {
        !item.is_locked.get() || self.is_open_wallet(&item.id)
    }

    fn secrets(&self, items: &[&Item]) -> Vec<ItemResult<Zeroizing<Vec<u8>>>> {
        let call = |item: &Item| {
            self.unlock_item(item)?;
            let session = self.session()?.clone();
            self.calls.message(&item.id, ITEM, "GetSecret", (session,))
        };
        let (mut failures, mut calls) = (Vec::new(), Vec::new());
        for item in items {
            match call(item) {
                Ok(call) => calls.push(Ok(call)),
                Err(error) => failures.push((calls.len() + failures.len(), error)),
            }
        }
        let answers = self.calls.ask_together(calls).into_iter();
        let mut secrets: Vec<_> = answers.map(secret).collect();
        for (at, error) in failures {
            secrets.insert(at, Err(error.into()));
        }
        secrets
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

impl Service {
    fn properties<T: for<'b> Get<'b>>(&self, items: &[&Item], name: &str) -> Vec<ItemResult<T>> {
        let calls = items.iter();
        let calls = calls.map(|item| self.calls.property_message(&item.id, ITEM, name));
        values(self.calls.ask_together(calls.collect()))
    }
}

fn values<T: for<'b> Get<'b>>(answers: Vec<failure::Result<Message>>) -> Vec<ItemResult<T>> {
    let answers = answers.into_iter();
    answers
        .map(|answer| Ok(value(&of_item(answer)?)?))
        .collect()
}

fn secret(answer: failure::Result<Message>) -> ItemResult<Zeroizing<Vec<u8>>> {
    let secret: Result<(WireSecret<Vec<u8>, String>,), _> = of_item(answer)?.read_all();
    let (secret,) = secret.map_err(|_| Error::Odd)?;
    Ok(Zeroizing::new(secret.2))
}

fn items((unlocked, locked): SearchResult) -> Vec<Item> {
    let item = |path: Path<'_>, is_locked| {
        let number = path.rsplit('/').next().and_then(|last| last.parse().ok());
        Item {
            number: Cell::new(number.unwrap_or(0)),
            id: path.to_string(),
            is_locked: Cell::new(is_locked),
        }
    };
    let open = unlocked.into_iter().map(|path| item(path, false));
    open.chain(locked.into_iter().map(|path| item(path, true)))
        .collect()
}

/// A removed item has no path on the bus.
fn of_item<T>(answer: failure::Result<T>) -> ItemResult<T> {
    Ok(answer.map_err(|error| error.unknown_is(Error::NoObject))?)
}
