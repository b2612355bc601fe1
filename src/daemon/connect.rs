//! The socket: where it is, how to reach the daemon behind it, how to start one without a moment in which nobody listens.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::fs::{AtFlags, FileType, Mode, renameat, statat, unlinkat};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout, socket_acceptconn};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
};
use rustix::process::umask;

use super::message;
use crate::files::owned::{self, Folder};
use crate::platform::{effective_uid, monotonic_now, own_program, peer_uid};

/// Waiting connections that the system holds for a daemon that is busy: more than people start at once.
const BACKLOG: i32 = 1024;

/// Why the daemon cannot be talked to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The socket's folder or lock.
    #[error(transparent)]
    Folder(#[from] owned::Error),
    /// The system said no.
    #[error("cannot {action} the daemon's socket")]
    System {
        /// What was to be done.
        action: &'static str,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// It did not take the connection, or did not answer, in time.
    #[error("the daemon does not answer")]
    Silent,
    /// Somebody else listens there: nothing was sent.
    #[error("the daemon's socket belongs to another user")]
    Stranger,
    /// The path cannot be a socket's.
    #[error("the daemon's socket has no usable path")]
    Path,
    /// The daemon could not be started.
    #[error("cannot start the daemon")]
    Start(#[source] io::Error),
}

/// Where the daemon listens.
#[derive(Debug, Clone)]
pub struct Socket {
    path: PathBuf,
}

impl Socket {
    /// At `path`; the folder it is in will be ours alone.
    pub fn at(path: &Path) -> Self {
        Self {
            path: path.to_path_buf(),
        }
    }

    /// The name of the socket in its folder.
    pub fn name(&self) -> Result<&OsStr, Error> {
        self.path.file_name().ok_or(Error::Path)
    }

    /// The folder it is in.
    pub fn folder(&self) -> Result<&Path, Error> {
        self.path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .ok_or(Error::Path)
    }

    /// The lock beside it: held by whoever starts or ends a daemon.
    pub fn lock_name(&self) -> Result<String, Error> {
        Ok(format!(
            "{}.lock",
            self.name()?.to_str().ok_or(Error::Path)?
        ))
    }

    /// Whether `listener` is what [`Socket::connect_or_start`] bound for this socket: a daemon that listens to something
    /// else would take another's socket away in the end.
    pub fn is_heard_by(&self, listener: &UnixListener) -> bool {
        let (Ok(name), Ok(folder)) = (self.name(), self.folder()) else {
            return false;
        };
        // What else is there has no such address.
        let address = listener.local_addr().ok();
        let bound = address.as_ref().and_then(SocketAddr::as_pathname);
        let Some((bound_folder, bound)) = bound.and_then(|at| at.parent().zip(at.file_name()))
        else {
            return false;
        };
        let is_same_folder = bound_folder.starts_with("/proc/self/fd")
            || fs::canonicalize(bound_folder)
                .is_ok_and(|bound| fs::canonicalize(folder).is_ok_and(|folder| bound == folder));
        is_same_folder
            && (bound == name || bound == new_name(name))
            && socket_acceptconn(listener).unwrap_or(false)
    }

    /// A connection to the daemon; `None` if there is none. Waits until `deadline` on the clock that nobody sets.
    pub fn connect(&self, deadline: Duration) -> Result<Option<UnixStream>, Error> {
        let folder;
        let address = match SocketAddrUnix::new(&self.path) {
            Ok(address) => address,
            // Longer than a socket's address may be (unix(7)).
            Err(_) => match Folder::open(self.folder()?)? {
                Some(found) => {
                    folder = found;
                    address_in(&folder, self.name()?)?
                }
                None => return Ok(None),
            },
        };
        loop {
            let left = deadline.saturating_sub(monotonic_now());
            if left.is_zero() {
                return Err(Error::Silent);
            }
            let socket = stream_socket()?;
            // Bounds the connect: with the backlog full it would wait for ever (unix(7), socket(7)).
            set_socket_timeout(&socket, Timeout::Send, Some(left))
                .map_err(|cause| system("prepare", cause))?;
            match connect(&socket, &address) {
                Ok(()) => {
                    let stream = UnixStream::from(socket);
                    let peer = peer_uid(&stream).map_err(|cause| Error::System {
                        action: "identify",
                        cause,
                    })?;
                    return if peer == effective_uid() {
                        Ok(Some(stream))
                    } else {
                        Err(Error::Stranger)
                    };
                }
                Err(Errno::NOENT | Errno::CONNREFUSED) => return Ok(None),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => thread::sleep(Duration::from_millis(1)),
                Err(cause) => return Err(system("reach", cause)),
            }
        }
    }

    /// As [`Socket::connect`], starting a daemon if there is none.
    ///
    /// Many may come at once: one gets the lock, and by the time it lets go of it somebody listens, so that no other
    /// starts a second one. The listening socket exists before the daemon does; who connects early waits in its queue.
    pub fn connect_or_start(&self, deadline: Duration) -> Result<UnixStream, Error> {
        if let Some(stream) = self.connect(deadline)? {
            return Ok(stream);
        }
        let folder = Folder::make(self.folder()?)?;
        let patience = deadline.saturating_sub(monotonic_now());
        let _lock = folder
            .lock_within(&self.lock_name()?, patience)?
            .ok_or(Error::Silent)?;
        if let Some(stream) = self.connect(deadline)? {
            return Ok(stream);
        }
        self.start(&folder, deadline)?;
        self.connect(deadline)?.ok_or(Error::Silent)
    }

    fn start(&self, folder: &Folder, deadline: Duration) -> Result<(), Error> {
        let name = self.name()?;
        let new = new_name(name);
        // Only a socket is a leftover of ours: whatever else has this name stays, and binding fails.
        let found = statat(folder.descriptor(), &new, AtFlags::SYMLINK_NOFOLLOW);
        if found.is_ok_and(|found| FileType::from_raw_mode(found.st_mode).is_socket()) {
            match unlinkat(folder.descriptor(), &new, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(cause) => return Err(system("replace", cause)),
            }
        }
        let listener = stream_socket()?;
        let address =
            SocketAddrUnix::new(folder.path().join(&new)).or_else(|_| address_in(folder, &new))?;
        let usual = umask(Mode::from_raw_mode(0o177));
        let bound = bind(&listener, &address);
        umask(usual);
        bound.map_err(|cause| system("make", cause))?;
        listen(&listener, BACKLOG).map_err(|cause| system("listen on", cause))?;
        renameat(folder.descriptor(), &new, folder.descriptor(), name)
            .map_err(|cause| system("name", cause))?;
        let mut program = Command::new(own_program().map_err(Error::Start)?);
        program
            .arg0("git-credential-pat")
            .arg(message::COMMAND)
            .arg(&self.path)
            // The daemon reads no variable. A caller's variables may hold secrets, and would stay readable while the daemon runs.
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(listener))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        spawn_within(program, deadline.saturating_sub(monotonic_now()))
    }
}

/// What the socket is bound as, before it is put into its place.
fn new_name(name: &OsStr) -> OsString {
    let mut new = name.to_os_string();
    new.push(".new");
    new
}

/// The system holds whoever starts a program until its file is read in, however slow the disk. A thread can be left to
/// wait for that; the new process comes into being without us.
fn spawn_within(mut program: Command, patience: Duration) -> Result<(), Error> {
    let (say, said) = mpsc::channel();
    thread::Builder::new()
        .spawn(move || say.send(program.spawn().map(drop)))
        .map_err(Error::Start)?;
    match said.recv_timeout(patience) {
        Ok(spawned) => spawned.map_err(Error::Start),
        Err(_) => Err(Error::Silent),
    }
}

fn stream_socket() -> Result<OwnedFd, Error> {
    socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )
    .map_err(|cause| system("make", cause))
}

/// An address for a path of any length, by way of the open folder.
fn address_in(folder: &Folder, name: &OsStr) -> Result<SocketAddrUnix, Error> {
    let path = Path::new("/proc/self/fd")
        .join(folder.descriptor().as_raw_fd().to_string())
        .join(name);
    SocketAddrUnix::new(path).map_err(|_| Error::Path)
}

fn system(action: &'static str, cause: Errno) -> Error {
    Error::System {
        action,
        cause: cause.into(),
    }
}
