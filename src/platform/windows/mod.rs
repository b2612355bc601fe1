//! Windows. The public names are the same as those of the room for Unix.
#![allow(
    clippy::unnecessary_wraps,
    clippy::unused_self,
    reason = "the face of Unix"
)]

mod console;
mod echo;
mod facts;
mod folder;
mod handles;
pub mod lock;
mod memory;
mod names;
mod owners;
pub mod permissions;
mod process;
mod session;
mod signals;
mod spawn;
mod start;
mod streams;
#[cfg(test)]
pub mod testing;
mod text;
pub mod user;

pub use self::console::window_size;
pub use self::echo::{EchoOff, LINE_LIMIT, has_terminal};
pub use self::facts::{FileFacts, stranger_above};
pub use self::folder::{
    OpenFolder, check_writable, is_kernels, is_readable, make_private_folders, open_any,
    open_to_append,
};
pub use self::memory::{Pages, drop_program_pages, harden};
pub use self::names::is_pipe;
pub use self::process::{
    FOLDS_NAMES, close_inherited, end_group, host_name, is_root, leave_session, monotonic_now,
    own_group, signal_of, unix_now,
};
pub use self::session::{FOLLOWS_XDG, ROOT, URL_OPENER, is_graphical, open_url, session_folder};
pub use self::signals::{DeferredSignals, Signals, end_after};
pub use self::spawn::start_own;
pub use self::start::begin;
pub use self::streams::{
    Ready, StandardStream, stderr, stdin, stdout, wait_readable, wait_writable,
};
pub use self::text::{os_str, os_string};
