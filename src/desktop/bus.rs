//! Connects to the session bus (D-Bus specification, "Server Addresses"), if it is the user's own.
//!
//! An address outlives its bus: in a `tmux` session or under `nohup` it stays after the desktop session. Another user can then
//! listen at an abstract name or below `/tmp`, and would get every secret. So the process at the other end must run as this
//! user. The check uses the same connection as the calls: libdbus connects when it opens an address, and sends its first byte
//! when it registers.
//!
//! Root's bus does not count either: it may let other users own names, and a session bus accepts only its own user.
#![allow(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

use dbus::Message;
use dbus::channel::Channel;

use crate::credential::percent;
use crate::platform::{effective_uid, monotonic_now, peer_uid};

const BUS: &str = "org.freedesktop.DBus";
/// How long the bus may take to accept this process, as in libdbus.
const GREETING: Duration = Duration::from_secs(25);

/// Why no bus of the user's own was reached.
#[derive(Debug)]
pub(crate) enum BusError {
    /// There is no bus, or no process listens at its socket.
    Absent,
    /// The bus belongs to another user, or does not let this user connect.
    Foreign,
    /// The bus closed the connection at once.
    Closed,
    /// A failure of the D-Bus library.
    Library(dbus::Error),
}

/// Connects to the first known bus that runs as this user. Sends nothing to any other bus. May wait without limit: a bus whose
/// backlog is full accepts no connection.
pub(crate) fn connect() -> Result<Channel, BusError> {
    let (channel, ()) = reach(|channel| {
        let registered = channel.register();
        registered.map_err(|error| failure(channel, error))
    })?;
    Ok(channel)
}

/// As [`connect`], and sends a question before the bus has accepted this process, which saves a wait. Returns the number of the
/// question, which its answer repeats.
pub(crate) fn connect_and_ask(
    question: impl Fn() -> Option<Message>,
) -> Result<(Channel, u32), BusError> {
    reach(|channel| {
        let hello = Message::new_method_call(BUS, "/org/freedesktop/DBus", BUS, "Hello");
        let sent = |message: Option<Message>| channel.send(message?).ok();
        let numbers = sent(hello.ok()).zip(sent(question()));
        let (hello, asked) = numbers.ok_or_else(|| BusError::Library(unsent()))?;
        let end = monotonic_now().saturating_add(GREETING);
        loop {
            let left = end.saturating_sub(monotonic_now());
            let message = channel.blocking_pop_message(left);
            let Some(mut message) = message.map_err(|error| failure(channel, error))? else {
                if left.is_zero() || !channel.is_connected() {
                    return Err(failure(channel, unsent()));
                }
                continue;
            };
            if message.get_reply_serial() == Some(hello) {
                message.as_result().map_err(BusError::Library)?;
                return Ok(asked);
            }
        }
    })
}

fn unsent() -> dbus::Error {
    dbus::Error::new_custom("org.freedesktop.DBus.Error.NoReply", "no answer")
}

fn failure(channel: &Channel, error: dbus::Error) -> BusError {
    if channel.is_connected() {
        BusError::Library(error)
    } else {
        BusError::Closed
    }
}

