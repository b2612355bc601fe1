//! The token that answers for each rule, and whether git sends the rule's path.

use crate::config::account::{self, Account};
use crate::credential::query::Query;
use crate::git::http_path::HttpPaths;
use crate::storage::{Listed, StorageKind};

/// A rule, and the token that answers for its path.
pub struct AccountView<'a> {
    pub account: &'a Account,
    /// The token that answers, else the first one that has expired.
    pub token: Option<&'a (StorageKind, Listed)>,
    /// Whether git sends the path; `None`: the rule has none.
    pub is_path_sent: Option<bool>,
}

impl<'a> AccountView<'a> {
    /// `kept`: every entry in the order of the storages, the newest of each last. `unix_now`: in seconds.
    pub fn of(
        account: &'a Account,
        accounts: &[Account],
        kept: &'a [(StorageKind, Listed)],
        paths: &HttpPaths,
        unix_now: u64,
    ) -> Self {
        let mut query = Query::of(&account.key);
        let is_path_sent = query.path.is_some().then(|| paths.are_told(&query));
        account::apply(accounts, &mut query);
        let mut token = None;
        for entries in kept.chunk_by(|one, two| one.0 == two.0) {
            for entry in entries.iter().rev() {
                let Listed { key, expiry, .. } = &entry.1;
                if !query.matches(key) {
                    continue;
                }
                if !expiry.is_some_and(|expiry| expiry.is_past(unix_now)) {
                    return Self {
                        account,
                        token: Some(entry),
                        is_path_sent,
                    };
                }
                token = token.or(Some(entry));
            }
        }
        Self {
            account,
            token,
            is_path_sent,
        }
    }
}
