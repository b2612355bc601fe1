//! `setup --undo`: what goes, and what is left.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::super::streams::Streams;
use super::super::{Failure, ui};
use super::{Change, command, files, traces_folder};
use crate::git::{Git, Setting};
use crate::helper_line::{KEYS, is_ours, without_password};
use crate::places::Places;
use crate::plain;
use crate::traces::{self, Chosen};

/// Takes back what is noted of `scope`: byte for byte, where nobody has changed the file since. Each repository has its
/// own, and they share one note. Returns whether there was something.
pub(super) fn take_back(
    git: &Git,
    places: &Places,
    scope: &str,
    key: Option<&OsStr>,
    is_dry: bool,
    streams: &mut Streams,
) -> Result<bool, Failure> {
    let files = match scope {
        "--local" => Some(files(git, scope)?),
        _ => None,
    };
    let chosen = Chosen {
        label: key.map(OsStr::as_bytes),
        files: files.as_deref(),
    };
    let folder = traces_folder(places, scope);
    let (done, what) = if is_dry {
        let noted = traces::noted(&folder, chosen)?;
        (noted, "what setup wrote would be taken back")
    } else {
        let done = traces::take_back(&folder, chosen)?;
        (done, "what setup wrote is taken back")
    };
    for file in &done {
        let file = plain::safe(file.as_os_str().as_bytes());
        ui::print(streams, &format!("{file}: {what}\n"))?;
    }
    Ok(!done.is_empty())
}

/// Every `credential.*helper` that is set.
pub(super) fn every_key(git: &Git, scope: &str) -> Result<Vec<OsString>, Failure> {
    let mut keys = git.config_values(&[scope, "-z", "--name-only", "--get-regexp", KEYS])?;
    keys.dedup();
    Ok(keys)
}

pub(super) fn removals(
    git: &Git,
    scope: &str,
    keys: Vec<OsString>,
) -> Result<Vec<Change>, Failure> {
    let mut changes = Vec::new();
    for key in keys {
        let values =
            git.config_values(&[OsStr::new(scope), "-z".as_ref(), "--get-all".as_ref(), &key])?;
        for value in values.into_iter().filter(|value| is_ours(value)) {
            changes.push(Change {
                key: key.clone(),
                value,
                is_removal: true,
            });
        }
    }
    Ok(changes)
}

/// The keys of which an empty line stands right before one of ours that goes: `--replace` writes it, and where its trace is
/// lost nobody knows whether it did.
pub(super) fn resets(git: &Git, scope: &str, changes: &[Change]) -> Result<Vec<OsString>, Failure> {
    let mut keys: Vec<OsString> = Vec::new();
    for Change {
        key, is_removal, ..
    } in changes
    {
        if !is_removal || keys.contains(key) {
            continue;
        }
        let values =
            git.config_values(&[OsStr::new(scope), "-z".as_ref(), "--get-all".as_ref(), key])?;
        let is_reset = |two: &[OsString]| two[0].is_empty() && is_ours(&two[1]);
        if values.windows(2).any(is_reset) {
            keys.push(key.clone());
        }
    }
    Ok(keys)
}

/// Says where they stand, and what takes them out.
pub(super) fn tell_resets(
    scope: &str,
    files: &[PathBuf],
    keys: &[OsString],
    streams: &mut Streams,
) {
    for key in keys {
        // A command with a password in it is not shown, and one without it would change nothing.
        let mends = if without_password(key) == *key {
            command(scope, true, key, OsStr::new(""))
        } else {
            format!("git config {scope} --edit")
        };
        let hint = format!("if 'setup --replace' wrote it, take it out with: {mends}");
        for file in files {
            let text = fs::read(file).unwrap_or_default();
            for line in empty_lines(&text, key.as_bytes()) {
                let place = plain::safe(file.as_os_str().as_bytes());
                let what = format!(
                    "an empty 'helper =' is left in {place}, line {line}: git asks no helper that stands before it"
                );
                ui::warn(streams, &what, Some(&hint));
            }
        }
    }
}

/// The numbers of the lines that set `key`, a `credential.*helper`, to nothing (git-config(1), CONFIGURATION FILE). Who wrote
/// them otherwise than git does is told by git alone.
fn empty_lines(text: &[u8], key: &[u8]) -> Vec<usize> {
    let mut is_here = false;
    let mut numbers = Vec::new();
    for (number, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.starts_with(b"[") {
            is_here = helper_of(line).is_some_and(|found| found == key);
        } else if is_here
            && let Some((name, value)) = halves(line)
            && name.trim_ascii().eq_ignore_ascii_case(b"helper")
            && matches!(value.trim_ascii(), [] | [b';' | b'#', ..] | b"\"\"")
        {
            numbers.push(number + 1);
        }
    }
    numbers
}

fn halves(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = line.iter().position(|&byte| byte == b'=')?;
    Some((&line[..at], &line[at + 1..]))
}

/// The key of `helper` in a section of `credential`, by its heading.
fn helper_of(heading: &[u8]) -> Option<Vec<u8>> {
    let (name, rest) = heading[1..].split_at_checked(b"credential".len())?;
    if !name.eq_ignore_ascii_case(b"credential") {
        return None;
    }
    let rest = rest.trim_ascii_start();
    let mut key = b"credential.".to_vec();
    if !rest.starts_with(b"]") {
        let mut bytes = rest.strip_prefix(b"\"")?.iter();
        loop {
            match bytes.next()? {
                b'"' => break,
                b'\\' => key.push(*bytes.next()?),
                byte => key.push(*byte),
            }
        }
        key.push(b'.');
    }
    key.extend(b"helper");
    Some(key)
}

/// Other scopes, and files that are included, may ask us as before.
pub(super) fn tell_rest(git: &Git, key: Option<&OsStr>, streams: &mut Streams) {
    let settings = git.settings(KEYS).unwrap_or_default();
    let is_rest =
        |setting: &&Setting| is_ours(&setting.value) && key.is_none_or(|key| setting.key == *key);
    for rest in settings.iter().filter(is_rest) {
        let place = plain::safe(format!("{}, {}", rest.scope, rest.origin).as_bytes());
        let what = format!("git still asks this helper ({place})");
        let hint = "--undo takes back what --global (the default), --local or --system wrote";
        ui::warn(streams, &what, Some(hint));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_lines_are_found_in_their_section() {
        let text = b"[credential]\n\thelper =\n\thelper = store\n[user]\n\thelper =\n[Credential \"https://a\\\"b.test\"] # x\n\tHelper = ; none\n\thelper = \"\"\n[credential]\n helper=\r\n";
        assert_eq!(empty_lines(text, b"credential.helper"), [2, 10]);
        assert_eq!(
            empty_lines(text, b"credential.https://a\"b.test.helper"),
            [7, 8]
        );
        assert!(empty_lines(text, b"credential.https://c.test.helper").is_empty());
        assert!(
            empty_lines(
                b"[credential\nhelper =\n[\nhelper =\n",
                b"credential.helper"
            )
            .is_empty()
        );
    }
}
