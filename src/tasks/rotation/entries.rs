//! Who keeps a token that is about to be replaced: every storage that can be asked, and there every entry of its host, for
//! the forge knows the token and not under whose name it is kept.

use crate::credential::Credential;
use crate::credential::expiry::Expiry;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::helper::Helper;
use crate::helper::notice::Notice;
use crate::secret::Secret;
use crate::storage::{Error, Storage, StorageKind};

/// An entry that holds the token.
struct Holder<'a> {
    storage: &'a dyn Storage,
    kept: Credential,
}

/// All entries that hold it.
pub(crate) struct Holders<'a> {
    /// Those that forget come last: of a process that is cut off the lasting ones have the new token.
    all: Vec<Holder<'a>>,
    /// Storages without it.
    others: Vec<&'a dyn Storage>,
    /// Storages that could not be asked, and may hold it.
    pub(crate) unasked: Vec<Notice>,
}

/// An entry that did not take the new token.
#[derive(Debug)]
pub struct Left {
    /// Whose.
    pub key: Key,
    /// Where.
    pub kind: StorageKind,
    /// Why.
    pub cause: Error,
    /// Whether the old one is gone from there; if not, it is still answered with.
    pub is_erased: bool,
}

/// Where the new token is, and where it is not.
pub(crate) struct Replaced {
    /// As it is kept, each entry once.
    pub(crate) kept: Vec<Credential>,
    pub(crate) left: Vec<Left>,
    /// These were given another token meanwhile, and keep it.
    pub(crate) displaced: Vec<(StorageKind, Key)>,
    /// Whether it lasts where the old one did.
    pub(crate) is_settled: bool,
}

impl Helper {
    /// Every entry with the token of `old`.
    pub(crate) fn holders(&self, old: &Credential) -> Result<Holders<'_>, Error> {
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

    /// Every entry of the host of `key` that is meant, with where it is; and why there may be more.
    pub(crate) fn kept_at(
        &self,
        key: &Key,
        is_meant: &dyn Fn(&Credential) -> bool,
    ) -> (Vec<(StorageKind, Credential)>, Option<Error>) {
        let (mut all, mut silent) = (Vec::new(), None);
        for storage in &self.storages {
            let cause = match entries(&**storage, key, is_meant) {
                Ok((kept, cause)) => {
                    all.extend(kept.into_iter().map(|kept| (storage.kind(), kept)));
                    cause.filter(|cause| !cause.is_absence())
                }
                Err(cause) => Some(cause),
            };
            silent = silent.or(cause);
        }
        (all, silent)
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
        self.storage.kind() == StorageKind::Memory
    }

    fn with(&self, token: &Secret, end: Option<Expiry>) -> Credential {
        self.kept.with_token(token, end)
    }

    /// Returns whether it was put there: another one, that git or a person has stored since, is not ours to replace.
    fn put(&self, token: &Secret, end: Option<Expiry>) -> Result<bool, Error> {
        let new = self.with(token, end);
        if self.storage.replace(Some(&self.kept), &new)? {
            return Ok(true);
        }
        // One that was changed in another way.
        let found = self.storage.get(&Query::exact(&new.key));
        let is_other = |found: &Credential| {
            found.is_complete() && !found.has_token_of(&self.kept) && !found.has_token_of(&new)
        };
        // One that cannot be read may still be written.
        if found.is_ok_and(|found| found.as_ref().is_some_and(is_other)) {
            return Ok(false);
        }
        self.storage.store(&new).map(|()| true)
    }

    /// As long as `retries` says so.
    fn try_again(
        &self,
        result: &mut Result<bool, Error>,
        token: &Secret,
        end: Option<Expiry>,
        retries: &mut dyn FnMut(&Error) -> bool,
    ) {
        while let Err(cause) = result {
            if !retries(cause) {
                return;
            }
            *result = self.put(token, end);
        }
    }

    fn erase(&self) -> bool {
        let erased = self.storage.erase(&self.kept.as_rejected());
        erased.is_ok_and(|count| count > 0)
    }
}

impl<'a> Holders<'a> {
    /// Whether it is still kept under this very key.
    pub(crate) fn are_of(&self, key: &Key) -> bool {
        self.all.iter().any(|holder| holder.kept.key == *key)
    }

