//! The time that may still be waited in vain.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// The time that an operation has waited without an answer, shared by all storages: each of them waits so much less. Clones
/// share one value.
#[derive(Debug, Clone, Default)]
pub struct Budget(Rc<Cell<Duration>>);

impl Budget {
    pub fn add(&self, time: Duration) {
        self.0.set(self.0.get().saturating_add(time));
    }

    /// The part of `patience` that is left.
    pub fn remaining(&self, patience: Duration) -> Duration {
        patience.saturating_sub(self.0.get())
    }
}
