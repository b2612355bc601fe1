//! `import`: takes over what other helpers keep. Shows it first.

mod json;
mod paths;
mod reach;
mod sources;

use std::process::ExitCode;

use self::reach::Reach;
use self::sources::{known, say_troubles, username_of};
use super::failure::Failure;
use super::progress::Progress;
use super::streams::Streams;
use super::{open, patience, ui};
use crate::config::Flags;
use crate::credential::expiry::Expiry;
use crate::credential::username::Username;
use crate::helper::Helper;
use crate::helper::open::can_use;
use crate::neighbour::registry::{Harvest, Neighbours, Source};
use crate::storage::StorageKind;
use crate::tasks::import::{Invalid, Offer, Verdict};
use crate::tasks::target;
use crate::terminal::escape;
use crate::time::{self, Now};

/// Take over the credentials of other helpers: shows them first, and asks
///
/// Without FROM: of all that are found.
#[derive(clap::Args)]
// The text is shown to people as it stands.
#[allow(clippy::doc_markdown, clippy::struct_excessive_bools)]
pub(super) struct Arguments {
    /// git-store, git-store:PATH, netrc, netrc:PATH, gh, glab, gcm, git-cache, or env:NAME for a token in a variable of
    /// the environment
    #[arg(value_name = "FROM", value_parser = str::parse::<Source>)]
    from: Vec<Source>,
    /// Only what is for this URL, such as https://github.com or https://octocat@github.com; for env:NAME: what the token
    /// is for
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Show what would be taken over, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Take theirs where another secret is kept here
    #[arg(long)]
    replace: bool,
    /// Import even credentials that are known to be rejected or superseded, or whose kind their forge no longer accepts
    #[arg(long)]
    refused: bool,
    /// Then take what is kept here for good out of where it came from
    #[arg(long)]
    remove_source: bool,
    /// For machines
    #[arg(long)]
    json: bool,
}

/// What has come of the offers so far.
struct Work<'a> {
    arguments: &'a Arguments,
    neighbours: &'a Neighbours,
    harvest: &'a Harvest,
    offers: &'a [Offer],
    imported: Vec<bool>,
    /// By copy.
    removed: Vec<bool>,
    has_failed: bool,
}