    /// Fails if one of them could not take another token now: it would go on answering with the dead one. Returns whether
    /// all of them still have it.
    pub(crate) fn check_writable(&self) -> Result<bool, Error> {
        for holder in &self.all {
            if !holder.storage.check_writable(&holder.kept)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Removes each entry, provided it still has the same token.
    pub(crate) fn remove(&self) {
        for holder in &self.all {
            holder.erase();
        }
    }

    /// As they were kept.
    pub(crate) fn kept(&self) -> impl Iterator<Item = &Credential> {
        self.all.iter().map(|holder| &holder.kept)
    }

    /// Whether every storage that there is could be asked.
    pub(crate) fn are_all(&self) -> bool {
        !self.unasked.iter().any(Notice::leaves_out)
    }

    /// Puts `token` in the place of the old one. One that fails is tried again while `retries` says so, when all others have had
    /// their turn. What cannot take it loses the old one, if it lets go of that, and somebody else keeps the new one. Fails
    /// if one that should have it cannot, and no storage at all keeps it.
    pub(crate) fn replace(
        &self,
        token: &Secret,
        end: Option<Expiry>,
        retries: &mut dyn FnMut(&Error) -> bool,
    ) -> Result<Replaced, Error> {
        let mut replaced = Replaced {
            kept: Vec::new(),
            left: Vec::new(),
            displaced: Vec::new(),
            is_settled: true,
        };
        let all = self.all.iter();
        let mut tried: Vec<_> = all.map(|holder| (holder, holder.put(token, end))).collect();
        for (holder, result) in &mut tried {
            holder.try_again(result, token, end, retries);
        }
        let mut lasts = tried
            .iter()
            .any(|(holder, result)| matches!(result, Ok(true)) && !holder.forgets());
        let should_last = tried
            .iter()
            .any(|(holder, result)| !matches!(result, Ok(false)) && !holder.forgets());
        let is_kept = tried.iter().any(|(_, result)| matches!(result, Ok(true)));
        let failed = tried.iter().find(|(_, result)| result.is_err());
        if let Some((holder, _)) = failed.filter(|_| !is_kept)
            && let Some(storage) = self.rescue(&holder.with(token, end))
        {
            lasts |= storage.kind() != StorageKind::Memory;
            replaced.kept.push(holder.with(token, end));
        }
        for (holder, result) in tried {
            let (kind, key) = (holder.storage.kind(), holder.kept.key.clone());
            match result {
                Ok(true) => replaced.keep(holder.with(token, end)),
                Ok(false) => replaced.displaced.push((kind, key)),
                Err(cause) => replaced.left.push(Left {
                    key,
                    kind,
                    cause,
                    // Rather a dead one that tells of itself than none.
                    is_erased: !replaced.kept.is_empty() && holder.erase(),
                }),
            }
        }
        replaced.is_settled = lasts || !should_last;
        if replaced.kept.is_empty() {
            // Who did not answer may have taken it.
            let is_silent = |left: &Left| matches!(left.cause, Error::Unavailable { .. });
            replaced.left.sort_by_key(is_silent);
            if let Some(left) = replaced.left.pop() {
                return Err(left.cause);
            }
        }
        Ok(replaced)
    }

    /// Rather anywhere than nowhere. Returns where.
    fn rescue(&self, new: &Credential) -> Option<&'a dyn Storage> {
        let mut others = self.others.clone();
        others.sort_by_key(|storage| storage.kind() == StorageKind::Memory);
        let mut others = others.into_iter();
        others.find(|storage| storage.store(new).is_ok())
    }
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
                let is_same_host = host_of(&listed.key).eq_ignore_ascii_case(host_of(wanted));
                if is_same_host && !keys.contains(&listed.key) {
                    keys.push(listed.key);
                }
            }
        }
        Err(cause @ Error::Unavailable { .. }) => unasked = Some(cause),
        Err(cause) => return Err(cause),
    }
    for key in keys {
        match storage.get(&Query::exact(&key)) {
            Ok(found) => kept.extend(found.filter(is_meant)),
            Err(cause @ Error::Unavailable { .. }) => {
                unasked.get_or_insert(cause);
            }
            Err(cause) => return Err(cause),
        }
    }
    Ok((kept, unasked))
}

