//! Where a token is kept, and for how long.

use crate::credential::key::Key;
use crate::helper::Helper;
use crate::storage::memory::Lifetime;
use crate::storage::{Error, Listed, StorageKind};
use crate::time::in_words;

/// The daemon and this process may take this many seconds together.
const SLACK: u64 = 60;

/// The storages that keep an entry under `key`.
pub(crate) fn entries(helper: &Helper, key: &Key) -> Result<Vec<(StorageKind, Listed)>, Error> {
    let mut entries = helper.storages().list_all()?.value;
    entries.retain(|(_, listed)| listed.key == *key);
    Ok(entries)
}

/// The storages and their limits in words: `in the keychain until it expires on 26 Nov 2026`.
pub(crate) fn in_sentence(
    entries: &[(StorageKind, Listed)],
    lifetime: Lifetime,
    unix_now: u64,
) -> String {
    let mut parts = Vec::new();
    let mut told = None;
    for (kind, listed) in entries {
        // Storages that keep the same token have the same date.
        let expiry = listed.expiry.filter(|expiry| told != Some(*expiry));
        told = listed.expiry;
        parts.push(match (kind, expiry) {
            (StorageKind::Memory, _) => in_memory(listed, lifetime, unix_now),
            (kind, Some(expiry)) => {
                format!("in {} until it expires on {}", kind.place(), expiry.day())
            }
            (kind, None) => format!("in {}", kind.place()),
        });
    }
    parts.join(" and ")
}

/// Memory has two limits, and the token its expiry. The earliest counts.
fn in_memory(listed: &Listed, lifetime: Lifetime, unix_now: u64) -> String {
    let (timeout, max_age) = (lifetime.timeout.as_secs(), lifetime.max_age.as_secs());
    // An entry that was replaced keeps its age.
    let forgotten = listed
        .forgotten
        .map_or(timeout, |at| at.saturating_sub(unix_now));
    let expires = listed.expiry.map(|expiry| (expiry, expiry.left(unix_now)));
    let limit = if forgotten.saturating_add(SLACK) < timeout.min(max_age) {
        format!("for another {}", in_words(forgotten))
    } else if max_age <= timeout {
        format!("for {}", in_words(max_age))
    } else {
        format!(
            "for {} after its last use, at most {}",
            in_words(timeout),
            in_words(max_age)
        )
    };
    match expires {
        Some((_, left)) if left <= timeout.min(max_age) => {
            format!("in memory until it expires in {}", in_words(left))
        }
        Some((_, left)) if left < max_age => {
            format!(
                "in memory {limit}, and not after it expires in {}",
                in_words(left)
            )
        }
        Some((expiry, _)) => format!("in memory {limit} (it expires on {})", expiry.day()),
        None => format!("in memory {limit}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::credential::expiry::Expiry;

    const WALL: u64 = 1_800_000_000;
    const HOUR: u64 = 3600;

    fn shown(kind: StorageKind, forgotten: Option<u64>, expires: Option<u64>) -> String {
        let listed = Listed {
            key: Key {
                protocol: b"https".to_vec(),
                host: b"one.test".to_vec(),
                path: None,
                username: None,
            },
            expiry: expires.and_then(|after| Expiry::from_unix(WALL + after)),
            scheme: None,
            is_renewable: false,
            forgotten: forgotten.map(|after| WALL + after),
            written: None,
        };
        let lifetime = Lifetime {
            timeout: Duration::from_secs(HOUR),
            max_age: Duration::from_secs(12 * HOUR),
        };
        in_sentence(&[(kind, listed)], lifetime, WALL)
    }

    #[test]
    fn the_earliest_limit_of_a_storage_is_told() {
        for (kind, forgotten, expires, expected) in [
            (StorageKind::Keychain, None, None, "in the keychain"),
            (
                StorageKind::Keychain,
                None,
                Some(30 * 24 * HOUR),
                "in the keychain until it expires on 14 Feb 2027",
            ),
            (StorageKind::File, None, None, "in the plaintext file"),
            (
                StorageKind::Memory,
                Some(HOUR),
                None,
                "in memory for 1 hour after its last use, at most 12 hours",
            ),
            (
                StorageKind::Memory,
                Some(HOUR),
                Some(30 * 24 * HOUR),
                "in memory for 1 hour after its last use, at most 12 hours (it expires on 14 Feb 2027)",
            ),
            (
                StorageKind::Memory,
                Some(HOUR),
                Some(5 * HOUR),
                "in memory for 1 hour after its last use, at most 12 hours, and not after it expires in 5 hours",
            ),
            (
                StorageKind::Memory,
                Some(HOUR),
                Some(600),
                "in memory until it expires in 10 minutes",
            ),
            (
                StorageKind::Memory,
                Some(900),
                None,
                "in memory for another 15 minutes",
            ),
        ] {
            assert_eq!(shown(kind, forgotten, expires), expected);
        }
    }
}
