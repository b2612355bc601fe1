//! `store`: git confirms a credential; and what a user enters.

use super::attempt::{self, Attempt};
use super::conflict::Incoming;
use super::guess::Guess;
use super::issuer::by_realms;
use super::notice::{Notice, Outcome};
use super::save::{Offered, Save};
use crate::credential::Credential;
use crate::credential::expiry::ExpirySource;
use crate::credential::key::Key;
use crate::journal::known::EVERY;
use crate::protocol::read::Request;
use crate::storage::Error;

/// Stores what git confirms, unless it is incomplete, not to be kept, or expired. Returns the key of a token that a forge
/// should be asked about, in the background.
pub(super) fn store(
    save: &Save<'_>,
    request: Request,
    looks_up: bool,
) -> Result<Outcome<Option<Key>>, Error> {
    let mut outcome = Outcome {
        value: None,
        notices: Vec::new(),
    };
    let credential = Credential::complete(request.query).filter(|_| !request.is_ephemeral);
    let Some(credential) = credential else {
        return Ok(outcome);
    };
    let key = || credential.key.clone();
    if let Some(expiry) = credential
        .expiry
        .filter(|expiry| expiry.is_past(save.now.unix))
    {
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
    let guess = Guess::about(save.issuers, &credential);
    let mut saved = save.save(&Offered {
        credential: &credential,
        incoming,
        source: ExpirySource::Git,
        guess,
        named: by_realms(&request.realms).or_else(|| attempt::forge(&request.state)),
    })?;
    outcome.notices.append(&mut saved.notices);
    let is_told_by_git = credential.expiry.is_some() && guess.is_none();
    if let Some(saved) = saved.value
        && looks_up
        && !is_told_by_git
        // Without a journal, every store would ask.
        && let Some(known) = saved.known
        && known.wants_lookup(saved.credential.expiry)
        && saved.issuer.is_some_and(|issuer| issuer.can_tell(&credential.key))
        && !known.was_asked(EVERY, save.now.unix)
    {
        outcome.value = Some(credential.key);
    }
    Ok(outcome)
}

/// Stores what a user enters or imports. `source`: who told its expiry, if it has one.
pub(super) fn enter(
    save: &Save<'_>,
    credential: &Credential,
    source: ExpirySource,
) -> Result<Outcome<()>, Error> {
    let is_persons = source == ExpirySource::Person;
    let guess = Guess::about(save.issuers, credential).filter(|_| is_persons);
    let saved = save.save(&Offered {
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
