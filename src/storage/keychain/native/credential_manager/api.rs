//! The calls to the Credential Manager of Windows (Win32 API, wincred.h). Secrets in the memory of Windows are wiped before it is
//! freed.
#![allow(unsafe_code)]

use std::ptr::{null, null_mut};
use std::slice;

use windows_sys::Win32::Foundation::{FILETIME, GetLastError};
use windows_sys::Win32::Security::Credentials::{
    CRED_TYPE_GENERIC, CREDENTIAL_ATTRIBUTEW, CREDENTIALW, CredDeleteW, CredEnumerateW, CredFree,
    CredGetSessionTypes, CredReadW, CredWriteW,
};
use zeroize::{Zeroize, Zeroizing};

use super::generic::{CredentialAttribute, ErrorCode, GenericCredential, GenericStore, WideText};

/// `CRED_TYPE_MAXIMUM`: the number of types that `CredGetSessionTypes` tells.
const TYPES: usize = 7;
/// `ERROR_NO_UNICODE_TRANSLATION`: a name is not valid UTF-16.
const NOT_TEXT: ErrorCode = ErrorCode(1113);

/// The Credential Manager of the user.
pub(super) struct Api;

impl GenericStore for Api {
    fn list(&self, prefix: &str) -> Result<Vec<GenericCredential>, ErrorCode> {
        let filter = zero_ended(&format!("{prefix}*"))?;
        // Without a filter, Windows lists all credentials. It takes no lone asterisk.
        let filter = if prefix.is_empty() {
            null()
        } else {
            filter.as_ptr()
        };
        let (mut count, mut first) = (0, null_mut());
        // SAFETY: the filter is null or ends with zero, and both places are valid for writes.
        check(unsafe { CredEnumerateW(filter, 0, &raw mut count, &raw mut first) })?;
        let count = usize::try_from(count).unwrap_or_default();
        // SAFETY: the call has succeeded, so `first` points to `count` pointers.
        let listed = unsafe { slice::from_raw_parts(first, count) };
        let mut all = Vec::new();
        for &credential in listed {
            // SAFETY: each points to a credential in the same block, which is freed below. No other pointer is in use.
            all.extend(unsafe { taken(credential) });
        }
        // SAFETY: the block comes from the call above, and no pointer into it is used later.
        unsafe { CredFree(first.cast()) };
        Ok(all)
    }

    fn read(&self, target: &str) -> Result<GenericCredential, ErrorCode> {
        let target = zero_ended(target)?;
        let mut credential = null_mut();
        // SAFETY: the name ends with zero, and the place is valid for writes.
        check(unsafe { CredReadW(target.as_ptr(), CRED_TYPE_GENERIC, 0, &raw mut credential) })?;
        // SAFETY: the call has succeeded, so it points to a credential. No other pointer is in use.
        let read = unsafe { taken(credential) };
        // SAFETY: the block comes from the call above, and no pointer into it is used later.
        unsafe { CredFree(credential.cast()) };
        read.ok_or(NOT_TEXT)
    }

    fn write(&self, new: &GenericCredential) -> Result<(), ErrorCode> {
        let mut target = zero_ended(&new.target)?;
        let mut user = new.user.as_deref().map(zero_ended).transpose()?;
        let mut comment = new.comment.clone().map(with_zero);
        let mut alias = new.alias.clone().map(with_zero);
        let mut blob = new.blob.clone();
        let mut kept = new.attributes.clone();
        for attribute in &mut kept {
            attribute.keyword.push(0);
        }
        let mut attributes: Vec<CREDENTIAL_ATTRIBUTEW> = kept.iter_mut().map(borrowed).collect();
        let credential = CREDENTIALW {
            Flags: new.flags,
            Type: CRED_TYPE_GENERIC,
            TargetName: target.as_mut_ptr(),
            Comment: comment.as_mut().map_or(null_mut(), Vec::as_mut_ptr),
            LastWritten: FILETIME {
                dwLowDateTime: 0,
                dwHighDateTime: 0,
            },
            CredentialBlobSize: length(blob.len())?,
            CredentialBlob: blob.as_mut_ptr(),
            Persist: new.persist,
            AttributeCount: length(attributes.len())?,
            Attributes: attributes.as_mut_ptr(),
            TargetAlias: alias.as_mut().map_or(null_mut(), Vec::as_mut_ptr),
            UserName: user.as_mut().map_or(null_mut(), Vec::as_mut_ptr),
        };
        // SAFETY: each text ends with zero, each count is that of its block, and all blocks live until the call returns.
        check(unsafe { CredWriteW(&raw const credential, 0) })
    }

