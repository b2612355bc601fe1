//! A token as people paste it: from a shell, a header, a `.env` file, a web page.
//!
//! | pasted | saved |
//! |---|---|
//! | `Authorization: Bearer TOKEN` | `TOKEN` |
//! | `export GH_TOKEN="TOKEN"` | `TOKEN` |
//! | a byte order mark, `TOKEN`, a zero-width space | `TOKEN` |
//! | `TOK EN`, `https://…`, `ssh-ed25519 …`, `{"token":"TOKEN"}`, `TOKEN,`, `alice:TOKEN` | nothing: see [`Flaw`] |
//!
//! The tokens of every known forge consist of ASCII letters, digits and `-_.~+/=`. Any other text may be a password and needs
//! `--force`. Within these characters a text is no token alone if one of these holds:
//!
//! | rule | example |
//! |---|---|
//! | it begins or ends with `.` or `~` | `TOKEN.` |
//! | `=` stands elsewhere than in padding or before Atlassian's checksum | `--token=TOKEN`, `=TOKEN` |
//! | a mark of GitHub or GitLab is not at the beginning | `-pghp_…`, `_ghp_…_` |
//! | a token with such a mark has `~`, `+`, `/` or `=` | `ghp_…/` |
//! | two tokens follow each other | `ghp_…ghp_…` |

use super::host::consists_of;
use super::username::{mark, prefix};
use crate::terminal::escape::is_plain;

/// The reason why no server accepts a text as a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error("it is empty")]
    Empty,
    #[error("it is an SSH key, which works only for ssh:// URLs")]
    SshKey,
    /// A URL, such as that of the page with the token.
    #[error("it is a URL")]
    Url,
    #[error("it is a command line")]
    Command,
    /// The name of a variable, a text that asks for a token, or a mask of asterisks.
    #[error("it is a placeholder")]
    Placeholder,
    /// A path, or a name with an extension such as `.txt`.
    #[error("it is the name of a file")]
    File,
    /// A character, a name or a second token beside the token.
    #[error("it holds more than a token")]
    Surrounded,
    #[error("it has more than one line")]
    Lines,
    #[error("it holds a space")]
    Space,
    #[error("it holds a control character")]
    Control,
    /// A letter of another script, an invisible character, or a byte that is no text.
    #[error("it holds a character that is not ASCII, which may be invisible")]
    NotAscii,
}

impl Flaw {
    /// Whether `--force` may save it: git's protocol can carry it, and a server may accept it as a password.
    pub fn can_be_kept(self) -> bool {
        !matches!(self, Self::Empty | Self::Lines | Self::Control)
    }
}

/// Words before a token, each followed by a space.
const SCHEMES: [&str; 2] = ["bearer", "token"];
/// The marks that a terminal puts around a paste (xterm, bracketed paste mode).
const PASTE: (&[u8], &[u8]) = (b"\x1b[200~", b"\x1b[201~");
const QUOTES: [(&str, &str); 5] = [
    ("\"", "\""),
    ("'", "'"),
    ("`", "`"),
    ("\u{201c}", "\u{201d}"),
    ("\u{2018}", "\u{2019}"),
];
/// In bytes: the shortest token of a known forge, GitLab's old one.
const SHORTEST: usize = 20;
/// The length of `ghp_` and similar prefixes.
const CLASSIC: usize = 4;
/// Programs that people run with a token as argument.
const PROGRAMS: [&[u8]; 12] = [
    b"$", b"cat", b"curl", b"docker", b"echo", b"export", b"gh", b"git", b"glab", b"printf",
    b"set", b"sudo",
];

/// Returns the token in `pasted`, without the text around it.
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

