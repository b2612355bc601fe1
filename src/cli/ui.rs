//! The room that prints: messages, and tables.

use std::error::Error;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::panic;
use std::process::ExitCode;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use super::streams::Streams;
use super::table;
use crate::credential::expiry::ExpirySource;
use crate::credential::key::Key;
use crate::credential::username::without_tokens;
use crate::helper::notice::{Next, Notice};
use crate::platform;
use crate::terminal::escape;
use crate::terminal::prompt::{self, Dialogue};
use crate::time::in_words;

/// What a line of standard error is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Error,
    Warning,
    Cause,
    Hint,
}

/// Has a panic say where it happened, and no more: its message may hold a value.
pub fn announce_panics() {
    panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
        let patience = Duration::from_secs(1);
        if platform::wait_writable(io::stderr().as_fd(), patience).unwrap_or(false) {
            let _ = io::stderr().write_all(format!("error: internal fault{place}\n").as_bytes());
        }
    }));
}

/// For where there are no streams to say it on.
pub fn last_words(what: &str, cause: &io::Error) -> ExitCode {
    let text = format!(
        "error: {what}\ncause: {}\n",
        escape::whole(&cause.to_string())
    );
    let _ = io::stderr().write_all(text.as_bytes());
    ExitCode::FAILURE
}

/// Says what went wrong, why, and what can be done: three lines at most.
pub fn error(streams: &mut Streams, what: &dyn Error, hint: Option<&str>) {
    report(streams, Level::Error, what, hint);
}

/// Says that something is wrong, in plain words.
pub fn complain(streams: &mut Streams, what: &str, hint: Option<&str>) {
    line(streams, Level::Error, what);
    if let Some(hint) = hint {
        line(streams, Level::Hint, hint);
    }
}

/// Says that something is not as it might be wanted.
pub fn warn(streams: &mut Streams, what: &str, hint: Option<&str>) {
    line(streams, Level::Warning, what);
    if let Some(hint) = hint {
        line(streams, Level::Hint, hint);
    }
}

/// Says that something is not as it might be wanted, and why.
pub fn warn_of(streams: &mut Streams, what: &str, cause: &dyn Error, hint: Option<&str>) {
    line(streams, Level::Warning, what);
    line(streams, Level::Cause, &with_causes(cause));
    if let Some(hint) = hint {
        line(streams, Level::Hint, hint);
    }
}

/// An error and what caused it, in one line.
pub fn with_causes(error: &dyn Error) -> String {
    let causes = causes(error);
    if causes.is_empty() {
        error.to_string()
    } else {
        format!("{error}: {causes}")
    }
}

/// Shows a line of a file or a command that the message before it speaks of.
pub fn show(streams: &mut Streams, text: &str) {
    let _ = writeln!(streams.error, "{}", escape::whole(text));
}

/// Says that something did not work and the rest goes on.
pub fn trouble(streams: &mut Streams, what: &dyn Error, hint: Option<&str>) {
    report(streams, Level::Warning, what, hint);
}

/// Asks a question that only a clear yes answers with yes.
pub fn confirm(streams: &mut Streams, question: &str) -> io::Result<bool> {
    let answer = ask(streams, &format!("{question} [y/N] "))?;
    Ok(["y", "yes"].contains(&&answer.to_ascii_lowercase()[..]))
}

fn report(streams: &mut Streams, level: Level, what: &dyn Error, hint: Option<&str>) {
    line(streams, level, &what.to_string());
    let causes = causes(what);
    if !causes.is_empty() {
        line(streams, Level::Cause, &causes);
    }
    if let Some(hint) = hint {
        line(streams, Level::Hint, hint);
    }
}

/// Says every notice.
pub fn notices(streams: &mut Streams, notices: &[Notice], unix_now: u64) {
    for notice in notices {
        say(streams, notice, unix_now);
    }
}

