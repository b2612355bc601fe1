//! The compact form of a credential in memory: one record, and its secrets together in the arena.

use std::time::Duration;

use zeroize::Zeroizing;

use super::super::Listed;
use crate::credential::expiry::Expiry;
use crate::credential::key::{Key, KeyParts};
use crate::credential::username::Username;
use crate::credential::{Authorization, Credential};
use crate::platform::arena::Locked;
use crate::secret::Secret;
use crate::time::Now;

/// Protocol, host, path, username and scheme, then password, parameters and refresh token.
const PARTS: usize = 8;
/// How many of them are no secrets.
const NAMES: usize = 5;

/// Where the numbers of a record begin, each with its lowest byte first.
const USED: usize = 0;
const STORED: usize = 8;
const EXPIRY: usize = 16;
const TIMEOUT: usize = 24;
const MAX_AGE: usize = 28;
const FLAGS: usize = 32;
const LENGTHS: usize = 33;

const IS_ALONE: u8 = 1;
const IS_COMPLETE: u8 = 2;

/// A credential and its times in two allocations. As a [`Credential`] it takes ten.
pub(super) struct Packed {
    /// The numbers, the lengths of all parts, and the names. A username may be a token, so that a record is wiped.
    record: Zeroizing<Box<[u8]>>,
    secrets: Locked,
}

/// The times that decide when an entry is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    /// In seconds after the last use; the largest number means no limit.
    pub(super) timeout: u32,
    /// In seconds after `stored`; the largest number means no limit.
    pub(super) max_age: u32,
    /// On the monotonic clock, in nanoseconds.
    pub(super) stored: u64,
    pub(super) used: u64,
}

impl Packed {
    pub(super) fn of(credential: &Credential, times: Times) -> Self {
        let username = credential.key.username.as_ref();
        let parts = parts_of(credential);
        let (names, secrets) = parts.split_at(NAMES);
        let mut start = vec![0; LENGTHS];
        for part in parts {
            push_length(part.map(<[u8]>::len), &mut start);
        }
        if username.is_some_and(Username::is_alone) {
            start[FLAGS] |= IS_ALONE;
        }
        if credential.is_complete() {
            start[FLAGS] |= IS_COMPLETE;
        }
        // The exact size: a vector that moves leaves its bytes behind.
        let mut record = Vec::with_capacity(start.len() + length_of(names));
        record.extend_from_slice(&start);
        for name in names.iter().flatten() {
            record.extend_from_slice(name);
        }
        let mut locked = Locked::new(length_of(secrets));
        let mut at = 0;
        for secret in secrets.iter().flatten() {
            locked[at..at + secret.len()].copy_from_slice(secret);
            at += secret.len();
        }
        let mut packed = Self {
            record: Zeroizing::new(record.into_boxed_slice()),
            secrets: locked,
        };
        packed.set(STORED, times.stored.to_le_bytes());
        packed.set(TIMEOUT, times.timeout.to_le_bytes());
        packed.set(MAX_AGE, times.max_age.to_le_bytes());
        packed.set_used(times.used);
        packed.set_expiry(credential.expiry);
        packed
    }

    pub(super) fn times(&self) -> Times {
        Times {
            timeout: u32::from_le_bytes(self.bytes(TIMEOUT)),
            max_age: u32::from_le_bytes(self.bytes(MAX_AGE)),
            stored: u64::from_le_bytes(self.bytes(STORED)),
            used: u64::from_le_bytes(self.bytes(USED)),
        }
    }

    pub(super) fn set_used(&mut self, used: u64) {
        self.set(USED, used.to_le_bytes());
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
        // 0 without one.
        Expiry::from_unix(u64::from_le_bytes(self.bytes(EXPIRY)))
    }

    pub(super) fn set_expiry(&mut self, expiry: Option<Expiry>) {
        self.set(EXPIRY, expiry.map_or(0, Expiry::unix).to_le_bytes());
    }

    /// As [`Credential::is_complete`].
    pub(super) fn is_complete(&self) -> bool {
        self.record[FLAGS] & IS_COMPLETE != 0
    }

    /// As [`Credential::wipe_expired`].
    pub(super) fn wipe_expired(&mut self) {
        let mut credential = self.credential();
        credential.wipe_expired();
        *self = Self::of(&credential, self.times());
    }

    /// When to forget the entry, on the monotonic clock.
    pub(super) fn forgotten(&self) -> Duration {
        let times = self.times();
        after(times.used, times.timeout).min(after(times.stored, times.max_age))
    }

    /// Wipes expired secrets. Returns false if the entry must be forgotten.
    pub(super) fn age(&mut self, now: Now) -> bool {
        let expiry = self.expiry();
        if expiry.is_some_and(|expiry| expiry.is_past(now.unix)) && self.is_complete() {
            self.wipe_expired();
        }
        now.monotonic < self.forgotten()
    }

    /// When [`Packed::age`] changes something, on the monotonic clock.
    pub(super) fn due(&self, now: Now) -> Duration {
        match self.expiry() {
            Some(expiry) if self.is_complete() => {
                // One second more: a token still works in its last second.
                let left = Duration::from_secs(expiry.left(now.unix) + 1);
                self.forgotten().min(now.monotonic + left)
            }
            _ => self.forgotten(),
        }
    }

    fn bytes<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.record[at..at + N]);
        bytes
    }

    fn set<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        self.record[at..at + N].copy_from_slice(&bytes);
    }

    fn key(&self) -> Key {
        let parts = self.key_parts();
        let is_alone = self.record[FLAGS] & IS_ALONE != 0;
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
        let mut names = &self.record[LENGTHS..];
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

/// A moment in nanoseconds, and so many seconds later.
fn after(moment: u64, seconds: u32) -> Duration {
    if seconds == u32::MAX {
        return Duration::MAX;
    }
    Duration::from_nanos(moment) + Duration::from_secs(u64::from(seconds))
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
            let times = Times {
                timeout: 900,
                max_age: u32::MAX,
                stored: u64::MAX - 1,
                used: 7,
            };
            let mut packed = Packed::of(&credential, times);
            assert_eq!(packed.credential(), credential);
            assert_eq!(is_alone(&packed.credential()), is_alone(&credential));
            assert_eq!(packed.is_complete(), credential.is_complete());
            assert_eq!(packed.listed(), Listed::of(&credential));
            assert!(packed.key_parts() == credential.key.parts());
            packed.wipe_expired();
            assert_eq!(packed.times(), times);
            packed.set_used(8);
            assert_eq!(packed.times(), Times { used: 8, ..times });
            credential.wipe_expired();
            assert_eq!(packed.credential(), credential);
        }
    }
}
