//! `logout`: what `erase` is for git, for people.

use std::process::ExitCode;

use super::streams::Streams;
use super::{Failure, described, nothing_known, open, status_of, ui};
use crate::config::Flags;
use crate::time;

/// Forget the credentials for a URL, wherever they are kept
#[derive(clap::Args)]
// The text is shown to people as it stands.
#[allow(clippy::doc_markdown)]
pub(super) struct Arguments {
    /// Such as https://github.com or https://octocat@github.com; without a user: everybody's
    url: String,
}

pub(super) fn run(
    arguments: &Arguments,
    flags: Flags,
    streams: &mut Streams,
) -> Result<ExitCode, Failure> {
    let unwanted = described(&arguments.url)?;
    let (_, helper) = open(flags, Some(&unwanted))?;
    let now = time::now();
    let outcome = helper.forget(&unwanted, now)?;
    ui::notices(streams, &outcome.notices, now.wall);
    let is_whole = outcome.is_whole();
    let text = match outcome.value {
        0 if !is_whole => return Err(nothing_known()),
        0 => "nothing is kept for this URL\n".to_owned(),
        1 => "forgot 1 credential\n".to_owned(),
        count => format!("forgot {count} credentials\n"),
    };
    ui::print(streams, &text)?;
    if !is_whole {
        let what = "more may be kept: not every storage could be asked";
        ui::complain(streams, what, None);
    }
    Ok(status_of(is_whole))
}
