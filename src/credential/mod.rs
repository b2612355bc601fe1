//! A credential: its key, its secrets and their expiry.

pub mod basic;
pub(crate) mod code;
pub mod expiry;
pub mod host;
pub(crate) mod jwt;
pub mod key;
pub(crate) mod pasted;
pub(crate) mod percent;
pub mod query;
pub(crate) mod scopes;
pub mod token;
pub mod url;
pub mod username;
pub(crate) mod word;

use self::expiry::Expiry;
use self::key::Key;
use self::query::Query;
use self::username::Username;
use crate::secret::Secret;

/// An entry of a storage. [`Credential::complete`] makes one with secrets. A storage may return one whose expired secrets
/// were wiped, so that the user still learns the expiry.
#[derive(Debug, PartialEq, Eq)]
pub struct Credential {
    pub key: Key,
    /// The password or token.
    pub password: Option<Secret>,
    /// For an `Authorization` header of another scheme than Basic.
    pub authorization: Option<Authorization>,
    /// The expiry of password and authorization.
    pub expiry: Option<Expiry>,
    /// For helpers that renew tokens.
    pub refresh_token: Option<Secret>,
}

/// `Authorization: SCHEME PARAMETERS`, git's `authtype` and `credential` (git 2.46).
#[derive(PartialEq, Eq)]
pub struct Authorization {
    /// Such as `Bearer`.
    pub scheme: Vec<u8>,
    /// The text after the scheme.
    pub parameters: Secret,
}

impl std::fmt::Debug for Authorization {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authorization([REDACTED])")
    }
}

impl Credential {
    /// Returns the credential in `query` if it is complete: protocol, host, and either a username with a password or an
    /// authtype with a credential. Half of such a pair is dropped.
    pub fn complete(query: Query) -> Option<Self> {
        let credential = Self::partial(query)?;
        credential.is_complete().then_some(credential)
    }

    /// As [`Credential::complete`], without secrets too: an entry whose secrets were wiped.
    pub fn partial(query: Query) -> Option<Self> {
        let mut key = query.key()?;
        if let Some(password) = &query.password {
            key.username = key.username.map(|name| name.with_password(password));
        }
        let authorization = query.authtype.zip(query.credential);
        Some(Self {
            key,
            password: query.username.and(query.password),
            authorization: authorization
                .map(|(scheme, parameters)| Authorization { scheme, parameters }),
            expiry: query.expiry,
            refresh_token: query.refresh_token,
        })
    }

    /// Whether it has secrets that git can sign in with.
    pub fn is_complete(&self) -> bool {
        self.password.is_some() || self.authorization.is_some()
    }

    /// Whether it is a password without a username: git then asks the user for the name.
    pub fn is_nameless(&self) -> bool {
        self.key.username.is_none() && self.authorization.is_none() && self.password.is_some()
    }

    /// The part of the authorization after its scheme.
    pub fn parameters(&self) -> Option<&Secret> {
        let authorization = self.authorization.as_ref()?;
        Some(&authorization.parameters)
    }

