//! The memory storage as the helper sees it: questions to the daemon.

use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

use super::condition::Condition;
use super::connect::{self, Socket};
use super::message::{self, ANSWER_LIMIT, HEADER, Header, Status, Terms, Word};
use super::transport::Stream;
use crate::credential::Credential;
use crate::credential::expiry::Expiry;
use crate::credential::query::Query;
use crate::platform::{monotonic_now, wait_readable, wait_writable};
use crate::protocol;
use crate::protocol::read::{self, AttributeLines};
use crate::secret::Buffer;
use crate::storage::memory::Lifetime;
use crate::storage::{Budget, Error, Listed, Position, Storage, StorageKind};

/// git waits for us without a bound of its own.
const PATIENCE: Duration = Duration::from_secs(2);
/// `store` may have to start the daemon first.
const STORE_PATIENCE: Duration = Duration::from_secs(5);

/// The daemon's client.
#[derive(Debug)]
pub struct Cache {
    socket: Socket,
    lifetime: Lifetime,
    /// What waiting for this daemon has cost, by itself and together with others.
    waited: Budget,
    lost: Budget,
}

/// Why a question got no answer.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Connect(#[from] connect::Error),
    #[error("cannot compose or read a message")]
    Message(#[from] protocol::Error),
    #[error("the daemon is of another version: end it with 'git-credential-pat cache stop'")]
    OtherVersion,
    #[error("the daemon is busy")]
    Busy,
    #[error("the daemon did not understand")]
    Refused,
}

/// Whether a daemon is started where there is none.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    Never,
    IfNeeded,
}

impl Cache {
    /// Asks at `socket`; what is stored is kept for `lifetime`.
    pub fn new(socket: Socket, lifetime: Lifetime) -> Self {
        Self {
            socket,
            lifetime,
            waited: Budget::default(),
            lost: Budget::default(),
        }
    }

    /// Tells those who are asked later what was waited in vain here.
    #[must_use]
    pub fn counting(self, lost: &Budget) -> Self {
        Self {
            lost: lost.clone(),
            ..self
        }
    }

    /// How the daemon is; `None` if there is none.
    pub fn status(&self) -> Result<Option<Status>, Error> {
        let answer = self.ask_word(Word::Status, "look")?;
        answer
            .map(|answer| message::read_status(lines(&answer)))
            .transpose()
            .map_err(|error| failed("look", error))
    }

    /// Has everything forgotten. Returns how many entries that were; `None` if there is no daemon.
    pub fn clear(&self) -> Result<Option<usize>, Error> {
        let answer = self.ask_word(Word::Clear, "clear")?;
        answer
            .map(|answer| message::read_count(lines(&answer)))
            .transpose()
            .map_err(|error| failed("clear", error))
    }

    /// Has the daemon leave. Returns whether there was one.
    pub fn stop(&self) -> Result<bool, Error> {
        self.ask_word(Word::Stop, "stop")
            .map(|answer| answer.is_some())
    }

    fn ask_word(&self, word: Word, operation: &'static str) -> Result<Option<Buffer>, Error> {
        let question = message::compose_word(word).map_err(|error| failed(operation, error))?;
        self.ask(Start::Never, &question)
    }

    /// The whole answer; `None` if there is no daemon.
    fn ask(&self, start: Start, question: &Buffer) -> Result<Option<Buffer>, Error> {
        self.ask_until_answered(start, question)
            .map_err(unavailable)
    }

    /// A daemon that did not answer in time is not waited for again: the next wait would be as long.
    fn ask_until_answered(
        &self,
        start: Start,
        question: &Buffer,
    ) -> Result<Option<Buffer>, Failure> {
        let patience = self.waited.remaining(match start {
            Start::IfNeeded => STORE_PATIENCE,
            Start::Never => PATIENCE,
        });
        let began = monotonic_now();
        let answer = self.ask_before(began.saturating_add(patience), start, question);
        if let Err(Failure::Connect(connect::Error::Silent)) = answer {
            let took = monotonic_now().saturating_sub(began);
            self.waited.add(took);
            self.lost.add(took);
        }
        answer
    }

