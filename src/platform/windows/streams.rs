//! The standard streams, and how long they are waited for.
#![allow(unsafe_code)]

use std::io::{self, IsTerminal, Read, Write};
use std::mem::ManuallyDrop;
use std::os::windows::io::{BorrowedHandle, FromRawHandle, RawHandle};
use std::ptr;
use std::thread;
use std::time::Duration;

use windows_sys::Win32::Foundation::{ERROR_BROKEN_PIPE, ERROR_NOT_SUPPORTED, GetLastError};
use windows_sys::Win32::Storage::FileSystem::{FILE_TYPE_PIPE, GetFileType};
use windows_sys::Win32::System::Console::{
    GetStdHandle, STD_ERROR_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE,
};
use windows_sys::Win32::System::Pipes::PeekNamedPipe;

use super::console;
use super::process::monotonic_now;

/// A standard stream without the standard library's buffer, which is never wiped. Stays open when dropped.
#[derive(Clone, Copy)]
pub struct StandardStream(RawHandle);

// SAFETY: a handle is a number of the process, which every thread may use.
unsafe impl Send for StandardStream {}

/// Standard input.
pub fn stdin() -> StandardStream {
    standard(STD_INPUT_HANDLE)
}

/// Standard output.
pub fn stdout() -> StandardStream {
    standard(STD_OUTPUT_HANDLE)
}

/// Standard error.
pub fn stderr() -> StandardStream {
    standard(STD_ERROR_HANDLE)
}

fn standard(stream: u32) -> StandardStream {
    // SAFETY: the call takes no pointer. A missing stream has the handle 0, which every use rejects.
    StandardStream(unsafe { GetStdHandle(stream) })
}

impl StandardStream {
    /// Whether it is a console, or a terminal of Cygwin's or MSYS2's.
    pub fn is_terminal(self) -> bool {
        !self.0.is_null() && self.handle().is_terminal()
    }

    fn handle(&self) -> BorrowedHandle<'_> {
        // SAFETY: the standard streams stay open as long as the process.
        unsafe { BorrowedHandle::borrow_raw(self.0) }
    }

    fn file(self) -> ManuallyDrop<std::fs::File> {
        // SAFETY: as above, and it is never closed.
        ManuallyDrop::new(unsafe { std::fs::File::from_raw_handle(self.0) })
    }
}

impl Read for StandardStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.file().read(buffer) {
            // The writer of a pipe has closed it.
            Err(cause) if cause.kind() == io::ErrorKind::BrokenPipe => Ok(0),
            result => result,
        }
    }
}

impl Write for StandardStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if console::mode(self.0).is_some() {
            return console::write(self.0, bytes);
        }
        self.file().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A stream that can be waited for.
pub trait Ready {
    /// Waits until it has bytes or an end; false if it has none at `until` on the monotonic clock.
    fn wait_readable(&self, until: Duration) -> io::Result<bool>;

    /// Waits until it takes bytes; false if it takes none at `until` on the monotonic clock.
    fn wait_writable(&self, until: Duration) -> io::Result<bool>;
}

impl Ready for StandardStream {
    /// An anonymous pipe can only be looked at, again and again. Every other stream counts as ready.
    fn wait_readable(&self, until: Duration) -> io::Result<bool> {
        let mut pause = Duration::from_millis(1);
        loop {
            if has_bytes(self.0)? {
                return Ok(true);
            }
            let now = monotonic_now();
            if now >= until {
                return Ok(false);
            }
            thread::sleep(pause.min(until.saturating_sub(now)));
            pause = (pause * 2).min(Duration::from_millis(16));
        }
    }

    /// An anonymous pipe does not tell whether it takes bytes. git's pipes hold 4,096, more than an answer to git has.
    fn wait_writable(&self, _: Duration) -> io::Result<bool> {
        Ok(true)
    }
}

impl Ready for io::Stderr {
    fn wait_readable(&self, _: Duration) -> io::Result<bool> {
        Ok(false)
    }

    fn wait_writable(&self, _: Duration) -> io::Result<bool> {
        Ok(true)
    }
}

fn has_bytes(handle: RawHandle) -> io::Result<bool> {
    // SAFETY: the handle may be of any kind.
    if unsafe { GetFileType(handle) } != FILE_TYPE_PIPE {
        return Ok(true);
    }
    let mut available = 0;
    // SAFETY: `available` is a valid place for the answer; the other places may be null.
    let is_told = unsafe {
        PeekNamedPipe(
            handle,
            ptr::null_mut(),
            0,
            ptr::null_mut(),
            &raw mut available,
            ptr::null_mut(),
        )
    };
    if is_told != 0 {
        return Ok(available > 0);
    }
    // SAFETY: the call takes nothing.
    match unsafe { GetLastError() } {
        // Wine cannot look into a pipe of the system below, and answers the second.
        ERROR_BROKEN_PIPE | ERROR_NOT_SUPPORTED => Ok(true),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Waits until `source` has bytes or an end; false if it has none at `until` on the monotonic clock. Zero: does not wait.
pub fn wait_readable(source: &impl Ready, until: Duration) -> io::Result<bool> {
    source.wait_readable(until)
}

/// Waits until `sink` takes bytes, or has no reader any more; false if it takes none at `until` on the monotonic clock. Zero: does
/// not wait.
pub fn wait_writable(sink: &impl Ready, until: Duration) -> io::Result<bool> {
    sink.wait_writable(until)
}
