//! What the journal learns about the new token, once entries hold it.

use super::outcome::Rotated;
use super::plan::Rotation;
use crate::credential::expiry::{Expiry, ExpirySource};
use crate::credential::key::Key;
use crate::forge::TokenVerdict;
use crate::helper::lookup::Lookup;
use crate::helper::lookup::request::Asked;

impl Rotation<'_> {
    /// Records `expiry` and `asked`, the answer of the forge about the new token, and names the entry of `key` first.
    pub(super) fn record(
        &self,
        rotated: &mut Rotated,
        key: &Key,
        expiry: Option<(Expiry, ExpirySource)>,
        asked: &Asked,
    ) {
        let lookup = Lookup(self.helper);
        for saved in &rotated.saved {
            // The token is saved: a failure of the journal changes nothing, and the next look-up finds the rest.
            let unix_now = self.now.unix;
            let _ = self.helper.journal().learn(saved, unix_now, |known| {
                known.since = Some(unix_now);
                known.end = expiry;
            });
            let issuer = lookup.issuer_known(saved);
            let _ = lookup.settle(saved, issuer.as_ref(), asked, self.now);
        }
        rotated.saved.sort_by_key(|saved| saved.key != *key);
        if let Asked::Told(TokenVerdict::Good(found)) = asked {
            rotated.expiry = found.end;
        }
    }
}
