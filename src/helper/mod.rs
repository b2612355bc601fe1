//! The helper: what to ask of which storage, and what to say about it.

mod clue;
pub mod issuer;
pub mod keep;
pub mod lookup;
pub mod notice;
pub mod open;
mod place;
pub mod precedence;
mod refused;
mod round;
pub mod storages;

use std::collections::HashSet;
use std::time::Duration;

use self::issuer::Issuers;
use self::notice::{Notice, Outcome};
use self::round::Round;
use self::storages::Storages;
use crate::config::{Settings, Warn};
use crate::credential::Credential;
use crate::credential::expiry::ExpirySource;
use crate::credential::query::Query;
use crate::journal::mark::Mark;
use crate::journal::snapshot::Snapshot;
use crate::journal::{Journal, Topic};
use crate::protocol::read::Request;
use crate::storage::memory::Lifetime;
use crate::storage::{Error, Listed, Storage, StorageKind};
use crate::time::Now;

/// The helper over its storages.
#[derive(Debug)]
pub struct Helper {
    pub(crate) storages: Storages,
    pub(crate) lifetime: Lifetime,
    pub(crate) warn: Warn,
    pub(crate) looks_up: bool,
    pub(crate) issuers: Issuers,
    pub(crate) journal: Journal,
}

/// What `get` answers.
pub struct Answer {
    /// `None`: nothing; git goes on to the next helper, or asks the person.
    pub credential: Option<Credential>,
    /// For git to hand back if the credential is refused.
    pub state: Option<Vec<u8>>,
    /// Whether git shall not ask again if it is.
    pub is_last: bool,
    /// For git to hand back with whatever is stored: see `clue`.
    pub clues: Vec<Vec<u8>>,
}

impl Helper {
    /// Over the storages that `settings` name.
    pub fn new(settings: &Settings, prompt_patience: Duration) -> Self {
        Self {
            storages: Storages::open(settings, prompt_patience),
            lifetime: settings.lifetime,
            warn: settings.warn,
            looks_up: settings.looks_up,
            issuers: Issuers::new(settings.hosts.clone()),
            journal: Journal::in_folder(&settings.places.state),
        }
    }

    /// The storages, for tasks.
    pub fn storages(&self) -> &Storages {
        &self.storages
    }

    /// The journal, for tasks.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The rules that name a token's issuer, for tasks.
    pub fn issuers(&self) -> &Issuers {
        &self.issuers
    }

    /// The first credential that fits and is good, with the state that brings git back if it is refused. If there is
    /// none, one that has ended but can be renewed, without the secret that has ended, so that git hands its refresh token
    /// to the next helper (git 2.41).
    pub fn get(&self, request: &Request, now: Now) -> Result<Outcome<Answer>, Error> {
        let round = Round::among(&request.state).filter(|round| !round.is_last());
        let mut notices = Vec::new();
        let mut wanted = request.query.duplicate();
        if let Some(round) = &round {
            notices.extend(self.forget_rejected(&wanted, round, now));
            if round.is_for_anyone() {
                wanted.username = None;
            }
        }
        let mut outcome = match self.find(&wanted, round.as_ref(), now) {
            // What was forgotten is told, come what may.
            Err(cause) if !notices.is_empty() => {
                notices.push(Notice::PassedOver { cause });
                Outcome {
                    value: None,
                    notices: Vec::new(),
                }
            }
            outcome => outcome?,
        };
        let found = outcome.value.as_ref();
        if found.is_some_and(Credential::is_complete) {
            notices.iter_mut().for_each(Notice::goes_on);
        }
        let has_state = request.understands.state && is_http(&wanted);
        // git asks for a name then, and what it stores is new.
        let found = found.filter(|found| found.is_complete() && !found.is_nameless());
        let missed = found.is_none().then_some(now.milliseconds());
        let clues = if has_state {
            clue::states(request, missed)
        } else {
            Vec::new()
        };
        let found = found.filter(|_| has_state);
        let next = found.and_then(|found| match &round {
            None => Round::of(found, wanted.username.is_none()),
            // The second answer is the last: see `round`.
            Some(round) => round.last_of(found),
        });
        notices.append(&mut outcome.notices);
        Ok(Outcome {
            value: Answer {
                credential: outcome.value,
                is_last: next.as_ref().is_none_or(Round::is_last),
                state: next.map(|round| round.to_state()),
                clues,
            },
            notices,
        })
    }

