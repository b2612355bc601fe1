//! What git, or a person, says about a credential: everything optional.

use std::fmt;

use super::expiry::Expiry;
use super::key::Key;
use super::username::Username;
use crate::secret::Secret;

/// A question (`get`), a rejection (`erase`), or a credential not yet found complete (`store`).
///
/// Attributes are those of git-credential(1), as bytes. What is `None` was not said and stands for anything.
#[derive(Default)]
pub struct Query {
    /// Such as `https`.
    pub protocol: Option<Vec<u8>>,
    /// In lower case, with its port. Empty only for `cert`.
    pub host: Option<Vec<u8>>,
    /// Without a leading slash.
    pub path: Option<Vec<u8>>,
    /// Who signs in; may be empty.
    pub username: Option<Username>,
    /// Password or token.
    pub password: Option<Secret>,
    /// Scheme of an `Authorization` header, such as `Bearer`.
    pub authtype: Option<Vec<u8>>,
    /// The rest of that header.
    pub credential: Option<Secret>,
    /// When the password or the credential ends.
    pub expiry: Option<Expiry>,
    /// For helpers that renew; kept and handed on, never used.
    pub refresh_token: Option<Secret>,
    /// What is not said of path and username must not be there either. Git never asks so; we do, about one entry.
    pub is_exact: bool,
    /// The path that is not said must not be there: git tells none, where those that are kept belong to accounts.
    pub is_pathless: bool,
}

impl Query {
    /// Everything that is kept under `key`'s protocol and host with its path and username, where it has them.
    pub fn of(key: &Key) -> Self {
        let Key {
            protocol,
            host,
            path,
            username,
        } = key.clone();
        Self {
            protocol: Some(protocol),
            host: Some(host),
            path,
            username,
            ..Self::default()
        }
    }

    /// The one entry that is kept under `key`.
    pub fn exact(key: &Key) -> Self {
        Self {
            is_exact: true,
            ..Self::of(key)
        }
    }

    /// The key, if protocol and host are known.
    pub fn key(&self) -> Option<Key> {
        Some(Key {
            protocol: self.protocol.clone()?,
            host: self.host.clone()?,
            path: self.path.clone(),
            username: self.username.clone(),
        })
    }

    /// A second copy, named so that it is seen.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        let Self {
            protocol,
            host,
            path,
            username,
            password,
            authtype,
            credential,
            expiry,
            refresh_token,
            is_exact,
            is_pathless,
        } = self;
        Self {
            protocol: protocol.clone(),
            host: host.clone(),
            path: path.clone(),
            username: username.clone(),
            password: password.as_ref().map(Secret::duplicate),
            authtype: authtype.clone(),
            credential: credential.as_ref().map(Secret::duplicate),
            expiry: *expiry,
            refresh_token: refresh_token.as_ref().map(Secret::duplicate),
            is_exact: *is_exact,
            is_pathless: *is_pathless,
        }
    }

    /// Whether a credential kept under `key` fits: what is said must be there and be equal, byte for byte; what is not
    /// said fits anything. Without a protocol or a host nothing fits, so that a blank question opens nothing.
    pub fn matches(&self, key: &Key) -> bool {
        let is_open = |is_said: bool| !is_said && !self.is_exact;
        self.protocol.as_ref() == Some(&key.protocol)
            && self.host.as_ref() == Some(&key.host)
            && (is_open(self.path.is_some()) || self.path == key.path)
            && !(self.is_pathless && key.path.is_some())
            && (is_open(self.username.is_some()) || self.username == key.username)
    }

    /// Whether the secrets that are said, if any, are `password` and `credential`. What is refused may be older than
    /// what is kept; only the same secret may go.
    pub fn names_secret(&self, password: Option<&Secret>, credential: Option<&Secret>) -> bool {
        let same = |said: Option<&Secret>, kept: Option<&Secret>| match (said, kept) {
            (None, _) => true,
            (Some(said), Some(kept)) => said.is_same(kept),
            (Some(_), None) => false,
        };
        same(self.password.as_ref(), password) && same(self.credential.as_ref(), credential)
    }
}

/// Names what is there and shows none of it.
impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            protocol,
            host,
            path,
            username,
            password,
            authtype,
            credential,
            expiry,
            refresh_token,
            is_exact: _,
            is_pathless: _,
        } = self;
        let said = [
            ("protocol", protocol.is_some()),
            ("host", host.is_some()),
            ("path", path.is_some()),
            ("username", username.is_some()),
            ("password", password.is_some()),
            ("authtype", authtype.is_some()),
            ("credential", credential.is_some()),
            ("password_expiry_utc", expiry.is_some()),
            ("oauth_refresh_token", refresh_token.is_some()),
        ];
        let said = said
            .iter()
            .filter(|(_, there)| *there)
            .map(|(name, _)| *name);
        f.write_str("Query")?;
        f.debug_list().entries(said).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(path: Option<&str>, username: Option<&str>) -> Key {
        Key {
            protocol: b"https".to_vec(),
            host: b"example.test".to_vec(),
            path: path.map(|path| path.as_bytes().to_vec()),
            username: username.map(Username::from),
        }
    }

    #[test]
    fn what_is_not_said_fits_anything() {
        let wide = Query::of(&key(None, None));
        assert!(wide.matches(&key(None, None)));
        assert!(wide.matches(&key(Some("a.git"), Some("alice"))));
    }

    #[test]
    fn what_is_said_must_be_there_and_equal() {
        let narrow = Query::of(&key(Some("a.git"), Some("alice")));
        assert!(narrow.matches(&key(Some("a.git"), Some("alice"))));
        for other in [
            key(None, Some("alice")),
            key(Some("a.git"), None),
            key(Some("a"), Some("alice")),
        ] {
            assert!(!narrow.matches(&other));
        }
        assert!(
            !Query::of(&key(None, Some(""))).matches(&key(None, None)),
            "empty is not absent"
        );
    }

    #[test]
    fn exactly_is_one_entry() {
        let bare = key(None, None);
        assert!(Query::exact(&bare).matches(&bare));
        for other in [key(Some("a"), None), key(None, Some("alice"))] {
            assert!(!Query::exact(&bare).matches(&other));
        }
    }

    #[test]
    fn blank_fits_nothing() {
        let full = Query::of(&key(None, Some("alice")));
        let no_protocol = Query {
            protocol: None,
            ..Query::of(&key(None, None))
        };
        let no_host = Query {
            host: None,
            ..Query::of(&key(None, None))
        };
        for blank in [Query::default(), no_protocol, no_host] {
            assert!(!blank.matches(&full.key().unwrap()));
        }
    }

    #[test]
    fn only_the_same_secret_is_named() {
        let named = Query {
            password: Some(Secret::new(b"old")),
            ..Query::default()
        };
        assert!(named.names_secret(Some(&Secret::new(b"old")), None));
        assert!(!named.names_secret(Some(&Secret::new(b"new")), None));
        assert!(!named.names_secret(None, None));
        assert!(Query::default().names_secret(Some(&Secret::new(b"new")), None));
    }

    #[test]
    fn debug_shows_no_value() {
        let said = Query {
            password: Some(Secret::new(b"made-up")),
            ..Query::of(&key(None, Some("alice")))
        };
        assert_eq!(
            format!("{said:?}"),
            r#"Query["protocol", "host", "username", "password"]"#
        );
    }
}
