//! `erase`: removes what the server rejected, or what a user wants removed.

use std::time::Duration;

use super::attempt::Attempt;
use super::candidate::{Candidate, Skipped, candidate};
use super::notice::{Next, Notice, Outcome};
use super::storages::Storages;
use crate::credential::Credential;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::journal::Journal;
use crate::journal::mark::Mark;
use crate::platform::monotonic_now;
use crate::protocol::read::Request;
use crate::storage::{Error, StorageKind};
use crate::time::Now;

/// So many entries with the rejected secret are looked for in one storage.
const MOST_REJECTED: usize = 16;

/// A removal that takes longer counts against the time that git is kept waiting.
const SLOW: Duration = Duration::from_millis(300);
/// After this long the helper does not look for what the next command will be answered.
const LATE: Duration = Duration::from_secs(2);

/// One `erase`.
pub(super) struct Erase<'a> {
    pub(super) storages: &'a Storages,
    pub(super) journal: &'a Journal,
    pub(super) now: Now,
}

impl Erase<'_> {
    /// Erases what `request` describes. With a secret it is a rejection by the server: the secret is marked, so that `clean`
    /// finds its copies, and only entries with this very secret go. Without one, a user wants the entries removed.
    ///
    /// git does not ask again in this command, so the notice also says what the next command will do. It is given
    /// `at_terminal`, and where our state came back, since a command of git is then running. Otherwise a script has rejected
    /// the credential and expects silence, as from git's own helpers (git's `t/lib-credential.sh`).
    pub(super) fn erase(&self, request: &Request, at_terminal: bool) -> Outcome<Result<(), Error>> {
        let rejected = &request.query;
        let Some(credential) = Credential::complete(rejected.duplicate()) else {
            return match self.remove(rejected) {
                Ok(Outcome { notices, .. }) => Outcome {
                    value: Ok(()),
                    notices,
                },
                Err(cause) => Outcome {
                    value: Err(cause),
                    notices: Vec::new(),
                },
            };
        };
        // A journal that cannot be written stops nothing.
        let _ = self
            .journal
            .mark(&credential, Mark::Rejected, self.now.unix);
        let began = monotonic_now();
        let mut kinds = Vec::new();
        let mut outcome = self.storages.each(|storage| {
            if storage.erase(rejected)? > 0 {
                kinds.push(storage.kind());
            }
            Ok(())
        });
        let took = count_slow(self.storages, began);
        let attempt = Attempt::among(&request.state);
        if !kinds.is_empty() && (at_terminal || attempt.is_some()) {
            let next = if took > LATE {
                Next::Unknown
            } else {
                self.next(rejected, &credential.key, attempt.as_ref())
            };
            outcome.notices.push(Notice::Rejected {
                key: credential.key,
                kinds,
                next,
            });
        }
        outcome
    }

    /// Removes every entry that matches `unwanted`, and marks each secret as removed, so that a command that still uses it
    /// does not bring it back. Returns how many entries went. Fails if the only storage cannot be reached.
    pub(super) fn remove(&self, unwanted: &Query) -> Result<Outcome<usize>, Error> {
        let mut secrets = Vec::new();
        for storage in self.storages {
            for listed in storage.list().unwrap_or_default() {
                if unwanted.matches(&listed.key) {
                    let kept = storage.get(&Query::exact(&listed.key)).ok().flatten();
                    secrets.extend(
                        kept.filter(|kept| kept.is_complete() && kept.is_named_by(unwanted)),
                    );
                }
            }
        }
        let _ = self
            .journal
            .mark_all(&secrets, Mark::Removed, self.now.unix);
        let mut count = 0;
        let outcome = self.storages.each(|storage| {
            count += storage.erase(unwanted)?;
            Ok(())
        });
        outcome.value.map(|()| Outcome {
            value: count,
            notices: outcome.notices,
        })
    }

    /// What the next command will do. git before 2.46 does not tell whether this one was for any user, so the next one may
    /// be for any user or for one.
    fn next(&self, rejected: &Query, key: &Key, attempt: Option<&Attempt>) -> Next {
        let of_user = Query {
            is_pathless: rejected.is_pathless,
            ..Query::of(key)
        };
        let of_any_user = Query {
            username: None,
            ..of_user.duplicate()
        };
        match attempt.map(Attempt::is_for_any_user) {
            Some(false) if self.has_good(&of_user) => Next::Another,
            Some(false) => Next::Asks,
            _ if !self.has_good(&of_any_user) => Next::Asks,
            None if !self.has_good(&of_user) => Next::OfAnother,
            Some(true) | None => Next::Another,
        }
    }

    fn has_good(&self, wanted: &Query) -> bool {
        let skipped = Skipped::default();
        self.storages.iter().any(|storage| {
            let found = candidate(&**storage, wanted, &skipped, self.now)
                .ok()
                .flatten();
            matches!(found, Some(Candidate::Good(_) | Candidate::Nameless(_)))
        })
    }
}

/// Erases the secret of `rejected` where `get` would answer it: a newer one that was stored meanwhile stays. A storage that
/// fails gets a notice, and the others are still searched.
pub(super) fn erase_rejected(
    storages: &Storages,
    journal: &Journal,
    wanted: &Query,
    rejected: &Attempt,
    now: Now,
) -> Vec<Notice> {
    let mut erased: Vec<(Key, Vec<StorageKind>)> = Vec::new();
    let mut failed = Vec::new();
    let began = monotonic_now();
    for storage in storages {
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
                let _ = journal.mark(&found, Mark::Rejected, now.unix);
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
