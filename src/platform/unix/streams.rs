//! The standard streams and the size of the terminal.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;
use std::{mem, process};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::process::monotonic_now;

/// A standard stream without the standard library's buffer, which is never wiped. Stays open when dropped.
#[derive(Clone, Copy)]
pub struct StandardStream(BorrowedFd<'static>);

/// Standard input.
pub fn stdin() -> StandardStream {
    StandardStream(rustix::stdio::stdin())
}

/// Standard output.
pub fn stdout() -> StandardStream {
    StandardStream(rustix::stdio::stdout())
}

/// Standard error.
pub fn stderr() -> StandardStream {
    StandardStream(rustix::stdio::stderr())
}

/// Opens `/dev/null` for each standard stream that the caller closed: the next file that is opened would take its number, and
/// get what is meant for the stream.
pub(super) fn open_missing_streams() {
    for stream in [
        rustix::stdio::stdin(),
        rustix::stdio::stdout(),
        rustix::stdio::stderr(),
    ] {
        if rustix::io::fcntl_getfd(stream).is_ok() {
            continue;
        }
        // A new file gets the lowest free number (open(2)).
        match File::options().read(true).write(true).open("/dev/null") {
            Ok(null) => mem::forget(null),
            Err(_) => process::abort(),
        }
    }
}

impl StandardStream {
    /// A test's own stream.
    #[cfg(test)]
    pub fn of(file: &'static impl AsFd) -> Self {
        Self(file.as_fd())
    }

    /// Whether it is a terminal.
    pub fn is_terminal(self) -> bool {
        self.0.is_terminal()
    }
}

impl AsFd for StandardStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0
    }
}

impl Read for StandardStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(self.0, buffer)?)
    }
}

impl Write for StandardStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(self.0, bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Columns and lines of the terminal of standard output; `None` if it is no terminal, or does not know its size.
pub fn window_size() -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout()).ok()?;
    let (columns, lines) = (usize::from(size.ws_col), usize::from(size.ws_row));
    (columns > 0 && lines > 0).then_some((columns, lines))
}

/// Waits until `source` has bytes or an end; false if it has none at `until` on the monotonic clock. Zero: does not wait.
pub fn wait_readable(source: &impl AsFd, until: Duration) -> io::Result<bool> {
    wait(source.as_fd(), PollFlags::IN, until)
}

/// Waits until `sink` takes bytes, or has no reader any more; false if it takes none at `until` on the monotonic clock. Zero: does
/// not wait.
pub fn wait_writable(sink: &impl AsFd, until: Duration) -> io::Result<bool> {
    wait(sink.as_fd(), PollFlags::OUT, until)
}

fn wait(file: BorrowedFd<'_>, event: PollFlags, until: Duration) -> io::Result<bool> {
    loop {
        let left = if until.is_zero() {
            Duration::ZERO
        } else {
            until.saturating_sub(monotonic_now())
        };
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut [PollFd::from_borrowed_fd(file, event)], Some(&left)) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
