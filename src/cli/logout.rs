//! `logout`: names the credentials for a URL, and removes them.

use std::collections::BTreeMap;
use std::process::ExitCode;

use super::failure::{CliResult, Failure, nothing_known};
use super::messages::token_of;
use super::streams::Streams;
use super::usage::MISUSE;
use super::{open, status_of, ui};
use crate::config::Flags;
use crate::config::account::{self, Account};
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::helper::erase;
use crate::storage::{Listed, StorageKind};
use crate::tasks::target;
use crate::time;

/// Remove the credentials for a URL from every storage
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// A URL such as https://github.com or https://octocat@github.com; without a user, the credentials of all users
    url: String,
    /// Remove several without asking
    #[arg(long)]
    yes: bool,
}

/// The entries to remove: each once, with the storages that keep it.
type Entries = BTreeMap<Key, Vec<StorageKind>>;

pub(super) fn run(arguments: &Arguments, flags: Flags, streams: &mut Streams) -> CliResult {
    let unwanted = target::parse(&arguments.url)?;
    let (settings, helper) = open(flags, Some(&unwanted))?;
    let now = time::now();
    let listed = helper.storages().list_all()?;
    ui::notices(streams, &listed.notices, now.unix);
    let is_whole = listed.is_whole();
    let entries = matching(&listed.value, &unwanted);
    if entries.is_empty() {
        return Err(if is_whole {
            nothing_to_remove(&unwanted, &listed.value, &settings.accounts)
        } else {
            nothing_known()
        });
    }
    if entries.len() > 1 && !arguments.yes {
        if !streams.input_is_terminal {
            return Ok(needs_yes(streams, &unwanted, &entries));
        }
        for (key, kinds) in &entries {
            ui::print(streams, &format!("{}\n", named(key, kinds)))?;
        }
        let question = format!("Remove these {} credentials?", entries.len());
        if !ui::confirm(streams, &question)? {
            ui::print(streams, "nothing was removed\n")?;
            return Ok(ExitCode::SUCCESS);
        }
    }
    let mut failed = Vec::new();
    for (key, kinds) in &entries {
        // By its whole key: an entry that was stored since, and not named, stays.
        let outcome = erase::remove(&helper, &Query::exact(key), now)?;
        let text = match outcome.value {
            0 => format!("{} was already removed\n", token_of(key)),
            _ => format!("removed {}\n", named(key, kinds)),
        };
        ui::done(streams, &text)?;
        if !outcome.is_whole() {
            failed = outcome.notices;
        }
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

fn matching(listed: &[(StorageKind, Listed)], unwanted: &Query) -> Entries {
    let mut entries = Entries::new();
    for (kind, listed) in listed {
        if unwanted.matches(&listed.key) {
            entries.entry(listed.key.clone()).or_default().push(*kind);
        }
    }
    entries
}

fn named(key: &Key, kinds: &[StorageKind]) -> String {
    let kinds: Vec<String> = kinds.iter().map(ToString::to_string).collect();
    format!("{} ({})", token_of(key), kinds.join(", "))
}

fn needs_yes(streams: &mut Streams, unwanted: &Query, entries: &Entries) -> ExitCode {
    let count = entries.len();
    let what = format!(
        "{count} credentials are kept for {}: nothing was removed",
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
    let hint = match wider.find_map(|wider| matching(listed, &wider).into_keys().next()) {
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
