//! Which store this system has, and what of it the keyring interface cannot say.
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

/// Reaches the system's store. `patience`: how long a prompt may wait for a person; zero: none appears. `prompts` learns
/// of those that do.
#[cfg(all(unix, not(target_os = "macos")))]
pub(super) fn open(
    patience: Duration,
    prompts: &Arc<Prompts>,
) -> Result<Arc<CredentialStore>, Error> {
    let prompts = Arc::clone(prompts);
    Ok(Arc::new(SecretServiceStore::connect(patience, prompts)?))
}

/// There is none here yet.
#[cfg(not(all(unix, not(target_os = "macos"))))]
pub(super) fn open(
    _patience: Duration,
    _prompts: &Arc<Prompts>,
) -> Result<Arc<CredentialStore>, Error> {
    Err(Error::NoStorageAccess(
        "there is no keychain for this system yet".into(),
    ))
}

/// Whether there is a place for new items. Changes nothing.
pub(super) fn check(store: &CredentialStore, must_be_open: bool) -> Result<(), Error> {
    #[cfg(all(unix, not(target_os = "macos")))]
    if let Some(store) = store.as_any().downcast_ref::<SecretServiceStore>() {
        return store.check(must_be_open);
    }
    let _ = (store, must_be_open);
    Ok(())
}

/// When `entry` was stored, as far as its store knows.
pub(super) fn stored(entry: &Entry) -> Result<Stored, Error> {
    #[cfg(all(unix, not(target_os = "macos")))]
    if let Some(item) = entry.as_any().downcast_ref::<Item>() {
        return item.stored();
    }
    let _ = entry;
    Ok(Stored::default())
}

/// What people see of `entry` in their keyring.
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
