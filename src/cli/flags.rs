//! The helper's flags: as people give them, as git calls with them, and as git's configuration has them.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};

use crate::config::Flags;

use crate::config::choice::Choice;
use crate::credential::query::Query;
use crate::credential::url;
use crate::git::Git;
use crate::git::helper_line::{self, KEYS};
use crate::time::parse_duration;

#[derive(Args)]
#[command(next_help_heading = "Options of the helper")]
pub(super) struct FlagArguments {
    /// Where credentials are kept: auto (the keychain where it can be reached, else memory), memory, keychain, file
    /// (plaintext), or several with commas between, asked in this order
    #[arg(long, global = true, value_name = "STORAGE", value_parser = str::parse::<Choice>)]
    storage: Option<Choice>,
    /// Memory forgets what was unused for this long: seconds, or a number with s, m, h, d or w [default: 1h]
    #[arg(long, global = true, value_name = "DURATION", value_parser = parse_duration)]
    timeout: Option<Duration>,
    /// Memory forgets this long after storing, used or not [default: 12h]
    #[arg(long, global = true, value_name = "DURATION", value_parser = parse_duration)]
    max_age: Option<Duration>,
    /// The plaintext file of the file storage
    #[arg(long, global = true, value_name = "PATH", value_parser = absolute_path())]
    file: Option<PathBuf>,
    /// The socket of the memory daemon
    #[arg(long, global = true, value_name = "PATH", value_parser = absolute_path())]
    socket: Option<PathBuf>,
    /// Another configuration file
    #[arg(long, global = true, value_name = "PATH", value_parser = absolute_path())]
    config: Option<PathBuf>,
}

impl FlagArguments {
    pub(super) fn into_flags(self) -> Flags {
        let Self {
            storage,
            timeout,
            max_age,
            file,
            socket,
            config,
        } = self;
        Flags {
            storage,
            timeout,
            max_age,
            file,
            socket,
            config,
        }
    }
}

/// Flags and one word, the way git calls: told apart without `clap`, which costs more than everything else that `get`
/// does. `None`: not such a call, or one with a mistake that `clap` explains better.
pub(super) fn gits_call(arguments: &[OsString]) -> Option<(Flags, OsString)> {
    let mut flags = Flags::default();
    let (word, options) = arguments.split_last()?;
    let mut options = options.iter();
    while let Some(option) = options.next() {
        let bytes = option.as_bytes();
        let (name, value) = match bytes.iter().position(|&byte| byte == b'=') {
            Some(at) => (&bytes[..at], OsStr::from_bytes(&bytes[at + 1..]).to_owned()),
            None => (bytes, options.next()?.clone()),
        };
        let repeated = match name {
            b"--storage" => flags
                .storage
                .replace(value.to_str()?.parse().ok()?)
                .is_some(),
            b"--timeout" => flags
                .timeout
                .replace(parse_duration(value.to_str()?).ok()?)
                .is_some(),
            b"--max-age" => flags
                .max_age
                .replace(parse_duration(value.to_str()?).ok()?)
                .is_some(),
            b"--file" => flags.file.replace(absolute(&value)?).is_some(),
            b"--socket" => flags.socket.replace(absolute(&value)?).is_some(),
            b"--config" => flags.config.replace(absolute(&value)?).is_some(),
            _ => return None,
        };
        if repeated {
            return None;
        }
    }
    Some((flags, word.clone()))
}

/// git runs helpers in whatever folder one is in, and that may be a repository that somebody sent.
fn absolute(path: &OsStr) -> Option<PathBuf> {
    Some(PathBuf::from(path)).filter(|path| path.is_absolute())
}

/// Of any bytes: a path need not be text.
fn absolute_path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new()
        .try_map(|path| absolute(&path).ok_or("write the whole path, from / on"))
}

/// The flags with which git calls this program for `url`. Only the user's own configuration and the system's count: a
/// repository that somebody sent must not decide where a token is kept.
pub(super) fn gits_flags(url: Option<&Query>) -> Option<Flags> {
    let git = Git::find().ok()?;
    let mut best: Option<(usize, Flags)> = None;
    for scope in ["--system", "--global"] {
        let settings = git
            .config_values(&[scope, "-z", "--get-regexp", KEYS])
            .unwrap_or_default();
        for setting in settings {
            let setting = setting.to_str()?;
            let Some((key, value)) = setting.split_once('\n') else {
                continue;
            };
            let (Some(weight), true) = (weight(key, url), helper_line::is_ours(value.as_ref()))
            else {
                continue;
            };
            let Some(flags) = flags_of(value) else {
                continue;
            };
            // The later of two that say as much, as in git.
            if best.as_ref().is_none_or(|(known, _)| weight >= *known) {
                best = Some((weight, flags));
            }
        }
    }
    best.map(|(_, flags)| flags)
}

/// The flags in a value of `credential.helper`. `None`: none that this program takes.
pub(super) fn flags_of(value: &str) -> Option<Flags> {
    let words = helper_line::words(value.as_ref())?;
    let mut words: Vec<OsString> = words.into_iter().skip(1).map(OsString::from).collect();
    words.push("get".into());
    gits_call(&words).map(|(flags, _)| flags)
}

/// How closely the URL of `credential.URL.helper` describes `url`: `None` if not at all. Without a URL in question every
/// one counts, and that for all hosts most.
fn weight(key: &str, url: Option<&Query>) -> Option<usize> {
    let Some(pattern) = key
        .strip_prefix("credential.")
        .and_then(|rest| rest.strip_suffix(".helper"))
    else {
        return Some(if url.is_some() { 0 } else { usize::MAX });
    };
    let Some(url) = url else { return Some(0) };
    let pattern = url::parse(pattern.as_bytes()).ok()?;
    let is_same = pattern.protocol == url.protocol
        && pattern.host == url.host
        && (pattern.username.is_none() || pattern.username == url.username);
    let path = pattern.path.unwrap_or_default();
    let is_within = url.path.as_deref().unwrap_or_default().starts_with(&path);
    (is_same && is_within).then_some(1 + path.len())
}
