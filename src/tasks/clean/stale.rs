//! A stale credential: where it is, and why it no longer works.

use serde::Serialize;

use crate::credential::Credential;
use crate::journal::mark::Mark;
use crate::storage::StorageKind;

#[derive(Debug)]
pub struct StaleCredential {
    /// As it was found.
    pub credential: Credential,
    /// The name of the storage or of the other helper.
    pub owner: String,
    /// The place in another helper, such as a file and its line. `None`: a storage has the credential.
    pub place: Option<String>,
    pub is_plaintext: bool,
    pub reason: Reason,
    /// Since when, in Unix seconds.
    pub since: Option<u64>,
    /// Distinguishes the secret from others of the same user. `None`: the secret was wiped, or the journal cannot be written.
    pub label: Option<String>,
    /// When the credential was stored, in Unix seconds.
    pub stored: Option<u64>,
    /// The number of items with this secret. All of them are removed.
    pub items: usize,
    pub step: CleanStep,
    pub(super) source: StaleSource,
    /// Another entry with the same secret works.
    pub(super) has_live_copy: bool,
}

/// The next step for a stale credential, or the result of its removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CleanStep {
    /// It is to be removed.
    Listed,
    /// The user keeps it.
    Kept,
    /// Its helper cannot remove it.
    ReadOnly,
    Removed,
    /// It was removed, or changed, by another program.
    Changed,
    Failed,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum StaleSource {
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

/// Marks the credentials as kept whose numbers, from 1 on, stand in `answer`. Returns the first word that is none of their
/// numbers, and then keeps none.
pub fn keep_numbers<'a>(all: &mut [StaleCredential], answer: &'a str) -> Result<(), &'a str> {
    let mut chosen = Vec::new();
    for word in answer.split([',', ' ']).filter(|word| !word.is_empty()) {
        match word.parse() {
            Ok(number) if (1..=all.len()).contains(&number) => chosen.push(number - 1),
            _ => return Err(word),
        }
    }
    if chosen.is_empty() {
        return Err(answer);
    }
    for index in chosen {
        all[index].step = CleanStep::Kept;
    }
    Ok(())
}
