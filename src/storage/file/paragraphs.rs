//! The text of the plaintext file: one entry in each paragraph.
//!
//! A blank line ends a paragraph. A paragraph that is no entry stays, byte for byte, when the file is written anew.

use std::collections::HashMap;
use std::ops::Range;

use memchr::{memchr, memmem, memrchr};

use super::super::{Expected, Insertion};
use crate::credential::Credential;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::protocol::read::{self, AttributeLines};
use crate::protocol::{self, write};
use crate::secret::Buffer;

/// In bytes: more than the text of most entries.
const USUAL: usize = 160;

/// In bytes: the last entries of the text, and no more than a page.
const FIRST_PART: usize = 2 * 1024;
/// In bytes.
const PART: usize = 256 * 1024;

const HOST: &[u8] = b"host=";
const LINE_OF_HOST: &[u8] = b"\nhost=";

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
        for (index, (expected, credential)) in all.iter().enumerate().rev() {
            let Some((ranges, known)) = by_key.remove(&credential.key) else {
                write::entry(credential, &mut new)?;
                new.push(b"\n");
                continue;
            };
            if known == **credential {
                continue;
            }
            stored[index] = Expected::Still(*expected).is_met(Some(&known));
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
            let length = memchr(b'\n', &bytes[end..]).map_or(bytes.len() - end, |at| at + 1);
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

/// Returns the matching entries. Parses only the paragraphs with a line for the host, since a file may hold very many.
pub(super) fn matching<'a>(
    bytes: &'a [u8],
    wanted: &'a Query,
) -> impl Iterator<Item = (Range<usize>, Credential)> + 'a {
    let host = wanted.host.as_deref();
    let first = bytes.starts_with(HOST).then_some(0);
    let others = memmem::find_iter(bytes, LINE_OF_HOST).map(|at| at + 1);
    let mut searched = 0;
    first.into_iter().chain(others).filter_map(move |at| {
        if at < searched || !is_line(&bytes[at + HOST.len()..], host?) {
            return None;
        }
        let paragraph = paragraph_around(bytes, at);
        searched = paragraph.end;
        let credential = parse(&bytes[paragraph.clone()])?;
        wanted
            .matches(&credential.key)
            .then_some((paragraph, credential))
    })
}

/// Whether `bytes` begin with this host and the end of a line.
fn is_line(bytes: &[u8], host: &[u8]) -> bool {
    let line = bytes.split_at_checked(host.len());
    line.is_some_and(|(start, rest)| {
        start.eq_ignore_ascii_case(host) && matches!(rest.first(), None | Some(b'\r' | b'\n'))
    })
}

/// Returns the paragraph with the line that begins at `at`.
fn paragraph_around(bytes: &[u8], at: usize) -> Range<usize> {
    let mut start = at;
    while start > 0 {
        let before = &bytes[..start - 1];
        let line = memrchr(b'\n', before).map_or(0, |end| end + 1);
        if matches!(&before[line..], b"" | b"\r") {
            break;
        }
        start = line;
    }
    let end = paragraphs(&bytes[at..]).next().map_or(0, |rest| rest.end);
    start..at + end
}

/// Returns the last matching entry of a text of `length` bytes. Reads parts from the end, until one has a match: `read` returns
/// the bytes of a range.
pub(super) fn newest<E>(
    length: usize,
    wanted: &Query,
    mut read: impl FnMut(Range<usize>) -> Result<Buffer, E>,
) -> Result<Option<Credential>, E> {
    let (mut end, mut size) = (length, FIRST_PART);
    while end > 0 {
        let start = end.saturating_sub(size);
        let part = read(start..end)?;
        let bytes = part.as_slice();
        let whole = if start == 0 {
            Some(0)
        } else {
            second_paragraph(bytes)
        };
        let Some(whole) = whole else {
            // A paragraph is longer than the part.
            size *= 4;
            continue;
        };
        if let Some((_, entry)) = matching(&bytes[whole..], wanted).last() {
            return Ok(Some(entry));
        }
        end = start + whole;
        size = PART;
    }
    Ok(None)
}

/// The start of the first paragraph that begins in these bytes for certain. They may begin within a line.
fn second_paragraph(bytes: &[u8]) -> Option<usize> {
    let line = memchr(b'\n', bytes)? + 1;
    let rest = paragraphs(&bytes[line..]).next()?;
    Some(line + rest.end).filter(|&start| start < bytes.len())
}

