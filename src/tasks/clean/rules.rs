//! The rules that make a credential stale: expiry, a mark of the journal, its kind, or another secret under the same key.

use super::inventory::InventoryItem;
use super::stale::Reason;
use crate::config::Settings;
use crate::config::choice::Choice;
use crate::credential::Credential;
use crate::helper::issuer::is_retired;
use crate::helper::storages::Storages;
use crate::journal::Journal;
use crate::journal::mark::Mark;
use crate::journal::snapshot::Snapshot;
use crate::neighbour::configured::kinds_in_git_config;
use crate::storage::StorageKind;
use crate::time::Now;

/// A reason, and the time in Unix seconds since when it holds.
pub(super) type Since = (Reason, Option<u64>);

pub(super) struct StaleRules {
    /// The storages that git's calls of this helper use; the first `listed` of them in the order of precedence.
    in_use: Vec<StorageKind>,
    listed: usize,
    /// The journal, read once.
    pub(super) snapshot: Snapshot,
}

impl StaleRules {
    pub(super) fn new(settings: &Settings, storages: &Storages, journal: &Journal) -> Self {
        let mut in_use: Vec<StorageKind> = storages
            .all()
            .iter()
            .map(|storage| storage.kind())
            .collect();
        if settings.storage == Choice::Auto {
            in_use = vec![StorageKind::Memory, StorageKind::Keychain];
        }
        let listed = in_use.len();
        in_use.extend(kinds_in_git_config());
        Self {
            in_use,
            listed,
            // Without a journal, only expiry, kind and precedence make a credential stale.
            snapshot: journal.snapshot().unwrap_or_default().for_many(),
        }
    }

    /// The reason that needs no other credential: expiry, a mark of the journal, or a kind that its forge accepts no longer.
    pub(super) fn stale_by_itself(&self, credential: &Credential, now: Now) -> Option<Since> {
        if let Some(expiry) = credential.expiry.filter(|expiry| expiry.is_past(now.unix)) {
            return Some((Reason::Expired, Some(expiry.unix())));
        }
        match self.snapshot.mark_of(credential) {
            None | Some((Mark::Superseded, _)) => self.retired(credential),
            Some((mark, at)) => Some((Reason::of(mark), Some(at))),
        }
    }

    pub(super) fn retired(&self, credential: &Credential) -> Option<Since> {
        let says = is_retired(credential, &self.snapshot)?;
        Some((Reason::Retired(says), None))
    }

    /// The reason and time if another secret under the same key took the place of `item`. Within a storage, the newer one
    /// answers. Between two storages the journal must tell: the other secret was stored over this one, or git confirmed the other
    /// one after this one was written. Otherwise the order is unknown, and both stay.
    pub(super) fn superseded(
        &self,
        item: &InventoryItem,
        of_key: &[&InventoryItem],
    ) -> Option<Since> {
        if let Some(newer) = self.shadowed_by(item, of_key) {
            return Some((Reason::Shadowed, newer.written));
        }
        let mark = self.snapshot.mark_of(&item.credential);
        for winner in of_key {
            if !self.may_supersede(winner, item) {
                continue;
            }
            if let Some((_, at)) = mark {
                return Some((Reason::Superseded, Some(at)));
            }
            let known = self.snapshot.known(&winner.credential);
            let accepted = known.and_then(|known| known.accepted);
            let is_newer = accepted
                .zip(item.written)
                .is_some_and(|(accepted, written)| accepted > written);
            if is_newer && !self.snapshot.was_good(&item.credential) {
                return Some((Reason::Superseded, accepted));
            }
        }
        None
    }

    /// Whether `winner` in another storage can make `item` stale. Memory cannot: after its timeout nothing would be left.
    fn may_supersede(&self, winner: &InventoryItem, item: &InventoryItem) -> bool {
        winner.kind != item.kind
            && winner.kind != StorageKind::Memory
            && self.in_use.contains(&winner.kind)
            && !self.precedes(item.kind, winner.kind)
            && !winner.credential.has_same_secrets(&item.credential)
            && self.snapshot.mark_of(&winner.credential).is_none()
    }

    /// Whether git gets the answer of storage `one` before that of `other`.
    fn precedes(&self, one: StorageKind, other: StorageKind) -> bool {
        let list = &self.in_use[..self.listed];
        let place = |kind| list.iter().position(|listed| *listed == kind);
        place(one)
            .zip(place(other))
            .is_some_and(|(one, other)| one < other)
    }

    /// The last item behind `item` in the same storage, which answers in its place. `None` if git confirmed `item` later.
    fn shadowed_by<'b>(
        &self,
        item: &InventoryItem,
        of_key: &[&'b InventoryItem],
    ) -> Option<&'b InventoryItem> {
        let at = of_key.iter().position(|other| std::ptr::eq(*other, item))?;
        let mut newer = of_key[at + 1..].iter().rev();
        let newer = newer.find(|other| other.kind == item.kind)?;
        let known = self.snapshot.known(&item.credential);
        let accepted = known.and_then(|known| known.accepted);
        let is_newer = accepted.is_none_or(|accepted| Some(accepted) <= newer.written);
        (is_newer && self.snapshot.mark_of(&newer.credential).is_none()).then_some(newer)
    }
}
