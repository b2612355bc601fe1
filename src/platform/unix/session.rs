//! The session of the user: whether a person can see a window, and how to open a URL.

use std::env;
use std::os::unix::process::CommandExt;
use std::path::Path;
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
