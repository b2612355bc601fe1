//! Who keeps a token that is about to be replaced: every storage that can be asked, and there every entry of its host, for
//! the forge knows the token and not under whose name it is kept.

use super::Helper;
use super::notice::Notice;
use crate::credential::Credential;
use crate::credential::description::Description;
use crate::credential::expiry::Expiry;
use crate::credential::key::Key;
use crate::secret::Secret;
use crate::storage::{Error, Kind, Storage};

/// An entry that holds the token.
struct Holder<'a> {
    storage: &'a dyn Storage,
    kept: Credential,
}

/// All entries that hold it.
pub(super) struct Holders<'a> {
    /// Those that forget come last: of a process that is cut off the lasting ones have the new token.
    all: Vec<Holder<'a>>,
    /// Storages without it.
    others: Vec<&'a dyn Storage>,
    /// Storages that could not be asked, and may hold it.
    pub(super) unasked: Vec<Notice>,
}

/// An entry that did not take the new token.
#[derive(Debug)]
pub struct Left {
    /// Whose.
    pub key: Key,
    /// Where.
    pub kind: Kind,
    /// Why.
    pub cause: Error,
    /// Whether the old one is gone from there; if not, it is still answered with.
    pub is_erased: bool,
}

/// Where the new token is, and where it is not.
pub(super) struct Replaced {
    /// As it is kept, each entry once.
    pub(super) kept: Vec<Credential>,
    pub(super) left: Vec<Left>,
    /// Whether it lasts where the old one did.
    pub(super) is_settled: bool,
}

impl Helper {
    /// Every entry with the token of `old`.
    pub(super) fn holders(&self, old: &Credential) -> Result<Holders<'_>, Error> {
        let mut holders = Holders {
            all: Vec::new(),
            others: Vec::new(),
            unasked: Vec::new(),
        };
        for storage in &self.storages {
            let storage = &**storage;
            let (kept, unasked) = entries(storage, &old.key, &|kept| kept.has_token_of(old))?;
            if kept.is_empty() {
                holders.others.push(storage);
            }
            let kept = kept.into_iter();
            holders
                .all
                .extend(kept.map(|kept| Holder { storage, kept }));
            let notice = unasked.and_then(|cause| self.passed_over(cause));
            holders.unasked.extend(notice);
        }
        holders.all.sort_by_key(Holder::forgets);
        Ok(holders)
    }

    /// What is kept at the host of `key` with the token that the journal calls `name`; if there is none, why one may be
    /// there all the same.
    pub(super) fn named(
        &self,
        name: &str,
        key: &Key,
        wall: u64,
    ) -> Result<Credential, Option<Error>> {
        let is_it = |kept: &Credential| {
            let called = self.journal.name_of(kept, wall);
            called.is_ok_and(|called| called.as_deref() == Some(name))
        };
        let mut silent = None;
        for storage in &self.storages {
            let cause = match entries(&**storage, key, &is_it) {
                Ok((mut kept, unasked)) => match kept.pop() {
                    Some(kept) => return Ok(kept),
                    None => unasked.filter(|cause| !cause.is_absence()),
                },
                Err(cause) => Some(cause),
            };
            silent = silent.or(cause);
        }
        Err(silent)
    }

    /// Every entry of the host of `key` that is meant, with where it is.
    pub(super) fn kept_at(
        &self,
        key: &Key,
        is_meant: &dyn Fn(&Credential) -> bool,
    ) -> Vec<(Kind, Credential)> {
        let mut all = Vec::new();
        for storage in &self.storages {
            // One that says nothing now is heard of when it is to be written.
            if let Ok((kept, _)) = entries(&**storage, key, is_meant) {
                all.extend(kept.into_iter().map(|kept| (storage.kind(), kept)));
            }
        }
        all
    }
}

impl Replaced {
    fn keep(&mut self, new: Credential) {
        if self.kept.iter().all(|other| other.key != new.key) {
            self.kept.push(new);
        }
    }
}

impl Holder<'_> {
    fn forgets(&self) -> bool {
        self.storage.kind() == Kind::Memory
    }
}

