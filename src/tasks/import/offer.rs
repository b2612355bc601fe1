//! A credential that could be imported, and what an import would do with it.

use std::collections::HashMap;

use crate::config::account::{self, Account};
use crate::credential::Credential;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::journal::mark::Mark;
use crate::neighbour::registry::Harvest;
use crate::storage::StorageKind;

/// What an import would do with a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Stored: nothing, or only an expired secret, is stored under its key.
    New,
    /// Nothing: it is stored already.
    Same,
    /// Adds the expiry, which is not stored yet.
    SameWithExpiry,
    /// Stored only with `--replace`: another secret is stored under its key.
    Different,
    /// Stored only with `--replace`: it would answer instead of another credential.
    Shadows,
    /// Nothing: a storage that may hold something under its key does not answer.
    Unknown,
    /// Nothing: a source before this one has another secret for the same key.
    Second,
    /// Nothing: its expiry has passed, or the expiry of the same secret in a storage.
    Expired,
    /// Stored only with `--refused`: its secret is known to be invalid.
    Invalid {
        /// Why.
        why: InvalidReason,
        /// It needs `--replace`, too.
        needs_replace: bool,
        /// Another secret for the same key comes first.
        is_second: bool,
    },
}

impl Verdict {
    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Same => "same",
            Self::SameWithExpiry => "same-with-expiry",
            Self::Different => "different",
            Self::Shadows => "shadows",
            Self::Unknown => "unknown",
            Self::Second => "second",
            Self::Expired => "expired",
            Self::Invalid { why, .. } => why.word(),
        }
    }
}

/// Why a secret is known to be invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidReason {
    /// The journal has this mark, since this time in Unix seconds.
    Marked(Mark, u64),
    /// Its forge no longer accepts this kind of secret. The text says so.
    Retired(&'static str),
}

impl InvalidReason {
    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Marked(mark, _) => mark.word(),
            Self::Retired(_) => "not-taken",
        }
    }
}

/// A credential that could be imported: one for all copies of it.
#[derive(Debug)]
pub struct Offer {
    /// With the latest expiry of its copies.
    pub credential: Credential,
    /// The copies of the harvest that hold this secret.
    pub copies: Vec<usize>,
    /// What an import would do with it.
    pub verdict: Verdict,
    /// A credential that answers now, and no longer would after the import.
    pub shadowed: Option<(StorageKind, Key)>,
    /// Whether it was stored by this import.
    pub is_imported: bool,
}

impl Offer {
    /// Whether it is imported with these flags.
    pub fn is_wanted(&self, replace: bool, refused: bool) -> bool {
        match self.verdict {
            Verdict::New | Verdict::SameWithExpiry => true,
            Verdict::Different | Verdict::Shadows => replace,
            Verdict::Invalid {
                needs_replace,
                is_second,
                ..
            } => refused && !is_second && (replace || !needs_replace),
            Verdict::Same | Verdict::Second | Verdict::Expired | Verdict::Unknown => false,
        }
    }

    /// Whether a storage has it already.
    pub fn is_stored(&self) -> bool {
        matches!(self.verdict, Verdict::Same | Verdict::SameWithExpiry)
    }
}

/// The credentials of `harvest` that match `wanted`, each secret once.
pub(super) fn merged(
    harvest: &Harvest,
    wanted: Option<&Query>,
    accounts: &[Account],
) -> Vec<Offer> {
    let mut offers: Vec<Offer> = Vec::new();
    let mut by_key: HashMap<Key, Vec<usize>> = HashMap::new();
    for (number, copied) in harvest.copies.iter().enumerate() {
        let found = &copied.found.credential;
        let credential = under_account(found, accounts);
        if let Some(wanted) = wanted
            && !wanted.matches(&found.key)
            && !wanted.matches(&credential.key)
        {
            continue;
        }
        let same_key = by_key.entry(credential.key.clone()).or_default();
        let known = same_key
            .iter()
            .find(|&&at| offers[at].credential.has_same_secrets(&credential));
        if let Some(&known) = known {
            let offer = &mut offers[known];
            offer.copies.push(number);
            offer.credential.expiry = offer.credential.expiry.max(credential.expiry);
        } else {
            same_key.push(offers.len());
            offers.push(Offer {
                credential,
                copies: vec![number],
                verdict: Verdict::New,
                shadowed: None,
                is_imported: false,
            });
        }
    }
    offers
}

/// `found` under the key that `store` would give it: the path of the account that covers its own path.
fn under_account(found: &Credential, accounts: &[Account]) -> Credential {
    let mut credential = found.duplicate();
    if accounts.is_empty() {
        return credential;
    }
    let mut query = Query::of(&found.key);
    account::apply(accounts, &mut query);
    if let Some(key) = query.key() {
        credential.key = key;
    }
    credential
}
