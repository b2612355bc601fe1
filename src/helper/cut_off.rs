//! What a rotation that was cut off has left: a dead token, and a new one that may be kept somewhere.

use std::path::Path;

use super::Helper;
use super::holders::Holders;
use super::lookup::Asked;
use super::rotate::Rotated;
use super::turn::{Mark, Turn};
use super::unrotated::Error;
use crate::credential::Credential;
use crate::forge::{Found, Told, Verdict};
use crate::storage;
use crate::time::Now;

impl Helper {
    /// Finishes an earlier rotation that has made the token of `old`, or one of the same user at that host, and is not
    /// everywhere yet. It is filed under the dead token, which the storage that is asked first may have no more.
    pub(super) fn catch_up(
        &self,
        old: &Credential,
        state: &Path,
        now: Now,
    ) -> Result<Option<Rotated>, Error> {
        let new = self.journal.name_of(old, now.wall)?;
        for (_, kept) in self.kept_at(&old.key, &Credential::is_complete) {
            let Some(name) = self.journal.name_of(&kept, now.wall)? else {
                continue;
            };
            let mark = Turn::peek(state, &name)?;
            let Some(successor) = mark.and_then(|mark| mark.successor) else {
                continue;
            };
            let is_of_user = kept.key.username == old.key.username;
            let is_wanted = is_of_user || new.as_ref() == Some(&successor);
            if !is_wanted || self.named(&successor, &kept.key, now.wall).is_err() {
                continue;
            }
            let turn = Turn::take(state, &name)?;
            // Somebody else may have done it meanwhile.
            let holders = self.holders(&kept)?;
            let Some(mark) = turn.left()?.filter(|_| holders.are_of(&kept.key)) else {
                continue;
            };
            match self.finish(&mark, &kept, &holders, turn, now) {
                // What an earlier rotation has made of another token, and is dead, helps nobody.
                Err(Error::Dead) if !kept.has_token_of(old) => {}
                finished => return finished.map(Some),
            }
        }
        Ok(None)
    }

    /// What a rotation that was cut off has stored somewhere goes wherever the dead one still is.
    pub(super) fn finish(
        &self,
        mark: &Mark,
        old: &Credential,
        holders: &Holders<'_>,
        turn: Turn,
        now: Now,
    ) -> Result<Rotated, Error> {
        let Some(name) = mark.successor.as_deref() else {
            return Err(self.none_but(old, Error::CutOff, now));
        };
        let new = self.named(name, &old.key, now.wall);
        let new = new.map_err(|silent| {
            silent.map_or_else(|| self.none_but(old, Error::CutOff, now), Error::Silent)
        })?;
        let found = match self.ask(&new, now).1 {
            Asked::Told(Verdict::Good(found)) => found,
            Asked::Told(Verdict::Ended | Verdict::Revoked | Verdict::Rejected) => {
                return Err(self.none_but(old, Error::Dead, now));
            }
            Asked::Failed(error) => return Err(Error::Unsettled(Some(error))),
            _ => return Err(Error::Unsettled(None)),
        };
        let token = new.token().ok_or(Error::CutOff)?;
        let found = Found {
            end: new.expiry.map_or(found.end, Told::At),
            ..found
        };
        // It lasts somewhere already: the next run can wait for who holds the rest.
        let mut retries = |_: &storage::Error| false;
        let rotated = self.put((token, found), old, holders, turn, &mut retries, now)?;
        Ok(Rotated {
            is_late: true,
            ..rotated
        })
    }

    /// `error`, which says that only a new token helps, unless another storage or entry of the same user has one that the
    /// forge takes: without the journal nobody knows that one came from the other.
    pub(super) fn none_but(&self, old: &Credential, error: Error, now: Now) -> Error {
        let is_of_user =
            |kept: &Credential| kept.is_complete() && kept.key.username == old.key.username;
        let kept = self.kept_at(&old.key, &is_of_user);
        let dead = kept.iter().find(|(_, kept)| kept.has_token_of(old));
        let mut others = kept.iter().filter(|(_, kept)| !kept.has_token_of(old));
        let good = others.find(|(_, other)| {
            let asked = self.ask(other, now).1;
            matches!(asked, Asked::Told(Verdict::Good(_)))
        });
        match (dead, good) {
            (Some(&(dead, _)), Some(&(good, _))) => Error::Elsewhere { dead, good },
            _ => error,
        }
    }
}
