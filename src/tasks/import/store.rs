//! Storing the chosen offers of an import, and what the journal learns of them.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

use super::Import;
use super::offer::{Offer, Verdict};
use crate::credential::Credential;
use crate::credential::expiry::ExpirySource;
use crate::helper::candidate::is_good;
use crate::journal::mark::Mark;
use crate::secret::Secret;
use crate::storage::{Error, StorageKind, if_reached};

/// A keychain counts in seconds: two items that are stored with this pause have different times.
const PAUSE: Duration = Duration::from_millis(1020);
/// For one host, so many offers are stored a pause apart. The rest are stored together before them.
const MOST_RANKS: usize = 10;

impl Import<'_> {
    /// Stores `offers`, and says in each whether it was stored. An offer stays out if another secret was stored under its key
    /// since the preview, or its own was marked as invalid. `pause` waits; `progress` gets the number of each offer and their count.
    ///
    /// The first offer of a host answers before the others, as it does at its source.
    pub fn store(
        &self,
        offers: &mut [&mut Offer],
        pause: &mut dyn FnMut(Duration),
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<(), Error> {
        let marks = self.journal.snapshot().unwrap_or_default();
        let total = offers.len();
        let mut begun = 0;
        for (turn, rank) in self
            .order(offers)
            .chunk_by(|one, two| one.0 == two.0)
            .enumerate()
        {
            if turn > 0 {
                pause(PAUSE);
            }
            let mut accepted = Vec::new();
            for &(_, index) in rank {
                let offer = &offers[index];
                let is_accepted = matches!(offer.verdict, Verdict::Invalid { .. });
                if is_accepted || marks.mark_of(&offer.credential).is_none() {
                    accepted.push(index);
                }
            }
            let mut imported = Vec::new();
            let result = self.store_together(offers, &accepted, &mut |index, is_stored| {
                begun += 1;
                progress(begun, total);
                if is_stored {
                    imported.push(index);
                }
            });
            let credentials = imported.iter().map(|&index| &offers[index].credential);
            self.note_all(credentials.collect());
            for index in imported {
                offers[index].is_imported = true;
            }
            result?;
        }
        Ok(())
    }

    /// The indices of `offers` in the order of storing, each with its rank. A pause separates two ranks.
    fn order(&self, offers: &[&mut Offer]) -> Vec<(usize, usize)> {
        let mut order: Vec<usize> = (0..offers.len()).collect();
        // A credential for all paths answers before one for a single path.
        order.sort_by_key(|&index| offers[index].credential.key.path.is_some());
        if self.storages[self.target].0.kind() != StorageKind::Keychain {
            return order.into_iter().map(|index| (0, index)).collect();
        }
        let mut counts = HashMap::new();
        let mut ranked = Vec::new();
        for index in order {
            let key = &offers[index].credential.key;
            let count = counts.entry((&key.protocol, &key.host)).or_insert(0);
            ranked.push(((*count).min(MOST_RANKS - 1), index));
            *count += 1;
        }
        // The newest item answers.
        ranked.reverse();
        ranked.sort_by_key(|(rank, _)| Reverse(*rank));
        ranked
    }

    /// Stores the offers with these indices, and calls `done` with each index, and whether the offer was stored.
    fn store_together(
        &self,
        offers: &[&mut Offer],
        accepted: &[usize],
        done: &mut dyn FnMut(usize, bool),
    ) -> Result<(), Error> {
        let (target, view) = &self.storages[self.target];
        let mut inserted = Vec::new();
        let mut insertions = Vec::new();
        for &index in accepted {
            let credential = &offers[index].credential;
            if offers[index].verdict == Verdict::SameWithExpiry {
                for (storage, _) in &self.storages {
                    if_reached(storage.set_expiry(credential, credential.expiry))?;
                }
                done(index, true);
                continue;
            }
            inserted.push(index);
            insertions.push((view.entries.get(&credential.key), credential));
        }
        target.insert_all_behind(&insertions, &mut |at, is_stored| {
            let index = inserted[at];
            if is_stored {
                let credential = &offers[index].credential;
                if matches!(offers[index].verdict, Verdict::Invalid { .. }) {
                    let _ = self.journal.clear(credential, None, self.now.unix);
                }
                self.supersede_others(credential)?;
            }
            done(index, is_stored);
            Ok(())
        })
    }

    /// Marks the secrets that `credential` has replaced, and removes those that would answer before it.
    fn supersede_others(&self, credential: &Credential) -> Result<(), Error> {
        for (index, (storage, view)) in self.storages.iter().enumerate() {
            let Some(other) = view.entries.get(&credential.key) else {
                continue;
            };
            if !is_good(other, self.now) || other.has_same_secrets(credential) {
                continue;
            }
            let _ = self.journal.mark(other, Mark::Superseded, self.now.unix);
            if index < self.target {
                if_reached(storage.erase(&other.as_rejected()))?;
            }
        }
        Ok(())
    }

    /// Notes the issuer and the expiry of each in the journal. Begins no journal if both are unknown.
    fn note_all(&self, mut credentials: Vec<&Credential>) {
        let issuer = |credential: &Credential| {
            let token = credential.token().map(Secret::expose);
            self.issuers.issuer(&credential.key, None, token)
        };
        credentials.retain(|credential| {
            credential.expiry.is_some()
                || issuer(credential).is_some()
                || self.marks.knows_user_of(&credential.key)
        });
        let now = self.now.unix;
        let _ = self
            .journal
            .learn_all(&credentials, now, |credential, known| {
                let issuer = issuer(credential);
                known.since = known.since.or(Some(now));
                known.forge = issuer.map(|issuer| issuer.forge.kind()).or(known.forge);
                known.token = issuer.and_then(|issuer| issuer.token).or(known.token);
                if let Some(expiry) = credential.expiry
                    && known.end.is_none_or(|(known, _)| known != expiry)
                {
                    known.end = Some((expiry, ExpirySource::Git));
                }
            });
    }
}
