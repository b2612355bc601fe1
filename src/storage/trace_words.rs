//! Credentials and queries in the words of the trace: no secret, and no username that may be a token.

use std::borrow::Cow;

use crate::credential::Credential;
use crate::credential::expiry::Expiry;
use crate::credential::key::Key;
use crate::credential::query::Query;

/// `alice at https://one.test/path`.
pub(crate) fn named(key: &Key) -> String {
    let url = key.url();
    format!("{} at {}", user_of(key), String::from_utf8_lossy(&url))
}

fn user_of(key: &Key) -> String {
    match &key.username {
        None => "an entry without a username".to_owned(),
        Some(name) if name.is_empty() => "an entry with an empty username".to_owned(),
        Some(name) => name.shown(),
    }
}

/// The query without the name of its user.
pub(super) fn asked_for(query: &Query) -> String {
    let url = query.key().map(|key| key.url());
    let url = url
        .as_deref()
        .map_or(Cow::Borrowed("any host"), String::from_utf8_lossy);
    let path = if query.is_pathless {
        ", without a path"
    } else {
        ""
    };
    let user = match &query.username {
        None if query.is_exact => "no user",
        None => "any user",
        Some(_) => "one user",
    };
    format!("{url} ({user}{path})")
}

/// An entry: `alice at https://one.test, expiry 2026-11-26T00:00:00Z`.
pub(crate) fn contents(found: &Credential) -> String {
    format!("{}, {}", named(&found.key), facts(found))
}

/// The answer to a query, without the URL if it is that of the query.
pub(super) fn answer_to(query: &Query, found: &Credential) -> String {
    if query.key().is_some_and(|key| key.url() == found.key.url()) {
        format!("{}, {}", user_of(&found.key), facts(found))
    } else {
        contents(found)
    }
}

fn facts(found: &Credential) -> String {
    let mut text = expiry_words(found.expiry);
    if found.authorization.is_some() {
        text.push_str(", for an Authorization header");
    }
    if !found.is_complete() {
        text.push_str(", without its secret");
    }
    if found.refresh_token.is_some() {
        text.push_str(", with a refresh token");
    }
    text
}

pub(super) fn expiry_words(expiry: Option<Expiry>) -> String {
    match expiry {
        None => "expiry unknown".to_owned(),
        Some(expiry) => format!(
            "expiry {}",
            expiry.rfc3339().unwrap_or_else(|| expiry.day())
        ),
    }
}
