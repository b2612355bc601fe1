//! `clean`: shows the credentials that no longer work, asks, and removes them.

use std::io;
use std::process::ExitCode;

use serde::Serialize;

use super::failure::Failure;
use super::json::{ShownKey, moment};
use super::streams::Streams;
use super::{open, patience, status_of, ui};
use crate::config::Flags;
use crate::credential::expiry::Expiry;
use crate::credential::query::Query;
use crate::credential::username::Username;
use crate::helper::open::open_rest;
use crate::neighbour::registry::{Copied, Harvest, Neighbours};
use crate::storage::StorageKind;
use crate::tasks::clean::Clean;
use crate::tasks::clean::stale::{Reason, StaleCredential, StaleOwner};
use crate::tasks::target;
use crate::terminal::escape;
use crate::time::{self, Now};

/// Remove credentials that have expired, were rejected or superseded, and copies of them in other helpers
///
/// Shows them first, and asks.
#[derive(clap::Args)]
// clap prints the text as it is.
#[allow(clippy::doc_markdown)]
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

#[derive(Serialize)]
struct StaleJson<'a> {
    #[serde(flatten)]
    key: ShownKey,
    owner: &'a str,
    place: Option<&'a str>,
    plaintext: bool,
    items: usize,
    secret: Option<&'a str>,
    stored: Option<String>,
    reason: &'static str,
    since: Option<String>,
    outcome: &'static str,
}

/// The next step for a stale credential, or the result of its removal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CleanStep {
    Remove,
    Keep,
    /// Its helper cannot remove it.
    ReadOnly,
    Removed,
    /// It was removed, or changed, by another program.
    Changed,
    Failed,
}

/// A stale credential, its place and the next step.
struct Candidate {
    stale: StaleCredential,
    step: CleanStep,
    owner: String,
    place: Option<String>,
    is_plaintext: bool,
}

pub(super) fn run(
    arguments: &Arguments,
    flags: Flags,
    streams: &mut Streams,
) -> Result<ExitCode, Failure> {
    let wanted = arguments.url.as_deref().map(target::parse).transpose()?;
    let keep = arguments.keep.iter().map(|url| target::parse(url));
    let keep: Vec<Query> = keep.collect::<Result<_, _>>()?;
    let (settings, helper) = open(flags, wanted.as_ref())?;
    let rest = open_rest(&settings, patience());
    let clean = Clean::new(&settings, helper.storages(), &rest, helper.journal());
    let now = time::now();
    let outcome = clean.inventory(wanted.as_ref(), now);
    ui::notices(streams, &outcome.notices, now.unix);
    let is_whole = outcome.is_whole();
    let mut inventory = outcome.value;

    let mut neighbours = Neighbours::open(&[], None, &|_| None, patience())?;
    let harvest = neighbours.read(Clean::queries(&inventory));
    for trouble in &harvest.troubles {
        ui::trouble(streams, trouble, trouble.hint());
    }
    let copies = clean.copies(&harvest, &inventory, wanted.as_ref(), now);
    let mut stale = std::mem::take(&mut inventory.stale);
    stale.extend(copies);
    clean.label(&mut stale, now);
    if inventory.renewable > 0 {
        let what = format!(
            "{} expired but can be renewed: not removed",
            counted(inventory.renewable)
        );
        ui::warn(streams, &what, None);
    }

    let stale = stale.into_iter();
    let mut candidates: Vec<Candidate> = stale
        .map(|stale| Candidate::new(stale, &keep, &neighbours, &harvest))
        .collect();
    if !arguments.json {
        show(streams, &candidates, is_whole, harvest.is_whole())?;
    }
    let is_answered = choose(arguments, &mut candidates, streams)?;
    if is_answered && !arguments.dry_run {
        for candidate in &mut candidates {
            if candidate.step == CleanStep::Remove {
                candidate.remove(&clean, &neighbours, &harvest.copies, now, streams);
            }
        }
    }
    report(streams, &candidates, arguments.json)?;
    let is_done = count(&candidates, CleanStep::Failed) == 0;
    Ok(status_of(is_answered && is_whole && is_done))
}

impl Candidate {
    fn new(
        stale: StaleCredential,
        keep: &[Query],
        neighbours: &Neighbours,
        harvest: &Harvest,
    ) -> Self {
        let (owner, place, is_plaintext, is_read_only) = match stale.owner {
            StaleOwner::Storage(kind) => (kind.to_string(), None, kind == StorageKind::File, false),
            StaleOwner::Neighbour(at) => {
                let copied = &harvest.copies[at];
                let found = &copied.found;
                (
                    neighbours.name_of(copied).to_owned(),
                    Some(found.shown_place()),
                    found.place.is_plaintext(),
                    !neighbours.can_remove(copied),
                )
            }
        };
        let step = if keep.iter().any(|keep| keep.matches(&stale.credential.key)) {
            CleanStep::Keep
        } else if is_read_only {
            CleanStep::ReadOnly
        } else {
            CleanStep::Remove
        };
        Self {
            stale,
            step,
            owner,
            place,
            is_plaintext,
        }
    }

    fn remove(
        &mut self,
        clean: &Clean,
        neighbours: &Neighbours,
        copies: &[Copied],
        now: Now,
        streams: &mut Streams,
    ) {
        self.step = match clean.remove(&self.stale, neighbours, copies, now) {
            Ok(0) => CleanStep::Changed,
            Ok(_) => CleanStep::Removed,
            Err(error) => {
                ui::error(streams, &error, error.hint());
                CleanStep::Failed
            }
        };
    }

