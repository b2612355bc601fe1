//! Rotation: a token that its forge replaces by another, and that is dead at once. The new one is stored before anything
//! else; a lock lets one process rotate at a time; and no call is ever repeated, for the reuse of a dead token revokes its
//! whole family (`doc/api/personal_access_tokens.md` in gitlabhq/gitlabhq).

pub mod entries;
pub mod failure;
pub mod pending;
pub mod propagate;
pub mod resume;
pub mod successor;

use std::path::Path;
use std::time::Duration;

use self::entries::{Holders, Left, Replaced};
use self::failure::{Error, Fate};
use self::pending::RotationLock;
use self::successor::{last_day, successor};
use crate::credential::Credential;
use crate::credential::expiry::{Expiry, ExpirySource};
use crate::credential::key::Key;
use crate::forge::answer::HttpAnswer;
use crate::forge::http;
use crate::forge::{Call, ForgeExpiry, ForgeSite, Renewal, Revocation, TokenFacts, TokenVerdict};
use crate::git::network::Network;
use crate::helper::Helper;
use crate::helper::issuer::Issuer;
use crate::helper::lookup::request::Asked;
use crate::helper::notice::Notice;
use crate::journal::mark;
use crate::platform::monotonic_now;
use crate::secret::{Buffer, Secret};
use crate::storage::{self, StorageKind};
use crate::time::Now;

/// How long the forge may take over the new token: who gives up before it answers has lost both.
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);
/// How long another process may hold a storage when the new token is there, and nowhere else.
const STORE_PATIENCE: Duration = Duration::from_secs(60);

