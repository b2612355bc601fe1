//! The system's calls for named pipes and for operations that end later (overlapped I/O).
#![allow(unsafe_code)]

use std::io;
use std::ops::Range;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use std::time::Duration;

use windows_sys::Win32::Foundation::{
    ERROR_IO_INCOMPLETE, ERROR_IO_PENDING, ERROR_PIPE_CONNECTED, ERROR_PIPE_NOT_CONNECTED,
    GetLastError, HANDLE, HANDLE_FLAG_INHERIT, INVALID_HANDLE_VALUE, SetHandleInformation,
    WAIT_FAILED, WAIT_OBJECT_0,
};
use windows_sys::Win32::Security::RevertToSelf;
use windows_sys::Win32::Storage::FileSystem::{
    FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED, PIPE_ACCESS_DUPLEX, ReadFile, WriteFile,
};
use windows_sys::Win32::System::Console::{GetStdHandle, STD_INPUT_HANDLE};
use windows_sys::Win32::System::IO::{CancelIoEx, GetOverlappedResult, OVERLAPPED};
use windows_sys::Win32::System::Pipes::{
    ConnectNamedPipe, CreateNamedPipeW, GetNamedPipeInfo, ImpersonateNamedPipeClient,
    PIPE_READMODE_BYTE, PIPE_REJECT_REMOTE_CLIENTS, PIPE_SERVER_END, PIPE_TYPE_BYTE,
    PIPE_UNLIMITED_INSTANCES, PIPE_WAIT, WaitNamedPipeW,
};
use windows_sys::Win32::System::Threading::{
    CreateEventW, WaitForMultipleObjects, WaitForSingleObject,
};
use zeroize::Zeroize;

use crate::platform::arena::Locked;
use crate::platform::user::{Protection, User, check};

/// In bytes: most requests and answers fit.
const ROOM: usize = 4096;
/// The system's own buffer for each direction of a pipe, in bytes.
const BUFFER: u32 = 64 * 1024;
/// An operation that has not ended (`STATUS_PENDING`).
const PENDING: usize = 0x103;

/// A read, a write or a wait for a client that goes on while this process does other things.
pub(super) struct Overlapped {
    /// The system writes into both until the operation ends, so they stay in their place. Until then, this program reads only
    /// `Internal`, as a volatile value.
    record: Box<OVERLAPPED>,
    room: Locked,
    event: OwnedHandle,
    is_pending: bool,
}

// SAFETY: its event and its memory belong to it alone, and are not tied to a thread.
unsafe impl Send for Overlapped {}

