//! An entry of the list: its row in the table, and its JSON.

use serde::Serialize;

use super::super::json::{ShownKey, lookup_word, moment, text};
use super::super::messages::invalid_state;
use super::super::table::cell::{Cell, Tone};
use super::super::table::{self, Layout};
use crate::credential::expiry::{Expiry, ExpirySource};
use crate::credential::token::TokenKind;
use crate::credential::username::Username;
use crate::forge;
use crate::helper::token_state::TokenState;
use crate::journal::known::Known;
use crate::storage::{Listed, StorageKind};
use crate::terminal::escape;
use crate::time::in_words;

/// The relative expiry stays longest: the date and the bar repeat it. The storage stays, since it says "plaintext".
pub(super) const LAYOUT: Layout = Layout {
    headings: &[
        "URL",
        "USER",
        "DEFAULT",
        "STORAGE",
        "TOKEN",
        "SCOPES",
        "EXPIRES",
        "DATE",
        "SOURCE",
        "TIME LEFT",
    ],
    steps: &[
        ("SCOPES", 12),
        ("SCOPES", 0),
        ("SOURCE", 0),
        ("TOKEN", 12),
        ("TOKEN", 0),
        ("TIME LEFT", 0),
        ("STORAGE", 16),
        ("URL", 36),
        ("DATE", 0),
        ("USER", 16),
        ("EXPIRES", 18),
        ("URL", 24),
        ("STORAGE", 9),
        ("DEFAULT", 0),
        ("EXPIRES", 12),
        ("USER", 8),
        ("URL", 16),
    ],
};

/// An entry of a storage, and what the journal knows about its token.
pub(super) struct ListEntry<'a> {
    pub(super) kind: StorageKind,
    pub(super) listed: &'a Listed,
    pub(super) known: Known,
    pub(super) state: TokenState,
    /// git gets this credential for its URL, if it names no user.
    pub(super) is_default: bool,
    /// Another credential is stored for the same host.
    pub(super) has_rivals: bool,
}

#[derive(Serialize)]
pub(super) struct ListEntryJson {
    #[serde(flatten)]
    key: ShownKey,
    storage: String,
    plaintext: bool,
    authtype: Option<String>,
    renewable: bool,
    expires_at: Option<String>,
    expires_at_unix: Option<u64>,
    expires_from: Option<&'static str>,
    state: TokenState,
    forgotten: Option<String>,
    forge: Option<&'static str>,
    kind: Option<&'static str>,
    scopes: Option<Vec<String>>,
    last_used: Option<String>,
    unused: bool,
    looked_up: Option<String>,
    lookup: Option<&'static str>,
    default: bool,
}

impl ListEntry<'_> {
    /// The cells of its row.
    pub(super) fn row(&self, unix_now: u64) -> Vec<Cell> {
        let is_marked = self.is_default && self.has_rivals;
        let expiry = self.listed.expiry;
        let bar = expiry.map(|expiry| table::bar(expiry.left(unix_now)));
        vec![
            Cell::url(escape::safe(&self.listed.key.url())),
            self.user().into(),
            if is_marked { "yes" } else { "" }.into(),
            self.storage(unix_now),
            self.token().into(),
            self.scopes().into(),
            self.expires(unix_now),
            expiry.map_or_else(String::new, Expiry::day).into(),
            self.source().into(),
            bar.unwrap_or_default().into(),
        ]
    }

    fn user(&self) -> String {
        let user = self.listed.key.username.as_ref();
        let user = user.map_or_else(|| "-".to_owned(), Username::shown);
        match &self.listed.scheme {
            Some(scheme) => format!("{user} ({})", escape::safe(scheme)),
            None => user,
        }
    }

    fn storage(&self, unix_now: u64) -> Cell {
        match (self.kind, self.listed.forgotten) {
            (StorageKind::Memory, Some(at)) => {
                let left = at.saturating_sub(unix_now).next_multiple_of(60);
                Cell::from(format!("memory (for {})", in_words(left))).or("memory")
            }
            (kind, _) => Cell::storage(kind),
        }
    }

    fn token(&self) -> String {
        match (self.known.forge, self.known.token) {
            (Some(forge), Some(token)) => format!("{forge} {}", token.word()),
            (Some(forge), None) => forge.to_string(),
            (None, _) => String::new(),
        }
    }

    fn scopes(&self) -> String {
        let scopes = self.known.scopes.as_ref().map(|scopes| scopes.join(" "));
        escape::safe(scopes.unwrap_or_default().as_bytes())
    }

    /// The state, or else the expiry as a duration.
    fn expires(&self, unix_now: u64) -> Cell {
        let cell = |text: String| Cell::toned(text, Tone::of(self.state));
        let past = self.listed.expiry.filter(|expiry| expiry.is_past(unix_now));
        let ago = past.map(|past| in_words(unix_now - past.unix()));
        if let Some(words) = invalid_state(self.state, &self.known) {
            let short = words.split([',', ' ']).next().unwrap_or(words);
            return cell(words.to_owned()).or(short);
        }
        match (self.state, self.listed.expiry, ago) {
            (_, _, Some(ago)) => {
                let short = format!("expired {ago} ago");
                let full = if self.listed.is_renewable {
                    format!("{short}, can be renewed")
                } else {
                    short.clone()
                };
                cell(full).or(short).or("expired")
            }
            (TokenState::Expired, ..) => cell("expired, says the forge".to_owned()).or("expired"),
            (_, Some(expiry), None) => cell(format!("in {}", in_words(expiry.left(unix_now)))),
            (_, None, None) => cell("unknown".to_owned()),
        }
    }

    /// The source of the expiry.
    fn source(&self) -> &'static str {
        let expiry = self.listed.expiry;
        match expiry.map(|expiry| self.known.source_of(expiry)) {
            None | Some(ExpirySource::Unknown) => "",
            Some(ExpirySource::Git) => "git",
            Some(ExpirySource::Forge) => "the forge",
            Some(ExpirySource::Person) => "you",
            Some(ExpirySource::Lifetime) => "config.toml",
            Some(ExpirySource::Token) => "the token",
        }
    }

    pub(super) fn json(&self, unix_now: u64) -> ListEntryJson {
        let Listed { key, expiry, .. } = self.listed;
        ListEntryJson {
            key: key.into(),
            storage: self.kind.to_string(),
            plaintext: self.kind == StorageKind::File,
            authtype: self.listed.scheme.as_deref().map(text),
            renewable: self.listed.is_renewable,
            expires_at: expiry.and_then(Expiry::rfc3339),
            expires_at_unix: expiry.map(Expiry::unix),
            expires_from: expiry.map(|expiry| self.known.source_of(expiry).word()),
            state: self.state,
            forgotten: moment(self.listed.forgotten),
            forge: self.known.forge.map(forge::ForgeKind::word),
            kind: self.known.token.map(TokenKind::word),
            scopes: self.known.scopes.clone(),
            last_used: moment(self.known.used),
            unused: self.known.unused_since(unix_now).is_some(),
            looked_up: moment(self.known.asked),
            lookup: self.known.outcome.map(lookup_word),
            default: self.is_default,
        }
    }
}
