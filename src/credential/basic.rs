//! The value of HTTP's basic authentication (RFC 7617), as git sends it.

use crate::secret::{Buffer, Secret};

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Returns the base64 text after `Basic `.
pub fn encoded(username: &[u8], token: &Secret) -> Secret {
    let length = username.len() + 1 + token.expose().len();
    let mut plain = Buffer::with_capacity(length);
    plain.push(username);
    plain.push(b":");
    plain.push(token.expose());
    Secret::new(base64(plain.as_slice()).as_slice())
}

/// Base64 with padding (RFC 4648 §4).
pub fn base64(bytes: &[u8]) -> Buffer {
    let mut text = Buffer::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(&[if at > three.len() { b'=' } else { letter }]);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_base64() {
        for (user, token, text) in [
            ("Aladdin", "open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
            ("a", "b", "YTpi"),
            ("a", "bc", "YTpiYw=="),
            ("a", "bcd", "YTpiY2Q="),
            ("", "\u{ff}?>", "OsO/Pz4="),
        ] {
            let encoded = encoded(user.as_bytes(), &Secret::new(token.as_bytes()));
            assert_eq!(encoded.expose(), text.as_bytes(), "{user}:{token}");
        }
    }
}
