//! A token as people paste it: from a shell, a header, a `.env` file, a web page.
//!
//! | pasted | saved |
//! |---|---|
//! | `Authorization: Bearer TOKEN` | `TOKEN` |
//! | `export GH_TOKEN="TOKEN"` | `TOKEN` |
//! | a byte order mark, `TOKEN`, a zero-width space | `TOKEN` |
//! | `TOK EN`, `https://…`, `ssh-ed25519 …`, `{"token":"TOKEN"}` | refused: see [`Flaw`] |

use super::username::begins_as_token;
use crate::plain::is_plain;

/// Why a text cannot be a token that a server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Nothing is left without what surrounds a token.
    #[error("it is empty")]
    Empty,
    /// A key pair's public or private half.
    #[error("it is an SSH key, which serves ssh:// URLs only")]
    SshKey,
    /// An address, such as that of the page with the token.
    #[error("it is a URL")]
    Url,
    /// A line for a shell.
    #[error("it is a command line")]
    Command,
    /// The name of a variable, or a mask of asterisks.
    #[error("it is a placeholder")]
    Placeholder,
    /// A bracket, a comma or a name beside what has the form of a token.
    #[error("it holds more than the token")]
    Surrounded,
    /// A line feed or a carriage return.
    #[error("it has more than one line")]
    Lines,
    /// A space or a tab.
    #[error("it holds a space")]
    Space,
    /// NUL, an escape and the like.
    #[error("it holds a control character")]
    Control,
    /// A letter of another script, an invisible character, or a byte that is no text.
    #[error("it holds a character that is not ASCII, which may be invisible")]
    NotAscii,
}

impl Flaw {
    /// Whether a person may insist: git's protocol can carry it, and some server may take it as a password.
    pub fn can_be_kept(self) -> bool {
        !matches!(self, Self::Empty | Self::Lines | Self::Control)
    }
}

/// Words before a token, each followed by a space.
const SCHEMES: [&str; 2] = ["bearer", "token"];
/// What a terminal puts around a paste (xterm, bracketed paste mode).
const PASTE: (&[u8], &[u8]) = (b"\x1b[200~", b"\x1b[201~");
const QUOTES: [(&str, &str); 5] = [
    ("\"", "\""),
    ("'", "'"),
    ("`", "`"),
    ("\u{201c}", "\u{201d}"),
    ("\u{2018}", "\u{2019}"),
];
/// Programs that people run with a token.
const PROGRAMS: [&[u8]; 12] = [
    b"$", b"cat", b"curl", b"docker", b"echo", b"export", b"gh", b"git", b"glab", b"printf",
    b"set", b"sudo",
];

/// The token in `pasted`, without what surely does not belong to it.
pub fn cleaned(pasted: &[u8]) -> &[u8] {
    let mut token = pasted;
    loop {
        let shorter = without_assignment(without_label(unquoted(trimmed(token))));
        if shorter.len() == token.len() {
            return token;
        }
        token = shorter;
    }
}

/// Why no server takes `token`, which is [`cleaned`]. `None`: it can be sent.
pub fn flaw(token: &[u8]) -> Option<Flaw> {
    let has = |part: &[u8]| token.windows(part.len()).any(|window| window == part);
    let first = token.split(u8::is_ascii_whitespace).next()?;
    let has_space = first.len() < token.len();
    if token.is_empty() {
        Some(Flaw::Empty)
    } else if has(b"-----BEGIN ") || has_space && is_key_type(first) {
        Some(Flaw::SshKey)
    } else if has(b"://") || token.starts_with(b"git@") {
        Some(Flaw::Url)
    } else if has_space && PROGRAMS.contains(&first) {
        Some(Flaw::Command)
    } else if is_placeholder(token) {
        Some(Flaw::Placeholder)
    } else if token.iter().any(|byte| b"\r\n".contains(byte)) {
        Some(Flaw::Lines)
    } else if has_space {
        Some(Flaw::Space)
    } else if token.iter().any(u8::is_ascii_control) {
        Some(Flaw::Control)
    } else if !token.is_ascii() {
        Some(Flaw::NotAscii)
    } else if is_surrounded(token) {
        Some(Flaw::Surrounded)
    } else {
        None
    }
}

/// As in the first word of a public key (sshd(8), on the file `authorized_keys`).
fn is_key_type(word: &[u8]) -> bool {
    [&b"ssh-"[..], b"ecdsa-", b"sk-ssh-", b"sk-ecdsa-"]
        .iter()
        .any(|start| word.starts_with(start))
}

/// `octo:ghp_…`, `{"token":"ghp_…"}`, `(ghp_…)`, `ghp_….`, `{"token":"…"}`: a forge's prefix says where the token begins, and no
/// forge puts other characters into one.
fn is_surrounded(token: &[u8]) -> bool {
    let is_other = |byte: &u8| !byte.is_ascii_alphanumeric() && !b"-_.~+/=".contains(byte);
    let has_token = token.split(is_other).any(begins_as_token);
    let is_sentence = token.ends_with(b".") || token.iter().any(is_other);
    let is_object = token.starts_with(b"{") && token.ends_with(b"}");
    is_object || has_token && is_sentence
}

