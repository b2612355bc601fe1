//! The memory storage as the helper sees it: requests to the daemon.

use std::time::Duration;

use super::condition::Condition;
use super::connect::{self, DAEMON, Socket};
use super::exchange::exchange;
use super::header::{HEADER, Word, compose, compose_word};
use super::message::{self, Status, Terms};
use crate::credential::Credential;
use crate::credential::expiry::Expiry;
use crate::credential::query::Query;
use crate::platform::monotonic_now;
use crate::protocol;
use crate::secret::Buffer;
use crate::storage::budget::Budget;
use crate::storage::memory::Lifetime;
use crate::storage::{
    Error, Expected, Insertion, Listed, Position, Storage, StorageKind, if_reached,
};
use crate::terminal::with_causes;
use crate::trace;

/// git waits for us without a bound of its own.
const PATIENCE: Duration = Duration::from_secs(2);
/// `store` may have to start the daemon first.
pub(super) const STORE_PATIENCE: Duration = Duration::from_secs(5);

/// The daemon's client.
#[derive(Debug)]
pub struct Cache {
    pub(super) socket: Socket,
    lifetime: Lifetime,
    /// The time that was waited in vain: for this daemon, and for all storages.
    pub(super) waited: Budget,
    lost: Budget,
}

/// Whether a daemon is started if none runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    Never,
    IfNeeded,
}

impl Cache {
    /// Asks at `socket`. An entry is kept for `lifetime`. `lost`: counts the time that git has waited in vain.
    pub fn new(socket: Socket, lifetime: Lifetime, lost: &Budget) -> Self {
        Self {
            socket,
            lifetime,
            waited: Budget::default(),
            lost: lost.clone(),
        }
    }

    /// The daemon's status; `None` if none runs.
    pub fn status(&self) -> Result<Option<Status>, Error> {
        let answer = self.ask_word(Word::Status, "look")?;
        read("look", answer, message::read_status)
    }

    /// Removes all entries. Returns their number; `None` if no daemon runs.
    pub fn clear(&self) -> Result<Option<usize>, Error> {
        let answer = self.ask_word(Word::Clear, "clear")?;
        read("clear", answer, message::read_count)
    }

    /// Stops the daemon. Returns whether one ran.
    pub fn stop(&self) -> Result<bool, Error> {
        self.ask_word(Word::Stop, "stop")
            .map(|answer| answer.is_some())
    }

    fn ask_word(&self, word: Word, operation: &'static str) -> Result<Option<Buffer>, Error> {
        self.ask(Start::Never, operation, compose_word(word))
    }

    /// Returns the whole answer; `None` if no daemon runs.
    fn ask(
        &self,
        start: Start,
        operation: &'static str,
        request: Result<Buffer, protocol::Error>,
    ) -> Result<Option<Buffer>, Error> {
        let request = request.map_err(|error| failed(operation, error))?;
        self.ask_until_answered(start, &request)
            .map_err(unavailable)
    }

    /// A daemon that did not answer in time is not waited for again: the next wait would be as long.
    fn ask_until_answered(
        &self,
        start: Start,
        request: &Buffer,
    ) -> Result<Option<Buffer>, connect::Error> {
        let patience = self.waited.remaining(match start {
            Start::IfNeeded => STORE_PATIENCE,
            Start::Never => PATIENCE,
        });
        let began = monotonic_now();
        let deadline = began.saturating_add(patience);
        let ask = || self.ask_before(deadline, start, request);
        let answer = trace::timed(DAEMON, ask, |answer| match answer {
            Ok(Some(_)) => "answered".to_owned(),
            Ok(None) => "does not run".to_owned(),
            Err(error) => with_causes(error),
        });
        if let Err(error) = &answer {
            self.note_silence(error, began);
        }
        answer
    }

    /// Counts the time since `began` as lost, if the daemon did not answer in time.
    pub(super) fn note_silence(&self, error: &connect::Error, began: Duration) {
        if let connect::Error::Silent = error {
            let took = monotonic_now().saturating_sub(began);
            self.waited.add(took);
            self.lost.add(took);
        }
    }

    /// A daemon that stops drops the connection, and the next one is asked. Every request may be sent twice.
    fn ask_before(
        &self,
        deadline: Duration,
        start: Start,
        request: &Buffer,
    ) -> Result<Option<Buffer>, connect::Error> {
        for _ in 0..8 {
            let stream = match start {
                Start::Never => self.socket.connect(deadline)?,
                Start::IfNeeded => Some(self.socket.connect_or_start(deadline)?),
            };
            let Some(stream) = stream else {
                return Ok(None);
            };
            let Some((word, answer)) = exchange(stream, request, deadline)? else {
                continue;
            };
            match word {
                Some(Word::Done) => return Ok(Some(answer)),
                Some(Word::Busy) => return Err(connect::Error::Busy),
                Some(Word::OtherVersion) | None if start == Start::IfNeeded => {
                    trace::tell(DAEMON, || {
                        "is of another version: it is replaced".to_owned()
                    });
                    self.replace(deadline)?;
                }
                Some(Word::OtherVersion) | None => return Err(connect::Error::OtherVersion),
                Some(_) => return Err(connect::Error::Refused),
            }
        }
        Err(connect::Error::Silent)
    }