pub(super) fn run(
    arguments: &Arguments,
    flags: &Flags,
    streams: &mut Streams,
) -> Result<ExitCode, Failure> {
    let wanted = arguments.url.as_deref().map(target::parse).transpose()?;
    let names_variable = |source: &Source| matches!(source, Source::Variable(_));
    if wanted.is_none() && arguments.from.iter().any(names_variable) {
        return Err(Failure::new(
            "what is the token in the variable for?",
            "give --url, such as --url https://octocat@github.com",
        ));
    }
    let (settings, helper) = open(flags.clone(), wanted.as_ref())?;
    let now = time::now();
    let username_of = |variable: &str| username_of(&helper, wanted.as_ref(), variable);
    let mut neighbours =
        Neighbours::open(&arguments.from, wanted.as_ref(), &username_of, patience())?;
    let harvest = neighbours.read(known(&helper, wanted.as_ref()));
    say_troubles(streams, &harvest);
    let outcome = helper.weigh(&harvest, wanted.as_ref(), &settings.accounts, now)?;
    ui::notices(streams, &outcome.notices, now.unix);

    let is_unknown = |offer: &Offer| offer.verdict == Verdict::Unknown;
    let mut work = Work {
        arguments,
        neighbours: &neighbours,
        harvest: &harvest,
        offers: &outcome.value,
        imported: vec![false; outcome.value.len()],
        removed: vec![false; harvest.copies.len()],
        has_failed: (!arguments.from.is_empty() && !harvest.troubles.is_empty())
            || outcome.value.iter().any(is_unknown),
    };
    if !arguments.json {
        work.show(streams)?;
    }
    let wanted: Vec<&Offer> = work.offers.iter().filter(|it| work.is_wanted(it)).collect();
    paths::warn(&wanted, &settings.accounts, streams);
    let reach = Reach::of(work.offers, &settings);
    if !arguments.dry_run {
        reach.warn(streams, &wanted, flags);
    }
    let is_answered = work.store_wanted(&helper, now, streams)?;
    if is_answered && arguments.remove_source {
        let has_keychain = can_use(StorageKind::Keychain, &settings, patience());
        work.remove_sources(&helper, &reach, has_keychain, streams)?;
    }
    if arguments.json {
        let json =
            serde_json::to_string_pretty(&json::shown(&work)).map_err(std::io::Error::from)?;
        ui::print(streams, &format!("{json}\n"))?;
    }
    Ok(if is_answered && !work.has_failed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Work<'_> {
    fn is_wanted(&self, offer: &Offer) -> bool {
        offer.is_wanted(self.arguments.replace, self.arguments.refused)
    }

    fn show(&self, streams: &mut Streams) -> Result<(), Failure> {
        if self.offers.is_empty() {
            ui::print(streams, "nothing is found\n")?;
            return Ok(());
        }
        let rows: Vec<Vec<String>> = self
            .offers
            .iter()
            .map(|offer| {
                let key = &offer.credential.key;
                let user = key.username.as_ref();
                vec![
                    escape::safe(&key.url()),
                    user.map_or_else(|| "-".to_owned(), Username::shown),
                    self.sources_of(offer),
                    self.fate_of(offer),
                ]
            })
            .collect();
        ui::table(streams, &["URL", "USER", "FROM", "WHAT"], &rows)?;
        Ok(())
    }

    fn sources_of(&self, offer: &Offer) -> String {
        let copies = offer.copies.iter().map(|&at| &self.harvest.copies[at]);
        let names: Vec<String> = copies
            .map(|copied| {
                let place = escape::safe(copied.found.shown_place().as_bytes());
                format!("{} {place}", self.neighbours.name_of(copied))
            })
            .collect();
        names.join(", ")
    }

    fn fate_of(&self, offer: &Offer) -> String {
        let expiry = offer.credential.expiry;
        match offer.verdict {
            Verdict::New => match expiry {
                Some(expiry) => format!("new, ends {}", expiry.day()),
                None => "new".to_owned(),
            },
            Verdict::Same => "same".to_owned(),
            Verdict::End => match expiry {
                Some(expiry) => format!("same, and ends {}", expiry.day()),
                None => "same".to_owned(),
            },
            Verdict::Different if self.arguments.replace => {
                "different: takes the place of what is kept".to_owned()
            }
            Verdict::Different => "different: what is kept stays".to_owned(),
            Verdict::Unknown => "unknown: what may be kept does not answer".to_owned(),
            Verdict::Second => "different from the one above: stays there".to_owned(),
            Verdict::Dead { why, .. } => {
                let what = if self.is_wanted(offer) {
                    "imported all the same"
                } else {
                    "stays there"
                };
                let why = match why {
                    Invalid::Fate(fate, since) => {
                        let day = Expiry::from_unix(since).map_or_else(String::new, Expiry::day);
                        format!("{} {day}", fate.word())
                    }
                    Invalid::Untaken(says) => says.to_owned(),
                };
                format!("{why}: {what}")
            }
            Verdict::Ended => expiry.map_or_else(
                || "ended".to_owned(),
                |expiry| format!("ended {}", expiry.day()),
            ),
        }
    }

    /// Asks, and stores. Returns false if nobody could be asked.
    fn store_wanted(
        &mut self,
        helper: &Helper,
        now: Now,
        streams: &mut Streams,
    ) -> Result<bool, Failure> {
        let wanted: Vec<usize> = (0..self.offers.len())
            .filter(|&at| self.is_wanted(&self.offers[at]))
            .collect();
        let Arguments {
            dry_run, yes, json, ..
        } = self.arguments;
        if wanted.is_empty() || *dry_run {
            if !*dry_run && !*json && !self.offers.is_empty() {
                ui::print(streams, "nothing is to be imported\n")?;
            }
            return Ok(true);
        }
        if !*yes && !may_ask(streams) {
            return Ok(false);
        }
        let question = format!("Import {}?", counted(wanted.len()));
        if !*yes && !ui::confirm(streams, &question)? {
            ui::print(streams, "nothing was changed\n")?;
            return Ok(true);
        }
        let offers: Vec<&Offer> = wanted.iter().map(|&at| &self.offers[at]).collect();
        let mut progress = Progress::of("storing credential", streams);
        let outcome = helper.take_over(&offers, &mut |at, of| progress.comes_to(at, of), now);
        drop(progress);
        let outcome = outcome?;
        ui::notices(streams, &outcome.notices, now.unix);
        for &at in &wanted {
            self.imported[at] = true;
        }
        if !*json {
            ui::print(streams, &format!("imported {}\n", counted(wanted.len())))?;
        }
        Ok(true)
    }

    /// Only what a storage keeps that forgets nothing, and as it was seen.
    fn remove_sources(
        &mut self,
        helper: &Helper,
        reach: &Reach<'_>,
        has_keychain: bool,
        streams: &mut Streams,
    ) -> Result<(), Failure> {
        let Arguments {
            dry_run, yes, json, ..
        } = self.arguments;
        let mut meant = Vec::new();
        let mut fleeting = 0;
        let mut unfound = 0;
        for (at, offer) in self.offers.iter().enumerate() {
            let is_same = matches!(offer.verdict, Verdict::Same | Verdict::End);
            if !(self.imported[at] || is_same) {
                continue;
            }
            if !helper.keeps_for_good(&offer.credential)? {
                fleeting += offer.copies.len();
                continue;
            }
            if reach.looks_elsewhere(&offer.credential.key) {
                unfound += offer.copies.len();
                continue;
            }
            meant.extend(&offer.copies);
        }
        if !*dry_run {
            warn_of_sources_that_stay(streams, unfound, fleeting, has_keychain);
        }
        let is_fixed = |at: &usize| !self.neighbours.can_remove(&self.harvest.copies[*at]);
        let (fixed, meant): (Vec<usize>, Vec<usize>) = meant.into_iter().partition(is_fixed);
        for at in fixed {
            let copied = &self.harvest.copies[at];
            let place = escape::safe(copied.found.shown_place().as_bytes());
            ui::warn(
                streams,
                &format!("{place} is only read: remove the token there yourself"),
                None,
            );
        }
        if meant.is_empty() || *dry_run {
            return Ok(());
        }
        let question = format!("Remove {} from where they came from?", copies(meant.len()));
        if !*yes && !ui::confirm(streams, &question)? {
            return Ok(());
        }
        let mut count = 0;
        for at in meant {
            match self.neighbours.remove(&self.harvest.copies[at]) {
                Ok(removed) => {
                    self.removed[at] = removed > 0;
                    count += usize::from(removed > 0);
                }
                Err(error) => {
                    self.has_failed = true;
                    ui::error(streams, &error, error.hint());
                }
            }
        }
        if !*json {
            ui::print(
                streams,
                &format!("removed {} at the source\n", copies(count)),
            )?;
        }
        Ok(())
    }
}

/// Warns that copies stay at their source. `unfound`: git does not look at the imported ones. `fleeting`: only memory has them.
fn warn_of_sources_that_stay(
    streams: &mut Streams,
    unfound: usize,
    fleeting: usize,
    has_keychain: bool,
) {
    if unfound > 0 {
        let what = format!(
            "{} stay where they are: git does not look where they are imported to",
            copies(unfound)
        );
        ui::warn(streams, &what, None);
    }
    if fleeting > 0 {
        let what = format!(
            "{} stay where they are: here only memory has them",
            copies(fleeting)
        );
        let hint = if has_keychain {
            "import with '--storage keychain' before their source is removed"
        } else {
            "the keychain cannot be reached: 'git credential-pat doctor' tells why"
        };
        ui::warn(streams, &what, Some(hint));
    }
}

/// Whether somebody is there to be asked; if not, says so.
fn may_ask(streams: &mut Streams) -> bool {
    if !streams.input_is_terminal {
        ui::complain(
            streams,
            "nothing was imported: there is nobody to ask",
            Some("look at what is shown, and add --yes"),
        );
    }
    streams.input_is_terminal
}

fn counted(count: usize) -> String {
    match count {
        1 => "1 credential".to_owned(),
        _ => format!("{count} credentials"),
    }
}

fn copies(count: usize) -> String {
    match count {
        1 => "1 copy".to_owned(),
        _ => format!("{count} copies"),
    }
}
