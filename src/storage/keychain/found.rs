//! Finds items and reads them.

use std::cmp::Reverse;
use std::collections::HashMap;

use zeroize::Zeroizing;

use super::attributes::{Schema, Seen, Spelling};
use super::failure::KeychainFailure;
use super::items::{Item, ItemAttributes, ItemResult, ItemStore, if_there};
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
    pub(super) seen: Seen,
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
        self.credential(store, store.secret(&self.handle))
    }

    /// Returns the credential of the item with this `secret`.
    pub(super) fn credential(
        &self,
        store: &dyn ItemStore,
        secret: ItemResult<Zeroizing<Vec<u8>>>,
    ) -> Result<Option<Credential>, KeychainFailure> {
        let Some(text) = if_there(secret)? else {
            return Ok(None);
        };
        if !store.is_sound(&text) {
            return Ok(None);
        }
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
    pub(super) fn listed(
        &self,
        store: &dyn ItemStore,
        known: Option<&Credential>,
    ) -> Option<Listed> {
        let key = self.key()?.clone();
        // `newest_first` does not read the time of a single item.
        let modified = || store.modified(&[&self.handle]).pop()?.ok();
        let written = self.written.or_else(modified);
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
    let searches = |schema: Schema| {
        let searches = schema.searches(wanted, spelling).into_iter();
        searches.map(move |attributes| (schema, attributes))
    };
    let mut found = search(store, Schema::ALL.into_iter().flat_map(searches).collect())?;
    found.retain(|item| {
        item.key().map_or_else(
            || item.is_hidden() && spelling == Spelling::AsKept,
            |key| wanted.matches(key),
        )
    });
    Ok(found)
}

/// Returns the items of all `searches`, in their order.
pub(super) fn search(
    store: &dyn ItemStore,
    searches: Vec<(Schema, ItemAttributes)>,
) -> Result<Vec<FoundItem>, KeychainFailure> {
    let (schemas, wanted): (Vec<_>, Vec<_>) = searches.into_iter().unzip();
    let mut items = Vec::new();
    for (schema, found) in schemas.into_iter().zip(store.search(&wanted)?) {
        items.extend(found.into_iter().map(|item| (schema, item)));
    }
    let asked: Vec<_> = items.iter().map(|(schema, item)| (*schema, item)).collect();
    let seen = see(store, &asked)?;
    let mut found = Vec::new();
    for ((schema, handle), seen) in items.into_iter().zip(seen) {
        found.extend(seen.map(|seen| FoundItem {
            handle,
            schema,
            written: None,
            seen,
        }));
    }
    Ok(found)
}

/// Reads the key of each item; `None`: it was removed meanwhile.
fn see(
    store: &dyn ItemStore,
    items: &[(Schema, &Item)],
) -> Result<Vec<Option<Seen>>, KeychainFailure> {
    let handles: Vec<&Item> = items.iter().map(|(_, item)| *item).collect();
    let mut attributes = Vec::with_capacity(items.len());
    let mut unlabelled = Vec::new();
    for (answer, (schema, item)) in store.attributes(&handles).into_iter().zip(items) {
        let known = if_there(answer)?;
        let needs_label = known
            .as_ref()
            .is_some_and(|known| schema.needs_label(known));
        unlabelled.extend(needs_label.then_some(*item));
        attributes.push((known, needs_label));
    }
    let mut labels = store.labels(&unlabelled).into_iter();
    let mut seen = Vec::with_capacity(items.len());
    for ((attributes, needs_label), (schema, _)) in attributes.into_iter().zip(items) {
        let label = labels.by_ref().take(usize::from(needs_label)).next();
        let label = label.map(if_there).transpose()?;
        seen.push(match (attributes, label) {
            (None, _) | (_, Some(None)) => None,
            (Some(known), label) => Some(schema.key(&known, label.flatten().as_deref())),
        });
    }
    Ok(seen)
}

/// Unlocks the hidden items and keeps the matching ones. Fails if one stays locked, since it may match.
pub(super) fn reveal(
    store: &dyn ItemStore,
    found: &mut Vec<FoundItem>,
    wanted: &Query,
) -> Result<(), KeychainFailure> {
    for found in found.iter_mut().filter(|found| found.is_hidden()) {
        store.secret(&found.handle)?;
        let seen = see(store, &[(found.schema, &found.handle)])?.pop();
        found.seen = seen.flatten().ok_or(KeychainFailure::Gone)?;
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

/// Sorts the items. Reads their times only if there are several, and when they were created only for those that were written in
/// the same second.
pub(super) fn newest_first(
    store: &dyn ItemStore,
    found: Vec<FoundItem>,
) -> Result<Vec<FoundItem>, KeychainFailure> {
    if found.len() < 2 {
        return Ok(found);
    }
    let handles: Vec<&Item> = found.iter().map(|item| &item.handle).collect();
    let modified = store.modified(&handles);
    let mut dated = Vec::with_capacity(found.len());
    let mut in_second = HashMap::new();
    for (mut item, modified) in found.into_iter().zip(modified) {
        if let Some(modified) = if_there(modified)? {
            item.written = (modified > 0).then_some(modified);
            *in_second.entry(modified).or_insert(0) += 1;
            dated.push((modified, item));
        }
    }
    let is_tied = |modified: &u64| in_second[modified] > 1;
    let tied = dated.iter().filter(|(modified, _)| is_tied(modified));
    let tied: Vec<&Item> = tied.map(|(_, item)| &item.handle).collect();
    let mut created = store.created(&tied).into_iter();
    let mut ordered = Vec::with_capacity(dated.len());
    for (modified, item) in dated {
        let created = created
            .by_ref()
            .take(usize::from(is_tied(&modified)))
            .next();
        let created = created.map(if_there).transpose()?;
        if created != Some(None) {
            let age = (modified, created.flatten(), item.handle.number.get());
            ordered.push((age, item));
        }
    }
    ordered.sort_by_key(|(age, _)| Reverse(*age));
    Ok(ordered.into_iter().map(|(_, item)| item).collect())
}
