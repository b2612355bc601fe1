//! Messages to the user, as values: the helper decides, the user interface prints.

use std::time::Duration;

use crate::credential::expiry::{Expiry, ExpirySource};
use crate::credential::key::Key;
use crate::storage::{self, StorageKind};

/// The value of an operation, and the notices to print.
#[derive(Debug)]
pub struct Outcome<T> {
    pub value: T,
    /// In the order in which they are printed.
    pub notices: Vec<Notice>,
}

impl<T> Outcome<T> {
    /// A value without notices.
    pub fn silent(value: T) -> Self {
        Self {
            value,
            notices: Vec::new(),
        }
    }

    /// Whether every storage answered. A storage that this system does not have counts as an empty one; a locked or silent
    /// storage may hold what the value lacks.
    pub fn is_whole(&self) -> bool {
        !self.notices.iter().any(Notice::leaves_out)
    }
}

impl<E> Outcome<Result<(), E>> {
    /// Returns `value` with the notices, unless the operation failed.
    pub fn with<T>(self, value: T) -> Result<Outcome<T>, E> {
        self.value.map(|()| Outcome {
            value,
            notices: self.notices,
        })
    }
}

/// What follows a rejection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// The command goes on with the credential under this key.
    Answered { key: Key, kind: StorageKind },
    /// The command goes on, and git asks the user. git calls `store` once per command (`credential.c`, `approved`), so a token
    /// typed after a rejection in mid-command may never reach us.
    Typed,
    /// The command fails, because git cannot ask the user.
    Silent,
    /// The command fails. The next one gets another credential.
    Another,
    /// The command fails. In the next one git asks.
    Asks,
    /// The command fails. A search for the next answer would take too long.
    Unknown,
    /// The command fails. Only another user's credential is left; whether the next command asks for any user is unknown.
    OfAnother,
}

impl Next {
    /// The sentence of the trace.
    pub(crate) fn words(&self) -> &'static str {
        match self {
            Self::Answered { .. } => "this command goes on with another credential",
            Self::Typed => "this command goes on, and git asks the user",
            Self::Silent => "this command ends, because git cannot ask the user",
            Self::Another => "the next command gets another credential",
            Self::Asks => "in the next command git asks the user",
            Self::Unknown => "the removal was slow, so no other credential is searched for",
            Self::OfAnother => "only a credential of another user is left",
        }
    }
}

/// A message on standard error.
#[derive(Debug)]
pub enum Notice {
    /// The token that was answered expires soon.
    ExpiresSoon {
        key: Key,
        expiry: Expiry,
        source: ExpirySource,
        /// Whether `rotate` can replace it without the user.
        can_rotate: bool,
    },
    /// A token matches and has expired, so it is not answered.
    Expired { key: Key, expiry: Expiry },
    /// The server rejected the answer; it was removed.
    Rejected {
        key: Key,
        /// The storages that had it.
        kinds: Vec<StorageKind>,
        next: Next,
    },
    /// Its secret has expired and was wiped.
    Gone { key: Key },
    /// An expired credential was not stored.
    ExpiredBeforeStored { key: Key, expiry: Expiry },
    /// It came with an expiry that cannot be read, and is stored without one.
    UnreadableExpiry { key: Key },
    /// The keychain could not be reached; memory keeps it instead.
    FellBack {
        cause: storage::Error,
        /// Memory forgets a credential that is unused for this long.
        timeout: Duration,
    },
    /// A storage was passed over.
    PassedOver { cause: storage::Error },
    /// The entry holds a character that would become another attribute, so it is not answered.
    Unwritable {
        key: Key,
        cause: crate::protocol::Error,
    },
}

impl Notice {
    /// The credential under `key` is answered in place of the rejected one.
    pub(crate) fn goes_on(&mut self, key: &Key, kind: StorageKind) {
        if let Self::Rejected { next, .. } = self {
            *next = Next::Answered {
                key: key.clone(),
                kind,
            };
        }
    }

    /// If git would ask the user next, and `can_ask` says that it cannot, the command ends instead.
    pub(crate) fn expects_prompt(&mut self, can_ask: impl FnOnce() -> bool) {
        if let Self::Rejected { next, .. } = self
            && *next == Next::Typed
            && !can_ask()
        {
            *next = Next::Silent;
        }
    }

    /// Whether it names a storage that may have entries that are not shown.
    pub fn leaves_out(&self) -> bool {
        matches!(self, Self::PassedOver { cause } if !cause.is_absence())
    }

    /// Whether it tells that this storage was passed over.
    pub fn is_about(&self, storage: StorageKind) -> bool {
        matches!(
            self,
            Self::PassedOver { cause: storage::Error::Unavailable { kind, .. } } if *kind == storage
        )
    }
}
