//! Looking up what is known of tokens, and adding to it.

use std::time::Duration;

use super::known::{Known, LookupOutcome};
use super::{Contents, Error, Journal, Topic};
use crate::credential::Credential;
use crate::files::owned::Folder;

impl Journal {
    /// What is known of this secret of this user.
    pub fn known(&self, credential: &Credential) -> Result<Option<Known>, Error> {
        let Some(folder) = Folder::open(&self.folder)? else {
            return Ok(None);
        };
        let contents = Contents::read(&folder)?;
        Ok(contents.and_then(|contents| {
            let about = contents.about(Topic::ExpiresSoon(credential));
            let mut entries = contents.entries.into_iter();
            let found = entries.find(|entry| entry.about == about);
            found.map(|entry| entry.known)
        }))
    }

    /// Writes down what `learn` learns of this secret. What changes nothing is not written.
    pub fn learn(
        &self,
        credential: &Credential,
        unix_now: u64,
        learn: impl FnOnce(&mut Known),
    ) -> Result<(), Error> {
        self.change(unix_now, |contents| {
            let about = contents.about(Topic::ExpiresSoon(credential));
            let entry = contents.entry(about);
            let before = entry.known.clone();
            learn(&mut entry.known);
            entry.known != before
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
            let about = contents.about(Topic::ExpiresSoon(credential));
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
