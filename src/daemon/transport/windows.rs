//! Named pipes: listen, connect and wait, each within a deadline.
//!
//! The name of the pipe is made of the user and of the path where the socket would be on Unix. The first instance of the pipe is
//! created before the daemon starts, which gets it as its standard input. Each connection takes an instance.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::OwnedHandle;
use std::path::Path;
use std::thread;
use std::time::Duration;

use sha2::{Digest, Sha256};
use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, ERROR_FILE_NOT_FOUND, ERROR_PIPE_BUSY};
use windows_sys::Win32::Security::Authorization::SE_KERNEL_OBJECT;
use windows_sys::Win32::Storage::FileSystem::{FILE_FLAG_OVERLAPPED, SECURITY_IDENTIFICATION};

use super::pipe::{self, Overlapped};
use crate::platform::user::{User, owns};
use crate::platform::{OpenFolder, Ready, Signals, monotonic_now};

/// The limit of connections: the system waits for at most 64 events at once, and one is the listener's.
const MOST: usize = 60;
/// How long a daemon that ends may keep the name.
const LEAVING: Duration = Duration::from_secs(1);

/// One end of a connection. Reads and writes start an operation of the system, and do not wait for it.
pub struct Stream {
    pipe: OwnedHandle,
    incoming: Overlapped,
    /// The bytes of `incoming` that were read and not yet taken.
    unread: std::ops::Range<usize>,
    outgoing: Overlapped,
    /// The other end was not identified yet: that of a client only can be after it has sent something.
    is_unknown: bool,
}

impl Stream {
    fn new(pipe: OwnedHandle, is_unknown: bool) -> io::Result<Self> {
        Ok(Self {
            pipe,
            incoming: Overlapped::new()?,
            unread: 0..0,
            outgoing: Overlapped::new()?,
            is_unknown,
        })
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.unread.is_empty() {
            let count = match self.incoming.finish(&self.pipe) {
                None => self.incoming.read(&self.pipe),
                Some(finished) => finished,
            };
            self.unread = match count {
                Ok(count) => 0..count,
                // The other end closed the pipe.
                Err(cause) if cause.kind() == io::ErrorKind::BrokenPipe => return Ok(0),
                Err(cause) => return Err(cause),
            };
            if self.is_unknown && !self.unread.is_empty() {
                pipe::check_client(&self.pipe)?;
                self.is_unknown = false;
            }
        }
        let count = self.unread.len().min(buffer.len());
        let taken = self.unread.start..self.unread.start + count;
        buffer[..count].copy_from_slice(&self.incoming.bytes()[taken.clone()]);
        self.incoming.wipe(taken);
        self.unread.start += count;
        Ok(count)
    }
}

impl Write for Stream {
    /// Fails with `WouldBlock` until the system has taken the bytes: call it again with the same bytes.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.outgoing.finish(&self.pipe) {
            None => self.outgoing.write(&self.pipe, bytes),
            Some(finished) => finished,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // The system writes into the buffers until an operation has ended.
        self.incoming.cancel(&self.pipe);
        self.outgoing.cancel(&self.pipe);
    }
}

impl Ready for Stream {
    fn wait_readable(&self, until: Duration) -> io::Result<bool> {
        Ok(!self.unread.is_empty() || self.incoming.wait(left(until)))
    }

    fn wait_writable(&self, until: Duration) -> io::Result<bool> {
        Ok(self.outgoing.wait(left(until)))
    }
}

fn left(until: Duration) -> Duration {
    until.saturating_sub(monotonic_now())
}

/// The pipe, with the instance to which the next client connects.
pub struct Listener {
    name: String,
    next: RefCell<Option<Instance>>,
}

struct Instance {
    /// `None` once it has become a stream or the daemon's standard input.
    pipe: Option<OwnedHandle>,
    /// The wait for a client.
    knock: Overlapped,
}

impl Drop for Instance {
    fn drop(&mut self) {
        // The system writes into `knock` until its operation has ended.
        if let Some(pipe) = &self.pipe {
            self.knock.cancel(pipe);
        }
    }
}

impl Instance {
    fn new(pipe: OwnedHandle) -> io::Result<Self> {
        let knock = Overlapped::new()?;
        let pipe = Some(pipe);
        Ok(Self { pipe, knock })
    }
}

impl From<Listener> for OwnedHandle {
    fn from(listener: Listener) -> Self {
        let mut next = listener.next.into_inner();
        let pipe = next.as_mut().and_then(|instance| instance.pipe.take());
        pipe.expect("a new listener has an instance")
    }
}

/// Returns the name of the pipe for `path`. Pipes have one namespace for all users and sessions, without regard to case.
fn pipe_name(path: &Path) -> io::Result<String> {
    let mut digest = Sha256::new();
    digest.update(User::of_process()?.name()?);
    digest.update(path.to_string_lossy().replace('/', "\\").to_lowercase());
    let mut name = String::from(r"\\.\pipe\git-credential-pat-");
    for byte in &digest.finalize()[..16] {
        let _ = write!(name, "{byte:02x}");
    }
    Ok(name)
}

