//! How far long work is, for who watches.

use std::io::Write;
use std::time::Duration;

use super::streams::Streams;
use crate::platform::monotonic_now;

/// What is done sooner needs no counting.
const PROGRESS_AFTER: Duration = Duration::from_secs(1);

/// Counts long work on a terminal's last line, which is empty again in the end.
pub(super) struct Progress<'a> {
    streams: &'a mut Streams,
    what: &'static str,
    began: Duration,
    is_shown: bool,
}

impl<'a> Progress<'a> {
    /// Of `what` there may be much.
    pub(super) fn of(what: &'static str, streams: &'a mut Streams) -> Self {
        Self {
            streams,
            what,
            began: monotonic_now(),
            is_shown: false,
        }
    }

    /// The one with this number, of so many, is next. What is done in a moment is not counted.
    pub(super) fn comes_to(&mut self, number: usize, count: usize) {
        let is_long = monotonic_now().saturating_sub(self.began) >= PROGRESS_AFTER;
        if self.streams.redraws_error && is_long {
            self.is_shown = true;
            let what = self.what;
            let _ = write!(self.streams.error, "\r{what} {number} of {count}\x1b[K");
            let _ = self.streams.error.flush();
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if self.is_shown {
            let _ = self.streams.error.write_all(b"\r\x1b[K");
        }
    }
}
