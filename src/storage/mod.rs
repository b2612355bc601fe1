//! The contract of the storages: memory, the keychain, the plaintext file.
//!
//! A storage does not print or decide. One set of conformance tests runs over all of them.

use std::fmt;

use crate::credential::Credential;
use crate::credential::expiry::Expiry;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::files;

pub mod budget;
pub mod file;
pub mod keychain;
pub mod memory;
pub(crate) mod trace_words;
pub(crate) mod traced;

pub trait Storage: fmt::Debug {
    fn kind(&self) -> StorageKind;

    /// Returns the newest entry that matches, or `None`.
    ///
    /// Returns an expired entry too, with or without its secrets: its refresh token may be needed, and its expiry is worth
    /// a message.
    fn get(&self, wanted: &Query) -> Result<Option<Credential>, Error>;

    /// Returns the entry with this key without a prompt, and unlocks nothing; `None`: there is none, or it is locked.
    fn peek(&self, key: &Key) -> Result<Option<Credential>, Error> {
        self.get(&Query::exact(key))
    }

    /// Stores `credential` and replaces the entry with the same key, if that entry is as `expected`. Does not write an
    /// identical entry again. Returns whether `credential` was stored.
    ///
    /// A keychain ignores the position: its newest item answers first.
    fn put(
        &self,
        credential: &Credential,
        position: Position,
        expected: Expected<'_>,
    ) -> Result<bool, Error>;

    fn store(&self, credential: &Credential) -> Result<(), Error> {
        self.put(credential, Position::Newest, Expected::Anything)
            .map(drop)
    }

    /// As [`Storage::store`], but only if the key's secret is still that of `known`: a secret stored meanwhile stays. Returns
    /// whether `credential` was stored.
    fn replace(&self, known: Option<&Credential>, credential: &Credential) -> Result<bool, Error> {
        self.put(credential, Position::Newest, Expected::Still(known))
    }

    /// Stores `credential` behind all other entries: of several entries that match a query, it answers last. An entry with
    /// its key keeps its place. As for [`Storage::replace`], a secret that replaced `known` stays. Returns whether
    /// `credential` was stored.
    fn insert_behind(
        &self,
        known: Option<&Credential>,
        credential: &Credential,
    ) -> Result<bool, Error> {
        self.put(credential, Position::Behind, Expected::Still(known))
    }

    /// Inserts each of `all`, as [`Storage::insert_behind`] does, in this order. No two have the same key. Calls `stored` with
    /// the index of each, and whether it was stored. A storage that writes all at once calls it after that.
    fn insert_all_behind(
        &self,
        all: &[Insertion<'_>],
        stored: &mut dyn FnMut(usize, bool) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for (index, (known, credential)) in all.iter().enumerate() {
            stored(index, self.insert_behind(*known, credential)?)?;
        }
        Ok(())
    }

    /// Sets the expiry of the entry with `kept`'s key, if its secrets are still `kept`'s. Returns whether there was such an
    /// entry. The order of the entries stays.
    fn set_expiry(&self, kept: &Credential, end: Option<Expiry>) -> Result<bool, Error>;

    /// Tests that the entry with `kept`'s key can be written, without a visible change, if its secrets are still `kept`'s.
    /// Returns whether there was such an entry.
    fn check_writable(&self, kept: &Credential) -> Result<bool, Error> {
        let found = self.get(&Query::exact(&kept.key))?;
        let same = found.filter(|found| found.is_complete() && found.has_same_secrets(kept));
        same.map_or(Ok(false), |same| self.set_expiry(&same, same.expiry))
    }

    /// Removes every entry that matches `unwanted` and, if it names a secret, has that secret. A blank query removes no
    /// entry. Returns the number of removed entries.
    fn erase(&self, unwanted: &Query) -> Result<usize, Error>;

    /// Removes for each credential the entries with its key and its secrets. Returns their numbers.
    fn erase_each(&self, unwanted: &[&Credential]) -> Result<Vec<usize>, Error> {
        let erase = |unwanted: &&Credential| self.erase(&unwanted.as_rejected());
        unwanted.iter().map(erase).collect()
    }

    /// Returns every entry without secrets, the oldest first if the storage knows the order.
    fn list(&self) -> Result<Vec<Listed>, Error>;

    /// Returns every entry with its secrets, in the order of [`Storage::list`]. Of several entries under one key,
    /// [`Storage::get`] answers the last. Leaves out locked entries, and those that were removed meanwhile.
    fn all(&self) -> Result<Vec<(Listed, Credential)>, Error> {
        let mut all = Vec::new();
        for listed in self.list()? {
            let kept = if_reached(self.get(&Query::exact(&listed.key)))?.flatten();
            all.extend(kept.map(|kept| (listed, kept)));
        }
        Ok(all)
    }

    /// Fails if the storage cannot be used now. Changes nothing.
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

/// The entry that may be replaced, and the credential to insert.
pub type Insertion<'a> = (Option<&'a Credential>, &'a Credential);

/// The entry that may be replaced.
#[derive(Debug, Clone, Copy)]
pub enum Expected<'a> {
    Anything,
    /// An entry with this secret, or without one.
    Still(Option<&'a Credential>),
}

impl Expected<'_> {
    /// Whether `kept`, the entry now, may be replaced.
    pub fn is_met(self, kept: Option<&Credential>) -> bool {
        match (self, kept.filter(|kept| kept.is_complete())) {
            (Self::Anything, _) | (_, None) => true,
            (Self::Still(known), Some(kept)) => {
                known.is_some_and(|known| known.has_same_secrets(kept))
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StorageKind {
    /// The memory of the daemon.
    Memory,
    /// The keychain of the operating system.
    Keychain,
    /// The plaintext file.
    File,
}

impl StorageKind {
    /// Whether it keeps a credential until it is removed.
    pub fn lasts(self) -> bool {
        self != Self::Memory
    }

    /// The words after "in" in a sentence.
    pub fn place(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Keychain => "the keychain",
            Self::File => "the plaintext file",
        }
    }
}

/// Lists `kinds` for the place after "in" in a sentence, each once: `memory, the keychain or the plaintext file`.
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

/// The word in configuration, messages and JSON.
impl fmt::Display for StorageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Memory => "memory",
            Self::Keychain => "keychain",
            Self::File => "file",
        })
    }
}

