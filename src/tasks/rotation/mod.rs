//! Rotation: puts a new token in the place of an old one, and loses neither.
//!
//! GitLab replaces a token by itself, and the old one is invalid at once. So the new token is saved before anything else, one
//! process rotates at a time, and no call is repeated: the reuse of an invalid token revokes its whole family
//! (`doc/api/personal_access_tokens.md` in gitlabhq/gitlabhq). For other forges a person brings the new token (`guided`).

pub mod entries;
pub mod failure;
pub mod guided;
pub mod outcome;
pub mod pending;
pub mod plan;
mod propagate;
mod resume;
pub mod successor;

use std::time::Duration;

use self::entries::TokenEntries;
use self::failure::Error;
use self::outcome::Rotated;
use self::pending::RotationLock;
use self::plan::Rotation;
use self::successor::{last_day, successor};
use crate::credential::Credential;
use crate::credential::expiry::{Expiry, ExpirySource};
use crate::credential::key::Key;
use crate::forge::http;
use crate::forge::{Call, ForgeExpiry, TokenFacts, TokenVerdict};
use crate::git::network::Network;
use crate::helper::lookup::Lookup;
use crate::helper::lookup::request::Asked;
use crate::helper::notice::Notice;
use crate::journal::mark::Mark;
use crate::platform::monotonic_now;
use crate::secret::Secret;
use crate::storage;

/// How long the forge may take over the new token: a client that gives up earlier may lose both tokens.
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);
/// How long another process may hold a storage while this process alone has the new token.
const STORE_PATIENCE: Duration = Duration::from_secs(60);

/// A call that returns the new token. The old token needs one of the scopes `needs`.
pub struct RotationRequest<'a> {
    pub call: &'a Call,
    pub needs: &'a [&'a str],
    /// The expiry to ask for.
    pub expiry: Expiry,
}