    /// The first that fits, is good, and was not refused in this command.
    fn find(
        &self,
        wanted: &Query,
        refused: Option<&Round>,
        now: Now,
    ) -> Result<Outcome<Option<Credential>>, Error> {
        let mut notices = Vec::new();
        let mut renewable = None;
        let mut nameless = None;
        let passed = Passed {
            refused,
            // In the last round one that is known to be dead would be git's last try.
            dead: refused.map(|_| self.journal.snapshot().unwrap_or_default()),
        };
        for storage in &self.storages {
            let found = match storage.get(wanted) {
                Ok(Some(found)) => found,
                Ok(None) => continue,
                Err(cause @ Error::Unavailable { .. }) => {
                    notices.extend(self.passed_over(cause));
                    continue;
                }
                Err(cause @ Error::Failed { .. }) => return Err(cause),
            };
            let was_passed = passed.over(&found);
            if is_good(&found, now) && !was_passed {
                if !found.is_nameless() {
                    return Ok(self.answered(found, now));
                }
                // Another storage may have one that needs no question.
                nameless = nameless.or(Some(found));
                continue;
            }
            if let Some(good) = another_good(&**storage, wanted, &passed, now)? {
                return Ok(self.answered(good, now));
            }
            if was_passed {
                continue;
            }
            if let Some(expiry) = found.expiry
                && self.is_news(Topic::Expired(&found), now)
            {
                notices.push(Notice::Expired {
                    key: found.key.clone(),
                    expiry,
                });
            }
            if found.refresh_token.is_some() && renewable.is_none() {
                renewable = Some(found);
            }
        }
        if let Some(nameless) = nameless {
            return Ok(self.answered(nameless, now));
        }
        if let Some(renewable) = &mut renewable {
            renewable.wipe_expired();
        }
        Ok(Outcome {
            value: renewable,
            notices,
        })
    }

    fn answered(&self, found: Credential, now: Now) -> Outcome<Option<Credential>> {
        Outcome {
            notices: self.expires_soon(&found, now).into_iter().collect(),
            value: Some(found),
        }
    }

    /// A journal that cannot be kept stops nothing.
    pub(crate) fn bury(&self, credential: &Credential, fate: Mark, now: Now) {
        let _ = self.journal.bury(credential, fate, now.fresh());
    }

    /// Whoever thanks for these with a command that has begun before is too late. A journal that cannot be kept stops nothing.
    pub(crate) fn note_gone(&self, gone: &[Credential], now: Now) {
        let _ = self.journal.note_gone(gone, now.fresh());
    }

    /// Forgets what a person wants gone: a command that goes on does not bring it back. Returns as [`Helper::erase`].
    pub fn forget(&self, unwanted: &Query, now: Now) -> Result<Outcome<usize>, Error> {
        let all = self.storages.iter();
        let all = all.filter_map(|storage| storage.all().ok()).flatten();
        let kept = all.map(|(_, kept)| kept);
        let gone: Vec<_> = kept.filter(|kept| unwanted.matches(&kept.key)).collect();
        self.note_gone(&gone, now);
        self.erase(unwanted)
    }

