//! `list`: everything that is kept, without a secret.

use std::collections::{HashMap, HashSet};
use std::process::ExitCode;

use serde::Serialize;

use super::json::{ShownKey, moment, text};
use super::streams::Streams;
use super::{Failure, nothing_known, open, status_of, table, ui};
use crate::config::{Flags, Warn};
use crate::credential::expiry::{Expiry, ExpirySource};
use crate::credential::key::Key;
use crate::credential::token::TokenKind;
use crate::credential::username::Username;
use crate::forge;
use crate::helper::precedence::answering;
use crate::journal::known::{Known, Outcome};
use crate::neighbour::configured::path_teller;
use crate::storage::{Listed, StorageKind};
use crate::terminal::escape;
use crate::time::{self, in_words};

/// List every credential, without secrets: where it is kept and when it ends
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// For machines
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    key: ShownKey,
    storage: String,
    plaintext: bool,
    authtype: Option<String>,
    renewable: bool,
    ends: Option<String>,
    ends_unix: Option<u64>,
    ends_from: Option<&'static str>,
    state: &'static str,
    forgotten: Option<String>,
    forge: Option<&'static str>,
    kind: Option<&'static str>,
    scopes: Option<Vec<String>>,
    looked_up: Option<String>,
    lookup: Option<&'static str>,
    answers: bool,
}

pub(super) fn run(
    arguments: &Arguments,
    flags: Flags,
    streams: &mut Streams,
) -> Result<ExitCode, Failure> {
    let (settings, helper) = open(flags, None)?;
    let outcome = helper.list()?;
    let unix_now = time::now().unix;
    let knowledge = helper.knowledge();
    let known = |listed: &Listed| {
        let mut known = knowledge.latest(&listed.key).cloned().unwrap_or_default();
        let issuer = helper.issuer(&listed.key, None);
        known.forge = known.forge.or(issuer.map(|issuer| issuer.forge.kind()));
        known
    };
    ui::notices(streams, &outcome.notices, unix_now);
    let is_whole = outcome.is_whole();
    if outcome.value.is_empty() && !is_whole {
        return Err(nothing_known());
    }
    let answers = answering(&outcome.value, &settings.accounts, unix_now, path_teller());
    let all = outcome.value.iter().zip(&answers);
    if arguments.json {
        let shown: Vec<Shown> = all
            .map(|((kind, listed), answers)| Shown {
                answers: *answers,
                ..shown(*kind, listed, known(listed), settings.warn, unix_now)
            })
            .collect();
        let json = serde_json::to_string_pretty(&shown).map_err(std::io::Error::from)?;
        ui::print(streams, &format!("{json}\n"))?;
    } else if outcome.value.is_empty() {
        let text = format!("nothing is kept in {}\n", helper.places());
        ui::print(streams, &text)?;
    } else {
        let mut by_host: HashMap<_, HashSet<&Key>> = HashMap::new();
        for (_, Listed { key, .. }) in &outcome.value {
            let host = (&key.protocol, &key.host);
            by_host.entry(host).or_default().insert(key);
        }
        let is_one_of_several = |key: &Key| by_host[&(&key.protocol, &key.host)].len() > 1;
        let rows: Vec<[String; 9]> = all
            .map(|((kind, listed), answers)| {
                let is_marked = *answers && is_one_of_several(&listed.key);
                row(*kind, listed, &known(listed), is_marked, unix_now)
            })
            .collect();
        // What nothing is known of takes no room.
        let heads = [
            "URL",
            "USER",
            "ANSWERS",
            "STORAGE",
            "TOKEN",
            "SCOPES",
            "ENDS",
            "SAYS",
            "TIME LEFT",
        ];
        let is_shown = |column: usize| {
            !["ANSWERS", "TOKEN", "SCOPES", "SAYS"].contains(&heads[column])
                || rows.iter().any(|row| !row[column].is_empty())
        };
        let columns: Vec<usize> = (0..heads.len())
            .filter(|column| is_shown(*column))
            .collect();
        let heads: Vec<&str> = columns.iter().map(|column| heads[*column]).collect();
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| columns.iter().map(|column| row[*column].clone()).collect())
            .collect();
        ui::table(streams, &heads, &rows)?;
    }
    Ok(status_of(is_whole))
}

