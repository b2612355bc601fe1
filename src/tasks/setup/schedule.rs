//! The reminder in the words of one scheduler: its files, and the commands that start and stop it.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// What a scheduler needs for a daily command.
pub(super) struct Schedule {
    /// The name of the program that is told.
    pub(super) program: &'static str,
    /// What the reminder is.
    pub(super) kind: &'static str,
    /// Quotes a word for the shells of this system.
    pub(super) word: fn(&[u8]) -> String,
    /// The hint if the program is missing.
    pub(super) missing: String,
    /// The hint if the reminder was not started.
    pub(super) not_started: &'static str,
    /// The hint if the reminder was not stopped.
    pub(super) still_runs: &'static str,
    pub(super) paths: Vec<PathBuf>,
    pub(super) start: Vec<SchedulerStep>,
    pub(super) stop: Vec<SchedulerStep>,
    /// After the files were removed.
    pub(super) forget: Vec<SchedulerStep>,
    /// A link that the program leaves if it could not stop the reminder.
    pub(super) leftover: Option<PathBuf>,
}

/// One call of the program.
pub(super) struct SchedulerStep {
    pub(super) words: Vec<OsString>,
    /// Whether it may fail, since there may be nothing to stop.
    pub(super) may_fail: bool,
}

impl SchedulerStep {
    pub(super) fn of(words: &[impl AsRef<OsStr>]) -> Self {
        let words = words.iter().map(|word| word.as_ref().to_owned());
        Self {
            words: words.collect(),
            may_fail: false,
        }
    }

    pub(super) fn that_may_fail(self) -> Self {
        Self {
            may_fail: true,
            ..self
        }
    }
}

impl Schedule {
    /// A step as a person types it.
    pub(super) fn shown(&self, step: &SchedulerStep) -> String {
        let mut line = self.program.to_owned();
        for word in &step.words {
            line.push(' ');
            line.push_str(&(self.word)(word.as_encoded_bytes()));
        }
        line
    }
}

/// Writes text of XML. All but ASCII is written by its number, so that the encoding of the file does not matter.
pub(super) fn xml(text: &str) -> String {
    let mut written = String::new();
    for character in text.chars() {
        match character {
            '&' => written.push_str("&amp;"),
            '<' => written.push_str("&lt;"),
            '>' => written.push_str("&gt;"),
            '"' => written.push_str("&quot;"),
            _ if character.is_ascii() => written.push(character),
            _ => written.extend(["&#", &u32::from(character).to_string(), ";"]),
        }
    }
    written
}
