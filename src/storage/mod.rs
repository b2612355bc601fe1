//! Places where credentials are kept, behind one contract.
//!
//! A storage does not prompt, print or decide. The same conformance tests run over every one of them.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::credential::Credential;
use crate::credential::expiry::Expiry;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::files::owned;

pub mod file;
pub mod keychain;
pub mod memory;

/// A place where credentials are kept.
pub trait Storage: fmt::Debug {
    /// Which one this is.
    fn kind(&self) -> StorageKind;

    /// The credential that fits.
    ///
    /// Nothing fits: `None`. Several fit: the one stored last. Ended: returned all the same, possibly without the
    /// secrets that have ended, since its refresh token may be wanted and its end is worth telling.
    fn get(&self, wanted: &Query) -> Result<Option<Credential>, Error>;

    /// Keeps `credential` in the place of the entry with the identical key. An identical entry is not written again.
    fn store(&self, credential: &Credential) -> Result<(), Error>;

    /// As [`Storage::store`], unless somebody else has stored another secret under its key since `known` was there: that one
    /// stays. Returns whether it was stored.
    fn replace(&self, known: Option<&Credential>, credential: &Credential) -> Result<bool, Error>;

    /// Stores `credential` behind all other entries: of several entries that match a query, it answers last. An entry with
    /// its key keeps its place. As for [`Storage::replace`], a secret that replaced `known` stays. Returns whether
    /// `credential` was stored.
    ///
    /// A keychain cannot do that: its newest item answers first.
    fn insert_behind(
        &self,
        known: Option<&Credential>,
        credential: &Credential,
    ) -> Result<bool, Error> {
        self.replace(known, credential)
    }

    /// Gives the entry with `kept`'s key the end `end`, if its secrets are still `kept`'s: one that was replaced or erased
    /// in the meantime stays as it is. Who was stored last stays so, where the storage keeps its own account of that; see
    /// [`Storage::touch`]. Returns whether there was such an entry.
    fn set_expiry(&self, kept: &Credential, end: Option<Expiry>) -> Result<bool, Error>;

    /// Writes the entry with `kept`'s key once more, just as it is, if its secrets are still `kept`'s: so it is found out
    /// whether it could be replaced now, and nothing that anybody reads changes. Returns whether there was such an entry.
    fn check_writable(&self, kept: &Credential) -> Result<bool, Error>;

    /// Makes the entry that is kept under `key`, if there is one, the one stored last.
    fn touch(&self, key: &Key) -> Result<(), Error> {
        match self.get(&Query::exact(key))? {
            Some(kept) if kept.is_complete() => self.store(&kept),
            _ => Ok(()),
        }
    }

    /// Removes every entry that fits `unwanted` and, if it names a secret, has that secret. A blank query removes
    /// nothing. Returns how many went.
    fn erase(&self, unwanted: &Query) -> Result<usize, Error>;

    /// Every entry, without secrets, in the order they were stored where the storage knows it.
    fn list(&self) -> Result<Vec<Listed>, Error>;

    /// Every entry whole, in the same order, also where several are kept under one key: the last of them is the one that
    /// [`Storage::get`] answers. What is locked away or has gone in the meantime is left out.
    fn all(&self) -> Result<Vec<(Listed, Credential)>, Error> {
        let mut all = Vec::new();
        for listed in self.list()? {
            match self.get(&Query::exact(&listed.key)) {
                Ok(Some(kept)) => all.push((listed, kept)),
                Ok(None) | Err(Error::Unavailable { .. }) => {}
                Err(cause) => return Err(cause),
            }
        }
        Ok(all)
    }

    /// Whether it could be used now. Changes nothing.
    fn check(&self) -> Result<(), Error>;
}

/// The place of a stored entry among those that match the same query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// It answers first.
    Newest,
    /// It answers last. An entry with the same key keeps its place.
    Behind,
}

/// Whether nobody has stored another secret than that of `known` where now is `kept`.
pub fn is_still(kept: Option<&Credential>, known: Option<&Credential>) -> bool {
    let kept = kept.filter(|kept| kept.is_complete());
    kept.is_none_or(|kept| known.is_some_and(|known| known.has_same_secrets(kept)))
}

/// The time that was waited in vain, for all storages together: what one of them has cost, the next need not cost again.
/// Copies count as one.
#[derive(Debug, Clone, Default)]
pub struct Budget(Rc<Cell<Duration>>);

impl Budget {
    /// So much more.
    pub fn add(&self, time: Duration) {
        self.0.set(self.0.get().saturating_add(time));
    }

    /// What of `patience` is left.
    pub fn remaining(&self, patience: Duration) -> Duration {
        patience.saturating_sub(self.0.get())
    }
}

