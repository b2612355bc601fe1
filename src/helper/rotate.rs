//! Rotation: a token that its forge replaces by another, and that is dead at once. The new one is stored before anything
//! else; a lock lets one process rotate at a time; and no call is ever repeated, for the reuse of a dead token revokes its
//! whole family (`doc/api/personal_access_tokens.md` in gitlabhq/gitlabhq).

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::Helper;
use super::forges::Issuer;
use super::holders::{Holders, Left, Replaced};
use super::lookup::Asked;
use super::notice::Notice;
use super::turn::Turn;
use super::unrotated::{Error, Fate};
use crate::credential::Credential;
use crate::credential::expiry::{End, Expiry, Source};
use crate::credential::key::Key;
use crate::forge::lookup;
use crate::forge::{Answer, Call, Found, Renewal, Revocation, Site, Told, Verdict};
use crate::journal::fate;
use crate::network::Network;
use crate::platform::boot_time;
use crate::secret::{Buffer, Secret};
use crate::storage;
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
    pub site: Site,
    /// By a call, or by hand.
    pub renewal: Renewal,
    /// How the old one goes.
    pub revocation: Revocation,
}

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    token: Cow<'a, str>,
    #[serde(borrow)]
    expires_at: Option<Cow<'a, str>>,
}

/// What came of it: the new token is kept.
pub struct Rotated {
    /// Under the key that was asked for, or another of its host.
    pub new: Credential,
    /// The other entries of the host that had the same token, and have the new one.
    pub others: Vec<Key>,
    /// Where it could not be put.
    pub left: Vec<Left>,
    /// Whether it lasts where the old one did. Until then the mark of the rotation stays.
    pub is_settled: bool,
    /// An earlier rotation made it, and was cut off before it was everywhere.
    pub is_late: bool,
}

impl Helper {
    /// How `credential` is renewed; `None`: nobody knows its forge.
    pub fn plan(&self, credential: &Credential) -> Option<Plan> {
        let issuer = self.issuer_known(credential)?;
        let site = Site::of(&credential.key)?;
        Some(Plan {
            renewal: issuer.forge.renewal(&site, issuer.token),
            revocation: issuer.forge.revocation(&site, issuer.token),
            issuer,
            site,
        })
    }

