//! Waits with a limit, and longer only while the user is at a prompt.
#![cfg_attr(
    windows,
    allow(
        dead_code,
        reason = "the Credential Manager has neither prompts nor locks"
    )
)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::platform::monotonic_now;

/// The pause between two looks at the prompts: a prompt that opens does not wake the waiting thread.
const LOOK: Duration = Duration::from_millis(10);

/// The answer did not come in time.
#[derive(Debug)]
pub(super) struct Late;

/// The time of prompts, which does not count against the service, and whether the bus has answered.
#[derive(Debug, Default)]
pub(super) struct Prompts {
    taken: Mutex<Taken>,
    is_on_bus: AtomicBool,
}

#[derive(Debug, Default)]
struct Taken {
    before: Duration,
    /// When the open prompt began, on the monotonic clock.
    open: Option<Duration>,
}

impl Prompts {
    /// Waits for the user at a prompt. If `is_answer` is false for the outcome, the time counts against the service.
    pub(super) fn during<T>(
        &self,
        wait: impl FnOnce() -> T,
        is_answer: impl FnOnce(&T) -> bool,
    ) -> T {
        let began = monotonic_now();
        self.taken().open = Some(began);
        let answer = wait();
        let took = monotonic_now().saturating_sub(began);
        let mut taken = self.taken();
        taken.open = None;
        if is_answer(&answer) {
            taken.before += took;
        }
        answer
    }

    /// The time of all prompts, with the open one.
    pub(super) fn time(&self) -> Duration {
        let taken = self.taken();
        let open = taken
            .open
            .map(|since| monotonic_now().saturating_sub(since));
        taken.before + open.unwrap_or_default()
    }

    /// Notes that the session bus has accepted this process.
    #[cfg_attr(target_os = "macos", allow(dead_code, reason = "there is no bus"))]
    pub(super) fn note_bus(&self) {
        self.is_on_bus.store(true, Ordering::Relaxed);
    }

    /// Whether the session bus itself did not answer.
    pub(super) fn is_bus_silent(&self) -> bool {
        !self.is_on_bus.load(Ordering::Relaxed)
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs `work` on a thread and waits at most `limit`, and `patience` more while a prompt is open. The thread drops and wipes a
/// late answer. A thread that hangs ends with the process.
pub(super) fn within<T: Send + 'static>(
    limit: Duration,
    patience: Duration,
    prompts: &Arc<Prompts>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Late> {
    let (answer, answered) = channel();
    let began = monotonic_now();
    let prompts_before = prompts.time();
    let started = thread::Builder::new()
        .name("keychain".to_owned())
        .spawn(move || answer.send(work()).is_ok());
    let Ok(worker) = started else {
        return Err(Late);
    };
    let mut left = limit;
    loop {
        match answered.recv_timeout(left.max(LOOK)) {
            Ok(result) => return Ok(result),
            Err(RecvTimeoutError::Timeout) => {}
            // A panic is a bug of ours: resume it here.
            Err(RecvTimeoutError::Disconnected) => match worker.join() {
                Err(panic) => std::panic::resume_unwind(panic),
                Ok(_) => return Err(Late),
            },
        }
        let prompted = prompts.time().saturating_sub(prompts_before).min(patience);
        let waited = monotonic_now()
            .saturating_sub(began)
            .saturating_sub(prompted);
        left = limit.saturating_sub(waited);
        if left.is_zero() {
            return Err(Late);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(100);

    fn nobody() -> Arc<Prompts> {
        Arc::default()
    }

    #[test]
    fn answers_or_gives_up() {
        let none = Duration::ZERO;
        assert_eq!(within(LONG, none, &nobody(), || 5).unwrap(), 5);
        let (_open, never) = channel::<()>();
        assert!(within(SHORT, none, &nobody(), move || never.recv()).is_err());
    }

    #[test]
    #[should_panic(expected = "made up")]
    fn a_panic_comes_through() {
        let _ = within(LONG, Duration::ZERO, &nobody(), || panic!("made up"));
    }

    #[test]
    fn without_a_prompt_nobodys_patience_counts() {
        let (_open, never) = channel::<()>();
        let began = Instant::now();
        assert!(within(SHORT, LONG, &nobody(), move || never.recv()).is_err());
        assert!(began.elapsed() < LONG / 6, "{:?}", began.elapsed());
    }

    #[test]
    fn a_person_at_a_prompt_is_waited_for() {
        let prompts = nobody();
        let asking = Arc::clone(&prompts);
        let work = move || {
            asking.during(|| thread::sleep(5 * SHORT), |()| true);
            5
        };
        assert_eq!(within(SHORT, LONG, &prompts, work).unwrap(), 5);
    }

    #[test]
    fn a_prompt_too_is_given_up() {
        let prompts = nobody();
        let asking = Arc::clone(&prompts);
        let (_open, never) = channel::<()>();
        let began = Instant::now();
        let work = move || asking.during(|| never.recv(), |_| true);
        assert!(within(SHORT, 2 * SHORT, &prompts, work).is_err());
        assert!(began.elapsed() >= 3 * SHORT, "{:?}", began.elapsed());
        assert!(began.elapsed() < LONG / 6, "{:?}", began.elapsed());
    }

    #[test]
    fn what_nobody_answered_was_no_prompt() {
        let prompts = nobody();
        prompts.during(|| thread::sleep(SHORT), |()| false);
        assert!(prompts.time().is_zero(), "{prompts:?}");
        prompts.during(|| thread::sleep(SHORT), |()| true);
        assert!(prompts.time() >= SHORT, "{prompts:?}");
    }
}
