//! The parts that a rotation works on, and how the token of a credential is renewed.

use std::path::Path;

use crate::credential::Credential;
use crate::credential::expiry::{Expiry, StatedExpiry};
use crate::forge::{ForgeSite, Renewal, Revocation};
use crate::helper::Helper;
use crate::helper::issuer::Issuer;
use crate::helper::lookup::Lookup;
use crate::time::Now;

/// How long a new token lives by default, in seconds.
const DEFAULT_LIFETIME: u64 = 90 * 86_400;

/// Replaces tokens in the storages of `helper`.
pub struct Rotation<'a> {
    /// Storages, journal and issuers.
    pub helper: &'a Helper,
    /// The folder of the lock.
    pub state: &'a Path,
    /// The time at which the command began.
    pub now: Now,
}

/// How the token of a credential is renewed.
pub struct Plan {
    pub issuer: Issuer,
    pub site: ForgeSite,
    pub renewal: Renewal,
    /// How the old token is revoked.
    pub revocation: Revocation,
}

impl Plan {
    /// Returns the expiry of the new token: `stated`, or 90 days from now. Fails with the reason.
    pub fn expiry(&self, stated: Option<StatedExpiry>, now: Now) -> Result<Expiry, &'static str> {
        let expiry = match stated {
            Some(StatedExpiry::Never) if matches!(self.renewal, Renewal::InPlace { .. }) => {
                return Err("the forge gives every new token an expiry: nothing was done");
            }
            None | Some(StatedExpiry::Never) => Expiry::from_unix(now.unix + DEFAULT_LIFETIME),
            Some(stated) => stated.expiry(now.unix),
        };
        let expiry = expiry.filter(|expiry| !expiry.is_past(now.unix));
        expiry.ok_or("the new token would have expired already: nothing was done")
    }
}

impl Rotation<'_> {
    /// Returns how the token of `credential` is renewed. `None`: its forge is unknown.
    pub fn plan(&self, credential: &Credential) -> Option<Plan> {
        let issuer = Lookup(self.helper).issuer_known(credential)?;
        let site = self.helper.issuers().site(&credential.key)?;
        Some(Plan {
            renewal: issuer.forge.renewal(&site, issuer.token),
            revocation: issuer.forge.revocation(&site, issuer.token),
            issuer,
            site,
        })
    }
}
