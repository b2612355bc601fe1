//! git-credential-pat: a Git credential helper for people who use personal access tokens.
//!
//! On Unix the program starts with C's `main`. What Rust's standard library does before its own `main` would cost each call of git five
//! page faults and twelve system calls; `cli::run` does the part of it that this program needs.
#![cfg_attr(unix, no_main)]
#![cfg_attr(unix, allow(unsafe_code))]

use std::ffi::OsString;
#[cfg(unix)]
use std::ffi::{CStr, OsStr, c_char, c_int};
#[cfg(unix)]
use std::os::unix::ffi::OsStrExt;

/// Returns the exit status.
///
/// # Safety
/// Only for the C library: `words` are `count` pointers to strings, which stay as long as the process (C17, 5.1.2.2.1).
#[cfg(unix)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn main(count: c_int, words: *const *const c_char) -> c_int {
    let mut arguments: Vec<OsString> = Vec::new();
    // The first word is the name of the program.
    for at in 1..usize::try_from(count).unwrap_or_default() {
        // SAFETY: the caller's promise; `at` is below `count`.
        let word = unsafe { CStr::from_ptr(*words.add(at)) };
        arguments.push(OsStr::from_bytes(word.to_bytes()).to_owned());
    }
    git_credential_pat::cli::run(&arguments)
}

#[cfg(windows)]
fn main() {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let status = git_credential_pat::cli::run(&arguments);
    #[allow(
        clippy::exit,
        reason = "the standard library has no other way to a status beyond 255"
    )]
    std::process::exit(status);
}
