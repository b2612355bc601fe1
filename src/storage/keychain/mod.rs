//! Credentials in the operating system's keychain, as the items that git's own helpers keep there.
//!
//! What git-credential-libsecret stored is found, updated and erased; what is stored here it finds. The service may be
//! locked, hung or not there: every question is answered within three seconds and the time that a prompt may wait.

mod attributes;
mod awake;
mod bus;
mod calls;
mod change;
mod content;
mod deadline;
mod found;
mod native;
pub(crate) mod others;
mod program;
mod prompt;
mod secret_service;
mod service;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use keyring::CredentialStore;

use self::attributes::Spelling;
use self::change::{Expected, check_writable, put, set_expiry, touch};
use self::deadline::Prompts;
use self::found::{FoundItem, KeychainFailure, all, delete, find, get, list, reveal};
use self::others::{ExternalAttributes, ExternalItem};
use super::{Advice, Budget, Error, Lack, Listed, Storage, StorageKind};
use crate::credential::Credential;
use crate::credential::expiry::Expiry;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::files::owned::{self, Folder};
use crate::platform::lock::Lock;
use crate::platform::monotonic_now;
use crate::secret::Secret;

/// How long all of an operation may take where nobody is prompted. Above the two seconds after which one unanswered call
/// ends by itself, below the three that git's user may be kept waiting.
const MARGIN: Duration = Duration::from_millis(2700);

/// What is left of it however much was lost elsewhere: enough for a service that is not hung.
const LEAST: Duration = Duration::from_millis(700);

/// After this long the service tells another second.
const SECOND: Duration = Duration::from_millis(1020);

/// How long to wait for one who changes an item now; and for all of them, one after the other, before whoever comes too late
/// writes out of turn.
const TURN: Duration = Duration::from_millis(1200);
const CROWD: Duration = Duration::from_secs(10);

/// The lock of those who change items.
const CHANGES: &str = "keychain.lock";

/// A failure that took longer is a service that does not answer; the next question would take as long.
const SLOW: Duration = Duration::from_secs(1);

/// The keychain. Nothing is opened before the first question.
pub struct Keychain {
    patience: Duration,
    /// One connection that may prompt, and one that never does.
    asking: Arc<OnceLock<Arc<CredentialStore>>>,
    quiet: Arc<OnceLock<Arc<CredentialStore>>>,
    prompts: Arc<Prompts>,
    /// Once it did not answer in time it is not asked again: the next wait would be as long.
    is_lost: Cell<bool>,
    /// A person who did not unlock it when asked is not asked again.
    is_declined: Cell<bool>,
    /// When something was stored, by the clock that nobody sets.
    stored: Cell<Option<Duration>>,
    /// What was put last, and when.
    touch: RefCell<Vec<(Key, Duration)>>,
    /// Where those who make an item take turns.
    turns: Option<PathBuf>,
    /// What those who were asked before have cost.
    lost: Budget,
}

impl Keychain {
    /// The system's own. `prompt_patience`: how long a prompt for the keychain's password may wait for a person; zero:
    /// none appears.
    pub fn open(prompt_patience: Duration) -> Self {
        Self {
            patience: prompt_patience,
            asking: Arc::default(),
            quiet: Arc::default(),
            prompts: Arc::default(),
            is_lost: Cell::new(false),
            is_declined: Cell::new(false),
            stored: Cell::new(None),
            touch: RefCell::default(),
            turns: None,
            lost: Budget::default(),
        }
    }

    /// What was waited in vain for others is not waited again here.
    #[must_use]
    pub fn after(self, lost: &Budget) -> Self {
        Self {
            lost: lost.clone(),
            ..self
        }
    }

    /// With a folder of ours where processes that make an item take turns: the service itself would let each make one.
    #[must_use]
    pub fn taking_turns_in(self, folder: &Path) -> Self {
        Self {
            turns: Some(folder.to_path_buf()),
            ..self
        }
    }

    /// Over a given store of the keyring interface, which is taken not to prompt.
    pub fn over(store: &Arc<CredentialStore>) -> Self {
        let keychain = Self::open(Duration::ZERO);
        let _ = keychain.quiet.set(Arc::clone(store));
        keychain
    }

    /// The items of another program that have these attributes.
    pub fn others(&self, attributes: ExternalAttributes) -> Result<Vec<ExternalItem>, Error> {
        self.ask("look", self.patience, move |store| {
            others::find(store, &attributes)
        })
    }

