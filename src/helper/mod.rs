//! What git asks for: one file for each operation, over the storages, the journal and the issuers.

mod attempt;
pub(crate) mod candidate;
mod conflict;
pub mod erase;
pub mod expiry;
pub mod get;
pub mod guess;
pub mod issuer;
pub mod lookup;
pub mod notice;
pub mod open;
pub mod precedence;
mod save;
pub mod storages;
pub mod store;
mod swap;
pub(crate) mod token_state;
mod trace_request;

use std::time::Duration;

use self::issuer::Issuers;
use self::storages::Storages;
use crate::config::{Settings, Warn};
use crate::journal::Journal;
use crate::storage::memory::Lifetime;

/// The storages, the journal, the issuers, and the settings that git's operations need.
#[derive(Debug)]
pub struct Helper {
    storages: Storages,
    journal: Journal,
    issuers: Issuers,
    lifetime: Lifetime,
    warn: Warn,
    looks_up: bool,
}

impl Helper {
    /// Over the storages that `settings` name. `prompt_patience`: how long a user may take to unlock the keychain.
    pub fn new(settings: &Settings, prompt_patience: Duration) -> Self {
        Self {
            storages: Storages::open(settings, prompt_patience),
            journal: Journal::in_folder(&settings.places.state),
            issuers: Issuers::new(settings.hosts.clone()),
            lifetime: settings.lifetime,
            warn: settings.warn,
            looks_up: settings.looks_up,
        }
    }

    /// The storages.
    pub fn storages(&self) -> &Storages {
        &self.storages
    }

    /// The journal.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The rules that name a token's issuer.
    pub fn issuers(&self) -> &Issuers {
        &self.issuers
    }

    /// How long memory keeps what is stored now.
    pub fn lifetime(&self) -> Lifetime {
        self.lifetime
    }

    /// When to warn of an expiry.
    pub(crate) fn warn(&self) -> Warn {
        self.warn
    }

    /// Whether `store` has the expiry looked up.
    pub(crate) fn looks_up(&self) -> bool {
        self.looks_up
    }
}

#[cfg(test)]
impl Helper {
    /// Over these storages, with a journal in `folder`. Nothing is looked up.
    pub(crate) fn over(storages: Storages, folder: &std::path::Path) -> Self {
        let day = Duration::from_secs(86_400);
        Self {
            storages,
            journal: Journal::in_folder(folder),
            issuers: Issuers::new(Vec::new()),
            lifetime: Lifetime {
                timeout: day,
                max_age: day,
            },
            warn: Warn {
                before: day,
                every: day,
            },
            looks_up: false,
        }
    }
}
