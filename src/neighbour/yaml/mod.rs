//! Reads the scalars of a YAML file, with the path of names to each and the bytes of its entry: enough to read the
//! configuration of gh and glab, and to remove one entry. Both programs read their files with go-yaml and look names up in maps.
//!
//! A path leads to the first entry of its names, as in both programs. Lists, aliases and names that are no scalar have no path.
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
//! The parser names that line. Then the file is read again with blanks before the line, which mean nothing there.

pub mod document;
mod reader;

use std::ops::Range;

use saphyr_parser::{Event, Parser, ScanError, Span, StrInput};
use zeroize::Zeroizing;

use self::document::{Document, Error, Leaf};
use self::reader::Reader;

/// No file of gh or glab comes near this size.
const LARGEST: usize = 1024 * 1024;
/// The most lines that are indented for the parser. Each costs one more reading, so only small files are read again.
const MOST_INDENTED: usize = 100;
const MOST_READ_AGAIN: usize = 64 * 1024;
/// Deeper than any block in which such a line stands.
const INDENT: usize = 80;

/// Returns the ranges of `bytes` with the entries `is_meant`, or `None` if they cannot be removed without a change of another
/// entry. `document` was read from `bytes`.
pub fn stretches(
    document: &Document,
    bytes: &[u8],
    is_meant: impl Fn(&Leaf) -> bool,
) -> Option<Vec<Range<usize>>> {
    let meant = document.leaves.iter().filter(|leaf| is_meant(leaf));
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
    let others = document.leaves.iter().filter(|leaf| !is_meant(leaf));
    let is_same = others
        .map(|leaf| (&leaf.path, &leaf.value))
        .eq(left.iter().map(|leaf| (&leaf.path, &leaf.value)));
    is_same.then_some(stretches)
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
    // go-yaml accepts a tab after a name, saphyr-parser does not. A blank instead keeps every position.
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
            // The parser names the start of the quote, not the line that stands too far left.
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
    /// This line has too little indentation for the parser.
    Column(usize),
    /// This line or one after it has, in a quote that begins before it.
    InQuote(usize),
}

/// Reads the first document with blanks before the lines `indented`, which lie between brackets or in quotes.
fn read_indented(text: &str, indented: &[usize]) -> Result<Document, Stop> {
    let mut moved = Zeroizing::new(String::new());
    let mut reader = Reader::new(text, indent(text, indented, &mut moved));
    let mut parser = Parser::new_from_str(&moved);
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

#[cfg(test)]
mod tests {
    use super::reader::MOST;
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
            let stretches = stretches(&document, text.as_bytes(), is_meant);
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
