//! What a person should hear, as values: the helper decides, the user interface prints.

use std::time::Duration;

use crate::credential::expiry::{Expiry, ExpirySource};
use crate::credential::key::Key;
use crate::storage::{self, StorageKind};

/// The value of an operation, and the notices to print.
#[derive(Debug)]
pub struct Outcome<T> {
    /// What was asked for.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The command goes on: another one is answered.
    Answered,
    /// The command goes on, and git asks the user. git calls `store` once per command (`credential.c`, `approved`), so a token
    /// typed after a rejection in mid-command may never reach us.
    Typed,
    /// The command fails. The next one is answered with another one that is kept.
    Another,
    /// The command fails. In the next one git asks.
    Asks,
    /// The command fails. To look for what the next one is answered with would take too long.
    Unknown,
    /// The command fails. Only another user's credential is left; whether the next command asks for any user is unknown.
    OfAnother,
}

/// Something worth saying on standard error.
#[derive(Debug)]
pub enum Notice {
    /// The token that was answered ends soon.
    ExpiresSoon {
        /// Whose.
        key: Key,
        /// When.
        expiry: Expiry,
        /// Who told so.
        source: ExpirySource,
        /// Whether its forge can replace it by itself.
        can_rotate: bool,
    },
    /// A token fits and is not answered, for it has ended.
    Expired {
        /// Whose.
        key: Key,
        /// When.
        expiry: Expiry,
    },
    /// The server rejected the answer; it was removed.
    Rejected {
        /// Whose.
        key: Key,
        /// Where it was kept.
        kinds: Vec<StorageKind>,
        /// What comes of it.
        next: Next,
    },
    /// Its secret has ended and was wiped.
    Gone {
        /// Whose.
        key: Key,
    },
    /// Something that has ended was to be stored, and was not.
    ExpiredBeforeStored {
        /// Whose.
        key: Key,
        /// When.
        expiry: Expiry,
    },
    /// The end that came with it could not be read; stored without one.
    UnreadableExpiry {
        /// Whose.
        key: Key,
    },
    /// The keychain could not be reached; memory keeps it instead.
    FellBack {
        /// Why.
        cause: storage::Error,
        /// Memory forgets a credential that is unused for this long.
        timeout: Duration,
    },
    /// A storage was passed over.
    PassedOver {
        /// Why.
        cause: storage::Error,
    },
    /// What is kept holds a character that would become another attribute; it was not answered.
    Unwritable {
        /// Whose.
        key: Key,
        /// Which attribute.
        cause: crate::protocol::Error,
    },
}

impl Notice {
    /// Another credential is answered in place of the rejected one.
    pub(crate) fn goes_on(&mut self) {
        if let Self::Rejected { next, .. } = self {
            *next = Next::Answered;
        }
    }

    /// Whether it tells of a storage that may keep what is not shown.
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
