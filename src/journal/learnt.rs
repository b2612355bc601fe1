//! Looking up what is known of tokens, and adding to it.

use std::time::Duration;

use super::known::{Known, LookupOutcome};
use super::{Error, Journal, MOST};
use crate::credential::Credential;

impl Journal {
    /// What is known of this secret of this user.
    pub fn known(&self, credential: &Credential) -> Result<Option<Known>, Error> {
        Ok(self.snapshot()?.known(credential).cloned())
    }

    /// Writes down what `learn` learns of this secret. What changes nothing is not written.
    pub fn learn(
        &self,
        credential: &Credential,
        unix_now: u64,
        learn: impl FnOnce(&mut Known),
    ) -> Result<(), Error> {
        self.change(unix_now, |contents| contents.learn(credential, learn))
            .map(drop)
    }

    /// As [`Journal::learn`], for each of these. Of very many, the last ones: the journal would drop the others at once.
    pub fn learn_all(
        &self,
        all: &[&Credential],
        unix_now: u64,
        mut learn: impl FnMut(&Credential, &mut Known),
    ) -> Result<(), Error> {
        let last = &all[all.len().saturating_sub(MOST)..];
        if last.is_empty() {
            return Ok(());
        }
        self.change(unix_now, |contents| {
            let mut is_learnt = false;
            for credential in last {
                is_learnt |= contents.learn(credential, |known| learn(credential, known));
            }
            is_learnt
        })
        .map(drop)
    }

    /// Takes the right to ask the forge of this token now: one process in the time `every` has it, and it counts as asked
    /// even if that process comes to nothing.
    pub fn claim(
        &self,
        credential: &Credential,
        every: Duration,
        unix_now: u64,
    ) -> Result<bool, Error> {
        self.change(unix_now, |contents| {
            let about = Some(contents.about_secret(credential));
            let known = &mut contents.entry(about).known;
            if known.was_asked(every, unix_now) {
                return false;
            }
            known.asked = Some(unix_now);
            known.outcome = Some(LookupOutcome::Pending);
            true
        })
    }
}