    /// A daemon that was just leaving when we came drops the connection: then the next one is asked. Every question may
    /// be asked twice.
    fn ask_before(
        &self,
        deadline: Duration,
        start: Start,
        question: &Buffer,
    ) -> Result<Option<Buffer>, Failure> {
        for _ in 0..8 {
            let stream = match start {
                Start::Never => self.socket.connect(deadline)?,
                Start::IfNeeded => Some(self.socket.connect_or_start(deadline)?),
            };
            let Some(stream) = stream else {
                return Ok(None);
            };
            let Some((word, answer)) = exchange(stream, question, deadline)? else {
                continue;
            };
            match word {
                Some(Word::Done) => return Ok(Some(answer)),
                Some(Word::Busy) => return Err(Failure::Busy),
                Some(Word::OtherVersion) | None if start == Start::IfNeeded => {
                    self.replace(deadline)?;
                }
                Some(Word::OtherVersion) | None => return Err(Failure::OtherVersion),
                Some(_) => return Err(Failure::Refused),
            }
        }
        Err(connect::Error::Silent.into())
    }

    /// Has a daemon of another version leave: it would keep answering to what it does not understand.
    fn replace(&self, deadline: Duration) -> Result<(), Failure> {
        if let Some(stream) = self.socket.connect(deadline)? {
            exchange(stream, &message::compose_word(Word::Stop)?, deadline)?;
        }
        Ok(())
    }
}

/// Sends the question and reads the answer; `None` if the daemon went away before it had answered.
fn exchange(
    mut stream: Stream,
    question: &Buffer,
    deadline: Duration,
) -> Result<Option<(Option<Word>, Buffer)>, Failure> {
    say(&mut stream, question.as_slice(), deadline)?;
    let mut answer = Buffer::with_capacity(1024);
    let mut wanted = HEADER;
    let mut word = None;
    while answer.as_slice().len() < wanted {
        wait(&stream, wait_readable, deadline)?;
        match answer.read_from(
            &mut stream as &mut dyn Read,
            wanted - answer.as_slice().len(),
        ) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(error) if is_temporary(error.kind()) => {}
            Err(error) if went_away(error.kind()) => return Ok(None),
            Err(_) => return Err(connect::Error::Silent.into()),
        }
        if wanted == HEADER && answer.as_slice().len() == HEADER {
            let header = answer.as_slice().try_into().ok();
            let header = header.and_then(|bytes| Header::parse(bytes, ANSWER_LIMIT));
            let Header { word: said, length } = header.ok_or(Failure::OtherVersion)?;
            word = said;
            wanted += length;
        }
    }
    Ok(Some((word, answer)))
}

/// Sends the whole question; or as much as the daemon wants, for it may have answered already.
fn say(stream: &mut Stream, mut question: &[u8], deadline: Duration) -> Result<(), Failure> {
    while !question.is_empty() {
        match stream.write(question) {
            Ok(sent) => question = &question[sent..],
            Err(error) if is_temporary(error.kind()) => wait(stream, wait_writable, deadline)?,
            Err(error) if went_away(error.kind()) => break,
            Err(_) => return Err(connect::Error::Silent.into()),
        }
    }
    Ok(())
}

/// Every wait has the same end: a socket's own timeouts would begin anew with each call.
fn wait(
    stream: &Stream,
    until_ready: fn(&Stream, Duration) -> io::Result<bool>,
    deadline: Duration,
) -> Result<(), Failure> {
    match until_ready(stream, deadline.saturating_sub(monotonic_now())) {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(connect::Error::Silent.into()),
    }
}

fn is_temporary(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Interrupted | ErrorKind::WouldBlock)
}

fn went_away(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted
    )
}

fn lines(answer: &Buffer) -> &[u8] {
    answer.as_slice().get(HEADER..).unwrap_or_default()
}

