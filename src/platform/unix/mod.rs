//! Unix. All that is public here is the face of this room: another system needs the same names.

#[cfg(target_os = "macos")]
mod apple;
mod echo;
mod folder;
mod kernel_files;
pub mod lock;
mod memory;
mod owners;
mod peer;
pub mod permissions;
mod process;
mod rename;
mod session;
mod signals;
mod start;
mod streams;
#[cfg(test)]
pub mod testing;
mod text;

pub use self::echo::{EchoOff, LINE_LIMIT, has_terminal};
pub use self::folder::{
    FileFacts, OpenFolder, check_writable, is_pipe, is_readable, make_private_folders, open_any,
    open_to_append,
};
pub use self::kernel_files::is_kernels;
pub use self::memory::{Pages, drop_program_pages, harden};
pub use self::owners::stranger_above;
pub use self::peer::peer_uid;
pub use self::process::{
    FOLDS_NAMES, close_inherited, descriptor_limit, effective_uid, end_group, host_name, is_root,
    leave_session, monotonic_now, own_group, signal_of, start_own, unix_now,
};
pub use self::session::{FOLLOWS_XDG, ROOT, URL_OPENER, is_graphical, open_url, session_folder};
pub use self::signals::{DeferredSignals, Signals, end_after};
pub use self::start::begin;
pub use self::streams::{
    StandardStream, stderr, stdin, stdout, wait_readable, wait_writable, window_size,
};
pub use self::text::{os_str, os_string};
