//! `completions`: prints the completions for a shell, and answers its questions.
//!
//! The scripts for bash, zsh and fish hand the words of the command line to a hidden command of this program
//! ([`words::COMMAND`]), so that all three complete alike, and stored URLs too.

mod urls;
mod words;

use std::ffi::OsString;

use clap_complete::{Shell, generate};

use super::exit_code::ExitCode;
use super::failure::CliResult;
use super::streams::Streams;
use super::{command_line, ui};

const BASH: &str = include_str!("bash");
const ZSH: &str = include_str!("zsh");
const FISH: &str = include_str!("fish");

/// Print the completions for a shell
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The shell
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments, streams: &mut Streams) -> CliResult {
    let script = match arguments.shell {
        Shell::Bash => BASH.to_owned(),
        Shell::Zsh => ZSH.to_owned(),
        Shell::Fish => FISH.to_owned(),
        shell => {
            let mut script = Vec::new();
            generate(
                shell,
                &mut command_line(),
                "git-credential-pat",
                &mut script,
            );
            String::from_utf8_lossy(&script).into_owned()
        }
    };
    ui::print(streams, &script)?;
    Ok(ExitCode::SUCCESS)
}

/// Answers a shell, if `arguments` are its question.
pub(super) fn answer(arguments: &[OsString], streams: &mut Streams) -> Option<ExitCode> {
    let [command, words @ ..] = arguments else {
        return None;
    };
    if command != words::COMMAND {
        return None;
    }
    let words: Vec<String> = words
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let text = words::candidates(&words);
    // A closed pipe: the shell needs no more candidates.
    let _ = ui::print(streams, &text);
    Some(ExitCode::SUCCESS)
}
