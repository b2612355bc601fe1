//! The operating system behind one face: nothing above this room asks which system it runs on.

#[cfg(not(unix))]
compile_error!("git-credential-pat does not run on this system yet: see docs/architecture.md");

pub mod arena;
pub mod caller;
pub mod disk;
#[cfg(unix)]
mod echo;
#[cfg(unix)]
pub mod ending;
#[cfg(unix)]
pub mod kernel_files;
pub mod lock;
#[cfg(unix)]
pub mod owners;
#[cfg(unix)]
pub mod permissions;
#[cfg(unix)]
pub mod swap;
#[cfg(unix)]
mod unix;

#[cfg(unix)]
pub use echo::{EchoOff, LINE_LIMIT};
#[cfg(unix)]
pub use unix::{
    Pages, Signals, close_inherited, effective_uid, end_after, end_group, harden, host_name,
    monotonic_now, own_group, own_program, peer_uid, reset_signals, session_bus, stderr, stdin,
    stdout, survive_file_limit, wait_readable, wait_writable, window_size,
};
