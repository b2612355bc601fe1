//! Which URLs a setting of git's configuration applies to (`urlmatch.c`; `credential.c` for partial contexts).
//!
//! | context | applies to |
//! |---|---|
//! | `https://one.test` | every path and user there; `:443` and letter case do not matter |
//! | `https://alice@one.test/acme` | that user, at `acme` and below it, not at `acmecorp` |
//! | `https://*.test` | one label in the place of each `*` |
//! | `one.test`, `one.test/acme`, `https://` | only in `credential.*`: URLs that have the same parts, the path as a whole |
//!
//! git compares the host of a partial context with its letter case; a query here has its host in lower case.
//!
//! Where several settings apply, the last one counts in `credential.*` (git 2.26 and later) and the most specific one in
//! `http.*`. `git config --get-urlmatch` knows only the rule of `http.*`.

use std::ffi::OsStr;

use super::setting::Setting;
use crate::credential::host::{split_at, split_port};
use crate::credential::percent::is_reserved;
use crate::credential::query::Query;
use crate::credential::url::{self, is_at_or_below, split_scheme};

/// Returns CONTEXT of a key `SECTION.CONTEXT.NAME`; `None`: the key has none, and applies to every URL.
pub fn context_of(key: &OsStr) -> Option<&[u8]> {
    let key = key.as_encoded_bytes();
    let start = key.iter().position(|&byte| byte == b'.')? + 1;
    let end = key.iter().rposition(|&byte| byte == b'.')?;
    key.get(start..end)
}

/// Whether git applies the setting `key` to `url`; without a URL only a setting without a context applies.
pub fn applies(key: &OsStr, url: Option<&Query>) -> bool {
    let Some(context) = context_of(key) else {
        return true;
    };
    let (Some(url), Some(context)) = (url, Context::parse(context)) else {
        return false;
    };
    let is_credential = key.as_encoded_bytes().starts_with(b"credential.");
    let is_met = match (context.is_partial, is_credential) {
        (false, true) => !context.is_unencoded,
        (is_partial, is_credential) => is_credential || !is_partial,
    };
    is_met && context.applies(url)
}

/// Returns the setting among `credential.*` that counts for `url`.
pub fn last<'a>(settings: &'a [Setting], url: Option<&Query>) -> Option<&'a Setting> {
    settings.iter().rfind(|setting| applies(&setting.key, url))
}

/// Returns the setting among `http.*` that counts for `url`.
pub fn most_specific<'a>(settings: &'a [Setting], url: &Query) -> Option<&'a Setting> {
    let applying = settings
        .iter()
        .filter(|setting| applies(&setting.key, Some(url)));
    // Of equals the last.
    applying.max_by_key(|setting| {
        let context = context_of(&setting.key).and_then(Context::parse);
        context.map_or((0, 0, false), |context| context.rank())
    })
}

/// Whether there may be a URL that both settings apply to. A context that cannot be read may mean any URL.
pub fn may_overlap(one: &OsStr, other: &OsStr) -> bool {
    let read = |key| context_of(key).and_then(Context::parse);
    match (read(one), read(other)) {
        (Some(one), Some(other)) => one.may_overlap(&other),
        _ => true,
    }
}

/// Returns a URL to which `credential.CONTEXT.*` applies.
pub(crate) fn example(context: &[u8]) -> Option<Query> {
    let parts = Context::parse(context)?.parts;
    Some(Query {
        protocol: parts.protocol.or_else(|| Some(b"https".to_vec())),
        host: parts.host.or_else(|| Some(b"host.invalid".to_vec())),
        ..parts
    })
}

/// A context, read.
pub(super) struct Context {
    /// The parts that a URL must have.
    pub(super) parts: Query,
    /// Whether the protocol or the host is missing.
    is_partial: bool,
    /// Whether the user or the path differs from every one that `credential.c` encodes for the comparison.
    is_unencoded: bool,
}

