//! The session of the user: the message bus, and whether a person can see a window.

use std::ffi::OsString;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use rustix::process::geteuid;

/// The program that opens a URL in the user's browser.
pub const URL_OPENER: &str = if cfg!(target_os = "macos") {
    "open"
} else {
    "xdg-open"
};

/// Whether a window can appear in front of a person.
pub fn is_graphical() -> bool {
    let has = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    if cfg!(target_os = "macos") {
        !has("SSH_CONNECTION")
    } else {
        has("DISPLAY") || has("WAYLAND_DISPLAY")
    }
}

/// Starts `program` for a URL and does not wait. It gets a process group of its own, which Ctrl-C does not reach.
pub fn open_url(program: &Path, url: &str) -> bool {
    Command::new(program)
        .arg(url)
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .is_ok()
}

/// Returns the address of the user's message bus: `DBUS_SESSION_BUS_ADDRESS`, or else the socket `bus` of this user in
/// `XDG_RUNTIME_DIR` or `/run/user/UID` (cron, ssh and `sudo -u` set no address). A value and not a variable of the
/// environment: other threads may read the environment at any time, and `set_var` races with them.
pub fn session_bus() -> Option<OsString> {
    let named = env::var_os("DBUS_SESSION_BUS_ADDRESS").filter(|address| !address.is_empty());
    if named.is_some() {
        return named;
    }
    let user = geteuid().as_raw();
    let folders = [
        env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from),
        Some(PathBuf::from(format!("/run/user/{user}"))),
    ];
    for folder in folders.into_iter().flatten() {
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
    let mut address = String::from("unix:path=");
    for &byte in socket.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'/' | b'.' => {
                address.push(char::from(byte));
            }
            _ => {
                let _ = write!(address, "%{byte:02x}");
            }
        }
    }
    address
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
                "unix:path=/a%3bunixexec%3apath%3d/b/bus",
            ),
            (b"/a,b%20/\xFF/bus", "unix:path=/a%2cb%2520/%ff/bus"),
        ] {
            let socket = Path::new(std::ffi::OsStr::from_bytes(socket));
            assert_eq!(bus_address(socket), address);
        }
    }
}
