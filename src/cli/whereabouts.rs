//! Where a saved token is, for how long, and whether git looks there.

use std::ffi::OsString;

use super::flags::flags_of;
use super::streams::Streams;
use super::ui;
use crate::config::{Flags, Settings};
use crate::credential::expiry::Expiry;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::git::Git;
use crate::git::chain::{HelperChain, helper_lines};
use crate::git::helper_line::is_ours;
use crate::git::setting::Setting;
use crate::helper::Helper;
use crate::helper::open::kinds;
use crate::storage::memory::Lifetime;
use crate::storage::{Error, Listed, StorageKind, in_words as places};
use crate::terminal::escape::{self, shell_word};
use crate::time::in_words;

/// How long the daemon and this process may take together.
const SLACK: u64 = 60;

/// The storages that keep an entry under `key`.
pub(super) fn entries(helper: &Helper, key: &Key) -> Result<Vec<(StorageKind, Listed)>, Error> {
    let listed = helper.list()?.value;
    let is_meant = |(_, listed): &(StorageKind, Listed)| listed.key == *key;
    Ok(listed.into_iter().filter(is_meant).collect())
}

/// Where a token is kept and for how long: `in the keychain until it expires on 26 Nov 2026`.
pub(super) fn told(entries: &[(StorageKind, Listed)], lifetime: Lifetime, unix_now: u64) -> String {
    let mut parts = Vec::new();
    for (kind, listed) in entries {
        parts.push(match kind {
            StorageKind::Memory => in_memory(listed, lifetime, unix_now),
            StorageKind::Keychain | StorageKind::File => in_storage(*kind, listed.expiry),
        });
    }
    parts.join(" and ")
}

fn in_storage(kind: StorageKind, expiry: Option<Expiry>) -> String {
    let place = kind.place();
    match expiry {
        Some(expiry) => format!("in {place} until it expires on {}", expiry.day()),
        None => format!("in {place}"),
    }
}

/// The daemon's two limits and the token's expiry: the earliest counts.
fn in_memory(listed: &Listed, lifetime: Lifetime, unix_now: u64) -> String {
    let (timeout, max_age) = (lifetime.timeout.as_secs(), lifetime.max_age.as_secs());
    // An entry that was there before keeps its age.
    let forgotten = listed
        .forgotten
        .map_or(timeout, |at| at.saturating_sub(unix_now));
    let expires = listed.expiry.map(|expiry| (expiry, expiry.left(unix_now)));
    let limit = if forgotten.saturating_add(SLACK) < timeout.min(max_age) {
        format!("for another {}", in_words(forgotten))
    } else if max_age <= timeout {
        format!("for {}", in_words(max_age))
    } else {
        format!(
            "for {} after its last use, at most {}",
            in_words(timeout),
            in_words(max_age)
        )
    };
    match expires {
        Some((_, left)) if left <= timeout.min(max_age) => {
            format!("in memory until it expires in {}", in_words(left))
        }
        Some((_, left)) if left < max_age => {
            format!(
                "in memory {limit}, and not after it expires in {}",
                in_words(left)
            )
        }
        Some((expiry, _)) => format!("in memory {limit}; it expires on {}", expiry.day()),
        None => format!("in memory {limit}"),
    }
}

/// Every helper line of git's configuration, read once for any number of URLs. Without git its calls are unknown.
pub(super) struct Lines(Option<Vec<Setting>>);

impl Lines {
    pub(super) fn read() -> Self {
        Self(
            Git::find()
                .ok()
                .map(|git| helper_lines(&git).unwrap_or_default()),
        )
    }

