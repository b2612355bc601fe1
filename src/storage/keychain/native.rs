//! The store of this system, and its features that the keyring interface lacks.
#![cfg_attr(
    not(all(unix, not(target_os = "macos"))),
    allow(clippy::unnecessary_wraps)
)]

use std::sync::Arc;
use std::time::Duration;

use keyring::{CredentialStore, Entry, Error};

use super::attributes::Stored;
use super::deadline::Prompts;
#[cfg(all(unix, not(target_os = "macos")))]
use super::secret_service::{Item, SecretServiceStore};

/// Opens the system's store. `patience`: how long a prompt may wait for the user; zero: no prompt. `prompts` measures the
/// time of prompts.
#[cfg(all(unix, not(target_os = "macos")))]
pub(super) fn open(
    patience: Duration,
    prompts: &Arc<Prompts>,
) -> Result<Arc<CredentialStore>, Error> {
    let prompts = Arc::clone(prompts);
    Ok(Arc::new(SecretServiceStore::connect(patience, prompts)?))
}

/// This system has no store yet.
#[cfg(not(all(unix, not(target_os = "macos"))))]
pub(super) fn open(
    _patience: Duration,
    _prompts: &Arc<Prompts>,
) -> Result<Arc<CredentialStore>, Error> {
    Err(Error::NoStorageAccess(
        "there is no keychain for this system yet".into(),
    ))
}

/// Fails if there is no place for new items, or if it is locked and `must_be_open`. Changes nothing.
pub(super) fn check(store: &CredentialStore, must_be_open: bool) -> Result<(), Error> {
    #[cfg(all(unix, not(target_os = "macos")))]
    if let Some(store) = store.as_any().downcast_ref::<SecretServiceStore>() {
        return store.check(must_be_open);
    }
    let _ = (store, must_be_open);
    Ok(())
}

/// When `entry` was stored; zero if its store does not know.
pub(super) fn stored(entry: &Entry) -> Result<Stored, Error> {
    #[cfg(all(unix, not(target_os = "macos")))]
    if let Some(item) = entry.as_any().downcast_ref::<Item>() {
        return item.stored();
    }
    let _ = entry;
    Ok(Stored::default())
}

/// The label of `entry` in the user's keyring.
pub(super) fn label(entry: &Entry) -> Result<String, Error> {
    #[cfg(all(unix, not(target_os = "macos")))]
    if let Some(item) = entry.as_any().downcast_ref::<Item>() {
        return item.label();
    }
    let _ = entry;
    Ok(String::new())
}

/// Whether a keyring service runs. Starts none.
pub(super) fn is_running(patience: Duration) -> bool {
    #[cfg(all(unix, not(target_os = "macos")))]
    return super::bus::is_service_running(patience);
    #[cfg(not(all(unix, not(target_os = "macos"))))]
    {
        let _ = patience;
        false
    }
}
