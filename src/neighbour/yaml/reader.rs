//! Builds a document from the events of the parser.

use std::borrow::Cow;
use std::ops::Range;

use saphyr_parser::{Event, ScalarStyle, Span};
use zeroize::Zeroizing;

use super::document::{Document, Error, Leaf};

/// No file of gh or glab comes near these limits.
const DEEPEST: usize = 64;
pub(super) const MOST: usize = 10_000;

/// A map or a list that has begun.
struct Open {
    is_map: bool,
    is_flow: bool,
    /// Whether nothing in it has a path.
    is_hidden: bool,
    /// The name whose value comes next.
    name: Option<Name>,
}

/// A name in a map. Without `text` its value has no path.
#[derive(Default)]
struct Name {
    text: Option<Vec<u8>>,
    start: usize,
    line: usize,
}

pub(super) struct Reader<'a> {
    text: &'a str,
    /// The place in `text` of each character that the parser is given, since it counts characters.
    places: Vec<usize>,
    pub(super) document: Document,
    open: Vec<Open>,
    path: Vec<Vec<u8>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str, places: Vec<usize>) -> Self {
        Self {
            text,
            places,
            document: Document::default(),
            open: Vec::new(),
            path: Vec::new(),
        }
    }

    /// Returns false at the end of the first document.
    pub(super) fn take(&mut self, event: Event<'_>, span: Span) -> Result<bool, Error> {
        let line = span.start.line();
        match event {
            Event::DocumentEnd => return Ok(false),
            Event::Scalar(value, style, ..) => self.scalar(value, style, span)?,
            Event::Alias(_) => self.node(Zeroizing::default(), true, span)?,
            Event::MappingStart(..) => self.begin(true, span)?,
            Event::SequenceStart(..) => self.begin(false, span)?,
            Event::MappingEnd | Event::SequenceEnd => self.end(),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => {}
        }
        let problem = if self.open.len() > DEEPEST {
            "is nested too deeply"
        } else if self.document.leaves.len() > MOST {
            "is after too many others"
        } else {
            return Ok(true);
        };
        Err(Error { line, problem })
    }

    fn scalar(&mut self, value: Cow<'_, str>, style: ScalarStyle, span: Span) -> Result<(), Error> {
        let mut value = Zeroizing::new(value.into_owned().into_bytes());
        let is_null = style == ScalarStyle::Plain
            && [&b"~"[..], b"null", b"Null", b"NULL"].contains(&&value[..]);
        if is_null && !self.expects_name() {
            value.clear();
        }
        while matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) && value.ends_with(b"\n")
        {
            value.pop();
        }
        self.node(value, false, span)
    }

    fn expects_name(&self) -> bool {
        let last = self.open.last();
        last.is_some_and(|open| open.is_map && open.name.is_none())
    }

    /// A scalar or an alias: a name, a value, or an item of a list.
    fn node(&mut self, value: Zeroizing<Vec<u8>>, is_alias: bool, span: Span) -> Result<(), Error> {
        if self.expects_name() {
            self.name(value, is_alias, span);
            return Ok(());
        }
        let Some(open) = self.open.last_mut() else {
            return value.is_empty().then_some(()).ok_or(no_map(span));
        };
        let is_flow = open.is_flow;
        let Some(Name {
            text: Some(text),
            start,
            line,
        }) = open.name.take()
        else {
            return Ok(());
        };
        let end = self.place(span.end.index());
        let entry = if is_flow {
            Some(self.in_flow(start, end))
        } else {
            self.on_lines(start, end)
        };
        self.path.push(text);
        self.document.leaves.push(Leaf {
            path: self.path.clone(),
            value,
            is_alias,
            line,
            entry,
        });
        self.path.pop();
        Ok(())
    }

    fn name(&mut self, mut text: Zeroizing<Vec<u8>>, is_alias: bool, span: Span) {
        let start = self.place(span.start.index());
        let Some(open) = self.open.last_mut() else {
            return;
        };
        let text = std::mem::take(&mut *text);
        let mut path = self.path.clone();
        path.push(text.clone());
        let document = &mut self.document;
        let has_path = !open.is_hidden && !is_alias && !document.by_path.contains_key(&path);
        if has_path {
            document.by_path.insert(path, document.leaves.len());
        }
        open.name = Some(Name {
            text: has_path.then_some(text),
            start,
            line: span.start.line(),
        });
    }

    fn begin(&mut self, is_map: bool, span: Span) -> Result<(), Error> {
        let start = self.place(span.start.index());
        let is_flow = self.text[start..].starts_with(['{', '[']);
        let is_first = self.open.is_empty();
        if is_first && !is_map {
            return Err(no_map(span));
        }
        let name = self.open.last().and_then(|open| open.name.as_ref());
        let text = name.and_then(|name| Some((name.line, name.text.clone()?)));
        // A map or a list as a name has no path, and its value has none either.
        let has_path = is_first || text.is_some();
        if let Some((line, text)) = text {
            self.path.push(text);
            self.document.leaves.push(Leaf {
                path: self.path.clone(),
                value: Zeroizing::default(),
                is_alias: false,
                line,
                entry: None,
            });
        }
        self.open.push(Open {
            is_map,
            is_flow,
            is_hidden: !is_map || !has_path,
            name: None,
        });
        Ok(())
    }

    fn end(&mut self) {
        self.open.pop();
        let Some(open) = self.open.last_mut() else {
            return;
        };
        match open.name.take() {
            Some(Name { text: Some(_), .. }) => {
                self.path.pop();
            }
            // A map or a list was the name.
            None if open.is_map => open.name = Some(Name::default()),
            Some(_) | None => {}
        }
    }

    fn place(&self, character: usize) -> usize {
        let place = self.places.get(character).copied();
        place.unwrap_or(self.text.len())
    }

    /// The whole lines from `start` to `end`, if nothing else begins on the first of them.
    fn on_lines(&self, start: usize, end: usize) -> Option<Range<usize>> {
        let before = self.text[..start].trim_end_matches(' ');
        let is_alone = before.is_empty() || before.ends_with(['\n', '\r', '\u{feff}']);
        // A block scalar ends after its line.
        if end > start && self.text[..end].ends_with(['\n', '\r']) {
            return is_alone.then_some(before.len()..end);
        }
        let line_end = self.text[end..].find(['\n', '\r']).map(|at| end + at);
        let line_end = match line_end {
            Some(at) if self.text[at..].starts_with("\r\n") => at + 2,
            Some(at) => at + 1,
            None => self.text.len(),
        };
        is_alone.then_some(before.len()..line_end)
    }

    /// From `start` to `end`, with the comma behind, else with the one before.
    fn in_flow(&self, start: usize, end: usize) -> Range<usize> {
        let after = self.text[end..].trim_start();
        if let Some(after) = after.strip_prefix(',') {
            return start..self.text.len() - after.trim_start_matches(' ').len();
        }
        let before = self.text[..start].trim_end();
        let before = before.strip_suffix(',').map_or(start, str::len);
        before..end
    }
}

/// Neither program takes a file for its own that is a list or a scalar.
fn no_map(span: Span) -> Error {
    Error {
        line: span.start.line(),
        problem: "begins no map",
    }
}
