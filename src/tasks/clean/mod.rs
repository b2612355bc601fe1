//! Finds credentials that no longer work, in every storage and in other helpers, and removes them: only those that were found,
//! and only while they are unchanged.

mod copies;
pub mod inventory;
mod removal;
mod rules;
pub mod stale;

use std::collections::HashMap;

use self::copies::Copies;
use self::inventory::{InventoryItem, everything, locked};
use self::rules::{Since, StaleRules};
use self::stale::{CleanStep, Reason, StaleCredential, StaleSource};
use crate::config::Settings;
use crate::credential::Credential;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::helper::notice::{Notice, Outcome};
use crate::helper::storages::Storages;
use crate::journal::Journal;
use crate::neighbour;
use crate::neighbour::registry::{Harvest, Neighbours};
use crate::storage::{Error, Storage, StorageKind};
use crate::time::Now;

/// Borrows the storages, in use or not, and the journal.
pub struct Clean<'a> {
    storages: Vec<&'a dyn Storage>,
    journal: &'a Journal,
    rules: StaleRules,
    /// Only matching credentials are reported.
    wanted: Option<&'a Query>,
}

/// The credentials in the storages, sorted.
#[derive(Debug, Default)]
pub struct Inventory {
    pub stale: Vec<StaleCredential>,
    live: Vec<InventoryItem>,
    /// The number of expired credentials with a refresh token, which are not removed.
    pub renewable: usize,
}

/// The reason why a credential could not be removed.
#[derive(Debug, thiserror::Error)]
pub enum RemovalError {
    #[error(transparent)]
    Storage(#[from] Error),
    #[error(transparent)]
    Neighbour(#[from] neighbour::failure::Error),
}

impl RemovalError {
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Storage(error) => error.hint(),
            Self::Neighbour(error) => error.hint(),
        }
    }
}

impl<'a> Clean<'a> {
    /// `rest`: the storages that `settings` do not use.
    pub fn new(
        settings: &Settings,
        storages: &'a Storages,
        rest: &'a [Box<dyn Storage>],
        journal: &'a Journal,
        wanted: Option<&'a Query>,
    ) -> Self {
        let all = storages.all().iter().chain(rest);
        Self {
            storages: all.map(|storage| &**storage).collect(),
            journal,
            rules: StaleRules::new(settings, storages, journal),
            wanted,
        }
    }

    fn is_wanted(&self, credential: &Credential) -> bool {
        self.wanted
            .is_none_or(|wanted| wanted.matches(&credential.key))
    }

    /// Sorts the credentials of every storage. Only the wanted ones count as stale.
    pub fn inventory(&self, now: Now) -> Outcome<Inventory> {
        let mut inventory = Inventory::default();
        let Outcome {
            value: all,
            notices,
        } = self.read_all();
        let mut rest = Vec::new();
        for item in all {
            if is_renewable(&item.credential, now) {
                inventory.renewable += usize::from(self.is_wanted(&item.credential));
            } else if let Some(since) = self.rules.stale_by_itself(&item.credential, now) {
                inventory.stale.push(self.stale_item(&item, since));
            } else {
                rest.push(item);
            }
        }
        // The remaining credentials may work. Of several under one key, a superseded one is stale.
        let mut by_key: HashMap<&Key, Vec<&InventoryItem>> = HashMap::new();
        for item in &rest {
            by_key.entry(&item.credential.key).or_default().push(item);
        }
        let mut superseded = Vec::new();
        for item in &rest {
            superseded.push(self.rules.superseded(item, &by_key[&item.credential.key]));
        }
        for (item, since) in rest.into_iter().zip(superseded) {
            match since {
                None => inventory.live.push(item),
                Some(since) => inventory.stale.push(self.stale_item(&item, since)),
            }
        }
        inventory
            .stale
            .retain(|stale| self.is_wanted(&stale.credential));
        let live = Copies::of(inventory.live.iter().map(|item| (item, &item.credential)));
        for stale in &mut inventory.stale {
            stale.has_live_copy = stale.reason == Reason::Expired && live.has(&stale.credential);
        }
        Outcome {
            value: inventory,
            notices,
        }
    }

    fn read_all(&self) -> Outcome<Vec<InventoryItem>> {
        let (mut all, mut notices) = (Vec::new(), Vec::new());
        for storage in &self.storages {
            let trouble = match everything(*storage) {
                Ok(items) => {
                    all.extend(items);
                    locked(*storage)
                }
                Err(cause) => Some(cause),
            };
            let trouble = trouble.filter(|cause| !cause.is_absence());
            notices.extend(trouble.map(|cause| Notice::PassedOver { cause }));
        }
        Outcome {
            value: all,
            notices,
        }
    }

