//! `completions`: for the shell.

use std::process::ExitCode;

use clap_complete::{Shell, generate};

use super::streams::Streams;
use super::{Failure, command_line, ui};

/// Print the completions for a shell
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Which shell
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments, streams: &mut Streams) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    generate(
        arguments.shell,
        &mut command_line(),
        "git-credential-pat",
        &mut script,
    );
    ui::print(streams, &String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}
