//! Text of the system, such as paths and arguments, from bytes.

use std::ffi::{OsStr, OsString};

/// Returns bytes from git or a file as text of the system. Bytes that are not UTF-8 give U+FFFD, which names no file of git.
pub fn os_str(bytes: &[u8]) -> &OsStr {
    OsStr::new(std::str::from_utf8(bytes).unwrap_or("\u{FFFD}"))
}

/// As [`os_str`].
pub fn os_string(bytes: Vec<u8>) -> OsString {
    String::from_utf8(bytes).map_or_else(|_| OsString::from("\u{FFFD}"), OsString::from)
}

/// Returns text of the system in UTF-16 with a final zero, as the system's functions take it.
pub(super) fn wide(text: &OsStr) -> Vec<u16> {
    use std::os::windows::ffi::OsStrExt;
    text.encode_wide().chain([0]).collect()
}
