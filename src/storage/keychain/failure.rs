//! Failures of the keychain, and the part of them that a message may show.
#![cfg_attr(
    windows,
    allow(
        dead_code,
        reason = "the Credential Manager has neither prompts nor locks"
    )
)]

use crate::protocol;
use crate::storage::{Advice, Cause, Error, Lack, StorageKind};

/// What messages say about the keychain of one system. A pair is a message and its hint.
pub(super) struct StoreTexts {
    /// For the trace.
    pub(super) opened: &'static str,
    pub(super) not_opened: &'static str,
    pub(super) locked: (&'static str, &'static str),
    pub(super) still_locked: (&'static str, &'static str),
    /// The store did not answer in time.
    pub(super) silent: (&'static str, &'static str),
    /// The way to the store did not answer in time.
    pub(super) cut_off: (&'static str, &'static str),
}

/// A failure, before the operation's name is added. Holds no part of a request or an answer.
#[derive(Debug)]
pub(super) enum KeychainFailure {
    /// The item was removed meanwhile.
    Gone,
    /// The keychain cannot be used now.
    Unavailable(Advice),
    Failed(Cause),
}

impl KeychainFailure {
    pub(super) fn locked((message, hint): (&str, &str)) -> Self {
        Self::Unavailable(Advice::new(message, hint, Lack::Locked))
    }

    pub(super) fn is_locked(&self) -> bool {
        matches!(self, Self::Unavailable(advice) if advice.lack == Lack::Locked)
    }

    pub(super) fn into_error(self, operation: &'static str) -> Error {
        let kind = StorageKind::Keychain;
        let cause = match self {
            Self::Unavailable(advice) => {
                let cause = Box::new(advice);
                return Error::Unavailable { kind, cause };
            }
            Self::Failed(cause) => cause,
            Self::Gone => Box::new(Advice::new(
                "the item was removed meanwhile",
                "run the command again",
                Lack::Use,
            )),
        };
        Error::Failed {
            operation,
            kind,
            cause,
        }
    }
}

/// Drops the texts of the keyring crate's own errors: two of them hold the secret.
impl From<keyring::Error> for KeychainFailure {
    fn from(error: keyring::Error) -> Self {
        match error {
            keyring::Error::NoEntry => Self::Gone,
            keyring::Error::NoStorageAccess(cause) => match cause.downcast() {
                Ok(advice) => Self::Unavailable(*advice),
                Err(_) => Self::Unavailable(Advice::new(
                    "the keychain cannot be used now",
                    "unlock the keychain, or choose another storage with '--storage'",
                    Lack::Use,
                )),
            },
            keyring::Error::TooLong(..) => {
                Self::Failed("it is longer than the keychain allows".into())
            }
            keyring::Error::PlatformFailure(cause) => Self::Failed(cause),
            _ => Self::Failed("the keychain answered something unexpected".into()),
        }
    }
}

impl From<protocol::Error> for KeychainFailure {
    fn from(error: protocol::Error) -> Self {
        Self::Failed(error.into())
    }
}
