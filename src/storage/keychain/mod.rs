//! Credentials in the operating system's keychain, as the items that git's own helpers keep there.
//!
//! git-credential-libsecret and this storage share their items. The service may be locked, hung or absent: each operation ends
//! within 3 s and the time that a prompt may wait.

mod access;
mod attributes;
mod change;
mod deadline;
pub(crate) mod external;
mod failure;
mod found;
mod inventory;
mod items;
mod native;

use std::fmt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use self::access::Access;
use self::change::{
    ExpectedItem, check_writable, erase, names_secret, newer_keys, put, set_expiry, touch,
};
use self::external::ExternalItem;
use self::found::get;
use self::inventory::{all, list};
use self::items::{ItemAttributes, ItemStore};
use super::{Error, Expected, Listed, Position, Storage, StorageKind, if_reached};
use crate::credential::Credential;
use crate::credential::expiry::Expiry;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::files;
use crate::files::owned::Folder;
use crate::platform::lock::Lock;
use crate::secret::Secret;
use crate::storage::budget::Budget;

/// The keychain counts in seconds: after this time, a new item gets a later one.
const SECOND: Duration = Duration::from_millis(1020);

/// How long to wait for one process that changes an item, and for a queue of them.
const TURN: Duration = Duration::from_millis(1200);
const CROWD: Duration = Duration::from_secs(10);

/// The name of the lock for changes.
const CHANGES: &str = "keychain.lock";

/// The keychain of the system. The first operation opens it.
pub struct Keychain {
    /// How long a prompt may wait for the user; zero: no prompt.
    patience: Duration,
    access: Access,
    /// The folder of the lock for changes.
    turns: Option<PathBuf>,
}

impl Keychain {
    /// `prompt_patience`: how long a prompt for the keychain's password may wait for the user; zero: no prompt.
    pub fn open(prompt_patience: Duration) -> Self {
        Self {
            patience: prompt_patience,
            access: Access::default(),
            turns: None,
        }
    }

    /// Shares the waiting time with other storages.
    #[must_use]
    pub fn after(mut self, lost: &Budget) -> Self {
        self.access.lost = lost.clone();
        self
    }

    /// Takes a lock in `folder` for each change: two processes could create the same item, since the service knows no
    /// conditions.
    #[must_use]
    pub fn taking_turns_in(self, folder: &Path) -> Self {
        Self {
            turns: Some(folder.to_path_buf()),
            ..self
        }
    }

    /// Returns the items of another program that have these attributes.
    pub fn external(&self, spec: Vec<(&str, String)>) -> Result<Vec<ExternalItem>, Error> {
        let owned = spec
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        let attributes: ItemAttributes = owned.collect();
        self.access.ask("look", self.patience, move |store| {
            external::find(store, &attributes)
        })
    }

    /// Removes the items of another program with exactly these attributes that still have `secret`. Returns their number.
    pub fn remove_external(
        &self,
        attributes: &ItemAttributes,
        secret: &Secret,
    ) -> Result<usize, Error> {
        let (attributes, secret) = (attributes.clone(), secret.duplicate());
        self.access.ask("erase", self.patience, move |store| {
            external::remove(store, &attributes, &secret)
        })
    }

    /// Returns the keys of the entries if a service runs and its keyring is open. Reads no secret, starts no service and
    /// unlocks nothing, since some services prompt for each of these.
    pub fn keys_at_hand(&self, patience: Duration) -> Vec<Key> {
        if !native::is_running(patience) {
            return Vec::new();
        }
        let keys = self.access.ask("list", Duration::ZERO, |store| {
            store.check(true)?;
            inventory::keys(store)
        });
        keys.unwrap_or_default()
    }