/// An entry without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub key: Key,
    pub expiry: Option<Expiry>,
    /// The scheme of an `Authorization` header, such as `Bearer`.
    pub scheme: Option<Vec<u8>>,
    /// Whether the entry has a refresh token.
    pub is_renewable: bool,
    /// When memory forgets the entry unless it is used, in Unix seconds; `None`: kept until removed.
    pub forgotten: Option<u64>,
    /// When the entry was last written, in Unix seconds, if the storage knows.
    pub written: Option<u64>,
}

impl Listed {
    pub fn of(credential: &Credential) -> Self {
        let authorization = credential.authorization.as_ref();
        Self {
            key: credential.key.clone(),
            expiry: credential.expiry,
            scheme: authorization.map(|known| known.scheme.clone()),
            is_renewable: credential.refresh_token.is_some(),
            forgotten: None,
            written: None,
        }
    }
}

/// A failure of a storage. The two kinds differ in what the helper does next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Absent, locked or silent: ask the next storage.
    #[error("cannot reach the {kind} storage")]
    Unavailable {
        kind: StorageKind,
        #[source]
        cause: Cause,
    },
    /// Present, but it failed: stop and say so.
    #[error("cannot {} the {kind} storage", in_sentence(operation))]
    Failed {
        /// `look`, `store`, `erase` …
        operation: &'static str,
        kind: StorageKind,
        #[source]
        cause: Cause,
    },
}

fn in_sentence(operation: &'static str) -> &'static str {
    match operation {
        "look" | "list" => "read",
        "store" => "store in",
        "erase" => "remove from",
        other => other,
    }
}

/// The error underneath. Holds no value from the wire.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A cause that the user can fix.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Advice {
    pub message: String,
    /// How to fix it, such as a command to run.
    pub hint: String,
    pub lack: Lack,
}

/// The reason why a storage does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// This system has no such storage, which is no problem.
    Absent,
    /// The session bus belongs to another user: this user has no such storage.
    OwnBus,
    /// The storage is locked.
    Locked,
    /// The storage exists, but cannot be used.
    Use,
}

impl Advice {
    pub fn new(message: impl Into<String>, hint: &str, lack: Lack) -> Self {
        Self {
            message: message.into(),
            hint: hint.to_owned(),
            lack,
        }
    }
}

/// Returns `None` if the storage cannot be reached.
pub fn if_reached<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::Unavailable { .. }) => Ok(None),
        Err(cause) => Err(cause),
    }
}

impl Error {
    fn cause(&self) -> &Cause {
        let (Self::Unavailable { cause, .. } | Self::Failed { cause, .. }) = self;
        cause
    }

    /// Whether this system has no such storage. That is no problem if the user did not ask for it by name.
    pub fn is_absence(&self) -> bool {
        matches!(self.lack(), Some(Lack::Absent | Lack::OwnBus))
    }

    pub fn lack(&self) -> Option<Lack> {
        let advice = self.cause().downcast_ref::<Advice>()?;
        Some(advice.lack)
    }

    /// Whether another process holds the lock and may release it.
    pub fn is_busy(&self) -> bool {
        let cause = self.cause().downcast_ref::<files::Error>();
        matches!(cause, Some(files::Error::Busy { .. }))
    }

    pub fn hint(&self) -> Option<&str> {
        match self.cause().downcast_ref::<Advice>() {
            Some(advice) => Some(&advice.hint),
            None => self.cause().downcast_ref::<files::Error>()?.hint(),
        }
    }
}
