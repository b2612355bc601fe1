//! Finds items and reads them.

use std::cmp::Reverse;

use super::attributes::{Schema, Seen, Spelling};
use super::failure::KeychainFailure;
use super::items::{Item, ItemAttributes, ItemStore, if_there};
use crate::credential::Credential;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::protocol::read;
use crate::secret::Buffer;
use crate::storage::Listed;

/// The result of a search.
pub(super) struct FoundItem {
    /// The item of the system's store.
    pub(super) handle: Item,
    pub(super) schema: Schema,
    /// The modification time in Unix seconds, if [`newest_first`] has read it.
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

    /// Reads the item, complete or not; `None` if it is unreadable, or was removed meanwhile.
    pub(super) fn read(
        &self,
        store: &dyn ItemStore,
    ) -> Result<Option<Credential>, KeychainFailure> {
        let Some(text) = if_there(store.secret(&self.handle))? else {
            return Ok(None);
        };
        let (Some(key), Ok(mut body)) = (self.key(), read::body(&text)) else {
            return Ok(None);
        };
        if self.schema == Schema::Authorization {
            body.password = None;
        }
        // As git's own helper, answer the password of an item without a user.
        let nameless = match key.username {
            None => body.password.take(),
            Some(_) => None,
        };
        let mut read = Credential::partial(Query {
            password: body.password,
            authtype: body.authtype,
            credential: body.credential,
            expiry: body.expiry,
            refresh_token: body.refresh_token,
            ..Query::of(key)
        });
        if let Some(read) = &mut read
            && read.password.is_none()
        {
            read.password = nameless.filter(|password| !password.expose().is_empty());
        }
        Ok(read)
    }

