//! The query that git sends for a URL, with its path and user or without, and the stored entry that answers.

use crate::config::account::{self, Account};
use crate::credential::Credential;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::credential::username::Username;
use crate::git::Git;
use crate::git::context::last;
use crate::git::http_path::HttpPaths;
use crate::helper::candidate::{Candidate, Skipped, candidate};
use crate::helper::storages::Storages;
use crate::storage::Error;
use crate::time::Now;

/// git's query for a URL.
pub struct Question {
    /// The query as git writes it.
    pub asked: Query,
    /// The query after the `[[account]]` rules: with the path and user of the account.
    pub wanted: Query,
    /// A rule that needs the path, if git does not send it.
    pub untold: Option<Account>,
    /// Whether `credential.username` names the user.
    pub is_named_by_git: bool,
}

impl Question {
    /// Applies the settings of git, if there is one, and the `[[account]]` rules.
    pub fn of(git: Option<&Git>, accounts: &[Account], url: &Query) -> Self {
        let mut asked = url.duplicate();
        let set = git.and_then(|git| username(git, url));
        let is_named_by_git = asked.username.is_none() && set.is_some();
        if is_named_by_git {
            asked.username = set;
        }
        let ruling = accounts
            .iter()
            .filter(|account| account.key.path.is_some() && account.covers(&asked));
        let longest = ruling.max_by_key(|account| account.key.path.as_ref().map_or(0, Vec::len));
        // Without git, assume the settings that `setup` writes.
        let is_told = git.map_or(longest.is_some(), |git| HttpPaths::of(git).are_told(url));
        let untold = longest.filter(|_| !is_told).cloned();
        if !is_told {
            asked.path = None;
        }
        let mut wanted = asked.duplicate();
        account::apply(accounts, &mut wanted);
        if url.path.is_none() {
            // A query about a whole host matches every path.
            wanted.is_pathless = false;
        }
        Self {
            asked,
            wanted,
            untold,
            is_named_by_git,
        }
    }
}

/// The user of a URL without one: `credential.username` (gitcredentials(7)).
fn username(git: &Git, url: &Query) -> Option<Username> {
    let settings = git.settings(r"^credential\.(.*\.)?username$").ok()?;
    let name = last(&settings, Some(url))?.value.as_encoded_bytes();
    (!name.is_empty()).then(|| name.to_vec().into())
}

/// The credential that answers `wanted`, as in `get`, else an expired one. Fails if nothing is found and a storage could not be
/// asked.
pub(super) fn answer_to(
    storages: &Storages,
    wanted: &Query,
    now: Now,
) -> Result<Option<Credential>, Error> {
    let (mut expired, mut unasked) = (None, None);
    for storage in storages.all() {
        match candidate(&**storage, wanted, &Skipped::default(), now) {
            Ok(Some(Candidate::Good(found) | Candidate::Nameless(found))) => {
                return Ok(Some(found));
            }
            Ok(Some(Candidate::Expired(found))) => expired = expired.or(Some(found)),
            Ok(None) => {}
            Err(cause @ Error::Unavailable { .. }) => {
                if !cause.is_absence() || storages.all().len() == 1 {
                    unasked = unasked.or(Some(cause));
                }
            }
            Err(cause) => return Err(cause),
        }
    }
    match unasked.filter(|_| expired.is_none()) {
        Some(cause) => Err(cause),
        None => Ok(expired),
    }
}

/// The keys of the entries for the host of `wanted`, of every path and user.
pub(super) fn kept_at_host_of(storages: &Storages, wanted: &Query) -> Vec<Key> {
    let anything = Query {
        protocol: wanted.protocol.clone(),
        host: wanted.host.clone(),
        ..Query::default()
    };
    let listed = storages.list_all().map(|outcome| outcome.value);
    let keys = listed.unwrap_or_default().into_iter();
    let keys = keys.map(|(_, listed)| listed.key);
    keys.filter(|key| anything.matches(key)).collect()
}