/// Returns the reason why no server accepts `token`, which is [`cleaned`]; `None` if there is none.
pub fn flaw(token: &[u8]) -> Option<Flaw> {
    let has = |part: &[u8]| token.windows(part.len()).any(|window| window == part);
    let first = token.split(u8::is_ascii_whitespace).next()?;
    let has_space = first.len() < token.len();
    let rules = [
        (token.is_empty(), Flaw::Empty),
        (
            has(b"-----BEGIN ") || has_space && is_key_type(first),
            Flaw::SshKey,
        ),
        (has(b"://") || token.starts_with(b"git@"), Flaw::Url),
        (has_space && PROGRAMS.contains(&first), Flaw::Command),
        (is_placeholder(token), Flaw::Placeholder),
        (token.iter().any(|byte| b"\r\n".contains(byte)), Flaw::Lines),
        (has_space, Flaw::Space),
        (token.iter().any(u8::is_ascii_control), Flaw::Control),
        (!token.is_ascii(), Flaw::NotAscii),
        (is_file(token), Flaw::File),
        (is_surrounded(token), Flaw::Surrounded),
    ];
    let first = rules.into_iter().find(|(holds, _)| *holds);
    first.map(|(_, flaw)| flaw)
}

/// Whether `word` is the first word of a public key (sshd(8), on the file `authorized_keys`).
fn is_key_type(word: &[u8]) -> bool {
    [&b"ssh-"[..], b"ecdsa-", b"sk-ssh-", b"sk-ecdsa-"]
        .iter()
        .any(|start| word.starts_with(start))
}

/// `/run/secrets/token`, `~/.token`, `token.txt`. No token of a known forge begins with `/`.
fn is_file(token: &[u8]) -> bool {
    const STARTS: [&[u8]; 4] = [b"/", b"~/", b"./", b"../"];
    const ENDINGS: [&[u8]; 10] = [
        b".cfg", b".conf", b".env", b".ini", b".json", b".key", b".pem", b".token", b".txt",
        b".yml",
    ];
    let is_path = STARTS.iter().any(|start| token.starts_with(start));
    is_path && !token.iter().any(|byte| b":=".contains(byte))
        || ENDINGS.iter().any(|ending| token.ends_with(ending))
}

/// The rules of the second table at the top of this file.
fn is_surrounded(token: &[u8]) -> bool {
    let is_odd_end = |byte: Option<&u8>| byte.is_some_and(|byte| b".~".contains(byte));
    !consists_of(token, b"-_.~+/=")
        || is_odd_end(token.first())
        || is_odd_end(token.last())
        || has_odd_equals_sign(token)
        || has_odd_mark(token)
        || is_double(token)
}

/// In a token, `=` is padding at its end (base64), or stands before Atlassian's checksum: `ATATT…=AB12CD34`.
fn has_odd_equals_sign(token: &[u8]) -> bool {
    let Some(at) = token.iter().position(|&byte| byte == b'=') else {
        return false;
    };
    let is_padding = at > 0 && matches!(&token[at + 1..], b"" | b"=");
    !is_padding && !has_checksum(token, at)
}

fn has_checksum(token: &[u8], at: usize) -> bool {
    let checksum = &token[at + 1..];
    let is_atlassian = token.starts_with(b"ATATT") || token.starts_with(b"ATCTT");
    is_atlassian && checksum.len() == 8 && checksum.iter().all(u8::is_ascii_hexdigit)
}

/// Whether a mark of GitHub or GitLab has text before it, other than the prefix of an instance of GitLab (`SIE-glpat-…`), or
/// characters after it that those forges do not use.
fn has_odd_mark(token: &[u8]) -> bool {
    // A long token of another forge may hold such four characters by chance.
    if prefix(token).is_some() && mark(token).is_none() {
        return false;
    }
    let Some(at) = (0..token.len()).find(|&at| mark(&token[at..]).is_some()) else {
        return false;
    };
    let is_instance = token[0].is_ascii_alphanumeric()
        && token[..at].ends_with(b"-")
        && token[at..].starts_with(b"gl");
    at > 0 && !is_instance || !consists_of(token, b"-_.")
}

