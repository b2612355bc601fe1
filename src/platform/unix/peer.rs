//! The user at the other end of a local socket.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// The user at the other end of a local socket, told by the kernel.
pub fn peer_uid(socket: impl AsFd) -> io::Result<u32> {
    let socket = socket.as_fd().as_raw_fd();
    #[cfg(target_os = "linux")]
    let (status, user) = {
        let mut peer = libc::ucred {
            pid: 0,
            uid: u32::MAX,
            gid: u32::MAX,
        };
        let mut len = libc::socklen_t::try_from(size_of_val(&peer)).map_err(io::Error::other)?;
        let (level, name) = (libc::SOL_SOCKET, libc::SO_PEERCRED);
        // SAFETY: both pointers are valid places for the answer, and `len` says how long the first one is. Not by
        // rustix: it takes a peer in another process namespace, which has no number here, for a failure.
        let status =
            unsafe { libc::getsockopt(socket, level, name, (&raw mut peer).cast(), &raw mut len) };
        (status, peer.uid)
    };
    #[cfg(not(target_os = "linux"))]
    let (status, user) = {
        let (mut user, mut group) = (0, 0);
        // SAFETY: both pointers are valid places for the answer.
        let status = unsafe { libc::getpeereid(socket, &raw mut user, &raw mut group) };
        (status, user)
    };
    if status == 0 {
        Ok(user)
    } else {
        Err(io::Error::last_os_error())
    }
}
