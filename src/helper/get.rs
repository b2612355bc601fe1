//! `get`: which credential git is answered.

use super::Helper;
use super::attempt::{Attempt, forge_state};
use super::candidate::{Candidate, Skipped, candidate};
use super::erase::erase_rejected;
use super::notice::{Notice, Outcome};
use super::trace_request::tell_request;
use crate::credential::Credential;
use crate::credential::expiry::ExpirySource;
use crate::credential::query::Query;
use crate::journal::Topic;
use crate::journal::snapshot::Snapshot;
use crate::protocol::read::Request;
use crate::storage::trace_words::contents;
use crate::storage::{Error, StorageKind};
use crate::time::Now;
use crate::trace;

/// The subject of these steps in the trace.
const GET: &str = "get";

/// The answer to `get`.
pub struct Answer {
    /// `None`: git goes on to the next helper, or asks the user.
    pub credential: Option<Credential>,
    /// The state that git hands back if the credential is rejected.
    pub state: Option<Vec<u8>>,
    /// Whether git must not ask again in this command.
    pub is_last: bool,
    /// The state that git hands back with any credential that is stored.
    pub forge: Option<Vec<u8>>,
}

/// One `get`.
struct Get<'a> {
    helper: &'a Helper,
    /// A script asks: nothing is marked as told, and invalid secrets are skipped from the start.
    is_for_script: bool,
    now: Now,
}

/// Answers `request`. If our state came back, the server has rejected the first answer of this command: that secret is
/// erased, and the next one is answered.
pub fn get(helper: &Helper, request: &Request, now: Now) -> Result<Outcome<Answer>, Error> {
    let get = Get {
        helper,
        is_for_script: false,
        now,
    };
    get.answer(request)
}

/// Finds the credential that `get` would answer for `wanted`, unless it is invalid by `marks`: rejected, superseded or removed. Its
/// warnings do not count as told, since few scripts show them to a user.
pub fn for_script(
    helper: &Helper,
    wanted: &Query,
    marks: Snapshot,
    now: Now,
) -> Result<Outcome<Option<Credential>>, Error> {
    let get = Get {
        helper,
        is_for_script: true,
        now,
    };
    let Outcome { value, notices } = get.find(wanted, None, marks)?;
    let value = value
        .map(|(_, found)| found)
        .filter(Credential::is_complete);
    Ok(Outcome { value, notices })
}

