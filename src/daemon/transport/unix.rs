//! Unix sockets (unix(7)): listen, connect and wait, each within a deadline.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketType, bind, connect as connect_to,
    listen as start_listening,
};
use rustix::process::umask;

use crate::platform::{
    OpenFolder, Signals, descriptor_limit, effective_uid, monotonic_now, peer_uid, stdin,
};

pub type Stream = UnixStream;
pub type Listener = UnixListener;

/// Waiting connections that the system holds for a busy daemon: more than people start at once.
const BACKLOG: i32 = 1024;
/// The limit of connections.
const MOST: usize = 1024;

/// Connects to the listener at `path`; `None` if there is none. The stream does not block. Fails with `TimedOut` at
/// `deadline`, and with `InvalidInput` if no socket can have this path.
pub fn connect(path: &Path, deadline: Duration) -> io::Result<Option<Stream>> {
    let folder;
    let address = if let Ok(address) = SocketAddrUnix::new(path) {
        address
    } else {
        // Longer than the address of a socket may be.
        let parts = path.parent().zip(path.file_name());
        let (parent, name) = parts.ok_or(io::ErrorKind::InvalidInput)?;
        folder = match OpenFolder::open_no_link(parent) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        address_in(&folder, name)?
    };
    loop {
        let socket = stream_socket()?;
        match connect_to(&socket, &address) {
            Ok(()) => return Ok(Some(socket.into())),
            Err(Errno::NOENT | Errno::CONNREFUSED) => return Ok(None),
            Err(Errno::INTR | Errno::AGAIN) if monotonic_now() >= deadline => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            Err(Errno::INTR) => {}
            // The backlog is full.
            Err(Errno::AGAIN) => thread::sleep(Duration::from_millis(1)),
            Err(cause) => return Err(cause.into()),
        }
    }
}

/// Accepts a client whose process runs as this user; `None`: another user's, root's too, since root can run a client as this
/// user. The stream does not block. Fails with `WouldBlock` if none waits.
pub fn accept(listener: &Listener) -> io::Result<Option<Stream>> {
    let stream = next_stream(listener)?;
    let is_ours = peer_is_us(&stream).unwrap_or(false);
    Ok(is_ours.then_some(stream))
}

/// Whether the process at the other end runs as this user. Root is no exception.
pub fn peer_is_us(stream: &Stream) -> io::Result<bool> {
    Ok(peer_uid(stream)? == effective_uid())
}

/// Listens at `name` in `folder`, whose path is `at`. The socket gets its name once it listens, and replaces an older one. It
/// does not block.
pub fn listen(folder: &OpenFolder, at: &Path, name: &OsStr) -> io::Result<Listener> {
    let new = new_name(name);
    // Only a socket is a leftover. Any other file with this name stays, and binding fails.
    if folder.facts_of(&new).is_ok_and(|found| found.is_socket()) {
        match folder.remove(&new) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
            _ => {}
        }
    }
    let listener = stream_socket()?;
    let address = SocketAddrUnix::new(at.join(&new)).or_else(|_| address_in(folder, &new))?;
    let usual = umask(Mode::from_raw_mode(0o177));
    let bound = bind(&listener, &address);
    umask(usual);
    bound?;
    start_listening(&listener, BACKLOG)?;
    folder.rename(&new, name)?;
    Ok(listener.into())
}

/// The name of a socket until it listens.
fn new_name(name: &OsStr) -> OsString {
    let mut new = name.to_os_string();
    new.push(".new");
    new
}

/// Takes standard input as the listener for the socket at `path`. Fails for another listener: the daemon would remove a socket
/// that is not its own when it ends.
pub fn listener_at_stdin(path: &Path) -> io::Result<Listener> {
    let listener = UnixListener::from(stdin().as_fd().try_clone_to_owned()?);
    listener.set_nonblocking(true)?;
    if is_bound_to(&listener, path) {
        Ok(listener)
    } else {
        Err(io::Error::other("standard input does not listen there"))
    }
}

/// Returns the most connections at once, each of which takes a descriptor.
pub fn most_connections() -> usize {
    descriptor_limit().saturating_sub(12).clamp(1, MOST)
}

/// Returns the file system and the number of the socket `name` in `folder`; `None`: there is none.
pub fn identity(folder: &OpenFolder, name: &OsStr) -> Option<(u64, u64)> {
    let found = folder.facts_of(name).ok()?;
    Some(found.identity())
}