    fn delete(&self, target: &str) -> Result<(), ErrorCode> {
        let target = zero_ended(target)?;
        // SAFETY: the name ends with zero.
        check(unsafe { CredDeleteW(target.as_ptr(), CRED_TYPE_GENERIC, 0) })
    }

    fn most_lasting(&self) -> Result<u32, ErrorCode> {
        let mut lasting = [0; TYPES];
        // SAFETY: the array has as many places as the call is told.
        check(unsafe { CredGetSessionTypes(length(TYPES)?, lasting.as_mut_ptr()) })?;
        Ok(lasting[CRED_TYPE_GENERIC as usize])
    }
}

fn check(result: i32) -> Result<(), ErrorCode> {
    if result != 0 {
        return Ok(());
    }
    // SAFETY: reads a number of this thread.
    Err(ErrorCode(unsafe { GetLastError() }))
}

/// Copies a credential, and wipes its secret in place. `None`: it has another type, or a name that is not valid UTF-16.
///
/// # Safety
///
/// `credential` points to a credential of a block that Windows has returned, and nothing else refers into the block.
unsafe fn taken(credential: *mut CREDENTIALW) -> Option<GenericCredential> {
    // SAFETY: the caller promises it. Windows ends its texts with zero, and its counts are those of its blocks.
    unsafe {
        // Wine aligns neither the credentials of a list nor their texts.
        let kept = credential.read_unaligned();
        let secret = bytes_mut(kept.CredentialBlob, kept.CredentialBlobSize);
        let blob = Zeroizing::new(secret.to_vec());
        secret.zeroize();
        if kept.Type != CRED_TYPE_GENERIC {
            return None;
        }
        let mut attributes = Vec::new();
        for at in 0..kept.AttributeCount as usize {
            let attribute = kept.Attributes.add(at).read_unaligned();
            attributes.push(CredentialAttribute {
                keyword: text(attribute.Keyword).unwrap_or_default(),
                flags: attribute.Flags,
                value: bytes_mut(attribute.Value, attribute.ValueSize).to_vec(),
            });
        }
        let written = kept.LastWritten;
        Some(GenericCredential {
            target: String::from_utf16(&text(kept.TargetName)?).ok()?,
            user: text(kept.UserName)
                .map(|user| String::from_utf16(&user))
                .transpose()
                .ok()?,
            blob,
            persist: kept.Persist,
            attributes,
            comment: text(kept.Comment),
            alias: text(kept.TargetAlias),
            flags: kept.Flags,
            written: u64::from(written.dwHighDateTime) << 32 | u64::from(written.dwLowDateTime),
        })
    }
}

/// # Safety
///
/// `first` is null, or points to `count` bytes that nothing else refers to.
unsafe fn bytes_mut<'a>(first: *mut u8, count: u32) -> &'a mut [u8] {
    if first.is_null() {
        return &mut [];
    }
    // SAFETY: the caller promises it.
    unsafe { slice::from_raw_parts_mut(first, count as usize) }
}

/// Copies a text without its final zero; `None` for null.
///
/// # Safety
///
/// `first` is null, or points to a text that ends with zero.
unsafe fn text(first: *const u16) -> Option<WideText> {
    if first.is_null() {
        return None;
    }
    let mut units = Vec::new();
    loop {
        // SAFETY: the caller promises it, and the loop ends at the zero.
        match unsafe { first.add(units.len()).read_unaligned() } {
            0 => return Some(units),
            unit => units.push(unit),
        }
    }
}

/// Fails for a text with a zero in it: Windows would read a shorter one.
fn zero_ended(text: &str) -> Result<WideText, ErrorCode> {
    if text.contains('\0') {
        return Err(NOT_TEXT);
    }
    Ok(with_zero(text.encode_utf16().collect()))
}

fn with_zero(mut text: WideText) -> WideText {
    text.push(0);
    text
}

/// `attribute` must outlive the result, and its keyword must end with zero.
fn borrowed(attribute: &mut CredentialAttribute) -> CREDENTIAL_ATTRIBUTEW {
    CREDENTIAL_ATTRIBUTEW {
        Keyword: attribute.keyword.as_mut_ptr(),
        Flags: attribute.flags,
        // A value has at most 256 bytes (`CRED_MAX_VALUE_SIZE`).
        ValueSize: u32::try_from(attribute.value.len()).unwrap_or(u32::MAX),
        Value: attribute.value.as_mut_ptr(),
    }
}

fn length(count: usize) -> Result<u32, ErrorCode> {
    u32::try_from(count).map_err(|_| ErrorCode::TOO_LONG)
}
