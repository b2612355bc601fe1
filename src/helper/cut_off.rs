//! What a rotation that was cut off has left: a dead token, and a new one that may be kept somewhere.

use super::Helper;
use super::holders::Holders;
use super::lookup::Asked;
use super::rotate::Rotated;
use super::turn::{Mark, Turn};
use super::unrotated::Error;
use crate::credential::Credential;
use crate::forge::{Found, Told, Verdict};
use crate::time::Now;

impl Helper {
    /// What a rotation that was cut off has stored somewhere goes wherever the dead one still is.
    pub(super) fn finish(
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
}
