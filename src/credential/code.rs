//! A keyed hash of a credential's secrets: it tells whether two credentials have the same secrets without showing them.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::Credential;
use crate::secret::Secret;

/// Returns HMAC-SHA-256 over the secrets, cut to 16 bytes; the key does not count. Never `None`: HMAC takes a nonce of any
/// length (RFC 2104).
pub fn code(nonce: &[u8], credential: &Credential) -> Option<[u8; 16]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(nonce).ok()?;
    for secret in [credential.password.as_ref(), credential.parameters()] {
        let bytes = secret.map_or(&b""[..], Secret::expose);
        mac.update(&[u8::from(secret.is_some())]);
        mac.update(&(bytes.len() as u64).to_le_bytes());
        mac.update(bytes);
    }
    mac.finalize().into_bytes()[..16].try_into().ok()
}
