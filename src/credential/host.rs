//! The bytes that a protocol, a host and a path may hold.

/// In bytes: longer than any DNS name with a port (RFC 1035: 253), with room for tests and intranets.
const LONGEST_HOST: usize = 1024;

/// Whether `text` is one or more ASCII letters, digits and bytes of `more`.
pub fn consists_of(text: &[u8], more: &[u8]) -> bool {
    let is_usual = |byte: &u8| byte.is_ascii_alphanumeric() || more.contains(byte);
    !text.is_empty() && text.iter().all(is_usual)
}

/// Splits `text` at the first `separator`, if there is one, and drops it.
pub fn split_at(text: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    let mut parts = text.splitn(2, |&byte| byte == separator);
    (parts.next().unwrap_or_default(), parts.next())
}

/// Returns `path` without the slashes at both ends.
pub(crate) fn without_slashes(mut path: &[u8]) -> &[u8] {
    while let [b'/', rest @ ..] | [rest @ .., b'/'] = path {
        path = rest;
    }
    path
}

/// Whether `text` is a URL scheme (RFC 3986 §3.1).
pub fn is_protocol(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_alphabetic)
        && text.len() <= 64
        && consists_of(text, b"+-.")
}

/// Splits `HOST:PORT`. The port may be empty.
pub fn split_port(host: &[u8]) -> (&[u8], &[u8]) {
    match host.iter().rposition(|&byte| byte == b':') {
        Some(at) if host[at + 1..].iter().all(u8::is_ascii_digit) => (&host[..at], &host[at + 1..]),
        _ => (host, b""),
    }
}

/// Whether `text` can stand between `//` and `/` of a URL without another meaning.
///
/// - In ASCII: letters, digits, `-._~%:`, and the sub-delims `*+,=` of a reg-name (RFC 3986 §3.2.2). The other sub-delims,
///   `!$&'();`, have a meaning in a shell.
/// - Outside ASCII: any byte, as git passes it, except Unicode line ends.
/// - Brackets only around an IPv6 address.
///
/// The host need not exist: no entry matches an unknown name.
pub fn is_host(text: &[u8]) -> bool {
    if text.is_empty() || text.len() > LONGEST_HOST {
        return false;
    }
    if let Some((address, port)) = text.strip_prefix(b"[").map(|rest| split_at(rest, b']')) {
        let is_port = match port {
            Some([b':', digits @ ..]) => digits.iter().all(u8::is_ascii_digit),
            port => port.is_some_and(<[u8]>::is_empty),
        };
        return address.contains(&b':') && consists_of(address, b":.%") && is_port;
    }
    // U+2028, U+2029 and U+0085 in UTF-8: some languages read them as line ends.
    let breaks: [&[u8]; 3] = [b"\xE2\x80\xA8", b"\xE2\x80\xA9", b"\xC2\x85"];
    let has = |line_end: &&[u8]| text.windows(line_end.len()).any(|part| part == *line_end);
    let is_name_byte = |byte: &u8| {
        byte.is_ascii_alphanumeric() || !byte.is_ascii() || b"-._~%:*+,=".contains(byte)
    };
    text.iter().all(is_name_byte) && (text.is_ascii() || !breaks.iter().any(has))
}

/// Whether `text` is a path as git passes it: no control characters.
pub fn is_path(text: &[u8]) -> bool {
    !text.iter().any(u8::is_ascii_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_exist() {
        let hosts: [&[u8]; 9] = [
            b"github.com",
            b"localhost:8443",
            b"127.0.0.1",
            b"[::1]",
            b"[fe80::1%25eth0]:8443",
            b"git_internal",
            "bücher.example".as_bytes(),
            b"VICTIM.TEST",
            b"xn--bcher-kva.example",
        ];
        assert!(hosts.iter().all(|host| is_host(host)));
    }

    #[test]
    fn hosts_that_are_something_else() {
        let not: [&[u8]; 30] = [
            b"a'b.test",
            b"a&b.test",
            b"a!b.test",
            b"a;b.test",
            b"a$b.test",
            b"$(id).test",
            b"a(b.test",
            b"a)b.test",
            b"a`b.test",
            b"a|b.test",
            b"",
            b"good.test@victim.test",
            b"victim.test/",
            b"victim.test#",
            b"victim.test?",
            b"victim.test\\",
            b"[victim.test]",
            b"[::1",
            b"[::1]x",
            b"[::1]:80x",
            b"::1]",
            b"a b",
            b"a\tb",
            b"a\x1b[2Jb",
            b"a\x7fb",
            b"a\xE2\x80\xA8b",
            b"a\xE2\x80\xA9b",
            b"a\xC2\x85b",
            b"a\0b",
            b"a\rb",
        ];
        for host in not {
            assert!(!is_host(host), "{}", host.escape_ascii());
        }
        assert!(!is_host(&b"A".repeat(65_530)));
    }

    #[test]
    fn protocols() {
        assert!(
            [&b"https"[..], b"smtp", b"cert", b"git+ssh"]
                .iter()
                .all(|text| is_protocol(text))
        );
        assert!(
            ![&b""[..], b"ht tp", b"http:", b"7z", b"a=b"]
                .iter()
                .any(|text| is_protocol(text))
        );
    }
}
