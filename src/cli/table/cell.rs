//! A cell: its text, its tone, and how it becomes narrower.

use unicode_width::UnicodeWidthStr;

use super::super::wrap::wrapped;
use super::shorten::{PATH_END, beginning, shortened_url, split_url};
use crate::helper::token_state::TokenState;
use crate::storage::StorageKind;

/// The meaning of a cell, which its colour shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Heading,
    Plain,
    /// All is well.
    Good,
    /// A token expires soon.
    Soon,
    /// A token has expired or was rejected, or something fails.
    Bad,
}

impl Tone {
    pub(crate) fn of(state: TokenState) -> Self {
        match state {
            TokenState::Good => Self::Good,
            TokenState::ExpiresSoon => Self::Soon,
            TokenState::Expired
            | TokenState::Rejected
            | TokenState::Revoked
            | TokenState::Blocked => Self::Bad,
            TokenState::Unknown | TokenState::Limited | TokenState::Failed => Self::Plain,
        }
    }
}

/// A cell: its text without control characters, and its tone.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    pub(super) text: String,
    pub(super) tone: Tone,
    is_url: bool,
    is_wrapped: bool,
    /// Texts that say the same in fewer words, the longest first.
    shorter: Vec<String>,
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::toned(text, Tone::Plain)
    }
}

impl Cell {
    pub(crate) fn toned(text: impl Into<String>, tone: Tone) -> Self {
        Self {
            text: text.into(),
            tone,
            is_url: false,
            is_wrapped: false,
            shorter: Vec::new(),
        }
    }

    /// A text that says the same in fewer words.
    pub(crate) fn or(mut self, shorter: impl Into<String>) -> Self {
        self.shorter.push(shorter.into());
        self
    }

    /// A text that is broken between words instead of shortened.
    pub(crate) fn wrapped(self) -> Self {
        Self {
            is_wrapped: true,
            ..self
        }
    }

    /// A URL, which keeps its host and the end of its path.
    pub(crate) fn url(text: String) -> Self {
        Self {
            is_url: true,
            ..text.into()
        }
    }

    /// A storage, which says "plaintext" in the narrowest column, too.
    pub(crate) fn storage(kind: StorageKind) -> Self {
        match kind {
            StorageKind::File => Self::from("file (plaintext)").or("plaintext"),
            kind => kind.to_string().into(),
        }
    }

    /// A bare host means `https://` in every command.
    pub(super) fn drop_https(&mut self) {
        if let Some(bare) = self.text.strip_prefix("https://").filter(|_| self.is_url) {
            self.text = bare.to_owned();
        }
    }

    /// The width that a URL needs for its host, and zero for other text.
    pub(super) fn floor(&self) -> usize {
        let (host, path) = split_url(&self.text);
        if self.is_url {
            host.width() + path.width().min(PATH_END)
        } else {
            0
        }
    }

    fn shortened(&self, width: usize) -> String {
        if self.is_url {
            return shortened_url(&self.text, width);
        }
        let mut last = &self.text;
        for text in &self.shorter {
            if last.width() <= width {
                break;
            }
            last = text;
        }
        beginning(last, width)
    }

    /// Its lines in a column of this width.
    pub(super) fn lines(&self, width: usize) -> Vec<String> {
        if !self.is_wrapped {
            return vec![self.shortened(width)];
        }
        let lines = wrapped(&self.text, Some(width)).into_iter();
        lines.map(|line| beginning(&line, width)).collect()
    }

    /// The widest of its lines in a column of this width.
    pub(super) fn width_in(&self, width: usize) -> usize {
        let lines = self.lines(width).into_iter();
        lines.map(|line| line.width()).max().unwrap_or(0)
    }
}
