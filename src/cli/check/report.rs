//! A report about a token: its row in the table, and its JSON.

use serde::Serialize;

use super::super::json::{moment, name, text};
use super::super::messages::invalid_state;
use super::super::table::Layout;
use super::super::table::cell::{Cell, Tone};
use crate::credential::expiry::Expiry;
use crate::credential::token::TokenKind;
use crate::credential::username::Username;
use crate::forge::{ForgeExpiry, ForgeKind, TokenVerdict};
use crate::helper::lookup::Report;
use crate::helper::lookup::request::Asked;
use crate::helper::token_state::TokenState;
use crate::terminal::escape;
use crate::time::in_words;

pub(super) const LAYOUT: Layout = Layout {
    headings: &["URL", "USER", "FORGE", "STATE", "SCOPES"],
    steps: &[
        ("SCOPES", 12),
        ("SCOPES", 0),
        ("STATE", 36),
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
pub(super) struct ReportJson {
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
    unused: bool,
    missing_scope: Option<&'static str>,
    authorize: Option<String>,
}

/// The state in one line, the expiry first if it is known.
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
    // Where the forge could not tell, the journal may know that the token does not work.
    let is_told = matches!(report.asked, Asked::Told(TokenVerdict::Blocked { .. }));
    let stored = invalid_state(state, &report.known).filter(|_| !is_told);
    let date = stored.map(str::to_owned).or(date);
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
            Some(date) => format!("{date}; {unclear}"),
            None => unclear,
        },
    }
}

pub(super) fn row(report: &Report, state: TokenState, unix_now: u64) -> Vec<Cell> {
    let user = report.credential.key.username.as_ref();
    let forge = match (report.forge, report.token) {
        (None, _) => String::new(),
        (Some(forge), None) => forge.to_string(),
        (Some(forge), Some(token)) => format!("{forge} {}", token.word()),
    };
    let scopes = report.known.scopes.as_ref().map(|scopes| scopes.join(" "));
    vec![
        Cell::url(escape::safe(&report.credential.key.url())),
        user.map_or_else(|| "-".to_owned(), Username::shown).into(),
        forge.into(),
        Cell::toned(says(report, state, unix_now), Tone::of(state)).wrapped(),
        scopes.unwrap_or_default().into(),
    ]
}

pub(super) fn json(report: &Report, state: TokenState, unix_now: u64) -> ReportJson {
    let authorize = match &report.asked {
        Asked::Told(TokenVerdict::Blocked { authorize, .. }) => authorize.clone(),
        _ => None,
    };
    let expiry = report.end.map(|(expiry, _)| expiry);
    ReportJson {
        url: text(&report.credential.key.url()),
        username: report.credential.key.username.as_ref().map(name),
        storages: report.kinds.iter().map(ToString::to_string).collect(),
        forge: report.forge.map(ForgeKind::word),
        kind: report.token.map(TokenKind::word),
        state,
        says: says(report, state, unix_now),
        expires_at: expiry.and_then(Expiry::rfc3339),
        expires_at_unix: expiry.map(Expiry::unix),
        expires_from: report.end.map(|(_, source)| source.word()),
        scopes: report.known.scopes.clone(),
        last_used: moment(report.known.used),
        unused: report.unused_since.is_some(),
        missing_scope: report.lack.map(|lack| lack.scope),
        authorize,
    }
}
