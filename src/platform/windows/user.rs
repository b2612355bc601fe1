//! The user of this process, as Windows names users: by their security identifiers (SIDs).
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;

use windows_sys::Win32::Foundation::{HANDLE, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    ConvertSidToStringSidW, ConvertStringSecurityDescriptorToSecurityDescriptorW, GetSecurityInfo,
    SDDL_REVISION_1, SE_OBJECT_TYPE,
};
use windows_sys::Win32::Security::{
    EqualSid, GetTokenInformation, OWNER_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, PSID,
    SECURITY_ATTRIBUTES, TOKEN_QUERY, TOKEN_USER, TokenUser,
};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, GetCurrentThread, OpenProcessToken, OpenThreadToken,
};

/// A user: the answer about a token, which begins with `TOKEN_USER` and holds the SID it points to.
pub struct User(Vec<u64>);

impl User {
    /// The user of this process.
    pub fn of_process() -> io::Result<Self> {
        let mut token: HANDLE = ptr::null_mut();
        // SAFETY: `token` is a valid place for the answer, and the handle stands for this process.
        check(unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token) })?;
        // SAFETY: the handle was just opened and belongs to this value alone.
        Self::of_token(&unsafe { OwnedHandle::from_raw_handle(token) })
    }

    /// The user that this thread impersonates.
    pub fn of_thread() -> io::Result<Self> {
        let mut token: HANDLE = ptr::null_mut();
        // SAFETY: as in `of_process`; 1: checked as this process, since an impersonated user may not ask.
        check(unsafe { OpenThreadToken(GetCurrentThread(), TOKEN_QUERY, 1, &raw mut token) })?;
        // SAFETY: as in `of_process`.
        Self::of_token(&unsafe { OwnedHandle::from_raw_handle(token) })
    }

    fn of_token(token: &OwnedHandle) -> io::Result<Self> {
        // A SID has at most 68 bytes (`SECURITY_MAX_SID_SIZE`), and 16 point at it.
        let mut bytes = vec![0_u64; 16];
        let (mut length, size) = (0, u32::try_from(bytes.len() * 8).unwrap_or_default());
        // SAFETY: `bytes` has `size` bytes, aligned for `TOKEN_USER`, and `length` is a valid place.
        check(unsafe {
            let place = bytes.as_mut_ptr().cast();
            GetTokenInformation(
                token.as_raw_handle(),
                TokenUser,
                place,
                size,
                &raw mut length,
            )
        })?;
        Ok(Self(bytes))
    }

    /// The SID, which lives as long as this value.
    pub fn sid(&self) -> PSID {
        // SAFETY: the system wrote a `TOKEN_USER` at the start of the bytes.
        unsafe { (*self.0.as_ptr().cast::<TOKEN_USER>()).User.Sid }
    }

    /// The SID as text, such as `S-1-5-21-…-1001`.
    pub fn name(&self) -> io::Result<String> {
        let mut text: *mut u16 = ptr::null_mut();
        // SAFETY: the SID is whole, and `text` is a valid place for the answer.
        check(unsafe { ConvertSidToStringSidW(self.sid(), &raw mut text) })?;
        // SAFETY: the answer ends with a zero, and is freed once it is copied.
        unsafe {
            let mut length = 0;
            while *text.add(length) != 0 {
                length += 1;
            }
            let name = String::from_utf16_lossy(std::slice::from_raw_parts(text, length));
            LocalFree(text.cast());
            Ok(name)
        }
    }

    /// Whether `other` is the same user.
    pub fn is(&self, other: PSID) -> bool {
        // SAFETY: both are whole SIDs; the caller's lives during the call.
        !other.is_null() && unsafe { EqualSid(self.sid(), other) } != 0
    }
}

/// Whether this user owns the object behind a handle.
pub fn owns(object: &impl AsRawHandle, kind: SE_OBJECT_TYPE) -> io::Result<bool> {
    let mut owner: PSID = ptr::null_mut();
    let mut descriptor: PSECURITY_DESCRIPTOR = ptr::null_mut();
    // SAFETY: both are valid places for the answer; the others are not asked for.
    let status = unsafe {
        GetSecurityInfo(
            object.as_raw_handle(),
            kind,
            OWNER_SECURITY_INFORMATION,
            &raw mut owner,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            &raw mut descriptor,
        )
    };
    if status != 0 {
        return Err(io::Error::from_raw_os_error(status.cast_signed()));
    }
    let descriptor = Freed(descriptor);
    let is_ours = User::of_process()?.is(owner);
    drop(descriptor);
    Ok(is_ours)
}

/// A descriptor that the system allocated.
struct Freed(*mut c_void);

impl Drop for Freed {
    fn drop(&mut self) {
        // SAFETY: the system allocated it so, and no other value points to it.
        unsafe { LocalFree(self.0) };
    }
}

/// Who may use a new object, for the calls that create one.
pub struct Protection {
    descriptor: Freed,
    is_inherited: bool,
}

impl Protection {
    /// From the text of a security descriptor (SDDL). `is_inherited`: a child process may get the handle.
    pub fn of(text: &str, is_inherited: bool) -> io::Result<Self> {
        let text: Vec<u16> = text.encode_utf16().chain([0]).collect();
        let mut descriptor: PSECURITY_DESCRIPTOR = ptr::null_mut();
        // SAFETY: `text` ends with a zero, and `descriptor` is a valid place for the answer.
        check(unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &raw mut descriptor,
                ptr::null_mut(),
            )
        })?;
        let descriptor = Freed(descriptor);
        Ok(Self {
            descriptor,
            is_inherited,
        })
    }

    /// The form that the calls take. Lives as long as this value.
    pub fn attributes(&self) -> SECURITY_ATTRIBUTES {
        SECURITY_ATTRIBUTES {
            nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).unwrap_or_default(),
            lpSecurityDescriptor: self.descriptor.0,
            bInheritHandle: i32::from(self.is_inherited),
        }
    }
}

/// Turns the answer of a call into an error if it is 0.
pub fn check(answer: i32) -> io::Result<()> {
    if answer == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
