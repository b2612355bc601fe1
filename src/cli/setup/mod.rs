//! `setup`: tells git to ask us, and takes that back.

mod reminder;

use std::env;
use std::ffi::OsStr;

use super::exit_code::ExitCode;
use super::failure::{CliResult, Failure};
use super::streams::Streams;
use super::ui;
use crate::config::{self, Flags, Settings};
use crate::credential::query::Query;
use crate::files::places::Places;
use crate::git::Git;
use crate::git::helper_line::is_ours;
use crate::git::setting::Setting;
use crate::platform;
use crate::tasks::calls::{flags_of, gits_flags};
use crate::tasks::doctor::chain;
use crate::tasks::setup::change::Warning;
use crate::tasks::setup::failure::Error as SetupError;
use crate::tasks::setup::install::{helper_changes, helper_value, install, key};
use crate::tasks::setup::others::other_helpers;
use crate::tasks::setup::paths::path_changes;
use crate::tasks::setup::scope::Setup;
use crate::tasks::setup::undo::undo;
use crate::tasks::target;
use crate::terminal::escape;

/// Make git call this helper; --undo takes that back
///
/// Options of the helper become part of its line in git's configuration: 'git-credential-pat setup --storage memory
/// --timeout 8h'. An option that is not given keeps its value there.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Call the helper for this URL only, such as https://github.com
    url: Option<String>,
    /// Undo setup, and remove every other line that calls this helper; without a URL, for every URL
    #[arg(long)]
    undo: bool,
    /// Make git ignore the helpers that come before this one
    #[arg(long, conflicts_with = "undo")]
    replace: bool,
    /// Only install a daily systemd timer that runs 'check --notify'; with --undo, only remove it
    #[arg(long, conflicts_with_all = ["url", "replace", "scope"])]
    reminder: bool,
    /// Show the changes, and make none
    #[arg(long)]
    dry_run: bool,
    /// Change the configuration of every user of this system
    #[arg(long, group = "scope")]
    system: bool,
    /// Change your own configuration (the default)
    #[arg(long, group = "scope")]
    global: bool,
    /// Change the configuration of the current repository
    #[arg(long, group = "scope")]
    local: bool,
}

