//! The session of the user: whether a person can see a window, and how to open a URL.
#![allow(unsafe_code)]

use std::env;
use std::os::windows::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use windows_sys::Win32::System::StationsAndDesktops::{
    GetProcessWindowStation, GetUserObjectInformationW, UOI_FLAGS, USEROBJECTFLAGS,
};
use windows_sys::Win32::System::Threading::{CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW};

/// Whether programs of this system keep their files where the XDG base directory specification says.
pub const FOLLOWS_XDG: bool = false;

/// How the whole path of a file begins.
pub const ROOT: &str = r"C:\";

/// The program that opens a URL in the user's browser.
pub const URL_OPENER: &str = "rundll32.exe";

/// The library and its function that open a URL. Unlike `explorer.exe`, they do not split the URL at `=` and `,`.
const URL_HANDLER: &str = "url.dll,FileProtocolHandler";

/// A person sees the windows of this station (`USEROBJECTFLAGS`).
const WSF_VISIBLE: u32 = 1;

/// The folder for sockets where `XDG_RUNTIME_DIR` names none: the name of a pipe needs no folder.
pub fn session_folder() -> Option<PathBuf> {
    None
}

/// Whether a window can appear in front of a person: not for a service, and not for a shell that came over SSH.
pub fn is_graphical() -> bool {
    let is_remote = env::var_os("SSH_CONNECTION").is_some_and(|value| !value.is_empty());
    !is_remote && has_visible_station()
}

fn has_visible_station() -> bool {
    let mut flags = USEROBJECTFLAGS {
        fInherit: 0,
        fReserved: 0,
        dwFlags: 0,
    };
    let (mut needed, size) = (0, u32::try_from(size_of_val(&flags)).unwrap_or_default());
    // SAFETY: the station's handle is borrowed, `flags` has `size` bytes, and `needed` is a valid place.
    let is_told = unsafe {
        let station = GetProcessWindowStation();
        let flags = (&raw mut flags).cast();
        GetUserObjectInformationW(station, UOI_FLAGS, flags, size, &raw mut needed) != 0
    };
    is_told && flags.dwFlags & WSF_VISIBLE != 0
}

/// Starts `program` for a URL and does not wait. It gets a process group of its own, which Ctrl-C does not reach.
pub fn open_url(program: &Path, url: &str) -> bool {
    Command::new(program)
        .args([URL_HANDLER, url])
        .creation_flags(CREATE_NEW_PROCESS_GROUP | CREATE_NO_WINDOW)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .is_ok()
}
