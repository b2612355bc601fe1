//! How git calls this helper: the flags in the helper lines of git's configuration, and the settings of each call.

use std::collections::HashMap;
use std::env;
use std::ffi::{OsStr, OsString};

use crate::config::{Flags, Settings, Verbosity, absolute};
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::git::Git;
use crate::git::chain::{HelperChain, helper_lines};
use crate::git::context::{context_of, most_specific};
use crate::git::failure::Error;
use crate::git::helper_line::{self, KEYS, is_ours};
use crate::git::setting::Setting;
use crate::helper::open::kinds;
use crate::platform::os_str;
use crate::storage::{StorageKind, in_words as places};
use crate::terminal::escape::{self, shell_word};
use crate::time::parse_duration;

/// The command line of git's call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct GitsCall {
    pub(crate) flags: Flags,
    pub(crate) verbosity: Verbosity,
    /// The operation, or a later git's.
    pub(crate) word: OsString,
}

/// Reads flags and one word, as git calls this helper. `clap` would cost more than the rest of `get`. `None`: another command line,
/// or one with a mistake that `clap` explains better.
pub(crate) fn gits_call(arguments: &[OsString]) -> Option<GitsCall> {
    let mut flags = Flags::default();
    let mut verbosity = Verbosity::default();
    let (word, options) = arguments.split_last()?;
    let mut options = options.iter();
    while let Some(option) = options.next() {
        let bytes = option.as_encoded_bytes();
        if let b"-v" | b"--verbose" | b"-q" | b"--quiet" = bytes {
            // Both, or one twice, is a mistake.
            if verbosity != Verbosity::default() {
                return None;
            }
            verbosity.verbose = matches!(bytes, b"-v" | b"--verbose");
            verbosity.quiet = !verbosity.verbose;
            continue;
        }
        let (name, value) = match bytes.iter().position(|&byte| byte == b'=') {
            Some(at) => (&bytes[..at], os_str(&bytes[at + 1..]).to_owned()),
            None => (bytes, options.next()?.clone()),
        };
        let text = value.to_str();
        match name {
            b"--storage" => set_once(&mut flags.storage, text?.parse().ok()),
            b"--timeout" => set_once(&mut flags.timeout, parse_duration(text?).ok()),
            b"--max-age" => set_once(&mut flags.max_age, parse_duration(text?).ok()),
            b"--file" => set_once(&mut flags.file, absolute(&value)),
            b"--socket" => set_once(&mut flags.socket, absolute(&value)),
            b"--config" => set_once(&mut flags.config, absolute(&value)),
            _ => None,
        }?;
    }
    Some(GitsCall {
        flags,
        verbosity,
        word: word.clone(),
    })
}

/// Sets an option; `None` if the value is invalid or the option was already given.
fn set_once<T>(option: &mut Option<T>, value: Option<T>) -> Option<()> {
    let is_repeated = option.replace(value?).is_some();
    (!is_repeated).then_some(())
}

/// The flags in a value of `credential.helper`. `None`: this program does not accept them.
pub(crate) fn flags_of(value: &OsStr) -> Option<Flags> {
    let words = helper_line::words(value)?;
    let mut words: Vec<OsString> = words.into_iter().skip(1).map(OsString::from).collect();
    words.push("get".into());
    gits_call(&words).map(|call| call.flags)
}

/// The flags of the most specific helper line for `url`; without a URL, of the line for every URL. Only the configuration of the
/// user and of the system count: the author of a repository must not decide where a token is kept. Default flags without git or
/// without such a line. Fails if git cannot read its configuration: the tokens may be in any storage then.
pub(crate) fn gits_flags(url: Option<&Query>) -> Result<Flags, Error> {
    let Ok(git) = Git::find() else {
        return Ok(Flags::default());
    };
    let mut lines = git.settings_of("--system", KEYS)?;
    match git.settings_of("--global", KEYS) {
        Ok(own) => lines.extend(own),
        // git has no file of a user without a home.
        Err(_) if env::var_os("HOME").is_none() => {}
        Err(cause) => return Err(cause),
    }
    lines.retain(|line| is_ours(&line.value) && flags_of(&line.value).is_some());
    let for_every_url = lines.iter().rfind(|line| context_of(&line.key).is_none());
    let line = match url {
        Some(url) => most_specific(&lines, url),
        None => for_every_url.or(lines.last()),
    };
    let flags = line.and_then(|line| flags_of(&line.value));
    Ok(flags.unwrap_or_default())
}