impl Get<'_> {
    fn answer(&self, request: &Request) -> Result<Outcome<Answer>, Error> {
        tell_request(GET, request);
        let rejected = Attempt::among(&request.state).filter(|attempt| !attempt.is_last());
        let mut notices = Vec::new();
        let mut wanted = request.query.duplicate();
        if let Some(rejected) = &rejected {
            trace::tell(GET, || {
                "our first answer came back: the server has rejected it, so it is removed"
                    .to_owned()
            });
            notices = erase_rejected(self.helper, &wanted, rejected, self.now);
            if rejected.is_for_any_user() {
                wanted.username = None;
                trace::tell(GET, || {
                    "the first query was for any user, so an entry of any user may answer now"
                        .to_owned()
                });
            }
        }
        let marks = rejected.as_ref().and_then(|_| {
            let journal = self.helper.journal();
            journal.snapshot().ok()
        });
        let mut found = match self.find(&wanted, rejected.as_ref(), marks.unwrap_or_default()) {
            // The removal is told in any case.
            Err(cause) if !notices.is_empty() => Outcome {
                value: None,
                notices: vec![Notice::PassedOver { cause }],
            },
            outcome => outcome?,
        };
        if let Some((kind, answer)) = found.value.as_ref().filter(|(_, it)| it.is_complete()) {
            for notice in &mut notices {
                notice.goes_on(&answer.key, *kind);
            }
        }
        notices.append(&mut found.notices);
        let answer = found.value.map(|(_, answer)| answer);
        tell_answer(answer.as_ref(), rejected.is_some());
        let value = with_states(answer, request, rejected.as_ref(), &wanted);
        Ok(Outcome { value, notices })
    }

    /// Finds the first good credential. If there is none, one that has expired but can be renewed, without its expired
    /// secret: git hands the refresh token to the next helper (git 2.41).
    fn find(
        &self,
        wanted: &Query,
        rejected: Option<&Attempt>,
        marks: Snapshot,
    ) -> Result<Outcome<Option<(StorageKind, Credential)>>, Error> {
        let skipped = Skipped {
            rejected,
            is_strict: self.is_for_script,
            marks,
        };
        let mut told = Vec::new();
        let (mut nameless, mut renewable) = (None, None);
        let mut outcome = self.helper.storages().get_first(|storage| {
            let kind = storage.kind();
            match candidate(storage, wanted, &skipped, self.now)? {
                Some(Candidate::Good(found)) => return Ok(Some((kind, found))),
                Some(Candidate::Nameless(found)) => {
                    nameless = nameless.take().or(Some((kind, found)));
                }
                Some(Candidate::Expired(found)) => {
                    told.extend(self.expired(&found));
                    if found.refresh_token.is_some() {
                        renewable = renewable.take().or(Some((kind, found)));
                    }
                }
                None => {}
            }
            Ok(None)
        })?;
        if let Some((kind, found)) = outcome.value.or(nameless) {
            return Ok(Outcome {
                notices: self.expires_soon(&found).into_iter().collect(),
                value: Some((kind, found)),
            });
        }
        if let Some((_, renewable)) = &mut renewable {
            renewable.wipe_expired();
        }
        outcome.notices.append(&mut told);
        Ok(Outcome {
            value: renewable,
            notices: outcome.notices,
        })
    }

    fn expired(&self, found: &Credential) -> Option<Notice> {
        let expiry = found.expiry?;
        self.is_news(Topic::Expired(found))
            .then(|| Notice::Expired {
                key: found.key.clone(),
                expiry,
            })
    }

    fn expires_soon(&self, found: &Credential) -> Option<Notice> {
        let expiry = found.expiry?;
        let is_soon = expiry.left(self.now.unix) <= self.helper.warn().before.as_secs();
        if !is_soon || !self.is_news(Topic::ExpiresSoon(found)) {
            return None;
        }
        let known = self.helper.journal().known(found).ok().flatten();
        Some(Notice::ExpiresSoon {
            key: found.key.clone(),
            expiry,
            can_rotate: self.helper.issuers().can_rotate(found, known.as_ref()),
            source: known.map_or(ExpirySource::Unknown, |known| known.source_of(expiry)),
        })
    }

    /// A journal that cannot be written silences nothing.
    fn is_news(&self, topic: Topic<'_>) -> bool {
        if self.is_for_script {
            return true;
        }
        let is_news = self
            .helper
            .journal()
            .is_news(topic, self.helper.warn().every, self.now.unix);
        is_news.unwrap_or(true)
    }
}

/// Adds the states for a git that knows them, over HTTP.
fn with_states(
    credential: Option<Credential>,
    request: &Request,
    rejected: Option<&Attempt>,
    wanted: &Query,
) -> Answer {
    let is_http = matches!(wanted.protocol.as_deref(), Some(b"http" | b"https"));
    let has_state = request.understands.state && is_http;
    // For a nameless credential git asks for the name, and what it stores then is new.
    let answered = credential
        .as_ref()
        .filter(|found| has_state && found.is_complete() && !found.is_nameless());
    let attempt = answered.and_then(|found| match rejected {
        None => Attempt::first(found, wanted),
        Some(rejected) => rejected.second(found),
    });
    trace::tell(GET, || {
        state_words(attempt.as_ref(), has_state, credential.is_some())
    });
    Answer {
        is_last: attempt.as_ref().is_none_or(Attempt::is_last),
        state: attempt.map(|attempt| attempt.to_state()),
        forge: forge_state(&request.realms).filter(|_| has_state),
        credential,
    }
}

/// Tells the trace which credential git gets.
fn tell_answer(found: Option<&Credential>, is_second: bool) {
    trace::tell(GET, || match found {
        Some(found) if found.is_complete() => format!("the answer is {}", contents(found)),
        Some(_) => "the answer is only a refresh token, for the next helper".to_owned(),
        None if is_second => {
            "no other entry can be answered: git asks the next helper or the user".to_owned()
        }
        None => "no entry can be answered: git asks the next helper or the user".to_owned(),
    });
}

/// The sentence of the trace about the state that goes with an answer.
fn state_words(attempt: Option<&Attempt>, has_state: bool, is_answered: bool) -> String {
    match attempt {
        Some(attempt) if attempt.is_last() => {
            "the last answer: if the server rejects it, the command fails"
        }
        Some(_) => "the first answer: if the server rejects it, git asks again in this command",
        None if !is_answered => "without an answer there is no state[]",
        None if !has_state => "no state[] (git before 2.46, or not HTTP): git does not ask again",
        None => "no state[]: if the server rejects the answer, git does not ask again",
    }
    .to_owned()
}