    /// Returns the secret that a forge knows: the password, or the parameters of `Bearer`. `None` if the username is the
    /// token.
    pub fn token(&self) -> Option<&Secret> {
        if self.key.username.as_ref().is_some_and(Username::is_alone) {
            return None;
        }
        let scheme = self.authorization.as_ref().map(|known| &known.scheme[..]);
        let is_bearer = scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"Bearer"));
        let bearer = self.parameters().filter(|_| is_bearer);
        self.password.as_ref().or(bearer)
    }

    /// Whether both have the same token, under any key.
    pub fn has_token_of(&self, other: &Self) -> bool {
        self.token().is_some() && self.token() == other.token()
    }

    /// Returns a copy with `token` in place of its own token, and without the refresh token, which belongs to the old one.
    #[must_use]
    pub fn with_token(&self, token: &Secret, expiry: Option<Expiry>) -> Self {
        let mut new = self.duplicate();
        new.expiry = expiry;
        new.refresh_token = None;
        match (&mut new.password, &mut new.authorization) {
            (Some(password), _) => *password = token.duplicate(),
            (None, Some(authorization)) => authorization.parameters = token.duplicate(),
            (None, None) => {}
        }
        new
    }

    /// Whether its expiry is before `unix_now` (Unix seconds).
    pub fn is_expired(&self, unix_now: u64) -> bool {
        self.expiry.is_some_and(|expiry| expiry.is_past(unix_now))
    }

    /// Whether password and authorization are the same; expiry and refresh token may differ.
    pub fn has_same_secrets(&self, other: &Self) -> bool {
        self.password == other.password && self.authorization == other.authorization
    }

    /// Copies a missing expiry and refresh token from `known` if both have the same secret: git before 2.40 returns a token
    /// without its expiry, and before 2.41 without its refresh token.
    pub fn recall(&mut self, known: &Self) {
        if self.key == known.key && self.has_same_secrets(known) {
            self.expiry = self.expiry.or(known.expiry);
            if self.refresh_token.is_none() {
                self.refresh_token = known.refresh_token.as_ref().map(Secret::duplicate);
            }
        }
    }

    /// Returns a rejection of this secret under this key only.
    pub fn as_rejected(&self) -> Query {
        Query {
            password: self.password.as_ref().map(Secret::duplicate),
            credential: self.parameters().map(Secret::duplicate),
            ..Query::exact(&self.key)
        }
    }

    /// Drops the expired secrets. The key, the expiry and the refresh token stay.
    pub fn wipe_expired(&mut self) {
        self.password = None;
        self.authorization = None;
    }

    /// Returns a copy. There is no `Clone`: a copy of a secret must be visible in the code.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        let authorization = self.authorization.as_ref();
        Self {
            key: self.key.clone(),
            password: self.password.as_ref().map(Secret::duplicate),
            authorization: authorization.map(|known| Authorization {
                scheme: known.scheme.clone(),
                parameters: known.parameters.duplicate(),
            }),
            expiry: self.expiry,
            refresh_token: self.refresh_token.as_ref().map(Secret::duplicate),
        }
    }

    /// Whether `unwanted` matches the key and, if it names a secret, names this one.
    pub fn is_named_by(&self, unwanted: &Query) -> bool {
        unwanted.matches(&self.key)
            && unwanted.names_secret(self.password.as_ref(), self.parameters())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(password: &[u8], expiry: Option<u64>) -> Query {
        Query {
            protocol: Some(b"https".to_vec()),
            host: Some(b"example.test".to_vec()),
            username: Some(b"alice".to_vec().into()),
            password: Some(Secret::new(password)),
            expiry: expiry.and_then(Expiry::from_unix),
            ..Query::default()
        }
    }

    #[test]
    fn half_a_pair_is_not_complete() {
        assert!(Credential::complete(described(b"one", None)).is_some());
        let halves = [
            Query {
                username: None,
                ..described(b"one", None)
            },
            Query {
                password: None,
                ..described(b"one", None)
            },
            Query {
                password: None,
                authtype: Some(b"Bearer".to_vec()),
                ..described(b"one", None)
            },
            Query {
                host: None,
                ..described(b"one", None)
            },
        ];
        assert!(
            halves
                .into_iter()
                .all(|half| Credential::complete(half).is_none())
        );
    }

    #[test]
    fn an_authorization_needs_no_username() {
        let bearer = Query {
            username: None,
            password: None,
            authtype: Some(b"Bearer".to_vec()),
            credential: Some(Secret::new(b"one")),
            ..described(b"", None)
        };
        assert!(
            Credential::complete(bearer).is_some_and(|credential| credential.password.is_none())
        );
    }

    #[test]
    fn recalls_an_end_only_for_the_same_secret() {
        let known = Credential::complete(described(b"one", Some(500))).unwrap();
        let mut same = Credential::complete(described(b"one", None)).unwrap();
        same.recall(&known);
        assert_eq!(same, known);
        let mut other = Credential::complete(described(b"two", None)).unwrap();
        other.recall(&known);
        assert_eq!(other.expiry, None);
        let mut later = Credential::complete(described(b"one", Some(900))).unwrap();
        later.recall(&known);
        assert_eq!(later.expiry, Expiry::from_unix(900));
    }

    #[test]
    fn a_rejection_names_its_secret() {
        let kept = Credential::complete(described(b"new", None)).unwrap();
        assert!(!kept.is_named_by(&described(b"old", None)));
        assert!(kept.is_named_by(&described(b"new", None)));
        assert!(kept.is_named_by(&Query {
            password: None,
            ..described(b"", None)
        }));
    }
}
