//! The progress of long work, on the last line of a terminal.

use std::io::Write;
use std::time::Duration;

use super::streams::Streams;
use crate::platform::monotonic_now;

/// Shorter work shows no progress.
const PROGRESS_AFTER: Duration = Duration::from_secs(1);

/// Counts the steps of long work on the last line of the terminal, and clears the line in the end.
pub(super) struct ProgressLine<'a> {
    streams: &'a mut Streams,
    what: &'static str,
    began: Duration,
    is_shown: bool,
}

impl<'a> ProgressLine<'a> {
    pub(super) fn of(what: &'static str, streams: &'a mut Streams) -> Self {
        Self {
            streams,
            what,
            began: monotonic_now(),
            is_shown: false,
        }
    }

    /// Shows that the step `number` of `count` begins.
    pub(super) fn comes_to(&mut self, number: usize, count: usize) {
        let is_long = monotonic_now().saturating_sub(self.began) >= PROGRESS_AFTER;
        let is_wanted = self.streams.terminals.redraws_error && !self.streams.is_quiet;
        if is_wanted && is_long {
            self.is_shown = true;
            let what = self.what;
            let _ = write!(self.streams.error, "\r{what} {number} of {count}\x1b[K");
            let _ = self.streams.error.flush();
        }
    }
}

impl Drop for ProgressLine<'_> {
    fn drop(&mut self) {
        if self.is_shown {
            let _ = self.streams.error.write_all(b"\r\x1b[K");
        }
    }
}
