//! The secrets of items: git's lines, and the encodings of gh.

use zeroize::Zeroizing;

use crate::credential::jwt::from_base64url;

/// The lines after a password: those of git-credential-osxkeychain, and two that hold an authorization of ours.
const NAMES: [&[u8]; 4] = [
    b"password_expiry_utc=",
    b"oauth_refresh_token=",
    b"authtype=",
    b"credential=",
];

/// Whether each line after the first has one of the known names. git-credential-osxkeychain prints a body as it is, so an item
/// of another program could give git any attribute. An empty last line is harmless.
pub(super) fn is_sound(text: &[u8]) -> bool {
    if text.iter().any(|byte| b"\r\0".contains(byte)) {
        return false;
    }
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let mut lines = text.split(|&byte| byte == b'\n').skip(1);
    lines.all(|line| NAMES.iter().any(|name| line.starts_with(name)))
}

/// Returns the secret in an item of go-keyring, which gh and glab use (zalando/go-keyring: `keyring_darwin.go`). `None`: it
/// has a prefix of an encoding, and no such text after it.
pub(super) fn decoded(text: Zeroizing<Vec<u8>>) -> Option<Zeroizing<Vec<u8>>> {
    if let Some(coded) = text.strip_prefix(b"go-keyring-base64:") {
        return from_base64(coded);
    }
    if let Some(coded) = text.strip_prefix(b"go-keyring-encoded:") {
        return from_hex(coded);
    }
    Some(text)
}

/// Base64 with padding (RFC 4648 §4).
fn from_base64(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let digits = text.strip_suffix(b"=").unwrap_or(text);
    let digits = digits.strip_suffix(b"=").unwrap_or(digits);
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let mut digits = Zeroizing::new(digits.to_vec());
    for digit in digits.iter_mut() {
        *digit = match *digit {
            b'+' => b'-',
            b'/' => b'_',
            // Of the other alphabet.
            b'-' | b'_' => return None,
            digit => digit,
        };
    }
    from_base64url(&digits)
}

fn from_hex(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    for pair in text.chunks(2) {
        let [high, low] = pair else { return None };
        let value = |digit: u8| char::from(digit).to_digit(16);
        let byte = value(*high)? << 4 | value(*low)?;
        bytes.push(u8::try_from(byte).ok()?);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_lines_follow_a_password() {
        for good in [
            "tok-one",
            "",
            "tok-one\n",
            "tok-one\npassword_expiry_utc=5\noauth_refresh_token=r",
            "\nauthtype=Bearer\ncredential=tok",
            "tök",
        ] {
            assert!(is_sound(good.as_bytes()), "{good:?}");
        }
        for bad in [
            "tok\nhost=evil.test",
            "tok\nquit=1",
            "tok\npassword_expiry_utc",
            "tok\n\npassword_expiry_utc=5",
            "tok\r\npassword_expiry_utc=5",
            "tok\0",
            "tok\npassword_expiry_utc=5\0",
        ] {
            assert!(!is_sound(bad.as_bytes()), "{bad:?}");
        }
    }

    #[test]
    fn the_encodings_of_gh_are_read() {
        let read = |text: &str| {
            let decoded = decoded(Zeroizing::new(text.as_bytes().to_vec()));
            decoded.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
        };
        assert_eq!(read("tok-plain").unwrap(), "tok-plain");
        assert_eq!(read("go-keyring-base64:dG9rLW9uZQ==").unwrap(), "tok-one");
        assert_eq!(read("go-keyring-base64:dG9rLXR3b28=").unwrap(), "tok-twoo");
        assert_eq!(read("go-keyring-base64:").unwrap(), "");
        assert_eq!(read("go-keyring-encoded:746f6b").unwrap(), "tok");
        for bad in [
            "go-keyring-base64:dG9rLW9uZQ",
            "go-keyring-base64:dG9r!A==",
            "go-keyring-encoded:746",
            "go-keyring-encoded:74zz",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