    /// Has the forge replace the token of `old`, unless an earlier rotation is to be finished first, and stores the new one wherever the old one is. `state`: the folder of lock
    /// and mark. `announce` is called when the forge is about to be asked: from there until this
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
        if let Some(rotated) = self.catch_up(old, state, now)? {
            return Ok(rotated);
        }
        let name = self.journal.name_of(old, now.wall)?.ok_or(Error::Dead)?;
        let turn = Turn::take(state, &name)?;
        let holders = self.holders(old)?;
        if !holders.are_of(&old.key) {
            return Err(Error::Overtaken);
        }
        let cut_off = turn.left()?;
        let asked = self.ask(old, now).1;
        if let Asked::Told(Verdict::Ended | Verdict::Revoked | Verdict::Rejected) = asked {
            let Some(mark) = cut_off else {
                return Err(self.none_but(old, Error::Dead, now));
            };
            return self.finish(&mark, old, &holders, turn, now);
        }
        // That the old token is good proves nothing while the forge may still be at it.
        if let Some(left) = cut_off.and_then(|mark| mark.is_open_for(now.wall)) {
            return Err(Error::Pending(left));
        }
        let found = match asked {
            Asked::Told(Verdict::Good(found)) => found,
            Asked::Told(Verdict::Unclear { status }) => return Err(Error::Refused(status)),
            Asked::Failed(error) => return Err(Error::NotAsked(error)),
            _ => return Err(Error::Refused(403)),
        };
        let lacks = |scopes: &Vec<String>| !scopes.iter().any(|has| needs.contains(&&has[..]));
        if found.scopes.as_ref().is_some_and(lacks) {
            return Err(Error::Scope(needs.join("' nor '")));
        }
        let Some(token) = old.token() else {
            return Err(Error::Dead);
        };
        // What cannot be written must not be asked for: the old token would be dead, and the new one lost.
        if !holders.rehearse().map_err(Error::NotWritable)? {
            return Err(Error::Overtaken);
        }
        let body = format!("{{\"expires_at\":\"{}\"}}", last_day(end, now));
        // It starts git, which Ctrl-C ends: before the announcement.
        let network = Network::as_git_has_it(Site::of(&old.key).as_ref().map_or("", Site::host));
        turn.mark(now.wall)?;
        announce(Step::Asks(&holders.unasked));
        let answer = match lookup::call_within(
            ANSWER_PATIENCE,
            call,
            Some(token),
            Some(body.as_bytes()),
            &network,
        ) {
            Ok(answer) if matches!(answer.status, 200 | 201) => answer,
            Ok(answer) if is_refusal(answer.status) => {
                turn.unmark();
                return Err(Error::Refused(answer.status));
            }
            Err(error) if was_not_sent(error) => {
                turn.unmark();
                return Err(Error::NotAsked(error));
            }
            // The mark stays from here on, even if the old token is good: a slow forge may still be at it.
            Ok(answer) => {
                let fate = match self.aftermath(old, now) {
                    Fate::Dead => Fate::Dead,
                    Fate::Alive | Fate::Unknown => Fate::Unknown,
                };
                return Err(Error::Doubtful {
                    status: answer.status,
                    fate,
                });
            }
            Err(_) if self.aftermath(old, now) == Fate::Dead => return Err(Error::Lost),
            Err(_) => return Err(Error::Unknown),
        };
        let Some((token, end)) = successor(&answer) else {
            return Err(Error::NoToken(self.aftermath(old, now)));
        };
        let found = Found {
            end: end.map_or(Told::Unknown, Told::At),
            ..found
        };
        let mut until = None;
        let mut retries = |cause: &storage::Error| {
            if !cause.is_busy() {
                return false;
            }
            let until = *until.get_or_insert_with(|| {
                announce(Step::Waits(cause));
                boot_time().saturating_add(STORE_PATIENCE)
            });
            boot_time() < until
        };
        self.put((&token, found), old, &holders, turn, &mut retries, now)
    }

    /// Stores `token` in the place of `old`, and writes down what was `found` of it.
    pub(super) fn put(
        &self,
        (token, found): (&Secret, Found),
        old: &Credential,
        holders: &Holders<'_>,
        turn: Turn,
        retries: &mut dyn FnMut(&storage::Error) -> bool,
        now: Now,
    ) -> Result<Rotated, Error> {
        let end = match found.end {
            Told::At(end) => Some(end),
            Told::Never | Told::Unknown => None,
        };
        // Before it is anywhere: whoever is killed from here on leaves a word of what to look for.
        if let Ok(Some(name)) = self.journal.name_of(&old.with_token(token, end), now.wall) {
            turn.name_successor(&name, now.wall);
        }
        let replaced = holders.replace(token, end, retries);
        let Replaced {
            kept,
            left,
            is_settled,
        } = replaced.map_err(Error::Unstored)?;
        // While somebody still has the old one the mark tells the next run what to put there.
        if left.iter().all(|left| left.is_erased) && is_settled {
            turn.end();
        }
        // Copies of it may lie elsewhere.
        self.bury(old, fate::Fate::Superseded, now);
        let asked = Asked::Told(Verdict::Good(found));
        for new in &kept {
            // It is stored: what cannot be written down beside it is found out again.
            let _ = self.journal.learn(new, now.wall, |known| {
                known.since = Some(now.wall);
                known.end = new.expiry.map(|end| (end, Source::Forge));
            });
            let issuer = self.issuer_known(new);
            let _ = self.settle(new, issuer.as_ref(), &asked, now);
        }
        let others = kept.iter().map(|new| new.key.clone());
        Ok(Rotated {
            new: old.with_token(token, end),
            others: others.filter(|key| *key != old.key).collect(),
            left,
            is_settled,
            is_late: false,
        })
    }

    /// Revokes `old` by `call`, with it in the body where it does not sign. Returns whether the forge agreed.
    pub fn revoke(&self, old: &Secret, plan: &Plan) -> Result<bool, lookup::Error> {
        let network = Network::as_git_has_it(plan.site.host());
        let answer = match &plan.revocation {
            Revocation::Signed(call) => lookup::call(call, Some(old), None, &network)?,
            Revocation::Reported(call) => {
                let is_plain = |byte: &u8| byte.is_ascii_graphic() && !b"\"\\".contains(byte);
                if !old.expose().iter().all(is_plain) {
                    return Err(lookup::Error::Token);
                }
                let mut body = Buffer::with_capacity(64 + old.expose().len());
                body.push(b"{\"credentials\":[\"");
                body.push(old.expose());
                body.push(b"\"]}");
                lookup::call(call, None, Some(body.as_slice()), &network)?
            }
            Revocation::ByHand(_) => return Ok(false),
        };
        Ok((200..300).contains(&answer.status))
    }

    /// What has become of the old token, when the answer is lost. To look is no reuse.
    fn aftermath(&self, old: &Credential, now: Now) -> Fate {
        match self.ask(old, now).1 {
            // Whoever says yes to anything tells no scopes.
            Asked::Told(Verdict::Good(found)) if found.scopes.is_some() => Fate::Alive,
            Asked::Told(Verdict::Revoked | Verdict::Ended | Verdict::Rejected) => Fate::Dead,
            _ => Fate::Unknown,
        }
    }
}

/// Answers that a forge, or what redirects to it, gives before it does anything. A gateway may give others afterwards. 401 is
/// none of them: the token was good just now, so somebody has used it up, be it a gateway that asks twice.
fn is_refusal(status: u16) -> bool {
    (300..400).contains(&status) || matches!(status, 400 | 403 | 404 | 405 | 422 | 429)
}

/// Errors from before the first byte of the request.
fn was_not_sent(error: lookup::Error) -> bool {
    matches!(
        error,
        lookup::Error::Certificate(_)
            | lookup::Error::Authorities
            | lookup::Error::Address
            | lookup::Error::Token
            | lookup::Error::LeftOut
    )
}

/// The new token and its end.
fn successor(answer: &Answer) -> Option<(Secret, Option<Expiry>)> {
    let Said { token, expires_at } = serde_json::from_slice(answer.body.as_slice()).ok()?;
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    // Its last day begins at 00:00 UTC, and then it is over.
    let end = expires_at
        .and_then(|day| End::parse(&format!("{day}T00:00:00Z")).ok())
        .and_then(|end| end.expiry(0));
    is_token.then(|| (Secret::new(token.as_bytes()), end))
}

/// The day at whose start a token may end that is to be good until `end`. As many days as GitLab allows at most are not made
/// more by the hours that are left of today (Personal access tokens, Access token expiration).
fn last_day(end: Expiry, now: Now) -> String {
    const DAY: u64 = 24 * 60 * 60;
    let days = end.unix().div_ceil(DAY);
    let most = now.wall / DAY + 365;
    let is_allowed = end.unix().saturating_sub(now.wall) <= 365 * DAY;
    let days = if is_allowed { days.min(most) } else { days };
    let day = Expiry::from_unix(days.saturating_mul(DAY)).and_then(Expiry::rfc3339);
    day.unwrap_or_default().chars().take(10).collect()
}
