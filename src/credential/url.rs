//! URLs as people and other programs write them: a strict reader, and percent-encoding.

use std::ffi::{OsStr, OsString};

use super::host::{is_host, is_path, is_protocol, split_at, without_slashes};
use super::percent;
use super::query::Query;
use super::username::{HIDDEN, Username};
use crate::platform::os_string;
use crate::secret::Secret;

/// The reason why a URL is invalid. Never holds a part of it: people paste tokens into URLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No `://`, or no scheme before it.
    #[error("a URL begins with its protocol, such as https://")]
    Protocol,
    #[error("the URL has no valid host")]
    Host,
    #[error("the URL holds a password: leave the password out, a prompt asks for it")]
    Password,
    /// `%` without two digits, a backslash, or an encoded control character.
    #[error("the URL holds an invalid encoding or character")]
    Encoding,
    #[error("the URL of a repository has no query and no fragment")]
    Query,
}

/// Reads `PROTOCOL://[USER@]HOST[:PORT][/PATH]`: the host ends at the first `/`, the user at the last `@` before it.
///
/// Stricter than git (`credential.c`): fails for a password, a query, a fragment, a backslash, and an encoded control
/// character in the host or the path.
pub fn parse(url: &[u8]) -> Result<Query, Error> {
    let (protocol, rest) = split_scheme(url).ok_or(Error::Protocol)?;
    if !is_protocol(protocol) {
        return Err(Error::Protocol);
    }
    if rest.iter().any(|byte| b"?#".contains(byte)) {
        return Err(Error::Query);
    }
    if rest.contains(&b'\\') {
        return Err(Error::Encoding);
    }
    let (authority, path) = split_at(rest, b'/');
    let path = path.unwrap_or_default();
    let (user, host) = match authority.iter().rposition(|&byte| byte == b'@') {
        Some(at) => (Some(&authority[..at]), &authority[at + 1..]),
        None => (None, authority),
    };
    if user.is_some_and(|user| user.contains(&b':')) {
        return Err(Error::Password);
    }
    let host = decode(host)?.to_ascii_lowercase();
    if user.is_some_and(|user| user.contains(&b'@'))
        || !(is_host(&host) || host.is_empty() && protocol == b"cert")
    {
        return Err(Error::Host);
    }
    // `cert` has the path of a file: `cert:////p/cc.pem` means `/p/cc.pem`.
    let path = if protocol.eq_ignore_ascii_case(b"cert") {
        decode(path)?
    } else {
        decode(without_slashes(path))?
    };
    Ok(Query {
        protocol: Some(protocol.to_ascii_lowercase()),
        host: Some(host),
        path: (!path.is_empty()).then_some(path),
        username: user.map(read_user).transpose()?,
        ..Query::default()
    })
}

/// Splits `SCHEME://REST`.
pub(crate) fn split_scheme(url: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = url.windows(3).position(|three| three == b"://")?;
    Some((&url[..at], &url[at + 3..]))
}

/// Returns `text` without the secrets of its first URL: the password, and a user that may be a token. For keys and values of
/// git's configuration, such as `credential.https://octocat@github.com.helper`.
pub fn without_secrets(text: &OsStr) -> OsString {
    let bytes = text.as_encoded_bytes();
    let hidden = || {
        let (_, rest) = split_scheme(bytes)?;
        let before = &bytes[..bytes.len() - rest.len()];
        let authority = rest.split(|byte| b"/?#".contains(byte)).next()?;
        let at = authority.iter().rposition(|&byte| byte == b'@')?;
        let (user, after) = rest.split_at(at);
        let (name, password) = split_at(user, b':');
        let plain = |text: &[u8]| decode(text).unwrap_or_else(|_| text.to_vec());
        let mut username = Username::from(plain(name));
        if let Some(password) = password {
            username = username.with_password(&Secret::new(&plain(password)));
        }
        let hidden = HIDDEN.as_bytes();
        if username.may_be_token() {
            return Some([before, hidden, after].concat());
        }
        password.map(|_| [before, name, b":", hidden, after].concat())
    };
    os_string(hidden().unwrap_or_else(|| bytes.to_vec()))
}

/// Whether `path` is `folder` or below it, by whole parts: `acme/r` is below `acme`, `acmecorp` is not.
pub fn is_at_or_below(path: &[u8], folder: &[u8]) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

/// Reads a user. git passes every byte except NUL, LF and CR (`credential.c`), so a username may hold a tab.
fn read_user(text: &[u8]) -> Result<Username, Error> {
    let name = percent::decode_strictly(text).ok_or(Error::Encoding)?;
    if name.iter().any(|byte| b"\0\r\n".contains(byte)) {
        return Err(Error::Encoding);
    }
    Ok(Username::from(name))
}

