//! `setup`: tells git to ask us, and takes that back.

mod undo;

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::process::ExitCode;

use super::streams::Streams;
use super::{Failure, described, ui};
use crate::config::account::Account;
use crate::config::{self, Choice, Flags, Settings};
use crate::git::Git;
use crate::helper_line::{PROGRAM, is_ours, named, quoted, without_password};
use crate::places::Places;
use crate::plain;
use crate::platform;
use crate::traces::{self, Before};

/// Have git ask this helper, or (--undo) no longer
///
/// Options of the helper that are given here are written down with it: 'git-credential-pat setup --storage memory
/// --timeout 8h'.
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
    let mut is_noted = false;
    if arguments.undo {
        let only = arguments.url.is_some().then_some(&*label);
        let is_done = undo::take_back(&git, &places, scope, only, arguments.dry_run, streams)?;
        // What is only shown still stands there.
        is_noted = arguments.dry_run && is_done;
    }
    let settings = Settings::load(flags.clone())?;
    let paths = path_keys(&settings.accounts, arguments.url.as_deref())?;
    let mut changes = if arguments.undo {
        let keys = if arguments.url.is_some() {
            vec![label.clone()]
        } else {
            undo::every_key(&git, scope)?
        };
        undo::removals(&git, scope, keys)?
    } else {
        additions(
            &git,
            scope,
            &label,
            helper_value(flags)?,
            arguments.replace,
            streams,
        )?
    };
    for key in paths {
        let is_set =
            git.config_values(&[OsStr::new(scope), "-z".as_ref(), "--get-all".as_ref(), &key])?;
        // What stood there before is the person's: only what the trace tells of is taken back.
        if !arguments.undo && !is_set.iter().any(|value| value == "true") {
            changes.push(Change {
                key,
                value: "true".into(),
                is_removal: false,
            });
        }
    }
    if changes.is_empty() {
        let what = if arguments.undo {
            format!("no line of this helper is left in what 'git config {scope}' changes")
        } else {
            "git asks this helper already".to_owned()
        };
        ui::print(streams, &format!("{what}\n"))?;
    }
    let resets = undo::resets(&git, scope, &changes)?;
    let files = files(&git, scope)?;
    let folder = traces_folder(&places, scope);
    for Change {
        key,
        value,
        is_removal,
    } in changes
    {
        let words: &[&OsStr] = if is_removal {
            &[
                "--fixed-value".as_ref(),
                "--unset-all".as_ref(),
                &key,
                &value,
            ]
        } else {
            &["--add".as_ref(), &key, &value]
        };
        ui::print(
            streams,
            &format!("{}\n", command(scope, is_removal, &key, &value)),
        )?;
        if arguments.dry_run {
            continue;
        }
        // Each by itself: what stands between two changes is none of ours to note.
        let befores: Result<Vec<_>, _> = files.iter().map(|file| Before::look(file)).collect();
        let befores = befores?;
        git.config(&[&[OsStr::new(scope)], words].concat())?;
        if !arguments.undo
            && let Err(error) = traces::note(&folder, label.as_bytes(), befores)
        {
            ui::warn(
                streams,
                &format!("{error}: --undo will remove its lines, and may leave an empty section"),
                None,
            );
        }
    }
    if arguments.undo && !is_noted {
        undo::tell_resets(scope, &files, &resets, streams);
    }
    if arguments.undo && !arguments.dry_run {
        undo::tell_rest(&git, arguments.url.is_some().then_some(&*label), streams);
    }
    Ok(ExitCode::SUCCESS)
}

/// The command as it is shown: whole, but for a password in the key.
fn command(scope: &str, is_removal: bool, key: &OsStr, value: &OsStr) -> String {
    let words = if is_removal {
        "--fixed-value --unset-all"
    } else {
        "--add"
    };
    let (key, value) = (quoted(&without_password(key)), quoted(value));
    plain::whole(&format!("git config {scope} {words} {key} {value}"))
}

