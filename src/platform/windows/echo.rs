//! A console that does not echo what is typed, restored also when Ctrl-C ends the process.
#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::windows::io::AsRawHandle;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::Console::{
    ENABLE_ECHO_INPUT, ENABLE_LINE_INPUT, ENABLE_PROCESSED_INPUT, FlushConsoleInputBuffer,
    ReadConsoleW, SetConsoleCtrlHandler, SetConsoleMode,
};
use windows_sys::core::BOOL;
use zeroize::Zeroizing;

use super::console;

/// The longest line, in bytes without the newline. A console takes longer ones, but no token is as long.
pub const LINE_LIMIT: usize = 4095;

/// The console and the mode that Ctrl-C restores.
static RESTORED: AtomicPtr<core::ffi::c_void> = AtomicPtr::new(ptr::null_mut());
static MODE: AtomicU32 = AtomicU32::new(0);

/// Returns whether the session has a console that can be opened. In a window of mintty there is none.
pub fn has_terminal() -> bool {
    Terminal::open().is_ok()
}

/// Keeps the echo of the console off until it is dropped. The console assembles lines, and Ctrl-C ends the process.
pub struct EchoOff {
    terminal: Terminal,
    before: u32,
}

impl EchoOff {
    /// Turns the echo off at the console of the session.
    pub fn begin() -> io::Result<Self> {
        let terminal = Terminal::open()?;
        let handle = terminal.input.as_raw_handle();
        let before = console::mode(handle).ok_or_else(io::Error::last_os_error)?;
        MODE.store(before, Ordering::SeqCst);
        RESTORED.store(handle, Ordering::SeqCst);
        // SAFETY: the handler sets a mode that is whole, and may run on a thread of its own.
        unsafe { SetConsoleCtrlHandler(Some(restore), 1) };
        let off = Self { terminal, before };
        off.show_input(false)?;
        Ok(off)
    }

    /// Turns the echo on or off, and discards the input so far.
    pub fn show_input(&self, is_shown: bool) -> io::Result<()> {
        let lines = self.before | ENABLE_LINE_INPUT | ENABLE_PROCESSED_INPUT;
        let mode = if is_shown {
            lines | ENABLE_ECHO_INPUT
        } else {
            lines & !ENABLE_ECHO_INPUT
        };
        let handle = self.terminal.input.as_raw_handle();
        // SAFETY: the handle is the console's, and open.
        let is_set =
            unsafe { SetConsoleMode(handle, mode) != 0 && FlushConsoleInputBuffer(handle) != 0 };
        is_set.then_some(()).ok_or_else(io::Error::last_os_error)
    }

    pub fn terminal(&self) -> &Terminal {
        &self.terminal
    }
}

impl Drop for EchoOff {
    fn drop(&mut self) {
        // SAFETY: the handle is the console's, and open; the handler does not use it any more.
        unsafe {
            SetConsoleCtrlHandler(Some(restore), 0);
            RESTORED.store(ptr::null_mut(), Ordering::SeqCst);
            SetConsoleMode(self.terminal.input.as_raw_handle(), self.before);
        }
    }
}

/// Restores the console. Returns false: the system then ends the process.
unsafe extern "system" fn restore(_: u32) -> BOOL {
    let handle: HANDLE = RESTORED.load(Ordering::SeqCst);
    if !handle.is_null() {
        // SAFETY: the handle is open for as long as it stands there.
        unsafe { SetConsoleMode(handle, MODE.load(Ordering::SeqCst)) };
    }
    0
}

/// The console of the session, whatever the standard streams are.
pub struct Terminal {
    input: File,
    output: File,
}

impl Terminal {
    fn open() -> io::Result<Self> {
        let open = |name| OpenOptions::new().read(true).write(true).open(name);
        Ok(Self {
            input: open("CONIN$")?,
            output: open("CONOUT$")?,
        })
    }
}

/// A line in UTF-8, with a newline and no carriage return.
impl Read for &Terminal {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // A unit of UTF-16 gives up to three bytes.
        let mut units = Zeroizing::new(vec![0_u16; buffer.len() / 3]);
        let (mut count, most) = (0, u32::try_from(units.len()).unwrap_or(u32::MAX));
        // SAFETY: `units` has `most` units, and `count` is a valid place for the answer.
        let is_read = unsafe {
            let input = self.input.as_raw_handle();
            ReadConsoleW(
                input,
                units.as_mut_ptr().cast(),
                most,
                &raw mut count,
                ptr::null(),
            )
        };
        if is_read == 0 {
            return Err(io::Error::last_os_error());
        }
        let read = &units[..usize::try_from(count).unwrap_or_default().min(units.len())];
        let mut length = 0;
        for character in char::decode_utf16(read.iter().copied()) {
            match character.unwrap_or(char::REPLACEMENT_CHARACTER) {
                // Ctrl-Z and Enter are the end of the input.
                '\u{1A}' if length == 0 => return Ok(0),
                '\r' => {}
                character => length += character.encode_utf8(&mut buffer[length..]).len(),
            }
        }
        Ok(length)
    }
}

impl Write for &Terminal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        console::write(self.output.as_raw_handle(), bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