/// `$GH_TOKEN`, `${GH_TOKEN}`, `%GH_TOKEN%`, `<token>`, `null`, `****`.
fn is_placeholder(token: &[u8]) -> bool {
    const NOTHING: [&[u8]; 5] = [b"null", b"nil", b"none", b"undefined", b"(null)"];
    let is_nothing = NOTHING.iter().any(|word| token.eq_ignore_ascii_case(word));
    let within = |open: &[u8], close: &[u8]| token.strip_prefix(open)?.strip_suffix(close);
    let is_named = within(b"%", b"%").is_some_and(is_variable) || within(b"<", b">").is_some();
    let is_masked = token.iter().all(|byte| b"*.".contains(byte));
    let name = token.strip_prefix(b"$").map(|name| {
        let inner = name.strip_prefix(b"{");
        inner
            .and_then(|name| name.strip_suffix(b"}"))
            .unwrap_or(name)
    });
    is_nothing || is_named || is_masked || name.is_some_and(is_variable)
}

fn is_variable(name: &[u8]) -> bool {
    let is_usual = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
    name.first().is_some_and(u8::is_ascii_uppercase) && name.iter().all(is_usual)
}

/// Without spaces of any script, invisible characters and the marks of a paste at the ends.
fn trimmed(text: &[u8]) -> &[u8] {
    let text = text.strip_prefix(PASTE.0).unwrap_or(text);
    let text = text.strip_suffix(PASTE.1).unwrap_or(text);
    let is_blank = |c: char| c.is_whitespace() || !c.is_ascii() && !is_plain(c);
    match str::from_utf8(text) {
        Ok(text) => text.trim_matches(is_blank).as_bytes(),
        Err(_) => text.trim_ascii(),
    }
}

/// Without a pair of quotes, and what ends a statement after it.
fn unquoted(text: &[u8]) -> &[u8] {
    let Ok(whole) = str::from_utf8(text) else {
        return text;
    };
    let statement = whole.trim_end_matches([';', ',']);
    for (open, close) in QUOTES {
        let inner = statement
            .strip_prefix(open)
            .and_then(|rest| rest.strip_suffix(close));
        if let Some(inner) = inner.filter(|inner| !inner.contains(open) && !inner.contains(close)) {
            return inner.as_bytes();
        }
    }
    text
}

/// Without `Bearer`, `token`, and `NAME:` before a space. No token holds a space.
fn without_label(text: &[u8]) -> &[u8] {
    let Some(at) = text.iter().position(u8::is_ascii_whitespace) else {
        return text;
    };
    let (label, rest) = (&text[..at], text[at..].trim_ascii_start());
    let is_scheme = SCHEMES
        .iter()
        .any(|scheme| label.eq_ignore_ascii_case(scheme.as_bytes()));
    let is_name = |name: &[u8]| {
        let mut bytes = name.iter();
        !name.is_empty() && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte))
    };
    if is_scheme || label.strip_suffix(b":").is_some_and(is_name) {
        rest
    } else {
        text
    }
}

/// Without `export NAME=`, `NAME=` and the like. `==` ends an encoded text and is no assignment.
fn without_assignment(text: &[u8]) -> &[u8] {
    let (is_exported, rest) = match text.strip_prefix(b"export ").or(text.strip_prefix(b"set ")) {
        Some(rest) => (true, rest.trim_ascii_start()),
        None => (false, text),
    };
    let rest = rest.strip_prefix(b"$env:").unwrap_or(rest);
    let Some(at) = rest.iter().position(|&byte| byte == b'=') else {
        return text;
    };
    let (name, value) = (
        rest[..at].trim_ascii_end(),
        rest[at + 1..].trim_ascii_start(),
    );
    if value.iter().all(|&byte| byte == b'=') {
        return text;
    }
    let is_name = !name.is_empty()
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    if is_name && (is_exported || tells_of_token(name) || is_variable(name) && name.len() > 2) {
        value
    } else {
        text
    }
}

