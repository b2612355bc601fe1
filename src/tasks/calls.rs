//! How git calls this helper: the flags in the helper lines of git's configuration, and the settings of each call.

use std::ffi::OsString;

use crate::config::{Flags, Settings, absolute};
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::git::Git;
use crate::git::chain::{HelperChain, helper_lines};
use crate::git::context::{context_of, most_specific};
use crate::git::helper_line::{self, KEYS, is_ours};
use crate::git::setting::Setting;
use crate::helper::open::kinds;
use crate::platform::os_str;
use crate::storage::{StorageKind, in_words as places};
use crate::terminal::escape::{self, shell_word};
use crate::time::parse_duration;

/// Reads flags and one word, as git calls this helper. `clap` would cost more than the rest of `get`. `None`: another command line,
/// or one with a mistake that `clap` explains better.
pub(crate) fn gits_call(arguments: &[OsString]) -> Option<(Flags, OsString)> {
    let mut flags = Flags::default();
    let (word, options) = arguments.split_last()?;
    let mut options = options.iter();
    while let Some(option) = options.next() {
        let bytes = option.as_encoded_bytes();
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
    Some((flags, word.clone()))
}

/// Sets an option; `None` if the value is invalid or the option was already given.
fn set_once<T>(option: &mut Option<T>, value: Option<T>) -> Option<()> {
    let is_repeated = option.replace(value?).is_some();
    (!is_repeated).then_some(())
}

/// The flags in a value of `credential.helper`. `None`: this program does not accept them.
pub(crate) fn flags_of(value: &str) -> Option<Flags> {
    let words = helper_line::words(value.as_ref())?;
    let mut words: Vec<OsString> = words.into_iter().skip(1).map(OsString::from).collect();
    words.push("get".into());
    gits_call(&words).map(|(flags, _)| flags)
}

/// The flags of the most specific helper line for `url`; without a URL, of the line for every URL. Only the configuration of the
/// user and of the system count: the author of a repository must not decide where a token is kept.
pub(crate) fn gits_flags(url: Option<&Query>) -> Option<Flags> {
    let git = Git::find().ok()?;
    let mut lines = Vec::new();
    for scope in ["--system", "--global"] {
        let words = [scope, "-z", "--get-regexp", KEYS];
        for setting in git.config_values(&words).unwrap_or_default() {
            let Some((key, value)) = setting.to_str()?.split_once('\n') else {
                continue;
            };
            if is_ours(value.as_ref()) && flags_of(value).is_some() {
                lines.push(Setting {
                    scope: scope.to_owned(),
                    origin: String::new(),
                    key: key.into(),
                    value: value.into(),
                    is_bare: false,
                });
            }
        }
    }
    let for_every_url = lines.iter().rfind(|line| context_of(&line.key).is_none());
    let line = match url {
        Some(url) => most_specific(&lines, url),
        None => for_every_url.or(lines.last()),
    };
    flags_of(line?.value.to_str()?)
}

/// The helper lines of git's configuration, read once for several URLs. Without git they are unknown.
pub(crate) struct Lines(Option<Vec<Setting>>);

impl Lines {
    pub(crate) fn read() -> Self {
        let git = Git::find().ok();
        Self(git.map(|git| helper_lines(&git).unwrap_or_default()))
    }

    /// The lines that call this helper for `url`; without a URL, those for every URL.
    pub(crate) fn for_url(&self, url: Option<&Query>) -> OwnLines {
        let values = |lines: &Vec<Setting>| {
            let chain = HelperChain::of(lines, url).helpers.into_iter();
            let values = chain.map(|setting| setting.value);
            values.filter(|value| is_ours(value)).collect()
        };
        OwnLines(self.0.as_ref().map(values))
    }
}

/// The helper lines by which git calls this helper for a URL. Equal ones make the same calls.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct OwnLines(Option<Vec<OsString>>);

impl OwnLines {
    pub(crate) fn calls(&self) -> Calls {
        let of_line = |line: &OsString| {
            let flags = line.to_str().and_then(flags_of);
            Settings::load(flags.unwrap_or_default()).ok()
        };
        Calls(
            self.0
                .as_ref()
                .map(|lines| lines.iter().filter_map(of_line).collect()),
        )
    }
}

/// The settings of each call that git makes to this helper.
pub(crate) struct Calls(Option<Vec<Settings>>);

impl Calls {
    /// For `url`; without one, the calls for every URL.
    pub(crate) fn of(url: Option<&Query>) -> Self {
        Lines::read().for_url(url).calls()
    }

    /// Whether git is known to call this helper.
    pub(crate) fn are_any(&self) -> bool {
        self.0.as_ref().is_some_and(|calls| !calls.is_empty())
    }

    /// Whether git would find an entry in the storages `kept` of `own`.
    pub(crate) fn find(&self, kept: &[StorageKind], own: &Settings) -> bool {
        let Some(calls) = &self.0 else {
            return true;
        };
        calls.iter().any(|call| {
            let mut kinds = kinds(call).iter();
            kinds.any(|kind| kept.contains(kind) && is_same_place(*kind, call, own))
        })
    }

    /// The warning and its hint if git would not find an entry in the storages `kept` of `own`. `flags`: those of the command line.
    pub(crate) fn obstacle(
        &self,
        key: &Key,
        kept: &[StorageKind],
        own: &Settings,
        flags: &Flags,
    ) -> Option<(String, String)> {
        if self.find(kept, own) {
            return None;
        }
        let url = escape::safe(&key.url());
        let asked = self.0.iter().flatten().flat_map(kinds);
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

fn is_same_place(kind: StorageKind, one: &Settings, other: &Settings) -> bool {
    match kind {
        StorageKind::Keychain => true,
        StorageKind::Memory => one.socket == other.socket,
        StorageKind::File => one.file.path() == other.file.path(),
    }
}

/// The command that makes git call this helper with `flags`.
fn setup(flags: &Flags) -> String {
    let mut words = vec!["git credential-pat".to_owned()];
    for word in flags.arguments() {
        words.push(shell_word(word.as_encoded_bytes()));
    }
    words.push("setup".to_owned());
    words.join(" ")
}
