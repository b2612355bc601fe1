//! The settings: flags of the command line, over `config.toml`, over defaults.

pub mod account;
pub mod choice;
pub mod failure;
pub mod host;
mod redact;
pub(crate) mod rules;
mod source;
mod span;
mod trust;
mod written;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};

use self::account::Account;
use self::choice::Choice;
use self::failure::Error;
use self::host::{HostRule, WrittenHost};
use self::span::Span;
use self::written::Written;
use crate::files::places::Places;
use crate::platform::ROOT;
use crate::storage::file::PlaintextFile;
use crate::storage::memory::Lifetime;
use crate::time::parse_duration;
use crate::trace;

/// The name of the configuration file in its folder.
pub const FILE: &str = "config.toml";

/// The options of the command line. `None` leaves a setting to `config.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(about = None, long_about = None, next_help_heading = "Options of the helper")]
pub struct Flags {
    /// The storage: auto (the keychain if it can be reached, else memory), memory, keychain, file (plaintext), or several,
    /// separated by commas and asked in this order; for list also all
    #[arg(long, global = true, value_name = "STORAGE", value_parser = Choice::of_flag)]
    pub storage: Option<Choice>,
    /// Memory forgets a credential this long after its last use: seconds, or a number with s, m, h, d, w, mo or y [default: 1h]
    #[arg(long, global = true, value_name = "DURATION", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
    /// Memory forgets a credential this long after it was stored, used or not [default: 12h]
    #[arg(long, global = true, value_name = "DURATION", value_parser = parse_duration)]
    pub max_age: Option<Duration>,
    /// The plaintext file of the file storage
    #[arg(long, global = true, value_name = "PATH", value_parser = absolute_path())]
    pub file: Option<PathBuf>,
    /// The socket of the memory daemon
    #[arg(long, global = true, value_name = "PATH", value_parser = absolute_path())]
    pub socket: Option<PathBuf>,
    /// Another configuration file
    #[arg(long, global = true, value_name = "PATH", value_parser = absolute_path())]
    pub config: Option<PathBuf>,
}

/// The heading of the options that change only the messages.
const GLOBAL: &str = "Global options";

/// How much is told. Not a part of [`Flags`]: it changes no setting, and `setup` does not write it into git's configuration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Args)]
#[command(about = None, long_about = None)]
pub struct Verbosity {
    /// Tell each step on standard error, with its time and without a secret
    #[arg(short, long, global = true, conflicts_with = "quiet", help_heading = GLOBAL)]
    pub verbose: bool,
    /// Print no warnings, hints or confirmations, only errors and what was asked for
    #[arg(short, long, global = true, help_heading = GLOBAL)]
    pub quiet: bool,
}

/// Parses a path, which need not be UTF-8.
fn absolute_path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().try_map(|path| {
        absolute(&path).ok_or_else(|| format!("write the whole path, from {ROOT} on"))
    })
}

/// git runs helpers in the current folder, which may be a repository of another person: a relative path would lead into it.
pub(crate) fn absolute(path: &OsStr) -> Option<PathBuf> {
    Some(PathBuf::from(path)).filter(|path| path.is_absolute())
}

impl Flags {
    /// Returns these flags, completed by `other`.
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

    /// Returns the arguments that parse to these flags.
    pub fn arguments(&self) -> Vec<OsString> {
        let seconds = |span: Duration| OsString::from(span.as_secs().to_string());
        let storage = self.storage.as_ref().map(Choice::to_string);
        let mut arguments = Vec::new();
        for (name, value) in [
            ("--storage", storage.map(OsString::from)),
            ("--timeout", self.timeout.map(seconds)),
            ("--max-age", self.max_age.map(seconds)),
            ("--file", self.file.clone().map(OsString::from)),
            ("--socket", self.socket.clone().map(OsString::from)),
            ("--config", self.config.clone().map(OsString::from)),
        ] {
            if let Some(value) = value {
                arguments.extend([name.into(), value]);
            }
        }
        arguments
    }
}

/// The settings in effect.
#[derive(Debug, Clone)]
pub struct Settings {
    pub storage: Choice,
    /// How long memory keeps an entry.
    pub lifetime: Lifetime,
    /// The plaintext file: the user's, or one in the data folder.
    pub file: PlaintextFile,
    /// The daemon's socket.
    pub socket: PathBuf,
    pub warn: Warn,
    /// Whether forges are asked in the background for an unknown expiry.
    pub looks_up: bool,
    /// The `[[host]]` rules.
    pub hosts: Vec<HostRule>,
    /// The `[[account]]` rules.
    pub accounts: Vec<Account>,
    pub places: Places,
    /// `config.toml`, or the file of `--config`. It need not exist.
    pub config: PathBuf,
}

/// When to warn that a token expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warn {
    /// From this time before the expiry.
    pub before: Duration,
    /// At most once in this time for each token; zero: every time.
    pub every: Duration,
}

impl Settings {
    /// Reads `config.toml`, if there is one, and applies `flags` over it.
    pub fn load(flags: Flags) -> Result<Self, Error> {
        let places = Places::find()?;
        let is_named = flags.config.is_some();
        let path = flags.config.unwrap_or(places.config.join(FILE));
        let written = match source::read(&path) {
            Err(error) if error.is_absence() && !is_named => {
                trace::tell(SETTINGS, || format!("{} does not exist", path.display()));
                Written::default()
            }
            text => {
                let written = written::parse(&text?, &path)?;
                trace::tell(SETTINGS, || format!("{} was read", path.display()));
                written
            }
        };
        trace::tell(SETTINGS, || {
            let (choice, from) = match (&flags.storage, &written.storage) {
                (Some(choice), _) => (choice, "by the option --storage"),
                (None, Some(choice)) => (choice, "by config.toml"),
                (None, None) => (&Choice::Auto, "the default"),
            };
            let kinds = match choice {
                Choice::Auto => " (memory, then keychain)",
                Choice::These(_) | Choice::All => "",
            };
            format!("storage {choice}{kinds}, {from}")
        });
        let named = written.file.path.map(toml::Spanned::into_inner);
        let file = match flags.file.or(named) {
            None => PlaintextFile::in_folder(&places.data),
            Some(path) => PlaintextFile::at(&path).ok_or(Error::NoFile { path })?,
        };
        let hosts = written.host.into_iter().map(WrittenHost::into_rule);
        let (memory, warn) = (written.memory, written.warn);
        Ok(Self {
            storage: flags.storage.or(written.storage).unwrap_or(Choice::Auto),
            lifetime: Lifetime {
                timeout: flags.timeout.unwrap_or(or_hours(memory.timeout, 1)),
                max_age: flags.max_age.unwrap_or(or_hours(memory.max_age, 12)),
            },
            file,
            socket: flags.socket.unwrap_or_else(|| places.socket()),
            warn: Warn {
                before: or_hours(warn.before, 7 * 24),
                every: or_hours(warn.every, 24),
            },
            looks_up: written.lookup.enabled.unwrap_or(true),
            hosts: hosts.collect(),
            accounts: written.account,
            places,
            config: path,
        })
    }
}

/// The subject of these steps in the trace.
const SETTINGS: &str = "settings";

fn or_hours(span: Option<Span>, hours: u64) -> Duration {
    span.map_or(Duration::from_secs(hours * 3600), |span| span.0)
}
