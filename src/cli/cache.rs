//! `cache`: the memory daemon, looked at and ended.

use std::process::ExitCode;

use clap::Subcommand;
use serde::Serialize;

use super::streams::Streams;
use super::{Failure, settings, ui};
use crate::config::{Flags, Settings};
use crate::daemon::message::Status;
use crate::helper::open;
use crate::terminal::escape;
use crate::time::in_words;

/// Look at the memory daemon, or end it
#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Show whether it runs and what it keeps
    Status {
        /// For machines
        #[arg(long)]
        json: bool,
    },
    /// Have it forget everything
    Clear,
    /// Have it forget everything and leave
    Stop,
}

#[derive(Serialize)]
struct Shown {
    running: bool,
    socket: String,
    process: Option<u64>,
    entries: u64,
    age_seconds: Option<u64>,
    secret_memory_bytes: Option<u64>,
    secret_memory_locked_bytes: Option<u64>,
}

pub(super) fn run(
    arguments: &Arguments,
    flags: Flags,
    streams: &mut Streams,
) -> Result<ExitCode, Failure> {
    let settings = settings(flags, None)?;
    let cache = open::cache(&settings);
    let text = match arguments.action {
        Action::Status { json: true } => {
            let shown = shown(&settings, cache.status()?);
            format!(
                "{}\n",
                serde_json::to_string_pretty(&shown).map_err(std::io::Error::from)?
            )
        }
        Action::Status { json: false } => match cache.status()? {
            None => "no daemon is running\n".to_owned(),
            Some(status) => in_lines(&settings, status),
        },
        Action::Clear => match cache.clear()? {
            None => "no daemon is running: nothing to forget\n".to_owned(),
            Some(1) => "forgot 1 credential\n".to_owned(),
            Some(count) => format!("forgot {count} credentials\n"),
        },
        Action::Stop if cache.stop()? => "the daemon has left\n".to_owned(),
        Action::Stop => "no daemon is running\n".to_owned(),
    };
    ui::print(streams, &text)?;
    Ok(ExitCode::SUCCESS)
}

fn shown(settings: &Settings, status: Option<Status>) -> Shown {
    Shown {
        running: status.is_some(),
        socket: settings.socket.to_string_lossy().into_owned(),
        process: status.map(|status| status.process),
        entries: status.map_or(0, |status| status.entries),
        age_seconds: status.map(|status| status.age),
        secret_memory_bytes: status.map(|status| status.mapped),
        secret_memory_locked_bytes: status.map(|status| status.locked),
    }
}

fn in_lines(settings: &Settings, status: Status) -> String {
    let Status {
        process,
        entries,
        age,
        mapped,
        locked,
    } = status;
    let plural = if entries == 1 {
        "credential"
    } else {
        "credentials"
    };
    let swap = if locked == mapped {
        "none of it can be swapped out"
    } else {
        "some of it can be swapped out"
    };
    format!(
        "running for {} as process {process}, keeping {entries} {plural}\nsocket: {}\nmemory for secrets: {} KiB, {swap}\n",
        in_words(age),
        escape::safe(settings.socket.as_os_str().as_encoded_bytes()),
        mapped / 1024,
    )
}