    /// The wanted stale credentials with their labels: those of `inventory`, and the copies in other helpers with a secret that is
    /// stale here, has expired, or is retired. A copy of a live credential is not stale. Those that match `keep` are marked.
    pub fn with_copies(
        &self,
        inventory: Inventory,
        neighbours: &Neighbours,
        harvest: &Harvest,
        keep: &[Query],
        now: Now,
    ) -> Vec<StaleCredential> {
        let live = Copies::of(inventory.live.iter().map(|item| (item, &item.credential)));
        // A shadowed item of a storage tells nothing about other helpers.
        let stale = inventory.stale.iter();
        let stale = stale.filter(|stale| stale.reason != Reason::Shadowed);
        let known_stale = Copies::of(stale.map(|stale| (stale, &stale.credential)));
        let mut copies = Vec::new();
        for (number, copied) in harvest.copies.iter().enumerate() {
            let copy = &copied.found.credential;
            if !self.is_wanted(copy) || is_renewable(copy, now) {
                continue;
            }
            let Some(since) = self.stale_copy(copy, &live, &known_stale, now) else {
                continue;
            };
            let mut stale = self.stale(copy, StaleSource::Neighbour(number), since);
            neighbours.name_of(copied).clone_into(&mut stale.owner);
            stale.place = Some(copied.found.shown_place());
            stale.is_plaintext = copied.found.place.is_plaintext();
            if !neighbours.can_remove(copied) {
                stale.step = CleanStep::ReadOnly;
            }
            copies.push(stale);
        }
        let mut all = inventory.stale;
        all.append(&mut copies);
        for stale in &mut all {
            if keep.iter().any(|keep| keep.matches(&stale.credential.key)) {
                stale.step = CleanStep::Kept;
            }
        }
        self.label(&mut all, now);
        all
    }

    fn stale_copy(
        &self,
        copy: &Credential,
        live: &Copies<'_, InventoryItem>,
        stale: &Copies<'_, StaleCredential>,
        now: Now,
    ) -> Option<Since> {
        if let Some(expiry) = copy.expiry.filter(|expiry| expiry.is_past(now.unix)) {
            return Some((Reason::Expired, Some(expiry.unix())));
        }
        if live.has(copy) {
            return None;
        }
        if let Some(known) = stale.first(copy) {
            return Some((known.reason, known.since));
        }
        match self.rules.snapshot.mark_of(copy) {
            Some((mark, at)) => Some((Reason::of(mark), Some(at))),
            None => self.rules.retired(copy),
        }
    }

    fn stale(
        &self,
        credential: &Credential,
        source: StaleSource,
        (reason, since): Since,
    ) -> StaleCredential {
        let known = self.rules.snapshot.known(credential);
        StaleCredential {
            credential: credential.duplicate(),
            owner: String::new(),
            place: None,
            is_plaintext: false,
            reason,
            since,
            label: None,
            stored: known.and_then(|known| known.since),
            items: 1,
            step: CleanStep::Listed,
            source,
            has_live_copy: false,
        }
    }

    fn stale_item(&self, item: &InventoryItem, since: Since) -> StaleCredential {
        let stale = self.stale(&item.credential, StaleSource::Storage(item.kind), since);
        StaleCredential {
            owner: item.kind.to_string(),
            is_plaintext: item.kind == StorageKind::File,
            stored: item.written.or(stale.stored),
            items: item.items,
            ..stale
        }
    }

    /// Sets the label of each credential, if the journal can be written: otherwise it would have another label next time.
    fn label(&self, stale: &mut [StaleCredential], now: Now) {
        if !stale.is_empty()
            && let Ok(marked) = self.journal.tagged(now.unix)
        {
            for stale in stale {
                stale.label = marked.tag(&stale.credential);
            }
        }
    }

    /// The queries for another helper that answers only queries and lists nothing.
    pub fn queries(inventory: &Inventory) -> Vec<Query> {
        let live = inventory.live.iter().map(|item| &item.credential);
        let stale = inventory.stale.iter().map(|stale| &stale.credential);
        live.chain(stale)
            .map(|credential| Query::of(&credential.key))
            .collect()
    }
}

/// Whether the credential has expired but has a refresh token.
fn is_renewable(credential: &Credential, now: Now) -> bool {
    credential.is_expired(now.unix) && credential.refresh_token.is_some()
}
