//! What the person wants: flags of the helper, over `config.toml`, over defaults.

pub mod account;
pub mod host;
pub mod source;
mod span;
mod trust;
mod unsaid;

use std::collections::HashSet;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use self::account::Account;
use self::host::{HostRule, WrittenHost};
use self::span::Span;
use crate::files::places::{NoHome, Places};
use crate::storage::StorageKind;
use crate::storage::file::PlaintextFile;
use crate::storage::memory::Lifetime;

/// What the command line says; `None` leaves it to `config.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--storage`.
    pub storage: Option<Choice>,
    /// `--timeout`.
    pub timeout: Option<Duration>,
    /// `--max-age`.
    pub max_age: Option<Duration>,
    /// `--file`.
    pub file: Option<PathBuf>,
    /// `--socket`.
    pub socket: Option<PathBuf>,
    /// `--config`.
    pub config: Option<PathBuf>,
}

impl Flags {
    /// These, and what `other` says where they say nothing.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            storage: self.storage.or(other.storage),
            timeout: self.timeout.or(other.timeout),
            max_age: self.max_age.or(other.max_age),
            file: self.file.or(other.file),
            socket: self.socket.or(other.socket),
            config: self.config.or(other.config),
        }
    }

    /// The words that say the same again.
    pub fn arguments(&self) -> Vec<OsString> {
        let Self {
            storage,
            timeout,
            max_age,
            file,
            socket,
            config,
        } = self;
        let seconds = |span: &Duration| OsString::from(span.as_secs().to_string());
        let said = [
            (
                "--storage",
                storage.as_ref().map(|it| it.to_string().into()),
            ),
            ("--timeout", timeout.as_ref().map(seconds)),
            ("--max-age", max_age.as_ref().map(seconds)),
            ("--file", file.clone().map(OsString::from)),
            ("--socket", socket.clone().map(OsString::from)),
            ("--config", config.clone().map(OsString::from)),
        ];
        let said = said
            .into_iter()
            .filter_map(|(name, value)| Some([OsString::from(name), value?]));
        said.flatten().collect()
    }
}

/// What holds, all things considered.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where credentials are kept.
    pub storage: Choice,
    /// How long memory keeps them.
    pub lifetime: Lifetime,
    /// The plaintext file: where a person wants it, or in the data folder.
    pub file: PlaintextFile,
    /// The daemon's socket.
    pub socket: PathBuf,
    /// When to warn.
    pub warn: Warn,
    /// Whether forges are asked in the background when a token's end is unknown.
    pub looks_up: bool,
    /// What the person says of hosts.
    pub hosts: Vec<HostRule>,
    /// Which account a path belongs to.
    pub accounts: Vec<Account>,
    /// Everything else has its place here.
    pub places: Places,
}

/// When to warn of a token's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warn {
    /// This long before it.
    pub before: Duration,
    /// At most once in this time per token; zero: every time.
    pub every: Duration,
}

/// Which storages, in which order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// The keychain where it can be reached, else memory. Never plaintext.
    Auto,
    /// These; each of them once.
    These(Vec<StorageKind>),
}

/// Not a storage, or a list that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a storage: write auto, memory, keychain or file, or several of the last three with commas between"
)]
pub struct ChoiceError;

/// As it is written.
impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::These(kinds) => {
                let words: Vec<String> = kinds.iter().map(StorageKind::to_string).collect();
                f.write_str(&words.join(","))
            }
        }
    }
}

impl FromStr for Choice {
    type Err = ChoiceError;

    fn from_str(text: &str) -> Result<Self, ChoiceError> {
        Self::from_words(text.split(','))
    }
}

impl Choice {
    fn from_words<'a>(words: impl Iterator<Item = &'a str>) -> Result<Self, ChoiceError> {
        let words: Vec<&str> = words.map(str::trim).collect();
        if words == ["auto"] {
            return Ok(Self::Auto);
        }
        let mut kinds = Vec::new();
        for word in words {
            let kind = [
                StorageKind::Memory,
                StorageKind::Keychain,
                StorageKind::File,
            ]
            .into_iter()
            .find(|kind| kind.to_string() == word);
            let kind = kind
                .filter(|kind| !kinds.contains(kind))
                .ok_or(ChoiceError)?;
            kinds.push(kind);
        }
        if kinds.is_empty() {
            Err(ChoiceError)
        } else {
            Ok(Self::These(kinds))
        }
    }
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nowhere to look.
    #[error(transparent)]
    NoHome(#[from] NoHome),
    /// It is there, and cannot be read, or not trusted.
    #[error(transparent)]
    Source(#[from] source::Error),
    /// The plaintext file has a path that cannot be a file's.
    #[error("{} cannot be the plaintext file", path.display())]
    NoFile {
        /// As it was given.
        path: PathBuf,
    },
    /// It does not say what it should.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// What is wrong there.
        message: String,
    },
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> &str {
        match self {
            Self::NoHome(_) => "or name a file with --config and a socket with --socket",
            Self::Source(error) => error.hint(),
            Self::NoFile { .. } => {
                "nothing is answered before: name a file with --file or file.path, not a folder, '..' or a half-written file"
            }
            Self::Wrong { .. } => {
                "mend that line, git-credential-pat(1) lists every setting; nothing is answered before"
            }
        }
    }
}