/// Without the port that is meant where none is named (RFC 9110 §4.2.2).
fn host_of(key: &Key) -> &[u8] {
    let usual: &[u8] = match &key.protocol[..] {
        b"https" => b":443",
        b"http" => b":80",
        _ => b"",
    };
    key.host.strip_suffix(usual).unwrap_or(&key.host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Listed;
    use crate::storage::memory::Memory;
    use crate::time;

    /// Lets go of what it has, and takes nothing.
    #[derive(Debug)]
    struct Full(Memory);

    impl Storage for Full {
        fn kind(&self) -> StorageKind {
            StorageKind::File
        }

        fn get(&self, wanted: &Query) -> Result<Option<Credential>, Error> {
            self.0.get(wanted)
        }

        fn store(&self, _credential: &Credential) -> Result<(), Error> {
            Err(Error::Failed {
                operation: "store",
                kind: StorageKind::File,
                cause: "no room".into(),
            })
        }

        fn replace(
            &self,
            _known: Option<&Credential>,
            credential: &Credential,
        ) -> Result<bool, Error> {
            self.store(credential).map(|()| true)
        }

        fn set_expiry(&self, kept: &Credential, end: Option<Expiry>) -> Result<bool, Error> {
            self.0.set_expiry(kept, end)
        }

        fn check_writable(&self, kept: &Credential) -> Result<bool, Error> {
            self.0.check_writable(kept)
        }

        fn erase(&self, unwanted: &Query) -> Result<usize, Error> {
            self.0.erase(unwanted)
        }

        fn list(&self) -> Result<Vec<Listed>, Error> {
            self.0.list()
        }

        fn check(&self) -> Result<(), Error> {
            Ok(())
        }
    }

    fn credential(host: &str, password: &str) -> Credential {
        let described = Query {
            protocol: Some(b"https".to_vec()),
            host: Some(host.as_bytes().to_vec()),
            username: Some(b"alice".to_vec().into()),
            password: Some(Secret::new(password.as_bytes())),
            ..Query::default()
        };
        Credential::complete(described).unwrap()
    }

    fn holding<'a>(
        all: &[(&'a dyn Storage, &Credential)],
        others: Vec<&'a dyn Storage>,
    ) -> Holders<'a> {
        let all = all.iter().map(|&(storage, kept)| Holder {
            storage,
            kept: kept.duplicate(),
        });
        Holders {
            all: all.collect(),
            others,
            unasked: Vec::new(),
        }
    }

    fn has(storage: &dyn Storage, credential: &Credential) -> bool {
        let found = storage.get(&Query::exact(&credential.key)).unwrap();
        found.is_some_and(|found| found.has_token_of(credential))
    }

    #[test]
    fn the_old_one_goes_only_where_the_new_one_is_kept_by_somebody() {
        let (old, new) = (credential("one.test", "old"), credential("one.test", "new"));
        let (full, memory) = (Full(Memory::new(time::now)), Memory::new(time::now));
        full.0.store(&old).unwrap();
        let token = Secret::new(b"new");
        let refused = holding(&[(&full, &old)], Vec::new()).replace(&token, None, &mut |_| false);
        assert!(refused.is_err() && has(&full, &old));
        let holders = holding(&[(&full, &old)], vec![&memory]);
        let replaced = holders.replace(&token, None, &mut |_| false).unwrap();
        assert!(replaced.left[0].is_erased && !replaced.is_settled);
        assert!(!has(&full, &old) && has(&memory, &new));
    }

    #[test]
    fn what_was_stored_meanwhile_stays() {
        let (old, new) = (credential("one.test", "old"), credential("one.test", "new"));
        let other = credential("one.test", "other");
        let (first, second) = (Memory::new(time::now), Memory::new(time::now));
        first.store(&other).unwrap();
        second.store(&old).unwrap();
        let holders = holding(&[(&first, &old), (&second, &old)], Vec::new());
        let token = Secret::new(b"new");
        let replaced = holders.replace(&token, None, &mut |_| false).unwrap();
        assert_eq!((replaced.kept.len(), replaced.displaced.len()), (1, 1));
        assert!(has(&first, &other) && has(&second, &new));
    }

    #[test]
    fn the_usual_port_is_no_other_host() {
        let memory = Memory::new(time::now);
        for host in ["One.test:443", "one.test:444", "two.test"] {
            memory.store(&credential(host, "old")).unwrap();
        }
        let wanted = credential("one.test", "old").key;
        let (found, _) = entries(&memory, &wanted, &|_| true).unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].key.host, b"One.test:443");
    }
}