fn row(
    kind: StorageKind,
    listed: &Listed,
    known: &Known,
    is_marked: bool,
    unix_now: u64,
) -> [String; 9] {
    let Listed {
        key,
        expiry,
        scheme,
        is_renewable,
        forgotten,
        written: _,
    } = listed;
    let mut user = key
        .username
        .as_ref()
        .map_or_else(|| "-".to_owned(), Username::shown);
    if let Some(scheme) = scheme {
        user = format!("{user} ({})", escape::safe(scheme));
    }
    let storage = match (kind, forgotten) {
        (StorageKind::File, _) => "file (plaintext)".to_owned(),
        (_, Some(at)) => format!(
            "{kind} (for {})",
            in_words(at.saturating_sub(unix_now).next_multiple_of(60))
        ),
        (_, None) => kind.to_string(),
    };
    let (ends, left) = match expiry {
        None => ("unknown".to_owned(), String::new()),
        Some(expiry) if expiry.is_past(unix_now) => {
            let renewable = if *is_renewable {
                ", can be renewed"
            } else {
                ""
            };
            (format!("ended {}{renewable}", expiry.day()), table::bar(0))
        }
        Some(expiry) => {
            let left = expiry.left(unix_now);
            (
                expiry.day(),
                format!("{} {}", table::bar(left), in_words(left)),
            )
        }
    };
    let left = match known.outcome {
        Some(Outcome::Ended) => "ended, says the forge".to_owned(),
        Some(Outcome::Revoked) => "revoked, says the forge".to_owned(),
        Some(Outcome::Rejected) => "not taken, says the forge".to_owned(),
        Some(Outcome::Blocked) => "blocked, says the forge".to_owned(),
        Some(
            Outcome::Good
            | Outcome::Limited
            | Outcome::Unclear
            | Outcome::Failed
            | Outcome::Pending,
        )
        | None => left,
    };
    let token = match (known.forge, known.token) {
        (Some(forge), Some(token)) => format!("{forge} {}", token.word()),
        (Some(forge), None) => forge.to_string(),
        (None, _) => String::new(),
    };
    let scopes = known.scopes.as_ref().map(|scopes| scopes.join(" "));
    let says = match expiry.map(|expiry| known.source_of(expiry)) {
        None | Some(ExpirySource::Unknown) => "",
        Some(ExpirySource::Git) => "git",
        Some(ExpirySource::Forge) => "the forge",
        Some(ExpirySource::Person) => "you",
        Some(ExpirySource::Lifetime) => "config.toml",
        Some(ExpirySource::Token) => "the token",
    };
    [
        escape::safe(&key.url()),
        user,
        if is_marked { "yes" } else { "" }.to_owned(),
        storage,
        token,
        escape::safe(scopes.unwrap_or_default().as_bytes()),
        ends,
        says.to_owned(),
        left,
    ]
}

fn shown(kind: StorageKind, listed: &Listed, known: Known, warn: Warn, unix_now: u64) -> Shown {
    let Listed {
        key,
        expiry,
        scheme,
        is_renewable,
        forgotten,
        written: _,
    } = listed;
    let ends_from = expiry.map(|expiry| known.source_of(expiry).word());
    Shown {
        key: key.into(),
        storage: kind.to_string(),
        plaintext: kind == StorageKind::File,
        authtype: scheme.as_deref().map(text),
        renewable: *is_renewable,
        ends: expiry.and_then(Expiry::rfc3339),
        ends_unix: expiry.map(Expiry::unix),
        ends_from,
        state: match expiry {
            None => "unknown",
            Some(expiry) if expiry.is_past(unix_now) => "ended",
            Some(expiry) if expiry.left(unix_now) <= warn.before.as_secs() => "expires-soon",
            Some(_) => "good",
        },
        forgotten: moment(*forgotten),
        forge: known.forge.map(forge::ForgeKind::word),
        kind: known.token.map(TokenKind::word),
        scopes: known.scopes,
        looked_up: moment(known.asked),
        lookup: known.outcome.map(Outcome::word),
        answers: false,
    }
}
