//! Puts a credential in the place of the entries that were read, unless another process has changed them since.

use super::Helper;
use super::notice::Notice;
use crate::credential::Credential;
use crate::journal::Topic;
use crate::journal::mark::Mark;
use crate::storage::{Error, Lack, Storage};
use crate::time::Now;

/// The entry of one storage under the key.
pub(super) struct KeptEntry<'a> {
    pub(super) storage: &'a dyn Storage,
    /// `None`: there is none.
    pub(super) found: Result<Option<Credential>, Error>,
    /// Whether it is to be replaced; with `auto`, the entry of memory: removed.
    pub(super) changes: bool,
}

impl KeptEntry<'_> {
    pub(super) fn kept(&self) -> Option<&Credential> {
        self.found.as_ref().ok()?.as_ref()
    }
}

/// What came of the swaps.
#[derive(Default)]
pub(super) struct Swaps {
    pub(super) is_lost: bool,
    pub(super) notices: Vec<Notice>,
}

/// One try to store `new`.
pub(super) struct Swap<'a> {
    pub(super) helper: &'a Helper,
    pub(super) new: &'a Credential,
    /// Whether it is stored without comparing.
    pub(super) by_force: bool,
    pub(super) now: Now,
}

impl Swap<'_> {
    pub(super) fn run(&self, entries: Vec<KeptEntry<'_>>) -> Result<Swaps, Error> {
        if self.helper.storages().is_auto() {
            self.auto(entries)
        } else {
            self.all(entries)
        }
    }

    /// Writes each entry that changes. If one storage fails, the others still get the credential: a list is there for that.
    fn all(&self, entries: Vec<KeptEntry<'_>>) -> Result<Swaps, Error> {
        let mut swaps = Swaps::default();
        let mut is_kept = false;
        let mut unreached = Vec::new();
        let mut result = Ok(());
        for entry in entries {
            match self.one(entry) {
                Ok(is_stored) => {
                    is_kept = true;
                    swaps.is_lost |= !is_stored;
                }
                Err(cause @ Error::Unavailable { .. }) => unreached.push(cause),
                Err(cause) => result = Err(cause),
            }
        }
        result?;
        if !is_kept && let Some(cause) = unreached.pop() {
            return Err(cause);
        }
        let notices = unreached.into_iter();
        swaps.notices = notices.map(|cause| Notice::PassedOver { cause }).collect();
        Ok(swaps)
    }

    /// Writes to the keychain, and removes the copy in memory, which would be answered first. If the keychain cannot be
    /// reached, memory keeps the credential.
    fn auto(&self, entries: Vec<KeptEntry<'_>>) -> Result<Swaps, Error> {
        let mut swaps = Swaps::default();
        let mut entries = entries.into_iter();
        let (Some(memory), Some(keychain)) = (entries.next(), entries.next()) else {
            return Ok(swaps);
        };
        match self.one(keychain) {
            Ok(false) => swaps.is_lost = true,
            Ok(true) => {
                if memory.changes
                    && let Some(kept) = memory.kept()
                {
                    // Compared: another process may have stored a newer one.
                    match memory.storage.erase(&kept.as_rejected()) {
                        Ok(_) | Err(Error::Unavailable { .. }) => {}
                        Err(cause) => return Err(cause),
                    }
                }
            }
            Err(cause @ Error::Unavailable { .. }) => {
                swaps.is_lost = !self.one(KeptEntry {
                    changes: true,
                    ..memory
                })?;
                swaps.notices.extend(self.fallback(cause));
            }
            Err(cause) => return Err(cause),
        }
        Ok(swaps)
    }

    /// Stores `new` in the place of what was read, if the entry changes. Returns false if the swap is lost. If it fails, the
    /// other secret stays and loses its new mark.
    fn one(&self, entry: KeptEntry<'_>) -> Result<bool, Error> {
        let kept = entry.found?;
        if !entry.changes {
            return Ok(true);
        }
        let swapped = if self.by_force {
            entry.storage.store(self.new).map(|()| true)
        } else {
            entry.storage.replace(kept.as_ref(), self.new)
        };
        if swapped.is_err()
            && let Some(kept) = kept.filter(|kept| !kept.has_same_secrets(self.new))
        {
            for mark in [Mark::Superseded, Mark::Displaced] {
                let _ = self
                    .helper
                    .journal()
                    .clear(&kept, Some(mark), self.now.unix);
            }
        }
        swapped
    }

    fn fallback(&self, cause: Error) -> Option<Notice> {
        let every = self.helper.warn().every;
        let journal = self.helper.journal();
        let is_news = journal.is_news(Topic::Fallback, every, self.now.unix);
        // The bus of another user is told each time: another reason of the same day must not hide it.
        let is_foreign = cause.lack() == Some(Lack::OwnBus);
        (is_foreign || is_news.unwrap_or(true)).then_some(Notice::FellBack {
            cause,
            timeout: self.helper.lifetime().timeout,
        })
    }
}
