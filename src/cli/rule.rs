//! Adds a rule for `account add` and `login`: to `config.toml`, and to git's configuration so that git sends the path.

use super::failure::CliResult;
use super::streams::Streams;
use super::ui;
use crate::config::account::Account;
use crate::config::{self, Settings};
use crate::credential::query::Query;
use crate::credential::username::Username;
use crate::files;
use crate::git::Git;
use crate::tasks::accounts::{self, ConfigToml};
use crate::tasks::setup::change::Change;
use crate::tasks::setup::install::install;
use crate::tasks::setup::paths::{calling_key, path_changes};
use crate::tasks::setup::scope::Setup;
use crate::terminal::escape;

/// Adds the rule, and has git send its path. Returns false if the rule is there already.
pub(super) fn add(
    settings: &Settings,
    rule: &Account,
    is_dry: bool,
    streams: &mut Streams,
) -> CliResult<bool> {
    let is_added = accounts::add(file_of(settings), rule, is_dry)?;
    let verb = match (is_added, is_dry) {
        (true, false) => "added to",
        (true, true) => "would be added to",
        (false, _) => "is already in",
    };
    let place = escape::safe(settings.config.as_os_str().as_encoded_bytes());
    let says = format!("the rule for {} {verb} {place}\n", in_words(rule));
    ui::change(streams, &says, is_dry)?;
    let sent = send_path(settings, rule, is_dry, streams);
    if sent.is_err() && is_added && !is_dry {
        take_back(settings, rule, streams);
    }
    sent?;
    Ok(is_added)
}

/// Removes the rule that git's configuration does not know. A failure is a warning beside the one that is told next.
fn take_back(settings: &Settings, rule: &Account, streams: &mut Streams) {
    match accounts::remove(file_of(settings), &Query::of(&rule.key), false) {
        Ok(()) => ui::warn(streams, "the rule was removed again", None),
        Err(error) => {
            let says = format!("{error}: the rule stays, and git may not send its path");
            ui::warn(streams, &says, Some("run 'git credential-pat setup'"));
        }
    }
}

/// Has git send the path of the rule, if git calls this helper.
fn send_path(
    settings: &Settings,
    rule: &Account,
    is_dry: bool,
    streams: &mut Streams,
) -> CliResult<()> {
    let git = Git::find()?;
    let setup = own_setup(&git, settings);
    let url = Query::of(&rule.key);
    let Some(key) = calling_key(&git, &url)? else {
        let says = "git does not call this helper yet: the rule has no effect";
        ui::warn(streams, says, Some("run 'git credential-pat setup'"));
        return Ok(());
    };
    let changes = path_changes(&setup, std::slice::from_ref(rule), None)?;
    show(&setup, &changes, is_dry, streams)?;
    if !is_dry && !changes.is_empty() {
        let unrecorded = install(&setup, &key, &changes)?;
        warn_unrecorded(unrecorded.as_ref(), streams);
    }
    Ok(())
}

/// `https://github.com/acme (octocat)`.
pub(super) fn in_words(rule: &Account) -> String {
    let url = escape::safe(&rule.key.url());
    let user = rule.key.username.as_ref().map(Username::shown);
    user.map_or(url.clone(), |user| format!("{url} ({user})"))
}

pub(super) fn file_of(settings: &Settings) -> ConfigToml<'_> {
    ConfigToml {
        path: &settings.config,
        is_named: settings.config != settings.places.config.join(config::FILE),
    }
}

pub(super) fn own_setup<'a>(git: &'a Git, settings: &'a Settings) -> Setup<'a> {
    Setup {
        git,
        places: &settings.places,
        scope: "--global",
    }
}

pub(super) fn show(
    setup: &Setup,
    changes: &[Change],
    is_dry: bool,
    streams: &mut Streams,
) -> CliResult<()> {
    for change in changes {
        let command = change.command(&[setup.scope.as_ref()]);
        ui::change(streams, &format!("{command}\n"), is_dry)?;
    }
    Ok(())
}

pub(super) fn warn_unrecorded(error: Option<&files::Error>, streams: &mut Streams) {
    if let Some(error) = error {
        let says = format!("{error}: 'setup --undo' may leave an empty section");
        ui::warn(streams, &says, error.hint());
    }
}