impl Context {
    pub(super) fn parse(context: &[u8]) -> Option<Self> {
        let context = without_password(context);
        if let Ok(parts) = url::parse(&context) {
            return Some(Self {
                parts,
                is_partial: false,
                is_unencoded: is_unencoded(&context),
            });
        }
        let (protocol, rest) = match split_scheme(&context) {
            Some((protocol, rest)) => (Some(protocol.to_ascii_lowercase()), rest),
            None => (None, &context[..]),
        };
        let parts = match rest {
            b"" => Query::default(),
            rest => url::parse(&[b"https://", rest].concat()).ok()?,
        };
        let parts = Query { protocol, ..parts };
        Some(Self {
            parts,
            is_partial: true,
            is_unencoded: false,
        })
    }

    fn applies(&self, url: &Query) -> bool {
        let parts = &self.parts;
        let is_user = parts.username.is_none() || parts.username == url.username;
        if self.is_partial {
            return is_user
                && (parts.protocol.is_none() || parts.protocol == url.protocol)
                && (parts.host.is_none() || parts.host == url.host)
                && (parts.path.is_none() || parts.path == url.path);
        }
        is_user && parts.protocol == url.protocol && covers_path(parts, url) && self.is_at_host(url)
    }

    /// Whether it is for a path or a user at the host of `url`.
    pub(super) fn is_for_part_of(&self, url: &Query) -> bool {
        let has_part = self.parts.path.is_some() || self.parts.username.is_some();
        !self.is_partial && has_part && self.parts.protocol == url.protocol && self.is_at_host(url)
    }

    fn is_at_host(&self, url: &Query) -> bool {
        let ((pattern, port), (host, other_port)) = (place(&self.parts), place(url));
        let labels = |host: &[u8]| -> Vec<Vec<u8>> {
            let labels = host.split(|&byte| byte == b'.');
            labels.map(<[u8]>::to_ascii_lowercase).collect()
        };
        let (pattern, labels) = (labels(pattern), labels(host));
        let mut pairs = pattern.iter().zip(&labels);
        port == other_port
            && pattern.len() == labels.len()
            && pairs.all(|(one, two)| one == b"*" || one == two)
    }

    /// The longer the host, then the path, the more specific; then a user counts.
    fn rank(&self) -> (usize, usize, bool) {
        let path = self.parts.path.as_ref();
        (
            place(&self.parts).0.len(),
            path.map_or(0, Vec::len),
            self.parts.username.is_some(),
        )
    }

    fn may_overlap(&self, other: &Self) -> bool {
        let (one, two) = (&self.parts, &other.parts);
        let may_be_same =
            |one: Option<&[u8]>, two: Option<&[u8]>| one.is_none() || two.is_none() || one == two;
        may_be_same(one.protocol.as_deref(), two.protocol.as_deref())
            && (one.host.is_none()
                || two.host.is_none()
                || self.is_at_host(two)
                || other.is_at_host(one))
            && (covers_path(one, two) || covers_path(two, one))
            && (one.username.is_none() || two.username.is_none() || one.username == two.username)
    }
}

fn covers_path(context: &Query, url: &Query) -> bool {
    match (&context.path, &url.path) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(folder), Some(path)) => is_at_or_below(path, folder),
    }
}

/// Whether the user or the path has a reserved byte that is not encoded, or the path an encoded slash.
fn is_unencoded(context: &[u8]) -> bool {
    let rest = split_scheme(context).map_or(context, |(_, rest)| rest);
    let (authority, path) = split_at(rest, b'/');
    let end = authority.iter().rposition(|&byte| byte == b'@');
    let (user, path) = (&authority[..end.unwrap_or(0)], path.unwrap_or_default());
    let is_raw = |byte: &u8| is_reserved(*byte) && *byte != b'%';
    user.iter().any(is_raw)
        || path.iter().any(|byte| is_raw(byte) && *byte != b'/')
        || path
            .windows(3)
            .any(|three| three.eq_ignore_ascii_case(b"%2f"))
}

/// Host and port; an empty port is the protocol's own.
fn place(url: &Query) -> (&[u8], &[u8]) {
    let (host, port) = split_port(url.host.as_deref().unwrap_or_default());
    match (url.protocol.as_deref(), port) {
        (Some(b"https"), b"443") | (Some(b"http"), b"80") => (host, b""),
        _ => (host, port),
    }
}

