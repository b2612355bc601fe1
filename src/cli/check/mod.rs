//! `check`: asks the forges about the stored tokens, and prints their states.

mod notification;
mod report;

use self::notification::notify;
use self::report::{LAYOUT, json, row};
use super::exit_code::ExitCode;
use super::failure::{CliResult, Failure, nothing_stored};
use super::messages::{token_of, unused};
use super::progress::ProgressLine;
use super::streams::Streams;
use super::{open, ui};
use crate::config::Flags;
use crate::forge::TokenVerdict;
use crate::git::remotes;
use crate::helper::lookup::request::Asked;
use crate::helper::lookup::{Lookup, Report};
use crate::helper::token_state::{TokenState, UNKNOWN};
use crate::tasks::target;
use crate::terminal::escape;
use crate::time;

/// Ask the forges whether the stored tokens work, when they expire and what they may do
#[derive(clap::Args)]
#[command(
    after_help = "Exit status: 0 all is well, 3 a token expires soon, 4 a token has expired or was rejected, 5 unknown: a forge or \
    a storage could not tell. If several apply, 4 comes before 3, and 3 before 5."
)]
pub(super) struct Arguments {
    /// A URL such as https://github.com or https://octocat@github.com, or of a repository; by default every stored token
    url: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Show a desktop notification too, for each token that expires soon, has expired or was rejected; once a day
    #[arg(long)]
    notify: bool,
}

pub(super) fn run(arguments: &Arguments, flags: Flags, streams: &mut Streams) -> CliResult {
    let wanted = arguments.url.as_deref().map(target::parse).transpose()?;
    let repositories = remotes::repositories(wanted.as_ref());
    let (settings, helper) = match open(flags, wanted.as_ref()) {
        Err(failure @ Failure::GitsFlags { .. }) => {
            ui::error(streams, &failure, failure.hint());
            return Ok(ExitCode::from(UNKNOWN));
        }
        opened => opened?,
    };
    let wanted = wanted
        .map(|wanted| target::stored(&settings.accounts, &helper, wanted))
        .transpose()?;
    let now = time::now();
    let mut progress = ProgressLine::of("asking about token", streams);
    let outcome = Lookup(&helper).check(
        wanted.as_ref(),
        &repositories,
        &mut |at, of| progress.comes_to(at, of),
        now,
    )?;
    drop(progress);
    ui::notices(streams, &outcome.notices, now.unix);
    let is_whole = outcome.is_whole();
    let reports = outcome.value;
    if reports.is_empty() && !is_whole {
        let failure = ui::nothing_known(streams, arguments.json)?;
        ui::error(streams, &failure, failure.hint());
        return Ok(ExitCode::from(UNKNOWN));
    }
    if let (true, Some(wanted)) = (reports.is_empty(), &wanted) {
        return Err(nothing_stored(wanted));
    }
    let state = |report| TokenState::of(report, settings.warn, now.unix);
    let states: Vec<(&Report, TokenState)> = reports
        .iter()
        .map(|report| (report, state(report)))
        .collect();
    let by_storages = if is_whole {
        TokenState::Good
    } else {
        TokenState::Unknown
    };
    let by_tokens = states.iter().map(|(_, state)| *state);
    let worst = by_tokens.fold(by_storages, TokenState::max);
    if arguments.json {
        let shown = states.iter();
        let shown = shown.map(|(report, state)| json(report, *state, now.unix));
        ui::print_json(streams, &shown.collect::<Vec<_>>())?;
    } else if reports.is_empty() {
        let places = helper.storages().places();
        ui::print(streams, &format!("nothing is kept in {places}\n"))?;
    } else {
        print(streams, &states, now.unix)?;
    }
    if arguments.notify {
        notify(streams, &helper, &states, now.unix);
    }
    Ok(ExitCode::from(worst.exit_code()))
}

fn print(streams: &mut Streams, states: &[(&Report, TokenState)], unix_now: u64) -> CliResult<()> {
    let rows = states.iter();
    let rows = rows.map(|(report, state)| row(report, *state, unix_now));
    ui::table(streams, &LAYOUT, &rows.collect::<Vec<_>>())?;
    let mut settings = Vec::new();
    for (report, _) in states {
        let url = escape::safe(&report.credential.key.url());
        if let Some(lack) = report.lack {
            ui::warn(streams, &format!("{url}: {lack}"), None);
        }
        if let Some(since) = report.unused_since {
            let token = token_of(&report.credential.key);
            ui::warn(streams, &format!("{token} is {}", unused(since)), None);
        }
        match &report.asked {
            Asked::Told(TokenVerdict::Blocked {
                authorize: Some(page),
                ..
            }) => {
                let what = format!("the token for {url} must be authorized for single sign-on");
                let hint = format!("open {} within the hour", escape::safe(page.as_bytes()));
                ui::warn(streams, &what, Some(&hint));
            }
            Asked::NoForge => {}
            asked => settings.extend(asked.setting_hint()),
        }
    }
    settings.sort();
    settings.dedup();
    for hint in settings {
        ui::warn(streams, "a setting prevents look-ups", Some(&hint));
    }
    Ok(())
}
