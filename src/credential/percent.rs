//! Percent-encoding (RFC 3986 §2.1): the one place that writes and reads it.

use zeroize::Zeroizing;

/// Appends `text` to `url`, with each byte that `is_special` picks as `%XX`.
pub fn encode(url: &mut Vec<u8>, text: &[u8], is_special: impl Fn(u8) -> bool) {
    for &byte in text {
        if is_special(byte) {
            url.extend_from_slice(format!("%{byte:02X}").as_bytes());
        } else {
            url.push(byte);
        }
    }
}

/// Returns `text` with all but ASCII letters, digits and the ASCII bytes in `plain` encoded.
pub fn encoded(text: &[u8], plain: &[u8]) -> String {
    let mut encoded = Vec::with_capacity(text.len());
    let is_special = |byte: u8| !byte.is_ascii_alphanumeric() && !plain.contains(&byte);
    encode(&mut encoded, text, is_special);
    String::from_utf8_lossy(&encoded).into_owned()
}

/// Whether git takes the byte and its escape for two names when it compares URLs (`urlmatch.c`, `URL_RESERVED`).
pub fn is_reserved(byte: u8) -> bool {
    b"!#$%&'()*+,/:;=?@[]".contains(&byte)
}

/// Decodes as git does (`url.c`): a `%` without two digits, or with those of NUL, stands for itself. Returns whether there was none.
pub fn decode(text: &[u8]) -> (Zeroizing<Vec<u8>>, bool) {
    let mut plain = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut is_clean = true;
    let mut rest = text;
    while let [first, after @ ..] = rest {
        if let Some(byte) = escape(rest) {
            plain.push(byte);
            rest = &rest[3..];
        } else {
            plain.push(*first);
            is_clean &= *first != b'%';
            rest = after;
        }
    }
    (plain, is_clean)
}

/// Decodes; `None` where a `%` stands for itself.
pub fn decode_strictly(text: &[u8]) -> Option<Vec<u8>> {
    let (plain, is_clean) = decode(text);
    is_clean.then(|| plain.to_vec())
}

/// The byte of the escape that `text` begins with.
fn escape(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else {
        return None;
    };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = digit(*high)? << 4 | digit(*low)?;
    u8::try_from(byte).ok().filter(|&byte| byte > 0)
}

/// Encodes `text` as the value of a URL's query (RFC 3986 §2.3).
pub fn query_value(text: &str) -> String {
    encoded(text.as_bytes(), b"-._~")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_leaves_other_percents() {
        let text = b"a b%/\xff~";
        let written = encoded(text, b"-._~/");
        assert_eq!(written, "a%20b%25/%FF~");
        assert_eq!(
            decode_strictly(written.as_bytes()).as_deref(),
            Some(&text[..])
        );
        for (text, plain) in [
            ("%", "%"),
            ("%4", "%4"),
            ("%zz", "%zz"),
            ("%00", "%00"),
            ("%%41", "%A"),
        ] {
            assert_eq!(&decode(text.as_bytes()).0[..], plain.as_bytes(), "{text}");
            assert_eq!(decode_strictly(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn query_values_are_encoded() {
        assert_eq!(
            query_value("git on büro & co"),
            "git%20on%20b%C3%BCro%20%26%20co"
        );
    }
}
