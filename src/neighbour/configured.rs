//! Reads git's configuration of credential helpers: the files of git's own helpers, our storages, GCM's settings, and whether git
//! sends the path.

use std::cell::LazyCell;
use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::config::choice::Choice;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::git::Git;
use crate::git::helper_line;
use crate::git::http_path::HttpPaths;
use crate::storage::StorageKind;

/// The absolute paths that git's configuration gives to its own helper `name` with `flag`. Adds to `untold` each helper whose
/// path is relative, or only a shell can expand it.
pub(crate) fn configured(
    name: &str,
    flag: &str,
    home: &Path,
    untold: &mut Vec<String>,
) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for value in helper_lines() {
        match path_in(&value, name, flag, home) {
            Some(path) if path.is_absolute() => paths.push(path),
            Some(_) => untold.push(helper_line::named(&value)),
            None => {}
        }
    }
    paths
}

/// The path that a value gives to the helper `name`; empty if only a shell can expand it.
fn path_in(value: &OsStr, name: &str, flag: &str, home: &Path) -> Option<PathBuf> {
    match helper_line::words_at(value, home) {
        Some(words) => option(arguments_of(name, &words)?, flag).map(PathBuf::from),
        None => may_run(&value.to_string_lossy(), name).then(PathBuf::new),
    }
}

/// Whether a value that only a shell can split looks like git's helper `name`.
fn may_run(value: &str, name: &str) -> bool {
    let first = value.split_ascii_whitespace().next();
    first == Some(name) || value.contains(&format!("credential-{name}"))
}

/// The arguments of the helper `name` in `words`, if they run it by its name, by its path or through `git`.
fn arguments_of<'a>(name: &str, words: &'a [String]) -> Option<&'a [String]> {
    let (first, rest) = words.split_first()?;
    let file_name = first.rsplit('/').next()?;
    if first == name || file_name.strip_prefix("git-credential-") == Some(name) {
        return Some(rest);
    }
    let (second, rest) = rest.split_first()?;
    let is_it = file_name == "git" && second.strip_prefix("credential-") == Some(name);
    is_it.then_some(rest)
}

/// The value of a flag, as git's own programs read it: it may be abbreviated, and the last one counts. This program takes
/// neither, so for its own lines that makes no difference.
fn option<'a>(words: &'a [String], flag: &str) -> Option<&'a str> {
    let is_flag = |word: &str| word.len() > "--".len() && flag.starts_with(word);
    let mut found = None;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.split_once('=') {
            Some((word, value)) if is_flag(word) => found = Some(value),
            None if is_flag(word) => found = words.next().map(String::as_str),
            _ => {}
        }
    }
    found
}

/// The storages that git's configuration names to this program, for some URL or for all.
pub(crate) fn kinds_in_git_config() -> Vec<StorageKind> {
    let mut kinds = Vec::new();
    for value in helper_lines() {
        if !helper_line::is_ours(&value) {
            continue;
        }
        let words = helper_line::words(&value).unwrap_or_default();
        let named = option(&words, "--storage").and_then(|word| word.parse().ok());
        if let Some(Choice::These(named)) = named {
            kinds.extend(named);
        }
    }
    kinds
}

/// Whether git tells the path of what is kept under a key, by its own settings. Asks git at the first key.
pub fn path_teller() -> impl Fn(&Key) -> bool {
    let paths = LazyCell::new(|| {
        let git = Git::find().ok();
        git.as_ref().map(HttpPaths::of).unwrap_or_default()
    });
    move |key| paths.are_told(&Query::of(key))
}

/// A setting of GCM: the value of `variable` or, without one, each of `credential.NAME`, the one that counts first.
pub(crate) fn gcm_settings(variable: &str, name: &str) -> Vec<OsString> {
    match env::var_os(variable) {
        Some(value) => vec![value],
        None => gcm_settings_in_git(name),
    }
}

fn gcm_settings_in_git(name: &str) -> Vec<OsString> {
    let keys = format!(r"^credential\.(.*\.)?{}$", name.to_ascii_lowercase());
    let values = Git::find().and_then(|git| git.own_values(&keys));
    values.unwrap_or_default().into_iter().rev().collect()
}

/// The folders that git's configuration names for a store of GCM as `credential.NAME`, the one that counts first. GCM takes a
/// value as written; `~/` is what people write.
pub(crate) fn gcm_folders_in_git(name: &str, home: &Path) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for value in gcm_settings_in_git(name) {
        let value = PathBuf::from(value);
        let folder = match value.strip_prefix("~") {
            Ok(below) => home.join(below),
            Err(_) => value,
        };
        if folder.is_absolute() && !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    folders
}

/// Every `credential.helper`, for all URLs and for some. Without git there is none.
fn helper_lines() -> Vec<OsString> {
    let own = |git: Git| git.own_values(helper_line::KEYS);
    Git::find().and_then(own).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_words_or_not() {
        let words = |text: &str| helper_line::words(text.as_ref()).unwrap();
        for (text, value) in [
            ("pat --storage file", Some("file")),
            ("pat --storage=file", Some("file")),
            ("pat --storages file", None),
            ("pat --storage", None),
        ] {
            assert_eq!(option(&words(text), "--storage"), value, "{text}");
        }
    }

    #[test]
    fn a_path_is_read_as_the_shell_and_git_read_it() {
        for (value, path) in [
            ("store --file ~/c", Some("/home/a b/c")),
            ("store --file \"$HOME/c\"", Some("/home/a b/c")),
            ("store --file=\"${HOME}/c d\"", Some("/home/a b/c d")),
            ("store --fil ~/c", Some("/home/a b/c")),
            ("store --file /a --file /b", Some("/b")),
            ("store --file '/a b'", Some("/a b")),
            ("!git credential-store --file ~/c", Some("/home/a b/c")),
            ("!/opt/git credential-store --file /c", Some("/c")),
            ("/opt/git-credential-store --file /c", Some("/c")),
            ("store", None),
            ("store --timeout 5", None),
            ("cache --file /c", None),
            ("!f() { cat ~/c; }; f", None),
            ("!echo \"$HOME\"", None),
        ] {
            let found = path_in(value.as_ref(), "store", "--file", "/home/a b".as_ref());
            assert_eq!(found, path.map(PathBuf::from), "{value}");
        }
    }

    #[test]
    fn what_cannot_be_told_is_named() {
        for value in [
            // Split at the blank in the folder's name.
            "store --file $HOME/c",
            "store --file '~/c'",
            "store --file=~/c",
            "store --file ~root/c",
            "store --file ${XDG_DATA_HOME}/c",
            "store --file $(cat made-up)",
            "store --file made-up",
            "!git credential-store --file \"$X\"",
        ] {
            let found = path_in(value.as_ref(), "store", "--file", "/home/a b".as_ref());
            assert!(found.is_some_and(|path| !path.is_absolute()), "{value}");
            let shown = helper_line::named(value.as_ref());
            assert!(!shown.contains("made-up"), "{shown}");
        }
    }
}
