//! The key of a credential, and its URL for people and command lines.

use std::fmt;

use super::host::without_slashes;
use super::percent::{encode, is_reserved};
use super::username::Username;
use crate::terminal::escape::{is_plain, shell_word};

/// Protocol, host, path and username. A storage keeps one credential for each key.
///
/// `None` and empty differ: single sign-on has an empty username.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Such as `https`.
    pub protocol: Vec<u8>,
    /// As in the URL, with its port; letters folded to lower case, since DNS does not tell them apart (RFC 4343).
    pub host: Vec<u8>,
    /// Without a leading slash. git gives the path for other protocols than HTTP, and with `credential.useHttpPath`.
    pub path: Option<Vec<u8>>,
    pub username: Option<Username>,
}

/// The bytes of a [`Key`], wherever they are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyParts<'a> {
    pub protocol: &'a [u8],
    pub host: &'a [u8],
    pub path: Option<&'a [u8]>,
    pub username: Option<&'a [u8]>,
}

impl Key {
    pub fn parts(&self) -> KeyParts<'_> {
        KeyParts {
            protocol: &self.protocol,
            host: &self.host,
            path: self.path.as_deref(),
            username: self.username.as_ref().map(Username::expose),
        }
    }

    /// Returns the URL without user and secret. Encodes only the bytes that would change its meaning, so escape it before
    /// showing it on a terminal.
    pub fn url(&self) -> Vec<u8> {
        let mut url = [&self.protocol[..], b"://"].concat();
        encode(&mut url, &self.host, |byte| byte == b'%');
        if self.path.is_some() {
            url.push(b'/');
            self.push_path(&mut url, |byte| b"%?#\\".contains(&byte));
        }
        url
    }

    /// Returns the URL, with the user, as a key of git's configuration has it: `credential.URL.helper`. git compares it with
    /// the encoded path and user of a query (`credential.c`, `credential_format`). Other bytes stay as they are. The user must
    /// not be a token.
    pub fn context(&self) -> Vec<u8> {
        let mut url = [&self.protocol[..], b"://"].concat();
        if let Some(user) = &self.username {
            encode(&mut url, user.expose(), |byte| {
                byte == b'\\' || is_reserved(byte)
            });
            url.push(b'@');
        }
        url.extend_from_slice(&self.host);
        if let Some(path) = &self.path {
            url.push(b'/');
            // Where text is UTF-8, `git config --get-regexp` finds no key with other bytes.
            let is_text = str::from_utf8(path).is_ok();
            let is_special = |byte: u8| {
                byte == b'\\'
                    || (is_reserved(byte) && byte != b'/')
                    || !(is_text || byte.is_ascii())
            };
            self.push_path(&mut url, is_special);
        }
        url
    }

    /// Appends the path. Encodes the bytes that `is_special` picks, and slashes at both ends, which a URL does not keep.
    /// `cert` has the path of a file, which may begin with a slash.
    fn push_path(&self, url: &mut Vec<u8>, is_special: impl Fn(u8) -> bool) {
        let path = self.path.as_deref().unwrap_or_default();
        let is_cert = self.protocol == b"cert";
        let start = path.iter().take_while(|byte| **byte == b'/').count();
        let end = start + without_slashes(path).len();
        for (at, byte) in path.iter().enumerate() {
            let is_end = !is_cert && (at < start || at >= end);
            encode(url, &[*byte], |byte| is_end || is_special(byte));
        }
    }

    /// Whether the user may be a token. Then [`Key::argument`] leaves the user out and may mean several keys.
    pub fn hides_user(&self) -> bool {
        self.username.as_ref().is_some_and(Username::may_be_token)
    }

    /// [`Key::encoded`] as one word for a shell.
    pub fn argument(&self) -> String {
        shell_word(self.encoded().as_bytes())
    }

    /// Returns the URL with the user, with each special byte encoded: it identifies this key among others of the host. A user
    /// that may be a token is left out.
    pub fn encoded(&self) -> String {
        let mut url = [&self.protocol[..], b"://"].concat();
        let user = self.username.as_ref().and_then(Username::visible);
        if let Some(user) = user.filter(|user| !user.is_empty()) {
            encode(&mut url, user, |byte| !is_plain_byte(byte, b"-._"));
            url.push(b'@');
        }
        match str::from_utf8(&self.host) {
            // Host names in other scripts stay readable.
            Ok(host) if !host.is_ascii() && host.chars().all(is_plain) => {
                url.extend_from_slice(&self.host);
            }
            _ => encode(&mut url, &self.host, |byte| !is_plain_byte(byte, b"-._:[]")),
        }
        if self.path.is_some() {
            url.push(b'/');
            self.push_path(&mut url, |byte| !is_plain_byte(byte, b"-._/"));
        }
        // Only the host can hold bytes outside ASCII, and those are UTF-8.
        String::from_utf8_lossy(&url).into_owned()
    }
}

fn is_plain_byte(byte: u8, plain: &[u8]) -> bool {
    byte.is_ascii_alphanumeric() || plain.contains(&byte)
}

/// Shows which parts exist, without their values.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (has_path, has_user) = (self.path.is_some(), self.username.is_some());
        write!(f, "Key(path: {has_path}, username: {has_user})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::url;

    #[test]
    fn an_argument_reads_as_the_same_key() {
        for (host, user, path, written) in [
            ("example.test", None, None, "https://example.test"),
            (
                "example.test",
                Some("alice"),
                None,
                "https://alice@example.test",
            ),
            (
                "example.test:8443",
                Some("alice@corp: it's"),
                Some("a b/c'd;$(id).git"),
                "https://alice%40corp%3A%20it%27s@example.test:8443/a%20b/c%27d%3B%24%28id%29.git",
            ),
            ("[::1]:8443", Some("~a"), None, r"https://%7Ea@\[::1\]:8443"),
            ("bücher.test", None, None, "https://bücher.test"),
            ("a\u{3164}b.test", None, None, "https://a%E3%85%A4b.test"),
            ("a=b,c%d*.test", None, None, "https://a%3Db%2Cc%25d%2A.test"),
        ] {
            let bytes = |text: &str| text.as_bytes().to_vec();
            let key = Key {
                protocol: bytes("https"),
                host: bytes(host),
                path: path.map(bytes),
                username: user.map(Username::from),
            };
            assert_eq!(key.argument(), written);
            let read = url::parse(written.replace('\\', "").as_bytes()).unwrap();
            assert!(read.key() == Some(key), "{written}");
        }
    }
}