/// Connects to the listener at `path`; `None` if there is none. Fails with `TimedOut` at `deadline`.
pub fn connect(path: &Path, deadline: Duration) -> io::Result<Option<Stream>> {
    let name = pipe_name(path)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    // A stranger that listens there could act as this user with a higher level.
    options.security_qos_flags(SECURITY_IDENTIFICATION);
    options.custom_flags(FILE_FLAG_OVERLAPPED);
    loop {
        let error = match options.open(&name) {
            Ok(file) => return Stream::new(file.into(), false).map(Some),
            Err(error) => error,
        };
        let number = error.raw_os_error().map(i32::cast_unsigned);
        match number {
            Some(ERROR_FILE_NOT_FOUND) => return Ok(None),
            Some(ERROR_PIPE_BUSY) if monotonic_now() >= deadline => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            Some(ERROR_PIPE_BUSY) => pipe::wait_for_instance(&name, left(deadline)),
            _ => return Err(error),
        }
    }
}

/// Accepts a client. Its user is checked when its first bytes are read. Fails with `WouldBlock` if none waits.
pub fn accept(listener: &Listener) -> io::Result<Option<Stream>> {
    let mut next = listener.next.borrow_mut();
    let instance = match &mut *next {
        Some(instance) => instance,
        none => none.insert(Instance::new(pipe::create(&listener.name, false)?)?),
    };
    let Some(pipe) = &instance.pipe else {
        return Ok(None);
    };
    let connected = match instance.knock.finish(pipe) {
        None => instance.knock.connect(pipe),
        Some(finished) => finished.map(|_| ()),
    };
    match connected {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
        _ => {}
    }
    let pipe = next.take().and_then(|mut instance| instance.pipe.take());
    // With the next instance at once, a client finds no moment without one. Else the next call creates it.
    if let Ok(pipe) = pipe::create(&listener.name, false) {
        *next = Some(Instance::new(pipe)?);
    }
    match (connected, pipe) {
        (Ok(()), Some(pipe)) => Stream::new(pipe, true).map(Some),
        // The client has gone.
        _ => Ok(None),
    }
}

/// Whether this user owns the pipe. A client asks this before it sends a byte.
pub fn peer_is_us(stream: &Stream) -> io::Result<bool> {
    owns(&stream.pipe, SE_KERNEL_OBJECT)
}

/// Creates the pipe for `name` in the folder `at`. Fails if another process listens there.
pub fn listen(_: &OpenFolder, at: &Path, name: &OsStr) -> io::Result<Listener> {
    let name = pipe_name(&at.join(name))?;
    let until = monotonic_now() + LEAVING;
    let denied = ERROR_ACCESS_DENIED.cast_signed();
    loop {
        match pipe::create(&name, true) {
            Ok(pipe) => return Listener::new(name, pipe),
            // The last daemon has not ended yet.
            Err(error) if error.raw_os_error() == Some(denied) && monotonic_now() < until => {
                thread::sleep(Duration::from_millis(5));
            }
            Err(error) => return Err(error),
        }
    }
}

impl Listener {
    fn new(name: String, pipe: OwnedHandle) -> io::Result<Self> {
        let next = RefCell::new(Some(Instance::new(pipe)?));
        Ok(Self { name, next })
    }
}

/// Takes standard input as the listener for `path`. Fails if it is no pipe of a server.
pub fn listener_at_stdin(path: &Path) -> io::Result<Listener> {
    Listener::new(pipe_name(path)?, pipe::server_at_stdin()?)
}

/// Returns the most connections at once.
pub fn most_connections() -> usize {
    MOST
}

/// Returns a number for the socket `name` in `folder`. The name of a pipe lasts as long as its daemon, so it is always its own.
#[allow(clippy::unnecessary_wraps, reason = "the face of Unix")]
pub fn identity(_: &OpenFolder, _: &OsStr) -> Option<(u64, u64)> {
    Some((0, 0))
}

/// Does nothing: the name of a pipe goes with its daemon.
pub fn remove(_: &OpenFolder, _: &OsStr) {}

/// Waits until a client connects to `listener` or a stream is ready, for reading or, if marked so, for writing. Returns whether
/// each of them is ready, in this order. The first is for `signals`, which Windows does not have.
pub fn wait_any<'a>(
    _signals: &Signals,
    listener: (&Listener, bool),
    streams: impl Iterator<Item = (&'a Stream, bool)>,
    patience: Duration,
) -> io::Result<Vec<bool>> {
    let (listener, accepts) = listener;
    let next = listener.next.borrow();
    let mut operations = Vec::new();
    let mut is_ready = false;
    match &*next {
        Some(instance) if accepts => operations.push(Some(&instance.knock)),
        // `accept` creates the instance.
        None if accepts => {
            is_ready = true;
            operations.push(None);
        }
        _ => operations.push(None),
    }
    for (stream, writes) in streams {
        is_ready |= !writes && !stream.unread.is_empty();
        operations.push(Some(if writes {
            &stream.outgoing
        } else {
            &stream.incoming
        }));
    }
    let patience = if is_ready { Duration::ZERO } else { patience };
    pipe::wait_for_one(&operations, patience)?;
    let mut ready = vec![
        false,
        accepts && operations[0].is_none_or(Overlapped::is_done),
    ];
    for operation in &operations[1..] {
        ready.push(operation.is_some_and(Overlapped::is_done));
    }
    Ok(ready)
}
