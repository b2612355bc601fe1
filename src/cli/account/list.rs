//! `account list`: prints the rules, and the token that answers for each.

use serde::Serialize;

use super::super::failure::CliResult;
use super::super::json::{ShownKey, moment, name};
use super::super::messages::invalid_state;
use super::super::streams::Streams;
use super::super::table::Layout;
use super::super::table::cell::{Cell, Tone};
use super::super::{open, status_of, ui};
use crate::config::Flags;
use crate::credential::expiry::Expiry;
use crate::credential::key::Key;
use crate::credential::username::Username;
use crate::git::Git;
use crate::git::http_path::HttpPaths;
use crate::helper::token_state::{StoredTokens, TokenState};
use crate::storage::{Listed, StorageKind};
use crate::tasks::accounts::overview::AccountView;
use crate::terminal::escape;
use crate::time;

/// A warning tells about a path that git does not send, so that column goes first.
const LAYOUT: Layout = Layout {
    headings: &["URL", "USER", "TOKEN", "EXPIRES", "PATH SENT"],
    steps: &[
        ("PATH SENT", 0),
        ("TOKEN", 16),
        ("URL", 24),
        ("USER", 12),
        ("TOKEN", 9),
        ("USER", 8),
        ("URL", 12),
    ],
};

#[derive(Serialize)]
struct AccountJson {
    #[serde(flatten)]
    key: ShownKey,
    sends_path: Option<bool>,
    token: Option<TokenJson>,
}

#[derive(Serialize)]
struct TokenJson {
    username: Option<String>,
    storage: String,
    plaintext: bool,
    expires_at: Option<String>,
    expires_at_unix: Option<u64>,
    state: TokenState,
    forgotten: Option<String>,
}

pub(super) fn list(flags: Flags, is_json: bool, streams: &mut Streams) -> CliResult {
    let (settings, helper) = open(flags, None)?;
    let outcome = helper.storages().list_all()?;
    let unix_now = time::now().unix;
    ui::notices(streams, &outcome.notices, unix_now);
    let paths = Git::find()
        .map(|git| HttpPaths::of(&git))
        .unwrap_or_default();
    let rules = &settings.accounts;
    let views = rules.iter();
    let views = views.map(|rule| AccountView::of(rule, rules, &outcome.value, &paths, unix_now));
    let views: Vec<AccountView> = views.collect();
    let tokens = StoredTokens::read(&helper, unix_now);
    if is_json {
        let json = views.iter().map(|view| json(view, &tokens));
        ui::print_json(streams, &json.collect::<Vec<_>>())?;
    } else if views.is_empty() {
        ui::print(
            streams,
            "there is no rule: one token for each host and user\n",
        )?;
    } else {
        let rows = views.iter().map(|view| row(view, &tokens, unix_now));
        ui::table(streams, &LAYOUT, &rows.collect::<Vec<_>>())?;
    }
    if !is_json && views.iter().any(|view| view.is_path_sent == Some(false)) {
        let says = "git does not send the path of a rule: the token of the rule is not found";
        ui::warn(streams, says, Some("run 'git credential-pat setup'"));
    }
    Ok(status_of(outcome.is_whole()))
}

fn row(view: &AccountView, tokens: &StoredTokens, unix_now: u64) -> Vec<Cell> {
    let key = &view.account.key;
    let user = key.username.as_ref();
    let (expires, tone) = match view.token {
        None => (String::new(), Tone::Plain),
        Some((kind, listed)) => {
            let (known, state) = tokens.token(*kind, listed);
            let words = match (invalid_state(state, &known), listed.expiry) {
                (Some(words), _) => words.to_owned(),
                (None, Some(expiry)) if expiry.is_past(unix_now) => {
                    format!("expired {}", expiry.day())
                }
                (None, _) if state == TokenState::Expired => "expired, says the forge".to_owned(),
                (None, Some(expiry)) => expiry.day(),
                (None, None) => "unknown".to_owned(),
            };
            (words, Tone::of(state))
        }
    };
    let sent = match view.is_path_sent {
        None => "-".into(),
        Some(true) => "yes".into(),
        Some(false) => Cell::toned("no", Tone::Bad),
    };
    vec![
        Cell::url(escape::safe(&key.url())),
        user.map_or_else(|| "-".to_owned(), Username::shown).into(),
        view.token
            .map_or_else(|| "none".into(), |token| token_cell(key, token)),
        Cell::toned(expires, tone),
        sent,
    ]
}

/// The storage, after the user if the rule names none.
fn token_cell(rule: &Key, (kind, listed): &(StorageKind, Listed)) -> Cell {
    let user = listed.key.username.as_ref();
    match (user.filter(|_| rule.username.is_none()), kind) {
        (Some(user), StorageKind::File) => {
            let user = user.shown();
            let full = Cell::from(format!("{user}, file (plaintext)"));
            full.or(format!("{user}, plaintext")).or("plaintext")
        }
        (Some(user), kind) => format!("{}, {kind}", user.shown()).into(),
        (None, kind) => Cell::storage(*kind),
    }
}

/// `octocat in the keychain`.
pub(super) fn token_in_words((kind, listed): &(StorageKind, Listed)) -> String {
    let user = listed.key.username.as_ref().map(Username::shown);
    let place = kind.place();
    user.map_or_else(
        || format!("in {place}"),
        |user| format!("{user} in {place}"),
    )
}

fn json(view: &AccountView, tokens: &StoredTokens) -> AccountJson {
    let token = view.token.map(|(kind, listed)| TokenJson {
        username: listed.key.username.as_ref().map(name),
        storage: kind.to_string(),
        plaintext: *kind == StorageKind::File,
        expires_at: listed.expiry.and_then(Expiry::rfc3339),
        expires_at_unix: listed.expiry.map(Expiry::unix),
        state: tokens.token(*kind, listed).1,
        forgotten: moment(listed.forgotten),
    });
    AccountJson {
        key: (&view.account.key).into(),
        sends_path: view.is_path_sent,
        token,
    }
}