fn say(streams: &mut Streams, notice: &Notice, unix_now: u64) {
    match notice {
        Notice::ExpiresSoon {
            key,
            expiry,
            source,
            can_rotate,
        } => {
            let left = in_words(expiry.left(unix_now));
            // A date that is a guess is said to be one.
            let guessed = match source {
                ExpirySource::Lifetime => ", by its lifetime in config.toml",
                ExpirySource::Git
                | ExpirySource::Forge
                | ExpirySource::Person
                | ExpirySource::Token
                | ExpirySource::Unknown => "",
            };
            line(
                streams,
                Level::Warning,
                &format!(
                    "{} ends in {left} ({}{guessed})",
                    token_of(key),
                    expiry.day()
                ),
            );
            let hint = if *can_rotate {
                format!(
                    "replace it with 'git credential-pat rotate {}'",
                    key.argument()
                )
            } else {
                renew(key)
            };
            line(streams, Level::Hint, &hint);
        }
        Notice::Expired { key, expiry } => {
            let ago = in_words(unix_now.saturating_sub(expiry.unix()));
            line(
                streams,
                Level::Warning,
                &format!("{} ended {ago} ago ({})", token_of(key), expiry.day()),
            );
            line(streams, Level::Hint, &renew(key));
        }
        Notice::Rejected { key, kinds, next } => {
            let kinds: Vec<String> = kinds.iter().map(ToString::to_string).collect();
            let what = format!(
                "{} was refused, and is forgotten ({})",
                token_of(key),
                kinds.join(", ")
            );
            line(streams, Level::Warning, &what);
            line(streams, Level::Hint, &after_refusal(*next, key));
        }
        Notice::Gone { key } => {
            line(
                streams,
                Level::Warning,
                &format!("{} has ended, and is gone from memory", token_of(key)),
            );
            line(streams, Level::Hint, &renew(key));
        }
        Notice::ExpiredBeforeStored { key, expiry } => {
            let day = expiry.day();
            line(
                streams,
                Level::Warning,
                &format!("{} is not kept: it ended on {day}", token_of(key)),
            );
        }
        Notice::UnreadableExpiry { key } => {
            let what = format!(
                "{} is kept without its end: the date that came with it is none",
                token_of(key)
            );
            line(streams, Level::Warning, &what);
        }
        Notice::FellBack { cause, timeout } => {
            let time = in_words(timeout.as_secs());
            let what = format!(
                "the keychain cannot be reached: tokens are kept in memory, for {time} after their last use"
            );
            line(streams, Level::Warning, &what);
            line(streams, Level::Cause, &causes(cause));
            if let Some(hint) = cause.hint() {
                line(streams, Level::Hint, hint);
            }
        }
        Notice::PassedOver { cause } => report(streams, Level::Warning, cause, cause.hint()),
        Notice::Unwritable { key, cause } => {
            line(
                streams,
                Level::Warning,
                &format!("{} is not answered: its {cause}", token_of(key)),
            );
            line(streams, Level::Hint, &renew(key));
        }
    }
}

fn login(key: &Key) -> String {
    format!("git credential-pat login {}", key.argument())
}

fn renew(key: &Key) -> String {
    format!("replace it with '{}'", login(key))
}

/// What a person may do about a refusal.
fn after_refusal(next: Next, key: &Key) -> String {
    match next {
        Next::Answered | Next::Unknown => renew(key),
        Next::Typed => format!(
            "type a new one where git asks for it now; if the next command asks again, git did not hand it over: \
                     keep it with '{}'",
            login(key)
        ),
        // git gives up after two answers (git's `http.c`).
        Next::Another => {
            "run the command again: the next token that is kept is tried, and then git asks"
                .to_owned()
        }
        Next::OfAnother => {
            "run the command again: git asks if its URL names the user; else the token of another \
                     user is tried"
                .to_owned()
        }
        Next::Asks => format!("run the command again, and git asks; or {}", renew(key)),
    }
}

/// The token that is kept under `key`, in the middle of a sentence.
pub fn token_of(key: &Key) -> String {
    let url = escape::safe(&key.url());
    match key.username.as_ref().filter(|name| !name.is_empty()) {
        None => format!("the token for {url}"),
        Some(name) => format!("the token of {} for {url}", name.shown()),
    }
}

fn causes(error: &dyn Error) -> String {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    causes.join(": ")
}

/// One line; what is in it can no longer move the cursor.
fn line(streams: &mut Streams, level: Level, text: &str) {
    let (word, colour) = match level {
        Level::Error => ("error", AnsiColor::Red),
        Level::Warning => ("warning", AnsiColor::Yellow),
        Level::Cause => ("cause", AnsiColor::BrightBlack),
        Level::Hint => ("hint", AnsiColor::Cyan),
    };
    let style = if streams.colours_error {
        colour.on_default().bold()
    } else {
        Style::new()
    };
    // Nobody is left to tell if standard error is gone.
    // The system's and git's own messages may hold a username that was never parsed.
    let text = escape::whole(&without_tokens(text));
    let text = format!("{style}{word}:{style:#} {text}\n");
    let _ = streams.error.write_all(text.as_bytes());
}

/// Prints lines of ours on standard output.
pub fn print(streams: &mut Streams, text: &str) -> io::Result<()> {
    streams.output.write_all(text.as_bytes())
}

/// Asks at the terminal, and reads a line.
pub fn ask(streams: &mut Streams, question: &str) -> io::Result<String> {
    streams.error.write_all(question.as_bytes())?;
    let mut line = Vec::new();
    let mut byte = [0];
    while streams.input.read(&mut byte)? == 1 && byte[0] != b'\n' && line.len() < 4096 {
        line.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&line).trim().to_owned())
}

/// Turns the echo of the terminal off until the dialogue is dropped.
pub fn dialogue(streams: &mut Streams) -> Result<Dialogue, prompt::Error> {
    let _ = streams.error.flush();
    Dialogue::open()
}

/// Prints help or a usage error as `clap` lays it out.
pub fn print_clap(streams: &mut Streams, message: &clap::Error) {
    let text = message.render();
    if message.use_stderr() {
        let text = if streams.colours_error {
            text.ansi().to_string()
        } else {
            text.to_string()
        };
        let _ = streams.error.write_all(text.as_bytes());
    } else {
        let text = if streams.colours_output {
            text.ansi().to_string()
        } else {
            text.to_string()
        };
        let _ = streams.output.write_all(text.as_bytes());
    }
}

/// Prints a table that fits the terminal.
pub fn table(streams: &mut Streams, heading: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let bold = if streams.colours_output {
        Style::new().bold()
    } else {
        Style::new()
    };
    let text = table::laid_out(heading, rows, streams.columns, bold);
    print(streams, &text)
}