    /// Those that call this helper for `url`; without one, for every URL.
    pub(super) fn for_url(&self, url: Option<&Query>) -> OwnLines {
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
pub(super) struct OwnLines(Option<Vec<OsString>>);

impl OwnLines {
    pub(super) fn calls(&self) -> Calls {
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
pub(super) struct Calls(Option<Vec<Settings>>);

impl Calls {
    /// For `url`; without one, the calls for every URL.
    pub(super) fn of(url: Option<&Query>) -> Self {
        Lines::read().for_url(url).calls()
    }

    /// Whether git calls this helper at all, as far as is known.
    pub(super) fn are_any(&self) -> bool {
        self.0.as_ref().is_some_and(|calls| !calls.is_empty())
    }

    /// Whether git would find an entry in the storages `kept` of `own`.
    pub(super) fn find(&self, kept: &[StorageKind], own: &Settings) -> bool {
        let Some(calls) = &self.0 else {
            return true;
        };
        calls.iter().any(|call| {
            let mut kinds = kinds(call).iter();
            kinds.any(|kind| kept.contains(kind) && is_same_place(*kind, call, own))
        })
    }

    /// Warns if git would not find an entry in the storages `kept` of `own`. `flags`: those given on the command line.
    /// Returns whether it would.
    pub(super) fn check(
        &self,
        streams: &mut Streams,
        url: Option<&Key>,
        kept: &[StorageKind],
        (own, flags): (&Settings, &Flags),
    ) -> bool {
        if self.find(kept, own) {
            return true;
        }
        let url = url.map_or_else(String::new, |key| {
            format!(" for {}", escape::safe(&key.url()))
        });
        let asked: Vec<StorageKind> = self.0.iter().flatten().flat_map(kinds).copied().collect();
        let setup = setup(flags);
        let (what, hint) = if asked.is_empty() {
            (
                format!("git does not call this helper{url}: it finds no token here"),
                format!("have git call it with '{setup}'"),
            )
        } else {
            (
                format!(
                    "git does not look{url} in {}, but in {}",
                    places(kept, "or"),
                    places(&asked, "and")
                ),
                format!(
                    "have git look there with '{setup}', or run this again without --storage, --file and --socket"
                ),
            )
        };
        ui::warn(streams, &what, Some(&hint));
        false
    }
}

fn is_same_place(kind: StorageKind, one: &Settings, other: &Settings) -> bool {
    match kind {
        StorageKind::Keychain => true,
        StorageKind::Memory => one.socket == other.socket,
        StorageKind::File => one.file.path() == other.file.path(),
    }
}

/// The command that has git call this helper with `flags`.
fn setup(flags: &Flags) -> String {
    let mut words = vec!["git credential-pat".to_owned()];
    for word in flags.arguments() {
        words.push(shell_word(word.as_encoded_bytes()));
    }
    words.push("setup".to_owned());
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const WALL: u64 = 1_800_000_000;
    const HOUR: u64 = 3600;

    fn shown(kind: StorageKind, forgotten: Option<u64>, expires: Option<u64>) -> String {
        let listed = Listed {
            key: Key {
                protocol: b"https".to_vec(),
                host: b"one.test".to_vec(),
                path: None,
                username: None,
            },
            expiry: expires.and_then(|after| Expiry::from_unix(WALL + after)),
            scheme: None,
            is_renewable: false,
            forgotten: forgotten.map(|after| WALL + after),
            written: None,
        };
        let lifetime = Lifetime {
            timeout: Duration::from_secs(HOUR),
            max_age: Duration::from_secs(12 * HOUR),
        };
        told(&[(kind, listed)], lifetime, WALL)
    }

    #[test]
    fn the_earliest_limit_of_a_storage_is_told() {
        for (kind, forgotten, expires, expected) in [
            (StorageKind::Keychain, None, None, "in the keychain"),
            (
                StorageKind::Keychain,
                None,
                Some(30 * 24 * HOUR),
                "in the keychain until it expires on 14 Feb 2027",
            ),
            (StorageKind::File, None, None, "in the plaintext file"),
            (
                StorageKind::Memory,
                Some(HOUR),
                None,
                "in memory for 1 hour after its last use, at most 12 hours",
            ),
            (
                StorageKind::Memory,
                Some(HOUR),
                Some(30 * 24 * HOUR),
                "in memory for 1 hour after its last use, at most 12 hours; it expires on 14 Feb 2027",
            ),
            (
                StorageKind::Memory,
                Some(HOUR),
                Some(5 * HOUR),
                "in memory for 1 hour after its last use, at most 12 hours, and not after it expires in 5 hours",
            ),
            (
                StorageKind::Memory,
                Some(HOUR),
                Some(600),
                "in memory until it expires in 10 minutes",
            ),
            (
                StorageKind::Memory,
                Some(900),
                None,
                "in memory for another 15 minutes",
            ),
        ] {
            assert_eq!(shown(kind, forgotten, expires), expected);
        }
    }
}
