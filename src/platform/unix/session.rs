//! The session of the user: whether a person can see a window, and how to open a URL.

#[cfg(not(target_os = "macos"))]
use std::env;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Whether programs of this system keep their files where the XDG base directory specification says.
pub const FOLLOWS_XDG: bool = cfg!(not(target_os = "macos"));

/// How the whole path of a file begins.
pub const ROOT: &str = "/";

/// The program that opens a URL in the user's browser.
pub const URL_OPENER: &str = if cfg!(target_os = "macos") {
    "open"
} else {
    "xdg-open"
};

/// Whether a window can appear in front of a person.
#[cfg(not(target_os = "macos"))]
pub fn is_graphical() -> bool {
    let has = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    has("DISPLAY") || has("WAYLAND_DISPLAY")
}

/// As above. A shell in `tmux` keeps the session of its first start, so its variables tell nothing.
#[cfg(target_os = "macos")]
pub fn is_graphical() -> bool {
    super::apple::is_graphical()
}

/// The folder for sockets where `XDG_RUNTIME_DIR` names none; `None`: this system has none.
#[cfg(not(target_os = "macos"))]
pub fn session_folder() -> Option<PathBuf> {
    None
}

#[cfg(target_os = "macos")]
pub fn session_folder() -> Option<PathBuf> {
    super::apple::cache_folder()
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
