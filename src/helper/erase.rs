//! `erase`: removes what the server rejected, or what a user wants removed.

use std::time::Duration;

use super::Helper;
use super::attempt::Attempt;
use super::candidate::{Candidate, Skipped, candidate};
use super::notice::{Next, Notice, Outcome};
use super::storages::Storages;
use super::trace_request::tell_request;
use crate::credential::Credential;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::journal::mark::Mark;
use crate::platform::monotonic_now;
use crate::protocol::read::Request;
use crate::storage::trace_words::named;
use crate::storage::{Error, StorageKind};
use crate::time::Now;
use crate::trace;

/// The subject of these steps in the trace.
const ERASE: &str = "erase";

/// So many entries with the rejected secret are looked for in one storage.
const MOST_REJECTED: usize = 16;

/// A removal that takes longer counts against the time that git is kept waiting.
const SLOW: Duration = Duration::from_millis(300);
/// After this long the helper does not look for what the next command will be answered.
const LATE: Duration = Duration::from_secs(2);

/// Erases what `request` describes. With a secret it is a rejection by the server: the secret is marked, so that `clean`
/// finds its copies, and only entries with this very secret go. Without one, a user wants the entries removed.
///
/// git does not ask again in this command, so the notice also says what the next command will do. It is given
/// `at_terminal`, and where our state came back, since a command of git is then running. Otherwise a script has rejected
/// the credential and expects silence, as from git's own helpers (git's `t/lib-credential.sh`).
pub fn erase(
    helper: &Helper,
    request: &Request,
    at_terminal: bool,
    now: Now,
) -> Outcome<Result<(), Error>> {
    tell_request(ERASE, request);
    let rejected = &request.query;
    let Some(credential) = Credential::complete(rejected.duplicate()) else {
        trace::tell(ERASE, || {
            "no secret is named: every entry that matches is removed, and its secret marked as removed".to_owned()
        });
        return remove_each(helper, rejected, now).0;
    };
    trace::tell(ERASE, || {
        format!(
            "the server rejected the secret of {}: only entries with this secret are removed",
            named(&credential.key)
        )
    });
    // A journal that cannot be written stops nothing.
    let _ = helper.journal().mark(&credential, Mark::Rejected, now.unix);
    let began = monotonic_now();
    let mut kinds = Vec::new();
    let mut outcome = helper.storages().each(|storage| {
        if storage.erase(rejected)? > 0 {
            kinds.push(storage.kind());
        }
        Ok(())
    });
    let took = count_slow(helper.storages(), began);
    let attempt = Attempt::among(&request.state);
    if !kinds.is_empty() && (at_terminal || attempt.is_some()) {
        let key = credential.key;
        let next = if took > LATE {
            Next::Unknown
        } else {
            next(helper, rejected, &key, attempt.as_ref(), now)
        };
        trace::tell(ERASE, || next.words().to_owned());
        outcome.notices.push(Notice::Rejected { key, kinds, next });
    }
    outcome
}

/// Removes every entry that matches `unwanted`, and marks each secret as removed, so that a command that still uses it
/// does not bring it back. Returns how many entries went. Fails if the only storage cannot be reached.
pub fn remove(helper: &Helper, unwanted: &Query, now: Now) -> Result<Outcome<usize>, Error> {
    let (outcome, count) = remove_each(helper, unwanted, now);
    outcome.with(count)
}

fn remove_each(helper: &Helper, unwanted: &Query, now: Now) -> (Outcome<Result<(), Error>>, usize) {
    let mut secrets = Vec::new();
    for storage in helper.storages().all() {
        for listed in storage.list().unwrap_or_default() {
            if unwanted.matches(&listed.key) {
                let kept = storage.get(&Query::exact(&listed.key)).ok().flatten();
                secrets
                    .extend(kept.filter(|kept| kept.is_complete() && kept.is_named_by(unwanted)));
            }
        }
    }
    let _ = helper.journal().mark_all(&secrets, Mark::Removed, now.unix);
    let mut count = 0;
    let outcome = helper.storages().each(|storage| {
        count += storage.erase(unwanted)?;
        Ok(())
    });
    (outcome, count)
}

/// What the next command will do. git before 2.46 does not tell whether this one was for any user, so the next one may
/// be for any user or for one.
fn next(helper: &Helper, rejected: &Query, key: &Key, attempt: Option<&Attempt>, now: Now) -> Next {
    let of_user = Query {
        is_pathless: rejected.is_pathless,
        ..Query::of(key)
    };
    let of_any_user = Query {
        username: None,
        ..of_user.duplicate()
    };
    let has_good = |wanted| {
        helper.storages().all().iter().any(|storage| {
            let found = candidate(&**storage, wanted, &Skipped::default(), now);
            matches!(found, Ok(Some(Candidate::Good(_) | Candidate::Nameless(_))))
        })
    };
    match attempt.map(Attempt::is_for_any_user) {
        Some(false) if has_good(&of_user) => Next::Another,
        Some(false) => Next::Asks,
        _ if !has_good(&of_any_user) => Next::Asks,
        None if !has_good(&of_user) => Next::OfAnother,
        Some(true) | None => Next::Another,
    }
}

/// Erases the secret of `rejected` where `get` would answer it: a newer one that was stored meanwhile stays. A storage that
/// fails gets a notice, and the others are still searched.
#[cold]
#[inline(never)]
pub(super) fn erase_rejected(
    helper: &Helper,
    wanted: &Query,
    rejected: &Attempt,
    now: Now,
) -> Vec<Notice> {
    let storages = helper.storages();
    let mut erased: Vec<(Key, Vec<StorageKind>)> = Vec::new();
    let mut failed = Vec::new();
    let began = monotonic_now();
    for storage in storages.all() {
        // Several users and paths may have the same token.
        for _ in 0..MOST_REJECTED {
            let found = match storage.get(wanted) {
                Ok(Some(found)) if rejected.is_about(&found) => found,
                Ok(_) | Err(Error::Unavailable { .. }) => break,
                Err(cause) => {
                    failed.push(Notice::PassedOver { cause });
                    break;
                }
            };
            let known = erased.iter_mut().find(|(key, _)| *key == found.key);
            if known.is_none() {
                let _ = helper.journal().mark(&found, Mark::Rejected, now.unix);
            }
            match storage.erase(&found.as_rejected()) {
                Ok(0) => break,
                Ok(_) => {}
                Err(cause) => {
                    failed.push(Notice::PassedOver { cause });
                    break;
                }
            }
            match known {
                Some((_, kinds)) => kinds.push(storage.kind()),
                None => erased.push((found.key, vec![storage.kind()])),
            }
        }
    }
    count_slow(storages, began);
    let mut notices = Vec::new();
    for (key, mut kinds) in erased {
        kinds.dedup();
        notices.push(Notice::Rejected {
            key,
            kinds,
            next: Next::Typed,
        });
    }
    notices.append(&mut failed);
    notices
}

/// Returns how long the removal took. A storage that was slow is not waited for again.
fn count_slow(storages: &Storages, began: Duration) -> Duration {
    let took = monotonic_now().saturating_sub(began);
    if took > SLOW {
        storages.budget().add(took);
    }
    took
}
