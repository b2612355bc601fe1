//! A username, which may be a token.
//!
//! Forges accept a token in place of the username, and recipes for pip, npm and CI put it into URLs:
//!
//! | written | password |
//! |---|---|
//! | `https://TOKEN@host` | any |
//! | `https://TOKEN:@host` | empty |
//! | `https://TOKEN:x-oauth-basic@host` | `x-oauth-basic` (GitHub's old form, also Gitea's: `services/auth/basic.go`) |
//! | `https://TOKEN:TOKEN@host` | the token again |
//!
//! Such a name is a secret. [`Username::shown`] is the only way to display one; [`Username::expose`] is for the protocol, the
//! storages and comparisons.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::terminal::escape;

/// Stands for a name that is not shown.
pub const HIDDEN: &str = "***";

/// Passwords beside which the username is the token.
const NO_PASSWORDS: [&[u8]; 2] = [b"", b"x-oauth-basic"];

/// Usernames that forges require beside a token. They are always shown.
const FIXED_NAMES: [&[u8]; 9] = [
    b"git",
    b"oauth2",
    b"oauth2accesstoken",
    b"gitlab-ci-token",
    b"x-access-token",
    b"x-bitbucket-api-token-auth",
    b"x-oauth-basic",
    b"x-token-auth",
    b"anonymous",
];

/// Prefixes of tokens, each with the length from which a name with this prefix may be a token. No username at GitHub or GitLab
/// has a prefix of the first group. A username may begin with a prefix of the other groups.
const PREFIXES: [(&str, usize); 28] = [
    ("github_pat_", 12),
    ("ghp_", 5),
    ("gho_", 5),
    ("ghu_", 5),
    ("ghs_", 5),
    ("ghr_", 5),
    ("glpat-", 7),
    ("gldt-", 6),
    ("glcbt-", 7),
    ("gloas-", 7),
    ("glrtr-", 7),
    ("glrt-", 6),
    ("glptt-", 7),
    ("glft-", 6),
    ("glimt-", 7),
    ("glagent-", 9),
    ("glwt-", 6),
    ("glsoat-", 8),
    ("glffct-", 8),
    ("v1.", LONG),
    ("eyJ", LONG),
    ("ATATT", LONG),
    ("ATCTT", LONG),
    ("ATBB", LONG),
    // Bitbucket Data Center, Hugging Face, Docker, npm.
    ("BBDC-", LONG),
    ("hf_", LONG),
    ("dckr_pat_", LONG),
    ("npm_", LONG),
];

/// In bytes: a name of this length may be a token by its look.
const LONG: usize = 20;
/// In bytes: the longest username of GitHub. A longer name of letters and digits only is a token.
const LONGEST_NAME: usize = 39;

/// The user of a credential or a URL. Two are equal if their bytes are equal.
#[derive(Clone)]
pub struct Username {
    name: Zeroizing<Vec<u8>>,
    /// The password beside it holds no secret, or repeats the name.
    is_alone: bool,
}

impl Username {
    /// The bytes, for the protocol, the storages and comparisons; never for messages.
    pub fn expose(&self) -> &[u8] {
        &self.name
    }

    /// Whether the name is empty, as for single sign-on.
    pub fn is_empty(&self) -> bool {
        self.name.is_empty()
    }

    /// Returns the same name, judged beside its password.
    #[must_use]
    pub fn with_password(self, password: &Secret) -> Self {
        Self {
            is_alone: NO_PASSWORDS.contains(&password.expose())
                || password.expose() == &self.name[..],
            ..self
        }
    }

    /// Returns the same name with the `is_alone` that a storage saved.
    #[must_use]
    pub fn alone(self, is_alone: bool) -> Self {
        Self { is_alone, ..self }
    }

    /// Whether the password beside it holds no secret, or repeats the name.
    pub fn is_alone(&self) -> bool {
        self.is_alone
    }

    /// Whether the name may be a token, by its password, its prefix or its look.
    pub fn may_be_token(&self) -> bool {
        let name = &self.name[..];
        if name.is_empty() || FIXED_NAMES.contains(&name) {
            return false;
        }
        self.is_alone || begins_as_token(name) || looks_random(name)
    }

    /// The name, or `None` if it may be a token.
    pub fn visible(&self) -> Option<&[u8]> {
        (!self.may_be_token()).then(|| &self.name[..])
    }

    /// The name for messages: escaped, and hidden if it may be a token.
    pub fn shown(&self) -> String {
        self.visible()
            .map_or_else(|| HIDDEN.to_owned(), escape::safe)
    }
}

impl<Name: Into<Vec<u8>>> From<Name> for Username {
    fn from(name: Name) -> Self {
        Self {
            name: Zeroizing::new(name.into()),
            is_alone: false,
        }
    }
}

impl PartialEq for Username {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Username {}

impl Hash for Username {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl PartialOrd for Username {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Username {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name.cmp(&other.name)
    }
}

/// Does not show the name.
impl fmt::Debug for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Username")
    }
}

