//! A query: the attributes of a credential that git or a user gives, each of them optional.

use std::fmt;

use super::expiry::Expiry;
use super::key::{Key, KeyParts};
use super::username::Username;
use crate::secret::Secret;

/// A query (`get`), a rejection (`erase`), or a credential that may be incomplete (`store`).
///
/// Attributes are those of git-credential(1), as bytes. `None` matches any value.
#[derive(Default)]
pub struct Query {
    /// Such as `https`.
    pub protocol: Option<Vec<u8>>,
    /// In lower case, with its port. Empty only for `cert`.
    pub host: Option<Vec<u8>>,
    /// Without a leading slash.
    pub path: Option<Vec<u8>>,
    /// May be empty, for single sign-on.
    pub username: Option<Username>,
    /// The password or token.
    pub password: Option<Secret>,
    /// The scheme of an `Authorization` header, such as `Bearer`.
    pub authtype: Option<Vec<u8>>,
    /// The rest of that header.
    pub credential: Option<Secret>,
    /// The expiry of the password or the credential.
    pub expiry: Option<Expiry>,
    /// For helpers that renew tokens: kept and returned, never used here.
    pub refresh_token: Option<Secret>,
    /// An omitted path or username must be absent. git never asks so; we do, for one entry.
    pub is_exact: bool,
    /// An omitted path must be absent: git gave no path, and the paths at this host belong to accounts.
    pub is_pathless: bool,
}

impl Query {
    /// Matches the entries at `key`'s protocol and host, and with its path and username if it has them.
    pub fn of(key: &Key) -> Self {
        let key = key.clone();
        Self {
            protocol: Some(key.protocol),
            host: Some(key.host),
            path: key.path,
            username: key.username,
            ..Self::default()
        }
    }

    /// Matches only the entry under `key`.
    pub fn exact(key: &Key) -> Self {
        Self {
            is_exact: true,
            ..Self::of(key)
        }
    }

    /// The key, if protocol and host are given.
    pub fn key(&self) -> Option<Key> {
        Some(Key {
            protocol: self.protocol.clone()?,
            host: self.host.clone()?,
            path: self.path.clone(),
            username: self.username.clone(),
        })
    }

    /// Returns a copy. There is no `Clone`: a copy of a secret must be visible in the code.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self {
            protocol: self.protocol.clone(),
            host: self.host.clone(),
            path: self.path.clone(),
            username: self.username.clone(),
            password: self.password.as_ref().map(Secret::duplicate),
            authtype: self.authtype.clone(),
            credential: self.credential.as_ref().map(Secret::duplicate),
            expiry: self.expiry,
            refresh_token: self.refresh_token.as_ref().map(Secret::duplicate),
            is_exact: self.is_exact,
            is_pathless: self.is_pathless,
        }
    }

    /// Whether the entry under `key` matches: a given attribute must exist and be equal, byte for byte. An omitted one
    /// matches any value, except protocol and host: a blank query matches no entry.
    pub fn matches(&self, key: &Key) -> bool {
        self.matches_parts(key.parts())
    }

    /// As [`Query::matches`], for a key in parts.
    pub fn matches_parts(&self, key: KeyParts<'_>) -> bool {
        let is_open = |is_given: bool| !is_given && !self.is_exact;
        let username = self.username.as_ref().map(Username::expose);
        self.protocol.as_deref() == Some(key.protocol)
            && self.host.as_deref() == Some(key.host)
            && (is_open(self.path.is_some()) || self.path.as_deref() == key.path)
            && !(self.is_pathless && key.path.is_some())
            && (is_open(username.is_some()) || username == key.username)
    }

    /// Whether the given secrets, if any, are `password` and `credential`. A rejected secret may be older than the stored
    /// one, so only the same secret is removed.
    pub fn names_secret(&self, password: Option<&Secret>, credential: Option<&Secret>) -> bool {
        (self.password.is_none() || self.password.as_ref() == password)
            && (self.credential.is_none() || self.credential.as_ref() == credential)
    }
}

/// Shows the names of the given attributes, without their values.
impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.write_str("Query").map(|()| f.debug_list())?;
        for (name, is_given) in [
            ("protocol", self.protocol.is_some()),
            ("host", self.host.is_some()),
            ("path", self.path.is_some()),
            ("username", self.username.is_some()),
            ("password", self.password.is_some()),
            ("authtype", self.authtype.is_some()),
            ("credential", self.credential.is_some()),
            ("password_expiry_utc", self.expiry.is_some()),
            ("oauth_refresh_token", self.refresh_token.is_some()),
        ] {
            if is_given {
                list.entry(&name);
            }
        }
        list.finish()
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