    /// Removes an item of another program: the one with exactly these attributes, if it still keeps `secret`. Returns
    /// how many went.
    pub fn remove_other(
        &self,
        attributes: &HashMap<String, String>,
        secret: &Secret,
    ) -> Result<usize, Error> {
        let (attributes, secret) = (attributes.clone(), secret.duplicate());
        self.ask("erase", self.patience, move |store| {
            others::remove(store, &attributes, &secret)
        })
    }

    /// Asks the store, but not for ever. `patience`: see [`Keychain::open`].
    fn ask<T: Send + 'static>(
        &self,
        operation: &'static str,
        patience: Duration,
        question: impl FnOnce(&CredentialStore) -> Result<T, KeychainFailure> + Send + 'static,
    ) -> Result<T, Error> {
        let unavailable = |message: &str, hint: &str| Error::Unavailable {
            kind: StorageKind::Keychain,
            cause: Box::new(Advice {
                message: message.to_owned(),
                hint: hint.to_owned(),
                lack: Lack::Use,
            }),
        };
        let late = || {
            if self.prompts.is_bus_silent() {
                return unavailable(
                    "the session bus does not answer",
                    "run 'unset DBUS_SESSION_BUS_ADDRESS' in this shell, or sign in to the desktop again",
                );
            }
            unavailable(
                "the keyring service does not answer",
                "restart it, or choose another storage with '--storage'",
            )
        };
        if self.is_lost.get() {
            return Err(late());
        }
        if self.is_declined.get() && !patience.is_zero() {
            return Err(unavailable(
                "the keyring was not unlocked when you were asked to",
                "run the command again, or unlock it in the desktop's password manager",
            ));
        }
        let slot = Arc::clone(if patience.is_zero() {
            &self.quiet
        } else {
            &self.asking
        });
        let (began, prompted) = (monotonic_now(), self.prompts.time());
        let prompts = Arc::clone(&self.prompts);
        let limit = self.lost.remaining(MARGIN).max(LEAST);
        let answer = deadline::within(limit, patience, &self.prompts, move || {
            let store = if let Some(store) = slot.get() {
                Arc::clone(store)
            } else {
                let opened = native::open(patience, &prompts)?;
                Arc::clone(slot.get_or_init(|| opened))
            };
            question(&*store)
        });
        let Ok(answer) = answer else {
            self.is_lost.set(true);
            return Err(late());
        };
        answer.map_err(|failure| {
            let error = failure.into_error(operation);
            let prompted = self.prompts.time().saturating_sub(prompted);
            let is_slow = monotonic_now().saturating_sub(began) > SLOW.saturating_add(prompted);
            if matches!(error, Error::Unavailable { .. }) {
                self.is_lost.set(is_slow);
                self.is_declined.set(!prompted.is_zero());
            }
            error
        })
    }
}

