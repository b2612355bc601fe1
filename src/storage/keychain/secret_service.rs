//! The Secret Service (gnome-keyring and others) as a store of the keyring interface.
//!
//! The session is plain: the secret crosses the user's own bus unencrypted. Diffie-Hellman would hide it only from processes
//! that can already listen on that bus, and takes more time than everything else here.
#![cfg(all(unix, not(target_os = "macos")))]

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dbus::strings::Path;
use keyring::api::{CredentialApi, CredentialStoreApi};
use keyring::{Credential, Entry, Error, Result};

use super::attributes::Stored;
use super::calls;
use super::deadline::Prompts;
use super::service::Service;
use crate::storage::{Advice, Lack};

const RESTART: &str = "restart it, or choose another storage with '--storage'";

/// A connection that items share.
struct SharedService {
    service: Mutex<Service>,
}

impl SharedService {
    /// Makes one call at a time, so that each answer belongs to its call.
    fn call<T>(
        &self,
        call: impl FnOnce(&Service) -> std::result::Result<T, calls::Error>,
    ) -> Result<T> {
        let service = self.service.lock().unwrap_or_else(PoisonError::into_inner);
        call(&service).map_err(translated)
    }
}

/// The service. New items go to its default collection, since creating a collection would prompt.
pub(super) struct SecretServiceStore {
    connection: Arc<SharedService>,
}

impl SecretServiceStore {
    /// Connects to the user's own session bus. `patience`: how long a prompt may wait for the user.
    pub(super) fn connect(patience: Duration, prompts: Arc<Prompts>) -> Result<Self> {
        let service = Service::connect(patience, prompts).map_err(translated)?;
        let connection = SharedService {
            service: Mutex::new(service),
        };
        Ok(Self {
            connection: Arc::new(connection),
        })
    }

    /// Fails without a default collection, or if it is locked and `must_be_open`.
    pub(super) fn check(&self, must_be_open: bool) -> Result<()> {
        self.connection.call(|service| {
            let collection = service.default_collection()?;
            if must_be_open && service.is_locked(&collection)? {
                Err(calls::Error::Locked)
            } else {
                Ok(())
            }
        })
    }
}

impl CredentialStoreApi for SecretServiceStore {
    fn vendor(&self) -> String {
        "Secret Service, by git-credential-pat".to_owned()
    }

    fn id(&self) -> String {
        env!("CARGO_PKG_VERSION").to_owned()
    }

    /// Returns an item that does not exist yet: `service` is its label; its attributes, with the user, are `modifiers`.
    fn build(
        &self,
        service: &str,
        _user: &str,
        modifiers: Option<&HashMap<&str, &str>>,
    ) -> Result<Entry> {
        let modifiers = modifiers.into_iter().flatten();
        Ok(Entry::new_with_credential(Arc::new(NewItem {
            connection: Arc::clone(&self.connection),
            label: service.to_owned(),
            attributes: modifiers
                .map(|(&name, &value)| (name.to_owned(), value.to_owned()))
                .collect(),
        })))
    }

    /// Finds items by attributes, locked ones too. Unlocks nothing.
    fn search(&self, spec: &HashMap<&str, &str>) -> Result<Vec<Entry>> {
        Ok(search(&self.connection, spec)?
            .into_iter()
            .map(|item| Entry::new_with_credential(Arc::new(item)))
            .collect())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl fmt::Debug for SecretServiceStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretServiceStore")
    }
}

/// An item that exists.
pub(super) struct Item {
    connection: Arc<SharedService>,
    path: Path<'static>,
    is_locked: AtomicBool,
}

impl Item {
    pub(super) fn stored(&self) -> Result<Stored> {
        let number = self
            .path
            .rsplit('/')
            .next()
            .and_then(|last| last.parse().ok());
        self.call(|service, path| {
            Ok(Stored {
                modified: service.modified(path)?,
                created: service.created(path)?,
                number: number.unwrap_or(0),
            })
        })
    }

    pub(super) fn label(&self) -> Result<String> {
        self.call(Service::label)
    }