/// For git to tell the path, which the rules for accounts go by (gitcredentials(7), `useHttpPath`).
fn path_keys(accounts: &[Account], url: Option<&str>) -> Result<Vec<OsString>, Failure> {
    let only = url.map(described).transpose()?;
    let is_meant = |account: &&Account| {
        account.path.is_some()
            && only
                .as_ref()
                .is_none_or(|only| only.host.as_ref() == Some(&account.host))
    };
    let keys = accounts.iter().filter(is_meant).map(|account| {
        OsString::from_vec([b"credential.", &account.url()[..], b".useHttpPath"].concat())
    });
    Ok(keys.collect())
}

/// Each scope's changes are taken back by themselves.
fn traces_folder(places: &Places, scope: &str) -> PathBuf {
    places.state.join(format!("setup{scope}"))
}

/// The files that git may write for `scope`.
fn files(git: &Git, scope: &str) -> Result<Vec<PathBuf>, Failure> {
    let outside = || Failure::new("this is no repository", "go into one, or leave out --local");
    git.config_files(scope)?.ok_or_else(outside)
}

/// `credential.helper`, or `credential.URL.helper`; the URL is put together anew from its checked parts.
fn key(url: Option<&str>) -> Result<OsString, Failure> {
    let Some(url) = url else {
        return Ok("credential.helper".into());
    };
    let parts = described(url)?;
    let mut key = b"credential.".to_vec();
    key.extend_from_slice(&parts.protocol.unwrap_or_default());
    key.extend_from_slice(b"://");
    if let Some(name) = parts.username {
        key.extend_from_slice(&name);
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
    scope: &str,
    key: &OsStr,
    value: OsString,
    replaces: bool,
    streams: &mut Streams,
) -> Result<Vec<Change>, Failure> {
    let values =
        git.config_values(&[OsStr::new(scope), "-z".as_ref(), "--get-all".as_ref(), key])?;
    if !replaces {
        name_others(git, key, streams)?;
    }
    let is_reset = values
        .iter()
        .rev()
        .find(|value| !is_ours(value))
        .is_some_and(|value| value.is_empty());
    let must_reset = replaces && !is_reset;
    if values.contains(&value) && !must_reset {
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

/// Says which other helpers git asks, whatever file tells it to.
fn name_others(git: &Git, key: &OsStr, streams: &mut Streams) -> Result<(), Failure> {
    let mut keys = vec![OsStr::new("credential.helper"), key];
    keys.dedup();
    let mut others: Vec<OsString> = Vec::new();
    for key in keys {
        for value in git.config_values(&["-z".as_ref(), "--get-all".as_ref(), key])? {
            if value.is_empty() {
                others.clear();
            } else if !is_ours(&value) {
                others.push(value);
            }
        }
    }
    for other in others {
        let what = format!(
            "git asks another helper too: {}",
            plain::safe(named(&other).as_bytes())
        );
        let hint = "it may answer first, and it keeps a copy of every token; --replace has git ask this one alone";
        ui::warn(streams, &what, Some(hint));
    }
    Ok(())
}

/// The value of `credential.helper`: our absolute path, which saves git a start of itself, with the flags that were given.
/// git hands it to a shell.
fn helper_value(flags: &Flags) -> Result<OsString, Failure> {
    let mut words = vec![quoted(program()?.as_os_str())];
    let Flags {
        storage,
        timeout,
        max_age,
        file,
        socket,
        config,
    } = flags;
    let mut add = |name: &str, text: &OsStr| words.push(format!("--{name} {}", quoted(text)));
    match storage {
        None => {}
        Some(Choice::Auto) => add("storage", "auto".as_ref()),
        Some(Choice::These(kinds)) => {
            let words: Vec<String> = kinds.iter().map(ToString::to_string).collect();
            add("storage", words.join(",").as_ref());
        }
    }
    for (name, span) in [("timeout", timeout), ("max-age", max_age)] {
        if let Some(span) = span {
            add(name, span.as_secs().to_string().as_ref());
        }
    }
    for (name, path) in [("file", file), ("socket", socket), ("config", config)] {
        if let Some(path) = path {
            let path = std::path::absolute(path)?;
            add(name, path.as_os_str());
        }
    }
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
    let program = same.unwrap_or(own);
    if program.to_str().is_none() {
        return Err(Failure::new(
            "the path of this program is not text: git could not be told",
            None,
        ));
    }
    Ok(program)
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
