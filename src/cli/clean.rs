//! `clean`: removes what is of no use any more, wherever it is. Shows it first.

use std::process::ExitCode;

use serde::Serialize;

use super::failure::Failure;
use super::json::{ShownKey, moment};
use super::streams::Streams;
use super::{patience, settings, status_of, ui};
use crate::config::Flags;
use crate::credential::expiry::Expiry;
use crate::credential::query::Query;
use crate::credential::username::Username;
use crate::neighbour::registry::{Harvest, Neighbours};
use crate::storage::StorageKind;
use crate::tasks::clean::{Cleaner, Owner, Stale, Why};
use crate::tasks::target;
use crate::terminal::escape;
use crate::time;

/// Remove credentials that have ended, were refused or superseded, and copies of them that other helpers keep
///
/// Shows them first, and asks.
#[derive(clap::Args)]
// The text is shown to people as it stands.
#[allow(clippy::doc_markdown)]
pub(super) struct Arguments {
    /// Only what is for this URL, such as https://github.com or https://octocat@github.com
    url: Option<String>,
    /// Show what would be removed, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Keep what is for this URL; may be given more than once
    #[arg(long, value_name = "URL")]
    keep: Vec<String>,
    /// For machines
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    key: ShownKey,
    owner: String,
    place: Option<String>,
    plaintext: bool,
    items: usize,
    secret: Option<String>,
    stored: Option<String>,
    reason: &'static str,
    since: Option<String>,
    outcome: &'static str,
}

/// What becomes of one of them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Listed, and meant to go.
    Meant,
    /// Held back.
    Kept,
    /// Its owner lets nothing be taken away.
    Fixed,
    /// Gone.
    Removed,
    /// It was not there any more, or not the same.
    Changed,
    /// It could not be removed.
    Failed,
}

pub(super) fn run(
    arguments: &Arguments,
    flags: Flags,
    streams: &mut Streams,
) -> Result<ExitCode, Failure> {
    let wanted = arguments.url.as_deref().map(target::parse).transpose()?;
    let held: Vec<Query> = arguments
        .keep
        .iter()
        .map(|url| target::parse(url))
        .collect::<Result<_, _>>()?;
    let settings = settings(flags, wanted.as_ref())?;
    let now = time::now();
    let patience = patience();
    let cleaner = Cleaner::open(&settings, patience);
    let outcome = cleaner.find(wanted.as_ref(), now);
    ui::notices(streams, &outcome.notices, now.unix);
    let is_whole = outcome.is_whole();
    let mut ours = outcome.value;

    let mut neighbours = Neighbours::open(&[], None, &|_| None, patience)?;
    let harvest = neighbours.read(cleaner.known(&ours));
    for trouble in &harvest.troubles {
        ui::trouble(streams, trouble, trouble.hint());
    }
    let copies = cleaner.find_copies(&harvest, &ours, wanted.as_ref(), now);
    let mut stale = std::mem::take(&mut ours.stale);
    stale.extend(copies);
    cleaner.mark(&mut stale, now);
    if ours.renewable > 0 {
        let what = format!(
            "{} that ended can be renewed, and stay",
            counted(ours.renewable)
        );
        ui::warn(streams, &what, None);
    }

    let mut steps: Vec<Step> = stale
        .iter()
        .map(|stale| first_step(stale, &held, &neighbours, &harvest))
        .collect();
    if !arguments.json {
        show(streams, &stale, &steps, &neighbours, &harvest, is_whole)?;
    }
    let is_answered = choose(arguments, &mut steps, streams)?;
    if is_answered && !arguments.dry_run {
        for (stale, step) in stale.iter().zip(&mut steps) {
            if *step != Step::Meant {
                continue;
            }
            *step = match cleaner.remove(stale, &neighbours, &harvest.copies, now) {
                Ok(0) => Step::Changed,
                Ok(_) => Step::Removed,
                Err(error) => {
                    ui::error(streams, &error, error.hint());
                    Step::Failed
                }
            };
        }
    }
    let count = |wanted: Step| steps.iter().filter(|step| **step == wanted).count();
    if arguments.json {
        let shown: Vec<Shown> = stale
            .iter()
            .zip(&steps)
            .map(|(stale, step)| shown(stale, *step, &neighbours, &harvest))
            .collect();
        let json = serde_json::to_string_pretty(&shown).map_err(std::io::Error::from)?;
        ui::print(streams, &format!("{json}\n"))?;
    } else if count(Step::Removed) + count(Step::Changed) > 0 {
        ui::print(
            streams,
            &format!("removed {}\n", counted(count(Step::Removed))),
        )?;
    }
    if count(Step::Changed) > 0 {
        let what = format!(
            "{} changed in the meantime, and stayed",
            counted(count(Step::Changed))
        );
        ui::warn(streams, &what, None);
    }
    Ok(status_of(
        is_answered && is_whole && count(Step::Failed) == 0,
    ))
}

fn first_step(stale: &Stale, held: &[Query], neighbours: &Neighbours, harvest: &Harvest) -> Step {
    let is_fixed = match stale.owner {
        Owner::Neighbour(at) => !neighbours.can_remove(&harvest.copies[at]),
        Owner::Storage(_) => false,
    };
    if held.iter().any(|held| held.matches(&stale.credential.key)) {
        Step::Kept
    } else if is_fixed {
        Step::Fixed
    } else {
        Step::Meant
    }
}