/// Opens a channel to the first known bus that runs as this user, and has `greet` say hello.
fn reach<T>(greet: impl Fn(&mut Channel) -> Result<T, BusError>) -> Result<(Channel, T), BusError> {
    let addresses = session_bus();
    let mut failure = BusError::Absent;
    for address in sockets(addresses.as_deref()) {
        let greeted = open(address).and_then(|mut channel| {
            let greeted = greet(&mut channel)?;
            Ok((channel, greeted))
        });
        match greeted {
            Ok(greeted) => return Ok(greeted),
            // Report another user's bus rather than a missing socket.
            Err(BusError::Absent) => {}
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Returns the address of the user's message bus: `DBUS_SESSION_BUS_ADDRESS`, or else the socket `bus` of this user in
/// `XDG_RUNTIME_DIR` or `/run/user/UID` (cron, ssh and `sudo -u` set no address). A value and not a variable of the
/// environment: other threads may read the environment at any time, and `set_var` races with them.
fn session_bus() -> Option<OsString> {
    let named = env::var_os("DBUS_SESSION_BUS_ADDRESS").filter(|address| !address.is_empty());
    if named.is_some() {
        return named;
    }
    let user = effective_uid();
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let usual = PathBuf::from(format!("/run/user/{user}"));
    for folder in runtime.into_iter().chain([usual]) {
        let bus = folder.join("bus");
        let is_ours = bus.is_absolute()
            && fs::symlink_metadata(&bus)
                .is_ok_and(|found| found.file_type().is_socket() && found.uid() == user);
        if is_ours {
            return Some(bus_address(&bus).into());
        }
    }
    None
}

/// In a path's name anything may stand, in an address only some characters (D-Bus specification, "Server Addresses").
fn bus_address(socket: &Path) -> String {
    let path = percent::encoded(socket.as_os_str().as_bytes(), b"-_/.");
    format!("unix:path={path}")
}

fn open(address: &str) -> Result<Channel, BusError> {
    if is_foreign_path(address) {
        return Err(BusError::Foreign);
    }
    let mut channel = Channel::open_private(address).map_err(|error| match error.name() {
        Some("org.freedesktop.DBus.Error.AccessDenied") => BusError::Foreign,
        // This process has too few descriptors, or too little memory.
        Some(
            "org.freedesktop.DBus.Error.LimitsExceeded" | "org.freedesktop.DBus.Error.NoMemory",
        ) => BusError::Library(error),
        _ => BusError::Absent,
    })?;
    if !is_own(&mut channel) {
        return Err(BusError::Foreign);
    }
    Ok(channel)
}

/// Whether the address names a socket file of another user. Does not connect: with a full backlog, that would take all of the
/// keychain's time.
fn is_foreign_path(address: &str) -> bool {
    let pairs = address.strip_prefix("unix:").unwrap_or_default();
    let path = pairs.split(',').find_map(|pair| pair.strip_prefix("path="));
    // Ignore addresses with escaped characters: they are rare, and the check of the connection covers them.
    let path = path.filter(|path| !path.contains('%'));
    path.and_then(|path| fs::metadata(path).ok())
        .is_some_and(|found| found.uid() != effective_uid())
}

fn is_own(channel: &mut Channel) -> bool {
    channel.set_watch_enabled(true);
    let socket = channel.watch().fd;
    channel.set_watch_enabled(false);
    // SAFETY: the socket is the channel's, which keeps it open beyond this function.
    let socket = unsafe { BorrowedFd::borrow_raw(socket) };
    peer_uid(socket).is_ok_and(|peer| peer == effective_uid())
}

/// Returns the addresses of sockets on this machine, in their order.
///
/// Other addresses name a program (`unixexec:`, `autolaunch:`), and git's operations start none, or a port (`tcp:`), where the
/// kernel does not know the peer's user. Text that is not UTF-8 is no address.
fn sockets(addresses: Option<&OsStr>) -> impl Iterator<Item = &str> {
    let addresses = addresses.and_then(OsStr::to_str).unwrap_or_default();
    let addresses = addresses.split(';');
    addresses.filter(|address| address.starts_with("unix:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folders_name_adds_nothing_to_an_address() {
        for (socket, address) in [
            (&b"/run/user/1000/bus"[..], "unix:path=/run/user/1000/bus"),
            (
                b"/a;unixexec:path=/b/bus",
                "unix:path=/a%3Bunixexec%3Apath%3D/b/bus",
            ),
            (b"/a,b%20/\xFF/bus", "unix:path=/a%2Cb%2520/%FF/bus"),
        ] {
            let socket = Path::new(OsStr::from_bytes(socket));
            assert_eq!(bus_address(socket), address);
        }
    }

    #[test]
    fn only_sockets_are_reached() {
        for (addresses, expected) in [
            (
                &b"unix:path=/run/user/1000/bus"[..],
                &["unix:path=/run/user/1000/bus"][..],
            ),
            (b"unix:path=/a,guid=0;", &["unix:path=/a,guid=0"]),
            (
                b"unix:abstract=a;unix:runtime=yes",
                &["unix:abstract=a", "unix:runtime=yes"],
            ),
            (
                b"tcp:host=localhost,port=1;unix:path=/a;unixexec:path=/bin/sh",
                &["unix:path=/a"],
            ),
            (b"", &[]),
            (b"unixexec:path=/bin/sh", &[]),
            (b"unixexec:path=/bin/sh;x:\xFF=1", &[]),
            (b"unix:path=/\xFF", &[]),
            (b"autolaunch:", &[]),
            (b"tcp:host=localhost,port=1", &[]),
            (b"nonce-tcp:host=localhost,port=1,noncefile=/a", &[]),
            (b"launchd:env=A", &[]),
            (b"UNIX:path=/a", &[]),
            (b" unix:path=/a", &[]),
        ] {
            let addresses = OsStr::from_bytes(addresses);
            let found: Vec<_> = sockets(Some(addresses)).collect();
            assert_eq!(found, expected, "{addresses:?}");
        }
        assert_eq!(sockets(None).count(), 0);
    }
}
