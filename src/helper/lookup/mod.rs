//! Asks forges about tokens: about every saved token for `check` and `login`, about one in the background after git stored it.

pub mod background;
pub mod endpoint;
mod entries;
pub mod reply;
pub mod repository;
pub mod request;

use self::entries::{Kept, entries};
use self::request::{Asked, LOOK_UP};
use super::Helper;
use super::issuer::Issuer;
use super::notice::Outcome;
use crate::credential::Credential;
use crate::credential::expiry::{Expiry, ExpirySource};
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::credential::token::TokenKind;
use crate::forge::{ForgeExpiry, ForgeKind, MissingScope, TokenFacts, TokenVerdict, http};
use crate::journal::known::{EVERY, Known, LookupOutcome};
use crate::journal::mark::Mark;
use crate::storage::trace_words::named;
use crate::storage::{Error, StorageKind, if_reached};
use crate::time::Now;
use crate::trace;

/// What is known of a token, now that its forge was asked.
#[derive(Debug)]
pub struct Report {
    pub credential: Credential,
    /// The storages that have it.
    pub kinds: Vec<StorageKind>,
    pub forge: Option<ForgeKind>,
    pub token: Option<TokenKind>,
    pub asked: Asked,
    pub end: Option<(Expiry, ExpirySource)>,
    /// What the journal knows of it, after the answer.
    pub known: Known,
    /// The journal's mark, unless the entry was written after it.
    pub mark: Option<Mark>,
    /// Since when a token of GitHub has gone unused, if that is long.
    pub unused_since: Option<u64>,
    /// The scope that git needs and the token does not have.
    pub lack: Option<MissingScope>,
}

/// Asks forges about tokens.
#[derive(Debug, Clone, Copy)]
pub struct Lookup<'a>(pub &'a Helper);

