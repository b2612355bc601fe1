//! Questions that only macOS answers: the user's cache folder, and the session.
#![allow(unsafe_code)]

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::ptr;

/// `callerSecuritySession` and the bits of `SessionAttributeBits` (Security framework, `AuthSession.h`).
const OWN_SESSION: u32 = u32::MAX;
const HAS_GRAPHIC_ACCESS: u32 = 0x0010;
const IS_REMOTE: u32 = 0x1000;

#[link(name = "Security", kind = "framework")]
unsafe extern "C" {
    fn SessionGetInfo(session: u32, id: *mut u32, attributes: *mut u32) -> i32;
}

/// Whether this session may show windows: not one of SSH, and not one that a system service started.
pub(super) fn is_graphical() -> bool {
    let mut attributes = 0;
    // SAFETY: no number of the session is wanted, and `attributes` is a valid place for the answer.
    let status = unsafe { SessionGetInfo(OWN_SESSION, ptr::null_mut(), &raw mut attributes) };
    status == 0 && attributes & HAS_GRAPHIC_ACCESS != 0 && attributes & IS_REMOTE == 0
}

/// Returns the user's own cache folder, such as `/var/folders/zz/zyx/C/`. The system cleans it only in a safe boot, unlike the
/// folder for temporary files. Not by `TMPDIR`, which users and build systems change.
pub(super) fn cache_folder() -> Option<PathBuf> {
    let mut path = vec![0_u8; 1024];
    // SAFETY: `path` is a valid place for as many bytes as are named.
    let length = unsafe {
        libc::confstr(
            libc::_CS_DARWIN_USER_CACHE_DIR,
            path.as_mut_ptr().cast(),
            path.len(),
        )
    };
    // The length counts the NUL at the end; 0: the system has no such folder.
    path.get(..length)?;
    path.truncate(length.checked_sub(1)?);
    Some(OsString::from_vec(path).into())
}
