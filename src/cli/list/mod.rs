//! `list`: prints the credentials without their secrets.

mod entry;

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use clap::ValueEnum;

use self::entry::{LAYOUT, ListEntry};
use super::failure::{CliResult, nothing_known, nothing_stored};
use super::messages::{token_of, unused};
use super::streams::Streams;
use super::{status_of, ui};
use crate::config::account::{self, Account};
use crate::config::choice::Choice;
use crate::config::{Flags, Settings};
use crate::credential::expiry::Expiry;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::credential::username::Username;
use crate::git::may_prompt::prompt_patience;
use crate::helper::Helper;
use crate::helper::open::kinds;
use crate::helper::precedence::answering;
use crate::helper::token_state::StoredTokens;
use crate::neighbour::configured::path_teller;
use crate::storage::{Listed, StorageKind};
use crate::tasks::target;
use crate::time;

/// List every credential without its secret: where it is stored and when it expires
///
/// '--storage all' lists every storage, also those that git does not use. A storage that cannot be asked is then no failure.
#[derive(clap::Args)]
#[command(visible_alias = "ls")]
pub(super) struct Arguments {
    /// Only the credentials for this URL, such as https://github.com or https://octocat@github.com
    url: Option<String>,
    /// The order; by default that of the storages, and in each the newest last
    #[arg(long, value_name = "ORDER")]
    sort: Option<SortOrder>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum SortOrder {
    /// The next to expire first, those with an unknown expiry last
    Expiry,
    /// By URL and user
    Url,
    /// The one that git used last first
    Used,
}

pub(super) fn run(arguments: &Arguments, mut flags: Flags, streams: &mut Streams) -> CliResult {
    let wanted = arguments.url.as_deref().map(target::parse).transpose()?;
    let is_all = flags
        .storage
        .take_if(|chosen| *chosen == Choice::All)
        .is_some();
    let mut settings = super::settings(flags, wanted.as_ref())?;
    let used = kinds(&settings).to_vec();
    if is_all {
        settings.storage = Choice::All;
    }
    let helper = Helper::new(&settings, prompt_patience());
    let outcome = helper.storages().list_all()?;
    let unix_now = time::now().unix;
    ui::notices(streams, &outcome.notices, unix_now);
    let (is_whole, all) = (outcome.is_whole(), outcome.value);
    let stored = StoredTokens::read(&helper, unix_now);
    let mut entries = entries(&all, &used, &settings, &stored, unix_now);
    if let Some(wanted) = &wanted {
        let query = meant(&all, &settings.accounts, wanted);
        entries.retain(|entry| query.matches(&entry.listed.key));
    }
    if let Some(order) = arguments.sort {
        sort(&mut entries, order);
    }
    if arguments.json {
        let json = entries.iter().map(|entry| entry.json(unix_now));
        ui::print_json(streams, &json.collect::<Vec<_>>())?;
    }
    match &wanted {
        _ if !entries.is_empty() => {}
        None if is_whole || is_all => {}
        Some(wanted) if is_whole => return Err(nothing_stored(wanted)),
        _ => return Err(nothing_known()),
    }
    if arguments.json {
        return Ok(status_of(is_whole || is_all));
    }
    if entries.is_empty() {
        let places = if is_whole {
            helper.storages().places()
        } else {
            "the storages that could be asked".to_owned()
        };
        ui::print(streams, &format!("nothing is kept in {places}\n"))?;
    } else {
        print(streams, &entries, unix_now)?;
    }
    Ok(status_of(is_whole || is_all))
}

fn sort(entries: &mut [ListEntry<'_>], order: SortOrder) {
    match order {
        SortOrder::Expiry => entries.sort_by_key(|entry| {
            let expiry = entry.listed.expiry.map(Expiry::unix);
            (expiry.is_none(), expiry)
        }),
        SortOrder::Url => entries.sort_by_cached_key(|entry| {
            let key = &entry.listed.key;
            let user = key.username.as_ref().map(Username::expose);
            (key.url(), user.map(<[u8]>::to_vec))
        }),
        SortOrder::Used => {
            entries.sort_by_key(|entry| Reverse(entry.known.used.or(entry.known.accepted)));
        }
    }
}

fn print(streams: &mut Streams, entries: &[ListEntry<'_>], unix_now: u64) -> CliResult<()> {
    let rows = entries.iter().map(|entry| entry.row(unix_now));
    ui::table(streams, &LAYOUT, &rows.collect::<Vec<_>>())?;
    for entry in entries {
        if let Some(since) = entry.known.unused_since(unix_now) {
            let token = token_of(&entry.listed.key);
            ui::warn(streams, &format!("{token} is {}", unused(since)), None);
        }
    }
    Ok(())
}

/// The query for the entries that `wanted` means: those that match, else those of the `[[account]]` for the path, else those of
/// the host without a path. Reads no secret, since a keyring would ask to be unlocked.
fn meant(all: &[(StorageKind, Listed)], accounts: &[Account], wanted: &Query) -> Query {
    let mut of_account = wanted.duplicate();
    account::apply(accounts, &mut of_account);
    let mut of_host = wanted.duplicate();
    of_host.path = None;
    of_host.is_pathless = true;
    for query in [of_account, of_host] {
        let is_listed = |query: &Query| all.iter().any(|(_, listed)| query.matches(&listed.key));
        if wanted.path.is_some() && !is_listed(wanted) && is_listed(&query) {
            return query;
        }
    }
    wanted.duplicate()
}

/// `used`: the storages that git uses, in order. An entry of another one answers nothing.
fn entries<'a>(
    all: &'a [(StorageKind, Listed)],
    used: &[StorageKind],
    settings: &Settings,
    stored: &StoredTokens<'_>,
    unix_now: u64,
) -> Vec<ListEntry<'a>> {
    let mut asked = Vec::new();
    for kind in used {
        let of_kind = all.iter().enumerate().filter(|(_, (of, _))| of == kind);
        asked.extend(of_kind.map(|(at, (of, listed))| (at, (*of, listed))));
    }
    let (places, asked): (Vec<usize>, Vec<_>) = asked.into_iter().unzip();
    let answers = answering(&asked, &settings.accounts, unix_now, path_teller());
    let mut is_default = vec![false; all.len()];
    for (at, is_answer) in places.into_iter().zip(answers) {
        is_default[at] = is_answer;
    }
    let contested = contested_hosts(all);
    let mut entries = Vec::new();
    for ((kind, listed), is_default) in all.iter().zip(is_default) {
        let (known, state) = stored.token(*kind, listed);
        entries.push(ListEntry {
            kind: *kind,
            listed,
            known,
            state,
            is_default,
            has_rivals: contested.contains(&host_of(&listed.key)),
        });
    }
    entries
}

/// The hosts with several different entries.
fn contested_hosts(all: &[(StorageKind, Listed)]) -> HashSet<HostName<'_>> {
    let mut first = HashMap::new();
    let mut contested = HashSet::new();
    for (_, Listed { key, .. }) in all {
        if *first.entry(host_of(key)).or_insert(key) != key {
            contested.insert(host_of(key));
        }
    }
    contested
}

/// A protocol and a host.
type HostName<'a> = (&'a [u8], &'a [u8]);

fn host_of(key: &Key) -> HostName<'_> {
    (&key.protocol, &key.host)
}
