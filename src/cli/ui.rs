//! Prints messages, tables and JSON, and asks questions. No other file prints.

use std::error::Error;
use std::io::{self, Write};
use std::panic;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::exit_code::ExitCode;
use super::failure::{self, CliResult, Failure};
use super::messages::{Message, causes, message};
use super::streams::Streams;
use super::table::cell::{Cell, Tone};
use super::table::{self, Layout};
use crate::credential::username::without_tokens;
use crate::helper::notice::Notice;
use crate::platform;
use crate::terminal::escape;

/// The first word of a line on standard error, and its colour.
type Label = (&'static str, AnsiColor);
const ERROR: Label = ("error", AnsiColor::Red);
const WARNING: Label = ("warning", AnsiColor::Yellow);
const CAUSE: Label = ("cause", AnsiColor::BrightBlack);
const HINT: Label = ("hint", AnsiColor::Cyan);

/// Makes a panic print only its place: its message may hold a secret.
pub fn announce_panics() {
    panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
        let until = platform::monotonic_now() + Duration::from_secs(1);
        if platform::wait_writable(&io::stderr(), until).unwrap_or(false) {
            let _ = io::stderr().write_all(format!("error: internal fault{place}\n").as_bytes());
        }
    }));
}

/// Prints an error on the process's standard error, for a start without streams.
pub fn last_words(what: &str, cause: &io::Error) -> ExitCode {
    let text = format!(
        "error: {what}\ncause: {}\n",
        escape::whole(&cause.to_string())
    );
    let _ = io::stderr().write_all(text.as_bytes());
    ExitCode::FAILURE
}

/// Prints an error with its causes.
pub fn error(streams: &mut Streams, what: &dyn Error, hint: Option<&str>) {
    report(streams, ERROR, &what.to_string(), &causes(what), hint);
}

/// Prints an error in plain words.
pub fn complain(streams: &mut Streams, what: &str, hint: Option<&str>) {
    report(streams, ERROR, what, "", hint);
}

/// Prints a warning in plain words.
pub fn warn(streams: &mut Streams, what: &str, hint: Option<&str>) {
    report(streams, WARNING, what, "", hint);
}

/// Prints a warning and its cause.
pub fn warn_of(streams: &mut Streams, what: &str, cause: &str, hint: Option<&str>) {
    report(streams, WARNING, what, cause, hint);
}

/// Prints an error that does not stop the command as a warning.
pub fn trouble(streams: &mut Streams, what: &dyn Error, hint: Option<&str>) {
    report(streams, WARNING, &what.to_string(), &causes(what), hint);
}

/// Prints each notice as a warning.
pub fn notices(streams: &mut Streams, notices: &[Notice], unix_now: u64) {
    for notice in notices {
        warn_by(streams, notice, unix_now);
    }
}

// Not inlined: few calls of git have a notice.
#[cold]
#[inline(never)]
fn warn_by(streams: &mut Streams, notice: &Notice, unix_now: u64) {
    let Message { what, cause, hint } = message(notice, unix_now);
    report(streams, WARNING, &what, &cause, hint.as_deref());
}

/// Prints the three parts of a message. An empty `cause` is left out. With `--quiet` only errors are printed, without a hint.
fn report(streams: &mut Streams, label: Label, what: &str, cause: &str, hint: Option<&str>) {
    if streams.is_quiet && label != ERROR {
        return;
    }
    line(streams, label, what);
    if !cause.is_empty() {
        line(streams, CAUSE, cause);
    }
    if let Some(hint) = hint.filter(|_| !streams.is_quiet) {
        line(streams, HINT, hint);
    }
}

/// Prints one line whose text cannot control the terminal.
fn line(streams: &mut Streams, (word, colour): Label, text: &str) {
    let style = if streams.terminals.colours_error {
        colour.on_default().bold()
    } else {
        Style::new()
    };
    // A message of the system or of git may hold a username that was never parsed.
    let text = escape::whole(&without_tokens(text));
    let text = format!("{style}{word}:{style:#} {text}\n");
    // Without standard error, nothing can be reported.
    let _ = streams.error.write_all(text.as_bytes());
}

