//! `check`: asks the forges now.

use std::process::ExitCode;

use serde::Serialize;

use super::json::{name, text};
use super::progress::Progress;
use super::streams::Streams;
use super::{Failure, described, meant, nothing_kept, nothing_known, open, ui};
use crate::config::{Flags, Warn};
use crate::credential::expiry::Expiry;
use crate::credential::token::TokenKind;
use crate::credential::username::Username;
use crate::forge::{ForgeExpiry, TokenVerdict};
use crate::git::remotes;
use crate::helper::lookup::Report;
use crate::helper::lookup::request::Asked;
use crate::terminal::escape;
use crate::time::{self, in_words};

/// Exit status if a forge or a storage gives no clear answer.
const UNKNOWN: u8 = 5;

/// Ask the forges now: when tokens end, what they may do, whether they are good
#[derive(clap::Args)]
// The text is shown to people as it stands.
#[allow(clippy::doc_markdown)]
#[command(
    after_help = "Exit status: 0 all is well, 3 a token expires soon, 4 one has expired or was rejected, 5 unknown: a forge or \
    a storage could not tell. Of several, 4 comes before 3, and 3 before 5."
)]
pub(super) struct Arguments {
    /// Such as https://github.com or https://octocat@github.com, or of a repository; without it: everything that is kept
    url: Option<String>,
    /// For machines
    #[arg(long)]
    json: bool,
}

/// The state of a token, the worst last: a certain state comes after an uncertain one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    /// It expires later than soon, or never.
    Good,
    /// The forge cannot be asked, and no expiry is known.
    Unknown,
    /// The forge limits requests for now.
    Limited,
    /// The forge did not answer, or its answer says nothing about the token.
    Failed,
    /// The token is good, but the forge blocks its account or address.
    Blocked,
    ExpiresSoon,
    Ended,
    Rejected,
    Revoked,
}

impl State {
    fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Unknown | Self::Limited | Self::Failed | Self::Blocked => UNKNOWN,
            Self::ExpiresSoon => 3,
            Self::Ended | Self::Rejected | Self::Revoked => 4,
        }
    }
}

#[derive(Serialize)]
struct Shown {
    url: String,
    username: Option<String>,
    storages: Vec<String>,
    forge: Option<&'static str>,
    kind: Option<&'static str>,
    state: State,
    says: String,
    ends: Option<String>,
    ends_unix: Option<u64>,
    ends_from: Option<&'static str>,
    scopes: Option<Vec<String>>,
    missing_scope: Option<&'static str>,
    authorize: Option<String>,
}

pub(super) fn run(
    arguments: &Arguments,
    flags: Flags,
    streams: &mut Streams,
) -> Result<ExitCode, Failure> {
    let wanted = arguments.url.as_deref().map(described).transpose()?;
    let repositories = remotes::repositories(wanted.as_ref());
    let (settings, helper) = open(flags, wanted.as_ref())?;
    let meant = |wanted| meant(&settings, &helper, wanted);
    let wanted = wanted.map(meant).transpose()?;
    let now = time::now();
    let mut progress = Progress::of("asking about token", streams);
    let outcome = helper.check(
        wanted.as_ref(),
        &repositories,
        &mut |at, of| progress.comes_to(at, of),
        now,
    );
    drop(progress);
    let outcome = outcome?;
    ui::notices(streams, &outcome.notices, now.unix);
    let is_whole = outcome.is_whole();
    let reports = outcome.value;
    if reports.is_empty() && !is_whole {
        let failure = nothing_known();
        ui::error(streams, &failure, failure.hint());
        return Ok(ExitCode::from(UNKNOWN));
    }
    if let (true, Some(wanted)) = (reports.is_empty(), &wanted) {
        return Err(nothing_kept(wanted));
    }
    let state = |report: &Report| state(report, settings.warn, now.unix);
    if arguments.json {
        let shown: Vec<Shown> = reports
            .iter()
            .map(|report| shown(report, state(report), now.unix))
            .collect();
        let json = serde_json::to_string_pretty(&shown).map_err(std::io::Error::from)?;
        ui::print(streams, &format!("{json}\n"))?;
    } else if reports.is_empty() {
        let text = format!("nothing is kept in {}\n", helper.places());
        ui::print(streams, &text)?;
    } else {
        let rows: Vec<Vec<String>> = reports
            .iter()
            .map(|report| row(report, state(report), now.unix))
            .collect();
        ui::table(streams, &["URL", "USER", "FORGE", "STATE", "SCOPES"], &rows)?;
        for report in &reports {
            advise(streams, report);
        }
        let mut hints: Vec<String> = reports.iter().filter_map(setting_hint).collect();
        hints.sort();
        hints.dedup();
        for hint in hints {
            ui::warn(
                streams,
                "a setting of git's keeps look-ups away",
                Some(&hint),
            );
        }
    }
    let mut worst = reports.iter().map(state).max().unwrap_or(State::Good);
    if !is_whole {
        worst = worst.max(State::Unknown);
    }
    Ok(ExitCode::from(worst.code()))
}

