//! The entries that a look-up is about: each secret once, with the storages that have it.

use crate::credential::Credential;
use crate::credential::query::Query;
use crate::helper::notice::Outcome;
use crate::helper::storages::Storages;
use crate::storage::{Error, StorageKind};

/// A credential of the storages.
pub(super) struct Kept {
    pub(super) credential: Credential,
    /// The storages that have it.
    pub(super) kinds: Vec<StorageKind>,
    /// When the first of them wrote it, in Unix seconds, if known.
    pub(super) written: Option<u64>,
}

/// Every entry that matches and has a secret, each secret once.
pub(super) fn entries(
    storages: &Storages,
    wanted: Option<&Query>,
) -> Result<Outcome<Vec<Kept>>, Error> {
    let listed = storages.list_all()?;
    let mut notices = listed.notices;
    let mut all: Vec<Kept> = Vec::new();
    for (kind, listed) in listed.value {
        if wanted.is_some_and(|wanted| !wanted.matches(&listed.key)) {
            continue;
        }
        let Some(storage) = storages.of_kind(kind) else {
            continue;
        };
        let found = match storage.get(&Query::exact(&listed.key)) {
            Ok(found) => found,
            Err(cause @ Error::Unavailable { .. }) => {
                // One notice for all its entries.
                if !notices.iter().any(|notice| notice.is_about(kind)) {
                    notices.extend(storages.passed_over(cause));
                }
                None
            }
            Err(cause) => return Err(cause),
        };
        // Memory keeps only the name of an expired entry.
        let Some(found) = found else { continue };
        let same = all.iter_mut().find(|other| {
            let other = &other.credential;
            other.key == found.key && other.has_same_secrets(&found)
        });
        match same {
            Some(same) => same.kinds.push(kind),
            None => all.push(Kept {
                credential: found,
                kinds: vec![kind],
                written: listed.written,
            }),
        }
    }
    Ok(Outcome {
        value: all,
        notices,
    })
}