/// Progress that the user sees.
pub enum RotationStep<'a> {
    /// The forge is about to be asked; these storages could not be.
    Asks(&'a [Notice]),
    /// The new token is there, and another process holds the storage.
    Waits(&'a storage::Error),
}

impl Rotation<'_> {
    /// Has the forge replace the token of `old`, and puts the new token into every entry of the host with the old one. Finishes an
    /// earlier rotation first. From [`RotationStep::Asks`] until this returns, a process that ends loses the new token: the caller
    /// defers signals.
    pub fn rotate(
        &self,
        old: &Credential,
        request: &RotationRequest<'_>,
        announce: &mut dyn FnMut(RotationStep<'_>),
    ) -> Result<Rotated, Error> {
        let result = self.rotate_under_lock(old, request, announce);
        if let Err(Error::Lost(_)) = result {
            // git must not get the invalid token again. If it cannot be removed now, `clean` finds it.
            let journal = self.helper.journal();
            let _ = journal.mark(old, Mark::Rejected, self.now.unix);
            if let Ok(entries) = self.entries(old) {
                entries.remove();
            }
        }
        result
    }

    fn rotate_under_lock(
        &self,
        old: &Credential,
        request: &RotationRequest<'_>,
        announce: &mut dyn FnMut(RotationStep<'_>),
    ) -> Result<Rotated, Error> {
        let Some(token) = old.token() else {
            return Err(Error::invalid());
        };
        let Some(last_day) = last_day(request.expiry, self.now) else {
            return Err(Error::later(
                "the new token's expiry lies too far ahead",
                "with another one, such as '--expires 90d'",
            ));
        };
        let lock = RotationLock::take(self.state)?.ok_or_else(Error::busy)?;
        let pending = self.helper.journal().rotations()?;
        let entries = self.entries(old)?;
        if !entries.kept().any(|kept| kept.key == old.key) {
            return Err(Error::overtaken());
        }
        if let Some(rotated) = self.resume_from_successor(old, &pending)? {
            return Ok(rotated);
        }
        let mut found = match Lookup(self.helper).ask(old, self.now).1 {
            asked if asked.is_rejection() => return self.resume(old, entries, &pending),
            // While the forge may be at work on an earlier request, a good token proves nothing.
            asked => match lock.guards_for(self.now.fresh().unix)? {
                Some(left) => return Err(Error::guarded(left)),
                None => self.replaceable(old, asked, request.needs)?,
            },
        };
        // A storage that cannot be written now would lose the new token, or keep the old one that is invalid by then.
        if !entries.check_writable()? {
            return Err(Error::overtaken());
        }
        // This starts git, which Ctrl-C ends: before the signals are deferred.
        let network = http::network_for(&request.call.url)?;
        let body = format!("{{\"expires_at\":\"{last_day}\"}}");
        self.helper.journal().begin_rotation(token, self.now.unix)?;
        lock.guard(self.now.fresh().unix)?;
        announce(RotationStep::Asks(&entries.unasked));
        let new;
        (new, found.end) =
            self.request_successor(old, token, (request.call, &body, &network), &lock)?;
        let mut until = None;
        let mut retry = |cause: &storage::Error| {
            let wait = || monotonic_now().saturating_add(STORE_PATIENCE);
            if cause.is_busy() && until.is_none() {
                announce(RotationStep::Waits(cause));
            }
            cause.is_busy() && monotonic_now() < *until.get_or_insert_with(wait)
        };
        let result = self.save(&old.key, token, &new, found, entries, &mut retry);
        lock.end_guard();
        result
    }

    /// Asks the forge for the token that replaces `token`. Ends the guard and the record of the rotation only if the forge has
    /// certainly replaced nothing.
    fn request_successor(
        &self,
        old: &Credential,
        token: &Secret,
        (call, body, network): (&Call, &str, &Network),
        lock: &RotationLock,
    ) -> Result<(Secret, ForgeExpiry), Error> {
        let sent = http::call_within(
            ANSWER_PATIENCE,
            call,
            Some(token),
            Some(body.as_bytes()),
            network,
        );
        let answer = match &sent {
            Ok(answer) if (200..300).contains(&answer.status) => match successor(answer) {
                Some((new, expiry)) if new != *token => return Ok((new, expiry)),
                _ => "the forge answered without a new token".to_owned(),
            },
            Ok(answer) => format!("the forge answers {}", answer.status),
            Err(error) if was_not_sent(*error) => {
                self.forget(token, lock);
                return Err((*error).into());
            }
            Err(_) => "the forge's answer was lost".to_owned(),
        };
        // To look is no reuse.
        let asked = Lookup(self.helper).ask(old, self.now).1;
        match sent {
            Ok(answer) if is_refusal(answer.status) && asked.scopes().is_some() => {
                self.forget(token, lock);
                Err(Error::Refused(answer.status))
            }
            _ if asked.is_rejection() => {
                lock.end_guard();
                let what = format!("{answer}: the stored token is invalid now");
                Err(Error::Lost(what.into()))
            }
            // The guard stays, even if the token is good: a slow forge may still be at work.
            _ => Err(Error::Unknown(answer)),
        }
    }

    /// Ends a rotation that replaced nothing.
    fn forget(&self, token: &Secret, lock: &RotationLock) {
        // A record that stays makes the next rotation look twice.
        let _ = self.helper.journal().end_rotation(token, self.now.unix);
        lock.end_guard();
    }

    /// Saves the successor `token` in the place of `old`, and removes the record of the rotation if nothing is left to do. `key`:
    /// the entry that was asked for.
    fn save(
        &self,
        key: &Key,
        old: &Secret,
        token: &Secret,
        found: TokenFacts,
        entries: TokenEntries<'_>,
        retry: &mut dyn FnMut(&storage::Error) -> bool,
    ) -> Result<Rotated, Error> {
        let journal = self.helper.journal();
        // Before any storage has the new token: if this process is killed, the next one knows which token to look for.
        let _ = journal.name_successor(old, token, self.now.unix);
        for invalid in entries.kept() {
            let _ = journal.mark(invalid, Mark::Superseded, self.now.unix);
        }
        // With an expiry in the past, a storage would wipe the only copy.
        let expiry = found.end.after(self.now.unix).expiry();
        let rotated = entries.replace(token, expiry, retry);
        let mut rotated = rotated.map_err(Error::Unsaved)?;
        let source = expiry.map(|expiry| (expiry, ExpirySource::Forge));
        let asked = Asked::Told(TokenVerdict::Good(found));
        self.record(&mut rotated, key, source, &asked);
        if rotated.is_finished() {
            let _ = journal.end_rotation(old, self.now.unix);
        }
        if rotated.saved.is_empty() {
            return Err(Error::Displaced);
        }
        Ok(rotated)
    }

    /// Returns what the forge says of the old token. Fails if a request must not be made with the token:
    /// one with an invalid token revokes the whole family.
    fn replaceable(
        &self,
        old: &Credential,
        asked: Asked,
        needs: &[&str],
    ) -> Result<TokenFacts, Error> {
        let found = match asked {
            Asked::Told(TokenVerdict::Good(found)) if found.scopes.is_some() => found,
            // A server that accepts every token tells no scopes.
            Asked::Told(TokenVerdict::Good(_) | TokenVerdict::Unclear { status: 200 })
            | Asked::NotThere(_) => {
                let what = "the forge says nothing about the stored token";
                return Err(Error::later(what, "later"));
            }
            Asked::Told(
                TokenVerdict::Unclear { status } | TokenVerdict::Limited { status, .. },
            ) => {
                return Err(Error::Refused(status));
            }
            Asked::Failed(cause) => return Err(cause.into()),
            _ => return Err(Error::Refused(403)),
        };
        if found.kind.is_some() {
            let what = "the forge replaces only access tokens, and this is another kind";
            return Err(Error::Unfit(what.into()));
        }
        let mut scopes = found.scopes.iter().flatten();
        if !scopes.any(|scope| needs.contains(&&scope[..])) {
            let needs = needs.join("' nor '");
            let what = format!("the token has neither the scope '{needs}'");
            return Err(Error::Unfit(what.into()));
        }
        // One of several servers of the forge may lag behind.
        let mark = self.helper.journal().snapshot()?.mark_of(old);
        if let Some((Mark::Rejected | Mark::Superseded, _)) = mark {
            let what = "the stored token was rejected or replaced before, although the forge accepts it now";
            return Err(Error::Unfit(what.into()));
        }
        Ok(found)
    }
}

/// Answers that a forge, or a server that redirects to it, gives before it does anything. A gateway may give them afterwards,
/// so the old token must be good as well. 401 is no such answer: the token was good just now, so a request has used it.
fn is_refusal(status: u16) -> bool {
    (300..400).contains(&status) || matches!(status, 400 | 403 | 404 | 405 | 422 | 429)
}

/// Errors from before the first byte of the request.
fn was_not_sent(error: http::Error) -> bool {
    matches!(
        error,
        http::Error::Certificate(_)
            | http::Error::Authorities
            | http::Error::Pinned
            | http::Error::Setting(_)
            | http::Error::Address
            | http::Error::Token
            | http::Error::NoThread
            | http::Error::LeftOut
    )
}
