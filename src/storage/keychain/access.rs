//! Calls to the keychain, each with a limit. After a call without an answer there is no other one.

use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::deadline::{Prompts, within};
use super::failure::KeychainFailure;
use super::items::{ItemResult, ItemStore};
use super::native;
use crate::platform::monotonic_now;
use crate::storage::budget::Budget;
use crate::storage::{Advice, Error, Lack, StorageKind};
use crate::trace;

/// The limit of an operation without a prompt: more than the 2 s after which a single call fails, less than the 3 s that git
/// may wait.
const MARGIN: Duration = Duration::from_millis(2700);
/// The part of [`MARGIN`] that remains after any loss of time elsewhere: enough for a service that works.
const LEAST: Duration = Duration::from_millis(700);
/// A call that failed after this time counts as unanswered.
const SLOW: Duration = Duration::from_secs(1);

/// The store, once it is open. Each question has it alone, so that each answer belongs to its call.
pub(super) type StoreSlot = Arc<Mutex<Option<Box<dyn ItemStore>>>>;

#[derive(Default)]
pub(super) struct Access {
    pub(super) may_prompt: StoreSlot,
    pub(super) never_prompts: StoreSlot,
    prompts: Arc<Prompts>,
    /// A call was not answered in time: another one would wait as long.
    is_silent: Cell<bool>,
    /// The user did not unlock the keychain at a prompt.
    is_declined: Cell<bool>,
    /// The time that other storages have waited in vain.
    pub(super) lost: Budget,
}

impl Access {
    pub(super) fn is_silent(&self) -> bool {
        self.is_silent.get()
    }

    /// Runs `question` on a thread of its own and waits for a limited time. `patience`: the additional time for a prompt; zero:
    /// no prompt.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        operation: &'static str,
        patience: Duration,
        question: impl FnOnce(&dyn ItemStore) -> Result<T, KeychainFailure> + Send + 'static,
    ) -> Result<T, Error> {
        if self.is_silent.get() {
            return Err(self.silence());
        }
        if self.is_declined.get() && !patience.is_zero() {
            return Err(unavailable(native::TEXTS.still_locked));
        }
        let connection = Arc::clone(if patience.is_zero() {
            &self.never_prompts
        } else {
            &self.may_prompt
        });
        let (began, prompted) = (monotonic_now(), self.prompts.time());
        let prompts = Arc::clone(&self.prompts);
        let limit = self.lost.remaining(MARGIN).max(LEAST);
        let answer = within(limit, patience, &self.prompts, move || {
            let mut slot = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let store = match &mut *slot {
                Some(store) => store,
                None => slot.insert(opened(patience, &prompts)?),
            };
            question(&**store)
        });
        let Ok(answer) = answer else {
            self.is_silent.set(true);
            return Err(self.silence());
        };
        answer.map_err(|failure| {
            let error = failure.into_error(operation);
            if matches!(error, Error::Unavailable { .. }) {
                let prompted = self.prompts.time().saturating_sub(prompted);
                let took = monotonic_now().saturating_sub(began);
                self.is_silent.set(took > SLOW.saturating_add(prompted));
                let is_locked = error.lack() == Some(Lack::Locked);
                self.is_declined.set(is_locked && !prompted.is_zero());
            }
            error
        })
    }

    fn silence(&self) -> Error {
        unavailable(if self.prompts.is_bus_silent() {
            native::TEXTS.cut_off
        } else {
            native::TEXTS.silent
        })
    }
}

/// Opens the store, and tells the trace.
fn opened(patience: Duration, prompts: &Arc<Prompts>) -> ItemResult<Box<dyn ItemStore>> {
    let open = || native::open(patience, prompts);
    trace::timed("keychain", open, |opened| match opened {
        Ok(_) => native::TEXTS.opened.to_owned(),
        Err(_) => native::TEXTS.not_opened.to_owned(),
    })
}

fn unavailable((message, hint): (&str, &str)) -> Error {
    Error::Unavailable {
        kind: StorageKind::Keychain,
        cause: Box::new(Advice::new(message, hint, Lack::Use)),
    }
}
