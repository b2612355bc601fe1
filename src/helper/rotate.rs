//! Rotation: a token that its forge replaces by another, and that is dead at once. The new one is stored before anything
//! else; a lock lets one process rotate at a time; and no call is ever repeated, for the reuse of a dead token revokes its
//! whole family (`doc/api/personal_access_tokens.md` in gitlabhq/gitlabhq).

use std::borrow::Cow;
use std::path::Path;

use serde::Deserialize;

use super::Helper;
use super::forges::Issuer;
use super::holders::{Holders, Left, Replaced};
use super::lookup::Asked;
use super::notice::Notice;
use super::turn::{Mark, Turn};
use crate::credential::Credential;
use crate::credential::expiry::{End, Expiry, Source};
use crate::credential::key::Key;
use crate::forge::lookup;
use crate::forge::{Answer, Call, Found, Renewal, Revocation, Site, Told, Verdict};
use crate::journal;
use crate::network::Network;
use crate::private;
use crate::secret::{Buffer, Secret};
use crate::storage;
use crate::time::Now;

const DAY: u64 = 86_400;

/// Why there is no new token in the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A storage that cannot be used: found out before the forge was asked.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// The lock, or the mark of what is going on.
    #[error(transparent)]
    Private(#[from] private::Error),
    /// Without the journal nobody could tell whether another process is at it.
    #[error("the token was not rotated")]
    Journal(#[from] journal::Error),
    /// Somebody else was faster.
    #[error("another process has replaced this token just now: nothing was done")]
    Overtaken,
    /// The old one is dead, and was before.
    #[error("the kept token is dead: only a new one helps")]
    Dead,
    /// An earlier rotation ended between the forge's answer and the store.
    #[error("an earlier rotation was cut off: the kept token is dead, and its successor was lost")]
    CutOff,
    /// It may not.
    #[error("the token may not rotate itself: it has neither the scope {0}")]
    Scope(String),
    /// The forge said no; nothing has changed.
    #[error("the forge answers {0}: the kept token was not rotated")]
    Refused(u16),
    /// It was never asked.
    #[error("the kept token was not rotated")]
    NotAsked(#[source] lookup::Error),
    /// It did, and we do not know the new token.
    #[error("the forge's answer was lost: the kept token is dead now")]
    Lost,
    /// Nobody knows.
    #[error("the forge's answer was lost: the kept token may be dead now")]
    Unknown,
    /// It said yes, and what came with it is no token.
    #[error("the forge answered without a new token: the kept one {}", .0.words())]
    NoToken(Fate),
    /// Asked before the forge is.
    #[error(
        "the token is kept where nothing can be written now: it was not rotated, and nothing has changed"
    )]
    NotWritable(#[source] storage::Error),
    /// The store refused what it had promised to take.
    #[error("the new token could not be stored, and is lost: the kept one is dead now")]
    Unstored(#[source] storage::Error),
}

/// What has become of the old token, as its forge tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is taken all the same.
    Alive,
    /// It is taken no longer.
    Dead,
    /// Nobody can tell.
    Unknown,
}

impl Fate {
    fn words(self) -> &'static str {
        match self {
            Self::Alive => "is still taken",
            Self::Dead => "is dead now",
            Self::Unknown => "may be dead now",
        }
    }
}

impl Error {
    /// Whether only a new token from the forge's page helps.
    pub fn needs_login(&self) -> bool {
        matches!(
            self,
            Self::Dead
                | Self::CutOff
                | Self::Lost
                | Self::NoToken(Fate::Dead)
                | Self::Scope(_)
                | Self::Unstored(_)
        )
    }

    /// Whether it has to be found out whether the kept token is good.
    pub fn is_doubtful(&self) -> bool {
        matches!(self, Self::Unknown | Self::NoToken(Fate::Unknown))
    }
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

