//! Finding items, and reading what they hold.

use std::cmp::Reverse;
use std::collections::HashMap;

use keyring::{CredentialStore, Entry};
use zeroize::Zeroizing;

use super::attributes::{ItemAttributes, Schema, Seen, Spelling};
use super::native;
use crate::credential::Credential;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::protocol;
use crate::protocol::read;
use crate::secret::Buffer;
use crate::storage::{Advice, Cause, Error, Lack, Listed, StorageKind};

/// An item that may be meant.
pub(super) struct FoundItem {
    pub(super) entry: Entry,
    pub(super) schema: Schema,
    /// When, in Unix seconds: known of what [`newest_first`] has put in order.
    pub(super) written: Option<u64>,
    seen: Seen,
}

impl FoundItem {
    pub(super) fn is_hidden(&self) -> bool {
        self.seen == Seen::Hidden
    }

    pub(super) fn key(&self) -> Option<&Key> {
        match &self.seen {
            Seen::Key(key) => Some(key),
            Seen::Hidden | Seen::Foreign => None,
        }
    }

    /// What the item holds, whole or not; `None` if it does not read, or has gone in the meantime.
    pub(super) fn read(&self) -> Result<Option<Credential>, KeychainFailure> {
        let text = match self.entry.get_secret() {
            Ok(text) => Zeroizing::new(text),
            Err(keyring::Error::NoEntry) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let (Some(key), Ok(mut body)) = (self.key(), read::body(&text)) else {
            return Ok(None);
        };
        if self.schema == Schema::Authorization {
            body.password = None;
        }
        let Key {
            protocol,
            host,
            path,
            username,
        } = key.clone();
        // git's own helper answers the password of an item without a user, too.
        let nameless = match username {
            None => body.password.take(),
            Some(_) => None,
        };
        let nameless = nameless.filter(|password| !password.expose().is_empty());
        // The name is judged beside its password.
        let mut read = Credential::partial(Query {
            protocol: Some(protocol),
            host: Some(host),
            path,
            username,
            ..body
        });
        if let Some(read) = &mut read {
            read.password = read.password.take().or(nameless);
        }
        Ok(read)
    }

    /// As it may be shown, with what is `known` of its secrets; `None`: it tells no key.
    fn listed(&self, known: Option<&Credential>) -> Option<Listed> {
        let key = self.key()?.clone();
        // Of one alone nobody has asked.
        let stored = || native::stored(&self.entry).ok();
        let written = self.written.or_else(|| Some(stored()?.modified));
        let unknown = Listed {
            key,
            expiry: None,
            scheme: None,
            is_renewable: false,
            forgotten: None,
            written: None,
        };
        Some(Listed {
            written: written.filter(|&moment| moment > 0),
            ..known.map_or(unknown, Listed::of)
        })
    }

    /// Byte for byte: another program's lines stay, too. gnome-keyring passes over a secret that is the same: so with an
    /// empty line more at first, which means nothing, should we be killed between the two. Returns whether it is still there.
    pub(super) fn write_again(&self) -> Result<bool, KeychainFailure> {
        let text = match self.entry.get_secret() {
            Ok(text) => Zeroizing::new(text),
            Err(keyring::Error::NoEntry) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let mut longer = Buffer::with_capacity(text.len() + 1);
        longer.push(&text);
        longer.push(b"\n");
        self.entry.set_secret(longer.as_slice())?;
        self.entry.set_secret(&text)?;
        Ok(true)
    }
}

/// What fits, and what is hidden and may fit. Attributes only narrow the search: [`Query::matches`] decides.
pub(super) fn find(
    store: &CredentialStore,
    wanted: &Query,
    spelling: Spelling,
) -> Result<Vec<FoundItem>, KeychainFailure> {
    let mut found = Vec::new();
    for schema in Schema::ALL {
        for attributes in schema.searches(wanted, spelling) {
            found.extend(search(store, schema, &attributes)?);
        }
    }
    found.retain(|item| {
        item.key().map_or_else(
            || item.is_hidden() && spelling == Spelling::AsKept,
            |key| wanted.matches(key),
        )
    });
    Ok(found)
}

pub(super) fn search(
    store: &CredentialStore,
    schema: Schema,
    attributes: &ItemAttributes,
) -> Result<Vec<FoundItem>, KeychainFailure> {
    let mut found = Vec::new();
    for entry in store.search(&map(attributes))? {
        match seen(schema, &entry) {
            Ok(seen) => found.push(FoundItem {
                written: None,
                seen,
                entry,
                schema,
            }),
            // Gone in the meantime.
            Err(keyring::Error::NoEntry) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

fn seen(schema: Schema, entry: &Entry) -> keyring::Result<Seen> {
    schema.key(&entry.get_attributes()?, || native::label(entry))
}

/// Opens what is hidden, and keeps of it what fits. Fails if it stays locked: then nobody knows.
pub(super) fn reveal(found: &mut Vec<FoundItem>, wanted: &Query) -> Result<(), KeychainFailure> {
    for item in found.iter_mut().filter(|item| item.is_hidden()) {
        drop(Zeroizing::new(item.entry.get_secret()?));
        item.seen = seen(item.schema, &item.entry)?;
    }
    found.retain(|item| item.key().is_some_and(|key| wanted.matches(key)));
    Ok(())
}

/// The one stored last that fits and is whole.
pub(super) fn get(
    store: &CredentialStore,
    wanted: &Query,
) -> Result<Option<Credential>, KeychainFailure> {
    let mut found = find(store, wanted, Spelling::AsKept)?;
    if found.iter().all(FoundItem::is_hidden) {
        reveal(&mut found, wanted)?;
    }
    if found.is_empty() {
        found = find(store, wanted, Spelling::Any)?;
    }
    let mut locked = None;
    let mut found = newest_first(found)?;
    // Only where there is nothing else: git has to ask for the name.
    found.sort_by_key(|item| item.key().is_some_and(|key| key.username.is_none()));
    for item in found {
        match item.read() {
            Ok(Some(credential)) if credential.is_complete() => return Ok(Some(credential)),
            Ok(_) => {}
            // Another one may be in a keyring that is open.
            Err(KeychainFailure::Keyring(error @ keyring::Error::NoStorageAccess(_))) => {
                locked = locked.or(Some(error));
            }
            Err(failure) => return Err(failure),
        }
    }
    if let Some(error) = locked {
        return Err(error.into());
    }
    native::check(store, false)?;
    Ok(None)
}

/// The times are asked for only where there is something to put in order.
pub(super) fn newest_first(found: Vec<FoundItem>) -> Result<Vec<FoundItem>, KeychainFailure> {
    if found.len() < 2 {
        return Ok(found);
    }
    let mut dated = Vec::with_capacity(found.len());
    for mut item in found {
        match native::stored(&item.entry) {
            Ok(stored) => {
                item.written = (stored.modified > 0).then_some(stored.modified);
                dated.push((stored, item));
            }
            Err(keyring::Error::NoEntry) => {}
            Err(error) => return Err(error.into()),
        }
    }
    dated.sort_by_key(|(stored, _)| Reverse(*stored));
    Ok(dated.into_iter().map(|(_, item)| item).collect())
}

/// Every entry, the one stored last at the end. Of a locked one the end stays unknown.
pub(super) fn list(store: &CredentialStore) -> Result<Vec<Listed>, KeychainFailure> {
    let mut listed = Vec::new();
    for item in everything(store)? {
        let known = match item.read() {
            Err(failure) if failure.is_locked() && !item.is_hidden() => None,
            known => known?,
        };
        listed.extend(item.listed(known.as_ref()));
    }
    Ok(listed)
}

/// The key of every entry that tells it without its secret.
pub(super) fn keys(store: &CredentialStore) -> Result<Vec<Key>, KeychainFailure> {
    let items = everything(store)?;
    Ok(items
        .iter()
        .filter_map(|item| item.key().cloned())
        .collect())
}

/// Every item that is whole, in the order of [`list`]: each by itself, even where several are kept under one key. Besides,
/// how many are locked; `must_be_open`: then none may be.
pub(super) fn all(
    store: &CredentialStore,
    must_be_open: bool,
) -> Result<(Vec<(Listed, Credential)>, usize), KeychainFailure> {
    let (mut all, mut locked) = (Vec::new(), 0);
    for item in everything(store)? {
        let known = match item.read() {
            Err(failure) if failure.is_locked() && !item.is_hidden() && !must_be_open => {
                locked += 1;
                None
            }
            known => known?,
        };
        if let Some(known) = known.filter(Credential::is_complete)
            && let Some(listed) = item.listed(Some(&known))
        {
            all.push((listed, known));
        }
    }
    Ok((all, locked))
}

/// Every item that may be git's, the one stored last at the end.
fn everything(store: &CredentialStore) -> Result<Vec<FoundItem>, KeychainFailure> {
    let mut found = Vec::new();
    for schema in Schema::ALL {
        for attributes in schema.everything() {
            found.extend(search(store, schema, &attributes)?);
        }
    }
    if found.is_empty() {
        // A keyring that was never open does not tell which items are git's.
        native::check(store, true)?;
    }
    // Another program's secrets are not read.
    found.retain(|item| item.seen != Seen::Foreign);
    let mut found = newest_first(found)?;
    found.reverse();
    Ok(found)
}

/// False if it has gone in the meantime.
pub(super) fn delete(entry: &Entry) -> Result<bool, KeychainFailure> {
    match entry.delete_credential() {
        Ok(()) => Ok(true),
        Err(keyring::Error::NoEntry) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// As the keyring interface takes them.
pub(super) fn map(attributes: &ItemAttributes) -> HashMap<&str, &str> {
    let attributes = attributes.iter();
    attributes
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}

/// Why an operation ended, before it has a name.
pub(super) enum KeychainFailure {
    Keyring(keyring::Error),
    Protocol(protocol::Error),
    NotText,
}

impl KeychainFailure {
    pub(super) fn is_locked(&self) -> bool {
        let Self::Keyring(keyring::Error::NoStorageAccess(cause)) = self else {
            return false;
        };
        let advice = cause.downcast_ref::<Advice>();
        advice.is_some_and(|advice| advice.lack == Lack::Locked)
    }

    /// The texts of a store's errors may hold what it was asked, and those of two of them the secret itself: only causes
    /// that were written for people are handed on.
    pub(super) fn into_error(self, operation: &'static str) -> Error {
        let kind = StorageKind::Keychain;
        let failed = |cause: Cause| Error::Failed {
            operation,
            kind,
            cause,
        };
        let advice = |message: &str, hint: &str| -> Cause {
            Box::new(Advice {
                message: message.to_owned(),
                hint: hint.to_owned(),
                lack: Lack::Use,
            })
        };
        match self {
            Self::Keyring(keyring::Error::NoStorageAccess(cause)) => {
                Error::Unavailable { kind, cause }
            }
            Self::Keyring(keyring::Error::PlatformFailure(cause)) => failed(cause),
            Self::Keyring(keyring::Error::NoEntry) => {
                failed(advice("the item has gone", "run the command again"))
            }
            Self::Keyring(keyring::Error::TooLong(..)) => {
                failed("it is longer than the keychain allows".into())
            }
            Self::Keyring(_) => failed("the keychain answered something unexpected".into()),
            Self::Protocol(error) => failed(error.into()),
            Self::NotText => failed(advice(
                "the keychain keeps text only, and this is none",
                "choose another storage with '--storage'",
            )),
        }
    }
}

impl From<keyring::Error> for KeychainFailure {
    fn from(error: keyring::Error) -> Self {
        Self::Keyring(error)
    }
}

impl From<protocol::Error> for KeychainFailure {
    fn from(error: protocol::Error) -> Self {
        Self::Protocol(error)
    }
}
