//! Which other helpers git asks, and whether it asks this one.

use std::env;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::super::failure::Failure;
use super::super::streams::Streams;
use super::super::ui;
use super::EVERYWHERE;
use crate::credential::url::without_secrets;
use crate::git::Git;
use crate::git::helper_line::{KEYS, is_ours, named};
use crate::git::setting::Setting;
use crate::tasks::doctor::chain;
use crate::tasks::target;
use crate::terminal::escape;

/// Fails if git, with all of its settings, does not ask this helper; warns of URLs where it does not. A repository's settings
/// count only for `--local`.
pub(super) fn check_that_git_asks(
    git: &Git,
    scope: &str,
    url: Option<&str>,
    streams: &mut Streams,
) -> Result<(), Failure> {
    if scope == "--system" && env::var_os("GIT_CONFIG_NOSYSTEM").is_some() {
        let what = "GIT_CONFIG_NOSYSTEM is set here: git does not read the system's settings";
        ui::warn(streams, what, Some("unset GIT_CONFIG_NOSYSTEM"));
        return Ok(());
    }
    let url = url.map(target::parse).transpose()?;
    let is_here = scope == "--local";
    let counts = |setting: &Setting| is_here || !matches!(&setting.scope[..], "local" | "worktree");
    if let Some(found) = chain::not_called(git, url.as_ref(), counts)? {
        return Err(Failure::Plain {
            what: escape::whole(&found.says),
            hint: found.remedy.map(|remedy| escape::whole(&remedy)),
        });
    }
    if url.is_none() {
        for found in chain::contexts_without_ours(git) {
            let remedy = found.remedy.as_deref().map(escape::whole);
            ui::warn(streams, &escape::whole(&found.says), remedy.as_deref());
        }
    }
    Ok(())
}

/// Says which other helpers git asks, whatever file tells it to, and for which URLs; of what `--replace` has it forget,
/// nothing.
pub(super) fn name_others(
    git: &Git,
    own: &OsStr,
    replaces: bool,
    streams: &mut Streams,
) -> Result<(), Failure> {
    let mut others: Vec<Setting> = Vec::new();
    for setting in git.settings(KEYS)? {
        if setting.value.is_empty() {
            // An empty one of everywhere has git forget those of single URLs, too.
            others.retain(|other| setting.key != EVERYWHERE && setting.key != other.key);
        } else if !is_ours(&setting.value) && concerns(&setting.key, own) {
            others.push(setting);
        }
    }
    for Setting { key, value, .. } in others {
        if replaces && (key == own || key == EVERYWHERE) {
            continue;
        }
        let url = url_of(&without_secrets(&key));
        let place = url.map_or_else(String::new, |url| format!(" for {}", escape::safe(&url)));
        let helper = escape::safe(named(&value).as_bytes());
        let what = format!("git asks another helper too{place}: {helper}");
        let hint = if place.is_empty() {
            "it may answer first, and it keeps a copy of every token; --replace has git ask this one alone"
        } else {
            "it may answer first, and it keeps a copy of every token; 'setup --replace' with that URL has git ask this one alone there"
        };
        ui::warn(streams, &what, Some(hint));
    }
    Ok(())
}

/// The URL in a key such as `credential.URL.helper`.
fn url_of(key: &OsStr) -> Option<Vec<u8>> {
    let rest = key.as_bytes().strip_prefix(b"credential.")?;
    let end = rest.iter().rposition(|&byte| byte == b'.')?;
    Some(rest[..end].to_vec())
}

/// Whether git may look under `other` for a URL for which it looks under `key`. A pattern may mean anything.
pub(super) fn concerns(other: &OsStr, key: &OsStr) -> bool {
    let host = |key: &OsStr| {
        let url = url_of(key)?;
        let described = target::parse(std::str::from_utf8(&url).ok()?).ok()?;
        described.host.map(|host| host.to_ascii_lowercase())
    };
    host(other).is_none_or(|one| host(key).is_none_or(|two| one == two))
}