fn state(report: &Report, warn: Warn, unix_now: u64) -> State {
    let end = report.end.map(|(end, _)| end);
    let by_date = match end {
        None => State::Unknown,
        Some(end) if end.is_past(unix_now) => State::Ended,
        Some(end) if end.left(unix_now) <= warn.before.as_secs() => State::ExpiresSoon,
        Some(_) => State::Good,
    };
    match &report.asked {
        Asked::Told(TokenVerdict::Good(_)) if by_date == State::Unknown => State::Good,
        Asked::Told(TokenVerdict::Good(_))
        | Asked::CannotTell
        | Asked::NoForge
        | Asked::NotHttps => by_date,
        Asked::Told(TokenVerdict::Ended) => State::Ended,
        Asked::Told(TokenVerdict::Revoked) => State::Revoked,
        // The forge does not say why; a date that has passed does.
        Asked::Told(TokenVerdict::Rejected | TokenVerdict::Blocked { .. })
            if by_date == State::Ended =>
        {
            State::Ended
        }
        Asked::Told(TokenVerdict::Rejected) => State::Rejected,
        Asked::Told(TokenVerdict::Blocked { .. }) => State::Blocked,
        Asked::Told(TokenVerdict::Limited { .. }) => by_date.max(State::Limited),
        Asked::Told(TokenVerdict::Unclear { .. }) | Asked::Failed(_) | Asked::NotThere(_) => {
            by_date.max(State::Failed)
        }
    }
}

/// In one line, for people.
fn says(report: &Report, state: State, unix_now: u64) -> String {
    let forge = || {
        report
            .forge
            .map_or_else(|| "the forge".to_owned(), |forge| forge.to_string())
    };
    let date = match report.end {
        None => String::new(),
        Some((end, _)) if end.is_past(unix_now) => format!("ended {}", end.day()),
        Some((end, _)) => format!("ends in {} ({})", in_words(end.left(unix_now)), end.day()),
    };
    let and_date = |text: String| {
        if date.is_empty() {
            text
        } else {
            format!("{text}; {date}")
        }
    };
    match &report.asked {
        Asked::Told(TokenVerdict::Good(found)) if date.is_empty() => {
            let end = match found.end {
                ForgeExpiry::Never => "never expires",
                ForgeExpiry::Unknown | ForgeExpiry::At(_) => "expiry unknown",
            };
            format!("good, {end}")
        }
        Asked::Told(TokenVerdict::Ended) => format!("ended, says {}", forge()),
        Asked::Told(TokenVerdict::Revoked) => format!("revoked, says {}", forge()),
        Asked::Told(TokenVerdict::Rejected) if state != State::Ended => {
            format!("rejected by {}", forge())
        }
        Asked::Told(TokenVerdict::Blocked { words, .. }) => {
            let words = words.as_ref().map(|words| format!(": {words}"));
            let words = words.unwrap_or_default();
            and_date(format!("blocked by {}{words}", forge()))
        }
        Asked::Told(TokenVerdict::Limited { status, wait }) => {
            let wait = wait.map(|wait| format!(", try again in {}", in_words(wait)));
            let wait = wait.unwrap_or_default();
            and_date(format!(
                "unknown: {} limits requests ({status}){wait}",
                forge()
            ))
        }
        Asked::Told(TokenVerdict::Unclear { status }) => {
            and_date(format!("unclear: {} answered {status}", forge()))
        }
        Asked::Failed(error) => and_date(ui::with_causes(error)),
        Asked::CannotTell if date.is_empty() => format!("unknown: {} cannot tell", forge()),
        Asked::NotThere(kind) => and_date(format!("unknown: {kind} is elsewhere at this host")),
        Asked::NoForge if date.is_empty() => "unknown: no forge that we know".to_owned(),
        Asked::NotHttps if date.is_empty() => "unknown: not over HTTPS".to_owned(),
        Asked::Told(TokenVerdict::Good(_) | TokenVerdict::Rejected)
        | Asked::CannotTell
        | Asked::NoForge
        | Asked::NotHttps => date,
    }
}

