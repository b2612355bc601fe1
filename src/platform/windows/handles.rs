//! The system's calls about files that std does not have.
#![allow(unsafe_code)]

use std::ffi::{OsString, c_void};
use std::fs::File;
use std::io;
use std::os::windows::ffi::{OsStrExt, OsStringExt};
use std::os::windows::io::{AsRawHandle, FromRawHandle};
use std::path::{Path, PathBuf};
use std::ptr;

use windows_sys::Win32::Foundation::{
    ERROR_IO_PENDING, ERROR_LOCK_VIOLATION, HANDLE, INVALID_HANDLE_VALUE,
};
use windows_sys::Win32::Security::{
    DACL_SECURITY_INFORMATION, GetKernelObjectSecurity, OWNER_SECURITY_INFORMATION,
    SetKernelObjectSecurity,
};
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, CreateDirectoryW, CreateFileW, FILE_ATTRIBUTE_TAG_INFO,
    FILE_ID_INFO, FILE_INFO_BY_HANDLE_CLASS, FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE,
    FILE_TYPE_DISK, FileAttributeTagInfo, FileIdInfo, GetFileInformationByHandle,
    GetFileInformationByHandleEx, GetFileType, GetFinalPathNameByHandleW,
    GetVolumeInformationByHandleW, LOCKFILE_EXCLUSIVE_LOCK, LOCKFILE_FAIL_IMMEDIATELY, LockFileEx,
    MoveFileExW, READ_CONTROL, ReOpenFile, WRITE_DAC,
};
use windows_sys::Win32::System::IO::OVERLAPPED;
use windows_sys::Win32::System::SystemServices::FILE_PERSISTENT_ACLS;

use super::user::{Protection, check};

/// Other processes may read, write, rename and remove an open file, as with std's own.
const SHARED: u32 = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
/// The byte that is locked: no file is so long, since a lock keeps others from reading it.
const LOCKED_BYTE: u64 = 1 << 62;
/// Control bits of a descriptor (MS-DTYP 2.4.6), two bytes behind its start: `DI` and `DC`.
const AUTO_INHERITED: u64 = 0x0400 << 16;
const AUTO_INHERIT_REQUIRED: u64 = 0x0100 << 16;

/// Opens or creates a file. A new one has `protection` from the start, or what its folder hands down.
pub fn create(
    path: &Path,
    (access, disposition, flags): (u32, u32, u32),
    protection: Option<&Protection>,
) -> io::Result<File> {
    let path = wide(path)?;
    let attributes = protection.map(Protection::attributes);
    let attributes = attributes.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: `path` ends with a zero; `attributes` is null, or lives as long as `protection` and its copy here.
    let handle = unsafe {
        CreateFileW(
            path.as_ptr(),
            access,
            SHARED,
            attributes,
            disposition,
            flags,
            ptr::null_mut(),
        )
    };
    file_of(handle)
}

/// Creates a folder with `protection` from the start.
pub fn create_folder(path: &Path, protection: &Protection) -> io::Result<()> {
    let path = wide(path)?;
    let attributes = protection.attributes();
    // SAFETY: `path` ends with a zero, and `attributes` lives during the call.
    check(unsafe { CreateDirectoryW(path.as_ptr(), &raw const attributes) })
}

/// Renames a file to a name that is free. Fails with `AlreadyExists` otherwise.
pub fn move_to_free(from: &Path, to: &Path) -> io::Result<()> {
    let (from, to) = (wide(from)?, wide(to)?);
    // SAFETY: both end with a zero.
    check(unsafe { MoveFileExW(from.as_ptr(), to.as_ptr(), 0) })
}

/// Whether a file is on a volume, not a device or a pipe.
pub fn is_on_volume(file: &File) -> bool {
    // SAFETY: the handle is open as long as `file`.
    unsafe { GetFileType(file.as_raw_handle()) == FILE_TYPE_DISK }
}

/// Whether the volume of a file keeps access lists. FAT does not, nor do many network drives.
pub fn keeps_access_lists(file: &File) -> io::Result<bool> {
    let mut flags = 0;
    // SAFETY: the handle is open, `flags` is a valid place, and the others are not asked for.
    check(unsafe {
        GetVolumeInformationByHandleW(
            file.as_raw_handle(),
            ptr::null_mut(),
            0,
            ptr::null_mut(),
            ptr::null_mut(),
            &raw mut flags,
            ptr::null_mut(),
            0,
        )
    })?;
    Ok(flags & FILE_PERSISTENT_ACLS != 0)
}

