//! Reads `config.toml`: its names and the types of its values.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::account::Account;
use super::choice::Choice;
use super::failure::Error;
use super::host::WrittenHost;
use super::redact::without_values;
use super::span::Span;

/// The whole file. An unknown name is an error: a setting without effect would be worse.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Written {
    pub(super) storage: Option<Choice>,
    pub(super) memory: WrittenMemory,
    pub(super) file: WrittenFile,
    pub(super) warn: WrittenWarn,
    pub(super) lookup: WrittenLookup,
    pub(super) host: Vec<WrittenHost>,
    pub(super) account: Vec<Account>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenMemory {
    pub(super) timeout: Option<Span>,
    pub(super) max_age: Option<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenFile {
    pub(super) path: Option<Spanned<PathBuf>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenWarn {
    pub(super) before: Option<Span>,
    pub(super) every: Option<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenLookup {
    pub(super) enabled: Option<bool>,
}

/// Reads the `text` of the file at `path`.
pub(super) fn parse(text: &str, path: &Path) -> Result<Written, Error> {
    let wrong = |at: usize, message: &str| {
        let before = text.get(..at).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Error::Wrong {
            path: path.to_path_buf(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message: message.to_owned(),
        }
    };
    let written: Written = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        wrong(at, &without_values(&error.message().replace('\n', " ")))
    })?;
    let mut hosts = HashSet::new();
    for rule in &written.host {
        if !hosts.insert(rule.url.get_ref()) {
            let at = rule.url.span().start;
            return Err(wrong(at, "this host already has a [[host]] section"));
        }
    }
    match &written.file.path {
        Some(file) if !file.get_ref().is_absolute() => {
            Err(wrong(file.span().start, "file.path must be absolute"))
        }
        _ => Ok(written),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::host::{HostRule, HostUrl};
    use crate::forge;
    use crate::platform::testing::DRIVE;
    use crate::storage::StorageKind;

    fn parsed(text: &str) -> Result<Written, String> {
        parse(text, Path::new("config.toml")).map_err(|error| error.to_string())
    }

    #[test]
    fn reads_every_setting() {
        let written = parsed(&format!(
            "storage = ['memory', 'file']\n[memory]\ntimeout = '8h'\nmax_age = 90\n[file]\npath = '{DRIVE}/p'\n\
             [warn]\nbefore = '14d'\nevery = '0'\n[lookup]\nenabled = false\n\
             [[host]]\nurl = 'https://Git.corp.test:8443/'\nforge = 'gitlab'\nlifetime = '90d'\n\
             [[host]]\nurl = 'https://two.test'\n",
        ))
        .unwrap();
        assert_eq!(
            written.storage,
            Some(Choice::These(vec![StorageKind::Memory, StorageKind::File]))
        );
        assert_eq!(
            written.memory.timeout.unwrap().0,
            Duration::from_secs(8 * 3600)
        );
        assert_eq!(written.memory.max_age.unwrap().0, Duration::from_secs(90));
        let file = written.file.path.unwrap().into_inner();
        assert_eq!(file, PathBuf::from(format!("{DRIVE}/p")));
        assert_eq!(
            written.warn.before.unwrap().0,
            Duration::from_secs(14 * 86_400)
        );
        assert_eq!(written.warn.every.unwrap().0, Duration::ZERO);
        assert_eq!(written.lookup.enabled, Some(false));
        let rules: Vec<HostRule> = written
            .host
            .into_iter()
            .map(WrittenHost::into_rule)
            .collect();
        let full = HostRule {
            url: HostUrl {
                protocol: b"https".to_vec(),
                host: b"git.corp.test:8443".to_vec(),
                path: None,
            },
            forge: Some(forge::ForgeKind::GitLab),
            lifetime: Some(Duration::from_secs(90 * 86_400)),
        };
        assert_eq!(rules[0], full);
        assert_eq!((rules[1].forge, rules[1].lifetime), (None, None));
        assert!(parsed("").is_ok());
    }

    #[test]
    fn errors_name_line_and_column() {
        for (text, expected) in [
            (
                "storage = 'auto'\nstorrage = 1",
                "config.toml:2:1: unknown field `storrage`",
            ),
            (
                "[memory]\ntimeout = 'soon'",
                "config.toml:2:11: not a duration: write",
            ),
            (
                "[memory]\ntimeout = -1",
                "config.toml:2:11: not a duration: write",
            ),
            ("storage = 'disk'", "config.toml:1:11: not a storage"),
            (
                "[[account]]\nurl = 'https://one.test/a/../b'",
                "config.toml:1:1: the path of an account has no",
            ),
            (
                "[[account]]\nurl = 'https://one.test'\nname = 'a'",
                "config.toml:3:1: unknown field `name`",
            ),
            ("storage = ", "config.toml:1:"),
            (
                "[file]\npath = 'relative'",
                "config.toml:2:8: file.path must be absolute",
            ),
            (
                "[lookup]\nenabled = 'no'",
                "config.toml:2:11: invalid type: string \"no\", expected a boolean",
            ),
            (
                "[[host]]\nurl = 'https://one.test'\nforge = 'sourceforge'",
                "config.toml:3:9: not a forge: write github,",
            ),
            (
                "[[host]]\nurl = 'one.test'",
                "config.toml:2:7: a URL begins with its protocol",
            ),
            (
                "[[host]]\nurl = 'https://one.test/a/../b'",
                "config.toml:2:7: the URL of a host has no user, and at most a plain path",
            ),
            (
                "[[host]]\nurl = 'https://alice@one.test/a'",
                "config.toml:2:7: the URL of a host has no user, and at most a plain path",
            ),
            (
                "[[host]]\nforge = 'github'",
                "config.toml:1:1: missing field `url`",
            ),
            (
                "[[host]]\nurl = 'https://one.test'\ntoken = 'x'",
                "config.toml:3:1: unknown field `token`",
            ),
            (
                "[[host]]\nurl = 'https://one.test'\n[[host]]\nurl = 'https://ONE.test/'",
                "config.toml:4:7: this host already has a [[host]] section",
            ),
        ] {
            let error = parsed(text).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn what_may_be_a_token_is_not_said_back() {
        for text in [
            "made-up-Token0123 = 1",
            "\"ghp_made, expected` \\\" Token\" = 1",
            "[made-up-Token0123]\nx = 1",
            "[memory]\nmade-up-Token0123 = 1",
            "[memory]\ntimeout = 'made-up-Token0123'",
            "[lookup]\nenabled = 'made-up\"Token0123'",
            "storage = 'made-up-Token0123'",
            "[[host]]\nurl = 'made-up-Token0123'",
            "[[host]]\nurl = 'https://one.test'\nforge = 'made-up-Token0123'",
            "[[account]]\nmade-up-Token0123 = 'https://one.test'",
            "made-up-Token0123 = 1\nmade-up-Token0123 = 1",
            "made-up-Token0123",
        ] {
            let error = parsed(text).unwrap_err();
            assert!(!error.contains("Token"), "{text}: {error}");
            assert!(!error.contains("made"), "{text}: {error}");
        }
    }

    #[test]
    fn very_many_hosts_are_read_at_once() {
        let hosts = (0..30_000).map(|number| format!("[[host]]\nurl='https://h{number}.test'"));
        let mut text = hosts.collect::<Vec<_>>().join("\n") + "\n";
        let began = std::time::Instant::now();
        assert_eq!(parsed(&text).unwrap().host.len(), 30_000);
        let took = began.elapsed();
        text.push_str("[[host]]\nurl='https://h7.test'\n");
        assert!(parsed(&text).unwrap_err().contains(":60002:5: this host"));
        assert!(took < Duration::from_secs(10), "{took:?}");
    }
}