/// The keychain's items may be changed as long as this is kept: nobody else of ours does. `None`: nobody takes turns.
struct ChangeTurn(#[expect(dead_code, reason = "held until it is dropped")] Option<Lock>);

fn busy(operation: &'static str, cause: owned::Error) -> Error {
    Error::Failed {
        operation,
        kind: StorageKind::Keychain,
        cause: cause.into(),
    }
}

impl Keychain {
    fn put(&self, credential: &Credential, expected: Expected) -> Result<bool, Error> {
        // Rather out of turn than not at all.
        let turn = self.take_turn().ok();
        let credential = credential.duplicate();
        let stored = self.ask("store", self.patience, move |store| {
            let _turn = turn;
            put(store, &credential, &expected)
        });
        self.stored.set(Some(monotonic_now()));
        stored
    }

    /// Whoever changes an item takes turns with the others of ours: the service knows no condition. Fails if another process
    /// keeps it.
    fn take_turn(&self) -> Result<ChangeTurn, owned::Error> {
        let Some(folder) = self.turns.as_deref().filter(|_| !self.is_lost.get()) else {
            return Ok(ChangeTurn(None));
        };
        let patience = self.lost.remaining(TURN);
        let Ok(own) = Folder::make(folder) else {
            return Ok(ChangeTurn(None));
        };
        let taken = own.lock_in_turn(CHANGES, patience, CROWD);
        match taken {
            Ok(Some(lock)) => Ok(ChangeTurn(Some(lock))),
            Ok(None) => {
                self.lost.add(patience);
                let path = folder.join(CHANGES);
                Err(owned::Error::Busy { path })
            }
            // Then nobody can take one.
            Err(_) => Ok(ChangeTurn(None)),
        }
    }
}

impl Storage for Keychain {
    fn kind(&self) -> StorageKind {
        StorageKind::Keychain
    }

    /// Without unlocking anything if what fits is open, or if nothing fits.
    fn get(&self, wanted: &Query) -> Result<Option<Credential>, Error> {
        let wanted = wanted.duplicate();
        self.ask("look", self.patience, move |store| get(store, &wanted))
    }

    fn store(&self, credential: &Credential) -> Result<(), Error> {
        self.put(credential, Expected::Anything).map(drop)
    }

    fn replace(&self, known: Option<&Credential>, credential: &Credential) -> Result<bool, Error> {
        let known = known.map(Credential::duplicate);
        self.put(credential, Expected::Still(known))
    }

    fn set_expiry(&self, kept: &Credential, end: Option<Expiry>) -> Result<bool, Error> {
        let turn = self.take_turn().map_err(|cause| busy("store", cause))?;
        let kept = kept.duplicate();
        let redated = self.ask("store", self.patience, move |store| {
            let _turn = turn;
            set_expiry(store, &kept, end)
        });
        self.stored.set(Some(monotonic_now()));
        redated
    }

    fn check_writable(&self, kept: &Credential) -> Result<bool, Error> {
        let kept = kept.duplicate();
        self.ask("store", self.patience, move |store| {
            check_writable(store, &kept)
        })
    }

    /// The service counts in seconds: of two items that were written in one, the newer counts as the one stored last.
    fn touch(&self, key: &Key) -> Result<(), Error> {
        let last = {
            let touch = self.touch.borrow();
            // Items of another host answer other questions.
            let mut near = touch
                .iter()
                .rev()
                .filter(|(other, _)| other.host == key.host && other.protocol == key.protocol);
            self.stored.get().max(near.next().map(|(_, at)| *at))
        };
        if let Some(last) = last {
            thread::sleep(SECOND.saturating_sub(monotonic_now().saturating_sub(last)));
        }
        let key = key.clone();
        let touched = key.clone();
        let put = self.ask("store", self.patience, move |store| touch(store, &touched));
        self.touch.borrow_mut().push((key, monotonic_now()));
        put
    }

    fn erase(&self, unwanted: &Query) -> Result<usize, Error> {
        // One secret goes in turn with those who store, who write over an item in its place: a newer one must not go for it.
        let names_secret = unwanted.password.is_some() || unwanted.credential.is_some();
        let turn = names_secret.then(|| self.take_turn()).transpose();
        let turn = turn.map_err(|cause| busy("erase", cause))?;
        let unwanted = unwanted.duplicate();
        self.ask("erase", self.patience, move |store| {
            let _turn = turn;
            erase(store, &unwanted)
        })
    }

    /// Of a locked entry the end stays unknown: nobody is prompted for a list.
    fn list(&self) -> Result<Vec<Listed>, Error> {
        self.ask("list", Duration::ZERO, list)
    }

    /// Every item, even behind another one under the same key. What is open is read without a prompt, and who does not
    /// unlock the rest is not asked for each of it.
    fn all(&self) -> Result<Vec<(Listed, Credential)>, Error> {
        let (open, locked) = self.ask("list", Duration::ZERO, |store| all(store, false))?;
        if locked == 0 || self.patience.is_zero() {
            return Ok(open);
        }
        match self.ask("list", self.patience, |store| all(store, true)) {
            Ok((all, _)) => Ok(all),
            Err(Error::Unavailable { .. }) => Ok(open),
            Err(cause) => Err(cause),
        }
    }

    fn check(&self) -> Result<(), Error> {
        self.ask("read", Duration::ZERO, |store| {
            Ok(native::check(store, true)?)
        })
    }
}

impl fmt::Debug for Keychain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keychain")
    }
}

impl Keychain {
    /// The keys of the entries, if a service runs and its keyring is open. Reads no secret, starts no service and unlocks
    /// nothing: some services ask a person for each of these.
    pub fn keys_at_hand(&self, patience: Duration) -> Vec<Key> {
        if !awake::is_running(patience) {
            return Vec::new();
        }
        let keys = self.ask("list", Duration::ZERO, |store| {
            native::check(store, true)?;
            found::keys(store)
        });
        keys.unwrap_or_default()
    }
}

