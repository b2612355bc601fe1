//! `setup --undo`: what goes, and what is left.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::super::failure::Failure;
use super::super::streams::Streams;
use super::super::ui;
use super::others::concerns;
use super::{Change, elsewhere, files, named_by_scope, traces_folder, values};
use crate::credential::url::without_secrets;
use crate::files::external;
use crate::files::places::Places;
use crate::git::Git;
use crate::git::helper_line::{KEYS, is_ours};
use crate::git::setting::Setting;
use crate::terminal::escape::{self, shell_word};
use crate::traces::draft::{self, Draft};
use crate::traces::{self, Chosen, Left, TakenBack};

/// What was noted goes byte for byte; of the rest each line that runs this program, in every file that git may write for
/// `scope`. `only`: under this key alone.
pub(super) fn run(
    git: &Git,
    places: &Places,
    scope: &str,
    only: Option<&OsStr>,
    is_dry: bool,
    streams: &mut Streams,
) -> Result<ExitCode, Failure> {
    let (files, foreign): (Vec<PathBuf>, Vec<PathBuf>) = files(git, scope)?
        .into_iter()
        .partition(|file| elsewhere::is_of_here(places, scope, file));
    let (is_done, left) = match take_back(places, scope, &files, only, is_dry, streams) {
        Err(Failure::Traces(error)) if !is_locked(&error) => {
            tell_traceless(error, scope, streams);
            (false, Vec::new())
        }
        done => done?,
    };
    let mut is_any = false;
    // Noted where another setting had git write then: nothing is looked for there but that.
    let is_elsewhere = |path: &&PathBuf| !files.iter().any(|file| traces::settled(file) == **path);
    let noted = left.iter().map(|one| &one.path);
    let elsewhere: Vec<&PathBuf> = noted.filter(is_elsewhere).collect();
    let all = files.iter().chain(elsewhere.iter().copied());
    for file in all.filter(|file| file.exists()) {
        let place = [OsStr::new("--file"), file.as_os_str()];
        let keys = match only {
            _ if elsewhere.contains(&file) => Vec::new(),
            Some(only) => vec![only.to_owned()],
            None => keys_of(git, &place, KEYS)?,
        };
        let removals = removals(git, &place, keys)?;
        let mut resets = resets(git, &place, &removals)?;
        for change in &removals {
            ui::print(streams, &format!("{}\n", change.command(&place)))?;
        }
        if !is_dry {
            make(git, file, &removals)?;
        }
        is_any |= !removals.is_empty();
        let left = remaining(file, &left);
        resets.extend(resets_left(git, &place, &left, &resets)?);
        // What is only shown still stands there; and beside a line without a trace, others may have none.
        let is_traceless = !(is_dry && is_done || removals.is_empty());
        if is_traceless || !left.is_empty() {
            is_any |= !resets.is_empty();
            tell_resets(file, &resets, streams);
        }
        if is_traceless || left.iter().any(|left| has_path(&left.lines)) {
            tell_paths(git, &place, only, streams)?;
        }
    }
    tell_foreign(git, &foreign, only, streams)?;
    if !is_any {
        let what = format!("no line of this helper is left in what 'git config {scope}' changes");
        ui::print(streams, &format!("{what}\n"))?;
    }
    if !is_dry {
        tell_rest(git, only, streams);
    }
    Ok(ExitCode::SUCCESS)
}

/// Says why the notes cannot be used.
fn tell_traceless(error: draft::Error, scope: &str, streams: &mut Streams) {
    let what = format!("{error}: lines are taken out one by one, and may leave an empty section");
    let failure = named_by_scope(Failure::Traces(error), scope);
    ui::warn(streams, &what, failure.hint());
}

/// Says of which files with a line of this helper nothing is taken.
fn tell_foreign(
    git: &Git,
    files: &[PathBuf],
    only: Option<&OsStr>,
    streams: &mut Streams,
) -> Result<(), Failure> {
    for file in files.iter().filter(|file| file.exists()) {
        let place = [OsStr::new("--file"), file.as_os_str()];
        let keys = match only {
            Some(only) => vec![only.to_owned()],
            None => keys_of(git, &place, KEYS)?,
        };
        if !removals(git, &place, keys)?.is_empty() {
            elsewhere::tell(file, streams);
        }
    }
    Ok(())
}

