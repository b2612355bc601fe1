//! The ordered list of storages, and the one place that passes over a storage that cannot be reached.

use std::collections::HashSet;
use std::time::Duration;

use super::notice::{Notice, Outcome};
use super::open::open_all;
use crate::config::Settings;
use crate::config::choice::Choice;
use crate::credential::Credential;
use crate::credential::query::Query;
use crate::storage::budget::Budget;
use crate::storage::{self, Error, Listed, Storage, StorageKind};

/// The storages in the order in which they are asked.
#[derive(Debug)]
pub struct Storages {
    list: Vec<Box<dyn Storage>>,
    is_auto: bool,
    /// Every storage is in the list, used or not: one that fails is passed over.
    is_all: bool,
    budget: Budget,
}

impl Storages {
    /// The storages that `settings` name. `prompt_patience`: how long a user may take to unlock the keychain.
    pub fn open(settings: &Settings, prompt_patience: Duration) -> Self {
        let budget = Budget::default();
        Self {
            list: open_all(settings, prompt_patience, &budget),
            is_auto: settings.storage == Choice::Auto,
            is_all: settings.storage == Choice::All,
            budget,
        }
    }

    /// Every storage, in order.
    pub fn all(&self) -> &[Box<dyn Storage>] {
        &self.list
    }

    /// Whether the list is `auto`: memory first, but a new credential goes to the keychain if that can be reached.
    pub fn is_auto(&self) -> bool {
        self.is_auto
    }

    /// The time that git has waited in vain.
    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// The storage of this kind, if the list has one.
    pub fn of_kind(&self, kind: StorageKind) -> Option<&dyn Storage> {
        let mut list = self.list.iter();
        list.find(|storage| storage.kind() == kind)
            .map(|storage| &**storage)
    }

    /// The storages in a sentence: `memory or the keychain`.
    pub fn places(&self) -> String {
        let kinds: Vec<StorageKind> = self.list.iter().map(|storage| storage.kind()).collect();
        storage::in_words(&kinds, "or")
    }

    /// Returns the first value that `ask` finds. A storage that cannot be reached is passed over; one that fails ends the
    /// search.
    pub fn get_first<T>(
        &self,
        mut ask: impl FnMut(&dyn Storage) -> Result<Option<T>, Error>,
    ) -> Result<Outcome<Option<T>>, Error> {
        let mut notices = Vec::new();
        for storage in &self.list {
            match ask(&**storage) {
                Ok(None) => {}
                Ok(value) => return Ok(Outcome { value, notices }),
                Err(cause @ Error::Unavailable { .. }) => notices.extend(self.passed_over(cause)),
                Err(cause) => return Err(cause),
            }
        }
        Ok(Outcome {
            value: None,
            notices,
        })
    }

    /// What would be answered for `url`: under its path, else for the host.
    pub fn kept_for(&self, url: &Query) -> Result<Option<Credential>, Error> {
        let host = Query {
            path: None,
            ..url.duplicate()
        };
        for wanted in [url, &host] {
            let found = self.get_first(|storage| storage.get(wanted))?;
            if found.value.is_some() {
                return Ok(found.value);
            }
        }
        Ok(None)
    }

    /// Calls `visit` for every storage. A storage that cannot be reached is passed over, unless it is the only one. After a
    /// failure the other storages are still visited. The value is the first failure.
    pub fn each(
        &self,
        mut visit: impl FnMut(&dyn Storage) -> Result<(), Error>,
    ) -> Outcome<Result<(), Error>> {
        let mut outcome = Outcome::silent(Ok(()));
        for storage in &self.list {
            match visit(&**storage) {
                Ok(()) => {}
                Err(cause @ Error::Unavailable { .. }) if self.list.len() > 1 => {
                    outcome.notices.extend(self.passed_over(cause));
                }
                Err(cause) if self.is_all => outcome.notices.extend(self.passed_over(cause)),
                Err(cause) => outcome.value = outcome.value.and(Err(cause)),
            }
        }
        outcome
    }

    /// Every key with its storage. Of several entries under one key only the one that answers is listed.
    pub fn list_all(&self) -> Result<Outcome<Vec<(StorageKind, Listed)>>, Error> {
        let mut all = Vec::new();
        let outcome = self.each(|storage| {
            let mut seen = HashSet::new();
            let start = all.len();
            for listed in storage.list()?.into_iter().rev() {
                if seen.insert(listed.key.clone()) {
                    all.push((storage.kind(), listed));
                }
            }
            all[start..].reverse();
            Ok(())
        });
        outcome.with(all)
    }

    /// The notice of a storage that was passed over. If it was not asked for by name, a system without a keychain needs none.
    pub(crate) fn passed_over(&self, cause: Error) -> Option<Notice> {
        let is_named = !self.is_auto && !self.is_all;
        (is_named || !cause.is_absence()).then_some(Notice::PassedOver { cause })
    }
}

#[cfg(test)]
impl Storages {
    /// A list of these storages.
    pub(crate) fn of(list: Vec<Box<dyn Storage>>, is_auto: bool) -> Self {
        Self {
            list,
            is_auto,
            is_all: false,
            budget: Budget::default(),
        }
    }
}
