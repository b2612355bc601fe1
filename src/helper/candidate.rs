//! Which entry of one storage answers a query.

use std::collections::HashSet;

use super::attempt::Attempt;
use crate::credential::Credential;
use crate::credential::query::Query;
use crate::journal::mark::Mark;
use crate::journal::snapshot::Snapshot;
use crate::storage::trace_words::named;
use crate::storage::{Error, Storage};
use crate::time::Now;
use crate::trace;

/// What a storage has for a query.
pub(crate) enum Candidate {
    /// It can be answered at once.
    Good(Credential),
    /// It can be answered, but git will ask the user for the name. Another storage may have a better one.
    Nameless(Credential),
    /// It has expired.
    Expired(Credential),
}

/// Secrets that are not answered.
#[derive(Default)]
pub(crate) struct Skipped<'a> {
    /// The secret that was just rejected.
    pub(crate) rejected: Option<&'a Attempt>,
    /// Whether every secret with a mark is skipped: a script has no second chance and cannot type another token.
    pub(crate) is_strict: bool,
    /// The journal: the second answer is git's last try, so a secret that is known to be invalid must not take it.
    pub(crate) marks: Snapshot,
}

impl Skipped<'_> {
    fn reason(&self, found: &Credential) -> Option<&'static str> {
        match self.rejected {
            Some(rejected) if rejected.is_about(found) => {
                return Some("the server has just rejected its secret");
            }
            None if !self.is_strict => return None,
            _ => {}
        }
        match self.marks.mark_of(found) {
            Some((Mark::Rejected, _)) => Some("the journal says that its secret was rejected"),
            Some((Mark::Expired, _)) => Some("the journal says that its secret has expired"),
            _ if self.is_strict && self.marks.is_invalid(found) => {
                Some("the journal says that its secret was superseded or removed")
            }
            _ => None,
        }
    }

    fn covers(&self, found: &Credential) -> bool {
        self.reason(found).is_some()
    }
}

/// Returns the entry of `storage` that answers `wanted`: the newest, or, if that has expired or is skipped, the newest good
/// one before it, such as another user's.
pub(crate) fn candidate(
    storage: &dyn Storage,
    wanted: &Query,
    skipped: &Skipped<'_>,
    now: Now,
) -> Result<Option<Candidate>, Error> {
    let Some(newest) = storage.get(wanted)? else {
        return Ok(None);
    };
    let is_skipped = skipped.covers(&newest);
    if is_good(&newest, now) && !is_skipped {
        return Ok(Some(if newest.is_nameless() {
            Candidate::Nameless(newest)
        } else {
            Candidate::Good(newest)
        }));
    }
    tell_skipped(&newest, skipped, now);
    if let Some(older) = older_candidate(storage, wanted, skipped, now)? {
        return Ok(Some(Candidate::Good(older)));
    }
    Ok((!is_skipped).then_some(Candidate::Expired(newest)))
}

/// Returns the newest good entry before the one that `storage` answers.
#[cold]
#[inline(never)]
fn older_candidate(
    storage: &dyn Storage,
    wanted: &Query,
    skipped: &Skipped<'_>,
    now: Now,
) -> Result<Option<Credential>, Error> {
    // A file that was edited by hand may have several entries under one key: they count as one.
    let mut seen = HashSet::new();
    for listed in storage.list()?.into_iter().rev() {
        let is_expired = listed.expiry.is_some_and(|expiry| expiry.is_past(now.unix));
        if is_expired || !wanted.matches(&listed.key) || !seen.insert(listed.key.clone()) {
            continue;
        }
        let Some(found) = storage.get(&Query::exact(&listed.key))? else {
            continue;
        };
        if is_good(&found, now) && !skipped.covers(&found) && !found.is_nameless() {
            return Ok(Some(found));
        }
        tell_skipped(&found, skipped, now);
    }
    Ok(None)
}

/// Tells the trace why an entry is not answered.
fn tell_skipped(found: &Credential, skipped: &Skipped<'_>, now: Now) {
    trace::tell("choice", || {
        let reason = if let Some(reason) = skipped.reason(found) {
            reason
        } else if found.is_expired(now.unix) {
            "it has expired"
        } else if !found.is_complete() {
            "it has no secret"
        } else {
            "it has no username"
        };
        format!("skips {}: {reason}", named(&found.key))
    });
}

/// Whether it has its secrets and has not expired.
pub(crate) fn is_good(credential: &Credential, now: Now) -> bool {
    credential.is_complete() && !credential.is_expired(now.unix)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::credential::expiry::Expiry;
    use crate::secret::Secret;
    use crate::storage::file::PlaintextFile;

    fn query(username: Option<&str>) -> Query {
        Query {
            protocol: Some(b"https".to_vec()),
            host: Some(b"one.test".to_vec()),
            username: username.map(Into::into),
            ..Query::default()
        }
    }

    #[test]
    fn the_newest_that_still_works_answers_for_an_expired_one() {
        let now = Now {
            monotonic: Duration::ZERO,
            unix: 1_000_000,
            fraction: 0,
        };
        let home = tempfile::tempdir().unwrap();
        let file = PlaintextFile::in_folder(&home.path().join("data"));
        for (username, expiry) in [("alice", None), ("bob", None), ("carol", Some(999_999))] {
            let credential = Credential::complete(Query {
                password: Some(Secret::new(username.as_bytes())),
                expiry: expiry.and_then(Expiry::from_unix),
                ..query(Some(username))
            });
            file.store(&credential.unwrap()).unwrap();
        }
        let found = candidate(&file, &query(None), &Skipped::default(), now);
        let Ok(Some(Candidate::Good(found))) = found else {
            panic!("no good candidate");
        };
        assert_eq!(found.key.username, Some("bob".into()));
    }
}