/// Returns a file's attributes and length.
pub fn attributes_and_length(file: &File) -> io::Result<(u32, u64)> {
    let found = information(file)?;
    let length = u64::from(found.nFileSizeHigh) << 32 | u64::from(found.nFileSizeLow);
    Ok((found.dwFileAttributes, length))
}

fn information(file: &File) -> io::Result<BY_HANDLE_FILE_INFORMATION> {
    let mut found = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the handle is open, and `found` is a valid place.
    check(unsafe { GetFileInformationByHandle(file.as_raw_handle(), &raw mut found) })?;
    Ok(found)
}

/// Returns the sort of a reparse point: a link, or one of many others.
pub fn reparse_tag(file: &File) -> io::Result<u32> {
    let mut found = FILE_ATTRIBUTE_TAG_INFO::default();
    fill(file, FileAttributeTagInfo, &mut found)?;
    Ok(found.ReparseTag)
}

/// Returns the numbers of a file's volume and of the file in it.
pub fn identity(file: &File) -> io::Result<(u64, u64)> {
    let mut found = FILE_ID_INFO::default();
    if fill(file, FileIdInfo, &mut found).is_ok() {
        // Only ReFS uses the second half.
        let number = u128::from_le_bytes(found.FileId.Identifier);
        #[allow(clippy::cast_possible_truncation)]
        let number = (number as u64) ^ (number >> 64) as u64;
        return Ok((found.VolumeSerialNumber, number));
    }
    // FAT, and some network drives.
    let found = information(file)?;
    let number = u64::from(found.nFileIndexHigh) << 32 | u64::from(found.nFileIndexLow);
    Ok((found.dwVolumeSerialNumber.into(), number))
}

/// `T`: the structure that belongs to `class`.
fn fill<T>(file: &File, class: FILE_INFO_BY_HANDLE_CLASS, found: &mut T) -> io::Result<()> {
    let size = u32::try_from(size_of::<T>()).unwrap_or_default();
    let place: *mut T = found;
    // SAFETY: the handle is open, and `place` has `size` bytes.
    check(unsafe { GetFileInformationByHandleEx(file.as_raw_handle(), class, place.cast(), size) })
}

/// Returns the path of an open file or folder without links, in the form for long paths (`\\?\`).
pub fn final_path(file: &File) -> io::Result<PathBuf> {
    let mut text: Vec<u16> = vec![0; 512];
    loop {
        let size = u32::try_from(text.len()).unwrap_or(u32::MAX);
        // SAFETY: the handle is open, and `text` has `size` units.
        let length =
            unsafe { GetFinalPathNameByHandleW(file.as_raw_handle(), text.as_mut_ptr(), size, 0) };
        match length as usize {
            0 => return Err(io::Error::last_os_error()),
            length if length < text.len() => {
                return Ok(OsString::from_wide(&text[..length]).into());
            }
            // With the final zero.
            length => text.resize(length + 1, 0),
        }
    }
}

/// Locks a file for this process until it is closed. Returns false if another one holds the lock.
pub fn lock(file: &File) -> io::Result<bool> {
    let mut at = OVERLAPPED::default();
    #[allow(clippy::cast_possible_truncation)]
    {
        at.Anonymous.Anonymous.Offset = LOCKED_BYTE as u32;
        at.Anonymous.Anonymous.OffsetHigh = (LOCKED_BYTE >> 32) as u32;
    }
    let flags = LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY;
    // SAFETY: the handle is open, and `at` lives during the call, which does not wait.
    let locked = check(unsafe { LockFileEx(file.as_raw_handle(), flags, 0, 1, 0, &raw mut at) });
    match locked {
        Ok(()) => Ok(true),
        Err(cause) if is_one_of(&cause, &[ERROR_LOCK_VIOLATION, ERROR_IO_PENDING]) => Ok(false),
        Err(cause) => Err(cause),
    }
}