/// Whether a token was pasted twice, or after another one.
fn is_double(token: &[u8]) -> bool {
    let (one, two) = token.split_at(token.len() / 2);
    if one == two && one.len() >= SHORTEST {
        return true;
    }
    let Some(first) = mark(token) else {
        return false;
    };
    // The letters and digits of a classic token hold no `_`. In other tokens four characters may look like a mark.
    let body = &token[first.len()..];
    let run = body.iter().take_while(|byte| byte.is_ascii_alphanumeric());
    let end = first.len() + run.count();
    let is_classic = |text: &[u8]| mark(text).is_some_and(|mark| mark.len() == CLASSIC);
    let has_classic = is_classic(token) && is_classic(&token[end + 1 - CLASSIC..]);
    let is_longer = |at: usize| mark(&token[at..]).is_some_and(|mark| mark.len() > CLASSIC);
    has_classic || (first.len()..token.len()).any(is_longer)
}

/// `$GH_TOKEN`, `${GH_TOKEN}`, `%GH_TOKEN%`, `GH_TOKEN`, `your-token`, `<token>`, `null`, `****`, `ghp_xxxxxxxx`, `-`.
fn is_placeholder(token: &[u8]) -> bool {
    const NOTHING: [&[u8]; 5] = [b"null", b"nil", b"none", b"undefined", b"(null)"];
    let is_nothing = NOTHING.iter().any(|word| token.eq_ignore_ascii_case(word));
    let within = |open: &[u8], close: &[u8]| token.strip_prefix(open)?.strip_suffix(close);
    let is_named = within(b"%", b"%").is_some_and(is_variable) || within(b"<", b">").is_some();
    let body = &token[mark(token).map_or(0, str::len)..];
    let is_crossed_out = body.len() >= 8 && body.iter().all(|byte| b"xX".contains(byte));
    let is_masked = is_crossed_out || body.iter().all(|byte| b"*.-_".contains(byte));
    let is_bare = is_variable(token) && token.contains(&b'_') && tells_of_token(token);
    let mut words = token.split(|byte| b"-_".contains(byte));
    let is_request = words.any(|word| word.eq_ignore_ascii_case(b"your"));
    let name = within(b"${", b"}").or(token.strip_prefix(b"$"));
    is_nothing || is_named || is_masked || is_bare || is_request || name.is_some_and(is_variable)
}

fn is_variable(name: &[u8]) -> bool {
    let is_usual = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
    name.first().is_some_and(u8::is_ascii_uppercase) && name.iter().all(is_usual)
}

/// Removes spaces of any script, invisible characters and the marks of a paste at both ends.
fn trimmed(text: &[u8]) -> &[u8] {
    let text = text.strip_prefix(PASTE.0).unwrap_or(text);
    let text = text.strip_suffix(PASTE.1).unwrap_or(text);
    let is_blank = |c: char| c.is_whitespace() || !c.is_ascii() && !is_plain(c);
    match str::from_utf8(text) {
        Ok(text) => text.trim_matches(is_blank).as_bytes(),
        Err(_) => text.trim_ascii(),
    }
}

/// Removes a pair of quotes, and `;` or `,` after it.
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

/// Removes `Bearer`, `token`, and `NAME:` before a space. No token holds a space.
fn without_label(text: &[u8]) -> &[u8] {
    let Some(at) = text.iter().position(u8::is_ascii_whitespace) else {
        return text;
    };
    let (label, rest) = (&text[..at], text[at..].trim_ascii_start());
    let mut schemes = SCHEMES.iter();
    let is_scheme = schemes.any(|scheme| label.eq_ignore_ascii_case(scheme.as_bytes()));
    let is_name = |name: &[u8]| consists_of(name, b"-_");
    if is_scheme || label.strip_suffix(b":").is_some_and(is_name) {
        rest
    } else {
        text
    }
}

