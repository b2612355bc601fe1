//! Text of the system, such as paths and arguments, from bytes.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Returns bytes from git or a file as text of the system.
pub fn os_str(bytes: &[u8]) -> &OsStr {
    OsStr::from_bytes(bytes)
}

pub fn os_string(bytes: Vec<u8>) -> OsString {
    OsString::from_vec(bytes)
}