/// Returns the owner and the access list of a file, in the self-relative form.
pub fn descriptor(file: &File) -> io::Result<Vec<u8>> {
    let asked = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
    // A list has at most 64 kB.
    let mut bytes = vec![0_u64; 128];
    loop {
        let size = u32::try_from(bytes.len() * 8).unwrap_or(u32::MAX);
        let mut needed = 0;
        // SAFETY: the handle is open, `bytes` has `size` bytes and the alignment of a descriptor, and `needed` is a valid place.
        let answer = check(unsafe {
            let place = bytes.as_mut_ptr().cast::<c_void>();
            GetKernelObjectSecurity(file.as_raw_handle(), asked, place, size, &raw mut needed)
        });
        if answer.is_err() && needed > size {
            bytes.resize((needed as usize).div_ceil(8), 0);
            continue;
        }
        answer?;
        return Ok(bytes.iter().flat_map(|word| word.to_le_bytes()).collect());
    }
}

/// Opens the same file once more, with the right to change its access list.
pub fn reopen_for_list(file: &File) -> io::Result<File> {
    // SAFETY: the handle is open as long as `file`.
    let opened = unsafe { ReOpenFile(file.as_raw_handle(), READ_CONTROL | WRITE_DAC, SHARED, 0) };
    file_of(opened)
}

/// Gives a file the access list of `descriptor`, entry by entry: nothing is added from its folder. The file must be open with the
/// right `WRITE_DAC`.
pub fn set_access_list(file: &File, descriptor: &[u8]) -> io::Result<()> {
    let mut words = vec![0_u64; descriptor.len().div_ceil(8)];
    for (word, bytes) in words.iter_mut().zip(descriptor.chunks(8)) {
        let mut whole = [0; 8];
        whole[..bytes.len()].copy_from_slice(bytes);
        *word = u64::from_le_bytes(whole);
    }
    if let Some(first) = words.first_mut()
        && *first & AUTO_INHERITED != 0
    {
        // Else the system forgets which entries came from the folder.
        *first |= AUTO_INHERIT_REQUIRED;
    }
    let place = words.as_mut_ptr().cast();
    // SAFETY: `words` is a descriptor that `descriptor` returned, in its alignment.
    check(unsafe {
        SetKernelObjectSecurity(file.as_raw_handle(), DACL_SECURITY_INFORMATION, place)
    })
}

/// Whether an error has one of these numbers.
pub fn is_one_of(cause: &io::Error, numbers: &[u32]) -> bool {
    let number = cause
        .raw_os_error()
        .and_then(|number| u32::try_from(number).ok());
    number.is_some_and(|number| numbers.contains(&number))
}

/// An error with one of the system's numbers.
pub fn error(number: u32) -> io::Error {
    io::Error::from_raw_os_error(number.cast_signed())
}

fn file_of(handle: HANDLE) -> io::Result<File> {
    if handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the handle was just opened and belongs to this value alone.
    Ok(unsafe { File::from_raw_handle(handle) })
}

/// The form of paths that the calls take.
fn wide(path: &Path) -> io::Result<Vec<u16>> {
    let mut text: Vec<u16> = path.as_os_str().encode_wide().collect();
    if text.contains(&0) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    text.push(0);
    Ok(text)
}

/// Opens a file or folder to change its access list.
#[cfg(test)]
pub fn open_for_list(path: &Path) -> io::Result<File> {
    use windows_sys::Win32::Storage::FileSystem::{FILE_FLAG_BACKUP_SEMANTICS, OPEN_EXISTING};
    let how = (
        READ_CONTROL | WRITE_DAC,
        OPEN_EXISTING,
        FILE_FLAG_BACKUP_SEMANTICS,
    );
    create(path, how, None)
}

/// The bytes of a security descriptor, from its text (SDDL).
#[cfg(test)]
pub fn descriptor_of(text: &str) -> Vec<u8> {
    use windows_sys::Win32::Security::GetSecurityDescriptorLength;
    let protection = Protection::of(text, false).unwrap();
    let start = protection.attributes().lpSecurityDescriptor;
    // SAFETY: the descriptor is whole, and lives as long as `protection`.
    unsafe {
        let length = GetSecurityDescriptorLength(start) as usize;
        std::slice::from_raw_parts(start.cast::<u8>(), length).to_vec()
    }
}
