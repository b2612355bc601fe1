//! `setup`: tells git to ask us, and takes that back.

mod elsewhere;
mod others;
mod undo;

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::failure::Failure;
use super::flags::{flags_of, gits_flags};
use super::streams::Streams;
use super::ui;
use crate::config::account::Account;
use crate::config::{self, Flags, Settings};
use crate::credential::url::without_secrets;
use crate::files::owned::HOME_OF_ANOTHER;
use crate::files::places::Places;
use crate::git::Git;
use crate::git::helper_line::{PROGRAM, is_ours};
use crate::platform;
use crate::tasks::target;
use crate::terminal::escape::{self, shell_word};
use crate::traces;

/// Have git ask this helper, or (--undo) no longer
///
/// Options of the helper that are given here are written down with it: 'git-credential-pat setup --storage memory
/// --timeout 8h'. Those that are not stay as git's configuration has them.
#[derive(clap::Args)]
// A switch of the command line each.
#[allow(clippy::struct_excessive_bools)]
pub(super) struct Arguments {
    /// Only for this URL
    url: Option<String>,
    /// Take back what setup wrote, and every other line that runs this helper, whoever wrote it; without a URL, for every
    /// URL
    #[arg(long)]
    undo: bool,
    /// Have git ask no helper that stands before this one
    #[arg(long, conflicts_with = "undo")]
    replace: bool,
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// For every user of this system
    #[arg(long, group = "scope")]
    system: bool,
    /// For you, wherever you are (the default)
    #[arg(long, group = "scope")]
    global: bool,
    /// For the repository you are in
    #[arg(long, group = "scope")]
    local: bool,
}

/// For a file that is no other user's to change, and cannot be written all the same.
pub(super) const GENERATED: &str = "if a program makes this file (home-manager, a dotfiles manager), have it write the line; else make the file and its folder writable";

/// The protocols for which git asks helpers: over HTTP and FTP, for certificates and proxies (`http.c`), and in git-send-email
/// and git-imap-send.
const PROTOCOLS: [&[u8]; 9] = [
    b"https", b"http", b"ftps", b"ftp", b"cert", b"smtp", b"smtps", b"imap", b"imaps",
];

/// The key of helpers for every URL.
const EVERYWHERE: &str = "credential.helper";

/// What is to be done to git's configuration.
struct Change {
    key: OsString,
    value: OsString,
    is_removal: bool,
}

