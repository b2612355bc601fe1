//! One client of the daemon: its request so far, the rest of its answer, and its deadline.

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use super::header::{HEADER, Header, REQUEST_LIMIT, Word};
use super::transport::Stream;
use crate::platform::monotonic_now;
use crate::secret::Buffer;

/// A client that sends nothing for this long is dropped.
const IDLE: Duration = Duration::from_secs(2);
/// A client that is not done after this long is dropped, even if it sends a byte now and then.
const TOTAL: Duration = Duration::from_secs(5);
/// In bytes: most requests are shorter, so that one read gets all.
const USUAL: usize = 512;
/// The limit of all requests together. Beyond it, a client is told to ask later.
const REQUESTS: usize = 8 * REQUEST_LIMIT;

/// One client, with one request and one answer.
pub(crate) struct Connection {
    pub(crate) stream: Stream,
    /// The bytes so far, with the header.
    pub(crate) request: Buffer,
    /// The answer, once there is one.
    pub(crate) answer: Option<Buffer>,
    sent: usize,
    began: Duration,
    /// When something last happened.
    pub(crate) heard: Duration,
    /// Whether something can be read or written now.
    pub(crate) is_ready: bool,
}

/// The state of a connection.
#[derive(PartialEq, Eq)]
pub(crate) enum Progress {
    /// More is to come.
    Unfinished,
    /// The request is complete, or cannot be read: the word is what to answer.
    Complete(Word),
    /// Nothing is left to do.
    Gone,
}

impl Connection {
    /// Ready at once: most clients have sent their request before they are accepted.
    pub(crate) fn new(stream: Stream) -> Self {
        let now = monotonic_now();
        let request = Buffer::with_capacity(USUAL);
        Self {
            stream,
            request,
            answer: None,
            sent: 0,
            began: now,
            heard: now,
            is_ready: true,
        }
    }

    /// When it is dropped if nothing happens.
    pub(crate) fn deadline(&self) -> Duration {
        (self.heard + IDLE).min(self.began + TOTAL)
    }

    /// Reads what has come. `pending`: the bytes of the requests of all connections.
    pub(crate) fn read(&mut self, pending: usize) -> Progress {
        loop {
            let have = self.request.as_slice().len();
            let mut most = USUAL.saturating_sub(have);
            if have >= HEADER {
                let header = self.request.as_slice()[..HEADER].try_into().ok();
                let Some(Header { word, length }) =
                    header.and_then(|bytes| Header::parse(bytes, REQUEST_LIMIT))
                else {
                    return Progress::Complete(Word::Refused);
                };
                let Some(word) = word else {
                    return Progress::Complete(Word::OtherVersion);
                };
                if pending + length > REQUESTS {
                    return Progress::Complete(Word::Busy);
                }
                let wanted = HEADER + length;
                if have >= wanted {
                    // A client sends one request. The rest of its bytes count for nothing.
                    self.request.truncate(wanted);
                    return Progress::Complete(word);
                }
                most = wanted - have;
                self.request.reserve(most);
            }
            match self
                .request
                .read_from(&mut self.stream as &mut dyn Read, most)
            {
                Ok(0) => return Progress::Gone,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Progress::Unfinished,
                Err(_) => return Progress::Gone,
            }
        }
    }

    /// Sends as much of the answer as the client takes.
    pub(crate) fn write(&mut self) -> Progress {
        let Some(answer) = &self.answer else {
            return Progress::Gone;
        };
        while self.sent < answer.as_slice().len() {
            match self.stream.write(&answer.as_slice()[self.sent..]) {
                Ok(0) => return Progress::Gone,
                Ok(written) => self.sent += written,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Progress::Unfinished,
                Err(_) => return Progress::Gone,
            }
        }
        Progress::Gone
    }
}
