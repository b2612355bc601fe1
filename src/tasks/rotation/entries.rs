//! The entries that hold the token which is about to be rotated. A forge knows a token, and not the names that it is kept
//! under: every entry of the host counts, in every storage that can be asked. An entry of another host gets no new token,
//! even if it has the old one: a page may have tricked the user into typing the token there.

use super::outcome::{Rotated, StaleEntry};
use super::plan::Rotation;
use crate::credential::Credential;
use crate::credential::expiry::Expiry;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::helper::notice::Notice;
use crate::secret::Secret;
use crate::storage::{Error, Listed, Storage};

/// An entry of a storage, as it was read.
pub(super) struct TokenEntry<'a> {
    pub(super) storage: &'a dyn Storage,
    pub(super) kept: Credential,
}

/// Every entry that holds the token.
pub(super) struct TokenEntries<'a> {
    /// Those of memory come last: if the process is killed, a storage that lasts has the new token.
    all: Vec<TokenEntry<'a>>,
    /// Storages without the token, memory last.
    others: Vec<&'a dyn Storage>,
    /// Storages that could not be asked, and may hold the token.
    pub(super) unasked: Vec<Notice>,
}

impl Rotation<'_> {
    /// Returns every entry with the token of `old`.
    pub(super) fn entries(&self, old: &Credential) -> Result<TokenEntries<'_>, Error> {
        let (mut all, silent) = self.find(&old.key, &|kept| kept.has_token_of(old))?;
        all.sort_by_key(|entry| !entry.storage.kind().lasts());
        let mut others = Vec::new();
        for storage in self.helper.storages().all() {
            let mut kinds = all.iter().map(|entry| entry.storage.kind());
            if !kinds.any(|kind| kind == storage.kind()) {
                others.push(&**storage);
            }
        }
        others.sort_by_key(|storage| !storage.kind().lasts());
        let mut unasked = Vec::new();
        for cause in silent {
            unasked.extend(self.helper.storages().passed_over(cause));
        }
        Ok(TokenEntries {
            all,
            others,
            unasked,
        })
    }

    /// Returns every entry at the host of `key` that `is_wanted`, and why there may be more.
    pub(super) fn find(
        &self,
        key: &Key,
        is_wanted: &dyn Fn(&Credential) -> bool,
    ) -> Result<(Vec<TokenEntry<'_>>, Vec<Error>), Error> {
        let (mut found, mut silent) = (Vec::new(), Vec::new());
        for storage in self.helper.storages().all() {
            match find_in(&**storage, key, is_wanted, &mut found) {
                Ok(()) => {}
                Err(cause @ Error::Unavailable { .. }) => silent.push(cause),
                Err(cause) => return Err(cause),
            }
        }
        Ok((found, silent))
    }
}

/// Adds to `found` the entries of `storage` at the host of `wanted` that are wanted. That of `wanted` itself comes first: a
/// storage may stop to answer.
fn find_in<'a>(
    storage: &'a dyn Storage,
    wanted: &Key,
    is_wanted: &dyn Fn(&Credential) -> bool,
    found: &mut Vec<TokenEntry<'a>>,
) -> Result<(), Error> {
    let mut keys: Vec<Key> = Vec::new();
    for Listed { key, .. } in storage.list()? {
        if host_of(&key).eq_ignore_ascii_case(host_of(wanted)) && !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys.sort_by_key(|key| key != wanted);
    for key in keys {
        let kept = storage.get(&Query::exact(&key))?.filter(is_wanted);
        found.extend(kept.map(|kept| TokenEntry { storage, kept }));
    }
    Ok(())
}

impl TokenEntry<'_> {
    /// Replaces the old token by `token`. Returns false if another one was stored meanwhile.
    fn swap(&self, token: &Secret, expiry: Option<Expiry>) -> Result<bool, Error> {
        let new = self.kept.with_token(token, expiry);
        self.storage.replace(Some(&self.kept), &new)
    }

    /// Removes the entry, provided it still has the old token. Returns whether it is gone.
    fn erase(&self) -> bool {
        let erased = self.storage.erase(&self.kept.as_rejected());
        erased.is_ok_and(|count| count > 0)
    }
}

