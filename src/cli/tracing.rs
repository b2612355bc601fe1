//! Where the trace goes: standard error, a file, or both; and the form of its lines.
//!
//! A line: time of day in UTC, process, time since the start, subject, text.
//!
//! ```text
//! 12:03:04.123456 [4711] +0.42 ms get: alice has the credential; it is not expired
//! ```

use std::env;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::streams::{Streams, bounded_error};
use super::ui;
use crate::credential::username::without_tokens;
use crate::files::owned::open_to_append;
use crate::platform::{monotonic_now, unix_now};
use crate::terminal::{escape, with_causes};
use crate::trace::{self, Event, milliseconds};

/// The variable that turns the trace on.
pub(super) const VARIABLE: &str = "GIT_CREDENTIAL_PAT_TRACE";
/// A pipe takes so many bytes in one piece (pipe(7), `PIPE_BUF`), so that the lines of two processes do not mix.
const LONGEST_LINE: usize = 4096;

/// A value of [`VARIABLE`].
#[derive(Debug, PartialEq, Eq)]
enum TraceChoice {
    Off,
    ToError,
    ToFile(PathBuf),
    Unknown,
}

impl TraceChoice {
    fn of(value: Option<OsString>) -> Self {
        let Some(value) = value else {
            return Self::Off;
        };
        let word = value.to_str().map(str::to_ascii_lowercase);
        match word.as_deref() {
            Some("" | "0" | "false") => Self::Off,
            Some("1" | "true") => Self::ToError,
            _ => {
                let path = PathBuf::from(value);
                if path.is_absolute() {
                    Self::ToFile(path)
                } else {
                    Self::Unknown
                }
            }
        }
    }
}

/// Starts the trace that the variable or `--verbose` asks for. Returns the problem if there is one: a warning and its hint.
pub(super) fn start(is_verbose: bool) -> Option<(String, String)> {
    let value = env::var_os(VARIABLE);
    if value.is_none() && !is_verbose {
        return None;
    }
    start_as(TraceChoice::of(value), is_verbose)
}

#[cold]
#[inline(never)]
fn start_as(choice: TraceChoice, is_verbose: bool) -> Option<(String, String)> {
    let mut problem = None;
    let mut file = None;
    let mut to_error = is_verbose;
    match choice {
        TraceChoice::Off => {}
        TraceChoice::ToError => to_error = true,
        TraceChoice::ToFile(path) => match open_to_append(&path) {
            Ok(opened) => file = Some(opened),
            Err(cause) => {
                let hint = cause
                    .hint()
                    .map_or_else(|| format!("name another file in {VARIABLE}"), str::to_owned);
                let what = format!("no trace is written: {}", with_causes(&cause));
                problem = Some((what, hint));
            }
        },
        TraceChoice::Unknown => {
            let what = format!("no trace is written: {VARIABLE} is neither 1 nor an absolute path");
            let hint = "set it to 1 for standard error, or to the absolute path of a file";
            problem = Some((what, hint.to_owned()));
        }
    }
    let mut sinks: Vec<Box<dyn Write + Send>> = Vec::new();
    if to_error {
        sinks.push(Box::new(bounded_error()));
    }
    if let Some(file) = file {
        sinks.push(Box::new(file));
    }
    if !sinks.is_empty() {
        write_to(sinks);
    }
    problem
}

/// Prints the problem that [`start`] returned.
pub(super) fn warn(streams: &mut Streams, problem: Option<(String, String)>) {
    if let Some((what, hint)) = problem {
        ui::warn(streams, &what, Some(&hint));
    }
}

fn write_to(sinks: Vec<Box<dyn Write + Send>>) {
    let began = monotonic_now();
    let process = std::process::id();
    let sinks = Mutex::new(sinks);
    trace::start(Box::new(move |event| {
        let passed = monotonic_now().saturating_sub(began);
        let line = line(unix_now(), process, passed, event);
        let mut sinks = sinks.lock().unwrap_or_else(PoisonError::into_inner);
        for sink in &mut *sinks {
            // A trace that cannot be written changes nothing.
            let _ = sink.write_all(line.as_bytes());
        }
    }));
}

/// `time`: since 1970 in UTC. `passed`: since the start of the trace.
fn line(time: Duration, process: u32, passed: Duration, event: &Event) -> String {
    let seconds = time.as_secs() % 86_400;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let micros = time.subsec_micros();
    let passed = milliseconds(passed);
    // A message of the system or of git may hold a username that was never parsed.
    let text = escape::whole(&without_tokens(&event.text));
    let subject = event.subject;
    let mut line = format!(
        "{hour:02}:{minute:02}:{second:02}.{micros:06} [{process}] +{passed} ms {subject}: {text}"
    );
    if line.len() >= LONGEST_LINE {
        let mut end = LONGEST_LINE - '…'.len_utf8() - 1;
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        line.truncate(end);
        line.push('…');
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::testing::DRIVE;

    fn shown(text: &str) -> String {
        let time = Duration::new(86_400 * 3 + 12 * 3600 + 3 * 60 + 4, 123_456_789);
        let event = Event {
            subject: "get",
            text: text.to_owned(),
        };
        line(time, 4711, Duration::from_micros(420), &event)
    }

    #[test]
    fn a_line_has_time_process_elapsed_time_subject_and_text() {
        assert_eq!(
            shown("memory has no entry"),
            "12:03:04.123456 [4711] +0.42 ms get: memory has no entry\n"
        );
    }

    #[test]
    fn nothing_in_a_line_controls_the_terminal_or_begins_another_line() {
        let line = shown("a\nb\x1b[2J\u{202e}c\0");
        assert!(
            line.ends_with("get: a\\x0ab\\x1b[2J\\u{202e}c\\x00\n"),
            "{line}"
        );
    }

    #[test]
    fn a_token_in_a_message_of_another_program_is_hidden() {
        let line = shown("git says ghp_MARKERmadeup0123456789 is odd");
        assert!(line.ends_with("get: git says *** is odd\n"), "{line}");
    }

    #[test]
    fn a_long_line_is_cut_and_fits_a_pipe() {
        for letter in ["x", "é", "\u{1f600}"] {
            let line = shown(&letter.repeat(LONGEST_LINE));
            assert!(line.len() <= LONGEST_LINE, "{letter}");
            assert!(line.len() > LONGEST_LINE - 8, "{letter}");
            assert!(line.ends_with("…\n"), "{letter}");
        }
    }

    #[test]
    fn the_variable_reads_as_gits_own() {
        let path = format!("{DRIVE}/a/b");
        for (value, expected) in [
            (None, TraceChoice::Off),
            (Some(""), TraceChoice::Off),
            (Some("0"), TraceChoice::Off),
            (Some("false"), TraceChoice::Off),
            (Some("False"), TraceChoice::Off),
            (Some("1"), TraceChoice::ToError),
            (Some("true"), TraceChoice::ToError),
            (Some("TRUE"), TraceChoice::ToError),
            (Some(&*path), TraceChoice::ToFile((&*path).into())),
            (Some("a/b"), TraceChoice::Unknown),
            (Some("~/trace"), TraceChoice::Unknown),
            (Some("yes"), TraceChoice::Unknown),
            (Some("7"), TraceChoice::Unknown),
        ] {
            assert_eq!(
                TraceChoice::of(value.map(Into::into)),
                expected,
                "{value:?}"
            );
        }
    }
}