/// Removes `export NAME=`, `NAME=` and the like. Padding (`==`) and Atlassian's checksum are no assignment.
fn without_assignment(text: &[u8]) -> &[u8] {
    let (is_exported, rest) = match text.strip_prefix(b"export ").or(text.strip_prefix(b"set ")) {
        Some(rest) => (true, rest.trim_ascii_start()),
        None => (false, text),
    };
    let rest = rest.strip_prefix(b"$env:").unwrap_or(rest);
    let Some(at) = rest.iter().position(|&byte| byte == b'=') else {
        return text;
    };
    let name = rest[..at].trim_ascii_end();
    let value = rest[at + 1..].trim_ascii_start();
    if has_checksum(rest, at) || value.iter().all(|&byte| byte == b'=') {
        return text;
    }
    if consists_of(name, b"_")
        && (is_exported || tells_of_token(name) || is_variable(name) && name.len() > 2)
    {
        value
    } else {
        text
    }
}

fn tells_of_token(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    let words = ["token", "pat", "password", "passwd", "secret", "apikey"];
    words.iter().any(|word| name.ends_with(word.as_bytes()))
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
        for password in ["dGVzdDp0ZXN0==", "ABCDEF=", "token", "Bearer", "export"] {
            assert_eq!(cleaned(password.as_bytes()), password.as_bytes());
            assert_eq!(flaw(password.as_bytes()), None, "{password}");
        }
    }

    /// No forge's token has these characters. `--force` saves them as they are.
    #[test]
    fn a_password_with_other_characters_needs_force() {
        for password in [
            "a=b",
            "\"half",
            "it's",
            "a\"b\"c",
            "x;",
            "$ecret",
            "a:b",
            "!@#%^&*()",
        ] {
            assert_eq!(cleaned(password.as_bytes()), password.as_bytes());
            assert_eq!(
                flaw(password.as_bytes()),
                Some(Flaw::Surrounded),
                "{password}"
            );
        }
        assert!(Flaw::Surrounded.can_be_kept() && Flaw::File.can_be_kept());
    }

    #[test]
    fn every_forges_token_alone_passes_as_it_is() {
        let digits = "0123456789abcdefghijklmnopqrstuvwxyz";
        let long = [digits, digits, digits].concat();
        let body = |length: usize| &long[..length];
        let mut tokens = Vec::new();
        for mark in ["ghp_", "gho_", "ghu_", "ghs_", "ghr_"] {
            tokens.push(format!("{mark}{}", body(36)));
        }
        for mark in [
            "glpat-", "gldt-", "glcbt-", "gloas-", "glrtr-", "glrt-", "glptt-", "glft-", "glimt-",
            "glagent-", "glwt-", "glsoat-", "glffct-",
        ] {
            tokens.push(format!("{mark}-{}_", body(18)));
            tokens.push(format!("{mark}{}.01.1a2b3c4d5", body(27)));
        }
        tokens.extend([
            format!("github_pat_{}ghp_{}", body(19), body(59)),
            format!("ghs_12345_eyJ{}.eyJ{}.a-_{}", body(30), body(60), body(83)),
            format!("SIE-glpat-{}", body(20)),
            format!("glcbt-64_{}", body(20)),
            "0123456789abcdef0123456789abcdef01234567".to_owned(),
            format!("-{}_", body(18)),
            "madeup2345".repeat(5) + "ab",
            format!("{}JQQJ99AAACAAAAAA{}", body(52), body(16)),
            format!("eyJ{}.eyJ{}.gho_{}-", body(30), body(60), body(83)),
            format!("v1.{}", body(40)),
            format!("ATATT3xFfGF0{}pat=AB12CD34", body(100)),
            format!("ATCTT3xFfGN0{}=AB12CD34", body(100)),
            format!("ATBB{}", body(32)),
            format!("BBDC-{}+/=", body(40)),
            format!("{}+/==", body(40)),
            format!("1//0{}-_", body(60)),
        ]);
        for token in &tokens {
            assert_eq!(cleaned(token.as_bytes()), token.as_bytes());
            assert_eq!(flaw(token.as_bytes()), None, "{token}");
            for padded in [format!("GH_TOKEN={token}\n"), format!("'{token}';")] {
                assert_eq!(cleaned(padded.as_bytes()), token.as_bytes());
            }
        }
    }

    #[test]
    fn a_token_with_something_beside_it_is_refused() {
        for token in [
            "0123456789abcdef0123456789abcdef01234567",
            "madeup2345madeup2345madeup2345madeup2345madeup2345ab",
            "ghp_0123456789abcdefghijklmnopqrstuvwxyz",
            "glpat-0123456789abcdefghi.01.1a2b3c4d5",
        ] {
            for pasted in [
                "@,",
                "@;",
                "@.",
                "@...",
                "(@)",
                "[@]",
                "{@}",
                "\"@",
                "@'",
                "<@",
                "`@",
                "*@*",
                "~~@~~",
                "=@",
                ".@",
                "@?",
                "#@",
                "alice:@",
                "token:@",
                "Bearer:@",
                "x-access-token:@",
                "\"token\":\"@\"",
                "{\"token\":\"@\"}",
                "GH_TOKEN:=@",
                "GH_TOKEN==@",
                "token=@&a=b",
                "a=b&token=@",
                "?private_token=@",
                "--token=@",
                "key=@",
                "--header=PRIVATE-TOKEN:@",
                "//registry.npmjs.org/:_authToken=@",
                "\\x22@\\x22",
                "@\\n",
                "@%0A",
                "@@",
                "@|@",
                "@,@",
            ] {
                let text = pasted.replace('@', token);
                let found = flaw(cleaned(text.as_bytes()));
                assert_eq!(found, Some(Flaw::Surrounded), "{text}");
            }
        }
        let token = "ghp_madeup0123";
        for pasted in [
            "-p@",
            "-@",
            "_@_",
            "x@",
            "alice-@",
            "@=",
            "@/",
            "@+",
            "@~",
            "@ghp_madeup4",
            "@gho_made",
            "@glpat-madeup",
            "@github_pat_madeup",
        ] {
            let text = pasted.replace('@', token);
            let found = flaw(cleaned(text.as_bytes()));
            assert_eq!(found, Some(Flaw::Surrounded), "{text}");
        }
    }

    #[test]
    fn a_files_name_or_a_placeholder_is_no_token() {
        for (pasted, expected) in [
            ("/home/a/token.txt", Flaw::File),
            ("/run/secrets/token", Flaw::File),
            ("/ghp_madeup", Flaw::File),
            ("~/.token", Flaw::File),
            ("./token", Flaw::File),
            ("../token", Flaw::File),
            ("token.txt", Flaw::File),
            (".env", Flaw::File),
            ("@token.txt", Flaw::File),
            ("@/home/a/token", Flaw::Surrounded),
            ("C:\\token", Flaw::Surrounded),
            ("YOUR_TOKEN", Flaw::Placeholder),
            ("GH_TOKEN", Flaw::Placeholder),
            ("your-token-here", Flaw::Placeholder),
            ("ghp_YOUR_TOKEN", Flaw::Placeholder),
            ("ghp_xxxxxxxx", Flaw::Placeholder),
            ("AT_HOME=deadbeef=deadbeef", Flaw::Surrounded),
            ("glpat-********", Flaw::Placeholder),
            ("-", Flaw::Placeholder),
            ("--", Flaw::Placeholder),
        ] {
            let found = flaw(cleaned(pasted.as_bytes()));
            assert_eq!(found, Some(expected), "{pasted}");
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
        fn a_token_alone_stays_as_it_is(
            token in "gh[pousr]_[A-Za-z0-9]{30,60}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}|glpat-[A-Za-z0-9_-]{20}|\
                glpat-[A-Za-z0-9_-]{27}\\.01\\.[0-9a-z]{9}|[0-9a-f]{40}|[a-z2-7]{52}|[A-Za-z0-9]{84}|\
                ATATT3[A-Za-z0-9_-]{180}=[0-9A-F]{8}|eyJ[A-Za-z0-9_-]{40}\\.eyJ[A-Za-z0-9_-]{90}\\.[A-Za-z0-9_-]{43}"
        ) {
            prop_assert_eq!(cleaned(token.as_bytes()), token.as_bytes());
            prop_assert_eq!(flaw(token.as_bytes()), None);
        }
    }
}
