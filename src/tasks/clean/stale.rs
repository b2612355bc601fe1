//! A stale credential: where it is, and why it no longer works.

use crate::credential::Credential;
use crate::journal::mark::Mark;
use crate::storage::StorageKind;

#[derive(Debug)]
pub struct StaleCredential {
    /// As it was found.
    pub credential: Credential,
    pub owner: StaleOwner,
    pub reason: Reason,
    /// Since when, in Unix seconds.
    pub since: Option<u64>,
    /// Distinguishes the secret from others of the same user. `None`: the secret was wiped, or the journal cannot be written.
    pub label: Option<String>,
    /// When the credential was stored, in Unix seconds.
    pub stored: Option<u64>,
    /// The number of items with this secret. All of them are removed.
    pub items: usize,
    /// Another entry with the same secret works.
    pub(super) has_live_copy: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StaleOwner {
    Storage(StorageKind),
    /// Another helper: the index of its copy in the harvest.
    Neighbour(usize),
}

/// Why a credential no longer works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    Expired,
    Rejected,
    Superseded,
    /// Its forge accepts no secret of this kind any more; the sentence says why.
    Retired(&'static str),
    /// A newer item under the same key in the same storage answers in its place.
    Shadowed,
}

impl Reason {
    pub(super) fn of(mark: Mark) -> Self {
        match mark {
            Mark::Expired => Self::Expired,
            Mark::Rejected => Self::Rejected,
            // The last two are no reason to clean: `Snapshot::mark_of` leaves them out.
            Mark::Superseded | Mark::Removed | Mark::Displaced => Self::Superseded,
        }
    }

    /// For people and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Rejected => "rejected",
            Self::Superseded | Self::Shadowed => "superseded",
            Self::Retired(_) => "not-taken",
        }
    }
}
