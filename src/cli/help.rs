//! `help`: prints the text of `--help`.

use std::process::ExitCode;

use super::streams::Streams;
use super::{CommandLine, usage};
use clap::Parser;

/// Print the help of the program or of a command
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// A command, such as login or cache status
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
}

pub(super) fn run(arguments: &Arguments, streams: &mut Streams) -> ExitCode {
    let mut line = vec!["git-credential-pat"];
    line.extend(arguments.command.iter().map(String::as_str));
    line.push("--help");
    match CommandLine::try_parse_from(line) {
        Ok(_) => ExitCode::SUCCESS,
        Err(mut error) => usage::report(streams, &mut error),
    }
}
