//! The compact form of a credential in memory: one block of names, and its secrets together in the arena.

use zeroize::Zeroizing;

use super::super::Listed;
use crate::credential::expiry::Expiry;
use crate::credential::key::{Key, KeyParts};
use crate::credential::username::Username;
use crate::credential::{Authorization, Credential};
use crate::platform::arena::Locked;
use crate::secret::Secret;

/// Protocol, host, path, username and scheme, then password, parameters and refresh token.
const PARTS: usize = 8;
/// How many of them are no secrets.
const NAMES: usize = 5;

/// The flags in the first byte.
const IS_ALONE: u8 = 1;
const IS_COMPLETE: u8 = 2;

/// A credential in two allocations. As a [`Credential`] it takes ten.
pub(super) struct Packed {
    /// Flags, the lengths of all parts, and the names. A username may be a token, so that they are wiped.
    names: Zeroizing<Box<[u8]>>,
    secrets: Locked,
    /// In Unix seconds; 0 without one.
    expiry: u64,
}

impl Packed {
    pub(super) fn of(credential: &Credential) -> Self {
        let username = credential.key.username.as_ref();
        let parts = parts_of(credential);
        let (names, secrets) = parts.split_at(NAMES);
        let mut lengths = vec![0];
        for part in parts {
            push_length(part.map(<[u8]>::len), &mut lengths);
        }
        if username.is_some_and(Username::is_alone) {
            lengths[0] |= IS_ALONE;
        }
        if credential.is_complete() {
            lengths[0] |= IS_COMPLETE;
        }
        // The exact size: a vector that moves leaves its bytes behind.
        let mut packed = Vec::with_capacity(lengths.len() + length_of(names));
        packed.extend_from_slice(&lengths);
        for name in names.iter().flatten() {
            packed.extend_from_slice(name);
        }
        let mut locked = Locked::new(length_of(secrets));
        let mut at = 0;
        for secret in secrets.iter().flatten() {
            locked[at..at + secret.len()].copy_from_slice(secret);
            at += secret.len();
        }
        Self {
            names: Zeroizing::new(packed.into_boxed_slice()),
            secrets: locked,
            expiry: credential.expiry.map_or(0, Expiry::unix),
        }
    }

    pub(super) fn credential(&self) -> Credential {
        let [.., scheme, password, parameters, refresh_token] = self.parts();
        let authorization = scheme.zip(parameters);
        Credential {
            key: self.key(),
            password: password.map(Secret::new),
            authorization: authorization.map(|(scheme, parameters)| Authorization {
                scheme: scheme.to_vec(),
                parameters: Secret::new(parameters),
            }),
            expiry: self.expiry(),
            refresh_token: refresh_token.map(Secret::new),
        }
    }

    /// As [`Listed::of`] its credential.
    pub(super) fn listed(&self) -> Listed {
        let [.., scheme, _, _, refresh_token] = self.parts();
        Listed {
            key: self.key(),
            expiry: self.expiry(),
            scheme: scheme.map(<[u8]>::to_vec),
            is_renewable: refresh_token.is_some(),
            forgotten: None,
            written: None,
        }
    }

