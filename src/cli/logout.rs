//! `logout`: names the credentials for a URL, and removes them.

use std::collections::BTreeMap;

use super::exit_code::ExitCode;
use super::failure::{CliResult, Failure, nothing_known};
use super::messages::{credentials, token_of};
use super::streams::Streams;
use super::usage::MISUSE;
use super::{open, status_of, ui};
use crate::config::Flags;
use crate::config::account::{self, Account};
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::helper::notice::Notice;
use crate::helper::{Helper, erase};
use crate::storage::{Listed, StorageKind};
use crate::tasks::target;
use crate::time::{self, Now};

/// Remove the credentials for a URL from every storage
///
/// The tokens themselves stay valid: revoke them at the forge.
#[derive(clap::Args)]
#[command(visible_alias = "rm")]
pub(super) struct Arguments {
    /// A URL such as https://github.com or https://octocat@github.com; without a user, the credentials of all users
    url: Option<String>,
    /// Remove every credential of every storage in use, in place of a URL
    #[arg(long, conflicts_with = "url")]
    all: bool,
    /// Remove several, or all, without asking
    #[arg(long)]
    yes: bool,
    /// Show the credentials that would be removed, and remove none
    #[arg(long)]
    dry_run: bool,
}

/// The entries to remove: each once, with the storages that keep it.
type Entries = BTreeMap<Key, Vec<StorageKind>>;

pub(super) fn run(arguments: &Arguments, flags: Flags, streams: &mut Streams) -> CliResult {
    let unwanted = arguments.url.as_deref().map(target::parse).transpose()?;
    if unwanted.is_none() && !arguments.all {
        let hint = "give a URL, such as 'git credential-pat logout https://github.com'; \
            'git credential-pat logout --all' removes every credential";
        ui::complain(streams, "which credentials are to be removed?", Some(hint));
        return Ok(ExitCode::from(MISUSE));
    }
    let (settings, helper) = open(flags, unwanted.as_ref())?;
    let now = time::now();
    let listed = helper.storages().list_all()?;
    ui::notices(streams, &listed.notices, now.unix);
    let is_whole = listed.is_whole();
    let entries = matching(&listed.value, unwanted.as_ref());
    match &unwanted {
        _ if !entries.is_empty() => {}
        _ if !is_whole => return Err(nothing_known()),
        Some(unwanted) => {
            let accounts = &settings.accounts;
            return Err(nothing_to_remove(unwanted, &listed.value, accounts));
        }
        None => {
            let places = helper.storages().places();
            let says = format!("nothing is kept in {places}\n");
            ui::change(streams, &says, arguments.dry_run)?;
            return Ok(ExitCode::SUCCESS);
        }
    }
    if arguments.dry_run {
        for (key, kinds) in &entries {
            ui::print(streams, &format!("would remove {}\n", named(key, kinds)))?;
        }
        return Ok(status_of(is_whole));
    }
    if let Some(code) = ask(arguments, unwanted.as_ref(), &entries, streams)? {
        return Ok(code);
    }
    let failed = remove(&helper, &entries, now, streams)?;
    if arguments.all {
        let text = "the tokens stay valid until they expire: revoke them at their forges\n";
        ui::done(streams, text)?;
    }
    // The notices of the list name the storages that could not be asked.
    if is_whole {
        ui::notices(streams, &failed, now.unix);
    }
    let is_done = is_whole && failed.is_empty();
    if !is_done {
        let what = "more may be kept: not every storage could be asked";
        ui::complain(streams, what, None);
    }
    Ok(status_of(is_done))
}

/// Removes the entries. Returns the notices of a storage that could not be asked.
fn remove(
    helper: &Helper,
    entries: &Entries,
    now: Now,
    streams: &mut Streams,
) -> CliResult<Vec<Notice>> {
    let mut failed = Vec::new();
    for (key, kinds) in entries {
        // By its whole key: an entry that was stored since, and not named, stays.
        let outcome = erase::remove(helper, &Query::exact(key), now)?;
        let text = match outcome.value {
            0 => format!("{} was already removed\n", token_of(key)),
            _ => format!("removed {}\n", named(key, kinds)),
        };
        ui::done(streams, &text)?;
        if !outcome.is_whole() {
            failed = outcome.notices;
        }
    }
    Ok(failed)
}