    fn call<T>(
        &self,
        call: impl FnOnce(&Service, &Path<'static>) -> std::result::Result<T, calls::Error>,
    ) -> Result<T> {
        self.connection.call(|service| call(service, &self.path))
    }

    /// Prompts if prompts are allowed.
    fn unlock(&self) -> Result<()> {
        if self.is_locked.load(Ordering::Relaxed) {
            self.call(Service::unlock)?;
            self.is_locked.store(false, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl CredentialApi for Item {
    fn set_secret(&self, secret: &[u8]) -> Result<()> {
        self.unlock()?;
        self.call(|service, path| service.set_secret(path, secret))
    }

    fn get_secret(&self) -> Result<Vec<u8>> {
        self.unlock()?;
        self.call(Service::secret)
    }

    fn get_attributes(&self) -> Result<HashMap<String, String>> {
        self.call(Service::attributes)
    }

    fn delete_credential(&self) -> Result<()> {
        self.unlock()?;
        self.call(Service::delete)
    }

    fn get_credential(&self) -> Result<Option<Arc<Credential>>> {
        Ok(None)
    }

    fn get_specifiers(&self) -> Option<(String, String)> {
        None
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Item")
    }
}

/// An item that [`CredentialApi::set_secret`] creates in the default collection. It supports nothing else: a search finds
/// the created item.
struct NewItem {
    connection: Arc<SharedService>,
    label: String,
    attributes: HashMap<String, String>,
}

impl CredentialApi for NewItem {
    /// Unlocks the collection first: then creating the item needs no prompt.
    fn set_secret(&self, secret: &[u8]) -> Result<()> {
        let connection = &self.connection;
        connection.call(|service| {
            let collection = service.default_collection()?;
            if service.is_locked(&collection)? {
                service.unlock(&collection)?;
            }
            // Without replacing an item: gnome-keyring would replace one that has these attributes and also a path.
            let attributes = self.attributes.clone();
            service.create(&collection, &self.label, attributes, secret)
        })
    }

    fn get_secret(&self) -> Result<Vec<u8>> {
        Err(Error::NoEntry)
    }

    fn delete_credential(&self) -> Result<()> {
        Err(Error::NoEntry)
    }

    fn get_credential(&self) -> Result<Option<Arc<Credential>>> {
        Err(Error::NoEntry)
    }

    fn get_specifiers(&self) -> Option<(String, String)> {
        None
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl fmt::Debug for NewItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewItem")
    }
}

fn search(connection: &Arc<SharedService>, spec: &HashMap<&str, &str>) -> Result<Vec<Item>> {
    connection.call(|service| {
        let found = service.search(spec)?;
        let item = |path, is_locked| Item {
            connection: Arc::clone(connection),
            path,
            is_locked: AtomicBool::new(is_locked),
        };
        let open = found.unlocked.into_iter().map(|path| item(path, false));
        let locked = found.locked.into_iter().map(|path| item(path, true));
        Ok(open.chain(locked).collect())
    })
}

/// Turns the error of a call into a message for the user.
fn translated(error: calls::Error) -> Error {
    let (message, hint, lack) = match error {
        calls::Error::NoObject => return Error::NoEntry,
        calls::Error::Refused(name) => return refused(&name),
        calls::Error::Unconfirmed => (
            "the keyring asks for confirmation, and no prompt is allowed here",
            "run the command in a desktop session, or switch the confirmation off in the password manager",
            Lack::Locked,
        ),
        calls::Error::Declined => (
            "the access to the keyring was not confirmed",
            "run the command again, and confirm it",
            Lack::Locked,
        ),
        calls::Error::Locked => (
            "the keyring is locked",
            "unlock it in the desktop's password manager, or sign in to the desktop again",
            Lack::Locked,
        ),
        calls::Error::NoDefault => (
            "the keyring service has no default keyring",
            "create one in the desktop's password manager, or open a database there that shows a group to clients",
            Lack::Absent,
        ),
        calls::Error::Absent => (
            "no keyring service answers on the user's message bus",
            "start one, such as gnome-keyring, or choose another storage with '--storage'",
            Lack::Absent,
        ),
        calls::Error::ForeignBus => (
            "the session bus belongs to another user",
            "run 'unset DBUS_SESSION_BUS_ADDRESS' in this shell, or choose another storage with '--storage'",
            Lack::OwnBus,
        ),
        calls::Error::ClosedBus => (
            "the session bus closed the connection",
            "sign in to the desktop again, or choose another storage with '--storage'",
            Lack::Use,
        ),
        calls::Error::Mute => ("the keyring service does not answer", RESTART, Lack::Use),
        calls::Error::Odd => (
            "the keyring service gave an answer that does not read",
            RESTART,
            Lack::Use,
        ),
    };
    Error::NoStorageAccess(Box::new(Advice::new(message, hint, lack)))
}

/// `name`: the error's name on the bus. With an error of the bus itself, the service never got the call.
fn refused(name: &str) -> Error {
    let is_of_bus = name.starts_with("org.freedesktop.DBus.Error.")
        && !name.ends_with(".InvalidArgs")
        && !name.ends_with(".Failed");
    if is_of_bus {
        let message = format!("the keyring service cannot be asked: {name}");
        return Error::NoStorageAccess(Box::new(Advice::new(message, RESTART, Lack::Use)));
    }
    let message = format!("the keyring service answered {name}");
    Error::PlatformFailure(Box::new(Advice::new(message, RESTART, Lack::Use)))
}