    /// Has the forge replace the token of `old`, and stores the new one wherever the old one is. `state`: the folder of lock
    /// and mark. `announce` is called, with who could not be asked, when the forge is about to be: from there until this
    /// returns a loss cannot be undone, so the caller lets no signal end the process.
    pub fn rotate(
        &self,
        old: &Credential,
        (call, needs): (&Call, &[&str]),
        end: Expiry,
        state: &Path,
        announce: &mut dyn FnMut(&[Notice]),
        now: Now,
    ) -> Result<Rotated, Error> {
        let name = self.journal.name_of(old, now.wall)?.ok_or(Error::Dead)?;
        let turn = Turn::take(state, &name)?;
        let holders = self.holders(old)?;
        if !holders.are_of(&old.key) {
            return Err(Error::Overtaken);
        }
        let cut_off = turn.left()?;
        let asked = self.ask(old, now).1;
        let found = match asked {
            Asked::Told(Verdict::Good(found)) => found,
            Asked::Told(Verdict::Ended | Verdict::Revoked | Verdict::Rejected) => {
                let Some(mark) = cut_off else {
                    return Err(Error::Dead);
                };
                return self.finish(&mark, old, &holders, turn, now);
            }
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
        let body = format!("{{\"expires_at\":\"{}\"}}", day_after(end));
        // It starts git, which Ctrl-C ends: before the announcement.
        let network = Network::as_git_has_it(Site::of(&old.key).as_ref().map_or("", Site::host));
        turn.mark()?;
        announce(&holders.unasked);
        let answer = match lookup::call(call, Some(token), Some(body.as_bytes()), &network) {
            Ok(answer) if matches!(answer.status, 200 | 201) => answer,
            Ok(answer) if is_refusal(answer.status) => {
                turn.unmark();
                return Err(Error::Refused(answer.status));
            }
            Err(error) if was_not_sent(error) => {
                turn.unmark();
                return Err(Error::NotAsked(error));
            }
            // That the old token is good now proves nothing: a slow forge may still be at it. The mark stays.
            _ if self.aftermath(old, now) == Fate::Dead => return Err(Error::Lost),
            _ => return Err(Error::Unknown),
        };
        let Some((token, end)) = successor(&answer) else {
            let fate = self.aftermath(old, now);
            if fate == Fate::Alive {
                turn.unmark();
            }
            return Err(Error::NoToken(fate));
        };
        let found = Found {
            end: end.map_or(Told::Unknown, Told::At),
            ..found
        };
        self.put(&token, found, old, &holders, turn, now)
    }

    /// What a rotation that was cut off has stored somewhere goes wherever the dead one still is.
    fn finish(
        &self,
        mark: &Mark,
        old: &Credential,
        holders: &Holders<'_>,
        turn: Turn,
        now: Now,
    ) -> Result<Rotated, Error> {
        let name = mark.successor.as_deref().ok_or(Error::CutOff)?;
        let new = self.named(name, &old.key, now.wall).ok_or(Error::CutOff)?;
        let (Asked::Told(Verdict::Good(found)), Some(token)) = (self.ask(&new, now).1, new.token())
        else {
            return Err(Error::CutOff);
        };
        let found = Found {
            end: new.expiry.map_or(found.end, Told::At),
            ..found
        };
        let rotated = self.put(token, found, old, holders, turn, now)?;
        Ok(Rotated {
            is_late: true,
            ..rotated
        })
    }

    /// Stores `token` in the place of `old`, and writes down what was `found` of it.
    fn put(
        &self,
        token: &Secret,
        found: Found,
        old: &Credential,
        holders: &Holders<'_>,
        turn: Turn,
        now: Now,
    ) -> Result<Rotated, Error> {
        let end = match found.end {
            Told::At(end) => Some(end),
            Told::Never | Told::Unknown => None,
        };
        let note = |new: &Credential| {
            if let Ok(Some(name)) = self.journal.name_of(new, now.wall) {
                turn.name_successor(&name);
            }
        };
        let replaced = holders.replace(token, end, &note);
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
        self.bury(old, journal::fate::Fate::Superseded, now);
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

/// Answers that a forge, or what redirects to it, gives before it does anything. A gateway may give others afterwards.
fn is_refusal(status: u16) -> bool {
    (300..400).contains(&status) || matches!(status, 400 | 401 | 403 | 404 | 405 | 422 | 429)
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

/// The day at whose start a token ends that is to be good until `end`: rounded up, for it is never to live shorter.
fn day_after(end: Expiry) -> String {
    let midnight = end.unix().div_ceil(DAY).saturating_mul(DAY);
    let moment = Expiry::from_unix(midnight).unwrap_or(end);
    moment
        .rfc3339()
        .unwrap_or_default()
        .chars()
        .take(10)
        .collect()
}