/// Asks where several, or all, are to be removed. Returns the exit status if none is.
fn ask(
    arguments: &Arguments,
    unwanted: Option<&Query>,
    entries: &Entries,
    streams: &mut Streams,
) -> CliResult<Option<ExitCode>> {
    if arguments.yes || entries.len() == 1 && !arguments.all {
        return Ok(None);
    }
    if !streams.terminals.input_is_terminal {
        return Ok(Some(needs_yes(streams, unwanted, entries)));
    }
    for (key, kinds) in entries {
        ui::print(streams, &format!("{}\n", named(key, kinds)))?;
    }
    let question = match entries.len() {
        1 => "Remove this credential?".to_owned(),
        count => format!("Remove these {count} credentials?"),
    };
    if ui::confirm(streams, &question)? {
        return Ok(None);
    }
    ui::done(streams, "nothing was removed\n")?;
    Ok(Some(ExitCode::SUCCESS))
}

/// The entries for `unwanted`; without it, all.
fn matching(listed: &[(StorageKind, Listed)], unwanted: Option<&Query>) -> Entries {
    let mut entries = Entries::new();
    for (kind, listed) in listed {
        if unwanted.is_none_or(|unwanted| unwanted.matches(&listed.key)) {
            entries.entry(listed.key.clone()).or_default().push(*kind);
        }
    }
    entries
}

fn named(key: &Key, kinds: &[StorageKind]) -> String {
    let kinds: Vec<String> = kinds.iter().map(ToString::to_string).collect();
    format!("{} ({})", token_of(key), kinds.join(", "))
}

fn needs_yes(streams: &mut Streams, unwanted: Option<&Query>, entries: &Entries) -> ExitCode {
    let count = credentials(entries.len());
    let Some(unwanted) = unwanted else {
        let what = format!("{count} would be removed: nothing was removed");
        let hint = "see them with --dry-run, and remove them with --yes";
        ui::complain(streams, &what, Some(hint));
        return ExitCode::from(MISUSE);
    };
    let what = format!(
        "{count} are kept for {}: nothing was removed",
        url_of(unwanted)
    );
    let mut ways = Vec::new();
    for key in entries.keys() {
        // A URL without a user or a path cannot mean the one entry without them.
        let meant = Query::of(key);
        let is_narrow = entries.keys().filter(|other| meant.matches(other)).count() == 1;
        ways.push(if is_narrow && !key.hides_user() {
            logout_command(key)
        } else {
            token_of(key)
        });
    }
    let hint = format!("remove all with --yes, or one: {}", ways.join(", "));
    ui::complain(streams, &what, Some(&hint));
    ExitCode::from(MISUSE)
}

fn logout_command(key: &Key) -> String {
    format!("'git credential-pat logout {}'", key.argument())
}

/// Nothing matches the URL. The hint names the entry of its account or of the whole host, which other repositories use, too.
fn nothing_to_remove(
    unwanted: &Query,
    listed: &[(StorageKind, Listed)],
    accounts: &[Account],
) -> Failure {
    let mut of_account = unwanted.duplicate();
    account::apply(accounts, &mut of_account);
    let mut of_host = unwanted.duplicate();
    of_host.path = None;
    of_host.is_pathless = true;
    let mut wider = [of_account, of_host].into_iter();
    let hint = match wider.find_map(|wider| matching(listed, Some(&wider)).into_keys().next()) {
        Some(key) => format!(
            "{} answers there: remove it with {}",
            token_of(&key),
            logout_command(&key)
        ),
        None => "'git credential-pat list' shows what is kept".to_owned(),
    };
    Failure::Plain {
        what: format!("nothing is kept for {}", url_of(unwanted)),
        hint: Some(hint),
    }
}

fn url_of(unwanted: &Query) -> String {
    let key = unwanted.key();
    key.map(|key| key.argument()).unwrap_or_default()
}