/// A password in a context does not count.
fn without_password(context: &[u8]) -> Vec<u8> {
    let rest = split_scheme(context).map_or(context, |(_, rest)| rest);
    let start = &context[..context.len() - rest.len()];
    let authority = split_at(rest, b'/').0;
    let end = authority.iter().rposition(|&byte| byte == b'@');
    let (user, host) = rest.split_at(end.unwrap_or(0));
    [start, split_at(user, b':').0, host].concat()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::path::Path;
    use std::process::Command;

    use super::*;
    use crate::credential::key::Key;
    use crate::credential::percent::encode;
    use crate::credential::username::Username;
    use crate::git::key_of;

    const URLS: [&str; 6] = [
        "https://alice@one.test/acme/r.git",
        "https://one.test/acme",
        "https://one.test/acmecorp/r.git",
        "https://one.test:443/other",
        "https://one.test:8443/acme/r.git",
        "http://a.b.test/x",
    ];
    const CONTEXTS: [&str; 41] = [
        "https://one.test",
        "https://ONE.test/",
        "HTTPS://one.test",
        "https://one.test:443",
        "https://one.test:8443",
        "https://one.test:*",
        "https://one.test/acme",
        "https://one.test/acme/",
        "https://one.test/Acme",
        "https://one.test/acme/r.git",
        "https://one.test/acme/r",
        "https://one.test/ac",
        "https://one.test/%61cme",
        "https://bob@one.test",
        "https://alice@one.test",
        "https://Alice@one.test",
        "https://alice:made-up@one.test/acme",
        "https://two.test",
        "http://one.test",
        "http://a.b.test:80",
        "https://*.test",
        "https://*.*/acme",
        "https://*",
        "https://*.one.test",
        "http://*.test",
        "http://*.b.test",
        "http://a.*.test",
        "http://*.*.test",
        "http://a.b*.test",
        "one.test",
        "one.test:443",
        "one.test:8443",
        "two.test",
        "one.test/acme/r.git",
        "one.test/acme",
        "*.test",
        "https://",
        "http://",
        "alice@one.test",
        "alice:made-up@one.test",
        "bob@one.test",
    ];

    fn gits() -> Vec<&'static str> {
        let old = "/usr/bin/git";
        let old = Path::new(old).exists().then_some(old);
        ["git"].into_iter().chain(old).collect()
    }

    fn command(git: &str, home: &Path) -> Command {
        let mut command = Command::new(git);
        command.current_dir(home).env("HOME", home);
        command.env("GIT_CONFIG_NOSYSTEM", "1");
        command.env("GIT_CONFIG_GLOBAL", home.join("config"));
        command
            .env("GIT_DIR", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0");
        for name in [
            "GIT_CONFIG_COUNT",
            "GIT_CONFIG_PARAMETERS",
            "GIT_ASKPASS",
            "SSH_ASKPASS",
        ] {
            command.env_remove(name);
        }
        command
    }

    /// Whether git finds a setting of `http.CONTEXT` for `url`.
    fn finds_http(git: &str, home: &Path, url: &str) -> bool {
        let words = ["config", "--get-urlmatch", "http.sslverify", url];
        let output = command(git, home).args(words).output().unwrap();
        !output.stdout.is_empty()
    }

    /// Whether git asks the helper of `credential.CONTEXT` for `url`.
    fn asks_helper(git: &str, home: &Path, url: &str) -> bool {
        let question = home.join("question");
        std::fs::write(&question, format!("url={url}\n\n")).unwrap();
        let mut command = command(git, home);
        command.args(["credential", "fill"]);
        command.stdin(std::fs::File::open(question).unwrap());
        let output = command.output().unwrap();
        output.status.success()
    }

    #[test]
    #[cfg_attr(windows, ignore = "real Windows: wine has no git")]
    fn contexts_apply_as_both_gits_have_them() {
        let home = tempfile::tempdir().unwrap();
        for context in CONTEXTS {
            let text = format!(
                "[http \"{context}\"]\nsslVerify = false\n[credential \"{context}\"]\nhelper = \"!echo username=u; echo password=p; :\"\n"
            );
            std::fs::write(home.path().join("config"), text).unwrap();
            for url in URLS {
                let asked = url::parse(url.as_bytes()).unwrap();
                let http = format!("http.{context}.sslverify");
                let helper = format!("credential.{context}.helper");
                let [http, helper] = [http, helper].map(|key| applies(key.as_ref(), Some(&asked)));
                for git in gits() {
                    let found = finds_http(git, home.path(), url);
                    assert_eq!(http, found, "http.{context} {url} {git}");
                    let asks = asks_helper(git, home.path(), url);
                    assert_eq!(helper, asks, "credential.{context} {url} {git}");
                }
            }
        }
    }

    /// A key of each printable ASCII character and of others, in its path and in its user.
    fn keys() -> Vec<Key> {
        let mut parts: Vec<Vec<u8>> = (b' '..=b'~').map(|byte| vec![b'a', byte, b'b']).collect();
        parts.extend(["b\u{fc}ro", "\u{65e5}\u{672c}"].map(|text| text.as_bytes().to_vec()));
        parts.push(b"a\xffb".to_vec());
        let of_path = parts.iter().map(|part| (Some(part.clone()), None));
        let of_user = parts
            .iter()
            .map(|part| (None, Some(Username::from(part.clone()))));
        let all = of_path.chain(of_user).map(|(path, username)| Key {
            protocol: b"https".to_vec(),
            host: b"one.test".to_vec(),
            path,
            username,
        });
        all.collect()
    }

    /// The key as a context without encoding.
    fn raw(key: &Key) -> Vec<u8> {
        let url = key.url();
        let mut user = Vec::new();
        if let Some(name) = &key.username {
            // git takes a backslash and a `%` without two digits for themselves, which are no URL here.
            encode(&mut user, name.expose(), |byte| b"%\\".contains(&byte));
            user.push(b'@');
        }
        [b"https://", &user[..], &url[b"https://".len()..]].concat()
    }

    #[test]
    #[cfg_attr(windows, ignore = "real Windows: wine has no git")]
    fn a_context_with_any_character_applies_as_both_gits_have_it() {
        let home = tempfile::tempdir().unwrap();
        for form in [Key::context as fn(&Key) -> Vec<u8>, raw] {
            let mut text = b"[credential]\nhelper = \"!grep ^path= >&2; echo username=u; echo password=p; :\"\n".to_vec();
            for key in keys() {
                let context = String::from_utf8_lossy(&form(&key)).replace('\\', r"\\");
                let context = context.replace('"', "\\\"").replace('\u{fffd}', "%FF");
                let section = format!("[credential \"{context}\"]\nuseHttpPath = true\n");
                text.extend_from_slice(section.as_bytes());
            }
            std::fs::write(home.path().join("config"), text).unwrap();
            for key in keys() {
                let mut url = key.encoded();
                if key.path.is_none() {
                    url += "/x";
                }
                let question = home.path().join("question");
                std::fs::write(&question, format!("url={url}/r.git\n\n")).unwrap();
                let asked = url::parse(format!("{url}/r.git").as_bytes()).unwrap();
                let setting = Setting {
                    key: key_of(&form(&key), "usehttppath"),
                    ..Setting::global("", "true")
                };
                let is_ours = last(&[setting], Some(&asked)).is_some();
                for git in gits() {
                    let mut command = command(git, home.path());
                    command.args(["credential", "fill"]);
                    command.stdin(std::fs::File::open(&question).unwrap());
                    let output = command.output().unwrap();
                    assert!(output.status.success(), "{url} {git}");
                    let is_told = !output.stderr.is_empty();
                    assert_eq!(is_ours, is_told, "{url} {git}");
                    assert!(is_told || form(&key) != key.context(), "{url} {git}");
                }
            }
        }
    }

    #[test]
    #[cfg_attr(windows, ignore = "real Windows: wine has no git")]
    fn of_several_settings_the_one_counts_that_both_gits_take() {
        let home = tempfile::tempdir().unwrap();
        let url = "https://alice@one.test/acme/r.git";
        let asked = url::parse(url.as_bytes()).unwrap();
        for contexts in [
            &["https://one.test", ""][..],
            &["", "https://one.test"],
            &["https://one.test/acme", "https://one.test"],
            &["https://*.test/acme", "https://one.test"],
            &["https://one.test/acme", "https://alice@one.test"],
            &["https://alice@one.test", "https://one.test"],
            &["https://one.test", "https://one.test:443/"],
            &["https://two.test", "https://bob@one.test"],
            &["https://one.test", "one.test", ""],
        ] {
            let (mut text, mut http, mut user) = (String::new(), Vec::new(), Vec::new());
            for (at, context) in contexts.iter().enumerate() {
                let name = format!("x{at}");
                let (quoted, dotted) = match *context {
                    "" => (String::new(), String::new()),
                    context => (format!(" \"{context}\""), format!(".{context}")),
                };
                let is_on = if at % 2 == 0 { "true" } else { "false" };
                let _ = writeln!(text, "[http{quoted}]\nsslVerify = {name}");
                let _ = writeln!(text, "[credential{quoted}]\nuseHttpPath = {is_on}");
                http.push(Setting::global(&format!("http{dotted}.sslverify"), &name));
                user.push(Setting::global(
                    &format!("credential{dotted}.usehttppath"),
                    is_on,
                ));
            }
            text += "[credential]\nhelper = \"!grep ^path= >&2; echo password=p; :\"\n";
            std::fs::write(home.path().join("config"), text).unwrap();
            for git in gits() {
                let words = ["config", "--get-urlmatch", "http.sslverify", url];
                let output = command(git, home.path()).args(words).output().unwrap();
                let found = String::from_utf8(output.stdout).unwrap();
                let ours =
                    most_specific(&http, &asked).map(|setting| setting.value.to_str().unwrap());
                assert_eq!(ours.unwrap_or_default(), found.trim(), "{contexts:?} {git}");
                let question = home.path().join("question");
                std::fs::write(&question, format!("url={url}\n\n")).unwrap();
                let mut command = command(git, home.path());
                command.args(["credential", "fill"]);
                command.stdin(std::fs::File::open(question).unwrap());
                let told = !command.output().unwrap().stderr.is_empty();
                let ours =
                    last(&user, Some(&asked)).is_some_and(|setting| setting.is_on() == Some(true));
                assert_eq!(ours, told, "{contexts:?} {git}");
            }
        }
    }

    #[test]
    fn contexts_overlap_where_a_url_may_be_for_both() {
        for (one, other, overlap) in [
            ("https://one.test/acme", "https://one.test", true),
            ("https://one.test/acme", "https://one.test/acmecorp", false),
            ("https://one.test", "http://one.test", false),
            ("https://one.test", "https://one.test:8443", false),
            ("https://*.test", "https://one.test", true),
            ("https://*.test", "https://two.one.test", false),
            ("https://alice@one.test", "https://bob@one.test", false),
            ("https://alice@one.test", "https://one.test/acme", true),
            ("https://", "https://one.test", true),
            ("one.test", "https://one.test/acme", true),
            ("https://[", "https://one.test", true),
        ] {
            let [one, other] = [one, other].map(|context| format!("credential.{context}.helper"));
            assert_eq!(
                may_overlap(one.as_ref(), other.as_ref()),
                overlap,
                "{one} {other}"
            );
            assert_eq!(
                may_overlap(other.as_ref(), one.as_ref()),
                overlap,
                "{other} {one}"
            );
        }
        assert!(may_overlap(
            "credential.helper".as_ref(),
            "credential.https://one.test.helper".as_ref()
        ));
    }

    #[test]
    fn an_example_is_a_url_that_the_context_applies_to() {
        for context in [
            "https://one.test/acme",
            "one.test",
            "one.test/acme",
            "https://",
            "ftp://",
        ] {
            let key = format!("credential.{context}.helper");
            let example = example(context.as_bytes());
            assert!(applies(key.as_ref(), example.as_ref()), "{context}");
        }
        assert_eq!(example(b"https://[").map(drop), None);
        assert!(!applies(
            "credential.https://one.test.helper".as_ref(),
            None
        ));
        assert!(applies("credential.helper".as_ref(), None));
    }
}
