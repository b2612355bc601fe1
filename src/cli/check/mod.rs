//! `check`: asks the forges about the stored tokens, and prints their states.

mod notification;

use std::process::ExitCode;

use serde::Serialize;

use self::notification::notify;
use super::failure::{CliResult, nothing_stored};
use super::json::{moment, name, text};
use super::messages::{token_of, unused};
use super::progress::ProgressLine;
use super::streams::Streams;
use super::table::{Cell, Layout, Tone};
use super::{open, ui};
use crate::config::Flags;
use crate::credential::expiry::Expiry;
use crate::credential::token::TokenKind;
use crate::credential::username::Username;
use crate::forge::{ForgeExpiry, TokenVerdict};
use crate::git::remotes;
use crate::helper::lookup::request::Asked;
use crate::helper::lookup::{Lookup, Report};
use crate::helper::token_state::{TokenState, UNKNOWN};
use crate::tasks::target;
use crate::terminal::escape;
use crate::time::{self, in_words};

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

const LAYOUT: Layout = Layout {
    headings: &["URL", "USER", "FORGE", "STATE", "SCOPES"],
    steps: &[
        ("SCOPES", 12),
        ("SCOPES", 0),
        ("URL", 36),
        ("FORGE", 12),
        ("FORGE", 0),
        ("USER", 16),
        ("URL", 24),
        ("STATE", 24),
        ("USER", 8),
        ("URL", 16),
    ],
};

#[derive(Serialize)]
struct ReportJson {
    url: String,
    username: Option<String>,
    storages: Vec<String>,
    forge: Option<&'static str>,
    kind: Option<&'static str>,
    state: TokenState,
    says: String,
    expires_at: Option<String>,
    expires_at_unix: Option<u64>,
    expires_from: Option<&'static str>,
    scopes: Option<Vec<String>>,
    last_used: Option<String>,
    missing_scope: Option<&'static str>,
    authorize: Option<String>,
}

pub(super) fn run(arguments: &Arguments, flags: Flags, streams: &mut Streams) -> CliResult {
    let wanted = arguments.url.as_deref().map(target::parse).transpose()?;
    let repositories = remotes::repositories(wanted.as_ref());
    let (settings, helper) = open(flags, wanted.as_ref())?;
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

/// The state in one line, with the expiry if it is known.
fn says(report: &Report, state: TokenState, unix_now: u64) -> String {
    let forge = report
        .forge
        .map_or_else(|| "the forge".to_owned(), |forge| forge.to_string());
    let date = report.end.map(|(expiry, _)| {
        let (day, left) = (expiry.day(), in_words(expiry.left(unix_now)));
        if expiry.is_past(unix_now) {
            format!("expired {day}")
        } else {
            format!("expires in {left} ({day})")
        }
    });
    let unclear = report.asked.unclear(&forge).unwrap_or_default();
    match &report.asked {
        Asked::Told(TokenVerdict::Good(found)) => date.unwrap_or_else(|| match found.end {
            ForgeExpiry::Never => "good, never expires".to_owned(),
            ForgeExpiry::Unknown | ForgeExpiry::At(_) => "good, expiry unknown".to_owned(),
        }),
        Asked::Told(TokenVerdict::Ended) => format!("expired, says {forge}"),
        Asked::Told(TokenVerdict::Revoked) => format!("revoked, says {forge}"),
        Asked::Told(TokenVerdict::Rejected) if state == TokenState::Expired => {
            date.unwrap_or_default()
        }
        Asked::Told(TokenVerdict::Rejected) => format!("rejected by {forge}"),
        Asked::CannotTell | Asked::NoForge | Asked::NotHttps => {
            date.unwrap_or_else(|| format!("unknown: {unclear}"))
        }
        _ => match date {
            Some(date) => format!("{unclear}; {date}"),
            None => unclear,
        },
    }
}

fn row(report: &Report, state: TokenState, unix_now: u64) -> Vec<Cell> {
    let user = report.credential.key.username.as_ref();
    let forge = match (report.forge, report.token) {
        (None, _) => String::new(),
        (Some(forge), None) => forge.to_string(),
        (Some(forge), Some(token)) => format!("{forge} ({})", token.word()),
    };
    let scopes = report.scopes.as_ref().map(|scopes| scopes.join(" "));
    vec![
        Cell::url(escape::safe(&report.credential.key.url())),
        user.map_or_else(|| "-".to_owned(), Username::shown).into(),
        forge.into(),
        Cell::toned(says(report, state, unix_now), Tone::of(state)),
        scopes.unwrap_or_default().into(),
    ]
}

fn json(report: &Report, state: TokenState, unix_now: u64) -> ReportJson {
    let authorize = match &report.asked {
        Asked::Told(TokenVerdict::Blocked { authorize, .. }) => authorize.clone(),
        _ => None,
    };
    let expiry = report.end.map(|(expiry, _)| expiry);
    ReportJson {
        url: text(&report.credential.key.url()),
        username: report.credential.key.username.as_ref().map(name),
        storages: report.kinds.iter().map(ToString::to_string).collect(),
        forge: report.forge.map(crate::forge::ForgeKind::word),
        kind: report.token.map(TokenKind::word),
        state,
        says: says(report, state, unix_now),
        expires_at: expiry.and_then(Expiry::rfc3339),
        expires_at_unix: expiry.map(Expiry::unix),
        expires_from: report.end.map(|(_, source)| source.word()),
        scopes: report.scopes.clone(),
        last_used: moment(report.last_used),
        missing_scope: report.lack.map(|lack| lack.scope),
        authorize,
    }
}
