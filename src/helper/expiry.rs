//! Sets the expiry that a user states.

use super::Helper;
use super::notice::{Notice, Outcome};
use crate::credential::expiry::{Expiry, ExpirySource};
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::storage::Error;
use crate::time::Now;

/// Gives every entry that matches `wanted` this expiry, in every storage. Returns their keys.
pub fn set_expiry(
    helper: &Helper,
    wanted: &Query,
    expiry: Option<Expiry>,
    now: Now,
) -> Result<Outcome<Vec<Key>>, Error> {
    let (mut keys, mut gone) = (Vec::new(), Vec::new());
    let mut outcome = helper.storages().each(|storage| {
        for listed in storage.list()? {
            if !wanted.matches(&listed.key) {
                continue;
            }
            let Some(kept) = storage.get(&Query::exact(&listed.key))? else {
                continue;
            };
            // Memory wipes an expired secret: no other date brings it back.
            if !kept.is_complete() {
                gone.push(Notice::Gone { key: listed.key });
                continue;
            }
            if storage.set_expiry(&kept, expiry)? {
                // The storage keeps the date; the journal keeps its source.
                let _ = helper.journal().learn(&kept, now.unix, |known| {
                    known.since = known.since.or(Some(now.unix));
                    known.end = expiry.map(|expiry| (expiry, ExpirySource::Person));
                });
                if !keys.contains(&listed.key) {
                    keys.push(listed.key);
                }
            }
        }
        Ok(())
    });
    outcome.notices.append(&mut gone);
    outcome.with(keys)
}
