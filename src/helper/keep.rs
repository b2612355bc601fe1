//! Keeping: what git found good and what a person hands over; with an end, where one is known or can be guessed.

use std::time::Duration;

use super::issuer::{self, Issuer};
use super::notice::{Notice, Outcome};
use super::place::Word;
use super::round::Round;
use super::{Helper, clue, lookup};
use crate::credential::Credential;
use crate::credential::expiry::{Expiry, ExpirySource};
use crate::credential::jwt;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::journal::known::Known;
use crate::protocol::read::Request;
use crate::secret::Secret;
use crate::storage::{Error, Listed, StorageKind};
use crate::time::Now;

/// When a token may end, if nobody tells.
#[derive(Debug, Clone, Copy)]
enum Guess {
    /// So long after it was first stored.
    After(Duration),
    /// At this moment.
    At(Expiry),
}

/// What is known of the time of a token that was stored just now.
#[derive(Clone, Copy)]
struct When {
    /// git found it good: in Unix seconds.
    accepted: Option<u64>,
    /// Somebody was asked for it, or gave it: in milliseconds since 1970.
    brought: Option<u64>,
}

impl Helper {
    /// Gives every entry that fits `wanted` the end that a person tells. Returns their keys.
    pub fn tell_end(
        &self,
        wanted: &Query,
        expiry: Option<Expiry>,
        now: Now,
    ) -> Result<Outcome<Vec<Key>>, Error> {
        let note = |credential: &Credential| {
            // The date itself is kept with the token.
            let _ = self.journal.learn(credential, now.unix, |known| {
                known.since = known.since.or(Some(now.unix));
                known.end = expiry.map(|expiry| (expiry, ExpirySource::Person));
            });
        };
        self.set_expiry_everywhere(wanted, expiry, note)
    }

    /// Gives every entry that fits `wanted` another end, in every storage. Returns their keys.
    fn set_expiry_everywhere(
        &self,
        wanted: &Query,
        end: Option<Expiry>,
        note: impl Fn(&Credential),
    ) -> Result<Outcome<Vec<Key>>, Error> {
        let mut outcome = Outcome {
            value: Vec::new(),
            notices: Vec::new(),
        };
        for storage in &self.storages {
            let all = match storage.list() {
                Ok(all) => all,
                Err(cause @ Error::Unavailable { .. }) if self.storages.len() == 1 => {
                    return Err(cause);
                }
                Err(cause @ Error::Unavailable { .. }) => {
                    outcome.notices.extend(self.passed_over(cause));
                    continue;
                }
                Err(cause) => return Err(cause),
            };
            for Listed { key, .. } in all.into_iter().filter(|listed| wanted.matches(&listed.key)) {
                let Some(credential) = storage.get(&Query::exact(&key))? else {
                    continue;
                };
                // Memory wipes a secret at its end: no other date brings it back.
                if !credential.is_complete() {
                    outcome.notices.push(Notice::Gone { key });
                    continue;
                }
                if storage.set_expiry(&credential, end)? {
                    note(&credential);
                    outcome.value.push(key);
                }
            }
        }
        Ok(outcome)
    }

    /// What would be answered for `url`: under its path, else for the host.
    pub fn kept_for(&self, url: &Query) -> Result<Option<Credential>, Error> {
        let anywhere = Query {
            path: None,
            ..url.duplicate()
        };
        for wanted in [url, &anywhere] {
            for storage in &self.storages {
                match storage.get(wanted) {
                    Ok(Some(found)) => return Ok(Some(found)),
                    Ok(None) | Err(Error::Unavailable { .. }) => {}
                    Err(cause) => return Err(cause),
                }
            }
        }
        Ok(None)
    }

