//! The console: its size, its colours and its text in UTF-16.
#![allow(unsafe_code)]

use std::io;
use std::ptr;

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::Console::{
    CONSOLE_SCREEN_BUFFER_INFO, ENABLE_VIRTUAL_TERMINAL_PROCESSING, GetConsoleMode,
    GetConsoleScreenBufferInfo, GetStdHandle, STD_ERROR_HANDLE, STD_OUTPUT_HANDLE, SetConsoleMode,
    WriteConsoleW,
};
use zeroize::Zeroizing;

/// Columns and lines of the console of standard output; `None` if it is no console.
pub fn window_size() -> Option<(usize, usize)> {
    // SAFETY: all zeros are a value of its type; the call writes it, and takes a handle of any kind.
    let window = unsafe {
        let mut found: CONSOLE_SCREEN_BUFFER_INFO = std::mem::zeroed();
        let is_console =
            GetConsoleScreenBufferInfo(GetStdHandle(STD_OUTPUT_HANDLE), &raw mut found) != 0;
        is_console.then_some(found.srWindow)
    }?;
    let columns = usize::try_from(i32::from(window.Right) - i32::from(window.Left) + 1).ok()?;
    let lines = usize::try_from(i32::from(window.Bottom) - i32::from(window.Top) + 1).ok()?;
    (columns > 0 && lines > 0).then_some((columns, lines))
}

/// Has the consoles of standard output and standard error understand colour sequences, which older ones print as they are.
pub(super) fn show_colours() {
    for stream in [STD_OUTPUT_HANDLE, STD_ERROR_HANDLE] {
        // SAFETY: the calls take a handle of any kind and fail for one that is no console.
        unsafe {
            let handle = GetStdHandle(stream);
            if let Some(mode) = mode(handle) {
                SetConsoleMode(handle, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
            }
        }
    }
}

/// Returns the mode of a console; `None` for any other handle.
pub(super) fn mode(handle: HANDLE) -> Option<u32> {
    let mut mode = 0;
    // SAFETY: `mode` is a valid place for the answer, and the handle may be of any kind.
    let is_console = unsafe { GetConsoleMode(handle, &raw mut mode) } != 0;
    is_console.then_some(mode)
}

/// Stands for bytes that are no UTF-8.
const REPLACEMENT: u16 = 0xFFFD;

/// The most bytes of one call: a console of Windows 7 takes no more than 64 KiB.
const AT_ONCE: usize = 8 * 1024;

/// Writes UTF-8 to a console, whole characters only, and returns the number of bytes. Other bytes are shown as U+FFFD.
pub(super) fn write(console: HANDLE, bytes: &[u8]) -> io::Result<usize> {
    let piece = &bytes[..bytes.len().min(AT_ONCE)];
    let whole = match std::str::from_utf8(piece) {
        // A character that the end of the piece cuts is written with the next one.
        Err(error) if error.valid_up_to() > 0 && error.error_len().is_none() => {
            &piece[..error.valid_up_to()]
        }
        _ => piece,
    };
    // A character has at most as many units as bytes, so the text is never moved, and no copy of it stays.
    let mut text = Zeroizing::new(Vec::with_capacity(whole.len()));
    for chunk in whole.utf8_chunks() {
        text.extend(chunk.valid().encode_utf16());
        if !chunk.invalid().is_empty() {
            text.push(REPLACEMENT);
        }
    }
    let mut left = &text[..];
    while !left.is_empty() {
        let (mut written, count) = (0, u32::try_from(left.len()).unwrap_or(u32::MAX));
        // SAFETY: `left` has `count` units, and `written` is a valid place for the answer.
        let is_done = unsafe {
            WriteConsoleW(
                console,
                left.as_ptr().cast(),
                count,
                &raw mut written,
                ptr::null(),
            )
        };
        if is_done == 0 {
            return Err(io::Error::last_os_error());
        }
        left = &left[usize::try_from(written)
            .unwrap_or(left.len())
            .min(left.len())..];
    }
    Ok(whole.len())
}
