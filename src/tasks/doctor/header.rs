//! A header of git's own configuration that signs in, whatever a helper answers: `http.extraHeader` (git-config(1)), which
//! continuous integration likes to leave in a repository.

use std::os::unix::ffi::OsStrExt;

use super::finding::Finding;
use crate::credential::query::Query;
use crate::credential::url::without_secrets;
use crate::git::context::holds_for;
use crate::git::{Git, Setting};
use crate::terminal::escape::shell_word;

const NAME: &str = "authorization";

/// That git sends one for `url`, or to everybody. What is in it is a secret.
pub fn examine(git: &Git, url: Option<&Query>) -> Option<Finding> {
    let mut sent: Option<(Setting, String)> = None;
    for setting in git
        .settings(r"^http\.(.*\.)?extraheader$")
        .unwrap_or_default()
    {
        if !holds_for(&setting.key, "http", "extraheader", url) {
            continue;
        }
        let value = setting.value.to_string_lossy().into_owned();
        let name = value.split(':').next().unwrap_or_default();
        // An empty one has git forget those before.
        if value.is_empty() {
            sent = None;
        } else if name.trim().eq_ignore_ascii_case(NAME) {
            let name = name.to_owned();
            sent = Some((setting, name));
        }
    }
    let (setting, name) = sent?;
    let key = without_secrets(&setting.key);
    let says = format!(
        "git sends an Authorization header of its own ({}, {}): it counts in the place of what is kept",
        setting.scope, setting.origin
    );
    if setting.scope == "command" || key != setting.key {
        let remedy = format!(
            "take {} out of {}",
            shell_word(key.as_bytes()),
            setting.origin
        );
        return Some(Finding::problem("header", says, remedy));
    }
    let place = if setting.origin.starts_with('/') {
        format!("--file {}", shell_word(setting.origin.as_bytes()))
    } else {
        format!("--{}", setting.scope)
    };
    let (key, pattern) = (
        shell_word(key.as_bytes()),
        shell_word(format!("^{name}:").as_bytes()),
    );
    let remedy = format!("git config {place} --unset-all {key} {pattern}");
    Some(Finding::problem("header", says, remedy))
}