    /// Keeps what git found good. Half a credential, and one that is not to be kept, are passed over in silence. Returns
    /// whose token a forge should be asked about, in the background.
    pub fn store(&self, request: Request, now: Now) -> Result<Outcome<Option<Key>>, Error> {
        let Request {
            query,
            is_ephemeral,
            has_unreadable_expiry,
            understands: _,
            state,
            realms,
        } = request;
        let mut outcome = Outcome {
            value: None,
            notices: Vec::new(),
        };
        let credential = Credential::complete(query).filter(|_| !is_ephemeral);
        let Some(mut credential) = credential else {
            return Ok(outcome);
        };
        let is_ours = Round::among(&state).is_some_and(|round| round.is_about(&credential));
        let word = match clue::missed(&state) {
            _ if is_ours && self.has_another(&credential) => return Ok(outcome),
            _ if is_ours => Word::Answered,
            Some(missed) => Word::Typed(missed),
            None => Word::Accepted,
        };
        let key = || credential.key.clone();
        if let Some(expiry) = credential.expiry.filter(|expiry| expiry.is_past(now.unix)) {
            outcome
                .notices
                .push(Notice::ExpiredBeforeStored { key: key(), expiry });
            return Ok(outcome);
        }
        if has_unreadable_expiry {
            outcome
                .notices
                .push(Notice::UnreadableExpiry { key: key() });
        }
        let guess = self.guess(&credential);
        // A token whose end git tells, and nobody guesses at, needs no journal to be read.
        let known = if credential.expiry.is_some() && guess.is_none() {
            None
        } else {
            self.journal.known(&credential).ok()
        };
        let source = self.add_guess(&mut credential, known.as_ref(), guess, now)?;
        let word = match word {
            Word::Answered if source.is_none() => Word::Returned,
            word => word,
        };
        let source = source.unwrap_or(ExpirySource::Git);
        let learnt = known.clone().flatten().unwrap_or_default();
        let named = issuer::by_realms(&realms).or_else(|| clue::forge(&state));
        let issuer = self.issuers.issuer_of(&credential, named, learnt.forge);
        let kept = self.keep_in_storages(&credential, word, now)?;
        outcome.notices.extend(kept.notices);
        if kept.value {
            let when = When {
                accepted: Some(now.unix),
                brought: match word {
                    Word::Typed(asked) => Some(asked),
                    _ => None,
                },
            };
            self.note(&credential, issuer.as_ref(), source, when, now);
        }
        // Without a journal nobody would know that it was asked already.
        let may_ask = self.looks_up && known.is_some();
        let can_tell = || issuer.is_some_and(|issuer| issuer.can_tell(&credential.key));
        let was_asked = || {
            self.journal
                .was_asked(Some(&learnt), lookup::EVERY, now.unix)
        };
        if may_ask && lookup::is_wanted(&credential, &learnt) && can_tell() && !was_asked() {
            outcome.value = Some(credential.key);
        }
        Ok(outcome)
    }

    /// Whether what we answered was replaced while git used it: a server that is slow to accept it makes it no newer. Not in the
    /// keychain, which is not asked again: see [`Word::Returned`].
    fn has_another(&self, answered: &Credential) -> bool {
        let key = Query::exact(&answered.key);
        let storages = self.storages.iter();
        let storages = storages.filter(|storage| storage.kind() != StorageKind::Keychain);
        let mut kept = storages.filter_map(|storage| storage.get(&key).ok().flatten());
        let Some(first) = kept.next() else {
            return false;
        };
        let is_it = |kept: &Credential| kept.has_same_secrets(answered);
        !is_it(&first) && !kept.any(|kept| is_it(&kept))
    }

    /// How long a token lives by a rule of the person's, or until when by what it says itself.
    fn guess(&self, credential: &Credential) -> Option<(Guess, ExpirySource)> {
        let rule = self.issuers.rule(&credential.key);
        if let Some(lifetime) = rule.and_then(|rule| rule.lifetime) {
            return Some((Guess::After(lifetime), ExpirySource::Lifetime));
        }
        let end = jwt::end_of(credential.token()?.expose())?;
        Some((Guess::At(end), ExpirySource::Token))
    }

    /// The guess for a token that is new at `now`. A guess that is past was wrong.
    pub fn guessed_expiry(
        &self,
        credential: &Credential,
        now: Now,
    ) -> Option<(Expiry, ExpirySource)> {
        let (guess, source) = self.guess(credential)?;
        let expiry = match guess {
            Guess::At(expiry) => Some(expiry),
            Guess::After(lifetime) => Expiry::from_unix(now.unix + lifetime.as_secs()),
        };
        let expiry = expiry.filter(|expiry| !expiry.is_past(now.unix))?;
        Some((expiry, source))
    }