impl TokenEntries<'_> {
    /// The entries as they were read.
    pub(super) fn kept(&self) -> impl Iterator<Item = &Credential> {
        self.all.iter().map(|entry| &entry.kept)
    }

    /// Writes each entry once more, unchanged. Fails if one cannot be written now. Returns whether all still hold the token.
    pub(super) fn check_writable(&self) -> Result<bool, Error> {
        for entry in &self.all {
            if !entry.storage.check_writable(&entry.kept)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Removes each entry, provided it still has the token.
    pub(super) fn remove(&self) {
        for entry in &self.all {
            entry.erase();
        }
    }

    /// Puts `token` into each entry. When all have had their turn, one that failed is tried again while `retry` says so. If an
    /// entry cannot be updated, removes its old token, provided another entry holds the new one. Fails if an entry failed
    /// and no storage at all saved the new token.
    pub(super) fn replace(
        self,
        token: &Secret,
        expiry: Option<Expiry>,
        retry: &mut dyn FnMut(&Error) -> bool,
    ) -> Result<Rotated, Error> {
        let mut tried = Vec::new();
        for entry in &self.all {
            tried.push((entry, entry.swap(token, expiry)));
        }
        let mut rotated = Rotated {
            unasked: self.unasked,
            ..Rotated::default()
        };
        let (mut failed, mut lasts, mut lasted) = (Vec::new(), false, false);
        for (entry, mut result) in tried {
            while let Err(cause) = &result
                && retry(cause)
            {
                result = entry.swap(token, expiry);
            }
            let is_lasting = entry.storage.kind().lasts();
            lasts |= is_lasting && matches!(result, Ok(true));
            lasted |= is_lasting && !matches!(result, Ok(false));
            match result {
                Ok(true) => rotated.add(entry.kept.with_token(token, expiry)),
                Ok(false) => {
                    let place = (entry.storage.kind(), entry.kept.key.clone());
                    rotated.displaced.push(place);
                }
                Err(cause) => failed.push((entry, cause)),
            }
        }
        if let Some((entry, _)) = failed.first().filter(|_| rotated.saved.is_empty()) {
            let new = entry.kept.with_token(token, expiry);
            let mut others = self.others.iter();
            if let Some(storage) = others.find(|storage| storage.store(&new).is_ok()) {
                lasts |= storage.kind().lasts();
                rotated.add(new);
            }
        }
        rotated.is_lasting = lasts || !lasted;
        if rotated.saved.is_empty() {
            // A storage that did not answer may have taken the token: this is the cause to report.
            failed.sort_by_key(|(_, cause)| matches!(cause, Error::Unavailable { .. }));
            return match failed.pop() {
                Some((_, cause)) => Err(cause),
                None => Ok(rotated),
            };
        }
        for (entry, cause) in failed {
            rotated.left.push(StaleEntry {
                key: entry.kept.key.clone(),
                kind: entry.storage.kind(),
                cause,
                is_erased: entry.erase(),
            });
        }
        Ok(rotated)
    }
}

/// The host without the default port of its protocol (RFC 9110 §4.2.2).
fn host_of(key: &Key) -> &[u8] {
    let port: &[u8] = match &key.protocol[..] {
        b"https" => b":443",
        b"http" => b":80",
        _ => b"",
    };
    key.host.strip_suffix(port).unwrap_or(&key.host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::memory::Memory;
    use crate::storage::{Advice, Expected, Lack, Listed, Position, StorageKind};
    use crate::time;

    /// Removes entries, and takes none.
    #[derive(Debug)]
    struct Full(Memory);

    impl Storage for Full {
        fn kind(&self) -> StorageKind {
            StorageKind::File
        }

        fn get(&self, wanted: &Query) -> Result<Option<Credential>, Error> {
            self.0.get(wanted)
        }

        fn put(
            &self,
            _credential: &Credential,
            _position: Position,
            _expected: Expected<'_>,
        ) -> Result<bool, Error> {
            Err(Error::Failed {
                operation: "store",
                kind: StorageKind::File,
                cause: "no room".into(),
            })
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
    ) -> TokenEntries<'a> {
        let all = all.iter().map(|&(storage, kept)| TokenEntry {
            storage,
            kept: kept.duplicate(),
        });
        TokenEntries {
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
    fn the_old_token_is_removed_only_if_another_entry_has_the_new_one() {
        let (old, new) = (credential("one.test", "old"), credential("one.test", "new"));
        let (full, memory) = (Full(Memory::new(time::now)), Memory::new(time::now));
        full.0.store(&old).unwrap();
        let token = Secret::new(b"new");
        let failed = holding(&[(&full, &old)], Vec::new()).replace(&token, None, &mut |_| false);
        assert!(failed.is_err() && has(&full, &old));
        let entries = holding(&[(&full, &old)], vec![&memory]);
        let rotated = entries.replace(&token, None, &mut |_| false).unwrap();
        assert!(rotated.left[0].is_erased && !rotated.is_lasting);
        assert!(!has(&full, &old) && has(&memory, &new));
    }

    #[test]
    fn what_was_stored_meanwhile_stays() {
        let (old, new) = (credential("one.test", "old"), credential("one.test", "new"));
        let other = credential("one.test", "other");
        let (first, second) = (Memory::new(time::now), Memory::new(time::now));
        first.store(&other).unwrap();
        second.store(&old).unwrap();
        let entries = holding(&[(&first, &old), (&second, &old)], Vec::new());
        let token = Secret::new(b"new");
        let rotated = entries.replace(&token, None, &mut |_| false).unwrap();
        assert_eq!((rotated.saved.len(), rotated.displaced.len()), (1, 1));
        assert!(has(&first, &other) && has(&second, &new));
    }

    /// The keychain may still have the old token, so another `rotate` must know of it.
    #[test]
    fn a_rotation_that_another_token_displaced_is_not_finished_while_a_storage_is_silent() {
        let (old, other) = (
            credential("one.test", "old"),
            credential("one.test", "other"),
        );
        let memory = Memory::new(time::now);
        memory.store(&other).unwrap();
        let mut entries = holding(&[(&memory, &old)], Vec::new());
        let locked = Advice::new("locked", "unlock it", Lack::Locked);
        let cause = Error::Unavailable {
            kind: StorageKind::Keychain,
            cause: Box::new(locked),
        };
        entries.unasked.push(Notice::PassedOver { cause });
        let token = Secret::new(b"new");
        let rotated = entries.replace(&token, None, &mut |_| false).unwrap();
        assert!(rotated.saved.is_empty() && !rotated.is_finished());
    }

    #[test]
    fn the_usual_port_is_no_other_host() {
        let memory = Memory::new(time::now);
        for host in ["One.test:443", "one.test:444", "two.test"] {
            memory.store(&credential(host, "old")).unwrap();
        }
        let wanted = credential("one.test", "old").key;
        let mut found = Vec::new();
        find_in(&memory, &wanted, &|_| true, &mut found).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].kept.key.host, b"One.test:443");
    }
}
