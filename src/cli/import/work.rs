//! The steps of `import` that ask, store and remove.

use std::thread;

use super::super::failure::CliResult;
use super::super::messages::credentials;
use super::super::progress::ProgressLine;
use super::super::streams::Streams;
use super::super::ui;
use super::arguments::Arguments;
use super::table;
use super::warnings::{self, copies};
use crate::config::Settings;
use crate::config::choice::Choice;
use crate::git::may_prompt::prompt_patience;
use crate::helper::open::{can_use, kinds};
use crate::neighbour::registry::{Harvest, Neighbours};
use crate::storage::StorageKind;
use crate::tasks::calls::Calls;
use crate::tasks::import::Import;
use crate::tasks::import::offer::{Offer, Verdict};
use crate::tasks::import::removal::SourceRemoval;

/// The offers and what became of them so far.
pub(super) struct Work<'a> {
    pub(super) arguments: &'a Arguments,
    pub(super) settings: &'a Settings,
    pub(super) neighbours: &'a Neighbours,
    pub(super) harvest: &'a Harvest,
    pub(super) offers: Vec<Offer>,
    /// By copy.
    pub(super) removed: Vec<bool>,
    pub(super) has_failed: bool,
}

impl Work<'_> {
    pub(super) fn is_wanted(&self, offer: &Offer) -> bool {
        offer.is_wanted(self.arguments.replace, self.arguments.refused)
    }

    /// Prints the outcome to people, not to a program that reads JSON.
    fn say(&self, streams: &mut Streams, text: &str) -> CliResult<()> {
        if !self.arguments.json {
            ui::done(streams, text)?;
        }
        Ok(())
    }

    pub(super) fn show(&self, streams: &mut Streams) -> CliResult<()> {
        if self.offers.is_empty() {
            return self.say(streams, "no credentials found\n");
        }
        if self.arguments.json {
            return Ok(());
        }
        let sources = (self.neighbours, self.harvest);
        let mut rows = Vec::new();
        for offer in &self.offers {
            let is_wanted = self.is_wanted(offer);
            rows.push(table::row(
                offer,
                sources,
                self.arguments.replace,
                is_wanted,
            ));
        }
        Ok(ui::table(streams, &table::LAYOUT, &rows)?)
    }

    /// Asks, and stores. Returns false if there is no terminal to ask at.
    pub(super) fn store_wanted(
        &mut self,
        import: &Import<'_>,
        streams: &mut Streams,
    ) -> CliResult<bool> {
        let Arguments {
            dry_run,
            yes,
            replace,
            refused,
            ..
        } = *self.arguments;
        if dry_run || self.offers.is_empty() {
            return Ok(true);
        }
        let offers = self.offers.iter_mut();
        let wanted = offers.filter(|offer| offer.is_wanted(replace, refused));
        let mut wanted: Vec<&mut Offer> = wanted.collect();
        let count = wanted.len();
        if count == 0 {
            self.say_why_none(streams)?;
            return Ok(true);
        }
        if !yes && !streams.terminals.input_is_terminal {
            let hint = "look at what is shown, and add --yes";
            ui::complain(
                streams,
                "nothing was imported: there is no terminal to ask at",
                Some(hint),
            );
            return Ok(false);
        }
        let question = format!("Import {}?", credentials(count));
        if !yes && !ui::confirm(streams, &question)? {
            ui::done(streams, "nothing was changed\n")?;
            return Ok(true);
        }
        let mut progress = ProgressLine::of("storing credential", streams);
        let stored = import.store(&mut wanted, &mut thread::sleep, &mut |at, of| {
            progress.comes_to(at, of);
        });
        drop(progress);
        stored?;
        let stored = wanted.iter().filter(|offer| offer.is_imported).count();
        if stored < count {
            self.has_failed = true;
            let what = format!(
                "{} not imported: rejected meanwhile, or another secret was stored",
                credentials(count - stored)
            );
            ui::warn(streams, &what, Some("run the command again"));
        }
        self.say(streams, &format!("imported {}\n", credentials(stored)))?;
        Ok(true)
    }

    /// Says that no offer is wanted. Without a keychain, `auto` has no storage for imported credentials.
    fn say_why_none(&self, streams: &mut Streams) -> CliResult<()> {
        let mut offers = self.offers.iter();
        if !offers.any(|offer| offer.verdict == Verdict::Unknown) {
            return self.say(streams, "nothing to import\n");
        }
        let hint = "to import into a plaintext file, run 'git credential-pat setup --storage file' first; \
            into memory, run 'git credential-pat import --storage memory'";
        let is_auto = self.settings.storage == Choice::Auto;
        ui::complain(streams, "nothing was imported", is_auto.then_some(hint));
        Ok(())
    }

    /// Asks, and removes the copies in the sources of every credential that is stored now. Says why the others stay.
    pub(super) fn remove_sources(
        &mut self,
        import: &Import<'_>,
        calls: &Calls,
        streams: &mut Streams,
    ) -> CliResult<()> {
        let Arguments { dry_run, yes, .. } = *self.arguments;
        let mut lasting = kinds(self.settings).to_vec();
        lasting.retain(|kind| kind.lasts());
        let sources = (self.neighbours, self.harvest);
        let removal = SourceRemoval::of(import, &self.offers, sources, |key| {
            // If git looks elsewhere, it finds only the source. Before `setup`, git looks nowhere, and a warning is enough.
            calls.look_elsewhere(key, &lasting, self.settings)
        })?;
        warnings::staying(streams, &removal, self.harvest, dry_run, || {
            can_use(StorageKind::Keychain, self.settings, prompt_patience())
        });
        let meant = removal.removable;
        if meant.is_empty() || dry_run {
            return Ok(());
        }
        let question = format!("Remove {} from where they came from?", copies(meant.len()));
        if !yes && !ui::confirm(streams, &question)? {
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
        let text = format!("removed {} at the source\n", copies(count));
        self.say(streams, &text)
    }
}
