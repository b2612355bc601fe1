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
use crate::config::account::Account;
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
    /// The rule for the URL, if git does not send the path that the rule needs.
    pub(crate) unmatched_rule: Option<Account>,
    pub(crate) has_url: bool,
}

/// The URL that `status` is asked about, and git's query for it.
#[derive(Clone, Copy)]
pub(crate) struct AskedUrl<'a> {
    pub(crate) url: &'a Query,
    /// The query after the `[[account]]` rules.
    pub(crate) wanted: &'a Query,
    /// A rule that needs the path, if git does not send it.
    pub(crate) unmatched_rule: Option<&'a Account>,
}

impl StatusScreen {
    /// `asked`: `None` for all tokens.
    pub(crate) fn read(settings: &Settings, asked: Option<AskedUrl>, unix_now: u64) -> Self {
        // No prompt: the screen comes at once.
        let helper = Helper::new(settings, Duration::ZERO);
        let (storages, lists) = storages::read(settings, helper.storages());
        Self {
            calls: GitCalls::read(asked.map(|asked| asked.url)),
            storages,
            journal: journal_problem(&helper, settings),
            tokens: tokens::read(&helper, &lists, asked.map(|asked| asked.wanted), unix_now),
            accounts: settings.accounts.len(),
            unmatched_rule: asked.and_then(|asked| asked.unmatched_rule).cloned(),
            has_url: asked.is_some(),
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
