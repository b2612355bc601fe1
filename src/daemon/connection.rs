//! One client of the daemon: what it has said so far, what it is still to be told, and until when.

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use super::header::{HEADER, Header, REQUEST_LIMIT, Word};
use super::transport::Stream;
use crate::platform::monotonic_now;
use crate::secret::Buffer;

/// A client that says nothing for this long is dropped.
const IDLE: Duration = Duration::from_secs(2);
/// A client that is not done after this long is dropped, however busily it drips.
const TOTAL: Duration = Duration::from_secs(5);
/// All requests together; beyond this, clients are told to come again.
const REQUESTS: usize = 8 * REQUEST_LIMIT;

/// One client: it asks once and is answered once.
pub(crate) struct Connection {
    pub(crate) stream: Stream,
    /// What has come so far, header included.
    pub(crate) request: Buffer,
    /// What is to be sent, once there is something.
    pub(crate) answer: Option<Buffer>,
    sent: usize,
    began: Duration,
    /// When something last happened.
    pub(crate) heard: Duration,
    /// Whether something can be read or written now.
    pub(crate) is_ready: bool,
}

/// How far a connection has come.
#[derive(PartialEq, Eq)]
pub(crate) enum Progress {
    /// More is to come.
    Unfinished,
    /// The request is all there, or never will be; this is what to answer.
    Complete(Word),
    /// Nothing is left to do.
    Gone,
}

impl Connection {
    /// Most clients have written before they are accepted: a look at once saves a round.
    pub(crate) fn new(stream: Stream) -> Self {
        let now = monotonic_now();
        let request = Buffer::with_capacity(512);
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

    /// Takes what is there. `pending`: bytes of requests that all connections hold together.
    pub(crate) fn read(&mut self, pending: usize) -> Progress {
        loop {
            let have = self.request.as_slice().len();
            let mut wanted = HEADER;
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
                wanted += length;
                if have == wanted {
                    return Progress::Complete(word);
                }
            }
            match self
                .request
                .read_from(&mut self.stream as &mut dyn Read, wanted - have)
            {
                Ok(0) => return Progress::Gone,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Progress::Unfinished,
                Err(_) => return Progress::Gone,
            }
        }
    }

    /// Sends what can be sent of the answer.
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
