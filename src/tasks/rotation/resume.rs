//! Resuming: a rotation that was cut off left an invalid token, and perhaps saved the new one in some storage.

use super::entries::TokenEntries;
use super::failure::Error;
use super::outcome::Rotated;
use super::plan::Rotation;
use crate::credential::Credential;
use crate::credential::key::Key;
use crate::forge::{ForgeExpiry, TokenVerdict};
use crate::helper::lookup::Lookup;
use crate::helper::lookup::request::Asked;
use crate::journal::pending::PendingRotations;
use crate::secret::Secret;

impl Rotation<'_> {
    /// Finishes a pending rotation that made the token of `new`, if an entry still has the old token. The storage that is
    /// asked first may have the new token already.
    pub(super) fn resume_from_successor(
        &self,
        new: &Credential,
        pending: &PendingRotations,
    ) -> Result<Option<Rotated>, Error> {
        let Some(token) = new.token().filter(|token| pending.has_made(token)) else {
            return Ok(None);
        };
        let is_old = |kept: &Secret| pending.has_made_from(kept, token);
        let Some(old) = self.first(&new.key, &is_old)? else {
            return Ok(None);
        };
        let entries = self.entries(&old)?;
        self.resume(&old, entries, pending).map(Some)
    }

    /// Puts the successor of the invalid `old`, which a pending rotation saved somewhere, into every entry that has `old`.
    pub(super) fn resume(
        &self,
        old: &Credential,
        entries: TokenEntries<'_>,
        pending: &PendingRotations,
    ) -> Result<Rotated, Error> {
        let Some(old_token) = old.token().filter(|token| pending.has_begun(token)) else {
            return Err(Error::invalid());
        };
        let is_new = |kept: &Secret| pending.has_made_from(old_token, kept);
        let Some(new) = self.first(&old.key, &is_new)? else {
            return Err(Error::cut_off());
        };
        let what = "the forge cannot tell now whether the new token of an earlier rotation is good";
        let mut found = match Lookup(self.helper).ask(&new, self.now).1 {
            Asked::Told(TokenVerdict::Good(found)) if found.scopes.is_some() => found,
            asked if asked.is_rejection() => return Err(Error::invalid()),
            Asked::Failed(cause) => return Err(cause.into()),
            _ => return Err(Error::later(what, "later")),
        };
        // The saved expiry counts unless it is past: the forge has just accepted the token.
        if let Some(expiry) = new.expiry.filter(|expiry| !expiry.is_past(self.now.unix)) {
            found.end = ForgeExpiry::At(expiry);
        }
        let token = new.token().ok_or_else(Error::cut_off)?;
        // The new token lasts somewhere already, so the next run can wait for a storage that is busy.
        let key = &old.key;
        let mut rotated = self.save(key, old_token, token, found, entries, &mut |_| false)?;
        rotated.is_resumed = true;
        Ok(rotated)
    }

    /// Returns the first entry of the host whose token `is_wanted`. Fails if there is none, and a storage did not answer.
    fn first(
        &self,
        key: &Key,
        is_wanted: &dyn Fn(&Secret) -> bool,
    ) -> Result<Option<Credential>, Error> {
        let (entries, silent) = self.find(key, &|kept| kept.token().is_some_and(is_wanted))?;
        if let Some(entry) = entries.into_iter().next() {
            return Ok(Some(entry.kept));
        }
        match silent.into_iter().find(|cause| !cause.is_absence()) {
            Some(cause) => Err(Error::Unfinished(cause)),
            None => Ok(None),
        }
    }
}
