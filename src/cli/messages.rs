//! The text of each notice: what happened, its cause, and the command that helps.

use std::error::Error;

use crate::credential::expiry::{Expiry, ExpirySource};
use crate::credential::key::Key;
use crate::helper::notice::{Next, Notice};
use crate::helper::token_state::TokenState;
use crate::journal::known::{Known, LookupOutcome};
use crate::storage::{self, in_words as places};
use crate::terminal::{escape, with_causes};
use crate::time::in_words;

/// The three parts of a message. An empty cause is not shown.
pub(super) struct Message {
    pub(super) what: String,
    pub(super) cause: String,
    pub(super) hint: Option<String>,
}

impl Message {
    fn new(what: String, hint: impl Into<Option<String>>) -> Self {
        Self {
            what,
            cause: String::new(),
            hint: hint.into(),
        }
    }

    fn of_storage(what: String, cause: &storage::Error) -> Self {
        Self {
            what,
            cause: causes(cause),
            hint: cause.hint().map(str::to_owned),
        }
    }
}

/// A state in which the expiry does not matter, in words.
pub(super) fn invalid_state(state: TokenState, known: &Known) -> Option<&'static str> {
    match state {
        TokenState::Revoked => Some("revoked, says the forge"),
        TokenState::Rejected if known.outcome == Some(LookupOutcome::Rejected) => {
            Some("rejected by the forge")
        }
        TokenState::Rejected => Some("rejected"),
        TokenState::Blocked => Some("blocked by the forge"),
        _ => None,
    }
}

pub(super) fn message(notice: &Notice, unix_now: u64) -> Message {
    match notice {
        Notice::ExpiresSoon {
            key,
            expiry,
            source,
            can_rotate,
        } => {
            let left = in_words(expiry.left(unix_now));
            let day = expiry.day();
            let guess = match source {
                ExpirySource::Lifetime => ", by its lifetime in config.toml",
                _ => "",
            };
            let what = format!("{} expires in {left} ({day}{guess})", token_of(key));
            let command = if *can_rotate { "rotate" } else { "login" };
            Message::new(what, renew_with(command, key))
        }
        Notice::Expired { key, expiry } => {
            let ago = in_words(unix_now.saturating_sub(expiry.unix()));
            let what = format!("{} expired {ago} ago ({})", token_of(key), expiry.day());
            Message::new(what, renew(key))
        }
        Notice::Rejected { key, kinds, next } => {
            let token = token_of(key);
            let what = format!(
                "the server rejected {token}; removed it from {}",
                places(kinds, "and")
            );
            Message::new(what, after_rejection(next, key))
        }
        Notice::Gone { key } => {
            let what = format!("{} has expired, and memory has wiped it", token_of(key));
            Message::new(what, renew(key))
        }
        Notice::ExpiredBeforeStored { key, expiry } => {
            let (token, day) = (token_of(key), expiry.day());
            Message::new(format!("{token} was not saved: it expired on {day}"), None)
        }
        Notice::UnreadableExpiry { key } => {
            let token = token_of(key);
            let what = format!("saved {token} without its expiry: the date is invalid");
            Message::new(what, None)
        }
        Notice::FellBack { cause, timeout } => {
            let time = in_words(timeout.as_secs());
            let what = format!(
                "the keychain cannot be reached: tokens are kept in memory, for {time} after their last use"
            );
            Message::of_storage(what, cause)
        }
        Notice::PassedOver { cause } => Message::of_storage(cause.to_string(), cause),
        Notice::Unwritable { key, cause } => {
            let what = format!("git does not get {}: its {cause}", token_of(key));
            Message::new(what, renew(key))
        }
    }
}

fn renew(key: &Key) -> String {
    renew_with("login", key)
}

fn renew_with(command: &str, key: &Key) -> String {
    format!(
        "create a new one with 'git credential-pat {command} {}'",
        key.argument()
    )
}

fn after_rejection(next: &Next, key: &Key) -> String {
    match next {
        Next::Unknown => renew(key),
        Next::Answered { key: other, kind } => {
            let token = match other.username.as_ref().filter(|name| !name.is_empty()) {
                None => "another token".to_owned(),
                Some(name) => format!("the token for {}", name.shown()),
            };
            format!(
                "git now gets {token} from {}; to replace the rejected one, run 'git credential-pat login {}'",
                kind.place(),
                key.argument()
            )
        }
        Next::Silent => format!(
            "save a new one with 'git credential-pat login {}': git cannot ask for it here",
            key.argument()
        ),
        Next::Typed => format!(
            "type a new token below; if git asks again next time, run 'git credential-pat login {}'",
            key.argument()
        ),
        // git gives up after two answers (git's `http.c`).
        Next::Another => {
            "run the command again: the next stored token is tried, and then git asks".to_owned()
        }
        Next::OfAnother => {
            "run the command again: git asks if its URL names the user, else another user's token is tried"
                .to_owned()
        }
        Next::Asks => format!("run the command again, and git asks; or {}", renew(key)),
    }
}

/// The token that is stored under `key`, in the middle of a sentence: `the token for octocat at https://github.com`.
pub(super) fn token_of(key: &Key) -> String {
    format!("the token {}", owner_of(key))
}

/// `for octocat at https://github.com`.
pub(super) fn owner_of(key: &Key) -> String {
    let url = escape::safe(&key.url());
    match key.username.as_ref().filter(|name| !name.is_empty()) {
        None => format!("for {url}"),
        Some(name) => format!("for {} at {url}", name.shown()),
    }
}

/// The words for a token that git has not used for long, after its subject.
pub(super) fn unused(since: u64) -> String {
    let day = Expiry::from_unix(since).map_or_else(String::new, Expiry::day);
    format!("unused since {day}; GitHub removes tokens that go unused for a year")
}

/// The causes of an error in one line, without the error itself.
pub(super) fn causes(error: &dyn Error) -> String {
    error.source().map(with_causes).unwrap_or_default()
}

/// `1 copy`, `2 copies`.
pub(super) fn counted(count: usize, one: &str, many: &str) -> String {
    let noun = if count == 1 { one } else { many };
    format!("{count} {noun}")
}

/// `1 credential`, `2 credentials`.
pub(super) fn credentials(count: usize) -> String {
    counted(count, "credential", "credentials")
}