fn is_locked(error: &draft::Error) -> bool {
    matches!(error, draft::Error::Lock(external::Error::Locked { .. }))
}

/// All of them in one move.
fn make(git: &Git, file: &Path, removals: &[Change]) -> Result<(), Failure> {
    if removals.is_empty() {
        return Ok(());
    }
    let mut draft = Draft::of(file)?;
    let path = draft.path();
    for change in removals {
        change.make(git, &[OsStr::new("--file"), path.as_os_str()])?;
    }
    Ok(draft.put()?)
}

/// Takes back what is noted of `scope`: byte for byte, where nobody has changed the file since. Each repository has its
/// own, and they share one note. Returns whether there was something, and what is left of it.
fn take_back(
    places: &Places,
    scope: &str,
    files: &[PathBuf],
    key: Option<&OsStr>,
    is_dry: bool,
    streams: &mut Streams,
) -> Result<(bool, Vec<TakenBack>), Failure> {
    let chosen = Chosen {
        label: key.map(OsStr::as_bytes),
        files: (scope != "--global").then_some(files),
        is_of_home: scope == "--global",
    };
    let folder = traces_folder(places, scope);
    let (all, verb) = if is_dry {
        (traces::foreseen(&folder, chosen)?, "would be")
    } else {
        (traces::take_back(&folder, chosen)?, "is")
    };
    for one in all.iter().filter(|one| one.is_changed) {
        let file = escape::safe(one.path.as_os_str().as_bytes());
        let part = if one.left.is_empty() { "" } else { "some of " };
        ui::print(
            streams,
            &format!("{file}: {part}what setup wrote {verb} taken back\n"),
        )?;
    }
    let (left, whole): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| !one.left.is_empty());
    Ok((!whole.is_empty(), left))
}

/// What is left of this file, by whatever name it was noted.
fn remaining<'a>(file: &Path, left: &'a [TakenBack]) -> Vec<&'a Left> {
    let file = traces::settled(file);
    let of_file = left.iter().filter(|one| one.path == file);
    of_file.flat_map(|one| &one.left).collect()
}

/// Whether it had git tell paths.
fn has_path(lines: &[u8]) -> bool {
    let name = b"usehttppath";
    lines
        .windows(name.len())
        .any(|word| word.eq_ignore_ascii_case(name))
}

/// Every key that is set there, and fits.
fn keys_of(git: &Git, place: &[&OsStr], pattern: &str) -> Result<Vec<OsString>, Failure> {
    let words = ["-z", "--name-only", "--get-regexp", pattern].map(OsStr::new);
    let mut keys = git.config_values(&[place, &words].concat())?;
    keys.dedup();
    Ok(keys)
}

fn removals(git: &Git, place: &[&OsStr], keys: Vec<OsString>) -> Result<Vec<Change>, Failure> {
    let mut changes = Vec::new();
    for key in keys {
        for value in values(git, place, &key)?
            .into_iter()
            .filter(|value| is_ours(value))
        {
            changes.push(Change {
                key: key.clone(),
                value,
                is_removal: true,
            });
        }
    }
    Ok(changes)
}

/// A key that is set to nothing, which has git forget the helpers before (gitcredentials(7), CONFIGURATION OPTIONS).
struct Reset {
    key: OsString,
    /// How often.
    count: usize,
}

/// The keys of which an empty line stands right before one of ours that goes: `--replace` writes it, and where its trace is
/// lost nobody knows whether it did.
fn resets(git: &Git, place: &[&OsStr], removals: &[Change]) -> Result<Vec<Reset>, Failure> {
    let mut resets: Vec<Reset> = Vec::new();
    for Change { key, .. } in removals {
        if resets.iter().any(|reset| reset.key == *key) {
            continue;
        }
        let values = values(git, place, key)?;
        let is_reset = |two: &[OsString]| two[0].is_empty() && is_ours(&two[1]);
        if values.windows(2).any(is_reset) {
            resets.push(Reset {
                key: key.clone(),
                count: values.iter().filter(|value| value.is_empty()).count(),
            });
        }
    }
    Ok(resets)
}

