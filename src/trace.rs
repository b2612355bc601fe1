//! Events of the trace: each step of an operation as a value. `cli` sets the sink; without one, an event costs one check.

use std::sync::OnceLock;
use std::time::Duration;

use crate::platform::monotonic_now;

/// One step of an operation. The sink escapes the text and bounds its length.
pub struct Event {
    /// The part of the program, such as `get`, `memory` or `journal`.
    pub subject: &'static str,
    /// One sentence for a person. Never holds a secret, or a username that may be a token.
    pub text: String,
}

/// Writes each event down. A thread of the keychain may call it.
pub type EventSink = Box<dyn Fn(&Event) + Send + Sync>;

static SINK: OnceLock<EventSink> = OnceLock::new();

/// Sets the sink of this process. A second call changes nothing.
pub fn start(sink: EventSink) {
    let _ = SINK.set(sink);
}

/// Whether events are written down.
pub fn is_on() -> bool {
    SINK.get().is_some()
}

/// Writes down one step. Calls `text` only if there is a sink.
#[inline]
pub fn tell(subject: &'static str, text: impl FnOnce() -> String) {
    if let Some(sink) = SINK.get() {
        emit(sink, subject, text);
    }
}

/// Runs `work` and writes down what came of it, and after how long.
#[inline]
pub fn timed<T>(
    subject: &'static str,
    work: impl FnOnce() -> T,
    text: impl FnOnce(&T) -> String,
) -> T {
    match SINK.get() {
        None => work(),
        Some(sink) => emit_timed(sink, subject, work, text),
    }
}

#[cold]
#[inline(never)]
fn emit(sink: &EventSink, subject: &'static str, text: impl FnOnce() -> String) {
    let text = text();
    sink(&Event { subject, text });
}

#[cold]
#[inline(never)]
fn emit_timed<T>(
    sink: &EventSink,
    subject: &'static str,
    work: impl FnOnce() -> T,
    text: impl FnOnce(&T) -> String,
) -> T {
    let began = monotonic_now();
    let result = work();
    let took = monotonic_now().saturating_sub(began);
    let text = format!("{} ({} ms)", text(&result), milliseconds(took));
    sink(&Event { subject, text });
    result
}

/// Milliseconds with two decimals: `0.42`.
pub fn milliseconds(time: Duration) -> String {
    let micros = time.as_micros();
    format!("{}.{:02}", micros / 1000, micros % 1000 / 10)
}

/// `1 entry`, `2 entries`.
pub fn counted(count: usize, one: &str, many: &str) -> String {
    let noun = if count == 1 { one } else { many };
    format!("{count} {noun}")
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn without_a_sink_no_text_is_made() {
        let is_made = Cell::new(false);
        tell("get", || {
            is_made.set(true);
            String::new()
        });
        let value = timed(
            "get",
            || 7,
            |_| {
                is_made.set(true);
                String::new()
            },
        );
        assert!(!is_on());
        assert_eq!(value, 7);
        assert!(!is_made.get());
    }

    #[test]
    fn a_time_has_two_decimals() {
        for (micros, expected) in [(0, "0.00"), (9, "0.00"), (420, "0.42"), (12_345, "12.34")] {
            assert_eq!(milliseconds(Duration::from_micros(micros)), expected);
        }
    }
}