    /// Takes the lock for changes; `None`: no process can take it. Fails if another process keeps it.
    fn take_turn(&self) -> Result<Option<Lock>, files::Error> {
        let Some(folder) = self.turns.as_deref().filter(|_| !self.access.is_silent()) else {
            return Ok(None);
        };
        let lost = &self.access.lost;
        let patience = lost.remaining(TURN);
        let Ok(own) = Folder::make(folder) else {
            return Ok(None);
        };
        match own.lock_in_turn(CHANGES, patience, CROWD) {
            Ok(Some(lock)) => Ok(Some(lock)),
            Ok(None) => {
                lost.add(patience);
                let path = folder.join(CHANGES);
                Err(files::Error::Busy { path })
            }
            // No process can take the lock.
            Err(_) => Ok(None),
        }
    }
}

fn busy(operation: &'static str, cause: files::Error) -> Error {
    Error::Failed {
        operation,
        kind: StorageKind::Keychain,
        cause: cause.into(),
    }
}

impl Storage for Keychain {
    fn kind(&self) -> StorageKind {
        StorageKind::Keychain
    }

    /// Unlocks nothing if an open item matches, or if none does.
    fn get(&self, wanted: &Query) -> Result<Option<Credential>, Error> {
        let wanted = wanted.duplicate();
        self.access
            .ask("look", self.patience, move |store| get(store, &wanted))
    }

    fn peek(&self, key: &Key) -> Result<Option<Credential>, Error> {
        let wanted = Query::exact(key);
        self.access.ask("look", Duration::ZERO, move |store| {
            found::peek(store, &wanted)
        })
    }

    fn put(
        &self,
        credential: &Credential,
        _position: Position,
        expected: Expected<'_>,
    ) -> Result<bool, Error> {
        // A change without the lock is better than no change.
        let turn = self.take_turn().ok();
        let credential = credential.duplicate();
        let expected = match expected {
            Expected::Anything => ExpectedItem::Anything,
            Expected::Still(known) => ExpectedItem::Still(known.map(Credential::duplicate)),
        };
        self.access.ask("store", self.patience, move |store| {
            let _turn = turn;
            put(store, &credential, &expected)
        })
    }

    /// The change makes the item the newest one. So the items of its host that were newer are written again, in their order
    /// and a second apart.
    fn set_expiry(&self, kept: &Credential, end: Option<Expiry>) -> Result<bool, Error> {
        let turn = self.take_turn().map_err(|cause| busy("store", cause))?;
        let kept = kept.duplicate();
        let (is_done, newer) = self.access.ask("store", self.patience, move |store| {
            let _turn = turn;
            let newer = newer_keys(store, &kept.key)?;
            Ok((set_expiry(store, &kept, end)?, newer))
        })?;
        for key in newer.into_iter().filter(|_| is_done) {
            thread::sleep(SECOND);
            let touched = move |store: &dyn ItemStore| touch(store, &key);
            self.access.ask("store", self.patience, touched)?;
        }
        Ok(is_done)
    }

    fn check_writable(&self, kept: &Credential) -> Result<bool, Error> {
        let kept = kept.duplicate();
        self.access.ask("store", self.patience, move |store| {
            check_writable(store, &kept)
        })
    }

    fn erase(&self, unwanted: &Query) -> Result<usize, Error> {
        // A process that stores writes over the item: without the lock, its newer secret could be erased.
        let turn = names_secret(unwanted).then(|| self.take_turn()).transpose();
        let turn = turn.map_err(|cause| busy("erase", cause))?;
        let unwanted = unwanted.duplicate();
        self.access.ask("erase", self.patience, move |store| {
            let _turn = turn;
            erase(store, &unwanted)
        })
    }

    /// Never prompts: the expiry of a locked entry stays unknown.
    fn list(&self) -> Result<Vec<Listed>, Error> {
        self.access.ask("list", Duration::ZERO, list)
    }

