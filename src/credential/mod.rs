//! A credential: complete, with the key it is kept under.

pub mod basic;
pub mod code;
pub mod expiry;
pub mod host;
pub mod jwt;
pub mod key;
pub mod pasted;
pub mod query;
pub mod scopes;
pub mod token;
pub mod url;
pub mod username;

use self::expiry::Expiry;
use self::key::Key;
use self::query::Query;
use self::username::Username;
use crate::secret::Secret;

/// What a storage keeps. [`Credential::complete`] makes one; a storage may hand out one whose secrets have ended and been
/// wiped, so that its end can still be told.
#[derive(Debug)]
pub struct Credential {
    /// What it is kept under.
    pub key: Key,
    /// Password or token.
    pub password: Option<Secret>,
    /// For an `Authorization` header of another scheme than Basic.
    pub authorization: Option<Authorization>,
    /// When password and authorization end.
    pub expiry: Option<Expiry>,
    /// For helpers that renew.
    pub refresh_token: Option<Secret>,
}

/// `Authorization: SCHEME PARAMETERS`, git's `authtype` and `credential` (git 2.46).
pub struct Authorization {
    /// Such as `Bearer`.
    pub scheme: Vec<u8>,
    /// What follows the scheme.
    pub parameters: Secret,
}

impl std::fmt::Debug for Authorization {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authorization([REDACTED])")
    }
}

impl Authorization {
    fn is_same(&self, other: &Self) -> bool {
        self.scheme == other.scheme && self.parameters.is_same(&other.parameters)
    }
}

impl Credential {
    /// The credential that `query` describes, if it does so completely: protocol, host, and a username with a
    /// password, or an authtype with a credential. Half of such a pair is dropped.
    pub fn complete(query: Query) -> Option<Self> {
        let credential = Self::partial(query)?;
        credential.is_complete().then_some(credential)
    }

    /// The same, without asking for secrets: what a storage said of an entry whose secrets are gone.
    pub fn partial(query: Query) -> Option<Self> {
        let mut key = query.key()?;
        let Query {
            protocol: _,
            host: _,
            path: _,
            username,
            password,
            authtype,
            credential,
            expiry,
            refresh_token,
            is_exact: _,
            is_pathless: _,
        } = query;
        if let Some(password) = &password {
            key.username = key.username.map(|name| name.with_password(password));
        }
        let authorization = authtype
            .zip(credential)
            .map(|(scheme, parameters)| Authorization { scheme, parameters });
        Some(Self {
            key,
            password: username.and(password),
            authorization,
            expiry,
            refresh_token,
        })
    }

    /// Whether git can sign in with it.
    pub fn is_complete(&self) -> bool {
        self.password.is_some() || self.authorization.is_some()
    }

    /// Whether it is a password without a username: git asks for the name.
    pub fn is_nameless(&self) -> bool {
        self.key.username.is_none() && self.authorization.is_none() && self.password.is_some()
    }

    /// The secret as a forge knows it: the password, or what follows `Bearer`. `None` where the username is the token.
    pub fn token(&self) -> Option<&Secret> {
        if self.key.username.as_ref().is_some_and(Username::is_alone) {
            return None;
        }
        let bearer = self
            .authorization
            .as_ref()
            .filter(|authorization| authorization.scheme.eq_ignore_ascii_case(b"Bearer"));
        self.password
            .as_ref()
            .or(bearer.map(|authorization| &authorization.parameters))
    }

    /// Whether a forge would take both for the same, whoever's they are.
    pub fn has_token_of(&self, other: &Self) -> bool {
        let tokens = self.token().zip(other.token());
        tokens.is_some_and(|(one, two)| one.is_same(two))
    }

    /// A copy with `token` in the place of its own, which ends at `end`.
    #[must_use]
    pub fn with_token(&self, token: &Secret, end: Option<Expiry>) -> Self {
        let mut new = self.duplicate();
        new.expiry = end;
        match (&mut new.password, &mut new.authorization) {
            (Some(password), _) => *password = token.duplicate(),
            (None, Some(authorization)) => authorization.parameters = token.duplicate(),
            (None, None) => {}
        }
        new
    }

    /// Whether its end has passed at `unix_now` (Unix seconds).
    pub fn is_expired(&self, unix_now: u64) -> bool {
        self.expiry.is_some_and(|expiry| expiry.is_past(unix_now))
    }

    /// Whether both sign in with the same secrets, whatever else is known of them.
    pub fn has_same_secrets(&self, other: &Self) -> bool {
        let passwords = match (&self.password, &other.password) {
            (Some(one), Some(two)) => one.is_same(two),
            (None, None) => true,
            _ => false,
        };
        let authorizations = match (&self.authorization, &other.authorization) {
            (Some(one), Some(two)) => one.is_same(two),
            (None, None) => true,
            _ => false,
        };
        passwords && authorizations
    }

    /// Whether nothing at all differs.
    pub fn is_same(&self, other: &Self) -> bool {
        let Self {
            key,
            password: _,
            authorization: _,
            expiry,
            refresh_token,
        } = self;
        let refresh_tokens = match (refresh_token, &other.refresh_token) {
            (Some(one), Some(two)) => one.is_same(two),
            (None, None) => true,
            _ => false,
        };
        *key == other.key
            && *expiry == other.expiry
            && refresh_tokens
            && self.has_same_secrets(other)
    }

    /// Takes over from `known` what this one lacks, if it is the same secret: git before 2.40 hands a token back
    /// without its end, and before 2.41 without its refresh token.
    pub fn recall(&mut self, known: &Self) {
        if self.key == known.key && self.has_same_secrets(known) {
            self.expiry = self.expiry.or(known.expiry);
            if self.refresh_token.is_none() {
                self.refresh_token = known.refresh_token.as_ref().map(Secret::duplicate);
            }
        }
    }

    /// A rejection of exactly this secret under exactly this key.
    pub fn as_rejected(&self) -> Query {
        let parameters = self
            .authorization
            .as_ref()
            .map(|authorization| &authorization.parameters);
        Query {
            password: self.password.as_ref().map(Secret::duplicate),
            credential: parameters.map(Secret::duplicate),
            ..Query::exact(&self.key)
        }
    }

    /// Drops the secrets that have ended, and leaves the rest: who it was for, when it ended, what can renew it.
    pub fn wipe_expired(&mut self) {
        self.password = None;
        self.authorization = None;
    }

    /// A second copy, named so that it is seen.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        let Self {
            key,
            password,
            authorization,
            expiry,
            refresh_token,
        } = self;
        Self {
            key: key.clone(),
            password: password.as_ref().map(Secret::duplicate),
            authorization: authorization.as_ref().map(|authorization| Authorization {
                scheme: authorization.scheme.clone(),
                parameters: authorization.parameters.duplicate(),
            }),
            expiry: *expiry,
            refresh_token: refresh_token.as_ref().map(Secret::duplicate),
        }
    }

    /// Whether `unwanted` fits this one and names its secret, if it names one.
    pub fn is_named_by(&self, unwanted: &Query) -> bool {
        let parameters = self
            .authorization
            .as_ref()
            .map(|authorization| &authorization.parameters);
        unwanted.matches(&self.key) && unwanted.names_secret(self.password.as_ref(), parameters)
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
        assert!(same.is_same(&known));
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
