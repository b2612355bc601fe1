//! Saves a credential: one decision for the whole list of storages, then each of them is written.
//!
//! The order is: read the storages, read the journal, write the marks, swap. A process that sees the new secret therefore
//! also sees the marks of the old one. A swap that is lost to another process starts again from the storages.

use super::Helper;
use super::conflict::Decision::{self, Ignore};
use super::conflict::{Incoming, Situation, decide};
use super::guess::Guess;
use super::issuer::Issuer;
use super::notice::Outcome;
use super::swap::{KeptEntry, Swap};
use crate::credential::Credential;
use crate::credential::expiry::{Expiry, ExpirySource};
use crate::credential::query::Query;
use crate::forge::ForgeKind;
use crate::journal::known::Known;
use crate::journal::mark::Mark;
use crate::journal::snapshot::Snapshot;
use crate::storage::trace_words::named;
use crate::storage::{Error, StorageKind};
use crate::time::Now;
use crate::trace;

/// Give up after so many lost swaps: each winner is newer than the credential that git confirms.
const TRIES: usize = 4;

/// The subject of these steps in the trace.
pub(super) const STORE: &str = "store";

/// Saves credentials.
pub(super) struct Save<'a> {
    pub(super) helper: &'a Helper,
    pub(super) now: Now,
}

/// A credential to save, and what is said of it.
pub(super) struct Offered<'a> {
    pub(super) credential: &'a Credential,
    pub(super) incoming: Incoming,
    /// Who told its expiry, if it has one.
    pub(super) source: ExpirySource,
    /// The expiry that is assumed if it has none.
    pub(super) guess: Option<Guess>,
    /// The forge in the server's own words.
    pub(super) named: Option<ForgeKind>,
}

/// Tells the trace a row of the table in `conflict.rs`.
fn tell_decision(offered: &Offered<'_>, situation: Situation, decision: Decision) {
    trace::tell(STORE, || {
        let name = named(&offered.credential.key);
        let (incoming, situation) = (offered.incoming.words(), situation.words());
        format!("{name}: {incoming}; {situation}; so {}", decision.words())
    });
}

/// Tells the trace that another process has changed an entry.
fn tell_lost() {
    let text = "another process changed an entry meanwhile: everything is read again";
    trace::tell(STORE, || text.to_owned());
}

/// A credential that is saved now.
pub(super) struct Saved {
    /// With what the storages knew of it.
    pub(super) credential: Credential,
    pub(super) issuer: Option<Issuer>,
    /// What the journal knew of it; `None` if the journal cannot be read.
    pub(super) known: Option<Known>,
}