impl Overlapped {
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: an event without a name; the handle is checked, and belongs to this value.
        let event = unsafe {
            let event = CreateEventW(ptr::null(), 1, 0, ptr::null());
            if event.is_null() {
                return Err(io::Error::last_os_error());
            }
            OwnedHandle::from_raw_handle(event)
        };
        Ok(Self {
            // SAFETY: all zeros are a value of its type.
            record: Box::new(unsafe { std::mem::zeroed() }),
            room: Locked::new(ROOM),
            event,
            is_pending: false,
        })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.room
    }

    pub(super) fn wipe(&mut self, bytes: Range<usize>) {
        self.room[bytes].zeroize();
    }

    /// Reads into the bytes of this operation. Fails with `WouldBlock` while there is nothing to read.
    pub(super) fn read(&mut self, pipe: &OwnedHandle) -> io::Result<usize> {
        let (file, overlapped) = (pipe.as_raw_handle(), self.prepare());
        let most = u32::try_from(ROOM).unwrap_or_default();
        // SAFETY: the bytes stay in their place until the operation has ended: `cancel` sees to that.
        let answer = unsafe {
            ReadFile(
                file,
                self.room.as_mut_ptr(),
                most,
                ptr::null_mut(),
                overlapped,
            )
        };
        self.started(answer, pipe)
    }

    /// Writes a copy of the first of `bytes`. Fails with `WouldBlock` while the pipe is full.
    pub(super) fn write(&mut self, pipe: &OwnedHandle, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(ROOM);
        self.room[..count].copy_from_slice(&bytes[..count]);
        let (file, overlapped) = (pipe.as_raw_handle(), self.prepare());
        let length = u32::try_from(count).unwrap_or_default();
        // SAFETY: as in `read`.
        let answer = unsafe {
            WriteFile(
                file,
                self.room.as_ptr(),
                length,
                ptr::null_mut(),
                overlapped,
            )
        };
        let written = self.started(answer, pipe);
        if !self.is_pending {
            self.wipe(0..count);
        }
        written
    }

    /// Waits for a client. Fails with `WouldBlock` while there is none.
    pub(super) fn connect(&mut self, pipe: &OwnedHandle) -> io::Result<()> {
        let overlapped = self.prepare();
        // SAFETY: as in `read`.
        let answer = unsafe { ConnectNamedPipe(pipe.as_raw_handle(), overlapped) };
        // SAFETY: the call takes nothing.
        if answer == 0 && unsafe { GetLastError() } == ERROR_PIPE_CONNECTED {
            return Ok(());
        }
        self.started(answer, pipe).map(|_| ())
    }

    fn prepare(&mut self) -> *mut OVERLAPPED {
        // SAFETY: all zeros are a value of its type, and no operation uses the old one.
        *self.record = unsafe { std::mem::zeroed() };
        self.record.hEvent = self.event.as_raw_handle();
        &raw mut *self.record
    }

    fn started(&mut self, answer: i32, pipe: &OwnedHandle) -> io::Result<usize> {
        // SAFETY: the call takes nothing.
        if answer == 0 && unsafe { GetLastError() } != ERROR_IO_PENDING {
            return Err(last_error());
        }
        self.is_pending = true;
        self.finish(pipe).unwrap_or(Ok(0))
    }

    /// The result of an operation that was started: the number of bytes, or `WouldBlock` while it goes on. `None`: there is none.
    pub(super) fn finish(&mut self, pipe: &OwnedHandle) -> Option<io::Result<usize>> {
        self.is_pending.then(|| self.result(pipe, false))
    }

    fn result(&mut self, pipe: &OwnedHandle, waits: bool) -> io::Result<usize> {
        let mut count = 0;
        let overlapped = &raw const *self.record;
        // SAFETY: the operation was started with this place and this pipe.
        let answer = unsafe {
            GetOverlappedResult(
                pipe.as_raw_handle(),
                overlapped,
                &raw mut count,
                i32::from(waits),
            )
        };
        if answer != 0 {
            self.is_pending = false;
            return Ok(usize::try_from(count).unwrap_or_default());
        }
        // SAFETY: the call takes nothing.
        if unsafe { GetLastError() } == ERROR_IO_INCOMPLETE {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.is_pending = false;
        Err(last_error())
    }

    /// Whether it can be called again without a wait.
    pub(super) fn is_done(&self) -> bool {
        // SAFETY: the system writes this field when the operation ends (`HasOverlappedIoCompleted`).
        let state = unsafe { (&raw const self.record.Internal).read_volatile() };
        !self.is_pending || state != PENDING
    }

    /// Waits until it can be called again; false if it cannot after `patience`.
    pub(super) fn wait(&self, patience: Duration) -> bool {
        let event = self.event.as_raw_handle();
        // SAFETY: the handle is the event's, and open.
        !self.is_pending || unsafe { WaitForSingleObject(event, millis(patience)) } == WAIT_OBJECT_0
    }

    /// Ends an operation that goes on, and waits for its end, which follows at once.
    pub(super) fn cancel(&mut self, pipe: &OwnedHandle) {
        if self.is_pending {
            let overlapped = &raw const *self.record;
            // SAFETY: the operation was started with this place and this pipe.
            unsafe { CancelIoEx(pipe.as_raw_handle(), overlapped) };
            let _ = self.result(pipe, true);
        }
    }
}

/// The standard library does not count this number among those of a broken pipe.
fn last_error() -> io::Error {
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(ERROR_PIPE_NOT_CONNECTED.cast_signed()) {
        return io::ErrorKind::BrokenPipe.into();
    }
    error
}

