//! The text of the plaintext file: one entry in each paragraph.
//!
//! A blank line ends a paragraph. A paragraph that is no entry stays, byte for byte, when the file is written anew.

use std::collections::HashMap;
use std::ops::Range;

use super::super::{Expected, Insertion};
use crate::credential::Credential;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::protocol::read::{self, AttributeLines};
use crate::protocol::{self, write};
use crate::secret::Buffer;

/// In bytes: more than the text of most entries.
const USUAL: usize = 160;

/// A change of the text: some paragraphs are removed, and one entry is added.
#[derive(Default)]
pub(super) struct TextChange {
    /// In their order.
    pub(super) removed: Vec<Range<usize>>,
    /// Entries, and their positions in the old text, in their order: not within a removed paragraph.
    pub(super) added: Vec<(usize, Buffer)>,
    /// Additional bytes that must fit on the disk.
    pub(super) room: usize,
}

impl TextChange {
    pub(super) fn with_entry(
        removed: Vec<Range<usize>>,
        at: usize,
        banner: &[u8],
        credential: &Credential,
    ) -> Result<Self, protocol::Error> {
        let mut text = Buffer::with_capacity(512);
        text.push(banner);
        write::entry(credential, &mut text)?;
        text.push(b"\n");
        Ok(Self {
            removed,
            added: vec![(at, text)],
            room: 0,
        })
    }

    /// Inserts `all` behind the entries of `old`, one after the other. Returns whether each was stored, too. An entry with the
    /// same key keeps its place.
    pub(super) fn with_insertions(
        old: &[u8],
        banner: &[u8],
        all: &[Insertion<'_>],
    ) -> Result<(Option<Self>, Vec<bool>), protocol::Error> {
        let mut by_key: HashMap<Key, (Vec<Range<usize>>, Credential)> = HashMap::new();
        for range in paragraphs(old) {
            let Some(entry) = parse(&old[range.clone()]) else {
                continue;
            };
            let mut ranges = by_key
                .remove(&entry.key)
                .map_or_else(Vec::new, |known| known.0);
            ranges.push(range);
            by_key.insert(entry.key.clone(), (ranges, entry));
        }
        let mut change = Self::default();
        let mut stored = vec![true; all.len()];
        let mut new = Buffer::with_capacity(all.len() * USUAL);
        if old.is_empty() {
            new.push(banner);
        }
        // The last one comes first.
        for (index, insertion) in all.iter().enumerate().rev() {
            let credential = insertion.credential;
            let Some((ranges, known)) = by_key.remove(&credential.key) else {
                write::entry(credential, &mut new)?;
                new.push(b"\n");
                continue;
            };
            if known == *credential {
                continue;
            }
            stored[index] = Expected::Still(insertion.known).is_met(Some(&known));
            if stored[index] {
                let at = ranges.last().map_or(0, |last| last.end);
                let replaced = Self::with_entry(ranges, at, b"", credential)?;
                change.removed.extend(replaced.removed);
                change.added.extend(replaced.added);
            }
        }
        if !new.as_slice().is_empty() {
            change.added.push((first_entry(old), new));
        }
        if change.added.is_empty() {
            return Ok((None, stored));
        }
        change.removed.sort_unstable_by_key(|range| range.start);
        change.added.sort_by_key(|(at, _)| *at);
        Ok((Some(change), stored))
    }

    /// Returns the new text in pieces.
    pub(super) fn pieces<'a>(&'a self, old: &'a [u8]) -> Vec<&'a [u8]> {
        let mut pieces = Vec::with_capacity(self.removed.len() + 3 * self.added.len() + 1);
        let mut start = 0;
        let mut removed = self.removed.iter().peekable();
        for (at, text) in &self.added {
            while let Some(range) = removed.next_if(|range| range.start < *at) {
                pieces.push(&old[start..range.start]);
                start = range.end;
            }
            let before = &old[start..*at];
            pieces.push(before);
            pieces.push(match before {
                b"" => b"",
                kept if kept.ends_with(b"\n\n") || kept.ends_with(b"\n\r\n") => b"",
                kept if kept.ends_with(b"\n") => b"\n",
                _ => b"\n\n",
            });
            pieces.push(text.as_slice());
            start = *at;
        }
        for range in removed {
            pieces.push(&old[start..range.start]);
            start = range.end;
        }
        pieces.push(&old[start..]);
        pieces.retain(|piece| !piece.is_empty());
        pieces
    }
}

pub(super) fn paragraphs(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let mut end = start;
        while end < bytes.len() {
            let length = bytes[end..]
                .iter()
                .position(|&byte| byte == b'\n')
                .map_or(bytes.len() - end, |at| at + 1);
            let is_blank = matches!(&bytes[end..end + length], b"\n" | b"\r\n");
            end += length;
            if is_blank {
                break;
            }
        }
        let paragraph = start..end;
        start = end;
        (!paragraph.is_empty()).then_some(paragraph)
    })
}

/// Reads a paragraph; `None` if it is no entry.
pub(super) fn parse(paragraph: &[u8]) -> Option<Credential> {
    read::entry(AttributeLines::new(paragraph))
        .ok()
        .and_then(Credential::complete)
}

/// Returns the matching entries. Compares the host before it parses an entry, since a file may hold very many.
pub(super) fn matching<'a>(
    bytes: &'a [u8],
    wanted: &'a Query,
) -> impl Iterator<Item = (Range<usize>, Credential)> + 'a {
    let host = wanted.host.as_deref();
    let has_host = move |paragraph: &[u8]| {
        let line = AttributeLines::new(paragraph)
            .find_map(|line| line.ok().filter(|line| line.key == b"host"));
        line.is_some_and(|line| host.is_some_and(|host| line.value.eq_ignore_ascii_case(host)))
    };
    paragraphs(bytes)
        .filter(move |range| has_host(&bytes[range.clone()]))
        .filter_map(move |range| {
            let credential = parse(&bytes[range.clone()])?;
            wanted
                .matches(&credential.key)
                .then_some((range, credential))
        })
}

/// Returns the paragraphs of the entries under `key`, and the last entry, which is the valid one.
pub(super) fn under_key(bytes: &[u8], key: &Key) -> (Vec<Range<usize>>, Option<Credential>) {
    let exact = Query::exact(key);
    let (ranges, mut entries): (Vec<_>, Vec<_>) = matching(bytes, &exact).unzip();
    (ranges, entries.pop())
}

/// Returns the start of the first entry, or the end of the text.
pub(super) fn first_entry(bytes: &[u8]) -> usize {
    paragraphs(bytes)
        .find(|range| parse(&bytes[range.clone()]).is_some())
        .map_or(bytes.len(), |range| range.start)
}
