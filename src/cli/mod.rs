//! The command line: git's operations first, then everything for people.

// clap prints doc comments as they are, and each switch of a command is a `bool`.
#![allow(clippy::doc_markdown, clippy::struct_excessive_bools)]

mod account;
mod background;
mod cache;
mod check;
mod clean;
mod completions;
mod doctor;
mod exit;
mod exit_code;
mod expires;
mod failure;
mod guide;
mod help;
mod import;
mod json;
mod list;
mod login;
mod logout;
mod messages;
mod opening;
mod operation;
mod page;
mod progress;
mod rotate;
mod rule;
mod setup;
mod status;
pub(crate) mod streams;
mod table;
mod token;
mod tracing;
pub(crate) mod ui;
mod usage;
mod wrap;

use std::ffi::{OsStr, OsString};
use std::panic::{self, AssertUnwindSafe};

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use self::exit::{finish, status_of};
use self::exit_code::ExitCode;
use self::opening::{begin, open, open_anyway, settings, settings_anyway};
use self::streams::Streams;
use crate::config::choice::Choice;
use crate::config::{Flags, Verbosity};
use crate::daemon::{message, server};
use crate::platform;
use crate::protocol::Operation;
use crate::tasks::calls::{GitsCall, gits_call};

/// Keeps personal access tokens for git: in memory for a while, in the system's keychain, or (only if you choose it) in a
/// plaintext file. Warns you before a token expires.
#[derive(Parser)]
#[command(
    name = "git-credential-pat",
    version,
    propagate_version = true,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = "Set it up with 'git-credential-pat setup'. git then calls get, store and erase \
    (gitcredentials(7)). In git's configuration, options go before the operation.\n\n\
    The manual page is git-credential-pat(1). docs/ in the source has the manual and guides: two accounts on one host, \
    servers and containers, other helpers, scripts."
)]
struct CommandLine {
    #[command(flatten)]
    verbosity: Verbosity,
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Setup(setup::Arguments),
    Login(login::Arguments),
    Status(status::Arguments),
    List(list::Arguments),
    Check(check::Arguments),
    Token(token::Arguments),
    Doctor(doctor::Arguments),
    Expires(expires::Arguments),
    Rotate(rotate::Arguments),
    Logout(logout::Arguments),
    Account(account::Arguments),
    Import(import::arguments::Arguments),
    Clean(clean::Arguments),
    Cache(cache::Arguments),
    Completions(completions::Arguments),
    Help(help::Arguments),
    /// For git: print the credential for the query on standard input
    Get,
    /// For git: save the credential on standard input, which the server accepted
    Store,
    /// For git: remove the credential on standard input, which the server rejected
    Erase,
    /// For git: print the capabilities of this helper
    Capability,
}

/// Runs the program with its arguments, its name left out, and with the process's streams. Returns the exit status.
pub fn run(arguments: &[OsString]) -> i32 {
    ui::announce_panics();
    platform::begin();
    let result = panic::catch_unwind(AssertUnwindSafe(|| run_process(arguments)));
    result.unwrap_or(ExitCode::FAILURE).into()
}

fn run_process(arguments: &[OsString]) -> ExitCode {
    if let [word, options @ .., socket] = arguments
        && word == message::COMMAND
        && (options.is_empty() || options == [message::KEEP_SOCKET])
    {
        return serve(socket, !options.is_empty());
    }
    if let Some(code) = background::answer(arguments) {
        return code;
    }
    let last = arguments.last().map(|word| word.as_encoded_bytes());
    let is_for_git = last.and_then(Operation::from_word).is_some();
    let mut streams = Streams::of_process(is_for_git);
    let completed = completions::answer(arguments, &mut streams);
    completed.unwrap_or_else(|| run_with(arguments, &mut streams))
}

/// Runs the daemon. Not inlined, as [`run_for_people`].
#[inline(never)]
fn serve(socket: &OsStr, is_kept: bool) -> ExitCode {
    match server::run(socket.as_ref(), is_kept) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => ui::last_words("cannot keep tokens in memory", &error),
    }
}

/// Runs the program with other streams.
fn run_with(arguments: &[OsString], streams: &mut Streams) -> ExitCode {
    if let Some(GitsCall {
        flags,
        verbosity,
        word,
    }) = gits_call(arguments)
    {
        if let Some(operation) = Operation::from_word(word.as_encoded_bytes()) {
            begin(verbosity, &flags, || word.to_string_lossy().into(), streams);
            let result = operation::run(operation, flags, streams);
            return finish(result, streams);
        }
        if usage::is_unknown(&word) && usage::is_called_by_git(streams) {
            return ExitCode::SUCCESS;
        }
    }
    run_for_people(arguments, streams)
}

/// Carries out the command that `clap` reads. Not inlined: what it keeps on the stack would cost git's calls a page.
#[inline(never)]
fn run_for_people(arguments: &[OsString], streams: &mut Streams) -> ExitCode {
    let program = OsString::from("git-credential-pat");
    let line = std::iter::once(program).chain(arguments.iter().cloned());
    match parse(line) {
        Ok((line, name)) => {
            begin(line.verbosity, &line.flags, || name, streams);
            carry_out(line, streams)
        }
        Err(mut error) => usage::report(streams, &mut error, arguments),
    }
}