/// The calls that git makes to this helper, by the helper lines of its configuration.
pub(crate) struct Calls {
    /// Every helper line. `None`: git does not run, so its calls are unknown.
    lines: Option<Vec<Setting>>,
    /// The settings of each line that calls this helper, by its value.
    settings: HashMap<OsString, Settings>,
}

impl Calls {
    pub(crate) fn read() -> Self {
        let git = Git::find().ok();
        let lines = git.map(|git| helper_lines(&git).unwrap_or_default());
        let mut settings = HashMap::new();
        for Setting { value, .. } in lines.iter().flatten() {
            if is_ours(value)
                && let Ok(loaded) = Settings::load(flags_of(value).unwrap_or_default())
            {
                settings.insert(value.clone(), loaded);
            }
        }
        Self { lines, settings }
    }

    /// The settings of each call for `key`. `None`: unknown.
    fn for_key(&self, key: &Key) -> Option<Vec<&Settings>> {
        let chain = HelperChain::of(self.lines.as_ref()?, Some(&Query::of(key)));
        let values = chain.helpers.iter().map(|line| &line.value);
        Some(
            values
                .filter_map(|value| self.settings.get(value))
                .collect(),
        )
    }

    /// Whether git calls this helper for `key`, but none of the calls uses a storage `kept` of `own`.
    pub(crate) fn look_elsewhere(&self, key: &Key, kept: &[StorageKind], own: &Settings) -> bool {
        let calls = self.for_key(key).unwrap_or_default();
        !calls.is_empty() && !calls.iter().any(|call| uses(call, kept, own))
    }

    /// The warning and its hint if git would not find an entry in the storages `kept` of `own`. `flags`: those of the command line.
    pub(crate) fn obstacle(
        &self,
        key: &Key,
        kept: &[StorageKind],
        own: &Settings,
        flags: &Flags,
    ) -> Option<(String, String)> {
        let calls = self.for_key(key)?;
        if calls.iter().any(|call| uses(call, kept, own)) {
            return None;
        }
        let url = escape::safe(&key.url());
        let asked = calls.into_iter().flat_map(kinds);
        let asked: Vec<StorageKind> = asked.copied().collect();
        let setup = setup(flags);
        if asked.is_empty() {
            return Some((
                format!("git does not call this helper for {url}: it finds no token here"),
                format!("have git call it with '{setup}'"),
            ));
        }
        Some((
            format!(
                "git does not look for {url} in {}, but in {}",
                places(kept, "or"),
                places(&asked, "and")
            ),
            format!(
                "have git look there with '{setup}', or run this again without --storage, --file and --socket"
            ),
        ))
    }
}

/// Whether `call` uses one of the storages `kept` of `own`.
fn uses(call: &Settings, kept: &[StorageKind], own: &Settings) -> bool {
    let mut common = kinds(call).iter().filter(|kind| kept.contains(kind));
    common.any(|kind| match kind {
        StorageKind::Keychain => true,
        StorageKind::Memory => call.socket == own.socket,
        StorageKind::File => call.file.path() == own.file.path(),
    })
}

/// The command that makes git call this helper with `flags`.
fn setup(flags: &Flags) -> String {
    let mut words = vec!["git credential-pat setup".to_owned()];
    for word in flags.arguments() {
        words.push(shell_word(word.as_encoded_bytes()));
    }
    words.join(" ")
}
