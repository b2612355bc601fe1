//! `store`: git confirms a credential; and what a user enters.

use super::Helper;
use super::attempt::{self, Attempt};
use super::conflict::Incoming;
use super::guess::Guess;
use super::issuer::by_realms;
use super::notice::{Notice, Outcome};
use super::save::{Offered, STORE, Save};
use super::trace_request::tell_request;
use crate::credential::Credential;
use crate::credential::expiry::ExpirySource;
use crate::credential::key::Key;
use crate::journal::known::EVERY;
use crate::protocol::read::Request;
use crate::storage::Error;
use crate::time::Now;
use crate::trace;

/// Stores what git confirms, unless it is incomplete, not to be kept, or expired. Returns the key of a token that a forge
/// should be asked about, in the background.
pub fn store(helper: &Helper, request: Request, now: Now) -> Result<Outcome<Option<Key>>, Error> {
    tell_request(STORE, &request);
    let mut outcome = Outcome::silent(None);
    let credential = Credential::complete(request.query).filter(|_| !request.is_ephemeral);
    let Some(credential) = credential else {
        trace::tell(STORE, || {
            "not stored: the credential is incomplete or ephemeral".to_owned()
        });
        return Ok(outcome);
    };
    let key = || credential.key.clone();
    if let Some(expiry) = credential.expiry.filter(|expiry| expiry.is_past(now.unix)) {
        trace::tell(STORE, || {
            "not stored: the credential has expired".to_owned()
        });
        let key = key();
        outcome
            .notices
            .push(Notice::ExpiredBeforeStored { key, expiry });
        return Ok(outcome);
    }
    if request.has_unreadable_expiry {
        outcome
            .notices
            .push(Notice::UnreadableExpiry { key: key() });
    }
    let attempt = Attempt::among(&request.state);
    let incoming = if attempt.is_some_and(|attempt| attempt.is_about(&credential)) {
        Incoming::Answered
    } else {
        Incoming::Confirmed
    };
    let guess = Guess::about(helper.issuers(), &credential);
    let mut saved = Save { helper, now }.save(&Offered {
        credential: &credential,
        incoming,
        source: ExpirySource::Git,
        guess,
        named: by_realms(&request.realms).or_else(|| attempt::forge(&request.state)),
    })?;
    outcome.notices.append(&mut saved.notices);
    let is_told_by_git = credential.expiry.is_some() && guess.is_none();
    if let Some(saved) = saved.value
        && helper.looks_up()
        && !is_told_by_git
        // Without a journal, every store would ask.
        && let Some(known) = saved.known
        && known.wants_lookup(saved.credential.expiry)
        && saved.issuer.is_some_and(|issuer| issuer.can_tell(&credential.key))
        && !known.was_asked(EVERY, now.unix)
    {
        outcome.value = Some(credential.key);
    }
    Ok(outcome)
}

/// Stores what a user enters or imports. `source`: who told its expiry, if it has one.
pub fn enter(
    helper: &Helper,
    credential: &Credential,
    source: ExpirySource,
    now: Now,
) -> Result<Outcome<()>, Error> {
    let is_persons = source == ExpirySource::Person;
    let guess = Guess::about(helper.issuers(), credential).filter(|_| is_persons);
    let saved = Save { helper, now }.save(&Offered {
        credential,
        incoming: Incoming::Entered,
        source,
        guess,
        named: None,
    })?;
    Ok(Outcome {
        value: (),
        notices: saved.notices,
    })
}
