//! Where the session bus is (D-Bus specification, "Server Addresses").
#![cfg(all(unix, not(target_os = "macos")))]

use std::ffi::OsStr;

use crate::platform::session_bus;

/// Returns the address of the session bus if it names only sockets of this machine.
///
/// An address may also name a program to start (`unixexec:`, `autolaunch:`), and no operation of git's starts one; or a
/// port (`tcp:`), on which any user may listen. Without an address the D-Bus library would guess.
pub(super) fn address() -> Option<String> {
    let address = session_bus()?.into_string().ok()?;
    names_only_sockets(Some(OsStr::new(&address))).then_some(address)
}

/// What is not text is no address: it must not pass for an empty one here and be followed there.
fn names_only_sockets(addresses: Option<&OsStr>) -> bool {
    let addresses = addresses.and_then(OsStr::to_str).unwrap_or_default();
    !addresses.is_empty()
        && addresses
            .split(';')
            .all(|address| address.is_empty() || address.starts_with("unix:"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn only_sockets_are_reached() {
        for (addresses, are_sockets) in [
            (&b"unix:path=/run/user/1000/bus"[..], true),
            (b"unix:path=/run/user/1000/bus,guid=0;", true),
            (b"unix:abstract=a;unix:runtime=yes", true),
            (b"", false),
            (b"unixexec:path=/bin/sh", false),
            (b"unix:path=/a;unixexec:path=/bin/sh", false),
            (b"unixexec:path=/bin/sh;x:\xFF=1", false),
            (b"unix:path=/\xFF", false),
            (b"autolaunch:", false),
            (b"tcp:host=localhost,port=1", false),
            (b"nonce-tcp:host=localhost,port=1,noncefile=/a", false),
            (b"launchd:env=A", false),
            (b"UNIX:path=/a", false),
            (b" unix:path=/a", false),
        ] {
            let addresses = OsStr::from_bytes(addresses);
            assert_eq!(
                names_only_sockets(Some(addresses)),
                are_sockets,
                "{addresses:?}"
            );
        }
        assert!(!names_only_sockets(None));
    }
}