    fn row(&self, number: usize) -> Vec<String> {
        let key = &self.stale.credential.key;
        let mut place = self.owner.clone();
        if let Some(at) = &self.place {
            place = format!("{place} {at}");
        }
        if self.stale.items > 1 {
            place = format!("{place} ({} items)", self.stale.items);
        }
        let mut why = match self.stale.reason {
            Reason::Retired(says) => says.to_owned(),
            reason => reason.word().to_owned(),
        };
        if let Some(since) = self.stale.since.and_then(Expiry::from_unix) {
            why = format!("{why} {}", since.day());
        }
        match self.step {
            CleanStep::Keep => why.push_str(" (kept)"),
            CleanStep::ReadOnly => why.push_str(" (read-only: remove it there yourself)"),
            _ => {}
        }
        let stored = self.stale.stored.and_then(Expiry::from_unix);
        let cells = [
            key.username.as_ref().map(Username::shown),
            Some(escape::safe(place.as_bytes())),
            self.stale.label.as_ref().map(|label| format!("#{label}")),
            stored.map(Expiry::day),
            Some(why),
        ];
        let mut row = vec![number.to_string(), escape::safe(&key.url())];
        row.extend(cells.map(|cell| cell.unwrap_or_else(|| "-".to_owned())));
        row
    }

    fn json(&self) -> StaleJson<'_> {
        let stale = &self.stale;
        StaleJson {
            key: (&stale.credential.key).into(),
            owner: &self.owner,
            place: self.place.as_deref(),
            plaintext: self.is_plaintext,
            items: stale.items,
            secret: stale.label.as_deref(),
            stored: moment(stale.stored),
            reason: stale.reason.word(),
            since: moment(stale.since),
            outcome: match self.step {
                CleanStep::Remove => "listed",
                CleanStep::Keep => "kept",
                CleanStep::ReadOnly => "read-only",
                CleanStep::Removed => "removed",
                CleanStep::Changed => "changed",
                CleanStep::Failed => "failed",
            },
        }
    }
}

/// `are_storages_whole`, `are_helpers_whole`: false if one of them could not be read.
fn show(
    streams: &mut Streams,
    candidates: &[Candidate],
    are_storages_whole: bool,
    are_helpers_whole: bool,
) -> io::Result<()> {
    if candidates.is_empty() {
        let text = match (are_storages_whole, are_helpers_whole) {
            (true, true) => "nothing is stale\n",
            (true, false) => "nothing is stale in what could be read\n",
            (false, _) => "nothing is stale in the storages that could be asked\n",
        };
        return ui::print(streams, text);
    }
    let rows: Vec<Vec<String>> = (1..)
        .zip(candidates)
        .map(|(number, candidate)| candidate.row(number))
        .collect();
    let heading = ["NO", "URL", "USER", "KEPT IN", "SECRET", "STORED", "WHY"];
    ui::table(streams, &heading, &rows)
}

/// Asks which credentials to keep. Returns false if there is no terminal to ask at.
fn choose(
    arguments: &Arguments,
    candidates: &mut [Candidate],
    streams: &mut Streams,
) -> io::Result<bool> {
    let removable = count(candidates, CleanStep::Remove);
    if removable == 0 || arguments.dry_run || arguments.yes {
        return Ok(true);
    }
    if !streams.input_is_terminal {
        let what = "nothing was removed: standard input is not a terminal";
        ui::complain(streams, what, Some("check the list, and add --yes"));
        return Ok(false);
    }
    let question = format!(
        "Remove {}? [y/N, or the numbers of those to keep, such as 1,3] ",
        counted(removable)
    );
    let answer = ui::ask(streams, &question)?.to_ascii_lowercase();
    if ["y", "yes"].contains(&&answer[..]) {
        return Ok(true);
    }
    let words = answer.split([',', ' ']).filter(|word| !word.is_empty());
    let numbers: Option<Vec<usize>> = words.map(|word| word.parse().ok()).collect();
    let in_list = |number: &usize| (1..=candidates.len()).contains(number);
    let numbers = numbers.unwrap_or_default();
    if !numbers.is_empty() && numbers.iter().all(in_list) {
        for number in numbers {
            candidates[number - 1].step = CleanStep::Keep;
        }
        return Ok(true);
    }
    for candidate in candidates {
        candidate.step = CleanStep::Keep;
    }
    ui::print(streams, "nothing was changed\n")?;
    Ok(true)
}

/// Prints the results.
fn report(streams: &mut Streams, candidates: &[Candidate], is_json: bool) -> io::Result<()> {
    let (removed, changed) = (
        count(candidates, CleanStep::Removed),
        count(candidates, CleanStep::Changed),
    );
    if is_json {
        let json: Vec<StaleJson> = candidates.iter().map(Candidate::json).collect();
        ui::print_json(streams, &json)?;
    } else if removed + changed > 0 {
        ui::print(streams, &format!("removed {}\n", counted(removed)))?;
    }
    if changed > 0 {
        let what = format!("{} changed in the meantime: not removed", counted(changed));
        ui::warn(streams, &what, None);
    }
    Ok(())
}

fn count(candidates: &[Candidate], step: CleanStep) -> usize {
    let all = candidates.iter();
    all.filter(|candidate| candidate.step == step).count()
}

fn counted(count: usize) -> String {
    match count {
        1 => "1 credential".to_owned(),
        _ => format!("{count} credentials"),
    }
}
