//! The standard streams and the size of the terminal.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::process::monotonic_now;

/// Standard input without the standard library's buffer, which is never wiped.
pub fn stdin() -> io::Result<File> {
    Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
}

/// Columns and lines of the terminal of standard output; `None` if it is no terminal, or does not know its size.
pub fn window_size() -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout()).ok()?;
    let (columns, lines) = (usize::from(size.ws_col), usize::from(size.ws_row));
    (columns > 0 && lines > 0).then_some((columns, lines))
}

/// Standard output without the standard library's buffer, which is never wiped.
pub fn stdout() -> io::Result<File> {
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

/// Standard error, to be written to with a look whether it takes anything.
pub fn stderr() -> io::Result<File> {
    Ok(File::from(io::stderr().as_fd().try_clone_to_owned()?))
}

/// Waits until `source` has bytes or an end; false if `patience` ran out first.
pub fn wait_readable(source: &impl AsFd, patience: Duration) -> io::Result<bool> {
    wait(source.as_fd(), PollFlags::IN, patience)
}

/// Waits until `sink` takes bytes, or has no reader any more; false if `patience` ran out first.
pub fn wait_writable(sink: &impl AsFd, patience: Duration) -> io::Result<bool> {
    wait(sink.as_fd(), PollFlags::OUT, patience)
}

fn wait(file: BorrowedFd<'_>, event: PollFlags, patience: Duration) -> io::Result<bool> {
    let until = monotonic_now() + patience;
    loop {
        let left = until.saturating_sub(monotonic_now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut [PollFd::from_borrowed_fd(file, event)], Some(&left)) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
