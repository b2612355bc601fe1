//! Wrong command lines: an unknown word is an error for a user, and ignored for a later git. Messages repeat a value unless it
//! may be a token.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::exit_code::ExitCode;
use super::streams::Streams;
use super::{command_line, ui};
use crate::credential::username::{HIDDEN, may_hold_token};
use crate::protocol::Operation;
use crate::terminal::escape;

/// Exit status for a wrong command line.
pub(super) const MISUSE: u8 = 2;
/// git writes its request at once. A pipe that stays silent belongs to a script or a scheduler.
const FIRST_LINE: Duration = Duration::from_secs(1);
/// The longest line that git writes (`credential_read` in its `credential.c`).
const LONGEST_LINE: usize = 64 * 1024;
/// The program as a user calls it.
const PROGRAM: &str = "git credential-pat";
/// The keys of git-credential(1), INPUT/OUTPUT FORMAT.
const PROTOCOL_KEYS: [&[u8]; 16] = [
    b"authtype",
    b"capability[]",
    b"continue",
    b"credential",
    b"ephemeral",
    b"host",
    b"oauth_refresh_token",
    b"password",
    b"password_expiry_utc",
    b"path",
    b"protocol",
    b"quit",
    b"state[]",
    b"url",
    b"username",
    b"wwwauth[]",
];

/// Whether `word` is neither a command of this program nor an option.
pub(super) fn is_unknown(word: &OsStr) -> bool {
    let is_known = command_line().get_subcommands().any(|known| {
        word.to_str()
            .is_some_and(|word| known.get_name_and_visible_aliases().contains(&word))
    });
    !is_known && !word.as_encoded_bytes().starts_with(b"-")
}

/// Whether standard input holds a request of git. A later git may know more operations than this helper, and expects
/// silence from a helper that does not know one (gitcredentials(7)).
pub(super) fn is_called_by_git(streams: &mut Streams) -> bool {
    if streams.terminals.input_is_terminal {
        return false;
    }
    streams.limit_input(FIRST_LINE);
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < LONGEST_LINE {
        match streams.input.read(&mut byte) {
            Ok(1) if byte[0] != b'\n' => line.push(byte[0]),
            Ok(_) => break,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return false,
        }
    }
    is_attribute(&line)
}

fn is_attribute(line: &[u8]) -> bool {
    let key = line.split(|&byte| byte == b'=').next().unwrap_or_default();
    key.len() < line.len() && PROTOCOL_KEYS.contains(&key)
}

/// Prints help, or says what is wrong with the command line. Returns the exit status.
///
/// `words`: the command line.
pub(super) fn report(
    streams: &mut Streams,
    error: &mut clap::Error,
    words: &[OsString],
) -> ExitCode {
    if error.kind() == ErrorKind::DisplayVersion {
        // clap would name the command: git-credential-pat-setup.
        let version = concat!("git-credential-pat ", env!("CARGO_PKG_VERSION"), "\n");
        let _ = ui::print(streams, version);
        return ExitCode::SUCCESS;
    }
    if !error.use_stderr() {
        ui::print_clap(streams, error);
        return ExitCode::SUCCESS;
    }
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let (what, hint) = unknown_command(error, words);
            ui::complain(streams, &what, Some(&hint));
        }
        ErrorKind::UnknownArgument => {
            let (what, hint) = unexpected_argument(error, words);
            ui::complain(streams, &what, Some(&hint));
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => ui::print_clap(streams, error),
        _ => {
            hide_tokens(error);
            let hint = format!("{} lists the options", help_of(&command_of(error, words)));
            ui::complain(streams, &first_paragraph(error), Some(&hint));
        }
    }
    ExitCode::from(MISUSE)
}

fn unknown_command(error: &clap::Error, words: &[OsString]) -> (String, String) {
    let what = format!(
        "unknown command '{}'",
        shown(text(error, ContextKind::InvalidSubcommand))
    );
    let nearest = match error.get(ContextKind::SuggestedSubcommand) {
        // clap sorts by likeness, the nearest last. A user does not type git's operations.
        Some(ContextValue::Strings(similar)) => similar.iter().rfind(|word| is_for_users(word)),
        Some(ContextValue::String(similar)) => Some(similar).filter(|word| is_for_users(word)),
        _ => None,
    };
    let command = command_of(error, words);
    let hint = match nearest {
        Some(nearest) => format!("did you mean '{command} {nearest}'?"),
        None => format!("{} lists the commands", help_of(&command)),
    };
    (what, hint)
}