    /// Composes a request to store. `None`: the system gives no random bytes.
    pub(super) fn compose_store(
        &self,
        credential: &Credential,
        position: Position,
        expected: Expected<'_>,
    ) -> Option<Result<Buffer, protocol::Error>> {
        let condition = match expected {
            Expected::Anything => Condition::None,
            Expected::Still(known) => Condition::still(known)?,
        };
        let terms = Terms {
            lifetime: self.lifetime,
            condition,
            position,
        };
        let request = compose(Word::Store, |out| {
            message::push_store(credential, terms, out)
        });
        Some(request)
    }

    /// Stops a daemon of another version: it would understand no request.
    fn replace(&self, deadline: Duration) -> Result<(), connect::Error> {
        if let Some(stream) = self.socket.connect(deadline)? {
            exchange(stream, &compose_word(Word::Stop)?, deadline)?;
        }
        Ok(())
    }
}

/// A daemon of an older version knows no condition, and stores the credential.
pub(super) fn is_stored(answer: &Buffer) -> bool {
    message::read_count(lines(answer)).ok() != Some(0)
}

fn lines(answer: &Buffer) -> &[u8] {
    answer.as_slice().get(HEADER..).unwrap_or_default()
}

/// Reads the lines of an answer, if there is one.
fn read<T>(
    operation: &'static str,
    answer: Option<Buffer>,
    reader: fn(&[u8]) -> Result<T, protocol::Error>,
) -> Result<Option<T>, Error> {
    let read = answer.map(|answer| reader(lines(&answer)));
    read.transpose().map_err(|error| failed(operation, error))
}

pub(super) fn unavailable(failure: connect::Error) -> Error {
    Error::Unavailable {
        kind: StorageKind::Memory,
        cause: match failure {
            // Not wrapped: this error has a hint.
            connect::Error::Folder(error) => Box::new(error),
            failure => Box::new(failure),
        },
    }
}

fn failed(operation: &'static str, cause: protocol::Error) -> Error {
    Error::Failed {
        operation,
        kind: StorageKind::Memory,
        cause: Box::new(cause),
    }
}

impl Storage for Cache {
    fn kind(&self) -> StorageKind {
        StorageKind::Memory
    }

    fn get(&self, wanted: &Query) -> Result<Option<Credential>, Error> {
        let request = compose(Word::Get, |out| message::push_query(wanted, out));
        let request = request.map_err(|error| failed("look", error))?;
        let answer = match self.ask_until_answered(Start::Never, &request) {
            // Its entries cannot be read. The `store` that follows replaces the daemon.
            Err(connect::Error::OtherVersion) => None,
            answer => answer.map_err(unavailable)?,
        };
        let found = read("look", answer, message::read_found)?.flatten();
        Ok(found.filter(|found| wanted.matches(&found.key)))
    }

    fn put(
        &self,
        credential: &Credential,
        position: Position,
        expected: Expected<'_>,
    ) -> Result<bool, Error> {
        // Without random bytes, `known` cannot be compared.
        let Some(request) = self.compose_store(credential, position, expected) else {
            return Ok(false);
        };
        let answer = self.ask(Start::IfNeeded, "store", request)?;
        Ok(answer.is_none_or(|answer| is_stored(&answer)))
    }

    fn insert_all_behind(
        &self,
        all: &[Insertion<'_>],
        stored: &mut dyn FnMut(usize, bool) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.insert_together(all, stored)
    }

    fn set_expiry(&self, kept: &Credential, end: Option<Expiry>) -> Result<bool, Error> {
        let request = compose(Word::SetExpiry, |out| message::push_expiry(kept, end, out));
        let answer = self.ask(Start::Never, "store", request)?;
        let count = read("store", answer, message::read_count)?;
        Ok(count.is_some_and(|count| count > 0))
    }

    fn erase(&self, unwanted: &Query) -> Result<usize, Error> {
        let request = compose(Word::Erase, |out| message::push_query(unwanted, out));
        let answer = self.ask(Start::Never, "erase", request)?;
        Ok(read("erase", answer, message::read_count)?.unwrap_or(0))
    }

    fn list(&self) -> Result<Vec<Listed>, Error> {
        let answer = self.ask_word(Word::List, "list")?;
        Ok(read("list", answer, message::read_listed)?.unwrap_or_default())
    }

    /// Asks for all entries at once. An older daemon lists them without secrets, and is asked for each.
    fn all(&self) -> Result<Vec<(Listed, Credential)>, Error> {
        let request = compose(Word::List, |out| {
            message::push_with_secrets(out);
            Ok(())
        });
        let answer = self.ask(Start::Never, "list", request)?;
        let listed = read("list", answer, message::read_all)?.unwrap_or_default();
        let mut all = Vec::with_capacity(listed.len());
        for (listed, kept) in listed {
            let kept = match kept {
                Some(kept) => Some(kept),
                None => if_reached(self.get(&Query::exact(&listed.key)))?.flatten(),
            };
            all.extend(kept.map(|kept| (listed, kept)));
        }
        Ok(all)
    }

    fn check(&self) -> Result<(), Error> {
        self.status().map(drop)
    }
}
