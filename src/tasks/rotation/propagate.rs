//! Propagating: the new token goes into every entry that has the old one, and the journal learns about it.

use super::entries::TokenEntries;
use super::outcome::Rotated;
use super::plan::Rotation;

use crate::credential::expiry::{Expiry, ExpirySource};
use crate::credential::key::Key;
use crate::forge::TokenVerdict;
use crate::helper::lookup::Lookup;
use crate::helper::lookup::request::Asked;
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
        let expiry = new.expiry.map(|(expiry, _)| expiry);
        let mut rotated = entries.replace(new.token, expiry, retry)?;
        let lookup = Lookup::of(self.helper);
        for saved in &rotated.saved {
            // The token is saved: a failure of the journal changes nothing, and the next look-up finds the rest.
            let unix_now = self.now.unix;
            let _ = self.helper.journal().learn(saved, unix_now, |known| {
                known.since = Some(unix_now);
                known.end = new.expiry;
            });
            let issuer = lookup.issuer_known(saved);
            let _ = lookup.settle(saved, issuer.as_ref(), new.asked, self.now);
        }
        rotated.saved.sort_by_key(|saved| saved.key != *key);
        if let Asked::Told(TokenVerdict::Good(found)) = new.asked {
            rotated.expiry = found.end;
        }
        Ok(rotated)
    }
}