fn show(
    streams: &mut Streams,
    stale: &[Stale],
    steps: &[Step],
    neighbours: &Neighbours,
    harvest: &Harvest,
    is_whole: bool,
) -> Result<(), Failure> {
    if stale.is_empty() {
        let text = match (is_whole, harvest.is_whole()) {
            (true, true) => "nothing is stale\n",
            (true, false) => "nothing is stale in what could be read\n",
            (false, _) => "nothing is stale in the storages that could be asked\n",
        };
        ui::print(streams, text)?;
        return Ok(());
    }
    let mut rows = Vec::new();
    for (number, (stale, step)) in stale.iter().zip(steps).enumerate() {
        let key = &stale.credential.key;
        let (owner, place, _) = whereabouts(stale, neighbours, harvest);
        let mut place = place.map_or(owner.clone(), |place| format!("{owner} {place}"));
        if stale.items > 1 {
            place = format!("{place} ({} items)", stale.items);
        }
        let since = stale.since.and_then(Expiry::from_unix).map(Expiry::day);
        let stored = stale.stored.and_then(Expiry::from_unix);
        let mut why = match stale.why {
            Why::Fate(fate) => fate.word().to_owned(),
            Why::Untaken(says) => says.to_owned(),
            Why::Behind => stale.why.word().to_owned(),
        };
        if let Some(day) = since {
            why = format!("{why} {day}");
        }
        match step {
            Step::Kept => why.push_str(" (kept)"),
            Step::Fixed => why.push_str(" (only read: remove it there yourself)"),
            _ => {}
        }
        rows.push(vec![
            (number + 1).to_string(),
            escape::safe(&key.url()),
            key.username
                .as_ref()
                .map_or_else(|| "-".to_owned(), Username::shown),
            escape::safe(place.as_bytes()),
            stale
                .mark
                .as_ref()
                .map_or("-".to_owned(), |mark| format!("#{mark}")),
            stored.map_or("-".to_owned(), Expiry::day),
            why,
        ]);
    }
    ui::table(
        streams,
        &["NO", "URL", "USER", "KEPT IN", "SECRET", "STORED", "WHY"],
        &rows,
    )?;
    Ok(())
}

/// Who has it, where exactly, and whether that is plaintext.
fn whereabouts(
    stale: &Stale,
    neighbours: &Neighbours,
    harvest: &Harvest,
) -> (String, Option<String>, bool) {
    match stale.owner {
        Owner::Storage(kind) => (kind.to_string(), None, kind == StorageKind::File),
        Owner::Neighbour(at) => {
            let copied = &harvest.copies[at];
            let place = copied.found.shown_place();
            let name = neighbours.name_of(copied).to_owned();
            (name, Some(place), copied.found.place.is_plaintext())
        }
    }
}

/// Asks which of them are to stay. Returns false if nobody could be asked.
fn choose(
    arguments: &Arguments,
    steps: &mut [Step],
    streams: &mut Streams,
) -> Result<bool, Failure> {
    let meant = steps.iter().filter(|step| **step == Step::Meant).count();
    if meant == 0 || arguments.dry_run || arguments.yes {
        return Ok(true);
    }
    if !streams.input_is_terminal {
        ui::complain(
            streams,
            "nothing was removed: there is nobody to ask",
            Some("look at what is shown, and add --yes"),
        );
        return Ok(false);
    }
    let question = format!(
        "Remove {}? [y/N, or the numbers of those to keep, such as 1,3] ",
        counted(meant)
    );
    let answer = ui::ask(streams, &question)?.to_ascii_lowercase();
    let numbers: Option<Vec<usize>> = answer
        .split([',', ' '])
        .filter(|word| !word.is_empty())
        .map(|word| {
            word.parse()
                .ok()
                .filter(|number| (1..=steps.len()).contains(number))
        })
        .collect();
    match numbers {
        _ if ["y", "yes"].contains(&&answer[..]) => {}
        Some(numbers) if !numbers.is_empty() => {
            for number in numbers {
                steps[number - 1] = Step::Kept;
            }
        }
        _ => {
            for step in steps.iter_mut() {
                *step = Step::Kept;
            }
            ui::print(streams, "nothing was changed\n")?;
        }
    }
    Ok(true)
}

fn shown(stale: &Stale, step: Step, neighbours: &Neighbours, harvest: &Harvest) -> Shown {
    let (owner, place, plaintext) = whereabouts(stale, neighbours, harvest);
    Shown {
        key: (&stale.credential.key).into(),
        owner,
        place,
        plaintext,
        items: stale.items,
        secret: stale.mark.clone(),
        stored: moment(stale.stored),
        reason: stale.why.word(),
        since: moment(stale.since),
        outcome: match step {
            Step::Meant => "listed",
            Step::Kept => "kept",
            Step::Fixed => "read-only",
            Step::Removed => "removed",
            Step::Changed => "changed",
            Step::Failed => "failed",
        },
    }
}

fn counted(count: usize) -> String {
    match count {
        1 => "1 credential".to_owned(),
        _ => format!("{count} credentials"),
    }
}
