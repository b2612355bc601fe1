//! A line of the screen, and how the lines are printed.

use std::fmt::Write as _;

use super::super::failure::CliResult;
use super::super::streams::Streams;
use super::super::table::cell::Tone;
use super::super::ui;
use super::super::wrap::wrapped;
use crate::credential::username::without_tokens;
use crate::tasks::status::level::Level;
use crate::terminal::escape;

/// The columns before the text: the title, and the word for the level.
const TITLE: usize = 10;
const WORD: usize = 9;

pub(super) struct StatusLine {
    pub(super) title: &'static str,
    pub(super) level: Level,
    pub(super) says: String,
    pub(super) hint: Option<String>,
}

impl StatusLine {
    pub(super) fn new(title: &'static str, level: Level, says: impl Into<String>) -> Self {
        Self {
            title,
            level,
            says: says.into(),
            hint: None,
        }
    }

    pub(super) fn hinting(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }
}

/// Prints the screen.
pub(super) fn show(
    streams: &mut Streams,
    lines: &[StatusLine],
    hint: Option<&str>,
) -> CliResult<()> {
    let mut text = String::new();
    let bold = ui::style(streams, Tone::Heading);
    let room = streams
        .terminals
        .columns
        .map(|columns| columns.saturating_sub(TITLE + WORD));
    let mut last = "";
    for line in lines {
        // The lines of one title stand together.
        let title = if line.title == last { "" } else { line.title };
        last = line.title;
        let (word, tone) = word(line.level);
        let colour = ui::style(streams, tone);
        let gap = " ".repeat(TITLE - title.len());
        let title = if title.is_empty() {
            gap
        } else {
            format!("{bold}{title}{bold:#}{gap}")
        };
        let word = format!("{colour}{word}{colour:#}{}", " ".repeat(WORD - word.len()));
        let says = wrapped(&safe(&line.says), room);
        let says = says.join(&format!("\n{}", " ".repeat(TITLE + WORD)));
        let _ = writeln!(text, "{title}{word}{says}");
    }
    if let Some(hint) = hint.filter(|_| !streams.is_quiet) {
        let style = ui::hint_style(streams);
        let _ = writeln!(text, "{style}hint:{style:#} {}", safe(hint));
    }
    Ok(ui::print(streams, &text)?)
}

/// Text from git's configuration and from the system may hold a token.
fn safe(text: &str) -> String {
    escape::whole(&without_tokens(text))
}

fn word(level: Level) -> (&'static str, Tone) {
    match level {
        Level::Good => ("ok", Tone::Good),
        Level::Note => ("note", Tone::Soon),
        Level::Unknown => ("unknown", Tone::Soon),
        Level::ExpiresSoon => ("soon", Tone::Soon),
        Level::Invalid | Level::Failure => ("problem", Tone::Bad),
    }
}
