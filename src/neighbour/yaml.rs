//! The scalars of a YAML file, with the names that lead to each and the bytes that its entry takes: enough to read the
//! configuration of gh and glab, and to take one entry out. Both read their files with go-yaml and look names up in maps.
//!
//! A name leads to its first entry, as in both programs; a list, an alias and a name that is no scalar lead nowhere.
//! Only the first document counts. The parser is saphyr-parser, which neither recurses nor resolves aliases.
//!
//! Between brackets and in quotes, go-yaml takes a line at any column, and saphyr-parser only one that is indented:
//!
//! ```yaml
//! github.com: {
//! oauth_token: made-up
//! }
//! ```
//!
//! The parser tells that line, and reads the file once more with blanks before it. They mean nothing there.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};
use zeroize::Zeroizing;

/// No file of gh or glab comes near any of these.
const LARGEST: usize = 1024 * 1024;
const DEEPEST: usize = 64;
const MOST: usize = 10_000;
/// So many lines are indented for the parser, each of which costs one more reading: only in a file of this size.
const MOST_INDENTED: usize = 100;
const MOST_READ_AGAIN: usize = 64 * 1024;
/// Deeper than any block in which such a line stands.
const INDENT: usize = 80;

/// Why a file is not read. It names no content, which may be a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line} {problem}")]
pub struct Error {
    /// From 1.
    pub line: usize,
    problem: &'static str,
}

/// A name in a map, and the scalar that it leads to.
pub struct Leaf {
    /// From the outermost map to this name.
    pub path: Vec<Vec<u8>>,
    /// Empty for null, a map, a list and an alias. The line ends at the end of a block scalar are left out.
    pub value: Zeroizing<Vec<u8>>,
    /// Whether the value is an alias, which is not followed.
    pub is_alias: bool,
    /// The line of the name, from 1.
    pub line: usize,
    entry: Option<Range<usize>>,
}

/// Every name of the maps of a file.
#[derive(Default)]
pub struct Document {
    /// In the order of the file.
    pub leaves: Vec<Leaf>,
    by_path: HashMap<Vec<Vec<u8>>, usize>,
}

impl Document {
    /// What exactly `names` lead to.
    pub fn get(&self, names: &[&[u8]]) -> Option<&Leaf> {
        let path: Vec<Vec<u8>> = names.iter().map(|name| name.to_vec()).collect();
        self.leaves.get(*self.by_path.get(&path)?)
    }

    /// The scalar that exactly `names` lead to, unless that is empty.
    pub fn value(&self, names: &[&[u8]]) -> Option<&[u8]> {
        let value = &self.get(names)?.value[..];
        (!value.is_empty()).then_some(value)
    }

    /// The stretches of `bytes`, which this was read from, that hold the entries `is_meant`. `None` if one of them cannot be
    /// taken out and leave all the others.
    pub fn stretches(
        &self,
        bytes: &[u8],
        is_meant: impl Fn(&Leaf) -> bool,
    ) -> Option<Vec<Range<usize>>> {
        let meant = self.leaves.iter().filter(|leaf| is_meant(leaf));
        let stretches: Vec<Range<usize>> = meant
            .map(|leaf| leaf.entry.clone())
            .collect::<Option<_>>()?;
        let mut rest = Zeroizing::new(Vec::with_capacity(bytes.len()));
        let mut start = 0;
        for stretch in &stretches {
            rest.extend_from_slice(bytes.get(start..stretch.start)?);
            start = stretch.end;
        }
        rest.extend_from_slice(bytes.get(start..)?);
        let left = read(&rest).ok()?.leaves;
        let others = self.leaves.iter().filter(|leaf| !is_meant(leaf));
        let is_same = others
            .map(|leaf| (&leaf.path, &leaf.value))
            .eq(left.iter().map(|leaf| (&leaf.path, &leaf.value)));
        is_same.then_some(stretches)
    }
}

/// Reads the first document of a file.
pub fn read(bytes: &[u8]) -> Result<Document, Error> {
    if bytes.len() > LARGEST {
        return Err(Error {
            line: 1,
            problem: "begins a file that is far too large",
        });
    }
    let text = std::str::from_utf8(bytes).map_err(|cause| Error {
        line: line_of(bytes, cause.valid_up_to()),
        problem: "is not UTF-8",
    })?;
    // go-yaml takes a tab after a name, saphyr-parser does not. A blank in its place moves nothing.
    let text = Zeroizing::new(text.replace(":\t", ": "));
    let most = if text.len() > MOST_READ_AGAIN {
        0
    } else {
        MOST_INDENTED
    };
    let mut indented = Vec::new();
    loop {
        let line = match read_indented(&text, &indented) {
            Ok(document) => return Ok(document),
            Err(Stop::Error(error)) => return Err(error),
            Err(Stop::Column(line)) => line,
            // The parser tells where the quote begins, not which of its lines stands too far left.
            Err(Stop::InQuote(mut line)) => {
                while indented.contains(&line) {
                    line += 1;
                }
                line
            }
        };
        if indented.len() == most || indented.contains(&line) {
            return Err(no_yaml(line));
        }
        indented.push(line);
    }
}