fn erase(store: &CredentialStore, unwanted: &Query) -> Result<usize, KeychainFailure> {
    let names_secret = unwanted.password.is_some() || unwanted.credential.is_some();
    // What hides its attributes can only be found as it is spelled here. Unlocked, it is found below as well.
    let mut hidden = find(store, unwanted, Spelling::AsKept)?;
    hidden.retain(FoundItem::is_hidden);
    reveal(&mut hidden, unwanted)?;
    let found = find(store, unwanted, Spelling::Any)?;
    if found.is_empty() {
        native::check(store, false)?;
    }
    let mut erased = 0;
    for item in found.into_iter().filter(|item| !item.is_hidden()) {
        let is_named = !names_secret || item.read()?.is_some_and(|kept| kept.is_named_by(unwanted));
        if is_named && delete(&item.entry)? {
            erased += 1;
        }
    }
    if erased == 0 && names_secret && unwanted.username.is_some() {
        erased = erase_nameless(store, unwanted)?;
    }
    Ok(erased)
}

/// Removes the items without a user whose secret was rejected: git asked for the name, and was given the secret by us.
fn erase_nameless(store: &CredentialStore, unwanted: &Query) -> Result<usize, KeychainFailure> {
    let anyone = Query {
        username: None,
        ..unwanted.duplicate()
    };
    let mut erased = 0;
    for item in find(store, &anyone, Spelling::AsKept)? {
        let is_nameless = item.key().is_some_and(|key| key.username.is_none());
        if is_nameless
            && item.read()?.is_some_and(|kept| kept.is_named_by(&anyone))
            && delete(&item.entry)?
        {
            erased += 1;
        }
    }
    Ok(erased)
}

#[cfg(test)]
mod tests {
    use keyring::api::CredentialStoreApi;
    use keyring::{Error as KeyringError, mock};

    use super::*;

    fn wanted() -> Query {
        Query {
            protocol: Some(b"https".to_vec()),
            host: Some(b"one.test".to_vec()),
            ..Query::default()
        }
    }

    /// Over a store with one item, which answers with `error` when it is first asked.
    fn failing(error: KeyringError) -> Keychain {
        let store = mock::Store::new().unwrap();
        let entry = store.build("one.test", "alice", None).unwrap();
        entry.set_secret(b"made-up").unwrap();
        let mocked = entry.as_any().downcast_ref::<mock::Cred>().unwrap();
        mocked.set_error(error);
        Keychain::over(&(store as Arc<CredentialStore>))
    }

    #[test]
    fn no_access_is_unavailable_and_keeps_its_advice() {
        let advice = || Advice {
            message: "locked".to_owned(),
            hint: "unlock it".to_owned(),
            lack: Lack::Locked,
        };
        let locked = || failing(KeyringError::NoStorageAccess(Box::new(advice())));
        let errors = [
            locked().get(&wanted()).unwrap_err(),
            locked().erase(&wanted()).unwrap_err(),
            locked().list().unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, Error::Unavailable { .. }));
            assert_eq!(error.hint(), Some("unlock it"));
        }
    }

    #[test]
    fn other_errors_are_failures_and_hold_no_secret() {
        for error in [
            KeyringError::PlatformFailure("disk full".into()),
            KeyringError::BadEncoding(b"made-up".to_vec()),
            KeyringError::BadDataFormat(b"made-up".to_vec(), "made-up".into()),
            KeyringError::Invalid("made-up".to_owned(), "made-up".to_owned()),
        ] {
            let error = failing(error).get(&wanted()).unwrap_err();
            assert!(matches!(
                error,
                Error::Failed {
                    operation: "look",
                    ..
                }
            ));
            let said = format!("{error:?}");
            let bytes = format!("{:?}", b"made-up");
            assert!(!said.contains("made-up") && !said.contains(bytes.trim_matches(['[', ']'])));
        }
    }

    #[test]
    fn what_has_gone_is_not_found() {
        let gone = || failing(KeyringError::NoEntry);
        assert!(gone().get(&wanted()).unwrap().is_none());
        assert_eq!(gone().erase(&wanted()).unwrap(), 0);
        assert!(gone().list().unwrap().is_empty());
    }

    #[test]
    fn what_is_not_text_is_kept_nowhere() {
        let store = mock::Store::new().unwrap();
        let keychain = Keychain::over(&(store as Arc<CredentialStore>));
        let strange = Query {
            username: Some(b"\xFF".to_vec().into()),
            password: Some(crate::secret::Secret::new(b"made-up")),
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
