//! Propagating: the new token goes into every entry that has the old one, and the journal learns about it.

use super::entries::{Replaced, TokenEntries};
use super::outcome::Rotated;
use super::plan::Rotation;

use crate::credential::expiry::{Expiry, ExpirySource};
use crate::credential::key::Key;
use crate::forge::{ForgeExpiry, TokenVerdict};
use crate::helper::lookup::Lookup;
use crate::helper::lookup::request::Asked;
use crate::journal::mark::Mark;
use crate::secret::Secret;
use crate::storage::Error;

/// The token that takes the place of the old one.
pub(super) struct NewToken<'a> {
    pub(super) token: &'a Secret,
    pub(super) expiry: Option<(Expiry, ExpirySource)>,
    /// The answer of its forge about it.
    pub(super) asked: &'a Asked,
}

impl Rotation<'_> {
    /// Puts `new` into each of `entries`, and names that of `key` first. Asks `retry` whether to try again where a storage failed.
    pub(super) fn propagate(
        &self,
        entries: TokenEntries<'_>,
        key: &Key,
        new: &NewToken<'_>,
        retry: &mut dyn FnMut(&Error) -> bool,
    ) -> Result<Rotated, Error> {
        let journal = self.helper.journal();
        let expiry = new.expiry.map(|(expiry, _)| expiry);
        let Replaced {
            saved,
            left,
            displaced,
            is_lasting,
        } = entries.replace(new.token, expiry, retry)?;
        for old in entries.kept() {
            // A copy of the old token may lie elsewhere, and a client may confirm it late.
            if saved.iter().any(|saved| saved.key == old.key) {
                let _ = journal.mark(old, Mark::Superseded, self.now.unix);
            }
        }
        for saved in &saved {
            // The token is saved: a failure of the journal changes nothing, and the next look-up finds the rest.
            let unix_now = self.now.unix;
            let _ = journal.learn(saved, unix_now, |known| {
                known.since = Some(unix_now);
                known.end = new.expiry;
            });
            let issuer = Lookup::of(self.helper).issuer_known(saved);
            let _ = Lookup::of(self.helper).settle(saved, issuer.as_ref(), new.asked, self.now);
        }
        let mut saved: Vec<Key> = saved.into_iter().map(|saved| saved.key).collect();
        saved.sort_by_key(|saved| saved != key);
        Ok(Rotated {
            saved,
            left,
            displaced,
            unasked: entries.unasked,
            is_lasting,
            is_resumed: false,
            expiry: match new.asked {
                Asked::Told(TokenVerdict::Good(found)) => found.end,
                _ => ForgeExpiry::Unknown,
            },
        })
    }
}