/// Which storage, by the word used in configuration and messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StorageKind {
    /// A daemon of ours, for a while.
    Memory,
    /// The operating system's.
    Keychain,
    /// Plaintext on disk.
    File,
}

impl StorageKind {
    /// Where it keeps things, after `in`.
    pub fn place(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Keychain => "the keychain",
            Self::File => "the plaintext file",
        }
    }
}

/// `kinds` in a sentence after `in`, each once: `memory, the keychain or the plaintext file`.
pub fn in_words(kinds: &[StorageKind], last: &str) -> String {
    let mut places: Vec<&str> = Vec::new();
    for kind in kinds {
        if !places.contains(&kind.place()) {
            places.push(kind.place());
        }
    }
    match places.split_last() {
        Some((end, [])) => (*end).to_owned(),
        Some((end, others)) => format!("{} {last} {end}", others.join(", ")),
        None => String::new(),
    }
}

impl fmt::Display for StorageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Memory => "memory",
            Self::Keychain => "keychain",
            Self::File => "file",
        })
    }
}

/// An entry as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// What it is kept under.
    pub key: Key,
    /// When its secrets end.
    pub expiry: Option<Expiry>,
    /// For authtype/credential entries: the scheme, such as `Bearer`.
    pub scheme: Option<Vec<u8>>,
    /// Whether a refresh token is kept with it.
    pub is_renewable: bool,
    /// When it will be forgotten if nobody uses it, in Unix seconds; `None`: kept until removed.
    pub forgotten: Option<u64>,
    /// When it was last written, in Unix seconds, where the storage knows.
    pub written: Option<u64>,
}

impl Listed {
    /// What may be shown of `credential`.
    pub fn of(credential: &Credential) -> Self {
        let Credential {
            key,
            password: _,
            authorization,
            expiry,
            refresh_token,
        } = credential;
        Self {
            key: key.clone(),
            expiry: *expiry,
            scheme: authorization
                .as_ref()
                .map(|authorization| authorization.scheme.clone()),
            is_renewable: refresh_token.is_some(),
            forgotten: None,
            written: None,
        }
    }
}

/// Why a storage did not do what it was asked. Who acts next differs, so there are two kinds.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not there, locked, or not answering: ask the next storage.
    #[error("cannot reach the {kind} storage")]
    Unavailable {
        /// Which storage.
        kind: StorageKind,
        /// Why.
        #[source]
        cause: Cause,
    },
    /// There, and it went wrong: stop and say so.
    #[error("cannot {operation} in the {kind} storage")]
    Failed {
        /// What was to be done: `look`, `store`, `erase` …
        operation: &'static str,
        /// Which storage.
        kind: StorageKind,
        /// Why.
        #[source]
        cause: Cause,
    },
}

/// What went wrong underneath; holds no value from the wire.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What a person can do about a failure, said on a line of its own.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Advice {
    /// What is wrong.
    pub message: String,
    /// What to do, such as a command to run.
    pub hint: String,
    /// What is lacking.
    pub lack: Lack,
}

/// What keeps a storage from answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// Nothing is wrong: this system just has no such storage.
    Absent,
    /// The session bus is another user's: to this user the system has no such storage.
    OwnBus,
    /// It is there, and closed.
    Locked,
    /// It is there, and cannot be used as it is.
    Use,
}

impl Error {
    /// Whether this system just has no such storage, which is nothing to complain of where it was not asked for.
    pub fn is_absence(&self) -> bool {
        matches!(self.lack(), Some(Lack::Absent | Lack::OwnBus))
    }

    /// What the storage lacks, if it knows.
    pub fn lack(&self) -> Option<Lack> {
        let (Self::Unavailable { cause, .. } | Self::Failed { cause, .. }) = self;
        cause.downcast_ref::<Advice>().map(|advice| advice.lack)
    }

    /// Whether another process holds it, and may let go.
    pub fn is_busy(&self) -> bool {
        let (Self::Unavailable { cause, .. } | Self::Failed { cause, .. }) = self;
        let cause = cause.downcast_ref::<owned::Error>();
        matches!(cause, Some(owned::Error::Busy { .. }))
    }

    /// What to do about it, if the storage knows.
    pub fn hint(&self) -> Option<&str> {
        let (Self::Unavailable { cause, .. } | Self::Failed { cause, .. }) = self;
        let advice = cause
            .downcast_ref::<Advice>()
            .map(|advice| advice.hint.as_str());
        advice.or_else(|| {
            cause
                .downcast_ref::<owned::Error>()
                .and_then(owned::Error::hint)
        })
    }
}
