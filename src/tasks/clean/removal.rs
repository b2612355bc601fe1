//! Removes stale credentials, each only while it is unchanged.

use std::cell::OnceCell;
use std::collections::HashMap;

use super::inventory::{remove_from, remove_shadowed};
use super::stale::{CleanStep, Reason, StaleCredential, StaleSource};
use super::{Clean, RemovalError};
use crate::credential::Credential;
use crate::credential::key::Key;
use crate::journal::mark::Mark;
use crate::journal::snapshot::Snapshot;
use crate::neighbour::registry::{Copied, Neighbours};
use crate::storage::{Error, StorageKind};
use crate::time::Now;

impl Clean<'_> {
    /// Removes those of `all` that are listed and unchanged, and sets their steps. Returns the failures.
    pub fn remove(
        &self,
        all: &mut [StaleCredential],
        neighbours: &Neighbours,
        copies: &[Copied],
        now: Now,
    ) -> Vec<RemovalError> {
        let mut failures = Vec::new();
        let (mut in_file, mut elsewhere) = (Vec::new(), Vec::new());
        for (at, stale) in all.iter_mut().enumerate() {
            match (stale.step, stale.source) {
                (CleanStep::Listed, StaleSource::Neighbour(number)) => {
                    elsewhere.push((at, number));
                }
                (CleanStep::Listed, StaleSource::Storage(kind)) => {
                    if kind == StorageKind::File && stale.reason != Reason::Shadowed {
                        in_file.push(at);
                        continue;
                    }
                    let removed = self.remove_one(stale, kind, now);
                    failures.extend(settle(stale, removed).err());
                }
                _ => {}
            }
        }
        failures.extend(self.remove_from_file(all, &in_file).err());
        self.mark_expired(all, now);
        for (at, number) in elsewhere {
            let stale = &mut all[at];
            let removed = if self.is_confirmed(&stale.credential, &OnceCell::new()) {
                Ok(0)
            } else {
                neighbours.remove(&copies[number])
            };
            failures.extend(settle(stale, removed).err());
        }
        failures
    }

    fn remove_one(
        &self,
        stale: &StaleCredential,
        kind: StorageKind,
        now: Now,
    ) -> Result<usize, Error> {
        let credential = &stale.credential;
        if self.is_confirmed(credential, &OnceCell::new()) {
            return Ok(0);
        }
        let mut removed = 0;
        for storage in self
            .storages
            .iter()
            .filter(|storage| storage.kind() == kind)
        {
            removed += match stale.reason {
                Reason::Shadowed => remove_shadowed(*storage, credential)?,
                _ => remove_from(*storage, credential, now)?,
            };
        }
        Ok(removed)
    }

    /// Removes the credentials `at` these places of `all` from the plaintext file, which is read and written once.
    fn remove_from_file(
        &self,
        all: &mut [StaleCredential],
        at: &[usize],
    ) -> Result<(), RemovalError> {
        let mut files = self.storages.iter();
        let file = files.find(|storage| storage.kind() == StorageKind::File);
        let Some(file) = file.filter(|_| !at.is_empty()) else {
            return Ok(());
        };
        let marks = OnceCell::new();
        let removed = file.all().and_then(|kept| {
            let kept: HashMap<Key, Credential> = kept
                .into_iter()
                .map(|(listed, kept)| (listed.key, kept))
                .collect();
            // Another expiry was set meanwhile: the token may work again.
            let is_stale = |stale: &Credential| {
                let kept = kept.get(&stale.key);
                let kept = kept.filter(|kept| kept.has_same_secrets(stale));
                kept.is_none_or(|kept| kept.expiry == stale.expiry)
            };
            let mut unwanted = Vec::new();
            for &at in at {
                let credential = &all[at].credential;
                if is_stale(credential) && !self.is_confirmed(credential, &marks) {
                    unwanted.push((at, credential));
                }
            }
            let (places, unwanted): (Vec<usize>, Vec<_>) = unwanted.into_iter().unzip();
            Ok(places
                .into_iter()
                .zip(file.erase_each(&unwanted)?)
                .collect())
        });
        let counts: HashMap<usize, usize> = match removed {
            Ok(counts) => counts,
            Err(error) => {
                for &at in at {
                    all[at].step = CleanStep::Failed;
                }
                return Err(error.into());
            }
        };
        for at in at {
            let count = counts.get(at).copied().unwrap_or(0);
            settle(&mut all[*at], Ok::<_, Error>(count))?;
        }
        Ok(())
    }

    /// Whether git has confirmed the secret since the list was shown: its mark is gone. `now`: the journal now, once it is read.
    fn is_confirmed(&self, credential: &Credential, now: &OnceCell<Option<Snapshot>>) -> bool {
        let is_unmarked = |marks: &Snapshot| marks.mark_of(credential).is_none();
        if !credential.is_complete() || is_unmarked(&self.rules.snapshot) {
            return false;
        }
        let now = now.get_or_init(|| self.journal.snapshot().ok().map(Snapshot::for_many));
        now.as_ref().is_some_and(is_unmarked)
    }

    /// The marks recognize copies that appear later.
    fn mark_expired(&self, all: &[StaleCredential], now: Now) {
        let mut expired = Vec::new();
        for stale in all {
            let is_news = stale.step == CleanStep::Removed
                && stale.reason == Reason::Expired
                && !stale.has_live_copy;
            if is_news && stale.credential.is_complete() {
                expired.push(stale.credential.duplicate());
            }
        }
        let _ = self.journal.mark_all(&expired, Mark::Expired, now.unix);
    }
}

/// Sets the step that follows from the number of removed entries.
fn settle<E: Into<RemovalError>>(
    stale: &mut StaleCredential,
    removed: Result<usize, E>,
) -> Result<(), RemovalError> {
    stale.step = match removed {
        Ok(0) => CleanStep::Changed,
        Ok(_) => CleanStep::Removed,
        Err(_) => CleanStep::Failed,
    };
    removed.map(drop).map_err(Into::into)
}
