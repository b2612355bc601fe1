//! One request and its answer over the daemon's socket, before a deadline.

use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

use super::connect::Error;
use super::header::{ANSWER_LIMIT, HEADER, Header, Word};
use super::transport::Stream;
use crate::platform::{wait_readable, wait_writable};
use crate::secret::Buffer;

/// In bytes: most answers are shorter, so that one read gets all.
const USUAL: usize = 1024;

/// Sends the request and reads the answer. `None` if the daemon closed the connection before it answered.
pub(super) fn exchange(
    mut stream: Stream,
    request: &Buffer,
    deadline: Duration,
) -> Result<Option<(Option<Word>, Buffer)>, Error> {
    send(&mut stream, request.as_slice(), deadline)?;
    receive(stream, deadline)
}

/// Reads the answer. `None` if the daemon closed the connection before it answered.
pub(super) fn receive(
    mut stream: Stream,
    deadline: Duration,
) -> Result<Option<(Option<Word>, Buffer)>, Error> {
    let mut answer = Buffer::with_capacity(USUAL);
    let mut most = USUAL;
    loop {
        wait(&stream, wait_readable, deadline)?;
        match answer.read_from(&mut stream as &mut dyn Read, most) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(error) if is_temporary(error.kind()) => {}
            Err(error) if went_away(error.kind()) => return Ok(None),
            Err(_) => return Err(Error::Silent),
        }
        let have = answer.as_slice().len();
        let Some(header) = answer.as_slice().first_chunk::<HEADER>() else {
            most = USUAL - have;
            continue;
        };
        let header = Header::parse(header, ANSWER_LIMIT);
        let Header { word, length } = header.ok_or(Error::OtherVersion)?;
        let wanted = HEADER + length;
        if have >= wanted {
            answer.truncate(wanted);
            return Ok(Some((word, answer)));
        }
        most = wanted - have;
        answer.reserve(most);
    }
}

/// Sends the whole request, or as much as the daemon reads: it may have answered already.
pub(crate) fn send(
    stream: &mut Stream,
    mut request: &[u8],
    deadline: Duration,
) -> Result<(), Error> {
    while !request.is_empty() {
        match stream.write(request) {
            Ok(count) => request = &request[count..],
            Err(error) if is_temporary(error.kind()) => wait(stream, wait_writable, deadline)?,
            Err(error) if went_away(error.kind()) => break,
            Err(_) => return Err(Error::Silent),
        }
    }
    Ok(())
}

/// Waits until the common deadline: a socket's own timeout would start again with each call.
fn wait(
    stream: &Stream,
    until_ready: fn(&Stream, Duration) -> io::Result<bool>,
    deadline: Duration,
) -> Result<(), Error> {
    match until_ready(stream, deadline) {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(Error::Silent),
    }
}

/// Whether a call is to be made again, once the other end is ready.
pub(crate) fn is_temporary(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Interrupted | ErrorKind::WouldBlock)
}

fn went_away(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted
    )
}