/// What a person hears while it goes on.
pub enum Step<'a> {
    /// The forge is about to be asked; these storages could not be.
    Asks(&'a [Notice]),
    /// The new token is there, and another process holds the storage.
    Waits(&'a storage::Error),
}

/// How the token of a credential is renewed.
pub struct Plan {
    /// Who issued it.
    pub issuer: Issuer,
    /// Where.
    pub site: ForgeSite,
    /// By a call, or by hand.
    pub renewal: Renewal,
    /// How the old one goes.
    pub revocation: Revocation,
}

/// What came of it: the new token is kept.
pub struct Rotated {
    /// Under the key that was asked for, or another of its host.
    pub new: Credential,
    /// The other entries of the host that had the same token, and have the new one.
    pub others: Vec<Key>,
    /// Where it could not be put.
    pub left: Vec<Left>,
    /// Where another one was stored meanwhile, and stays.
    pub displaced: Vec<(StorageKind, Key)>,
    /// Whether every storage could be asked. Until then the mark of the rotation stays.
    pub is_whole: bool,
    /// Whether it lasts where the old one did. Until then the mark of the rotation stays.
    pub is_settled: bool,
    /// An earlier rotation made it, and was cut off before it was everywhere.
    pub is_late: bool,
    /// When the new token expires, by the forge's word.
    pub end: ForgeExpiry,
}

impl Helper {
    /// How `credential` is renewed; `None`: nobody knows its forge.
    pub fn plan(&self, credential: &Credential) -> Option<Plan> {
        let issuer = self.issuer_known(credential)?;
        let site = self.site(&credential.key)?;
        Some(Plan {
            renewal: issuer.forge.renewal(&site, issuer.token),
            revocation: issuer.forge.revocation(&site, issuer.token),
            issuer,
            site,
        })
    }

    /// Has the forge replace the token of `old`, and stores the new one wherever the old one is. An earlier rotation is
    /// finished first. `state`: the folder of lock and mark. `announce` is called when the forge is about to be asked: from there until this
    /// returns a loss cannot be undone, so the caller lets no signal end the process.
    pub fn rotate(
        &self,
        old: &Credential,
        (call, needs): (&Call, &[&str]),
        end: Expiry,
        state: &Path,
        announce: &mut dyn FnMut(Step<'_>),
        now: Now,
    ) -> Result<Rotated, Error> {
        let result = self.replace_at_forge(old, (call, needs), end, state, announce, now);
        if result.as_ref().is_err_and(Error::is_loss) {
            self.discard(old, now);
        }
        result
    }

    /// Removes a token that the forge has replaced by one that is lost: git must not be given it again.
    fn discard(&self, dead: &Credential, now: Now) {
        self.bury(dead, mark::Mark::Rejected, now);
        // Where it cannot be removed now, `clean` finds it.
        if let Ok(holders) = self.holders(dead) {
            holders.remove();
        }
    }

    fn replace_at_forge(
        &self,
        old: &Credential,
        (call, needs): (&Call, &[&str]),
        end: Expiry,
        state: &Path,
        announce: &mut dyn FnMut(Step<'_>),
        now: Now,
    ) -> Result<Rotated, Error> {
        let day = last_day(end, now).ok_or(Error::TooFar)?;
        let Some(token) = old.token() else {
            return Err(Error::Dead);
        };
        let lock = RotationLock::take(state)?;
        let pending = self.journal.rotations()?;
        let holders = self.holders(old)?;
        if !holders.are_of(&old.key) {
            return Err(Error::Overtaken);
        }
        if let Some(rotated) = self.catch_up(old, &pending, now)? {
            return Ok(rotated);
        }
        let asked = self.ask(old, now).1;
        if asked.is_rejection() {
            if !pending.has_begun(token) {
                return Err(self.none_but(old, Error::Dead, now));
            }
            return self.finish(old, &holders, &pending, now);
        }
        // That the old token is good proves nothing while the forge may still be at it.
        if let Some(left) = lock.guards_for(now.unix)? {
            return Err(Error::Pending(left));
        }
        let found = replaceable(asked, needs)?;
        let dead = self.journal.snapshot()?.mark_of(old);
        if let Some((mark::Mark::Rejected | mark::Mark::Superseded, _)) = dead {
            return Err(Error::Spent);
        }
        // What cannot be written must not be asked for: the old token would be dead, and the new one lost.
        if !holders.check_writable().map_err(Error::NotWritable)? {
            return Err(Error::Overtaken);
        }
        let body = format!("{{\"expires_at\":\"{day}\"}}");
        // It starts git, which Ctrl-C ends: before the announcement.
        let network = http::network_for(&call.url).map_err(Error::NotAsked)?;
        self.journal.begin_rotation(token, now.unix)?;
        lock.guard(now.unix)?;
        announce(Step::Asks(&holders.unasked));
        let answer = self.ask_for_successor(old, token, (call, &body, &network), &lock, now)?;
        let new = successor(&answer).filter(|(new, _)| !new.is_same(token));
        let Some((new, end)) = new else {
            return Err(Error::NoToken(self.aftermath(old, now)));
        };
        // With a date that is past, storages would wipe the only copy.
        let found = TokenFacts {
            end: end.after(now.unix),
            ..found
        };
        let mut until = None;
        let mut retries = |cause: &storage::Error| {
            if !cause.is_busy() {
                return false;
            }
            let until = *until.get_or_insert_with(|| {
                announce(Step::Waits(cause));
                monotonic_now().saturating_add(STORE_PATIENCE)
            });
            monotonic_now() < until
        };
        let result = self.put((&new, found), old, &holders, &mut retries, now);
        lock.end_guard();
        result
    }

    /// Asks the forge for the token that replaces `token`. The guard of `lock` stays if the outcome is unknown.
    fn ask_for_successor(
        &self,
        old: &Credential,
        token: &Secret,
        (call, body, network): (&Call, &str, &Network),
        lock: &RotationLock,
        now: Now,
    ) -> Result<HttpAnswer, Error> {
        match http::call_within(
            ANSWER_PATIENCE,
            call,
            Some(token),
            Some(body.as_bytes()),
            network,
        ) {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(answer),
            Err(error) if was_not_sent(error) => {
                self.never_asked(token, lock, now);
                Err(Error::NotAsked(error))
            }
            Ok(answer) => Err(self.refused(answer.status, old, lock, now)),
            // The mark stays, even if the old token is good: a slow forge may still be at it.
            Err(_) if self.aftermath(old, now) == Fate::Dead => Err(Error::Budget),
            Err(_) => Err(Error::Unknown),
        }
    }

    /// Stores `token` in the place of `old`, and writes down what was `found` of it.
    pub(crate) fn put(
        &self,
        (token, found): (&Secret, TokenFacts),
        old: &Credential,
        holders: &Holders<'_>,
        retries: &mut dyn FnMut(&storage::Error) -> bool,
        now: Now,
    ) -> Result<Rotated, Error> {
        let end = found.end.after(now.unix);
        let Some(old_token) = old.token() else {
            return Err(Error::Dead);
        };
        // Before it is anywhere: whoever is killed from here on leaves a word of what to look for.
        let _ = self.journal.name_successor(old_token, token, now.unix);
        // Copies of it may lie elsewhere; and whoever thanks for it from here on is too late.
        for dead in holders.kept() {
            self.bury(dead, mark::Mark::Superseded, now);
        }
        let replaced = holders.replace(token, end.expiry(), retries);
        // Whoever has begun since, and was given the old one, is too late as well.
        let dead: Vec<_> = holders.kept().map(Credential::duplicate).collect();
        self.note_gone(&dead, now);
        let Replaced {
            kept,
            left,
            displaced,
            is_settled,
        } = replaced.map_err(|cause| match cause {
            storage::Error::Unavailable { .. } if !cause.is_absence() => Error::Unheard(cause),
            cause => Error::Unstored(cause),
        })?;
        // While somebody may still have the old one the mark tells the next run what to put there.
        let is_whole = holders.are_all();
        if left.iter().all(|left| left.is_erased) && is_settled && is_whole {
            let _ = self.journal.end_rotation(old_token, now.unix);
        }
        let asked_for = kept.iter().find(|new| new.key == old.key);
        let Some(new) = asked_for.or(kept.first()).map(Credential::duplicate) else {
            return Err(Error::Displaced);
        };
        let asked = Asked::Told(TokenVerdict::Good(found));
        for new in &kept {
            // It is stored: what cannot be written down beside it is found out again.
            let _ = self.journal.learn(new, now.unix, |known| {
                known.since = Some(now.unix);
                known.end = new.expiry.map(|end| (end, ExpirySource::Forge));
            });
            let issuer = self.issuer_known(new);
            let _ = self.settle(new, issuer.as_ref(), &asked, now);
        }
        let others = kept.into_iter().map(|new| new.key);
        Ok(Rotated {
            others: others.filter(|key| *key != new.key).collect(),
            new,
            left,
            displaced,
            is_whole,
            is_settled,
            is_late: false,
            end,
        })
    }

    /// Revokes `old` by `call`, with it in the body where it does not sign. Returns whether the forge agreed.
    pub fn revoke(&self, old: &Secret, plan: &Plan) -> Result<bool, http::Error> {
        let answer = match &plan.revocation {
            Revocation::Signed(call) => {
                let network = http::network_for(&call.url)?;
                http::call(call, Some(old), None, &network)?
            }
            Revocation::Reported(call) => {
                let is_plain = |byte: &u8| byte.is_ascii_graphic() && !b"\"\\".contains(byte);
                if !old.expose().iter().all(is_plain) {
                    return Err(http::Error::Token);
                }
                let mut body = Buffer::with_capacity(64 + old.expose().len());
                body.push(b"{\"credentials\":[\"");
                body.push(old.expose());
                body.push(b"\"]}");
                let network = http::network_for(&call.url)?;
                http::call(call, None, Some(body.as_slice()), &network)?
            }
            Revocation::ByHand(_) => return Ok(false),
        };
        Ok((200..300).contains(&answer.status))
    }

    /// Why there is no new token, where the forge, or a gateway before it, answers that there is none.
    fn refused(&self, status: u16, old: &Credential, lock: &RotationLock, now: Now) -> Error {
        match (self.aftermath(old, now), old.token()) {
            (Fate::Alive, Some(token)) if is_refusal(status) => {
                self.never_asked(token, lock, now);
                Error::Refused(status)
            }
            (Fate::Dead, _) => Error::Doubtful {
                status,
                fate: Fate::Dead,
            },
            // The mark stays: a slow forge may still be at it.
            _ => Error::Doubtful {
                status,
                fate: Fate::Unknown,
            },
        }
    }

    /// The forge has replaced nothing. A record that stays makes the next rotation look twice.
    fn never_asked(&self, token: &Secret, lock: &RotationLock, now: Now) {
        let _ = self.journal.end_rotation(token, now.unix);
        lock.end_guard();
    }

    /// What has become of the old token, when the answer is lost. To look is no reuse.
    fn aftermath(&self, old: &Credential, now: Now) -> Fate {
        match self.ask(old, now).1 {
            // Whoever says yes to anything tells no scopes.
            Asked::Told(TokenVerdict::Good(found)) if found.scopes.is_some() => Fate::Alive,
            asked if asked.is_rejection() => Fate::Dead,
            _ => Fate::Unknown,
        }
    }
}

/// Answers that a forge, or what redirects to it, gives before it does anything; a gateway may give them afterwards, so the
/// old token must be good besides. 401 is none of them: the token was good just now, so somebody has used it up, be it a
/// gateway that asks twice.
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

/// The forge's description of a token that it can replace, or why it cannot. `needs`: the scopes of which one is necessary.
fn replaceable(asked: Asked, needs: &[&str]) -> Result<TokenFacts, Error> {
    let found = match asked {
        // A program that accepts every token tells no scopes.
        Asked::Told(
            TokenVerdict::Good(TokenFacts { scopes: None, .. })
            | TokenVerdict::Unclear { status: 200 },
        )
        | Asked::NotThere(_) => return Err(Error::Undescribed),
        Asked::Told(TokenVerdict::Good(found)) if found.kind.is_some() => return Err(Error::Kind),
        Asked::Told(TokenVerdict::Good(found)) => found,
        Asked::Told(TokenVerdict::Unclear { status } | TokenVerdict::Limited { status, .. }) => {
            return Err(Error::Refused(status));
        }
        Asked::Failed(error) => return Err(Error::NotAsked(error)),
        _ => return Err(Error::Refused(403)),
    };
    let lacks = |scopes: &Vec<String>| !scopes.iter().any(|has| needs.contains(&&has[..]));
    if found.scopes.as_ref().is_some_and(lacks) {
        return Err(Error::Scope(needs.join("' nor '")));
    }
    Ok(found)
}