/// Whether `text` has the prefix of a token. An instance of GitLab may put its own prefix in front: `SIE-glpat-`.
pub(super) fn begins_as_token(text: &[u8]) -> bool {
    let after_hyphen = |at: usize| text[at] == b'-' && prefix(&text[at + 1..]).is_some();
    prefix(text).is_some() || (0..text.len()).any(after_hyphen)
}

/// The prefix of a token with which `text` begins.
pub(super) fn prefix(text: &[u8]) -> Option<&'static str> {
    let begins = |(prefix, length): &&(&str, usize)| {
        text.len() >= *length && text.starts_with(prefix.as_bytes())
    };
    PREFIXES.iter().find(begins).map(|(prefix, _)| *prefix)
}

/// As [`prefix`], for GitHub and GitLab only: their tokens consist of letters, digits, `-`, `_` and `.`.
pub(super) fn mark(text: &[u8]) -> Option<&'static str> {
    prefix(text).filter(|prefix| prefix.starts_with('g'))
}

/// Whether `host` looks like a token that the user gave in place of a URL.
pub fn is_token_as_host(host: &[u8]) -> bool {
    let end = host.iter().position(|byte| b".:".contains(byte));
    let label = &host[..end.unwrap_or(host.len())];
    let is_opaque = end.is_none() && label.iter().all(u8::is_ascii_alphanumeric);
    begins_as_token(label) || is_opaque && looks_random(label)
}

/// Whether a part of a path is a token that was typed into a URL. A repository may begin with a short prefix: `npm_tools`.
pub fn is_token_in_path(part: &[u8]) -> bool {
    let is_certain = || mark(part).is_some() || looks_random(part);
    part.len() >= LONG && begins_as_token(part) && is_certain()
}

/// Whether `name` looks random: Gitea's and GitHub's old 40 hexadecimal digits, Azure's 52 and 84 characters, GitLab's old 20.
fn looks_random(name: &[u8]) -> bool {
    let at = name.iter().rposition(|&byte| byte == b'@');
    let is_address = at.is_some_and(|at| name[at..].contains(&b'.'));
    let local = match at {
        Some(at) if is_address => &name[..at],
        _ => name,
    };
    if local.len() < LONG || !local.iter().all(u8::is_ascii_graphic) || is_bot(local) {
        return false;
    }
    let is_opaque = local.len() > LONGEST_NAME && local.iter().all(u8::is_ascii_alphanumeric);
    is_opaque || changes(local) * 5 >= local.len() || (!is_address && has_mixed_run(local))
}

/// Whether it is the user of a GitLab project's or group's access token: `project_ID_bot_…` or `group_ID_bot_…`.
fn is_bot(name: &[u8]) -> bool {
    let is_of = |kind: &[u8]| {
        let Some(rest) = name.strip_prefix(kind) else {
            return false;
        };
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        digits > 0 && rest[digits..].starts_with(b"_bot")
    };
    is_of(b"project_") || is_of(b"group_")
}

/// Counts the changes between small letters, capitals and digits. A capital before a small letter begins a word and does not
/// count.
fn changes(text: &[u8]) -> usize {
    let class = |byte: u8| match byte {
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 2,
        b'0'..=b'9' => 3,
        _ => 0,
    };
    let is_change = |pair: &&[u8]| {
        let (one, two) = (class(pair[0]), class(pair[1]));
        one != two && one != 0 && two != 0 && (one, two) != (2, 1)
    };
    text.windows(2).filter(is_change).count()
}

/// Whether it has a long run of letters and digits that is not a name with at most four digits (a year) at its end.
fn has_mixed_run(text: &[u8]) -> bool {
    let mut runs = text.split(|byte| !byte.is_ascii_alphanumeric());
    runs.any(|run| {
        let digits = run.iter().filter(|byte| byte.is_ascii_digit()).count();
        let at_end = run.iter().rev().take_while(|byte| byte.is_ascii_digit());
        let is_name = digits <= 4 && at_end.count() == digits;
        run.len() >= LONG && digits < run.len() && !is_name
    })
}

/// Replaces each word that has the prefix and length of a token by `***`. For messages of the system, of git and about files,
/// which may hold a username that was never parsed.
pub fn without_tokens(text: &str) -> String {
    let is_part = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(end);
        let is_token = word.len() >= LONG && begins_as_token(word.as_bytes());
        shown.push_str(if is_token { HIDDEN } else { word });
        let next = tail.find(is_part).unwrap_or(tail.len());
        shown.push_str(&tail[..next]);
        rest = &tail[next..];
    }
    shown
}