    /// Returns older items under the same key too. Reads open items first: if the user does not unlock the rest, one prompt is
    /// enough.
    fn all(&self) -> Result<Vec<(Listed, Credential)>, Error> {
        let (open, locked) = self
            .access
            .ask("list", Duration::ZERO, |store| all(store, false))?;
        if locked == 0 || self.patience.is_zero() {
            return Ok(open);
        }
        let all = |store: &dyn ItemStore| all(store, true);
        let all = if_reached(self.access.ask("list", self.patience, all))?;
        Ok(all.map_or(open, |(all, _)| all))
    }

    fn check(&self) -> Result<(), Error> {
        self.access
            .ask("read", Duration::ZERO, |store| Ok(store.check(true)?))
    }
}

impl fmt::Debug for Keychain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keychain")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;

    use zeroize::Zeroizing;

    use super::attributes::Schema;
    use super::items::Item;
    use super::*;
    use crate::storage::{Advice, Lack};

    type Result<T> = std::result::Result<T, keyring::Error>;

    /// A keychain without items, or with one of git's whose use fails.
    struct Fake {
        failure: Option<fn() -> keyring::Error>,
        is_locked: bool,
    }

    impl Fake {
        fn failing(failure: fn() -> keyring::Error) -> Self {
            Self {
                failure: Some(failure),
                is_locked: false,
            }
        }

        fn fail<T>(&self) -> Result<T> {
            Err(self
                .failure
                .map_or(keyring::Error::NoEntry, |failure| failure()))
        }
    }

    fn ours() -> ItemAttributes {
        let key = wanted().key().unwrap();
        Schema::Password.attributes(&key).unwrap()
    }

    impl ItemStore for Fake {
        fn search(&self, wanted: &[ItemAttributes]) -> Result<Vec<Vec<Item>>> {
            let mut all = Vec::new();
            for wanted in wanted {
                let item = Item {
                    id: String::new(),
                    is_locked: Cell::new(self.is_locked),
                    number: Cell::new(1),
                };
                let attributes = ours();
                let is_found = wanted
                    .iter()
                    .all(|(name, value)| attributes.get(name) == Some(value));
                let found = self.failure.filter(|_| is_found).map(|_| item);
                all.push(found.into_iter().collect());
            }
            Ok(all)
        }

        fn attributes(&self, items: &[&Item]) -> Vec<Result<ItemAttributes>> {
            items.iter().map(|_| Ok(ours())).collect()
        }

        fn labels(&self, items: &[&Item]) -> Vec<Result<String>> {
            items.iter().map(|_| self.fail()).collect()
        }

        fn modified(&self, items: &[&Item]) -> Vec<Result<u64>> {
            items.iter().map(|_| Ok(0)).collect()
        }

        fn created(&self, items: &[&Item]) -> Vec<Result<u64>> {
            items.iter().map(|_| Ok(0)).collect()
        }

        fn secrets(&self, items: &[&Item]) -> Vec<Result<Zeroizing<Vec<u8>>>> {
            items.iter().map(|_| self.fail()).collect()
        }

        fn set_secret(&self, _: &Item, _: &[u8]) -> Result<()> {
            self.fail()
        }

        fn create(&self, _: &str, _: ItemAttributes, _: &[u8]) -> Result<()> {
            self.fail()
        }

        fn delete(&self, _: &Item) -> Result<()> {
            self.fail()
        }

        fn check(&self, _: bool) -> Result<()> {
            Ok(())
        }
    }

    pub(super) fn over(store: impl ItemStore + 'static) -> Keychain {
        let keychain = Keychain::open(Duration::ZERO);
        *keychain.access.never_prompts.lock().unwrap() = Some(Box::new(store));
        keychain
    }

    fn failing(failure: fn() -> keyring::Error) -> Keychain {
        over(Fake::failing(failure))
    }

    /// A keychain without items.
    pub(crate) fn empty() -> Keychain {
        over(Fake {
            failure: None,
            is_locked: false,
        })
    }

    /// A Credential Manager of Windows with these items: target, user, secret. `utf8`: of gh; `wide`: of GCM.
    pub(crate) fn of_windows(utf8: &[[&str; 3]], wide: &[[&str; 3]]) -> Keychain {
        native::credential_manager::of_items(utf8, wide)
    }

    fn wanted() -> Query {
        Query {
            protocol: Some(b"https".to_vec()),
            host: Some(b"one.test".to_vec()),
            ..Query::default()
        }
    }

    #[test]
    fn no_access_is_unavailable_and_keeps_its_advice() {
        let locked = || {
            failing(|| {
                keyring::Error::NoStorageAccess(Box::new(Advice::new(
                    "locked",
                    "unlock it",
                    Lack::Locked,
                )))
            })
        };
        let unwanted = Query {
            password: Some(Secret::new(b"made-up")),
            ..wanted()
        };
        for error in [
            locked().get(&wanted()).unwrap_err(),
            locked().erase(&unwanted).unwrap_err(),
        ] {
            assert!(matches!(error, Error::Unavailable { .. }));
            assert_eq!(error.hint(), Some("unlock it"));
        }
        let listed = locked().list().unwrap();
        assert_eq!(listed.len(), 1, "its name is known, its expiry is not");
    }

    #[test]
    fn a_list_asks_for_no_secret_of_a_locked_item() {
        let mut fake = Fake::failing(|| panic!("asked for"));
        fake.is_locked = true;
        let listed = over(fake).list().unwrap();
        assert_eq!(listed.len(), 1, "its name is known, its expiry is not");
        assert_eq!(listed[0].expiry, None);
    }

    #[test]
    fn other_errors_are_failures_and_hold_no_secret() {
        use keyring::Error as KeyringError;
        const FAILURES: [fn() -> KeyringError; 5] = [
            || KeyringError::PlatformFailure("disk full".into()),
            || KeyringError::TooLong("made-up".to_owned(), 4),
            || KeyringError::BadEncoding(b"made-up".to_vec()),
            || KeyringError::BadDataFormat(b"made-up".to_vec(), "made-up".into()),
            || KeyringError::Invalid("made-up".to_owned(), "made-up".to_owned()),
        ];
        for failure in FAILURES {
            let error = failing(failure).get(&wanted()).unwrap_err();
            assert!(matches!(
                error,
                Error::Failed {
                    operation: "look",
                    ..
                }
            ));
            let shown = format!("{error:?}");
            let bytes = format!("{:?}", b"made-up");
            assert!(!shown.contains("made-up") && !shown.contains(bytes.trim_matches(['[', ']'])));
        }
    }

    #[test]
    fn a_store_that_gives_no_access_is_unavailable() {
        let no_access = || failing(|| keyring::Error::NoStorageAccess("made-up".into()));
        let error = no_access().get(&wanted()).unwrap_err();
        assert!(matches!(error, Error::Unavailable { .. }));
        assert!(!format!("{error:?}").contains("made-up"));
    }

    #[test]
    fn a_removed_item_is_not_found() {
        let gone = || failing(|| keyring::Error::NoEntry);
        assert!(gone().get(&wanted()).unwrap().is_none());
        assert_eq!(gone().erase(&wanted()).unwrap(), 0);
        let listed = gone().all().unwrap();
        assert!(listed.is_empty());
    }

    #[test]
    fn text_that_is_not_utf8_is_not_stored() {
        let keychain = empty();
        let strange = Query {
            username: Some(b"\xFF".to_vec().into()),
            password: Some(Secret::new(b"made-up")),
            ..wanted()
        };
        assert!(keychain.get(&strange).unwrap().is_none());
        let strange = Credential::complete(strange).unwrap();
        assert!(matches!(
            keychain.store(&strange),
            Err(Error::Failed {
                operation: "store",
                ..
            })
        ));
    }

    #[test]
    fn debug_tells_nothing() {
        assert_eq!(format!("{:?}", Keychain::open(Duration::ZERO)), "Keychain");
    }
}