pub(super) fn run(arguments: &Arguments, flags: &Flags, streams: &mut Streams) -> CliResult {
    platform::harden();
    if arguments.reminder {
        return set_reminder(arguments, flags, streams);
    }
    let setup = Setup {
        git: &Git::find()?,
        places: &Places::find().map_err(config::failure::Error::from)?,
        scope: match arguments {
            Arguments { system: true, .. } => "--system",
            Arguments { local: true, .. } => "--local",
            _ => "--global",
        },
    };
    if arguments.local && setup.git.local_config()?.is_none() {
        return Err(SetupError::NoRepository.into());
    }
    let url = arguments.url.as_deref().map(target::parse).transpose()?;
    let key = key(url.as_ref())?;
    if arguments.undo {
        let only = url.is_some().then_some(&*key);
        let is_all = setup.scope == "--global" && only.is_none();
        let had_reminder = is_all && had_reminder(arguments.dry_run, streams);
        return take_back(&setup, only, arguments.dry_run, had_reminder, streams);
    }
    let older = older_flags(&setup, &key, url.as_ref())?;
    let flags = flags.clone().or(older);
    let settings = Settings::load(flags.clone())?;
    let paths = path_changes(&setup, &settings.accounts, url.as_ref())?;
    let value = helper_value(&flags)?;
    let mut changes = helper_changes(&setup, &key, value, arguments.replace)?;
    changes.extend(paths);
    warn(streams, other_helpers(setup.git, &key, arguments.replace)?);
    for change in &changes {
        let command = change.command(&[setup.scope.as_ref()]);
        ui::change(streams, &format!("{command}\n"), arguments.dry_run)?;
    }
    if arguments.dry_run {
        if changes.is_empty() {
            ui::print(streams, "nothing to change: git asks this helper already\n")?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if !changes.is_empty()
        && let Some(error) = install(&setup, &key, &changes)?
    {
        let says = format!("{error}: --undo will remove its lines, and may leave an empty section");
        ui::warn(streams, &says, error.hint());
    }
    check_that_git_asks(&setup, url.as_ref(), streams)?;
    if changes.is_empty() {
        ui::done(streams, "git asks this helper already\n")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn set_reminder(arguments: &Arguments, flags: &Flags, streams: &mut Streams) -> CliResult {
    if !arguments.undo {
        reminder::install(flags, arguments.dry_run, streams)?;
    } else if !reminder::remove(arguments.dry_run, streams)? {
        ui::done(streams, "nothing to undo: there is no reminder\n")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Removes the reminder along with git's lines. A failure is a warning: it must not keep those lines.
fn had_reminder(is_dry: bool, streams: &mut Streams) -> bool {
    reminder::remove(is_dry, streams).unwrap_or_else(|failure| {
        ui::trouble(streams, &failure, failure.hint());
        true
    })
}

fn take_back(
    setup: &Setup,
    only: Option<&OsStr>,
    is_dry: bool,
    had_reminder: bool,
    streams: &mut Streams,
) -> CliResult {
    let undone = undo(setup, only, is_dry)?;
    let verb = if is_dry {
        "would be restored"
    } else {
        "restored"
    };
    for changed in &undone.files {
        let file = changed.file.as_os_str();
        if changed.is_restored {
            let shown = escape::safe(file.as_encoded_bytes());
            let says = format!("{shown}: {verb} as it was before setup\n");
            ui::change(streams, &says, is_dry)?;
        }
        for removal in &changed.removals {
            let command = removal.command(&["--file".as_ref(), file]);
            ui::change(streams, &format!("{command}\n"), is_dry)?;
        }
    }
    if undone.files.is_empty() && undone.warnings.is_empty() && !had_reminder {
        let scope = setup.scope;
        let says = format!("nothing to undo: no line for this helper in 'git config {scope}'\n");
        ui::done(streams, &says)?;
    }
    warn(streams, undone.warnings);
    Ok(ExitCode::SUCCESS)
}

fn warn(streams: &mut Streams, warnings: Vec<Warning>) {
    for Warning { says, hint } in warnings {
        ui::warn(streams, &says, hint.as_deref());
    }
}

/// Returns the options of the line that is replaced; for a new line, those with which git calls this program for that URL now.
fn older_flags(setup: &Setup, key: &OsStr, url: Option<&Query>) -> CliResult<Flags> {
    let values = setup.values(key)?;
    if let Some(line) = values.iter().rev().find(|value| is_ours(value)) {
        return Ok(flags_of(line).unwrap_or_default());
    }
    // The choice of one user is not for all users.
    if setup.scope == "--system" {
        return Ok(Flags::default());
    }
    // The choice for one URL is not for every URL.
    let every = Query::default();
    Ok(gits_flags(Some(url.unwrap_or(&every)))?)
}

/// Fails if git, with all of its settings, does not ask this helper; warns of URLs where git does not. A repository's settings
/// count only for `--local`.
fn check_that_git_asks(setup: &Setup, url: Option<&Query>, streams: &mut Streams) -> CliResult<()> {
    if setup.scope == "--system" && env::var_os("GIT_CONFIG_NOSYSTEM").is_some() {
        let says = "GIT_CONFIG_NOSYSTEM is set here: git does not read the system's settings";
        ui::warn(streams, says, Some("unset GIT_CONFIG_NOSYSTEM"));
        return Ok(());
    }
    let is_local = setup.scope == "--local";
    let counts =
        |setting: &Setting| is_local || !matches!(&setting.scope[..], "local" | "worktree");
    if let Some(found) = chain::not_called(setup.git, url, counts)? {
        return Err(Failure::Plain {
            what: found.says,
            hint: found.remedy,
        });
    }
    if url.is_none() {
        for found in chain::contexts_without_ours(setup.git) {
            ui::warn(streams, &found.says, found.remedy.as_deref());
        }
    }
    Ok(())
}
