//! `list`: prints every credential without its secret.

use serde::Serialize;

use super::failure::CliResult;
use super::json::{ShownKey, lookup_word, moment, text};
use super::messages::{token_of, unused};
use super::streams::Streams;
use super::{open, status_of, table, ui};
use crate::config::Flags;
use crate::credential::expiry::{Expiry, ExpirySource};
use crate::credential::key::Key;
use crate::credential::token::TokenKind;
use crate::credential::username::Username;
use crate::forge;
use crate::helper::precedence::answering;
use crate::helper::token_state::{StoredTokens, TokenState};
use crate::journal::known::{Known, LookupOutcome};
use crate::neighbour::configured::path_teller;
use crate::storage::{Listed, StorageKind};
use crate::terminal::escape;
use crate::time::{self, in_words};

/// List every credential without its secret: where it is stored and when it expires
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// An entry of a storage, and what the journal knows about its token.
struct ListEntry<'a> {
    kind: StorageKind,
    listed: &'a Listed,
    known: Known,
    state: TokenState,
    /// git gets this credential for its URL, if it names no user.
    is_default: bool,
    /// Another credential is stored for the same host.
    has_rivals: bool,
}

#[derive(Serialize)]
struct ListEntryJson {
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
    looked_up: Option<String>,
    lookup: Option<&'static str>,
    default: bool,
}

pub(super) fn run(arguments: &Arguments, flags: Flags, streams: &mut Streams) -> CliResult {
    let (settings, helper) = open(flags, None)?;
    let outcome = helper.storages().list_all()?;
    let unix_now = time::now().unix;
    ui::notices(streams, &outcome.notices, unix_now);
    let is_whole = outcome.is_whole();
    if outcome.value.is_empty() && !is_whole {
        return Err(ui::nothing_known(streams, arguments.json)?);
    }
    let stored = StoredTokens::read(&helper, unix_now);
    let defaults = answering(&outcome.value, &settings.accounts, unix_now, path_teller());
    let mut entries = Vec::new();
    for ((kind, listed), is_default) in outcome.value.iter().zip(defaults) {
        let key = &listed.key;
        let (known, state) = stored.token(listed);
        entries.push(ListEntry {
            kind: *kind,
            listed,
            known,
            state,
            is_default,
            has_rivals: outcome
                .value
                .iter()
                .any(|(_, other)| is_rival(&other.key, key)),
        });
    }
    if arguments.json {
        let json = entries.iter().map(ListEntry::json);
        ui::print_json(streams, &json.collect::<Vec<_>>())?;
    } else if let Some(first) = entries.first() {
        let heading = first.row(unix_now).map(|(heading, _)| heading);
        let rows = entries.iter().map(|entry| entry.row(unix_now));
        let rows = rows.map(|row| row.map(|(_, cell)| cell).to_vec());
        ui::table(streams, &heading, &rows.collect::<Vec<_>>())?;
        for entry in &entries {
            if let Some(since) = entry.known.unused_since(unix_now) {
                let token = token_of(&entry.listed.key);
                ui::warn(streams, &format!("{token} is {}", unused(since)), None);
            }
        }
    } else {
        let places = helper.storages().places();
        ui::print(streams, &format!("nothing is kept in {places}\n"))?;
    }
    Ok(status_of(is_whole))
}

/// Whether both are different entries of one host.
fn is_rival(one: &Key, other: &Key) -> bool {
    (&one.protocol, &one.host) == (&other.protocol, &other.host) && one != other
}

impl ListEntry<'_> {
    /// The heading and the text of each cell.
    fn row(&self, unix_now: u64) -> [(&'static str, String); 9] {
        let is_marked = self.is_default && self.has_rivals;
        [
            ("URL", escape::safe(&self.listed.key.url())),
            ("USER", self.user()),
            ("DEFAULT", if is_marked { "yes" } else { "" }.to_owned()),
            ("STORAGE", self.storage(unix_now)),
            ("TOKEN", self.token()),
            ("SCOPES", self.scopes()),
            ("EXPIRES", self.expires(unix_now)),
            ("SOURCE", self.source().to_owned()),
            ("TIME LEFT", self.time_left(unix_now)),
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

    fn storage(&self, unix_now: u64) -> String {
        match (self.kind, self.listed.forgotten) {
            (StorageKind::File, _) => "file (plaintext)".to_owned(),
            (kind, Some(at)) => {
                let left = at.saturating_sub(unix_now).next_multiple_of(60);
                format!("{kind} (for {})", in_words(left))
            }
            (kind, None) => kind.to_string(),
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

    fn expires(&self, unix_now: u64) -> String {
        match self.listed.expiry {
            None => "unknown".to_owned(),
            Some(expiry) if !expiry.is_past(unix_now) => expiry.day(),
            Some(expiry) if self.listed.is_renewable => {
                format!("expired {}, can be renewed", expiry.day())
            }
            Some(expiry) => format!("expired {}", expiry.day()),
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

    fn time_left(&self, unix_now: u64) -> String {
        match (self.known.outcome, self.listed.expiry) {
            (Some(LookupOutcome::Ended), _) => "expired, says the forge".to_owned(),
            (Some(LookupOutcome::Revoked), _) => "revoked, says the forge".to_owned(),
            (Some(LookupOutcome::Rejected), _) => "rejected by the forge".to_owned(),
            (Some(LookupOutcome::Blocked), _) => "blocked by the forge".to_owned(),
            (_, None) => String::new(),
            (_, Some(expiry)) if expiry.is_past(unix_now) => table::bar(0),
            (_, Some(expiry)) => {
                let left = expiry.left(unix_now);
                format!("{} {}", table::bar(left), in_words(left))
            }
        }
    }

    fn json(&self) -> ListEntryJson {
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
            looked_up: moment(self.known.asked),
            lookup: self.known.outcome.map(lookup_word),
            default: self.is_default,
        }
    }
}
