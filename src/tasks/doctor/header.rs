//! An `Authorization` header in git's own configuration: git sends `http.extraHeader` (git-config(1)) instead of a helper's
//! answer. Continuous integration leaves it in a repository.

use super::finding::Finding;
use super::removal::removal;
use crate::credential::query::Query;
use crate::git::Git;
use crate::git::context::applies;
use crate::terminal::escape::shell_word;

/// Returns the header that git sends to `url`, or to every URL. Its value is a secret.
pub fn examine(git: &Git, url: Option<&Query>) -> Option<Finding> {
    let mut sent = None;
    let settings = git.settings(r"^http\.(.*\.)?extraheader$").ok()?;
    for setting in settings {
        if !applies(&setting.key, url) {
            continue;
        }
        let value = setting.value.to_string_lossy();
        let name = value.split(':').next().unwrap_or_default().to_owned();
        // An empty value drops the headers before it.
        if value.is_empty() {
            sent = None;
        } else if name.trim().eq_ignore_ascii_case("authorization") {
            sent = Some((setting, name));
        }
    }
    let (setting, name) = sent?;
    let says = format!(
        "git sends an Authorization header of its own ({}, {}): git uses it instead of the stored token",
        setting.scope, setting.origin
    );
    let pattern = format!(" {}", shell_word(format!("^{name}:").as_bytes()));
    Some(Finding::problem(
        "header",
        says,
        removal(&setting, "", &pattern),
    ))
}