/// Prints on standard output.
pub fn print(streams: &mut Streams, text: &str) -> io::Result<()> {
    streams.output.write_all(text.as_bytes())
}

/// Prints a confirmation: a line that only says what was done, or that nothing was. `--quiet` leaves it out.
pub fn done(streams: &mut Streams, text: &str) -> io::Result<()> {
    if streams.is_quiet {
        return Ok(());
    }
    print(streams, text)
}

/// Prints a confirmation and a hint. `--quiet` leaves both out.
pub(super) fn done_with_hint(streams: &mut Streams, says: &str, hint: &str) -> io::Result<()> {
    done(streams, &format!("{says}\n"))?;
    if !streams.is_quiet {
        line(streams, HINT, hint);
    }
    Ok(())
}

/// Prints a change: the result of a dry run, else a confirmation.
pub(super) fn change(streams: &mut Streams, text: &str, is_dry: bool) -> io::Result<()> {
    if is_dry {
        print(streams, text)
    } else {
        done(streams, text)
    }
}

/// Prints a value as JSON on standard output.
pub fn print_json(streams: &mut Streams, value: &impl Serialize) -> io::Result<()> {
    let json = serde_json::to_string_pretty(value)?;
    print(streams, &format!("{json}\n"))
}

/// Prints a table that fits the terminal.
pub(super) fn table(streams: &mut Streams, layout: &Layout, rows: &[Vec<Cell>]) -> io::Result<()> {
    let text = table::laid_out(layout, rows, streams.terminals.columns, |tone| {
        style(streams, tone)
    });
    print(streams, &text)
}

/// The style of a text on standard output.
pub(super) fn style(streams: &Streams, tone: Tone) -> Style {
    if !streams.terminals.colours_output {
        return Style::new();
    }
    match tone {
        Tone::Heading => Style::new().bold(),
        Tone::Plain => Style::new(),
        Tone::Good => AnsiColor::Green.on_default(),
        Tone::Soon => AnsiColor::Yellow.on_default(),
        Tone::Bad => AnsiColor::Red.on_default(),
    }
}

/// The style of the word `hint:` on standard output.
pub(super) fn hint_style(streams: &Streams) -> Style {
    if streams.terminals.colours_output {
        HINT.1.on_default().bold()
    } else {
        Style::new()
    }
}

/// Prints help or a usage error as `clap` lays it out.
pub fn print_clap(streams: &mut Streams, message: &clap::Error) {
    let (stream, is_coloured) = if message.use_stderr() {
        (&mut streams.error, streams.terminals.colours_error)
    } else {
        (&mut streams.output, streams.terminals.colours_output)
    };
    let text = message.render();
    let text = if is_coloured {
        text.ansi().to_string()
    } else {
        text.to_string()
    };
    let _ = stream.write_all(text.as_bytes());
}

/// Asks a question. Only `y` and `yes` mean yes.
pub fn confirm(streams: &mut Streams, question: &str) -> io::Result<bool> {
    let answer = ask(streams, &format!("{question} [y/N] "))?;
    Ok(["y", "yes"].contains(&&answer.to_ascii_lowercase()[..]))
}

/// Asks a question, and reads a line of standard input.
pub fn ask(streams: &mut Streams, question: &str) -> io::Result<String> {
    streams.error.write_all(question.as_bytes())?;
    let mut line = Vec::new();
    let mut byte = [0];
    while streams.input.read(&mut byte)? == 1 && byte[0] != b'\n' && line.len() < 4096 {
        line.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&line).trim().to_owned())
}

/// Prints an empty array if `is_json`, and returns the failure: no storage could be read.
pub(super) fn nothing_known(streams: &mut Streams, is_json: bool) -> CliResult<Failure> {
    if is_json {
        print_json(streams, &[(); 0])?;
    }
    Ok(failure::nothing_known())
}
