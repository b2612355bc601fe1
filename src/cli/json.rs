//! The parts that each `--json` shares.

use serde::Serialize;

use crate::credential::expiry::Expiry;
use crate::credential::key::Key;
use crate::credential::username::{HIDDEN, Username};
use crate::journal::known::LookupOutcome;

/// The key of a credential, flattened into the object that describes it.
#[derive(Serialize)]
pub(super) struct ShownKey {
    url: String,
    protocol: String,
    host: String,
    path: Option<String>,
    username: Option<String>,
}

impl From<&Key> for ShownKey {
    fn from(key: &Key) -> Self {
        Self {
            url: text(&key.url()),
            protocol: text(&key.protocol),
            host: text(&key.host),
            path: key.path.as_deref().map(text),
            username: key.username.as_ref().map(name),
        }
    }
}

/// Bytes from the wire as text. JSON escapes each character that would control a terminal.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A username as text, hidden if it may be a token.
pub(super) fn name(name: &Username) -> String {
    name.visible().map_or_else(|| HIDDEN.to_owned(), text)
}

/// A time in Unix seconds, in the format of RFC 3339.
pub(super) fn moment(unix: Option<u64>) -> Option<String> {
    unix.and_then(Expiry::from_unix).and_then(Expiry::rfc3339)
}

/// The result of the last look-up. The journal's own word for an expired token is older.
pub(super) fn lookup_word(outcome: LookupOutcome) -> &'static str {
    match outcome {
        LookupOutcome::Ended => "expired",
        outcome => outcome.word(),
    }
}