impl Save<'_> {
    /// Saves `offered`, if it wins. The value is `None` if another secret stays.
    pub(super) fn save(&self, offered: &Offered<'_>) -> Result<Outcome<Option<Saved>>, Error> {
        let credential = offered.credential;
        let is_entered = offered.incoming == Incoming::Entered;
        // A keychain may have its user confirm each access. It has the secret that we answered, unless the journal has a mark.
        let mut trusts_keychain = offered.incoming == Incoming::Answered
            && (offered.guess.is_none() || credential.expiry.is_some());
        let mut is_unwanted = false;
        for number in 0..=TRIES {
            let by_force = number == TRIES;
            if by_force && !is_entered {
                break;
            }
            let mut entries = self.read(offered, trusts_keychain);
            let journal = self.helper.journal().snapshot();
            let is_readable = journal.is_ok();
            let snapshot = journal.unwrap_or_default();
            if trusts_keychain && snapshot.is_marked(credential, None) {
                trusts_keychain = false;
                entries = self.read(offered, false);
            }
            // The mark may have been cleared at an earlier try.
            is_unwanted |= snapshot.is_invalid_or_displaced(credential, self.now.unix);
            let kept = entries.iter().filter_map(KeptEntry::kept);
            let situation = Situation::of(credential, kept, is_unwanted, &snapshot, self.now.unix);
            let decision = decide(offered.incoming, situation);
            tell_decision(offered, situation, decision);
            if decision == Ignore {
                break;
            }
            let known = snapshot.known(credential).cloned().unwrap_or_default();
            let (merged, told) = self.merged(offered, &entries, &known);
            self.plan(&mut entries, offered.incoming, &merged, &snapshot);
            let issuer = self
                .helper
                .issuers()
                .issuer_of(credential, offered.named.or(known.forge));
            self.record(offered, &entries, issuer.as_ref(), told, &snapshot, &known);
            let swap = Swap {
                helper: self.helper,
                new: &merged,
                by_force,
                now: self.now,
            };
            let swaps = swap.run(entries)?;
            if !swaps.is_lost {
                let saved = Saved {
                    credential: merged,
                    issuer,
                    known: is_readable.then_some(known),
                };
                return Ok(Outcome {
                    value: Some(saved),
                    notices: swaps.notices,
                });
            }
            tell_lost();
        }
        Ok(Outcome::silent(None))
    }

    /// Reads the entry of each storage. With `auto` the keychain is not asked if memory has all that is offered.
    fn read(&self, offered: &Offered<'_>, trusts_keychain: bool) -> Vec<KeptEntry<'_>> {
        let credential = offered.credential;
        let key = Query::exact(&credential.key);
        let mut entries = Vec::new();
        for storage in self.helper.storages().all() {
            let found = match storage.kind() {
                StorageKind::Keychain if trusts_keychain => Ok(Some(credential.duplicate())),
                _ => storage.get(&key),
            };
            let entry = KeptEntry {
                storage: &**storage,
                found,
                changes: false,
            };
            let has_all = entry.kept().is_some_and(|kept| {
                let is_guessed = kept.expiry.is_none() && offered.guess.is_some();
                !is_guessed && self.completed(offered, [kept].into_iter()) == *kept
            });
            entries.push(entry);
            if self.helper.storages().is_auto() && has_all {
                break;
            }
        }
        entries
    }

    /// The credential with what is known of the same secret and did not come: git before 2.40 leaves out the expiry, before
    /// 2.41 the refresh token. A kept expiry that has passed was wrong, and is dropped.
    fn completed<'a>(
        &self,
        offered: &Offered<'_>,
        kept: impl Iterator<Item = &'a Credential>,
    ) -> Credential {
        let mut completed = offered.credential.duplicate();
        for kept in kept {
            completed.recall(kept);
        }
        if completed.is_expired(self.now.unix) {
            completed.expiry = None;
        }
        completed
    }

    /// The credential as it is to be kept, and the expiry that did not come from a storage.
    fn merged(
        &self,
        offered: &Offered<'_>,
        entries: &[KeptEntry<'_>],
        known: &Known,
    ) -> (Credential, Option<(Expiry, ExpirySource)>) {
        let kept = entries.iter().filter_map(KeptEntry::kept);
        let mut merged = self.completed(offered, kept);
        let mut told = offered
            .credential
            .expiry
            .map(|expiry| (expiry, offered.source));
        if merged.expiry.is_none()
            && let Some(guess) = offered.guess
        {
            told = guess.expiry(known, self.now.unix);
            merged.expiry = told.map(|(expiry, _)| expiry);
        }
        (merged, told)
    }

    /// Decides which entries change.
    fn plan(
        &self,
        entries: &mut [KeptEntry<'_>],
        incoming: Incoming,
        merged: &Credential,
        snapshot: &Snapshot,
    ) {
        let has_keychain = |entry: &KeptEntry<'_>| {
            entry.storage.kind() == StorageKind::Keychain && entry.found.is_ok()
        };
        let is_kept_below = self.helper.storages().is_auto() && entries.iter().any(has_keychain);
        for entry in entries {
            let is_memory = entry.storage.kind() == StorageKind::Memory;
            entry.changes = match entry.kept() {
                None => !(is_kept_below && is_memory),
                Some(kept) if kept.has_same_secrets(merged) => kept != merged,
                Some(kept) => {
                    let is_live = kept.is_complete()
                        && !kept.is_expired(self.now.unix)
                        && !snapshot.is_invalid(kept);
                    incoming.mark_of_others().is_some() || !is_live
                }
            };
        }
    }

    /// Writes the marks, and what is known of the credential, in one step. If there is nothing to remember, no journal is
    /// begun; and one that cannot be written stops nothing.
    fn record(
        &self,
        offered: &Offered<'_>,
        entries: &[KeptEntry<'_>],
        issuer: Option<&Issuer>,
        told: Option<(Expiry, ExpirySource)>,
        snapshot: &Snapshot,
        known: &Known,
    ) {
        let Offered {
            credential,
            incoming,
            source,
            ..
        } = *offered;
        let mark = incoming.mark_of_others();
        let mut others = Vec::new();
        for entry in entries
            .iter()
            .filter(|entry| entry.changes && mark.is_some())
        {
            others.extend(entry.kept().filter(|kept| {
                let is_other = kept.is_complete() && !kept.has_same_secrets(credential);
                is_other && snapshot.mark_of(kept).is_none()
            }));
        }
        let is_cleared = snapshot.is_marked(credential, incoming.clears_only());
        let is_known = || snapshot.knows_user_of(&credential.key);
        let is_learnt = entries.iter().any(|entry| entry.changes)
            && (issuer.is_some()
                || told.is_some()
                || source == ExpirySource::Person
                || !others.is_empty()
                || is_known());
        // The day of the last confirmation is noted once. It begins no journal for a token whose forge is unknown.
        let is_first_today = incoming != Incoming::Entered
            && !known.was_used_today(self.now.unix)
            && (is_learnt || issuer.is_some() || *known != Known::default());
        if others.is_empty() && !is_cleared && !is_learnt && !is_first_today {
            return;
        }
        let learn = |known: &mut Known| {
            if is_learnt {
                self.learn(known, offered, issuer, told);
            }
            // Another process may have noted the day meanwhile.
            if is_first_today && !known.was_used_today(self.now.unix) {
                known.used = Some(self.now.unix);
                known.forge = known.forge.or(issuer.map(|issuer| issuer.forge.kind()));
            }
        };
        let _ = self.helper.journal().record(
            (&others, mark.unwrap_or(Mark::Displaced)),
            (credential, incoming.clears_only()),
            learn,
            self.now.unix,
        );
    }

    /// Adds what is known of a credential that is stored now.
    fn learn(
        &self,
        known: &mut Known,
        offered: &Offered<'_>,
        issuer: Option<&Issuer>,
        told: Option<(Expiry, ExpirySource)>,
    ) {
        known.since = known.since.or(Some(self.now.unix));
        known.forge = issuer.map(|issuer| issuer.forge.kind()).or(known.forge);
        known.token = issuer.and_then(|issuer| issuer.token).or(known.token);
        if let Some((expiry, source)) = told
            && known.end.is_none_or(|(known, _)| known != expiry)
        {
            known.end = Some((expiry, source));
        }
        if offered.incoming != Incoming::Entered {
            known.accepted = known.accepted.or(Some(self.now.unix));
            if told.is_none() {
                known.forget_past_end(self.now.unix);
            }
        }
    }
}