pub(super) fn run(
    arguments: &Arguments,
    flags: &Flags,
    streams: &mut Streams,
) -> Result<ExitCode, Failure> {
    platform::harden();
    let git = Git::find()?;
    let scope = match arguments {
        Arguments { system: true, .. } => "--system",
        Arguments { local: true, .. } => "--local",
        _ => "--global",
    };
    let places = Places::find().map_err(config::Error::from)?;
    let label = key(arguments.url.as_deref())?;
    if arguments.undo {
        let only = arguments.url.is_some().then_some(&*label);
        let done = undo::run(&git, &places, scope, only, arguments.dry_run, streams);
        return done.map_err(|failure| named_by_scope(failure, scope));
    }
    let place = [OsStr::new(scope)];
    let older = older_flags(&git, scope, &label, arguments.url.as_deref())?;
    let flags = flags.clone().or(older);
    let settings = Settings::load(flags.clone())?;
    let paths = path_keys(&settings.accounts, arguments.url.as_deref())?;
    let helper = helper_value(&flags)?;
    let mut changes = additions(&git, &place, &label, helper, arguments.replace, streams)?;
    for key in paths {
        let is_set = values(&git, &place, &key)?;
        if !is_set.iter().any(|value| value == "true") {
            changes.push(Change {
                key,
                value: "true".into(),
                is_removal: false,
            });
        }
    }
    for change in &changes {
        ui::print(streams, &format!("{}\n", change.command(&place)))?;
    }
    if arguments.dry_run {
        return Ok(ExitCode::SUCCESS);
    }
    if !changes.is_empty() {
        write(&git, &places, scope, &label, &changes, streams)
            .map_err(|failure| named_by_scope(failure, scope))?;
    }
    others::check_that_git_asks(&git, scope, arguments.url.as_deref(), streams)?;
    if changes.is_empty() {
        ui::print(streams, "git asks this helper already\n")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Only of the system's file it is true that root may write it.
fn named_by_scope(failure: Failure, scope: &str) -> Failure {
    match failure {
        Failure::Traces(error) if scope != "--system" && error.is_forbidden() => {
            Failure::ReadOnly(error)
        }
        failure => failure,
    }
}

/// Refuses a file in a folder of another user: root's would be one that this user cannot change.
fn check_owner(file: &Path) -> Result<(), Failure> {
    let settled = traces::settled(file);
    let folder = settled.parent().unwrap_or(&settled);
    let owner = fs::metadata(folder).map(|found| found.uid());
    if owner.is_ok_and(|owner| owner != 0 && owner != platform::effective_uid()) {
        let folder = escape::safe(folder.as_os_str().as_bytes());
        return Err(Failure::new(
            format!("{folder} belongs to another user: nothing is written there"),
            HOME_OF_ANOTHER,
        ));
    }
    Ok(())
}

/// Makes the changes in the one file that git writes for `scope`.
fn write(
    git: &Git,
    places: &Places,
    scope: &str,
    label: &OsStr,
    changes: &[Change],
    streams: &mut Streams,
) -> Result<(), Failure> {
    let file = git.config_file(scope)?.ok_or_else(outside)?;
    if scope == "--global" {
        check_owner(&file)?;
    }
    let folder = traces_folder(places, scope);
    // What has git forget others goes with the line that it is for.
    let steps: Vec<&[Change]> = changes.chunk_by(|one, _| one.is_reset()).collect();
    let untraced = traces::change(
        &folder,
        label.as_bytes(),
        &file,
        &steps,
        |changes, draft| {
            let place = [OsStr::new("--file"), draft.as_os_str()];
            changes
                .iter()
                .try_for_each(|change| change.make(git, &place))
        },
    )?;
    if let Some(error) = untraced {
        let what = format!("{error}: --undo will remove its lines, and may leave an empty section");
        ui::warn(streams, &what, error.hint());
    }
    Ok(())
}

/// The options of the line that is replaced; of a new line's, those with which git calls this program for that URL now.
fn older_flags(git: &Git, scope: &str, key: &OsStr, url: Option<&str>) -> Result<Flags, Failure> {
    let values = values(git, &[OsStr::new(scope)], key)?;
    if let Some(line) = values.iter().rev().find(|value| is_ours(value)) {
        return Ok(line.to_str().and_then(flags_of).unwrap_or_default());
    }
    // What one user has chosen is not for all.
    if scope == "--system" {
        return Ok(Flags::default());
    }
    // What is for one URL is not for every one.
    let url = url.map(target::parse).transpose()?.unwrap_or_default();
    Ok(gits_flags(Some(&url)).unwrap_or_default())
}

/// What stands under `key` in the file or scope that `place` names for `git config`.
fn values(git: &Git, place: &[&OsStr], key: &OsStr) -> Result<Vec<OsString>, Failure> {
    let words = [place, &["-z".as_ref(), "--get-all".as_ref(), key]].concat();
    Ok(git.config_values(&words)?)
}

impl Change {
    fn is_reset(&self) -> bool {
        !self.is_removal && self.value.is_empty()
    }

    /// In the file or scope that `place` names for `git config`.
    fn make(&self, git: &Git, place: &[&OsStr]) -> Result<(), Failure> {
        let Self { key, value, .. } = self;
        let words: &[&OsStr] = if self.is_removal {
            &["--fixed-value".as_ref(), "--unset-all".as_ref(), key, value]
        } else {
            &["--add".as_ref(), key, value]
        };
        git.config(&[place, words].concat())?;
        Ok(())
    }

    /// The command as it is shown: whole, but for a secret in the key.
    fn command(&self, place: &[&OsStr]) -> String {
        let words = if self.is_removal {
            "--fixed-value --unset-all"
        } else {
            "--add"
        };
        let shown = |word: &OsStr| shell_word(word.as_bytes());
        let place: Vec<String> = place.iter().map(|word| shown(word)).collect();
        let (place, key) = (place.join(" "), shown(&without_secrets(&self.key)));
        let value = shown(&self.value);
        format!("git config {place} {words} {key} {value}")
    }
}

/// For git to tell the path, which the rules for accounts go by (gitcredentials(7), `useHttpPath`).
fn path_keys(accounts: &[Account], url: Option<&str>) -> Result<Vec<OsString>, Failure> {
    let only = url.map(target::parse).transpose()?;
    let is_meant = |account: &&Account| {
        account.path.is_some()
            && only
                .as_ref()
                .is_none_or(|only| only.host.as_ref() == Some(&account.host))
    };
    let urls = accounts.iter().filter(is_meant).flat_map(Account::urls);
    let keys =
        urls.map(|url| OsString::from_vec([b"credential.", &url[..], b".useHttpPath"].concat()));
    Ok(keys.collect())
}

/// Each scope's changes are taken back by themselves.
fn traces_folder(places: &Places, scope: &str) -> PathBuf {
    places.state.join(format!("setup{scope}"))
}

/// The files that git may write for `scope`.
fn files(git: &Git, scope: &str) -> Result<Vec<PathBuf>, Failure> {
    git.config_files(scope)?.ok_or_else(outside)
}

fn outside() -> Failure {
    Failure::new("this is no repository", "go into one, or leave out --local")
}

/// `credential.helper`, or `credential.URL.helper`; the URL is put together anew from its checked parts.
fn key(url: Option<&str>) -> Result<OsString, Failure> {
    let Some(url) = url else {
        return Ok(EVERYWHERE.into());
    };
    let parts = target::parse(url)?;
    let protocol = parts.protocol.as_deref().unwrap_or_default();
    if !PROTOCOLS.contains(&protocol) {
        return Err(Failure::new(
            "git asks no helper for this kind of URL",
            "give a URL such as https://github.com",
        ));
    }
    let mut key = b"credential.".to_vec();
    key.extend_from_slice(&parts.protocol.unwrap_or_default());
    key.extend_from_slice(b"://");
    if let Some(name) = parts.username {
        if name.may_be_token() {
            return Err(Failure::new(
                "the URL holds a token in the place of the user: it would stand in git's configuration",
                "leave it out; without a user the setting holds for every user",
            ));
        }
        key.extend_from_slice(name.expose());
        key.push(b'@');
    }
    key.extend_from_slice(&parts.host.unwrap_or_default());
    if let Some(path) = parts.path {
        key.push(b'/');
        key.extend_from_slice(&path);
    }
    key.extend_from_slice(b".helper");
    Ok(OsStr::from_bytes(&key).to_owned())
}

/// Our line, in the place of an older one of ours. Other helpers stay, and are named; with `replaces`, an empty line has
/// git forget those that stand before ours (gitcredentials(7), `helper`).
fn additions(
    git: &Git,
    place: &[&OsStr],
    key: &OsStr,
    value: OsString,
    replaces: bool,
    streams: &mut Streams,
) -> Result<Vec<Change>, Failure> {
    let values = values(git, place, key)?;
    others::name_others(git, key, replaces, streams)?;
    let is_reset = values
        .iter()
        .rev()
        .find(|value| !is_ours(value))
        .is_some_and(|value| value.is_empty());
    let must_reset = replaces && !is_reset;
    let last_reset = values.iter().rposition(|value| value.is_empty());
    let after = last_reset.map_or(0, |at| at + 1);
    // An empty value has git forget what stands before it, be it ours.
    if values[after..].contains(&value) && !must_reset {
        return Ok(Vec::new());
    }
    let change = |value, is_removal| Change {
        key: key.to_owned(),
        value,
        is_removal,
    };
    let mut changes: Vec<Change> = Vec::new();
    changes.extend(
        values
            .into_iter()
            .filter(|value| is_ours(value))
            .map(|older| change(older, true)),
    );
    changes.extend(must_reset.then(|| change(OsString::new(), false)));
    changes.push(change(value, false));
    Ok(changes)
}

/// The value of `credential.helper`: our absolute path, which saves git a start of itself, with the flags that were given.
/// git hands it to a shell, and takes a value for an absolute path by its first byte.
fn helper_value(flags: &Flags) -> Result<OsString, Failure> {
    let mut words = vec![program()?.into_os_string()];
    words.extend(flags.arguments());
    let is_plain = |word: &OsString| {
        word.to_str()
            .is_some_and(|text| text.chars().all(escape::is_plain))
    };
    if !words.iter().all(is_plain) {
        return Err(Failure::new(
            "the path of this program, or an option, holds a character that cannot be seen: git could not be told",
            None,
        ));
    }
    let words: Vec<String> = words
        .iter()
        .map(|word| shell_word(word.as_bytes()))
        .collect();
    Ok(words.join(" ").into())
}

/// A path to this program that an upgrade leaves as it is: the one on PATH, if it leads here; else where it is.
fn program() -> Result<PathBuf, Failure> {
    let own = env::current_exe()?;
    let real = fs::canonicalize(&own)?;
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(PROGRAM));
    let same = on_path
        .into_iter()
        .find(|program| fs::canonicalize(program).is_ok_and(|found| found == real));
    Ok(same.unwrap_or(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_of_checked_parts() {
        assert_eq!(key(None).unwrap(), "credential.helper");
        assert_eq!(
            key(Some("github.com")).unwrap(),
            "credential.https://github.com.helper"
        );
        assert_eq!(
            key(Some("https://A@GitHub.com:8443/x/")).unwrap(),
            "credential.https://A@github.com:8443/x.helper"
        );
        assert!(key(Some("https://good.test:443.helper=!x/\n")).is_err());
    }
}
