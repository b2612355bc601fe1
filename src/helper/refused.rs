//! What the server refused: forgotten, and told, whichever way git says so.

use std::time::Duration;

use super::notice::{Next, Notice, Outcome};
use super::round::Round;
use super::{Helper, Passed, another_good, is_good};
use crate::credential::Credential;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::journal::mark::Mark;
use crate::platform::monotonic_now;
use crate::protocol::read::Request;
use crate::storage::{Error, StorageKind};
use crate::time::Now;

/// How many entries with one refused secret are looked for in a storage.
const MOST_REFUSED: usize = 16;

/// Who takes longer to forget is a slow one, and git waits for what comes after that, too.
const SLOW: Duration = Duration::from_millis(300);
/// And after this long nobody asks any more what the next command will do.
const LATE: Duration = Duration::from_secs(2);

impl Helper {
    /// Erases the refused secret where it would be answered: a newer one, stored in the meantime, stays. A storage that fails
    /// is told, and keeps nobody from hearing of the others.
    pub(crate) fn forget_rejected(&self, wanted: &Query, round: &Round, now: Now) -> Vec<Notice> {
        let mut forgotten: Vec<(Key, Vec<StorageKind>)> = Vec::new();
        let mut failed = Vec::new();
        let began = monotonic_now();
        for storage in &self.storages {
            // Several users, and paths, may have been given the same token.
            for _ in 0..MOST_REFUSED {
                let found = match storage.get(wanted) {
                    Ok(Some(found)) if round.is_about(&found) => found,
                    Ok(_) | Err(Error::Unavailable { .. }) => break,
                    Err(cause) => {
                        failed.push(Notice::PassedOver { cause });
                        break;
                    }
                };
                self.bury(&found, Mark::Rejected, now);
                match storage.erase(&found.as_rejected()) {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(cause) => {
                        failed.push(Notice::PassedOver { cause });
                        break;
                    }
                }
                let kind = storage.kind();
                match forgotten.iter_mut().find(|(key, _)| *key == found.key) {
                    Some((_, kinds)) => kinds.push(kind),
                    None => forgotten.push((found.key, vec![kind])),
                }
            }
        }
        self.count_slow(began);
        let told = forgotten.into_iter().map(|(key, mut kinds)| {
            kinds.dedup();
            Notice::Rejected {
                key,
                kinds,
                next: Next::Typed,
            }
        });
        told.chain(failed).collect()
    }

    /// Forgets what git says was refused, wherever it is, and notes it, so that `clean` knows copies of it that lie
    /// elsewhere. For git that was the last try of its command: so what the next one will do is said too.
    ///
    /// The removal is told `at_terminal`, and where our state came back: then a command of git is running. Otherwise a script
    /// has rejected the credential and wants silence, as git's own helpers keep it (git's `t/lib-credential.sh`).
    pub fn refuse(
        &self,
        request: &Request,
        at_terminal: bool,
        now: Now,
    ) -> Outcome<Result<(), Error>> {
        let mut outcome = Outcome {
            value: Ok(()),
            notices: Vec::new(),
        };
        let refused = &request.query;
        let Some(credential) = Credential::complete(refused.duplicate()) else {
            match self.erase(refused) {
                Ok(erased) => outcome.notices = erased.notices,
                Err(cause) => outcome.value = Err(cause),
            }
            return outcome;
        };
        self.bury(&credential, Mark::Rejected, now);
        let mut kinds = Vec::new();
        let began = monotonic_now();
        for storage in &self.storages {
            match storage.erase(refused) {
                Ok(0) => {}
                Ok(_) => kinds.push(storage.kind()),
                Err(cause @ Error::Unavailable { .. }) => {
                    outcome.notices.extend(self.passed_over(cause));
                }
                // The others are still asked: what is refused should be gone from as many as can be.
                Err(cause @ Error::Failed { .. }) => outcome.value = Err(cause),
            }
        }
        let is_late = self.count_slow(began) > LATE;
        let round = Round::among(&request.state);
        if !kinds.is_empty() && (at_terminal || round.is_some()) {
            let is_for_anyone = round.map(|round| round.is_for_anyone());
            let next = if is_late {
                Next::Unknown
            } else {
                self.next(refused, &credential.key, is_for_anyone, now)
            };
            outcome.notices.push(Notice::Rejected {
                key: credential.key,
                kinds,
                next,
            });
        }
        outcome
    }

    /// How long that took; what was slow is not waited for again.
    fn count_slow(&self, began: Duration) -> Duration {
        let took = monotonic_now().saturating_sub(began);
        if took > SLOW {
            self.storages.budget().add(took);
        }
        took
    }

    /// What the next command will do. git before 2.46 does not tell whether this one was for anybody, so that the next one may
    /// be, or for one user.
    fn next(&self, refused: &Query, key: &Key, is_for_anyone: Option<bool>, now: Now) -> Next {
        let of_user = Query {
            is_pathless: refused.is_pathless,
            ..Query::of(key)
        };
        let of_anyone = Query {
            username: None,
            ..of_user.duplicate()
        };
        let has_good = |wanted: &Query| self.has_good(wanted, now);
        match is_for_anyone {
            Some(false) if has_good(&of_user) => Next::Another,
            Some(false) => Next::Asks,
            _ if !has_good(&of_anyone) => Next::Asks,
            None if !has_good(&of_user) => Next::OfAnother,
            Some(true) | None => Next::Another,
        }
    }

    /// Whether anything is kept that `get` would answer.
    fn has_good(&self, wanted: &Query, now: Now) -> bool {
        self.storages.iter().any(|storage| {
            let first = storage.get(wanted).ok().flatten();
            first.is_some_and(|first| {
                is_good(&first, now)
                    || another_good(&**storage, wanted, &Passed::default(), now)
                        .is_ok_and(|another| another.is_some())
            })
        })
    }
}
