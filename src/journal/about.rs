//! The subject of a journal entry: one secret of one user in one place.
//!
//! The journal keeps neither the secret nor the user's name, which may be a token: only fingerprints of both, under the
//! journal's own key. Journals of version 0.1.0 have the name in clear (`username=`). It becomes a fingerprint when the journal
//! is read, so the next write removes it from the file.

use subtle::ConstantTimeEq;

use crate::credential::Credential;
use crate::credential::code::{code, code_of_text, hex};
use crate::credential::key::Key;
use crate::credential::username::Username;
use crate::secret::Secret;

/// The tag before a name in a fingerprint. The tags before secrets are 0 and 1.
const NAME: u8 = 2;
/// The tag before a token alone, without the entry that it is kept in.
const TOKEN: u8 = 3;

/// Tells two secrets, or two names, apart, and nothing about either: keyed by random bytes of this journal's own.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint(pub(super) String);

impl Fingerprint {
    fn of(code: Option<[u8; 16]>) -> Self {
        Self(code.map(|code| hex(&code)).unwrap_or_default())
    }

    /// Of the secrets of `credential`.
    pub(super) fn of_secrets(journal: &[u8; 32], credential: &Credential) -> Self {
        Self::of(code(journal, credential))
    }

    /// Of a token, under any name that it is kept under.
    pub(super) fn of_token(journal: &[u8; 32], token: &Secret) -> Self {
        Self::of(code_of_text(journal, TOKEN, token.expose()))
    }

    fn of_name(journal: &[u8; 32], name: &Username) -> Self {
        Self::of(code_of_text(journal, NAME, name.expose()))
    }

    fn is_same(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

/// A user at a host, for a path or for all. `PartialEq` compares all of it.
#[derive(Clone, PartialEq, Eq, Hash)]
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

    /// The same user of the same host, for all paths.
    pub(super) fn anywhere(&self) -> Self {
        let mut anywhere = self.clone();
        anywhere.place.path = None;
        anywhere
    }

    /// Whether both are the same user of the same host. The path does not count.
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

    /// Whether both are about the same secret of the same user of the same host. The path does not count.
    pub(super) fn is_same_secret(&self, other: &Self) -> bool {
        self.owner.is_same_user(&other.owner) && self.secret.is_same(&other.secret)
    }
}

/// The tokens of a pending rotation. The first line of its paragraph is `rotation=`, the second `successor=`.
pub(super) struct RotationRecord {
    pub(super) old: Fingerprint,
    pub(super) successor: Option<Fingerprint>,
}
