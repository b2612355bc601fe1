//! The socket: its path, and how to reach the daemon or start one. There is no moment without a listener.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::message;
use super::transport::{self, Listener, Stream};
use crate::files::{self, owned::Folder};
use crate::platform::{monotonic_now, start_own};
use crate::protocol;
use crate::terminal::with_causes;
use crate::trace;

/// The subject of these steps in the trace.
pub(super) const DAEMON: &str = "daemon";

/// Why the daemon cannot be talked to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The socket's folder or lock.
    #[error(transparent)]
    Folder(#[from] files::Error),
    #[error("cannot {0} the daemon's socket")]
    System(&'static str, #[source] io::Error),
    /// The daemon did not accept or answer in time.
    #[error("the daemon does not answer")]
    Silent,
    /// A process of another user listens there. Nothing was sent.
    #[error("the daemon's socket belongs to another user")]
    Stranger,
    /// The path cannot be a socket's.
    #[error("the daemon's socket has no usable path")]
    Path,
    /// The daemon could not be started.
    #[error("cannot start the daemon")]
    Start(#[source] io::Error),
    #[error("cannot compose or read a message")]
    Message(#[from] protocol::Error),
    #[error("the daemon is of another version: end it with 'git-credential-pat cache stop'")]
    OtherVersion,
    #[error("the daemon is busy")]
    Busy,
    #[error("the daemon did not understand")]
    Refused,
}

/// Where the daemon listens.
#[derive(Debug, Clone)]
pub struct Socket {
    path: PathBuf,
}

impl Socket {
    /// At `path`, in a folder for this user alone.
    pub fn at(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
        }
    }

    /// The folder of the socket, its name there, and the name of the lock that a process holds while it starts or ends a
    /// daemon.
    pub fn parts(&self) -> Result<(&Path, &OsStr, OsString), Error> {
        let parts = self.path.parent().zip(self.path.file_name());
        let (folder, name) = parts.ok_or(Error::Path)?;
        if folder.as_os_str().is_empty() {
            return Err(Error::Path);
        }
        let mut lock_name = name.to_os_string();
        lock_name.push(".lock");
        Ok((folder, name, lock_name))
    }

    /// Connects to the daemon; `None` if there is none. Waits until `deadline` on the monotonic clock.
    pub fn connect(&self, deadline: Duration) -> Result<Option<Stream>, Error> {
        let connected = transport::connect(&self.path, deadline);
        let Some(stream) = connected.map_err(|cause| match cause.kind() {
            io::ErrorKind::TimedOut => Error::Silent,
            io::ErrorKind::InvalidInput => Error::Path,
            _ => Error::System("reach", cause),
        })?
        else {
            return Ok(None);
        };
        let is_us = transport::peer_is_us(&stream);
        if is_us.map_err(|cause| Error::System("identify", cause))? {
            Ok(Some(stream))
        } else {
            Err(Error::Stranger)
        }
    }

    /// As [`Socket::connect`], starting a daemon if there is none.
    ///
    /// Of many clients at once, one gets the lock. When it releases the lock, a socket listens, so no other client starts a
    /// second daemon. The listening socket exists before the daemon does; early clients wait in its queue.
    pub fn connect_or_start(&self, deadline: Duration) -> Result<Stream, Error> {
        if let Some(stream) = self.connect(deadline)? {
            return Ok(stream);
        }
        let (folder, name, lock_name) = self.parts()?;
        let folder = Folder::make(folder)?;
        let patience = deadline.saturating_sub(monotonic_now());
        let _lock = folder
            .lock_in_turn(&lock_name, patience, patience)?
            .ok_or(Error::Silent)?;
        if let Some(stream) = self.connect(deadline)? {
            return Ok(stream);
        }
        trace::timed(
            DAEMON,
            || self.start(&folder, name, deadline),
            |started| match started {
                Ok(()) => "none ran: one was started".to_owned(),
                Err(error) => with_causes(error),
            },
        )?;
        self.connect(deadline)?.ok_or(Error::Silent)
    }

    fn start(&self, folder: &Folder, name: &OsStr, deadline: Duration) -> Result<(), Error> {
        let listener = transport::listen(folder.handle(), folder.path(), name)
            .map_err(|cause| Error::System("listen on", cause))?;
        let arguments = [message::COMMAND.into(), self.path.clone().into_os_string()];
        start_within(
            listener,
            arguments,
            deadline.saturating_sub(monotonic_now()),
        )
    }
}

/// The system blocks a parent until the program file of its child is read, however slow the disk. A thread waits for that,
/// and can be left behind. The daemon gets no variable.
fn start_within(
    listener: Listener,
    arguments: [OsString; 2],
    patience: Duration,
) -> Result<(), Error> {
    let (say, said) = mpsc::channel();
    thread::Builder::new()
        .spawn(move || say.send(start_own(listener, &arguments, Vec::new())))
        .map_err(Error::Start)?;
    match said.recv_timeout(patience) {
        Ok(spawned) => spawned.map_err(Error::Start),
        Err(_) => Err(Error::Silent),
    }
}