/// Why a reading ended early.
enum Stop {
    Error(Error),
    /// This line stands too far left for the parser.
    Column(usize),
    /// This line or one after it does, in a quote that begins before.
    InQuote(usize),
}

/// Reads the first document with blanks before the lines `indented`, which lie between brackets or in quotes.
fn read_indented(text: &str, indented: &[usize]) -> Result<Document, Stop> {
    let mut reader = Reader::new(text);
    let mut moved = Zeroizing::new(String::new());
    if !indented.is_empty() {
        reader.places = Some(indent(text, indented, &mut moved));
    }
    let given = if indented.is_empty() { text } else { &moved };
    let mut parser = Parser::new_from_str(given);
    while let Some((event, span)) = next_event(&mut parser)? {
        if !reader.take(event, span).map_err(Stop::Error)? {
            break;
        }
    }
    Ok(reader.document)
}

/// Writes `text` with blanks before the lines `indented` to `moved`, and returns the place in `text` of each character there.
fn indent(text: &str, indented: &[usize], moved: &mut String) -> Vec<usize> {
    moved.reserve(text.len() + indented.len() * INDENT);
    let mut places = Vec::with_capacity(moved.capacity());
    let mut start = 0;
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        if indented.contains(&number) {
            moved.extend([' '; INDENT]);
            places.extend([start; INDENT]);
        }
        moved.push_str(line);
        places.extend(line.char_indices().map(|(at, _)| start + at));
        start += line.len();
    }
    places
}

fn next_event<'a>(
    parser: &mut Parser<'a, StrInput<'a>>,
) -> Result<Option<(Event<'a>, Span)>, Stop> {
    parser.next_event().transpose().map_err(|cause: ScanError| {
        let line = cause.marker().line();
        match cause.info() {
            "invalid indentation"
            | "invalid indentation in flow construct"
            | "tab cannot be used as indentation" => Stop::Column(line),
            "invalid indentation in quoted scalar" => Stop::InQuote(line + 1),
            _ => Stop::Error(no_yaml(line)),
        }
    })
}

fn no_yaml(line: usize) -> Error {
    Error {
        line,
        problem: "is no YAML",
    }
}

/// The line in which the byte at `at` is, from 1.
fn line_of(bytes: &[u8], at: usize) -> usize {
    bytes[..at].split(|&byte| byte == b'\n').count()
}

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
struct Name {
    text: Option<Vec<u8>>,
    start: usize,
    line: usize,
}