fn advise(streams: &mut Streams, report: &Report) {
    let url = escape::safe(&report.key.url());
    if let Some(lack) = report.lack {
        let what = format!(
            "the token for {url} lacks the scope '{}': {}",
            lack.scope, lack.consequence
        );
        ui::warn(streams, &what, None);
    }
    if let Asked::NotThere(kind) = report.asked {
        let what = format!(
            "{kind} does not answer at the root of this host: the token for {url} was not sent"
        );
        let hint = format!(
            "name its URL in config.toml: [[host]] url = \"https://HOST/PATH\", forge = \"{}\"",
            kind.word()
        );
        ui::warn(streams, &what, Some(&hint));
    }
    if let Asked::Told(TokenVerdict::Blocked {
        authorize: Some(page),
        ..
    }) = &report.asked
    {
        let what = format!("the token for {url} must be authorized for single sign-on");
        let hint = format!("open {} within the hour", escape::safe(page.as_bytes()));
        ui::warn(streams, &what, Some(&hint));
    }
}

/// How to find the setting that kept the forge from being asked.
fn setting_hint(report: &Report) -> Option<String> {
    match &report.asked {
        Asked::Failed(error) => error.setting_hint(),
        _ => None,
    }
}

fn row(report: &Report, state: State, unix_now: u64) -> Vec<String> {
    let user = report.key.username.as_ref();
    let forge = match (report.forge, report.token) {
        (None, _) => "-".to_owned(),
        (Some(forge), None) => forge.to_string(),
        (Some(forge), Some(token)) => format!("{forge} ({})", token.word()),
    };
    vec![
        escape::safe(&report.key.url()),
        user.map_or_else(|| "-".to_owned(), Username::shown),
        forge,
        says(report, state, unix_now),
        report
            .scopes
            .as_ref()
            .map_or_else(String::new, |scopes| scopes.join(" ")),
    ]
}

fn shown(report: &Report, state: State, unix_now: u64) -> Shown {
    let authorize = match &report.asked {
        Asked::Told(TokenVerdict::Blocked { authorize, .. }) => authorize.clone(),
        _ => None,
    };
    let end = report.end.map(|(end, _)| end);
    Shown {
        url: text(&report.key.url()),
        username: report.key.username.as_ref().map(name),
        storages: report.kinds.iter().map(ToString::to_string).collect(),
        forge: report.forge.map(crate::forge::ForgeKind::word),
        kind: report.token.map(TokenKind::word),
        state,
        says: says(report, state, unix_now),
        ends: end.and_then(Expiry::rfc3339),
        ends_unix: end.map(Expiry::unix),
        ends_from: report.end.map(|(_, source)| source.word()),
        scopes: report.scopes.clone(),
        missing_scope: report.lack.map(|lack| lack.scope),
        authorize,
    }
}