fn is_for_users(command: &str) -> bool {
    Operation::from_word(command.as_bytes()).is_none()
}

fn unexpected_argument(error: &clap::Error, words: &[OsString]) -> (String, String) {
    let word = text(error, ContextKind::InvalidArg);
    let what = format!("unexpected argument '{}'", shown(word));
    let command = command_of(error, words);
    let hint = match text(error, ContextKind::SuggestedArg) {
        "" if word.starts_with('-') => format!("{} lists the options", help_of(&command)),
        "" => format!(
            "see {}; tokens are read from the terminal or standard input, never from the command line",
            help_of(&command)
        ),
        nearest => format!("did you mean '{nearest}'?"),
    };
    (what, hint)
}

/// What clap says first, on one line and without its label.
fn first_paragraph(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let lines = text.lines().take_while(|line| !line.is_empty());
    let lines: Vec<&str> = lines.map(str::trim).collect();
    let text = lines.join(" ");
    text.strip_prefix("error: ").unwrap_or(&text).to_owned()
}

/// The command with the mistake, as a user types it: `git credential-pat cache`. By clap's usage; for a wrong value, which has
/// none, by the first command in `words`.
fn command_of(error: &clap::Error, words: &[OsString]) -> String {
    let usage = if let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) {
        usage.to_string()
    } else {
        let line = command_line();
        let mut commands = words.iter().filter_map(|word| line.find_subcommand(word));
        let command = commands.next().map(clap::Command::get_name);
        format!("git-credential-pat {}", command.unwrap_or_default())
    };
    let words = usage
        .split_whitespace()
        .skip_while(|word| *word != "git-credential-pat");
    let commands = words
        .skip(1)
        .take_while(|word| word.starts_with(|first: char| first.is_ascii_lowercase()));
    std::iter::once(PROGRAM)
        .chain(commands)
        .collect::<Vec<_>>()
        .join(" ")
}

fn help_of(command: &str) -> String {
    format!(
        "'{}'",
        command.replacen(PROGRAM, &format!("{PROGRAM} help"), 1)
    )
}

fn text(error: &clap::Error, kind: ContextKind) -> &str {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text,
        _ => "",
    }
}

/// Hides each value that may be a token, and makes the others safe for a terminal.
fn hide_tokens(error: &mut clap::Error) {
    // An empty value says that one is missing.
    if !text(error, ContextKind::InvalidValue).is_empty() {
        let shown = shown(text(error, ContextKind::InvalidValue));
        error.insert(ContextKind::InvalidValue, ContextValue::String(shown));
    }
    // The tip repeats the value.
    error.remove(ContextKind::Suggested);
}

/// `word` for a message: safe for a terminal, `***` if it may be a token, and without the value of `NAME=value`.
pub(super) fn shown(word: &str) -> String {
    if may_hold_token(word) {
        return HIDDEN.to_owned();
    }
    match word.split_once('=') {
        Some((name, _)) => format!("{}={HIDDEN}", escape::safe(name.as_bytes())),
        None => escape::safe(word.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_shown_unless_it_may_be_a_token() {
        for (word, expected) in [
            ("chekc", "chekc"),
            ("-x", "-x"),
            ("--jsn", "--jsn"),
            ("next tuesday morning at ten", "next tuesday morning at ten"),
            ("a-word-of-19-letters", "***"),
            ("a-word-of-19-letter", "a-word-of-19-letter"),
            ("ghp_madeup", "***"),
            ("-tghp_madeup", "***"),
            ("--token=glpat-madeup", "***"),
            ("--token=madeup", "--token=***"),
            ("password=madeup", "password=***"),
            ("http://u:pw@a.b", "***"),
            ("u:pw@a.b", "***"),
            ("a\x1b[2Jb", r"a\x1b[2Jb"),
            ("a\u{202e}b", r"a\u{202e}b"),
        ] {
            assert_eq!(shown(word), expected, "{word:?}");
        }
    }

    #[test]
    fn a_request_begins_with_a_key_of_the_protocol() {
        for line in [
            "protocol=https",
            "capability[]=authtype",
            "url=",
            "wwwauth[]=a=b",
        ] {
            assert!(is_attribute(line.as_bytes()), "{line}");
        }
        for line in [
            "",
            "protocol",
            "protocols=https",
            "=x",
            "hello world",
            " host=x",
            "GH_TOKEN=x",
        ] {
            assert!(!is_attribute(line.as_bytes()), "{line}");
        }
    }
}