/// Removes the socket `name` in `folder`: no client reaches its listener any more.
pub fn remove(folder: &OpenFolder, name: &OsStr) {
    let _ = folder.remove(name);
}

/// Whether [`listen`] bound `listener` for the socket at `path`.
fn is_bound_to(listener: &Listener, path: &Path) -> bool {
    // A descriptor that is no socket has no address.
    let address = listener.local_addr().ok();
    let bound = address.as_ref().and_then(SocketAddr::as_pathname);
    let bound = bound.and_then(|bound| bound.parent().zip(bound.file_name()));
    let parts = path.parent().zip(path.file_name());
    let (Some((bound_folder, bound)), Some((folder, name))) = (bound, parts) else {
        return false;
    };
    let is_same_folder = bound_folder.starts_with("/proc/self/fd")
        || fs::canonicalize(bound_folder)
            .is_ok_and(|bound| fs::canonicalize(folder).is_ok_and(|folder| bound == folder));
    is_same_folder && (bound == name || bound == new_name(name)) && is_listening(listener)
}

/// Waits until a signal comes, a client connects to `listener` or a stream is ready, for reading or, if marked so, for writing.
/// Returns whether each of them is ready, in this order.
pub fn wait_any<'a>(
    signals: &Signals,
    listener: (&Listener, bool),
    streams: impl Iterator<Item = (&'a Stream, bool)>,
    patience: Duration,
) -> io::Result<Vec<bool>> {
    let (listener, accepts) = listener;
    let knock = if accepts {
        PollFlags::IN
    } else {
        PollFlags::empty()
    };
    let mut sources = Vec::with_capacity(2 + streams.size_hint().0);
    sources.push(PollFd::from_borrowed_fd(signals.source(), PollFlags::IN));
    sources.push(PollFd::new(listener, knock));
    for (stream, writes) in streams {
        let event = if writes {
            PollFlags::OUT
        } else {
            PollFlags::IN
        };
        sources.push(PollFd::from_borrowed_fd(stream.as_fd(), event));
    }
    let patience = Timespec::try_from(patience).map_err(io::Error::other)?;
    match poll(&mut sources, Some(&patience)) {
        Ok(_) => {}
        Err(Errno::INTR) => return Ok(vec![false; sources.len()]),
        Err(error) => return Err(error.into()),
    }
    let mut ready = Vec::with_capacity(sources.len());
    for source in &sources {
        ready.push(!source.revents().is_empty());
    }
    Ok(ready)
}

/// Returns a new socket that does not block and that no child process inherits.
#[cfg(not(target_os = "macos"))]
fn stream_socket() -> io::Result<OwnedFd> {
    use rustix::net::{SocketFlags, socket_with};

    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    Ok(socket)
}

#[cfg(not(target_os = "macos"))]
fn next_stream(listener: &Listener) -> io::Result<Stream> {
    use rustix::net::{SocketFlags, accept_with};

    let stream = accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
    Ok(stream.into())
}

#[cfg(target_os = "macos")]
fn next_stream(listener: &Listener) -> io::Result<Stream> {
    let (stream, _) = listener.accept()?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// Returns a new socket that does not block. No child process inherits it, except one that another thread starts at the same
/// moment.
#[cfg(target_os = "macos")]
fn stream_socket() -> io::Result<OwnedFd> {
    use rustix::io::{FdFlags, fcntl_setfd, ioctl_fionbio};

    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
    ioctl_fionbio(&socket, true)?;
    Ok(socket)
}

#[cfg(not(target_os = "macos"))]
fn is_listening(socket: &Listener) -> bool {
    rustix::net::sockopt::socket_acceptconn(socket).unwrap_or(false)
}

/// macOS does not tell. The name of the socket has to be enough.
#[cfg(target_os = "macos")]
fn is_listening(_: &Listener) -> bool {
    true
}

/// Returns an address for a path of any length, by way of the open folder.
#[cfg(target_os = "linux")]
fn address_in(folder: &OpenFolder, name: &OsStr) -> io::Result<SocketAddrUnix> {
    let path = Path::new("/proc/self/fd")
        .join(folder.as_fd().as_raw_fd().to_string())
        .join(name);
    SocketAddrUnix::new(path).map_err(|_| io::ErrorKind::InvalidInput.into())
}

/// Fails: elsewhere the path of a socket has at most 103 bytes.
#[cfg(not(target_os = "linux"))]
fn address_in(_: &OpenFolder, _: &OsStr) -> io::Result<SocketAddrUnix> {
    Err(io::ErrorKind::InvalidInput.into())
}