impl Settings {
    /// Reads `config.toml`, if there is one, and puts `flags` over it.
    pub fn load(flags: Flags) -> Result<Self, Error> {
        let places = Places::find()?;
        let Flags {
            storage,
            timeout,
            max_age,
            file,
            socket,
            config,
        } = flags;
        let written = match &config {
            Some(path) => read(path)?,
            None => read_if_there(&places.config.join("config.toml"))?,
        };
        let file = match file.or(written.file.path) {
            None => PlaintextFile::in_folder(&places.data),
            Some(path) => PlaintextFile::at(&path).ok_or(Error::NoFile { path })?,
        };
        Ok(Self {
            storage: storage.or(written.storage).unwrap_or(Choice::Auto),
            lifetime: Lifetime {
                timeout: timeout
                    .or(written.memory.timeout())
                    .unwrap_or(Duration::from_secs(3600)),
                max_age: max_age
                    .or(written.memory.max_age())
                    .unwrap_or(Duration::from_secs(12 * 3600)),
            },
            file,
            socket: socket.unwrap_or_else(|| places.socket()),
            warn: Warn {
                before: written
                    .warn
                    .before
                    .map_or(Duration::from_secs(7 * 86_400), |span| span.0),
                every: written
                    .warn
                    .every
                    .map_or(Duration::from_secs(86_400), |span| span.0),
            },
            looks_up: written.lookup.enabled.unwrap_or(true),
            hosts: written
                .host
                .into_iter()
                .map(WrittenHost::into_rule)
                .collect(),
            accounts: written.account,
            places,
        })
    }
}

/// `config.toml` as it is written. An unknown name is an error: a setting that silently does nothing is worse.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    storage: Option<Choice>,
    memory: WrittenMemory,
    file: WrittenFile,
    warn: WrittenWarn,
    lookup: WrittenLookup,
    host: Vec<WrittenHost>,
    account: Vec<Account>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenMemory {
    timeout: Option<Span>,
    max_age: Option<Span>,
}

impl WrittenMemory {
    fn timeout(&self) -> Option<Duration> {
        self.timeout.map(|span| span.0)
    }

    fn max_age(&self) -> Option<Duration> {
        self.max_age.map(|span| span.0)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenFile {
    path: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenWarn {
    before: Option<Span>,
    every: Option<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenLookup {
    enabled: Option<bool>,
}

impl<'de> Deserialize<'de> for Choice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a storage, or a list of storages")]
        enum OneOrMore {
            One(String),
            More(Vec<String>),
        }
        let choice = match OneOrMore::deserialize(deserializer)? {
            OneOrMore::One(word) => word.parse(),
            OneOrMore::More(words) => Self::from_words(words.iter().map(String::as_str)),
        };
        choice.map_err(D::Error::custom)
    }
}

fn read_if_there(path: &Path) -> Result<Written, Error> {
    match read(path) {
        Err(Error::Source(error)) if error.is_absence() => Ok(Written::default()),
        result => result,
    }
}

fn read(path: &Path) -> Result<Written, Error> {
    parse(&source::read(path)?, path)
}

fn parse(text: &str, path: &Path) -> Result<Written, Error> {
    let wrong = |at: usize, message: String| {
        let before = text.get(..at).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Error::Wrong {
            path: path.to_path_buf(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message,
        }
    };
    let written: Written = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        wrong(
            at,
            unsaid::without_values(&error.message().replace('\n', " ")),
        )
    })?;
    let mut hosts = HashSet::new();
    for rule in &written.host {
        if !hosts.insert(rule.url.get_ref()) {
            let message = "this host has a [[host]] of its own already";
            return Err(wrong(rule.url.span().start, message.to_owned()));
        }
    }
    if let Some(file) = written
        .file
        .path
        .as_ref()
        .filter(|file| !file.is_absolute())
    {
        let at = text.find(&*file.to_string_lossy()).unwrap_or(0);
        return Err(Error::Wrong {
            path: path.to_path_buf(),
            line: text[..at].matches('\n').count() + 1,
            column: 1,
            message: "file.path must be absolute".to_owned(),
        });
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forge;

    fn parsed(text: &str) -> Result<Written, String> {
        parse(text, Path::new("config.toml")).map_err(|error| error.to_string())
    }

    #[test]
    fn reads_every_setting() {
        let written = parsed(
            "storage = ['memory', 'file']\n[memory]\ntimeout = '8h'\nmax_age = 90\n[file]\npath = '/p'\n\
             [warn]\nbefore = '14d'\nevery = '0'\n[lookup]\nenabled = false\n\
             [[host]]\nurl = 'https://Git.corp.test:8443/'\nforge = 'gitlab'\nlifetime = '90d'\n\
             [[host]]\nurl = 'https://two.test'\n",
        )
        .unwrap();
        assert_eq!(
            written.storage,
            Some(Choice::These(vec![StorageKind::Memory, StorageKind::File]))
        );
        assert_eq!(
            written.memory.timeout(),
            Some(Duration::from_secs(8 * 3600))
        );
        assert_eq!(written.memory.max_age(), Some(Duration::from_secs(90)));
        assert_eq!(written.file.path, Some(PathBuf::from("/p")));
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
            protocol: b"https".to_vec(),
            host: b"git.corp.test:8443".to_vec(),
            path: None,
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
                "config.toml:2:11: invalid value: string \"soon\", expected a duration",
            ),
            (
                "[memory]\ntimeout = -1",
                "config.toml:2:11: invalid value: integer `-1`",
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
                "config.toml:2:1: file.path must be absolute",
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
                "config.toml:4:7: this host has a [[host]] of its own already",
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
    fn choices() {
        assert_eq!("auto".parse(), Ok(Choice::Auto));
        assert_eq!(
            "memory, file".parse(),
            Ok(Choice::These(vec![StorageKind::Memory, StorageKind::File]))
        );
        for wrong in ["", "auto,file", "file,file", "disk", "memory,", "Memory"] {
            assert_eq!(wrong.parse::<Choice>(), Err(ChoiceError), "{wrong}");
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
