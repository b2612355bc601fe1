//! The subject of a journal entry: one secret of one user in one place.
//!
//! The journal keeps neither the secret nor the user's name, which may be a token: only fingerprints of both, under the
//! journal's own key. Journals of version 0.1.0 have the name in clear (`username=`). It becomes a fingerprint when the journal
//! is read, so the next write removes it from the file.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::credential::Credential;
use crate::credential::key::Key;
use crate::credential::username::Username;
use crate::secret::Secret;

/// The tag before a name in a fingerprint. The tags before secrets are 0 and 1.
const NAME: u8 = 2;
/// The tag before a token alone, without the entry that it is kept in.
const TOKEN: u8 = 3;

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Tells two secrets, or two names, apart, and nothing about either: keyed by random bytes of this journal's own.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Fingerprint(pub(super) String);

impl Fingerprint {
    fn of(journal: &[u8; 32], update: impl FnOnce(&mut Hmac<Sha256>)) -> Self {
        // HMAC takes a key of any length (RFC 2104).
        let Ok(mut code) = Hmac::<Sha256>::new_from_slice(journal) else {
            return Self(String::new());
        };
        update(&mut code);
        Self(hex(&code.finalize().into_bytes()[..16]))
    }

    /// Of the secrets of `credential`.
    pub(super) fn of_secrets(journal: &[u8; 32], credential: &Credential) -> Self {
        let parameters = credential
            .authorization
            .as_ref()
            .map(|authorization| &authorization.parameters);
        Self::of(journal, |code| {
            for secret in [credential.password.as_ref(), parameters] {
                code.update(&[u8::from(secret.is_some())]);
                if let Some(secret) = secret.map(Secret::expose) {
                    code.update(&(secret.len() as u64).to_le_bytes());
                    code.update(secret);
                }
            }
        })
    }

    /// Of a token, under any name that it is kept under.
    pub(super) fn of_token(journal: &[u8; 32], token: &Secret) -> Self {
        Self::of(journal, |code| {
            code.update(&[TOKEN]);
            code.update(token.expose());
        })
    }

    fn of_name(journal: &[u8; 32], name: &Username) -> Self {
        Self::of(journal, |code| {
            code.update(&[NAME]);
            code.update(name.expose());
        })
    }

    fn is_same(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

/// A user at a host, for a path or for all. `PartialEq` compares all of it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Owner {
    /// Without the name.
    pub(super) place: Key,
    pub(super) user: Option<Fingerprint>,
}

impl Owner {
    /// The owner of the entry under `key`.
    pub(super) fn of(journal: &[u8; 32], key: &Key) -> Self {
        let user = key.username.as_ref();
        Self {
            user: user.map(|name| Fingerprint::of_name(journal, name)),
            place: Key {
                username: None,
                ..key.clone()
            },
        }
    }

    /// Whether both are the same user of the same host, whatever the path.
    pub(super) fn is_same_user(&self, other: &Self) -> bool {
        self.place.protocol == other.place.protocol
            && self.place.host == other.place.host
            && self.user == other.user
    }
}

/// A secret of an owner.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct About {
    pub(super) owner: Owner,
    pub(super) secret: Fingerprint,
}

impl About {
    pub(super) fn of(journal: &[u8; 32], credential: &Credential) -> Self {
        Self {
            owner: Owner::of(journal, &credential.key),
            secret: Fingerprint::of_secrets(journal, credential),
        }
    }

    /// Whether both are about the same secret of the same user of the same host, whatever the path.
    pub(super) fn is_same_secret(&self, other: &Self) -> bool {
        self.owner.is_same_user(&other.owner) && self.secret.is_same(&other.secret)
    }
}

/// The tokens of a pending rotation. The first line of its paragraph is `rotation=`, the second `successor=`.
pub(super) struct RotationRecord {
    pub(super) old: Fingerprint,
    pub(super) successor: Option<Fingerprint>,
}