    /// Returns the item without secrets; `None` if its key is unknown. `known`: the credential, if it could be read.
    fn listed(&self, store: &dyn ItemStore, known: Option<&Credential>) -> Option<Listed> {
        let key = self.key()?.clone();
        // `newest_first` does not read the time of a single item.
        let stored = || store.stored(&self.handle).ok();
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

    /// Writes the same bytes again, with the lines of other programs. Returns false if the item was removed meanwhile.
    ///
    /// gnome-keyring ignores a write of the same secret, so the first of two writes adds an empty line. The line is harmless
    /// if the process is killed between the two.
    pub(super) fn write_again(&self, store: &dyn ItemStore) -> Result<bool, KeychainFailure> {
        let Some(text) = if_there(store.secret(&self.handle))? else {
            return Ok(false);
        };
        let mut longer = Buffer::with_capacity(text.len() + 1);
        longer.push(&text);
        longer.push(b"\n");
        store.set_secret(&self.handle, longer.as_slice())?;
        store.set_secret(&self.handle, &text)?;
        Ok(true)
    }
}

/// Returns the matching items, and hidden ones that may match. The service only narrows the search: [`Query::matches`] decides.
pub(super) fn find(
    store: &dyn ItemStore,
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
    store: &dyn ItemStore,
    schema: Schema,
    attributes: &ItemAttributes,
) -> Result<Vec<FoundItem>, KeychainFailure> {
    let mut found = Vec::new();
    for item in store.search(attributes)? {
        if let Some(seen) = if_there(seen(store, schema, &item))? {
            found.push(FoundItem {
                written: None,
                seen,
                handle: item,
                schema,
            });
        }
    }
    Ok(found)
}

fn seen(store: &dyn ItemStore, schema: Schema, item: &Item) -> Result<Seen, KeychainFailure> {
    Ok(schema.key(&store.attributes(item)?, || store.label(item))?)
}

/// Unlocks the hidden items and keeps the matching ones. Fails if one stays locked, since it may match.
pub(super) fn reveal(
    store: &dyn ItemStore,
    found: &mut Vec<FoundItem>,
    wanted: &Query,
) -> Result<(), KeychainFailure> {
    for found in found.iter_mut().filter(|found| found.is_hidden()) {
        store.secret(&found.handle)?;
        found.seen = seen(store, found.schema, &found.handle)?;
    }
    found.retain(|item| item.key().is_some_and(|key| wanted.matches(key)));
    Ok(())
}

/// Returns the newest complete credential that matches.
pub(super) fn get(
    store: &dyn ItemStore,
    wanted: &Query,
) -> Result<Option<Credential>, KeychainFailure> {
    let mut found = find(store, wanted, Spelling::AsKept)?;
    if found.iter().all(FoundItem::is_hidden) {
        reveal(store, &mut found, wanted)?;
    }
    if found.is_empty() {
        found = find(store, wanted, Spelling::Any)?;
    }
    let mut locked = None;
    let mut found = newest_first(store, found)?;
    // Items without a username come last: git has to ask the user for the name.
    found.sort_by_key(|item| item.key().is_some_and(|key| key.username.is_none()));
    for item in found {
        match item.read(store) {
            Ok(Some(credential)) if credential.is_complete() => return Ok(Some(credential)),
            Ok(_) => {}
            // Another item may be in an open keyring.
            Err(failure @ KeychainFailure::Unavailable(_)) => locked = locked.or(Some(failure)),
            Err(failure) => return Err(failure),
        }
    }
    match locked {
        Some(failure) => Err(failure),
        None => Ok(store.check(false).map(|()| None)?),
    }
}

/// Returns the newest complete credential that matches, of the items that are open.
pub(super) fn peek(
    store: &dyn ItemStore,
    wanted: &Query,
) -> Result<Option<Credential>, KeychainFailure> {
    for item in newest_first(store, find(store, wanted, Spelling::AsKept)?)? {
        if item.is_hidden() || !store.is_open(&item.handle) {
            continue;
        }
        let read = item.read(store)?;
        if let Some(credential) = read.filter(Credential::is_complete) {
            return Ok(Some(credential));
        }
    }
    Ok(None)
}

/// Sorts the items. Reads their times only if there are several.
pub(super) fn newest_first(
    store: &dyn ItemStore,
    found: Vec<FoundItem>,
) -> Result<Vec<FoundItem>, KeychainFailure> {
    if found.len() < 2 {
        return Ok(found);
    }
    let mut dated = Vec::with_capacity(found.len());
    for mut item in found {
        if let Some(stored) = if_there(store.stored(&item.handle))? {
            item.written = (stored.modified > 0).then_some(stored.modified);
            dated.push((stored, item));
        }
    }
    dated.sort_by_key(|(stored, _)| Reverse(*stored));
    Ok(dated.into_iter().map(|(_, item)| item).collect())
}

/// Returns every entry, the newest last. The expiry of a locked one stays unknown: a keyring with an empty password would open
/// without a prompt.
pub(super) fn list(store: &dyn ItemStore) -> Result<Vec<Listed>, KeychainFailure> {
    let mut listed = Vec::new();
    for item in everything(store)? {
        let read = if store.is_open(&item.handle) {
            item.read(store)
        } else {
            Err(KeychainFailure::locked())
        };
        let known = match read {
            Err(failure) if failure.is_locked() && !item.is_hidden() => None,
            known => known?,
        };
        listed.extend(item.listed(store, known.as_ref()));
    }
    Ok(listed)
}

/// Returns the key of every entry, without reading a secret.
pub(super) fn keys(store: &dyn ItemStore) -> Result<Vec<Key>, KeychainFailure> {
    let items = everything(store)?;
    Ok(items
        .iter()
        .filter_map(|item| item.key().cloned())
        .collect())
}

/// Returns every complete item in the order of [`list`], with several under one key too, and the number of locked items.
/// Fails on a locked item if `must_be_open`.
pub(super) fn all(
    store: &dyn ItemStore,
    must_be_open: bool,
) -> Result<(Vec<(Listed, Credential)>, usize), KeychainFailure> {
    let (mut all, mut locked) = (Vec::new(), 0);
    for item in everything(store)? {
        let known = match item.read(store) {
            Err(failure) if failure.is_locked() && !item.is_hidden() && !must_be_open => {
                locked += 1;
                None
            }
            known => known?,
        };
        if let Some(known) = known.filter(Credential::is_complete)
            && let Some(listed) = item.listed(store, Some(&known))
        {
            all.push((listed, known));
        }
    }
    Ok((all, locked))
}

/// Returns every item that may belong to git, the newest last.
fn everything(store: &dyn ItemStore) -> Result<Vec<FoundItem>, KeychainFailure> {
    let mut found = Vec::new();
    for schema in Schema::ALL {
        for attributes in schema.everything() {
            found.extend(search(store, schema, &attributes)?);
        }
    }
    if found.is_empty() {
        // A keyring that was never open does not show which items belong to git.
        store.check(true)?;
    }
    // Never read the secrets of other programs.
    found.retain(|item| item.seen != Seen::Foreign);
    let mut found = newest_first(store, found)?;
    found.reverse();
    Ok(found)
}
