//! The local transport between a client and the daemon.

#[cfg(windows)]
mod pipe;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use self::unix as imp;
#[cfg(windows)]
use self::windows as imp;

pub use self::imp::{
    Listener, Stream, accept, connect, identity, listen, listener_at_stdin, most_connections,
    peer_is_us, remove, wait_any,
};
