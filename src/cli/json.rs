//! What every `--json` says alike.

use serde::Serialize;

use crate::credential::expiry::Expiry;
use crate::credential::key::Key;
use crate::credential::username::{HIDDEN, Username};

/// What a credential is kept under, flattened into whatever tells of it.
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

/// Bytes from the wire: JSON escapes what a terminal would act on.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// As [`text`]; hidden if it may be a token.
pub(super) fn name(name: &Username) -> String {
    name.visible().map_or_else(|| HIDDEN.to_owned(), text)
}

/// `unix` in seconds, as RFC 3339 writes it.
pub(super) fn moment(unix: Option<u64>) -> Option<String> {
    unix.and_then(Expiry::from_unix).and_then(Expiry::rfc3339)
}