fn unavailable(failure: Failure) -> Error {
    Error::Unavailable {
        kind: StorageKind::Memory,
        cause: match failure {
            // As it is: it knows what to do about it.
            Failure::Connect(connect::Error::Folder(error)) => Box::new(error),
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

impl Cache {
    fn store_if(
        &self,
        condition: Condition,
        position: Position,
        credential: &Credential,
    ) -> Result<bool, Error> {
        let terms = Terms {
            lifetime: self.lifetime,
            condition,
            position,
        };
        let question = message::compose(Word::Store, |out| {
            message::push_store(credential, terms, out)
        });
        let question = question.map_err(|error| failed("store", error))?;
        let answer = self.ask(Start::IfNeeded, &question)?;
        // Without a condition it is stored; and by a daemon of before, which knows none.
        let count = answer.and_then(|answer| message::read_count(lines(&answer)).ok());
        Ok(count != Some(0))
    }

    /// Stores nothing if the system gives no random bytes: `known` could not be compared.
    fn store_if_still(
        &self,
        known: Option<&Credential>,
        position: Position,
        credential: &Credential,
    ) -> Result<bool, Error> {
        match Condition::still(known) {
            Some(condition) => self.store_if(condition, position, credential),
            None => Ok(false),
        }
    }
}

impl Storage for Cache {
    fn kind(&self) -> StorageKind {
        StorageKind::Memory
    }

    fn get(&self, wanted: &Query) -> Result<Option<Credential>, Error> {
        let question = message::compose(Word::Get, |out| message::push_description(wanted, out));
        let question = question.map_err(|error| failed("look", error))?;
        let answer = match self.ask_until_answered(Start::Never, &question) {
            // What it keeps is not for us to read: as good as nothing. The `store` that follows replaces it.
            Err(Failure::OtherVersion) => None,
            answer => answer.map_err(unavailable)?,
        };
        let Some(answer) = answer.filter(|answer| !lines(answer).is_empty()) else {
            return Ok(None);
        };
        let said = read::entry(AttributeLines::new(lines(&answer)))
            .map_err(|error| failed("look", error))?;
        Ok(Credential::partial(said).filter(|credential| wanted.matches(&credential.key)))
    }

    fn store(&self, credential: &Credential) -> Result<(), Error> {
        self.store_if(Condition::None, Position::Newest, credential)
            .map(drop)
    }

    fn replace(&self, known: Option<&Credential>, credential: &Credential) -> Result<bool, Error> {
        self.store_if_still(known, Position::Newest, credential)
    }

    fn insert_behind(
        &self,
        known: Option<&Credential>,
        credential: &Credential,
    ) -> Result<bool, Error> {
        self.store_if_still(known, Position::Behind, credential)
    }

    fn set_expiry(&self, kept: &Credential, end: Option<Expiry>) -> Result<bool, Error> {
        let question = message::compose(Word::Redate, |out| message::push_redate(kept, end, out));
        let question = question.map_err(|error| failed("store", error))?;
        let Some(answer) = self.ask(Start::Never, &question)? else {
            return Ok(false);
        };
        let count = message::read_count(lines(&answer)).map_err(|error| failed("store", error))?;
        Ok(count > 0)
    }

    fn check_writable(&self, kept: &Credential) -> Result<bool, Error> {
        let found = self.get(&Query::exact(&kept.key))?;
        let same = found.filter(|found| found.is_complete() && found.has_same_secrets(kept));
        same.map_or(Ok(false), |same| self.set_expiry(&same, same.expiry))
    }

    fn erase(&self, unwanted: &Query) -> Result<usize, Error> {
        let question =
            message::compose(Word::Erase, |out| message::push_description(unwanted, out));
        let answer = self.ask(
            Start::Never,
            &question.map_err(|error| failed("erase", error))?,
        )?;
        let Some(answer) = answer else { return Ok(0) };
        message::read_count(lines(&answer)).map_err(|error| failed("erase", error))
    }

    fn list(&self) -> Result<Vec<Listed>, Error> {
        let Some(answer) = self.ask_word(Word::List, "list")? else {
            return Ok(Vec::new());
        };
        message::read_listed(lines(&answer)).map_err(|error| failed("list", error))
    }

    fn check(&self) -> Result<(), Error> {
        self.status().map(drop)
    }
}
