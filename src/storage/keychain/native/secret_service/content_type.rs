//! The content type of a secret, for services that change text.

/// The type that libsecret gives its passwords, and that git's own helper reads.
const TEXT: &str = "text/plain";

/// Every service keeps this type byte for byte.
const BYTES: &str = "application/octet-stream";

/// Returns the content type with which a service returns `secret` byte for byte.
///
/// - `KeePassXC` and `KWallet` decode text: they replace bytes that are not UTF-8 by U+FFFD and drop a byte order mark.
/// - `KeePassXC` also replaces placeholders such as `{TITLE}`, and its XML file cannot hold control characters.
/// - gnome-keyring ignores the content type.
pub(super) fn content_type(secret: &[u8]) -> &'static str {
    let survives = |letter: char| match letter {
        '\n' => true,
        '{' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => false,
        _ => !letter.is_control(),
    };
    match str::from_utf8(secret) {
        Ok(text) if text.chars().all(survives) => TEXT,
        _ => BYTES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_letters_are_declared_as_text() {
        for (secret, expected) in [
            (&b"tok-one"[..], TEXT),
            (b"tok-one\npassword_expiry_utc=1795737599", TEXT),
            ("tok-ä-\u{1F511}".as_bytes(), TEXT),
            (b"", TEXT),
            (b"tok-\xFF", BYTES),
            (b"tok-\xC3", BYTES),
            ("\u{feff}tok".as_bytes(), BYTES),
            ("tok-\u{ffff}".as_bytes(), BYTES),
            (b"tok-{TITLE}", BYTES),
            (b"tok\r", BYTES),
            (b"tok\x01", BYTES),
            (b"tok\x7f", BYTES),
            (b"tok\t", BYTES),
        ] {
            assert_eq!(content_type(secret), expected, "{}", secret.escape_ascii());
        }
    }
}