    /// Forgets what git, or a person, wants gone, wherever it is. Returns how many entries went. Fails if the only storage
    /// could not be reached: then nobody knows.
    pub fn erase(&self, unwanted: &Query) -> Result<Outcome<usize>, Error> {
        let mut outcome = Outcome {
            value: 0,
            notices: Vec::new(),
        };
        let mut failure = None;
        for storage in &self.storages {
            match storage.erase(unwanted) {
                Ok(count) => outcome.value += count,
                Err(cause @ Error::Unavailable { .. }) if self.storages.len() == 1 => {
                    return Err(cause);
                }
                Err(cause @ Error::Unavailable { .. }) => {
                    outcome.notices.extend(self.passed_over(cause));
                }
                // The others are still asked: what is refused should be gone from as many as can be.
                Err(cause @ Error::Failed { .. }) => failure = Some(cause),
            }
        }
        failure.map_or(Ok(outcome), Err)
    }

    /// As [`Storages::list_all`].
    pub fn list(&self) -> Result<Outcome<Vec<(StorageKind, Listed)>>, Error> {
        self.storages.list_all()
    }

    /// How long memory keeps what is stored now.
    pub fn lifetime(&self) -> Lifetime {
        self.lifetime
    }

    /// As [`Storages::places`].
    pub fn places(&self) -> String {
        self.storages.places()
    }

    /// What the journal knows of tokens. Nothing, if it cannot be read.
    pub fn knowledge(&self) -> Snapshot {
        self.journal.snapshot().unwrap_or_default()
    }

    /// As [`Storages::passed_over`].
    pub(crate) fn passed_over(&self, cause: Error) -> Option<Notice> {
        self.storages.passed_over(cause)
    }

    fn expires_soon(&self, credential: &Credential, now: Now) -> Option<Notice> {
        let expiry = credential.expiry?;
        let is_soon = expiry.left(now.unix) <= self.warn.before.as_secs();
        (is_soon && self.is_news(Topic::ExpiresSoon(credential), now)).then(|| {
            let known = self.journal.known(credential).ok().flatten();
            Notice::ExpiresSoon {
                key: credential.key.clone(),
                expiry,
                can_rotate: self.issuers.can_rotate(credential, known.as_ref()),
                source: known.map_or(ExpirySource::Unknown, |known| known.source_of(expiry)),
            }
        })
    }

    /// A journal that cannot be kept silences nothing.
    fn is_news(&self, topic: Topic<'_>, now: Now) -> bool {
        self.journal
            .is_news(topic, self.warn.every, now.unix)
            .unwrap_or(true)
    }
}

/// What is not answered again in this command.
#[derive(Default)]
pub(crate) struct Passed<'a> {
    pub(crate) refused: Option<&'a Round>,
    pub(crate) dead: Option<Snapshot>,
}

impl Passed<'_> {
    pub(crate) fn over(&self, found: &Credential) -> bool {
        let dead = self.dead.as_ref();
        let fate = dead.and_then(|dead| dead.mark_of(found));
        self.refused.is_some_and(|round| round.is_about(found))
            || matches!(fate, Some((Mark::Rejected | Mark::Expired, _)))
    }
}

/// Where the one stored last has ended, or was refused: the last before it that is good, such as another user's.
pub(crate) fn another_good(
    storage: &dyn Storage,
    wanted: &Query,
    passed: &Passed<'_>,
    now: Now,
) -> Result<Option<Credential>, Error> {
    let may_be_good = |listed: &Listed| {
        wanted.matches(&listed.key) && !listed.expiry.is_some_and(|expiry| expiry.is_past(now.unix))
    };
    // A storage that was written by hand may have several under one key: they are one question.
    let mut asked = HashSet::new();
    for listed in storage.list()?.into_iter().rev().filter(may_be_good) {
        if !asked.insert(listed.key.clone()) {
            continue;
        }
        let found = storage.get(&Query::exact(&listed.key))?;
        let is_good =
            |found: &Credential| is_good(found, now) && !passed.over(found) && !found.is_nameless();
        if let Some(found) = found.filter(is_good) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

pub(crate) fn is_good(credential: &Credential, now: Now) -> bool {
    credential.is_complete() && !credential.is_expired(now.unix)
}

fn is_http(query: &Query) -> bool {
    matches!(query.protocol.as_deref(), Some(b"http" | b"https"))
}
