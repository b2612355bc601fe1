//! What git asks for: one file for each operation, over the storages, the journal and the issuers.

mod attempt;
pub(crate) mod candidate;
mod conflict;
mod erase;
mod expiry;
pub mod get;
mod guess;
pub mod issuer;
pub mod lookup;
pub mod notice;
pub mod open;
pub mod precedence;
mod save;
pub mod storages;
mod store;
mod swap;

use std::time::Duration;

use self::erase::Erase;
use self::get::{Answer, Get};
use self::guess::Guess;
use self::issuer::Issuers;
use self::notice::Outcome;
use self::save::Save;
use self::storages::Storages;
use crate::config::{Settings, Warn};
use crate::credential::Credential;
use crate::credential::expiry::{Expiry, ExpirySource};
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::journal::Journal;
use crate::journal::known::Known;
use crate::protocol::read::Request;
use crate::storage::Error;
use crate::storage::memory::Lifetime;
use crate::time::Now;

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

    /// git's `get`.
    pub fn get(&self, request: &Request, now: Now) -> Result<Outcome<Answer>, Error> {
        let Self {
            storages,
            journal,
            issuers,
            warn,
            ..
        } = self;
        let get = Get {
            storages,
            journal,
            issuers,
            warn: *warn,
            now,
        };
        get.answer(request)
    }

    /// git's `store`. Returns the key of a token that a forge should be asked about, in the background.
    pub fn store(&self, request: Request, now: Now) -> Result<Outcome<Option<Key>>, Error> {
        store::store(&self.save(now), request, self.looks_up)
    }

    /// Stores what a user enters. `source`: who told its expiry, if it has one.
    pub fn keep(
        &self,
        credential: &Credential,
        source: ExpirySource,
        now: Now,
    ) -> Result<Outcome<()>, Error> {
        store::enter(&self.save(now), credential, source)
    }

    /// git's `erase`: see [`Erase::erase`].
    pub fn erase(
        &self,
        request: &Request,
        at_terminal: bool,
        now: Now,
    ) -> Outcome<Result<(), Error>> {
        self.erasing(now).erase(request, at_terminal)
    }

    /// Removes what a user wants removed. Returns how many entries went.
    pub fn remove(&self, unwanted: &Query, now: Now) -> Result<Outcome<usize>, Error> {
        self.erasing(now).remove(unwanted)
    }

    /// Gives every entry that matches `wanted` the expiry that a user states. Returns their keys.
    pub fn set_expiry(
        &self,
        wanted: &Query,
        expiry: Option<Expiry>,
        now: Now,
    ) -> Result<Outcome<Vec<Key>>, Error> {
        expiry::set_expiry(&self.storages, &self.journal, wanted, expiry, now)
    }

    /// The expiry that is assumed for a token that is new at `now`, and comes without one.
    pub fn guessed_expiry(
        &self,
        credential: &Credential,
        now: Now,
    ) -> Option<(Expiry, ExpirySource)> {
        let guess = Guess::about(&self.issuers, credential)?;
        guess.expiry(&Known::default(), now.unix)
    }

    fn save(&self, now: Now) -> Save<'_> {
        Save {
            storages: &self.storages,
            journal: &self.journal,
            issuers: &self.issuers,
            lifetime: self.lifetime,
            warn: self.warn,
            now,
        }
    }

    fn erasing(&self, now: Now) -> Erase<'_> {
        Erase {
            storages: &self.storages,
            journal: &self.journal,
            now,
        }
    }
}
