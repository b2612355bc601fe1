//! The steps of `import` that ask, store and remove.

use std::thread;

use super::super::failure::CliResult;
use super::super::messages::{counted, credentials};
use super::super::progress::ProgressLine;
use super::super::streams::Streams;
use super::super::ui;
use super::arguments::Arguments;
use super::table;
use crate::neighbour::registry::{Harvest, Neighbours};
use crate::tasks::import::Import;
use crate::tasks::import::offer::Offer;

/// The offers and what became of them so far.
pub(super) struct Work<'a> {
    pub(super) arguments: &'a Arguments,
    pub(super) neighbours: &'a Neighbours,
    pub(super) harvest: &'a Harvest,
    pub(super) offers: &'a [Offer],
    pub(super) imported: Vec<bool>,
    /// By copy.
    pub(super) removed: Vec<bool>,
    pub(super) has_failed: bool,
}

impl Work<'_> {
    pub(super) fn is_wanted(&self, offer: &Offer) -> bool {
        offer.is_wanted(self.arguments.replace, self.arguments.refused)
    }

    /// Prints to people, not to a program that reads JSON.
    fn say(&self, streams: &mut Streams, text: &str) -> CliResult<()> {
        if !self.arguments.json {
            ui::print(streams, text)?;
        }
        Ok(())
    }

    pub(super) fn show(&self, streams: &mut Streams) -> CliResult<()> {
        if self.offers.is_empty() {
            return self.say(streams, "nothing is found\n");
        }
        let sources = (self.neighbours, self.harvest);
        let row = |offer| {
            table::row(
                offer,
                sources,
                self.arguments.replace,
                self.is_wanted(offer),
            )
        };
        let rows: Vec<Vec<String>> = self.offers.iter().map(row).collect();
        ui::table(streams, &table::HEADING, &rows)?;
        Ok(())
    }

    /// Asks, and stores. Returns false if there is no terminal to ask at.
    pub(super) fn store_wanted(
        &mut self,
        import: &Import<'_>,
        streams: &mut Streams,
    ) -> CliResult<bool> {
        let wanted: Vec<usize> = (0..self.offers.len())
            .filter(|&at| self.is_wanted(&self.offers[at]))
            .collect();
        let Arguments { dry_run, yes, .. } = self.arguments;
        if *dry_run {
            return Ok(true);
        }
        if wanted.is_empty() {
            if !self.offers.is_empty() {
                self.say(streams, "nothing is to be imported\n")?;
            }
            return Ok(true);
        }
        if !*yes && !streams.input_is_terminal {
            let hint = "look at what is shown, and add --yes";
            ui::complain(
                streams,
                "nothing was imported: there is no terminal to ask at",
                Some(hint),
            );
            return Ok(false);
        }
        let question = format!("Import {}?", credentials(wanted.len()));
        if !*yes && !ui::confirm(streams, &question)? {
            ui::print(streams, "nothing was changed\n")?;
            return Ok(true);
        }
        let offers: Vec<&Offer> = wanted.iter().map(|&at| &self.offers[at]).collect();
        let mut progress = ProgressLine::of("storing credential", streams);
        let stored = import.store(&offers, &mut thread::sleep, &mut |at, of| {
            progress.comes_to(at, of);
        });
        drop(progress);
        let stored = stored?;
        for (&at, &is_stored) in wanted.iter().zip(&stored) {
            self.imported[at] = is_stored;
        }
        let count = stored.iter().filter(|&&is_stored| is_stored).count();
        if count < stored.len() {
            self.has_failed = true;
            let what = format!(
                "{} not imported: rejected meanwhile, or another secret was stored",
                credentials(stored.len() - count)
            );
            ui::warn(streams, &what, Some("run the command again"));
        }
        self.say(streams, &format!("imported {}\n", credentials(count)))?;
        Ok(true)
    }

    /// Asks, and removes the copies `meant` from their sources.
    pub(super) fn remove_sources(
        &mut self,
        meant: Vec<usize>,
        streams: &mut Streams,
    ) -> CliResult<()> {
        let Arguments { dry_run, yes, .. } = self.arguments;
        if meant.is_empty() || *dry_run {
            return Ok(());
        }
        let question = format!("Remove {} from where they came from?", copies(meant.len()));
        if !*yes && !ui::confirm(streams, &question)? {
            return Ok(());
        }
        let mut count = 0;
        for copy in meant {
            match self.neighbours.remove(&self.harvest.copies[copy]) {
                Ok(removed) => {
                    self.removed[copy] = removed > 0;
                    count += usize::from(removed > 0);
                }
                Err(error) => {
                    self.has_failed = true;
                    ui::error(streams, &error, error.hint());
                }
            }
        }
        self.say(
            streams,
            &format!("removed {} at the source\n", copies(count)),
        )
    }
}

pub(super) fn copies(count: usize) -> String {
    counted(count, "copy", "copies")
}