/// Waits until one of `operations` is done, at most `patience`.
pub(super) fn wait_for_one(
    operations: &[Option<&Overlapped>],
    patience: Duration,
) -> io::Result<()> {
    let mut events: Vec<HANDLE> = Vec::with_capacity(operations.len());
    for operation in operations.iter().flatten() {
        if operation.is_done() {
            return Ok(());
        }
        events.push(operation.event.as_raw_handle());
    }
    if events.is_empty() {
        std::thread::sleep(patience);
        return Ok(());
    }
    let count = u32::try_from(events.len()).unwrap_or(u32::MAX);
    // SAFETY: `events` has `count` open handles.
    match unsafe { WaitForMultipleObjects(count, events.as_ptr(), 0, millis(patience)) } {
        WAIT_FAILED => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Rounded up: a wait of less than a millisecond would spin.
fn millis(patience: Duration) -> u32 {
    let millis = patience.as_micros().div_ceil(1000);
    u32::try_from(millis).unwrap_or(u32::MAX - 1)
}

/// Creates an instance of a pipe for this user alone, on this machine alone. `is_first`: fails if there is another one.
pub(super) fn create(name: &str, is_first: bool) -> io::Result<OwnedHandle> {
    let user = User::of_process()?.name()?;
    // The owner of what an administrator's process creates would be a group. Without the label, a process with fewer rights could
    // not write to the pipe of such a process.
    let protection = Protection::of(
        &format!("O:{user}D:P(A;;GA;;;{user})S:(ML;;NW;;;ME)"),
        false,
    )?;
    let attributes = protection.attributes();
    let first = if is_first {
        FILE_FLAG_FIRST_PIPE_INSTANCE
    } else {
        0
    };
    let name: Vec<u16> = name.encode_utf16().chain([0]).collect();
    // SAFETY: the name ends with a zero, and the attributes live during the call; the handle is checked.
    unsafe {
        let pipe = CreateNamedPipeW(
            name.as_ptr(),
            PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | first,
            PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS,
            PIPE_UNLIMITED_INSTANCES,
            BUFFER,
            BUFFER,
            0,
            &raw const attributes,
        );
        if pipe == INVALID_HANDLE_VALUE {
            return Err(io::Error::last_os_error());
        }
        Ok(OwnedHandle::from_raw_handle(pipe))
    }
}

/// Waits until an instance is free, at most `patience`.
pub(super) fn wait_for_instance(name: &str, patience: Duration) {
    let name: Vec<u16> = name.encode_utf16().chain([0]).collect();
    // 0 would mean the pipe's own time. The caller looks again after each wait.
    let millis = millis(patience.min(Duration::from_millis(100))).max(1);
    // SAFETY: the name ends with a zero.
    unsafe { WaitNamedPipeW(name.as_ptr(), millis) };
}

/// Takes standard input, if it is the server's end of a pipe.
pub(super) fn server_at_stdin() -> io::Result<OwnedHandle> {
    let mut flags = 0;
    // SAFETY: `flags` is a valid place for the answer, and the handle may be of any kind. No other value owns standard input.
    unsafe {
        let input = GetStdHandle(STD_INPUT_HANDLE);
        let null = ptr::null_mut();
        check(GetNamedPipeInfo(input, &raw mut flags, null, null, null))?;
        if flags & PIPE_SERVER_END == 0 {
            return Err(io::Error::other("standard input does not listen there"));
        }
        // No process that the daemon might start gets it.
        check(SetHandleInformation(input, HANDLE_FLAG_INHERIT, 0))?;
        Ok(OwnedHandle::from_raw_handle(input))
    }
}

/// Fails with `PermissionDenied` if the client that sent the bytes just read runs as another user.
pub(super) fn check_client(pipe: &OwnedHandle) -> io::Result<()> {
    let own = User::of_process()?;
    // SAFETY: the handle is a pipe's, and open.
    check(unsafe { ImpersonateNamedPipeClient(pipe.as_raw_handle()) })?;
    let client = User::of_thread();
    // SAFETY: the call takes nothing. A thread that stayed another user would do our work as that user.
    if unsafe { RevertToSelf() } == 0 {
        std::process::abort();
    }
    if own.is(client?.sid()) {
        Ok(())
    } else {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}