    pub(super) fn key_parts(&self) -> KeyParts<'_> {
        let [protocol, host, path, username, ..] = self.parts();
        KeyParts {
            protocol: protocol.unwrap_or_default(),
            host: host.unwrap_or_default(),
            path,
            username,
        }
    }

    pub(super) fn expiry(&self) -> Option<Expiry> {
        Expiry::from_unix(self.expiry)
    }

    pub(super) fn set_expiry(&mut self, expiry: Option<Expiry>) {
        self.expiry = expiry.map_or(0, Expiry::unix);
    }

    /// As [`Credential::is_complete`].
    pub(super) fn is_complete(&self) -> bool {
        self.names[0] & IS_COMPLETE != 0
    }

    /// As [`Credential::wipe_expired`].
    pub(super) fn wipe_expired(&mut self) {
        let mut credential = self.credential();
        credential.wipe_expired();
        *self = Self::of(&credential);
    }

    fn key(&self) -> Key {
        let parts = self.key_parts();
        let is_alone = self.names[0] & IS_ALONE != 0;
        Key {
            protocol: parts.protocol.to_vec(),
            host: parts.host.to_vec(),
            path: parts.path.map(<[u8]>::to_vec),
            username: parts
                .username
                .map(|name| Username::from(name).alone(is_alone)),
        }
    }

    fn parts(&self) -> [Option<&[u8]>; PARTS] {
        let mut names = &self.names[1..];
        let lengths: [_; PARTS] = std::array::from_fn(|_| take_length(&mut names));
        let mut secrets = &self.secrets[..];
        std::array::from_fn(|part| {
            let source = if part < NAMES {
                &mut names
            } else {
                &mut secrets
            };
            source.split_off(..lengths[part]?)
        })
    }
}

fn parts_of(credential: &Credential) -> [Option<&[u8]>; PARTS] {
    let parts = credential.key.parts();
    let authorization = credential.authorization.as_ref();
    [
        Some(parts.protocol),
        Some(parts.host),
        parts.path,
        parts.username,
        authorization.map(|known| &known.scheme[..]),
        credential.password.as_ref().map(Secret::expose),
        credential.parameters().map(Secret::expose),
        credential.refresh_token.as_ref().map(Secret::expose),
    ]
}

fn length_of(parts: &[Option<&[u8]>]) -> usize {
    parts.iter().flatten().map(|part| part.len()).sum()
}

/// Writes 0 for an absent part, and else the length and one, seven bits in each byte, the lowest first.
fn push_length(length: Option<usize>, out: &mut Vec<u8>) {
    let mut rest = length.map_or(0, |length| length + 1);
    while rest > 0x7F {
        out.push(rest.to_le_bytes()[0] | 0x80);
        rest >>= 7;
    }
    out.push(rest.to_le_bytes()[0]);
}

/// Reads what [`push_length`] wrote.
fn take_length(bytes: &mut &[u8]) -> Option<usize> {
    let (mut value, mut shift) = (0, 0);
    while let Some(&byte) = bytes.split_off_first() {
        value |= usize::from(byte & 0x7F) << shift;
        shift += 7;
        if byte < 0x80 {
            break;
        }
    }
    value.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::query::Query;

    #[test]
    fn a_packed_credential_is_the_same_with_each_part_and_without() {
        let lengths = [0, 1, 126, 127, 128, 20_000];
        for (case, &length) in (0..64_u32).zip(lengths.iter().cycle()) {
            let has = |bit: u32| case >> bit & 1 == 1;
            let bytes = |letter: u8| vec![letter; length];
            let secret = |letter: u8| Secret::new(&bytes(letter));
            let mut credential = Credential::partial(Query {
                protocol: Some(b"https".to_vec()),
                host: Some(bytes(b'h')),
                path: has(0).then(|| bytes(b'p')),
                username: has(1).then(|| bytes(b'u').into()),
                password: has(2).then(|| secret(b'w')),
                authtype: has(3).then(|| bytes(b's')),
                credential: has(3).then(|| secret(b'c')),
                refresh_token: has(4).then(|| secret(b'r')),
                expiry: Expiry::from_unix(u64::from(has(5)) * 1_000_000),
                ..Query::default()
            })
            .unwrap();
            let is_alone = |credential: &Credential| {
                let username = credential.key.username.as_ref();
                username.is_some_and(Username::is_alone)
            };
            let mut packed = Packed::of(&credential);
            assert_eq!(packed.credential(), credential);
            assert_eq!(is_alone(&packed.credential()), is_alone(&credential));
            assert_eq!(packed.is_complete(), credential.is_complete());
            assert_eq!(packed.listed(), Listed::of(&credential));
            assert!(packed.key_parts() == credential.key.parts());
            packed.wipe_expired();
            credential.wipe_expired();
            assert_eq!(packed.credential(), credential);
        }
    }
}
