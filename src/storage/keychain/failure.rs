//! Failures of the keychain, and the part of them that a message may show.

use crate::protocol;
use crate::storage::{Advice, Cause, Error, Lack, StorageKind};

/// A failure, before the operation's name is added.
pub(super) enum KeychainFailure {
    Keyring(keyring::Error),
    Protocol(protocol::Error),
    NotText,
}

impl KeychainFailure {
    pub(super) fn is_locked(&self) -> bool {
        let Self::Keyring(keyring::Error::NoStorageAccess(cause)) = self else {
            return false;
        };
        let advice = cause.downcast_ref::<Advice>();
        advice.is_some_and(|advice| advice.lack == Lack::Locked)
    }

    /// Drops the texts of the store's errors: they may hold the request, and two of them the secret. Keeps only causes that
    /// were written for the user.
    pub(super) fn into_error(self, operation: &'static str) -> Error {
        let kind = StorageKind::Keychain;
        let failed = |cause: Cause| Error::Failed {
            operation,
            kind,
            cause,
        };
        let advice = |message: &str, hint: &str| Box::new(Advice::new(message, hint, Lack::Use));
        match self {
            Self::Keyring(keyring::Error::NoStorageAccess(cause)) => {
                Error::Unavailable { kind, cause }
            }
            Self::Keyring(keyring::Error::PlatformFailure(cause)) => failed(cause),
            Self::Keyring(keyring::Error::NoEntry) => failed(advice(
                "the item was removed meanwhile",
                "run the command again",
            )),
            Self::Keyring(keyring::Error::TooLong(..)) => {
                failed("it is longer than the keychain allows".into())
            }
            Self::Keyring(_) => failed("the keychain answered something unexpected".into()),
            Self::Protocol(error) => failed(error.into()),
            Self::NotText => failed(advice(
                "the keychain holds only text, and the entry is not valid UTF-8",
                "choose another storage with '--storage'",
            )),
        }
    }
}

impl From<keyring::Error> for KeychainFailure {
    fn from(error: keyring::Error) -> Self {
        Self::Keyring(error)
    }
}

impl From<protocol::Error> for KeychainFailure {
    fn from(error: protocol::Error) -> Self {
        Self::Protocol(error)
    }
}
