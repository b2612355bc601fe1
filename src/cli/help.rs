//! `help`: prints the text of `--help`.

use clap::{CommandFactory, Parser};

use super::exit_code::ExitCode;
use super::streams::Streams;
use super::usage::{self, MISUSE};
use super::{CommandLine, ui};

/// Print the help of the program or of a command
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// A command, such as login or cache status
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
}

pub(super) fn run(arguments: &Arguments, streams: &mut Streams) -> ExitCode {
    let program = CommandLine::command();
    let mut command = &program;
    for word in &arguments.command {
        let Some(known) = command.find_subcommand(word) else {
            // clap names the nearest command; a command without commands takes the word as its argument.
            if command.has_subcommands() {
                break;
            }
            let name = command.get_name();
            let what = format!("{name} has no command '{}'", usage::shown(word));
            let hint = format!("'git credential-pat help {name}' prints its help");
            ui::complain(streams, &what, Some(&hint));
            return ExitCode::from(MISUSE);
        };
        command = known;
    }
    let mut line = vec!["git-credential-pat"];
    line.extend(arguments.command.iter().map(String::as_str));
    line.push("--help");
    match CommandLine::try_parse_from(line) {
        Ok(_) => ExitCode::SUCCESS,
        Err(mut error) => usage::report(streams, &mut error, &[]),
    }
}