fn tells_of_token(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    let words: [&[u8]; 6] = [
        b"token",
        b"pat",
        b"password",
        b"passwd",
        b"secret",
        b"apikey",
    ];
    words.iter().any(|word| name.ends_with(word))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOKEN: &str = "ghp_madeup0123";

    #[test]
    fn decoration_is_left_out() {
        for pasted in [
            "@",
            " @\r\n",
            "\u{feff}@",
            "\u{200b}@\u{200b}\u{200d}",
            "\u{a0}@\u{a0}",
            "\u{2060}\u{3000}@\u{2028}",
            "\x1b[200~@\x1b[201~",
            "\"@\"",
            "'@'",
            "`@`",
            "\u{201c}@\u{201d}",
            " ' @ ' ",
            "Bearer @",
            "bearer  @",
            "BEARER\t@",
            "token @",
            "Authorization: Bearer @",
            "authorization: token @",
            "Authorization: @",
            "'Authorization: Bearer @'",
            "PRIVATE-TOKEN: @",
            "oauth_token: @",
            "Token: @",
            "password: '@'",
            "export GH_TOKEN=@",
            "export GH_TOKEN='@';",
            "  export  GH_TOKEN=\"@\"",
            "set GH_TOKEN=@",
            "$env:GH_TOKEN = \"@\"",
            "GH_TOKEN=@",
            "KEY=@",
            "KEY=\"@\"",
            "gitlab_token = @",
            "password=@",
            "\u{feff}export GH_TOKEN=\"Bearer @\"\u{200b}\n",
        ] {
            let text = pasted.replace('@', TOKEN);
            assert_eq!(cleaned(text.as_bytes()), TOKEN.as_bytes(), "{pasted:?}");
            assert_eq!(flaw(cleaned(text.as_bytes())), None, "{pasted:?}");
        }
    }

    #[test]
    fn a_password_keeps_its_own_characters() {
        for password in [
            "dGVzdDp0ZXN0==",
            "ABCDEF=",
            "a=b",
            "\"half",
            "it's",
            "a\"b\"c",
            "x;",
            "$ecret",
            "a:b",
            "!@#%^&*()",
            "token",
            "Bearer",
            "export",
        ] {
            assert_eq!(cleaned(password.as_bytes()), password.as_bytes());
            assert_eq!(flaw(password.as_bytes()), None, "{password}");
        }
    }

    #[test]
    fn what_no_server_takes_is_named() {
        for (pasted, expected) in [
            ("", Flaw::Empty),
            (" \u{200b}\u{feff}", Flaw::Empty),
            ("''", Flaw::Empty),
            ("ghp_made up", Flaw::Space),
            ("ghp_made\tup", Flaw::Space),
            ("Basic dTpw", Flaw::Space),
            ("ghp_made\nup", Flaw::Lines),
            ("ghp_made\rup", Flaw::Lines),
            ("ghp_made\0up", Flaw::Control),
            ("ghp_made\x1bup", Flaw::Control),
            ("ghp_made\u{200b}up", Flaw::NotAscii),
            ("ghp_made\u{a0}up", Flaw::NotAscii),
            ("ghp_made\u{2026}", Flaw::NotAscii),
            ("p\u{e4}ss", Flaw::NotAscii),
            ("https://github.com/settings/tokens", Flaw::Url),
            ("https://alice:madeup@one.test", Flaw::Url),
            ("git@github.com:a/b.git", Flaw::Url),
            ("ssh-ed25519 AAAAC3 alice@home", Flaw::SshKey),
            ("ssh-rsa AAAAB3", Flaw::SshKey),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3", Flaw::SshKey),
            ("git credential-pat login https://one.test", Flaw::Url),
            ("gh auth token", Flaw::Command),
            ("$ gh auth token", Flaw::Command),
            ("git push", Flaw::Command),
            ("$GH_TOKEN", Flaw::Placeholder),
            ("${GH_TOKEN}", Flaw::Placeholder),
            ("********", Flaw::Placeholder),
            ("%GH_TOKEN%", Flaw::Placeholder),
            ("<ghp_madeup>", Flaw::Placeholder),
            ("null", Flaw::Placeholder),
            ("undefined", Flaw::Placeholder),
            ("PRIVATE-TOKEN:glpat-madeup", Flaw::Surrounded),
            ("alice:ghp_madeup", Flaw::Surrounded),
            ("{\"token\":\"ghp_madeup\"}", Flaw::Surrounded),
            ("{\"token\":\"madeup\"}", Flaw::Surrounded),
            ("(ghp_madeup)", Flaw::Surrounded),
            ("ghp_madeup,", Flaw::Surrounded),
            ("ghp_madeup;", Flaw::Surrounded),
            ("ghp_madeup...", Flaw::Surrounded),
            ("ghp_madeup\\n", Flaw::Surrounded),
            ("glpat-madeup%0A", Flaw::Surrounded),
        ] {
            assert_eq!(
                flaw(cleaned(pasted.as_bytes())),
                Some(expected),
                "{pasted:?}"
            );
        }
        for bytes in [&b"\xff\xfeg\0h\0p\0"[..], b"ghp_\xff"] {
            assert!(flaw(cleaned(bytes)).is_some());
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_can_be_sent_and_is_a_part(pasted in "\\PC{0,40}") {
            let token = cleaned(pasted.as_bytes());
            prop_assert!(pasted.as_bytes().windows(token.len().max(1)).any(|part| part == token) || token.is_empty());
            prop_assert_eq!(cleaned(token), token);
            if flaw(token).is_none() {
                prop_assert!(token.iter().all(u8::is_ascii_graphic));
            }
        }

        #[test]
        fn a_token_alone_stays_as_it_is(token in "(ghp_|glpat-|github_pat_|ATATT|)[A-Za-z0-9_.-]{1,60}[A-Za-z0-9]") {
            prop_assert_eq!(cleaned(token.as_bytes()), token.as_bytes());
            prop_assert_eq!(flaw(token.as_bytes()), None);
        }
    }
}
