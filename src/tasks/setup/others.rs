//! The other helpers that git asks, and the places where git still asks this one.

use std::ffi::OsStr;

use super::change::Warning;
use crate::credential::url::without_secrets;
use crate::git::Git;
use crate::git::context::{context_of, may_overlap};
use crate::git::failure::Error;
use crate::git::helper_line::{KEYS, is_ours, named};
use crate::git::setting::Setting;
use crate::terminal::escape::safe;

/// The key of helpers for every URL.
pub(super) const EVERYWHERE: &str = "credential.helper";

/// Warns of each other helper that git asks, whichever file names it, for the URLs of the key `own`. A helper that `--replace`
/// has git forget is left out.
pub fn other_helpers(git: &Git, own: &OsStr, replaces: bool) -> Result<Vec<Warning>, Error> {
    let mut others: Vec<Setting> = Vec::new();
    for setting in git.settings(KEYS)? {
        if setting.value.is_empty() {
            // An empty value without a URL has git forget the helpers of single URLs, too.
            others.retain(|other| setting.key != EVERYWHERE && setting.key != other.key);
        } else if !is_ours(&setting.value) && may_overlap(&setting.key, own) {
            others.push(setting);
        }
    }
    let mut warnings = Vec::new();
    for Setting { key, value, .. } in others {
        if replaces && (key == own || key == EVERYWHERE) {
            continue;
        }
        let helper = safe(named(&value).as_bytes());
        let shown = without_secrets(&key);
        let (place, command) = match context_of(&shown) {
            None => (String::new(), "with --replace, git asks this helper alone"),
            Some(url) => (
                format!(" for {}", safe(url)),
                "with 'setup --replace' and that URL, git asks this helper alone there",
            ),
        };
        let says = format!("git asks another helper too{place}: {helper}");
        let hint = format!("it may answer first, and it keeps a copy of every token; {command}");
        warnings.push(Warning::new(says, hint));
    }
    Ok(warnings)
}

/// Warns of each line by which git asks this helper under `only`, or anywhere: in another scope or in an included file.
pub(super) fn still_asked(git: &Git, only: Option<&OsStr>) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for setting in git.settings(KEYS).unwrap_or_default() {
        if is_ours(&setting.value) && only.is_none_or(|only| setting.key == only) {
            let place = safe(format!("{}, {}", setting.scope, setting.origin).as_bytes());
            warnings.push(Warning::new(
                format!("git still asks this helper ({place})"),
                "--undo takes back what --global (the default), --local or --system wrote",
            ));
        }
    }
    warnings
}