impl Lookup<'_> {
    /// Asks about one credential, and writes nothing down.
    pub fn ask(self, credential: &Credential, now: Now) -> (Option<Issuer>, Asked) {
        let issuer = self.issuer_known(credential);
        (issuer, self.ask_issuer(credential, issuer.as_ref(), now))
    }

    fn ask_issuer(self, credential: &Credential, issuer: Option<&Issuer>, now: Now) -> Asked {
        let Some(issuer) = issuer else {
            trace::tell(LOOK_UP, || {
                format!("{}: no known forge issued it", named(&credential.key))
            });
            return Asked::NoForge;
        };
        let forge = issuer.forge.kind();
        let ask = || match self.0.issuers().site(&credential.key) {
            Some(site) => request::ask(credential, issuer, &site, now),
            None => Asked::NotHttps,
        };
        trace::timed(LOOK_UP, ask, |asked| {
            let name = named(&credential.key);
            format!("asked {forge} about {name}: {}", asked.words())
        })
    }

    /// As [`Lookup::ask`], but asks git's endpoint of one of `repositories` if the forge of their host cannot be asked.
    pub fn ask_with(
        self,
        credential: &Credential,
        repositories: &[Query],
        now: Now,
    ) -> (Option<Issuer>, Asked) {
        let (issuer, asked) = self.ask(credential, now);
        let kind = issuer.map(|issuer| issuer.forge.kind());
        let asked = self.or_ask_git(asked, kind, credential, repositories);
        (issuer, asked)
    }

    fn or_ask_git(
        self,
        asked: Asked,
        kind: Option<ForgeKind>,
        credential: &Credential,
        repositories: &[Query],
    ) -> Asked {
        // GitLab answers 401 for a token without a mark that only git can use, and its API may be elsewhere.
        let is_open = matches!(
            asked,
            Asked::CannotTell
                | Asked::NoForge
                | Asked::NotThere(_)
                | Asked::Told(TokenVerdict::Unclear { status: 401 })
        );
        if !is_open {
            return asked;
        }
        let key = &credential.key;
        let is_at_host = |repository: &&Query| {
            repository.protocol.as_ref() == Some(&key.protocol)
                && repository.host.as_ref() == Some(&key.host)
        };
        let mut at_host = repositories.iter().filter(is_at_host);
        let path = at_host.find_map(|repository| repository.path.as_ref());
        let path = path.or(key.path.as_ref());
        let Some((path, site)) = path.zip(self.0.issuers().site(key)) else {
            return asked;
        };
        match (repository::ask(&site, credential, path, kind), &asked) {
            // The path may be an owner's, which no endpoint is at (404). After `NotThere`, the API's answer says more.
            (Asked::Told(TokenVerdict::Unclear { status: 404 }), _)
            | (Asked::Told(TokenVerdict::Unclear { .. }), Asked::NotThere(_)) => asked,
            (said, _) => said,
        }
    }

    /// Asks about each entry that matches `wanted`, or each entry. Saves the dates in the storages and the rest in the journal.
    /// `repositories`: whose endpoints can be asked. `comes_to` gets the number of the next credential, and how many there are.
    pub fn check(
        self,
        wanted: Option<&Query>,
        repositories: &[Query],
        comes_to: &mut dyn FnMut(usize, usize),
        now: Now,
    ) -> Result<Outcome<Vec<Report>>, Error> {
        let found = entries(self.0.storages(), wanted)?;
        let mut outcome = Outcome {
            value: Vec::new(),
            notices: found.notices,
        };
        // A host that did not answer is not asked again for each of its tokens.
        let mut silent: Vec<(Vec<u8>, http::Error)> = Vec::new();
        let count = found.value.len();
        for (number, kept) in (1..).zip(found.value) {
            let Kept {
                credential,
                kinds,
                written,
            } = kept;
            comes_to(number, count);
            let host = &credential.key.host;
            let issuer = self.issuer_known(&credential);
            let asked = match silent.iter().find(|(other, _)| other == host) {
                Some((_, error)) if issuer.is_some() => Asked::Failed(*error),
                _ => self.ask_issuer(&credential, issuer.as_ref(), now),
            };
            let asked = self.or_ask_git(
                asked,
                issuer.map(|issuer| issuer.forge.kind()),
                &credential,
                repositories,
            );
            if let Asked::Failed(error) = asked
                && error.is_of_host()
            {
                silent.push((host.clone(), error));
            }
            let known = self.settle(&credential, issuer.as_ref(), &asked, now)?;
            let token = issuer.as_ref().and_then(|issuer| issuer.token);
            // What an invalid token may not do matters no more.
            let scopes = known.scopes.as_ref().filter(|_| !asked.is_rejection());
            let lack = issuer.as_ref().zip(scopes);
            outcome.value.push(Report {
                kinds,
                forge: issuer.as_ref().map(|issuer| issuer.forge.kind()),
                token,
                asked,
                end: known.end,
                unused_since: known.unused_since(now.unix),
                lack: lack.and_then(|(issuer, scopes)| issuer.forge.missing_scope(token, scopes)),
                mark: self.mark(&credential, written),
                known,
                credential,
            });
        }
        Ok(outcome)
    }

    /// The background look-up: fetches the token of `key` from where it is kept, asks its forge unless that was done today, and
    /// sets the expiry of the entry if its secret is still the same.
    pub fn look_up(self, key: &Key, now: Now) -> Result<(), Error> {
        for storage in self.0.storages().all() {
            let found = if_reached(storage.get(&Query::exact(key)))?.flatten();
            let Some(credential) = found.filter(Credential::is_complete) else {
                continue;
            };
            let known = self.known(&credential);
            let issuer = self.issuer_known(&credential);
            let can_tell = issuer.as_ref().is_some_and(|issuer| issuer.can_tell(key));
            if can_tell
                && known.wants_lookup(credential.expiry)
                && self
                    .0
                    .journal()
                    .claim(&credential, EVERY, now.unix)
                    .unwrap_or(false)
            {
                let asked = self.ask_issuer(&credential, issuer.as_ref(), now);
                self.settle(&credential, issuer.as_ref(), &asked, now)?;
            }
            return Ok(());
        }
        Ok(())
    }

    /// Saves the answer about `credential`, and returns what is known now, with the expiry that counts. A date changes only
    /// where the secret is still the same, and only by a source that is not less reliable.
    pub fn settle(
        self,
        credential: &Credential,
        issuer: Option<&Issuer>,
        asked: &Asked,
        now: Now,
    ) -> Result<Known, Error> {
        let mut known = self.known(credential);
        let held = credential.expiry.map(|end| (end, known.source_of(end)));
        let (is_good, found) = match asked {
            Asked::Told(TokenVerdict::Good(found)) => (true, found.clone()),
            _ => (false, TokenFacts::default()),
        };
        known.end = match found.end.after(now.unix) {
            ForgeExpiry::At(_)
                if held.is_some_and(|(_, source)| source.outranks(ExpirySource::Forge)) =>
            {
                held
            }
            ForgeExpiry::At(end) => Some((end, ExpirySource::Forge)),
            ForgeExpiry::Never => held.filter(|(_, source)| is_decided(*source)),
            // A good token has not expired: a date that says so is wrong, unless a person or an issuer set it.
            ForgeExpiry::Unknown => held
                .filter(|(end, source)| !is_good || end.left(now.unix) > 0 || is_decided(*source)),
        };
        if is_good {
            known.is_endless = found.end == ForgeExpiry::Never;
        }
        let end = known.end.map(|(end, _)| end);
        if end != credential.expiry {
            for storage in self.0.storages().all() {
                if_reached(storage.set_expiry(credential, end))?;
            }
        }
        if let Some(Issuer { forge, token, .. }) = issuer {
            known.forge = Some(forge.kind());
            known.token = token.or(found.kind).or(known.token);
        }
        known.scopes = found.scopes.or(known.scopes);
        if let Some(outcome) = outcome_of(asked) {
            known.asked = Some(now.unix);
            known.outcome = Some(outcome);
        }
        if !credential.is_complete() {
            return Ok(known);
        }
        let learnt = known.clone();
        // A journal that cannot be written only causes another request.
        let _ = self.0.journal().learn(credential, now.unix, |known| {
            *known = Known {
                since: known.since.or(learnt.since),
                accepted: known.accepted.or(learnt.accepted),
                used: known.used.max(learnt.used),
                ..learnt
            };
        });
        Ok(known)
    }

    /// The issuer of the token of `credential`, by all that is known.
    pub fn issuer_known(self, credential: &Credential) -> Option<Issuer> {
        let known = self.known(credential).forge;
        self.0.issuers().issuer_of(credential, known)
    }

    /// The mark of the journal, unless the entry was written after it.
    fn mark(self, credential: &Credential, written: Option<u64>) -> Option<Mark> {
        if !credential.is_complete() {
            return None;
        }
        let snapshot = self.0.journal().snapshot().unwrap_or_default();
        let (mark, at) = snapshot.mark_of(credential)?;
        written.is_none_or(|written| written <= at).then_some(mark)
    }

    fn known(self, credential: &Credential) -> Known {
        let snapshot = self.0.journal().snapshot().unwrap_or_default();
        // Memory wipes an expired secret, and keeps the name.
        let known = if credential.is_complete() {
            snapshot.known(credential)
        } else {
            let found = snapshot.stored(&credential.key, credential.expiry);
            found.map(|(known, _)| known)
        };
        known.cloned().unwrap_or_default()
    }
}

/// Whether a date stays although the forge tells none: git's comes from the token's issuer, a person's is a decision.
fn is_decided(source: ExpirySource) -> bool {
    matches!(source, ExpirySource::Git | ExpirySource::Person)
}

fn outcome_of(asked: &Asked) -> Option<LookupOutcome> {
    Some(match asked {
        Asked::Told(TokenVerdict::Good(_)) => LookupOutcome::Good,
        Asked::Told(TokenVerdict::Ended) => LookupOutcome::Ended,
        Asked::Told(TokenVerdict::Revoked) => LookupOutcome::Revoked,
        Asked::Told(TokenVerdict::Rejected) => LookupOutcome::Rejected,
        Asked::Told(TokenVerdict::Blocked { .. }) => LookupOutcome::Blocked,
        Asked::Told(TokenVerdict::Limited { .. }) => LookupOutcome::Limited,
        Asked::Told(TokenVerdict::Unclear { .. }) | Asked::NotThere(_) => LookupOutcome::Unclear,
        Asked::Failed(_) => LookupOutcome::Failed,
        Asked::CannotTell | Asked::NoForge | Asked::NotHttps => return None,
    })
}
