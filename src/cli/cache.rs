//! `cache`: shows, clears and stops the memory daemon.

use clap::Subcommand;
use serde::Serialize;

use super::exit_code::ExitCode;
use super::failure::CliResult;
use super::messages::credentials;
use super::streams::Streams;
use super::{settings, ui};
use crate::config::{Flags, Settings};
use crate::daemon::message::Status;
use crate::helper::open;
use crate::terminal::escape;
use crate::time::in_words;

/// Show, clear or stop the memory daemon
#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Show whether the daemon runs and what it keeps
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make the daemon forget every credential
    Clear,
    /// Stop the daemon, which forgets every credential
    Stop,
}

#[derive(Serialize)]
struct DaemonJson {
    running: bool,
    socket: String,
    process: Option<u64>,
    entries: u64,
    age_seconds: Option<u64>,
    secret_memory_bytes: Option<u64>,
    secret_memory_locked_bytes: Option<u64>,
}

pub(super) fn run(arguments: &Arguments, flags: Flags, streams: &mut Streams) -> CliResult {
    let settings = settings(flags, None)?;
    let cache = open::memory(&settings);
    let text = match arguments.action {
        Action::Status { json: true } => {
            ui::print_json(streams, &shown(&settings, cache.status()?))?;
            return Ok(ExitCode::SUCCESS);
        }
        Action::Status { json: false } => {
            let text = match cache.status()? {
                None => "no daemon is running\n".to_owned(),
                Some(status) => in_lines(&settings, status),
            };
            ui::print(streams, &text)?;
            return Ok(ExitCode::SUCCESS);
        }
        Action::Clear => match cache.clear()? {
            None => "no daemon is running: nothing to forget\n".to_owned(),
            Some(count) => format!("forgot {}\n", credentials(count)),
        },
        Action::Stop if cache.stop()? => "stopped the daemon\n".to_owned(),
        Action::Stop => "no daemon is running\n".to_owned(),
    };
    ui::done(streams, &text)?;
    Ok(ExitCode::SUCCESS)
}

fn shown(settings: &Settings, status: Option<Status>) -> DaemonJson {
    DaemonJson {
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
    let entries = credentials(usize::try_from(entries).unwrap_or(usize::MAX));
    let swap = if locked == mapped {
        "none of it can be swapped out"
    } else {
        "some of it can be swapped out"
    };
    format!(
        "running for {} as process {process}, keeping {entries}\nsocket: {}\nmemory for secrets: {} KiB, {swap}\n",
        in_words(age),
        escape::safe(settings.socket.as_os_str().as_encoded_bytes()),
        mapped / 1024,
    )
}
