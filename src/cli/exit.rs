//! The exit status of a command, and why the command failed.

use std::io;

use super::exit_code::ExitCode;
use super::failure::{CliResult, Failure};
use super::streams::Streams;
use super::ui;
use crate::terminal::{prompt, with_causes};
use crate::trace;

/// Prints why a command failed. A reader that closed its end has what it wanted.
pub(super) fn finish(result: CliResult, streams: &mut Streams) -> ExitCode {
    trace::tell("end", || match &result {
        Ok(ExitCode::SUCCESS) => "the command succeeded".to_owned(),
        Ok(code) => format!("exit status {}", i32::from(*code)),
        Err(failure) => format!("the command failed: {}", with_causes(failure)),
    });
    match result {
        Ok(code) => code,
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(Failure::Prompt(prompt::Error::Interrupted)) => {
            ui::complain(streams, "interrupted: nothing was changed", None);
            // As a shell reports a process that Ctrl-C ended.
            ExitCode::from(130)
        }
        Err(failure) => {
            ui::error(streams, &failure, failure.hint());
            ExitCode::FAILURE
        }
    }
}

/// The exit status: a failure if a storage could not be read.
pub(super) fn status_of(is_whole: bool) -> ExitCode {
    if is_whole {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
