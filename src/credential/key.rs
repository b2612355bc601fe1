//! What a credential is kept under.

use std::fmt;

/// Protocol, host, path and username: two credentials with the same key cannot be kept side by side.
///
/// `None` and empty differ: an empty username is one that was given (single sign-on), a missing one was not.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Such as `https`.
    pub protocol: Vec<u8>,
    /// As in the URL, with its port; letters folded to lower case, since DNS does not tell them apart (RFC 4343).
    pub host: Vec<u8>,
    /// Without a leading slash; git gives it for other protocols than HTTP and where `credential.useHttpPath` is set.
    pub path: Option<Vec<u8>>,
    /// Who signs in.
    pub username: Option<Vec<u8>>,
}

impl Key {
    /// The URL without user and secret, as people know it. Bytes from the wire: make it safe before a terminal sees it.
    pub fn url(&self) -> Vec<u8> {
        let mut url = [&self.protocol[..], b"://", &self.host[..]].concat();
        if let Some(path) = &self.path {
            url.push(b'/');
            url.extend_from_slice(path);
        }
        url
    }
}

/// Names what is there and shows none of it.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            protocol: _,
            host: _,
            path,
            username,
        } = self;
        write!(
            f,
            "Key(path: {}, username: {})",
            path.is_some(),
            username.is_some()
        )
    }
}
