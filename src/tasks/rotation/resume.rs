//! What a rotation that was cut off has left: a dead token, and a new one that may be kept somewhere.

use super::Rotated;
use super::entries::Holders;
use super::failure::Error;
use crate::credential::Credential;
use crate::forge::{ForgeExpiry, TokenFacts, TokenVerdict};
use crate::helper::Helper;
use crate::helper::lookup::request::Asked;
use crate::journal::pending::PendingRotations;
use crate::storage;
use crate::time::Now;

impl Helper {
    /// Finishes an earlier rotation that has made the token of `new`, and is not everywhere yet. It is filed under the dead
    /// token, which the storage that is asked first may have no more.
    pub(crate) fn catch_up(
        &self,
        new: &Credential,
        pending: &PendingRotations,
        now: Now,
    ) -> Result<Option<Rotated>, Error> {
        let Some(token) = new.token().filter(|token| pending.has_made(token)) else {
            return Ok(None);
        };
        let is_dead = |kept: &Credential| {
            let kept = kept.token();
            kept.is_some_and(|kept| pending.has_made_from(kept, token))
        };
        let (kept, silent) = self.kept_at(&new.key, &is_dead);
        match (kept.first(), silent) {
            (Some((_, dead)), _) => {
                let holders = self.holders(dead)?;
                self.finish(dead, &holders, pending, now).map(Some)
            }
            // To ask for another one would leave that storage behind for good.
            (None, Some(cause)) => Err(Error::Unfinished(cause)),
            (None, None) => Ok(None),
        }
    }

    /// What a rotation that was cut off has stored somewhere goes wherever the dead one still is.
    pub(crate) fn finish(
        &self,
        old: &Credential,
        holders: &Holders<'_>,
        pending: &PendingRotations,
        now: Now,
    ) -> Result<Rotated, Error> {
        let is_new = |kept: &Credential| {
            let both = old.token().zip(kept.token());
            both.is_some_and(|(old, kept)| pending.has_made_from(old, kept))
        };
        let (mut kept, silent) = self.kept_at(&old.key, &is_new);
        let new = match (kept.pop(), silent) {
            (Some((_, new)), _) => new,
            (None, Some(cause)) => return Err(Error::Silent(cause)),
            (None, None) => return Err(self.none_but(old, Error::CutOff, now)),
        };
        let found = match self.ask(&new, now).1 {
            Asked::Told(TokenVerdict::Good(found)) if found.scopes.is_some() => found,
            asked if asked.is_rejection() => {
                return Err(self.none_but(old, Error::Dead, now));
            }
            Asked::Failed(error) => return Err(Error::Unsettled(Some(error))),
            _ => return Err(Error::Unsettled(None)),
        };
        let token = new.token().ok_or(Error::CutOff)?;
        // The kept date counts unless it is past: the forge has just accepted the token.
        let kept = new
            .expiry
            .map_or(ForgeExpiry::Unknown, ForgeExpiry::At)
            .after(now.unix);
        let found = TokenFacts {
            end: kept.expiry().map_or(found.end, ForgeExpiry::At),
            ..found
        };
        // It lasts somewhere already: the next run can wait for who holds the rest.
        let mut retries = |_: &storage::Error| false;
        let rotated = self.put((token, found), old, holders, &mut retries, now)?;
        Ok(Rotated {
            is_late: true,
            ..rotated
        })
    }

    /// `error`, which says that only a new token helps, unless another storage or entry of the same user has one that the
    /// forge takes: without the journal nobody knows that one came from the other.
    pub(crate) fn none_but(&self, old: &Credential, error: Error, now: Now) -> Error {
        let is_of_user =
            |kept: &Credential| kept.is_complete() && kept.key.username == old.key.username;
        let (kept, _) = self.kept_at(&old.key, &is_of_user);
        let dead = kept.iter().find(|(_, kept)| kept.has_token_of(old));
        let mut others = kept.iter().filter(|(_, kept)| !kept.has_token_of(old));
        let good = others.find(|(_, other)| {
            let asked = self.ask(other, now).1;
            matches!(asked, Asked::Told(TokenVerdict::Good(_)))
        });
        match (dead, good) {
            (Some(&(dead, _)), Some(&(good, _))) => Error::Elsewhere { dead, good },
            _ => error,
        }
    }
}