/// The keys under which we wrote one, if one is there still and is not among `known`.
fn resets_left(
    git: &Git,
    place: &[&OsStr],
    left: &[&Left],
    known: &[Reset],
) -> Result<Vec<Reset>, Failure> {
    let mut resets: Vec<Reset> = Vec::new();
    for Left { label, lines } in left {
        let key = OsStr::from_bytes(label);
        let is_known = known.iter().chain(&resets).any(|reset| reset.key == *key);
        let mut lines = lines.split(|&byte| byte == b'\n');
        if is_known || !lines.any(is_empty_helper) {
            continue;
        }
        let values = values(git, place, key)?;
        let count = values.iter().filter(|value| value.is_empty()).count();
        if count > 0 {
            let key = key.to_owned();
            resets.push(Reset { key, count });
        }
    }
    Ok(resets)
}

/// Says where they stand, and what takes them out.
fn tell_resets(file: &Path, resets: &[Reset], streams: &mut Streams) {
    // Of what does not read the lines stay uncounted.
    let text = draft::read(file).ok().flatten().unwrap_or_default();
    let place = escape::safe(file.as_os_str().as_bytes());
    for Reset { key, count } in resets {
        let lines = empty_lines(&text, key.as_bytes());
        // A command takes out all of them, the person's too.
        let removal = (*count == 1).then(|| Change {
            key: key.clone(),
            value: OsString::new(),
            is_removal: true,
        });
        let hint = taken_out("setup --replace", removal, file);
        let mut places: Vec<String> = lines
            .iter()
            .map(|line| format!("{place}, line {line}"))
            .collect();
        if places.len() < *count {
            places.push(place.clone());
        }
        for place in places {
            let what = format!(
                "an empty 'helper =' is left in {place}: git asks no helper that stands before it"
            );
            ui::warn(streams, &what, Some(&hint));
        }
    }
}

/// Rules for accounts have setup write these; nobody knows now whether it did.
fn tell_paths(
    git: &Git,
    place: &[&OsStr; 2],
    only: Option<&OsStr>,
    streams: &mut Streams,
) -> Result<(), Failure> {
    let file = Path::new(place[1]);
    for key in keys_of(git, place, r"^credential\..*\.usehttppath$")? {
        if only.is_some_and(|only| !concerns(&key, only)) {
            continue;
        }
        let shown = escape::safe(without_secrets(&key).as_bytes());
        let what = format!(
            "{shown} is left in {}: git tells its helpers the path there",
            escape::safe(file.as_os_str().as_bytes())
        );
        let is = values(git, place, &key)?;
        let removal = (is == ["true"]).then(|| Change {
            key,
            value: "true".into(),
            is_removal: true,
        });
        ui::warn(streams, &what, Some(&taken_out("setup", removal, file)));
    }
    Ok(())
}

/// `None`: no command does just that. A command with a secret in it is not shown; without the secret it would change nothing.
fn taken_out(writer: &str, removal: Option<Change>, file: &Path) -> String {
    let place = [OsStr::new("--file"), file.as_os_str()];
    let shown = removal.filter(|removal| without_secrets(&removal.key) == removal.key);
    let command = match shown {
        Some(removal) => removal.command(&place),
        None => format!(
            "git config --file {} --edit",
            shell_word(place[1].as_bytes())
        ),
    };
    format!("if '{writer}' wrote it, take it out with: {command}")
}

/// The numbers of the lines that set `key`, a `credential.*helper`, to nothing (git-config(1), CONFIGURATION FILE). Lines that
/// are written otherwise than git does are known to git alone.
fn empty_lines(text: &[u8], key: &[u8]) -> Vec<usize> {
    let mut is_here = false;
    let mut numbers = Vec::new();
    for (number, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.starts_with(b"[") {
            is_here = helper_of(line).is_some_and(|found| found == key);
        } else if is_here && is_empty_helper(line) {
            numbers.push(number + 1);
        }
    }
    numbers
}

fn is_empty_helper(line: &[u8]) -> bool {
    halves(line).is_some_and(|(name, value)| {
        name.trim_ascii().eq_ignore_ascii_case(b"helper")
            && matches!(value.trim_ascii(), [] | [b';' | b'#', ..] | b"\"\"")
    })
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
fn tell_rest(git: &Git, key: Option<&OsStr>, streams: &mut Streams) {
    let settings = git.settings(KEYS).unwrap_or_default();
    let is_rest =
        |setting: &&Setting| is_ours(&setting.value) && key.is_none_or(|key| setting.key == *key);
    for rest in settings.iter().filter(is_rest) {
        let place = escape::safe(format!("{}, {}", rest.scope, rest.origin).as_bytes());
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