impl Holders<'_> {
    /// Whether it is still kept under this very key.
    pub(super) fn are_of(&self, key: &Key) -> bool {
        self.all.iter().any(|holder| holder.kept.key == *key)
    }

    /// Fails if one of them could not take another token now: it would go on answering with the dead one. Returns whether
    /// all of them still have it.
    pub(super) fn rehearse(&self) -> Result<bool, Error> {
        for holder in &self.all {
            if !holder.storage.rehearse(&holder.kept)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Puts `token` in the place of the old one. One that fails is tried again while `retries` says so, when all others have had
    /// their turn. What cannot take it loses the old one, if it lets go of that. Fails if no storage at all keeps the new one.
    pub(super) fn replace(
        &self,
        token: &Secret,
        end: Option<Expiry>,
        retries: &mut dyn FnMut(&Error) -> bool,
    ) -> Result<Replaced, Error> {
        let mut replaced = Replaced {
            kept: Vec::new(),
            left: Vec::new(),
            is_settled: true,
        };
        let (mut lasts, mut should_last) = (false, false);
        let mut failed = Vec::new();
        for holder in &self.all {
            should_last |= !holder.forgets();
            let new = holder.kept.with_token(token, end);
            match holder.storage.store(&new) {
                Ok(()) => {
                    lasts |= !holder.forgets();
                    replaced.keep(new);
                }
                Err(cause) => failed.push((holder, new, cause)),
            }
        }
        for (holder, new, cause) in failed {
            match try_again(holder.storage, &new, cause, retries) {
                Ok(()) => {
                    lasts |= !holder.forgets();
                    replaced.keep(new);
                }
                Err(cause) => replaced.left.push(Left {
                    key: new.key,
                    kind: holder.storage.kind(),
                    cause,
                    is_erased: holder
                        .storage
                        .erase(&holder.kept.as_refused())
                        .is_ok_and(|count| count > 0),
                }),
            }
        }
        if replaced.kept.is_empty() {
            lasts = self.rescue(token, end, &mut replaced);
        }
        replaced.is_settled = lasts || !should_last;
        match replaced.left.pop() {
            Some(left) if replaced.kept.is_empty() => return Err(left.cause),
            left => replaced.left.extend(left),
        }
        Ok(replaced)
    }

    /// Rather anywhere than nowhere. Returns whether it lasts there.
    fn rescue(&self, token: &Secret, end: Option<Expiry>, replaced: &mut Replaced) -> bool {
        let Some(first) = self.all.first() else {
            return false;
        };
        let new = first.kept.with_token(token, end);
        let mut others = self.others.clone();
        others.sort_by_key(|storage| storage.kind() == Kind::Memory);
        let mut others = others.into_iter();
        let Some(storage) = others.find(|storage| storage.store(&new).is_ok()) else {
            return false;
        };
        replaced.kept.push(new);
        storage.kind() != Kind::Memory
    }
}

/// Stores `new`, which failed for `cause`, as long as `retries` says so.
fn try_again(
    storage: &dyn Storage,
    new: &Credential,
    mut cause: Error,
    retries: &mut dyn FnMut(&Error) -> bool,
) -> Result<(), Error> {
    while retries(&cause) {
        match storage.store(new) {
            Ok(()) => return Ok(()),
            Err(next) => cause = next,
        }
    }
    Err(cause)
}

/// Those of `storage` at the host of `wanted` that are meant, its own first, and why it did not tell of all.
fn entries(
    storage: &dyn Storage,
    wanted: &Key,
    is_meant: &dyn Fn(&Credential) -> bool,
) -> Result<(Vec<Credential>, Option<Error>), Error> {
    let (mut kept, mut unasked) = (Vec::new(), None);
    let mut keys = vec![wanted.clone()];
    match storage.list() {
        Ok(all) => {
            for listed in all {
                let is_same_host = listed.key.host.eq_ignore_ascii_case(&wanted.host);
                if is_same_host && !keys.contains(&listed.key) {
                    keys.push(listed.key);
                }
            }
        }
        Err(cause @ Error::Unavailable { .. }) => unasked = Some(cause),
        Err(cause) => return Err(cause),
    }
    for key in keys {
        match storage.get(&Description::exactly(&key)) {
            Ok(found) => kept.extend(found.filter(is_meant)),
            Err(cause @ Error::Unavailable { .. }) => {
                unasked.get_or_insert(cause);
            }
            Err(cause) => return Err(cause),
        }
    }
    Ok((kept, unasked))
}
