//! The local transport between a client and the daemon.

#[cfg(unix)]
mod unix;

#[cfg(unix)]
use self::unix as imp;

pub use self::imp::{
    Listener, Stream, accept, connect, is_bound_to, listen, listener_at_stdin, peer_is_us, wait_any,
};
