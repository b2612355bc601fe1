//! A new token that a person brought goes wherever the old one is: who revokes that means all of its entries.

use super::entries::{Left, Replaced};
use crate::credential::Credential;
use crate::credential::expiry::{Expiry, ExpirySource};
use crate::credential::key::Key;
use crate::helper::Helper;
use crate::helper::notice::Notice;
use crate::secret::Secret;
use crate::storage::Error;
use crate::time::Now;

/// What has become of the old token's other entries.
pub struct Followed {
    /// These have the new one.
    pub kept: Vec<Key>,
    /// These could not take it.
    pub left: Vec<Left>,
    /// Storages that could not be asked, and may have the old one.
    pub unasked: Vec<Notice>,
}

impl Helper {
    /// Puts `token` into every entry of its host that still has the one of `old`. `end`: of the new one, and its source;
    /// `is_endless`: the forge says that it never expires.
    pub fn follow(
        &self,
        old: &Credential,
        token: &Secret,
        (end, is_endless): (Option<(Expiry, ExpirySource)>, bool),
        now: Now,
    ) -> Result<Followed, Error> {
        let holders = self.holders(old)?;
        let expiry = end.map(|(end, _)| end);
        let Replaced { kept, left, .. } = holders.replace(token, expiry, &mut |_| false)?;
        for new in &kept {
            // It is stored: what cannot be written down beside it is found out again.
            let _ = self.journal.learn(new, now.unix, |known| {
                known.since = Some(now.unix);
                known.end = end;
                known.is_endless = is_endless;
            });
        }
        Ok(Followed {
            kept: kept.into_iter().map(|new| new.key).collect(),
            left,
            unasked: holders.unasked,
        })
    }
}