/// Decodes percent-encoding. Fails if the result holds a control character.
pub fn decode(text: &[u8]) -> Result<Vec<u8>, Error> {
    let plain = percent::decode_strictly(text).ok_or(Error::Encoding)?;
    is_path(&plain).then_some(plain).ok_or(Error::Encoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &str) -> Result<[Option<String>; 4], Error> {
        let said = parse(url.as_bytes())?;
        let text = |bytes: Option<Vec<u8>>| bytes.map(|bytes| String::from_utf8(bytes).unwrap());
        Ok([
            text(said.protocol),
            text(said.host),
            text(said.path),
            text(said.username.map(|name| name.expose().to_vec())),
        ])
    }

    fn some(parts: [&str; 4]) -> [Option<String>; 4] {
        parts.map(|part| (!part.is_empty()).then(|| part.to_owned()))
    }

    #[test]
    fn reads_what_git_reads() {
        for (url, expected) in [
            ("https://example.test", ["https", "example.test", "", ""]),
            ("https://example.test/", ["https", "example.test", "", ""]),
            (
                "https://Example.TEST:8443/a/b.git/",
                ["https", "example.test:8443", "a/b.git", ""],
            ),
            (
                "https://alice@example.test//a%20b",
                ["https", "example.test", "a b", "alice"],
            ),
            (
                "https://alice%40corp@example.test",
                ["https", "example.test", "", "alice@corp"],
            ),
            (
                "https://a%09b@example.test",
                ["https", "example.test", "", "a\tb"],
            ),
            ("smtp://[::1]:25", ["smtp", "[::1]:25", "", ""]),
        ] {
            assert_eq!(parts(url), Ok(some(expected)), "{url}");
        }
        let cert = parse(b"cert:///home/u/c.pem").unwrap();
        assert_eq!(
            (cert.host, cert.path),
            (Some(Vec::new()), Some(b"home/u/c.pem".to_vec()))
        );
    }

    #[test]
    fn a_setting_is_shown_without_its_secrets() {
        for (key, shown) in [
            ("credential.helper", "credential.helper"),
            (
                "credential.https://one.test:8443/@x.helper",
                "credential.https://one.test:8443/@x.helper",
            ),
            (
                "credential.https://alice@one.test.helper",
                "credential.https://alice@one.test.helper",
            ),
            (
                "credential.https://alice:se:c@ret@one.test/x.helper",
                "credential.https://alice:***@one.test/x.helper",
            ),
            (
                "credential.https://:x@one.test.helper",
                "credential.https://:***@one.test.helper",
            ),
            (
                "http.https://ghp_madeup@one.test.sslverify",
                "http.https://***@one.test.sslverify",
            ),
            (
                "url.https://madeup:x-oauth-basic@one.test/.insteadof",
                "url.https://***@one.test/.insteadof",
            ),
            ("https://madeup:@one.test/", "https://***@one.test/"),
            ("https://ghp%5Fmadeup:x@one.test/", "https://***@one.test/"),
        ] {
            assert_eq!(without_secrets(key.as_ref()), shown, "{key}");
        }
    }

    #[test]
    fn refuses_what_could_be_read_in_two_ways() {
        for (url, error) in [
            ("example.test", Error::Protocol),
            ("://example.test", Error::Protocol),
            ("https://", Error::Host),
            ("https:///x", Error::Host),
            ("https://victim.test:x@evil.test/", Error::Password),
            ("https://a@victim.test@evil.test/", Error::Host),
            ("https://victim.test\\@evil.test/", Error::Encoding),
            ("https://victim.test\\evil.test/", Error::Encoding),
            ("https://good.test%40victim.test/", Error::Host),
            ("https://good.test%2fvictim.test/", Error::Host),
            ("https://one.test?%0ahost=two.test/", Error::Query),
            ("https://one.test/%0ahost=two.test", Error::Encoding),
            ("https://one.test/%00", Error::Encoding),
            ("https://one.test/%09", Error::Encoding),
            ("https://a%0ab@one.test", Error::Encoding),
            ("https://a%0db@one.test", Error::Encoding),
            ("https://a%00b@one.test", Error::Encoding),
            ("https://one.test/%4", Error::Encoding),
            ("https://one.test/%zz", Error::Encoding),
            ("https://one.test/a#b", Error::Query),
        ] {
            assert_eq!(parts(url), Err(error), "{url}");
        }
    }
}
