//! Fingerprints: keyed hashes that tell whether two secrets or names are the same without showing them.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::Credential;
use crate::secret::Secret;

/// Returns the fingerprint of a credential's secrets; name, host and path do not count. Never `None`: HMAC takes a key of any
/// length (RFC 2104).
pub fn code(key: &[u8], credential: &Credential) -> Option<[u8; 16]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    for secret in [credential.password.as_ref(), credential.parameters()] {
        mac.update(&[u8::from(secret.is_some())]);
        if let Some(secret) = secret.map(Secret::expose) {
            mac.update(&(secret.len() as u64).to_le_bytes());
            mac.update(secret);
        }
    }
    mac.finalize().into_bytes()[..16].try_into().ok()
}

/// Returns the fingerprint of a single text. `tag`: its kind; 0 and 1 begin the fingerprints of credentials.
pub fn code_of_text(key: &[u8], tag: u8, text: &[u8]) -> Option<[u8; 16]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(&[tag]);
    mac.update(text);
    mac.finalize().into_bytes()[..16].try_into().ok()
}

/// Returns `bytes` as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads what [`hex`] wrote.
pub fn unhex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    // `from_str_radix` would take a sign.
    if digits.len() != 2 * N || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}
