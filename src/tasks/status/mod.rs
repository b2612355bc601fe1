//! `status`: whether git calls this helper, which storages work, and the state of the tokens, without a network.

pub(crate) mod calls;
pub(crate) mod level;
pub(crate) mod storages;
pub(crate) mod tokens;

use std::time::Duration;

use self::calls::GitCalls;
use self::level::Level;
use self::storages::StorageStatus;
use self::tokens::TokenStatus;
use crate::config::Settings;
use crate::credential::query::Query;
use crate::helper::Helper;
use crate::platform;
use crate::terminal::with_causes;

/// Everything that `status` tells.
pub(crate) struct StatusScreen {
    pub(crate) calls: GitCalls,
    pub(crate) storages: Vec<StorageStatus>,
    /// Why the journal cannot be read or written.
    pub(crate) journal: Option<String>,
    /// With a URL, the token that git gets for it, or the expired ones.
    pub(crate) tokens: Vec<TokenStatus>,
    /// The number of `[[account]]` rules.
    pub(crate) accounts: usize,
    pub(crate) has_url: bool,
}

impl StatusScreen {
    /// `wanted`: git's query for `url`, after the `[[account]]` rules.
    pub(crate) fn read(
        settings: &Settings,
        url: Option<&Query>,
        wanted: Option<&Query>,
        unix_now: u64,
    ) -> Self {
        // No prompt: the screen comes at once.
        let helper = Helper::new(settings, Duration::ZERO);
        let (storages, lists) = storages::read(settings, helper.storages());
        Self {
            calls: GitCalls::read(url),
            storages,
            journal: journal_problem(&helper, settings),
            tokens: tokens::read(&helper, &lists, wanted, unix_now),
            accounts: settings.accounts.len(),
            has_url: url.is_some(),
        }
    }

    /// Whether every storage was read: another one may have more tokens.
    pub(crate) fn is_whole(&self) -> bool {
        self.storages.iter().all(StorageStatus::is_read)
    }

    /// The level of the tokens as a whole.
    pub(crate) fn tokens_level(&self) -> Level {
        let none = match (self.is_whole(), self.has_url) {
            (false, _) => Level::Unknown,
            (true, true) => Level::Failure,
            (true, false) => Level::Note,
        };
        let levels = self.tokens.iter().map(|token| Level::of(token.state));
        levels.max().unwrap_or(none)
    }

    /// The level of all.
    pub(crate) fn level(&self) -> Level {
        let storages = storages::level(&self.storages);
        self.calls.level().max(storages).max(self.tokens_level())
    }
}

fn journal_problem(helper: &Helper, settings: &Settings) -> Option<String> {
    if let Err(error) = helper.journal().snapshot() {
        return Some(with_causes(&error));
    }
    let folder = &settings.places.state;
    let error = platform::check_writable(folder).err()?;
    Some(format!("cannot write in {}: {error}", folder.display()))
}
