//! `logout`: removes the credentials for a URL, and only those that it has named first.

use std::collections::BTreeMap;
use std::fmt::Write as _;
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
use crate::helper::Helper;
use crate::helper::erase;
use crate::helper::notice::Outcome;
use crate::storage::{Listed, StorageKind};
use crate::tasks::target;
use crate::time::{self, Now};

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
    if entries.is_empty() && is_whole {
        return Err(nothing_to_remove(
            &unwanted,
            &listed.value,
            &settings.accounts,
        ));
    }
    if entries.is_empty() {
        return Err(nothing_known());
    }
    if entries.len() > 1 && !arguments.yes {
        if !streams.input_is_terminal {
            return Ok(needs_yes(streams, &unwanted, &entries));
        }
        ui::print(streams, &named(&entries))?;
        let question = format!("Remove these {} credentials?", entries.len());
        if !ui::confirm(streams, &question)? {
            ui::print(streams, "nothing was removed\n")?;
            return Ok(ExitCode::SUCCESS);
        }
    }
    let mut failed = Vec::new();
    for (key, kinds) in &entries {
        let outcome = remove(streams, &helper, key, kinds, now)?;
        if !outcome.is_whole() {
            failed = outcome.notices;
        }
    }
    // The list has told already which storage could not be asked.
    let is_done = failed.is_empty();
    if is_whole {
        ui::notices(streams, &failed, now.unix);
    }
    if !(is_whole && is_done) {
        let what = "more may be kept: not every storage could be asked";
        ui::complain(streams, what, None);
    }
    Ok(status_of(is_whole && is_done))
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

/// Removes one entry by its whole key: an entry that was stored since, and not named, stays.
fn remove(
    streams: &mut Streams,
    helper: &Helper,
    key: &Key,
    kinds: &[StorageKind],
    now: Now,
) -> CliResult<Outcome<usize>> {
    let outcome = erase::remove(helper, &Query::exact(key), now)?;
    let token = token_of(key);
    let text = match outcome.value {
        0 => format!("{token} was already removed\n"),
        _ => format!("removed {token} ({})\n", words(kinds)),
    };
    ui::print(streams, &text)?;
    Ok(outcome)
}

fn named(entries: &Entries) -> String {
    let mut text = String::new();
    for (key, kinds) in entries {
        let _ = writeln!(text, "{} ({})", token_of(key), words(kinds));
    }
    text
}

fn words(kinds: &[StorageKind]) -> String {
    let words: Vec<String> = kinds.iter().map(ToString::to_string).collect();
    words.join(", ")
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
    let wider = [of_account, of_host];
    let wider = wider.iter().find_map(|wider| {
        let entries = matching(listed, wider);
        entries.into_keys().next()
    });
    let hint = match wider {
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
    unwanted
        .key()
        .map_or_else(String::new, |key| key.argument())
}
