//! The operating system behind one face: nothing above this room asks which system it runs on.

#[cfg(not(unix))]
compile_error!("git-credential-pat does not run on this system yet: see docs/architecture.md");

pub mod arena;
#[cfg(unix)]
mod unix;

#[cfg(unix)]
use self::unix as imp;

pub use self::imp::{
    DeferredSignals, EchoOff, FileFacts, LINE_LIMIT, OpenFolder, Pages, Signals, URL_OPENER,
    close_inherited, descriptor_limit, effective_uid, end_after, end_group, harden, host_name,
    is_graphical, is_kernels, is_pipe, is_readable, leave_session, lock, make_private_folders,
    monotonic_now, open_any, open_url, os_str, os_string, own_command, own_group, peer_uid,
    permissions, reset_signals, signal_of, stderr, stdin, stdout, stranger_above,
    survive_file_limit, wait_readable, wait_writable, window_size,
};