/// Whether a word of a command line may hold a token: it has a token's prefix anywhere, a part as long as a token, or the form of
/// a URL with a password.
pub fn may_hold_token(word: &str) -> bool {
    let has_password = word.split_once('@').is_some_and(|(before, _)| {
        let user = before.split_once("://").map_or(before, |(_, user)| user);
        user.contains(':')
    });
    let is_long = word
        .split_ascii_whitespace()
        .any(|part| part.chars().count() >= LONG);
    let bytes = word.as_bytes();
    has_password || is_long || (0..bytes.len()).any(|at| prefix(&bytes[at..]).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_may_be_a_token_is_hidden() {
        for name in [
            "ghp_madeup",
            "github_pat_madeup",
            "glpat-madeup.01.x",
            "SIE-glpat-madeup",
            "gldt-madeup",
            "glcbt-64_madeup",
            "ATBBmadeupmadeupmadeup",
            "ATCTT3xFfGN0madeupmade",
            "eyJhbGciOiJIUzI1NiJ9.e30.x",
            "v1.0123456789abcdef0123",
            "0123456789abcdef0123456789abcdef01234567",
            "aB3dE5fG7hJ9kL1mN3pQ5rS7",
            "x7Kd-92mQ_pLs4vTz8Yw",
            "madeupmadeupmadeupmadeup2222madeupmadeupmadeupmadeup",
            "5f2a1c3e-9b7d-4e8f-a6c1-0d2b4e6f8a9c",
            "ghp_madeup@corp.example",
            "MARKERmadeup1token0username",
        ] {
            let name = Username::from(name);
            assert_eq!((name.may_be_token(), &name.shown()[..]), (true, HIDDEN));
        }
    }

    #[test]
    fn a_token_in_a_path_is_found_and_the_name_of_a_repository_is_none() {
        for part in [
            "ghp_madeup0123456789abcdef0123456789abcd",
            "glpat-madeupmadeupmadeup",
            "SIE-glpat-aB3dE5fG7hJ9kL1mN3pQ",
            "npm_aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5",
        ] {
            assert!(is_token_in_path(part.as_bytes()), "{part}");
        }
        for part in [
            "acme",
            "glft-tools",
            "npm_packages_of_our_team",
            "v1.0-release-of-the-tools",
        ] {
            assert!(!is_token_in_path(part.as_bytes()), "{part}");
        }
    }

    #[test]
    fn an_ordinary_name_is_shown() {
        for name in [
            "",
            "octocat",
            "x-access-token",
            "x-bitbucket-api-token-auth",
            "gitlab-ci-token",
            "gitlab+deploy-token-1234567",
            "oauth2",
            "christopherjohnson1985",
            "bartholomew.cholmondeley-featherstonehaugh@department.example.com",
            "firstname.lastname20051985@some-long-company.example",
            "JohnJacobJingleheimerSchmidt",
            "alice-at-123456789012",
            "deploy-bot-2024-01-prod-eu-west-1",
            "project_278964_bot_0123456789abcdef0123456789abcdef",
            "группа-разработки-портала",
            "two words and more of them 1 2 3",
            "DOMAIN\\firstname.lastname",
            "ATBBobby",
            "12345678901234567890",
        ] {
            assert_eq!(Username::from(name).shown(), name);
        }
    }

    #[test]
    fn without_a_password_the_name_is_the_token() {
        for password in ["", "x-oauth-basic"] {
            let seen = |name: &str| {
                let password = Secret::new(password.as_bytes());
                Username::from(name).with_password(&password).shown()
            };
            assert_eq!(seen("made-up"), HIDDEN);
            assert_eq!(seen("oauth2"), "oauth2");
            assert_eq!(seen(""), "");
        }
        let other = Secret::new(b"made-up");
        assert_eq!(
            Username::from("alice").with_password(&other).shown(),
            "alice"
        );
    }

    #[test]
    fn a_name_that_is_its_own_password_is_hidden() {
        let seen = |name: &str| {
            let password = Secret::new(name.as_bytes());
            Username::from(name).with_password(&password).shown()
        };
        assert_eq!(seen("sk-made-up-without-a-known-form"), HIDDEN);
        assert_eq!(seen("oauth2"), "oauth2");
    }

    #[test]
    fn a_token_is_no_host() {
        for token in [
            "ghp_madeup",
            "glpat-madeup.01.x",
            "0123456789abcdef0123456789abcdef01234567",
        ] {
            assert!(is_token_as_host(token.as_bytes()), "{token}");
        }
        for host in [
            "github.com",
            "localhost:8080",
            "v1.git.internal.company.example",
            "gitea-http-7d9c5b8f6d-x2k4q",
            "0123456789abcdef0123456789abcdef01234567.tunnel.example",
            "127.0.0.1:1234",
            "[::1]",
        ] {
            assert!(!is_token_as_host(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn a_token_in_the_middle_of_a_message_is_hidden() {
        for (text, shown) in [
            (
                "cannot read /h/store/ghp_madeup0123456789abcd.credential: gone",
                "cannot read /h/store/***: gone",
            ),
            (
                "https://glpat-madeup0123456789@one.test/x",
                "https://***@one.test/x",
            ),
            ("ghp_octocat and glpat-x", "ghp_octocat and glpat-x"),
            ("", ""),
            ("büro: naïve…", "büro: naïve…"),
        ] {
            assert_eq!(without_tokens(text), shown);
        }
    }
}