/// Returns the paragraphs of the entries under `key`, and the last entry, which is the valid one.
pub(super) fn under_key(bytes: &[u8], key: &Key) -> (Vec<Range<usize>>, Option<Credential>) {
    let exact = Query::exact(key);
    let (ranges, mut entries): (Vec<_>, Vec<_>) = matching(bytes, &exact).unzip();
    (ranges, entries.pop())
}

/// Returns the paragraphs of the entries with the key and the secrets of one of `unwanted`, and their number for each of these.
pub(super) fn named_by_each(
    bytes: &[u8],
    unwanted: &[&Credential],
) -> (Vec<Range<usize>>, Vec<usize>) {
    let mut by_key: HashMap<&Key, Vec<usize>> = HashMap::new();
    for (index, unwanted) in unwanted.iter().enumerate() {
        by_key.entry(&unwanted.key).or_default().push(index);
    }
    let (mut ranges, mut counts) = (Vec::new(), vec![0; unwanted.len()]);
    for range in paragraphs(bytes) {
        let Some(entry) = parse(&bytes[range.clone()]) else {
            continue;
        };
        let mut of_key = by_key.get(&entry.key).into_iter().flatten();
        let is_named = |index: &&usize| entry.is_named_by(&unwanted[**index].as_rejected());
        if let Some(&index) = of_key.find(is_named) {
            counts[index] += 1;
            ranges.push(range);
        }
    }
    (ranges, counts)
}

/// Returns the start of the first entry, or the end of the text.
pub(super) fn first_entry(bytes: &[u8]) -> usize {
    paragraphs(bytes)
        .find(|range| parse(&bytes[range.clone()]).is_some())
        .map_or(bytes.len(), |range| range.start)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Lines of entries and of other text, with and without their ends.
    fn text() -> impl Strategy<Value = Vec<u8>> {
        let line = prop_oneof![
            3 => Just(&b"protocol=https\n"[..]),
            3 => Just(&b"host=a.test\n"[..]),
            1 => Just(&b"host=A.test\r\n"[..]),
            2 => Just(&b"host=b.test\n"[..]),
            1 => Just(&b"host=a.test"[..]),
            3 => Just(&b"username=u\npassword=made-up\n"[..]),
            1 => Just(&b"username=v\r\npassword=made-up-2\r\n"[..]),
            3 => Just(&b"\n"[..]),
            1 => Just(&b"\r\n"[..]),
            1 => Just(&b"\r"[..]),
            1 => Just(&b"ghost=a.test\n"[..]),
            1 => Just(&b"x"[..]),
        ];
        vec(line, 0..40).prop_map(|lines| lines.concat())
    }

    fn wanted(username: Option<&str>) -> Query {
        Query {
            protocol: Some(b"https".to_vec()),
            host: Some(b"a.test".to_vec()),
            username: username.map(Into::into),
            ..Query::default()
        }
    }

    fn plainly_matching(bytes: &[u8], wanted: &Query) -> Vec<(Range<usize>, Credential)> {
        let mut all = Vec::new();
        for range in paragraphs(bytes) {
            let entry = parse(&bytes[range.clone()]);
            let entry = entry.filter(|entry| wanted.matches(&entry.key));
            all.extend(entry.map(|entry| (range, entry)));
        }
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn a_search_finds_the_paragraphs_that_match(text in text(), is_named in any::<bool>()) {
            let wanted = wanted(is_named.then_some("u"));
            let found: Vec<_> = matching(&text, &wanted).collect();
            prop_assert_eq!(found, plainly_matching(&text, &wanted));
        }

        #[test]
        fn the_newest_entry_is_found_in_parts(texts in vec(text(), 1..8), filler in 0..3000_usize) {
            let filler = "x".repeat(filler) + "\n\n";
            let text = texts.join(filler.as_bytes());
            let wanted = wanted(None);
            let found = newest(text.len(), &wanted, |range| {
                let mut part = Buffer::with_capacity(range.len().max(1));
                part.push(&text[range]);
                Ok::<_, ()>(part)
            });
            let all = plainly_matching(&text, &wanted).pop();
            prop_assert_eq!(found.unwrap(), all.map(|(_, entry)| entry));
        }
    }
}