struct Reader<'a> {
    text: &'a str,
    /// The place of each character, if some take more than one byte: the parser counts characters.
    places: Option<Vec<usize>>,
    document: Document,
    open: Vec<Open>,
    path: Vec<Vec<u8>>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        let places = (!text.is_ascii()).then(|| text.char_indices().map(|(at, _)| at).collect());
        Self {
            text,
            places,
            document: Document::default(),
            open: Vec::new(),
            path: Vec::new(),
        }
    }

    /// Returns false at the end of the first document.
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<bool, Error> {
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
        let is_over = [
            (self.open.len() > DEEPEST, "is nested too deeply"),
            (
                self.document.leaves.len() > MOST,
                "is after too many others",
            ),
        ];
        match is_over.into_iter().find(|(is_over, _)| *is_over) {
            Some((_, problem)) => Err(Error { line, problem }),
            None => Ok(true),
        }
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
            return if value.is_empty() {
                Ok(())
            } else {
                no_map(span)
            };
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
        let mut path = self.path.clone();
        path.push(text);
        self.document.leaves.push(Leaf {
            path,
            value,
            is_alias,
            line,
            entry,
        });
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
        let expects_name = self.expects_name();
        let mut is_hidden = !is_map;
        match self.open.last_mut() {
            None if !is_map => return no_map(span),
            None => {}
            // A map or a list as a name: its value has no path either.
            Some(_) if expects_name => is_hidden = true,
            Some(open) => match open.name.as_ref() {
                Some(Name {
                    text: Some(text),
                    line,
                    ..
                }) => {
                    self.path.push(text.clone());
                    self.document.leaves.push(Leaf {
                        path: self.path.clone(),
                        value: Zeroizing::default(),
                        is_alias: false,
                        line: *line,
                        entry: None,
                    });
                }
                _ => is_hidden = true,
            },
        }
        self.open.push(Open {
            is_map,
            is_flow,
            is_hidden,
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
            None if open.is_map => {
                open.name = Some(Name {
                    text: None,
                    start: 0,
                    line: 0,
                });
            }
            Some(_) | None => {}
        }
    }

    fn place(&self, character: usize) -> usize {
        let place = match &self.places {
            Some(places) => places.get(character).copied(),
            None => Some(character),
        };
        place.unwrap_or(self.text.len()).min(self.text.len())
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
fn no_map<T>(span: Span) -> Result<T, Error> {
    Err(Error {
        line: span.start.line(),
        problem: "begins no map",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Result<Vec<(String, String)>, String> {
        let document = read(text.as_bytes()).map_err(|error| error.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let row = |leaf: &Leaf| {
            let path: Vec<String> = leaf.path.iter().map(|name| text(name)).collect();
            (path.join("/"), text(&leaf.value))
        };
        Ok(document.leaves.iter().map(row).collect())
    }

    fn rows(rows: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |&(path, value): &(&str, &str)| (path.to_owned(), value.to_owned());
        rows.iter().map(owned).collect()
    }

    #[test]
    fn names_lead_to_scalars_however_they_are_written() {
        for (text, expected) in [
            ("", &[][..]),
            ("# comment\n", &[]),
            ("---\n", &[]),
            ("~\n", &[]),
            ("{}\n", &[]),
            ("\u{feff}{}\r\n", &[]),
            ("\u{feff}a:\r\n    b: c # d\r\n", &[("a", ""), ("a/b", "c")]),
            (
                "a.test:8443:\n  t: x\n",
                &[("a.test:8443", ""), ("a.test:8443/t", "x")],
            ),
            (
                "a: {} # none\nb: []\nc:\nd: ~\ne: null\n",
                &[("a", ""), ("b", ""), ("c", ""), ("d", ""), ("e", "")],
            ),
            (
                "a: {b: c, 'd': \"e\\u0041\"}\n",
                &[("a", ""), ("a/b", "c"), ("a/d", "eA")],
            ),
            (
                "a: 'it''s'\nb: \"say \\\"x\\\"\"\n",
                &[("a", "it's"), ("b", "say \"x\"")],
            ),
            (
                "a: |\n  x\nb: >-\n  y\nc:\n  z\n",
                &[("a", "x"), ("b", "y"), ("c", "z")],
            ),
            (
                "a: !!null tok\nb: !!str null\nc: \"null\"\n",
                &[("a", "tok"), ("b", ""), ("c", "null")],
            ),
            ("a:\tb\t\nc: d\n", &[("a", "b"), ("c", "d")]),
            ("é: x\nb: y\n", &[("é", "x"), ("b", "y")]),
            ("a: b\n---\nc: [\n", &[("a", "b")]),
            ("%YAML 1.1\n---\na: b\n...\n", &[("a", "b")]),
        ] {
            assert_eq!(names(text), Ok(rows(expected)), "{text:?}");
        }
    }

    /// As seen of gh 2.23.
    #[test]
    fn between_brackets_and_in_quotes_a_line_stands_at_any_column() {
        for (text, expected) in [
            (
                "é: {\nt: x,\nu: y\n}\n",
                &[("é", ""), ("é/t", "x"), ("é/u", "y")][..],
            ),
            (
                "a:\r\n  b: {\r\n  t: x\r\n  }\r\n  c: d\r\n",
                &[("a", ""), ("a/b", ""), ("a/b/t", "x"), ("a/c", "d")],
            ),
            (
                "x: [\n]\ny: {\n}\nt: z\n",
                &[("x", ""), ("y", ""), ("t", "z")],
            ),
            ("x: [{a: b,\nc: d}]\nt: z\n", &[("x", ""), ("t", "z")]),
            ("x: 'a\nb\n\nc'\nt: z\n", &[("x", "a b\nc"), ("t", "z")]),
            ("x: \"a\n\tb\"\nt: z\n", &[("x", "a b"), ("t", "z")]),
        ] {
            assert_eq!(names(text), Ok(rows(expected)), "{text:?}");
        }
        let long = format!("a: [\n{}]\n", "b,\n".repeat(MOST_INDENTED + 1));
        assert!(names(&long).is_err());
    }

    #[test]
    fn a_list_an_alias_and_a_name_that_is_no_scalar_lead_nowhere() {
        for (text, expected) in [
            (
                "a:\n- b: c\n  d: e\n- f\nx: y\n",
                &[("a", ""), ("x", "y")][..],
            ),
            ("a: [b, {c: d}]\nx: y\n", &[("a", ""), ("x", "y")]),
            (
                "a: &q {b: c}\nd: *q\n<<: *q\n",
                &[("a", ""), ("a/b", "c"), ("d", ""), ("<<", "")],
            ),
            ("? [a, b]\n: {c: d}\nx: y\n", &[("x", "y")]),
            ("? {a: b}\n: c\nx: y\n", &[("x", "y")]),
            ("? x\n: y\n", &[("x", "y")]),
        ] {
            assert_eq!(names(text), Ok(rows(expected)), "{text:?}");
        }
        assert!(read(b"a: &q b\nc: *q\n").unwrap().leaves[1].is_alias);
    }

    #[test]
    fn the_first_of_two_entries_counts() {
        let text = "a:\n  b: one\na:\n  b: two\n  c: three\na: four\n";
        assert_eq!(names(text), Ok(rows(&[("a", ""), ("a/b", "one")])));
    }

    #[test]
    fn a_file_that_is_no_map_of_yaml_is_refused_with_its_line() {
        for (text, expected) in [
            ("- a\n", "line 1 begins no map"),
            ("\njust text\n", "line 2 begins no map"),
            ("a:\n\tb: c\n", "line 2 is no YAML"),
            ("a: b: c\n", "line 1 is no YAML"),
            ("a: b\n<<<<<<< HEAD\n", "line 3 is no YAML"),
            ("a: \"b\n", "line 1 is no YAML"),
            ("a: @b\n", "line 1 is no YAML"),
        ] {
            assert_eq!(names(text), Err(expected.to_owned()), "{text:?}");
        }
        let error = read(b"a: b\nc: \xff\n").map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "line 2 is not UTF-8");
    }

    #[test]
    fn hostile_files_are_refused_soon() {
        let nested: String = (0..200)
            .map(|depth| format!("{}a:\n", " ".repeat(depth)))
            .collect();
        let many: String = (0..=MOST).map(|number| format!("a{number}: b\n")).collect();
        for (name, text) in [
            ("nested", nested),
            ("lists", "- ".repeat(400_000)),
            ("flow", "[".repeat(1_000_000)),
            ("maps", "a: {".repeat(200_000)),
            ("many", many),
            ("large", " ".repeat(LARGEST + 1)),
        ] {
            assert!(names(&text).is_err(), "{name}");
        }
        let twice = "a:\n".repeat(300_000);
        assert_eq!(names(&twice), Ok(rows(&[("a", "")])));
        assert_eq!(names(&"# \n".repeat(300_000)), Ok(rows(&[])));
    }

    #[test]
    fn one_entry_goes_and_all_others_stay() {
        for (text, name, expected) in [
            ("a:\n  t: x # y\n  d: e\n", "t", Some("a:\n  d: e\n")),
            ("a:\r\n  d: e\r\n  t: x\r\n", "t", Some("a:\r\n  d: e\r\n")),
            ("\u{feff}t: x\na: b\n", "t", Some("\u{feff}a: b\n")),
            ("a: b\nt: x", "t", Some("a: b\n")),
            ("t: |\n  x\n  y\na: b\n", "t", Some("a: b\n")),
            ("t:\n  x\na: b\n", "t", Some("a: b\n")),
            ("a: {t: x, b: c}\n", "t", Some("a: {b: c}\n")),
            ("a: {b: c, t: x}\n", "t", Some("a: {b: c}\n")),
            ("é: {t: x} # é\n", "t", Some("é: {} # é\n")),
            ("é: {\nt: x,\nb: c\n}\n", "t", Some("é: {\n\nb: c\n}\n")),
            ("a: {\nb: c,\nt: x\n}\n", "t", Some("a: {\nb: c\n}\n")),
            ("? t\n: x\na: b\n", "t", None),
            // The second one would come to light.
            ("t: x\nt: y\n", "t", None),
            ("a: &q x\nb: *q\n", "a", None),
        ] {
            let document = read(text.as_bytes()).unwrap();
            let is_meant =
                |leaf: &Leaf| leaf.path.last().is_some_and(|last| last == name.as_bytes());
            let stretches = document.stretches(text.as_bytes(), is_meant);
            let left = stretches.map(|stretches| {
                let mut left = text.as_bytes().to_vec();
                for stretch in stretches.into_iter().rev() {
                    left.drain(stretch);
                }
                String::from_utf8(left).unwrap()
            });
            assert_eq!(left.as_deref(), expected, "{text:?}");
        }
    }
}