/// Parses a command line. Returns it with the name of its command.
fn parse(line: impl IntoIterator<Item = OsString>) -> Result<(CommandLine, String), clap::Error> {
    let mut command = CommandLine::command();
    let matches = command.try_get_matches_from_mut(line)?;
    let line = CommandLine::from_arg_matches(&matches);
    let line = line.map_err(|error| error.format(&mut command))?;
    // clap does not see the conflict if the two stand on both sides of the command's name.
    if line.verbosity.verbose && line.verbosity.quiet {
        let what = "the argument '--verbose' cannot be used with '--quiet'";
        return Err(command.error(ErrorKind::ArgumentConflict, what));
    }
    let name = matches.subcommand_name().unwrap_or_default().to_owned();
    Ok((line, name))
}

fn carry_out(line: CommandLine, streams: &mut Streams) -> ExitCode {
    let CommandLine { flags, command, .. } = line;
    if flags.storage == Some(Choice::All) && !matches!(command, Command::List(_)) {
        let hint = "name the storages: auto, or a list of memory, keychain and file";
        ui::complain(streams, "only 'list' takes '--storage all'", Some(hint));
        return ExitCode::from(usage::MISUSE);
    }
    let result = match command {
        Command::Get => operation::run(Operation::Get, flags, streams),
        Command::Store => operation::run(Operation::Store, flags, streams),
        Command::Erase => operation::run(Operation::Erase, flags, streams),
        Command::Capability => operation::run(Operation::Capability, flags, streams),
        Command::Setup(arguments) => setup::run(&arguments, &flags, streams),
        Command::Login(arguments) => login::run(&arguments, &flags, streams),
        Command::Status(arguments) => status::run(&arguments, flags, streams),
        Command::List(arguments) => list::run(&arguments, flags, streams),
        Command::Token(arguments) => token::run(&arguments, flags, streams),
        Command::Check(arguments) => check::run(&arguments, flags, streams),
        Command::Doctor(arguments) => doctor::run(&arguments, flags, streams),
        Command::Expires(arguments) => expires::run(&arguments, flags, streams),
        Command::Rotate(arguments) => rotate::run(&arguments, flags, streams),
        Command::Logout(arguments) => logout::run(&arguments, flags, streams),
        Command::Account(arguments) => account::run(&arguments, flags, streams),
        Command::Import(arguments) => import::run(&arguments, &flags, streams),
        Command::Clean(arguments) => clean::run(&arguments, flags, streams),
        Command::Cache(arguments) => cache::run(&arguments, flags, streams),
        Command::Completions(arguments) => completions::run(&arguments, streams),
        Command::Help(arguments) => Ok(help::run(&arguments, streams)),
    };
    finish(result, streams)
}

/// The program's own description of its command line, for the manual page.
pub fn command_line() -> clap::Command {
    CommandLine::command()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::testing::DRIVE;
    use crate::storage::StorageKind;

    /// `/` begins an absolute path.
    fn words(line: &str) -> Vec<OsString> {
        let line = line.replace('/', &format!("{DRIVE}/"));
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn the_quick_reading_of_flags_agrees_with_the_slow_one() {
        for line in [
            "get",
            "--storage memory get",
            "--storage=memory,file --timeout=90 --max-age 8h store",
            "--file /f --socket=/s --config /c=d erase",
            "-v get",
            "--verbose --storage memory get",
            "--storage memory -q store",
            "--quiet erase",
        ] {
            let quick = gits_call(&words(line)).unwrap();
            let slow = CommandLine::try_parse_from(words(&format!("x {line}"))).unwrap();
            assert_eq!(quick.flags, slow.flags, "{line}");
            assert_eq!(quick.verbosity, slow.verbosity, "{line}");
            assert!(Operation::from_word(quick.word.as_encoded_bytes()).is_some());
            let again = [quick.flags.arguments(), vec![quick.word]].concat();
            assert_eq!(gits_call(&again).unwrap().flags, quick.flags, "{line}");
        }
    }

    #[test]
    fn every_flag_is_read_quickly() {
        let line = CommandLine::command();
        let flags = line
            .get_arguments()
            .filter_map(|argument| argument.get_long());
        for flag in flags.filter(|flag| !matches!(*flag, "help" | "version")) {
            let value = match flag {
                "timeout" | "max-age" => " 1",
                "storage" => " memory",
                "verbose" | "quiet" => "",
                _ => " /x",
            };
            let read = gits_call(&words(&format!("--{flag}{value} get"))).unwrap();
            let is_setting = !value.is_empty();
            assert_eq!(read.flags != Flags::default(), is_setting, "--{flag}");
            assert_ne!(
                read.verbosity != Verbosity::default(),
                is_setting,
                "--{flag}"
            );
        }
    }

    #[test]
    fn mistakes_are_left_to_clap() {
        for line in [
            "--timeout soon get",
            "--storage disk get",
            "--unknown 1 get",
            "--file relative get",
            "--timeout",
            "--timeout 1 --timeout 2 get",
            "-v -q get",
            "--quiet --verbose get",
            "-v -v get",
            "-v get -q",
        ] {
            assert!(
                gits_call(&words(line)).is_none_or(|call| call.word != "get"),
                "{line}"
            );
            assert!(parse(words(&format!("x {line}"))).is_err(), "{line}");
        }
        let call = gits_call(&words("--storage memory,file get")).unwrap();
        assert_eq!(
            call.flags.storage,
            Some(Choice::These(vec![StorageKind::Memory, StorageKind::File]))
        );
    }

    #[test]
    fn an_empty_username_is_an_error() {
        let line = ["x", "login", "one.test", "--username", ""];
        assert!(CommandLine::try_parse_from(line).is_err());
    }

    #[test]
    fn the_command_line_is_sound() {
        CommandLine::command().debug_assert();
    }
}