    /// Gives a token without an end the one that is guessed. Returns by whom.
    fn add_guess(
        &self,
        credential: &mut Credential,
        known: Option<&Option<Known>>,
        guess: Option<(Guess, ExpirySource)>,
        now: Now,
    ) -> Result<Option<ExpirySource>, Error> {
        // The forge's word that the token never expires counts more than a guess.
        let is_endless = known
            .and_then(Option::as_ref)
            .is_some_and(|known| known.is_endless);
        let guess = guess.filter(|_| credential.expiry.is_none() && !is_endless);
        let Some((guess, source)) = guess else {
            return Ok(None);
        };
        credential.expiry = self.end_of(credential, known, guess, now)?;
        Ok(Some(source))
    }

    /// The end of a token that is handed over without one: the one that is kept already (git before 2.40 leaves it out),
    /// else the guess.
    fn end_of(
        &self,
        credential: &Credential,
        known: Option<&Option<Known>>,
        guess: Guess,
        now: Now,
    ) -> Result<Option<Expiry>, Error> {
        for storage in &self.storages {
            match storage.get(&Query::exact(&credential.key)) {
                Ok(Some(kept)) if kept.has_same_secrets(credential) && kept.expiry.is_some() => {
                    return Ok(None);
                }
                Ok(_) | Err(Error::Unavailable { .. }) => {}
                Err(cause) => return Err(cause),
            }
        }
        let since = known.and_then(|known| known.as_ref()?.since);
        let end = match guess {
            Guess::At(end) => Some(end),
            Guess::After(lifetime) => {
                let since = since.unwrap_or(now.unix);
                Expiry::from_unix(since.saturating_add(lifetime.as_secs()))
            }
        };
        // A guess that is over already was wrong: git has just used it.
        Ok(end.filter(|end| !end.is_past(now.unix)))
    }

    /// Keeps `credential`: under `auto` in the keychain, or in memory where that cannot be reached; else in every storage
    /// of the list. A storage that has it already is not written to: git stores after every command that succeeded.
    /// `source`: who told its end, if it has one; what a person hands over without one gets the one that is guessed.
    pub fn keep(
        &self,
        credential: &Credential,
        source: ExpirySource,
        now: Now,
    ) -> Result<Outcome<()>, Error> {
        let is_persons = source == ExpirySource::Person;
        let mut credential = credential.duplicate();
        let guess = self.guess(&credential).filter(|_| is_persons);
        let known = guess.and_then(|_| self.journal.known(&credential).ok());
        let by = self.add_guess(&mut credential, known.as_ref(), guess, now)?;
        let source = by.unwrap_or(source);
        let Outcome { value, notices } = self.keep_in_storages(&credential, Word::Handed, now)?;
        if value {
            let token = credential.token().map(Secret::expose);
            let issuer = self.issuer(&credential.key, token);
            let when = When {
                accepted: None,
                brought: is_persons.then(|| now.milliseconds()),
            };
            self.note(&credential, issuer.as_ref(), source, when, now);
        }
        Ok(Outcome { value: (), notices })
    }

    /// Remembers who issued a token that was stored just now, who told its end, and when it came and was accepted. Where there
    /// is nothing to remember, and nothing older to put right, no journal is begun.
    fn note(
        &self,
        credential: &Credential,
        issuer: Option<&Issuer>,
        source: ExpirySource,
        when: When,
        now: Now,
    ) {
        let When { accepted, brought } = when;
        let is_older = || self.knowledge().knows_user_of(&credential.key);
        let is_plain = issuer.is_none() && credential.expiry.is_none() && brought.is_none();
        if is_plain && !is_older() {
            return;
        }
        // What cannot be remembered is found out again.
        let _ = self.journal.learn(credential, now.unix, |known| {
            known.since = known.since.or(Some(now.unix));
            known.accepted = known.accepted.or(accepted);
            known.brought = known.brought.max(brought);
            known.forge = issuer.map(|issuer| issuer.forge.kind()).or(known.forge);
            known.token = issuer.and_then(|issuer| issuer.token).or(known.token);
            if let Some(end) = credential.expiry
                && known.end.is_none_or(|(known, _)| known != end)
            {
                known.end = Some((end, source));
            }
            if accepted.is_some() && credential.expiry.is_none() {
                known.forget_past_end(now.unix);
            }
        });
    }
}
