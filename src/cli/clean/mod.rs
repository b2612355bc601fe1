//! `clean`: shows the credentials that no longer work, asks, and removes them.

mod stale;

use self::stale::{LAYOUT, json, row};
use super::failure::CliResult;
use super::messages::credentials;
use super::streams::Streams;
use super::usage::shown;
use super::{open, status_of, ui};
use crate::config::Flags;
use crate::credential::query::Query;
use crate::git::may_prompt::prompt_patience;
use crate::helper::issuer::Issuers;
use crate::helper::open::open_rest;
use crate::neighbour::registry::Neighbours;
use crate::tasks::clean::Clean;
use crate::tasks::clean::stale::{CleanStep, Reason, StaleCredential, keep_numbers};
use crate::tasks::target;
use crate::time;

/// Remove credentials that have expired, were rejected or superseded, and copies of them in other helpers
///
/// Shows them first, and asks.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Only the credentials for this URL, such as https://github.com or https://octocat@github.com
    url: Option<String>,
    /// Show the credentials that would be removed, and remove none
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Keep the credentials for this URL; may be given several times
    #[arg(long, value_name = "URL")]
    keep: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, flags: Flags, streams: &mut Streams) -> CliResult {
    let wanted = arguments.url.as_deref().map(target::parse).transpose()?;
    let keep = arguments.keep.iter().map(|url| target::parse(url));
    let keep: Vec<Query> = keep.collect::<Result<_, _>>()?;
    let (settings, helper) = open(flags, wanted.as_ref())?;
    let rest = open_rest(&settings, prompt_patience());
    let (storages, journal) = (helper.storages(), helper.journal());
    let clean = Clean::new(&settings, storages, &rest, journal, wanted.as_ref());
    let now = time::now();
    let outcome = clean.inventory(now);
    ui::notices(streams, &outcome.notices, now.unix);
    let is_whole = outcome.is_whole();
    let inventory = outcome.value;

    let mut neighbours = Neighbours::open(&[], None, &|_| None, prompt_patience())?;
    let harvest = neighbours.read(Clean::queries(&inventory));
    for trouble in &harvest.troubles {
        ui::trouble(streams, trouble, trouble.hint());
    }
    if inventory.renewable > 0 {
        let count = credentials(inventory.renewable);
        let what = format!("{count} expired but can be renewed: not removed");
        ui::warn(streams, &what, None);
    }
    let mut all = clean.with_copies(inventory, &neighbours, &harvest, &keep, now);
    if !arguments.json {
        show(streams, &all, (is_whole, harvest.is_whole()))?;
        warn_of_valid_tokens(&all, helper.issuers(), streams);
    }
    let is_answered = choose(arguments, &mut all, streams)?;
    if is_answered && !arguments.dry_run {
        for error in clean.remove(&mut all, &neighbours, &harvest.copies, now) {
            ui::error(streams, &error, error.hint());
        }
    }
    report(streams, &all, arguments.json)?;
    let is_done = count(&all, CleanStep::Failed) == 0;
    Ok(status_of(is_answered && is_whole && is_done))
}

/// `are_whole`: false if a storage, or another helper, could not be read.
fn show(streams: &mut Streams, all: &[StaleCredential], are_whole: (bool, bool)) -> CliResult<()> {
    if all.is_empty() {
        let text = match are_whole {
            (true, true) => "nothing is stale\n",
            (true, false) => "nothing is stale in what could be read\n",
            (false, _) => "nothing is stale in the storages that could be asked\n",
        };
        return Ok(ui::print(streams, text)?);
    }
    let rows = all
        .iter()
        .zip(1..)
        .map(|(stale, number)| row(stale, number));
    Ok(ui::table(streams, &LAYOUT, &rows.collect::<Vec<_>>())?)
}

/// Warns of superseded tokens whose forge deletes more than the token. `clean` removes copies only, so the user may go on to delete
/// the token at its forge.
fn warn_of_valid_tokens(all: &[StaleCredential], issuers: &Issuers, streams: &mut Streams) {
    for stale in all {
        let issuer = issuers.issuer_of(&stale.credential, None);
        let deleted = issuer
            .as_ref()
            .and_then(|issuer| issuer.forge.deleted_with_token());
        if let (Reason::Superseded | Reason::Shadowed, Some(issuer), Some(deleted)) =
            (stale.reason, &issuer, deleted)
        {
            let forge = issuer.forge.kind();
            let what = format!("a superseded token stays valid until you delete it at {forge}");
            let hint = format!("if you delete it there, {forge} deletes {deleted}, too");
            ui::warn(streams, &what, Some(&hint));
            return;
        }
    }
}

/// Asks which credentials to keep. Returns false if there is no terminal to ask at.
fn choose(
    arguments: &Arguments,
    all: &mut [StaleCredential],
    streams: &mut Streams,
) -> CliResult<bool> {
    let removable = count(all, CleanStep::Listed);
    if removable == 0 || arguments.dry_run || arguments.yes {
        return Ok(true);
    }
    if !streams.terminals.input_is_terminal {
        let what = "nothing was removed: standard input is not a terminal";
        ui::complain(streams, what, Some("check the list, and add --yes"));
        return Ok(false);
    }
    let question = format!(
        "Remove {}? [y/N, or the numbers of those to keep, such as 1,3] ",
        credentials(removable)
    );
    loop {
        let answer = ui::ask(streams, &question)?.to_ascii_lowercase();
        match &answer[..] {
            "y" | "yes" => return Ok(true),
            // Standard input may have ended: then the answer is empty.
            "" | "n" | "no" => break,
            _ => {}
        }
        match keep_numbers(all, &answer) {
            Ok(()) if count(all, CleanStep::Listed) > 0 => return Ok(true),
            Ok(()) => break,
            Err(word) => {
                let what = format!("'{}' is no number of the list", shown(word));
                ui::complain(streams, &what, None);
            }
        }
    }
    for stale in all {
        stale.step = CleanStep::Kept;
    }
    ui::done(streams, "nothing was changed\n")?;
    Ok(true)
}

/// Prints the results.
fn report(streams: &mut Streams, all: &[StaleCredential], is_json: bool) -> CliResult<()> {
    let removed = count(all, CleanStep::Removed);
    let changed = count(all, CleanStep::Changed);
    if is_json {
        ui::print_json(streams, &all.iter().map(json).collect::<Vec<_>>())?;
    } else if removed + changed > 0 {
        ui::done(streams, &format!("removed {}\n", credentials(removed)))?;
    }
    if changed > 0 {
        let changed = credentials(changed);
        let what = format!("{changed} changed in the meantime: not removed");
        ui::warn(streams, &what, None);
    }
    Ok(())
}

fn count(all: &[StaleCredential], step: CleanStep) -> usize {
    all.iter().filter(|stale| stale.step == step).count()
}
