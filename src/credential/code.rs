//! A code over the secrets of a credential, under a nonce: it tells whether two have the same secrets, and says nothing to
//! who does not know them.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::Credential;
use crate::secret::Secret;

/// Over the secrets alone: whatever name and path they are kept under. `None`: HMAC takes a nonce of any length (RFC 2104),
/// so there always is one.
pub fn code(nonce: &[u8], credential: &Credential) -> Option<[u8; 16]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(nonce).ok()?;
    let parameters = credential
        .authorization
        .as_ref()
        .map(|authorization| &authorization.parameters);
    for secret in [credential.password.as_ref(), parameters] {
        let bytes = secret.map_or(&b""[..], Secret::expose);
        mac.update(&[u8::from(secret.is_some())]);
        mac.update(&(bytes.len() as u64).to_le_bytes());
        mac.update(bytes);
    }
    mac.finalize().into_bytes()[..16].try_into().ok()
}
