//! As much of YAML as gh and glab write: maps in maps, and scalars of one line. Whatever else is there refuses the file:
//! what is guessed wrongly here would be a token sent to the wrong host.

use std::ops::Range;

use zeroize::Zeroizing;

/// Deeper than either program goes.
const DEEPEST: usize = 8;
/// Longer than any token.
const LONGEST: usize = 64 * 1024;
const MOST: usize = 2000;

/// A line is not understood. What it says is not repeated: it may be a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is not understood")]
pub struct Error {
    /// From 1.
    pub line: usize,
}

/// A scalar, with the names that lead to it.
pub struct Leaf {
    /// From the outside in.
    pub path: Vec<Vec<u8>>,
    /// Without its quotes; empty where there is none.
    pub value: Zeroizing<Vec<u8>>,
    /// The line in the file, with its end.
    pub line: Range<usize>,
}

impl Leaf {
    /// Whether exactly `names` lead to it.
    pub fn is_at(&self, names: &[&[u8]]) -> bool {
        self.path
            .iter()
            .map(Vec::as_slice)
            .eq(names.iter().copied())
    }
}

/// Every scalar and every name without one, in order.
pub fn leaves(bytes: &[u8]) -> Result<Vec<Leaf>, Error> {
    let mut leaves: Vec<Leaf> = Vec::new();
    // Of each open map: how far its names are indented, and the names that lead to where we are.
    let mut open: Vec<(usize, Vec<u8>)> = Vec::new();
    let mut last_is_scalar = false;
    let mut start = 0;
    for (number, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let range = start..start + line.len();
        start = range.end;
        let error = Error { line: number + 1 };
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let indent = text.iter().take_while(|&&byte| byte == b' ').count();
        let said = text[indent..].trim_ascii_end();
        if said.is_empty() || said[0] == b'#' || (said == b"---" && open.is_empty()) {
            continue;
        }
        if said.len() > LONGEST || leaves.len() >= MOST || said.iter().any(u8::is_ascii_control) {
            return Err(error);
        }
        let (name, value) = name_and_value(said).ok_or(error)?;
        let before = open.len();
        while open.last().is_some_and(|(deep, _)| *deep > indent) {
            open.pop();
        }
        if open.last().is_some_and(|(deep, _)| *deep == indent) {
            open.pop();
        } else if open.len() < before || last_is_scalar || (open.is_empty() && indent > 0) {
            // Back to where nothing began, deeper than a name that has a value already, or not from the left.
            return Err(error);
        }
        open.push((indent, name));
        if open.len() > DEEPEST {
            return Err(error);
        }
        let path: Vec<Vec<u8>> = open.iter().map(|(_, name)| name.clone()).collect();
        if leaves.iter().rev().any(|leaf| leaf.path == path) {
            return Err(error);
        }
        last_is_scalar = value.is_some();
        leaves.push(Leaf {
            path,
            value: value.unwrap_or_default(),
            line: range,
        });
    }
    Ok(leaves)
}

/// `name:` or `name: value`; `None` for everything else.
#[allow(clippy::type_complexity)]
fn name_and_value(said: &[u8]) -> Option<(Vec<u8>, Option<Zeroizing<Vec<u8>>>)> {
    let (name, rest) = if let quote @ (b'"' | b'\'') = said[0] {
        let (name, rest) = quoted(said, quote)?;
        (name.to_vec(), rest.strip_prefix(b":")?)
    } else {
        // A colon within a name, as in a host with its port, has no blank after it.
        let is_end =
            |&at: &usize| said[at] == b':' && said.get(at + 1).is_none_or(|&next| next == b' ');
        let end = (0..said.len()).find(is_end)?;
        let name = &said[..end];
        let is_plain = is_plain_start(name) && !name.windows(2).any(|two| two == b" #");
        (is_plain.then(|| name.to_vec())?, &said[end + 1..])
    };
    if !rest.is_empty() && rest[0] != b' ' {
        return None;
    }
    let rest = rest.trim_ascii();
    // glab writes `token: !!null glpat-…`, and reads it as the token.
    let rest = rest
        .strip_prefix(b"!!null ")
        .map_or(rest, <[u8]>::trim_ascii_start);
    let value = match rest {
        [] | [b'#', ..] => None,
        b"{}" | b"[]" | b"null" | b"~" => Some(Zeroizing::default()),
        [quote @ (b'"' | b'\''), ..] => {
            let (value, rest) = quoted(rest, *quote)?;
            let rest = rest.trim_ascii_start();
            (rest.is_empty() || rest[0] == b'#').then_some(Some(value))?
        }
        _ => {
            let comment = rest.windows(2).position(|two| two == b" #");
            let plain = rest[..comment.unwrap_or(rest.len())].trim_ascii_end();
            let is_plain = is_plain_start(plain)
                && !plain.ends_with(b":")
                && !plain.windows(2).any(|two| two == b": ");
            Some(is_plain.then(|| Zeroizing::new(plain.to_vec()))?)
        }
    };
    Some((name, value))
}

/// Not the beginning of a list, a flow, an anchor, a tag, a text of several lines or anything else that YAML knows.
fn is_plain_start(text: &[u8]) -> bool {
    let Some(first) = text.first() else {
        return false;
    };
    let is_alone = text.get(1).is_none_or(|&next| next == b' ');
    let is_mark = b"[]{},#&*!|>'\"%@`".contains(first) || (b"-?:".contains(first) && is_alone);
    !is_mark
}

/// What stands between the quotes, and what follows them. In double quotes only `\"` and `\\` are escapes.
fn quoted(text: &[u8], quote: u8) -> Option<(Zeroizing<Vec<u8>>, &[u8])> {
    let mut inner = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut at = 1;
    loop {
        match (quote, *text.get(at)?) {
            (b'"', b'\\') => {
                let escaped = *text.get(at + 1).filter(|byte| b"\"\\".contains(byte))?;
                inner.push(escaped);
                at += 2;
            }
            (b'\'', b'\'') if text.get(at + 1) == Some(&b'\'') => {
                inner.push(b'\'');
                at += 2;
            }
            (_, byte) if byte == quote => return Some((inner, &text[at + 1..])),
            (_, byte) => {
                inner.push(byte);
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(String, String)>, usize> {
        let leaves = leaves(text.as_bytes()).map_err(|error| error.line)?;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Ok(leaves
            .iter()
            .map(|leaf| {
                let path: Vec<String> = leaf.path.iter().map(|name| text(name)).collect();
                (path.join("/"), text(&leaf.value))
            })
            .collect())
    }

    #[test]
    fn reads_maps_in_maps() {
        let text = "# comment\n---\none.test:\n    users:\n        alice:\n            token: tok-a # there\n        bob:\n    user: \"al\\\"ice\"\n\ntwo.test:8443:\n  token: 'it''s'\r\nlast: !!null tok-b\n";
        let expected = [
            ("one.test", ""),
            ("one.test/users", ""),
            ("one.test/users/alice", ""),
            ("one.test/users/alice/token", "tok-a"),
            ("one.test/users/bob", ""),
            ("one.test/user", "al\"ice"),
            ("two.test:8443", ""),
            ("two.test:8443/token", "it's"),
            ("last", "tok-b"),
        ];
        let expected = expected.map(|(path, value)| (path.to_owned(), value.to_owned()));
        assert_eq!(read(text).unwrap(), expected);
        assert!(read("").unwrap().is_empty());
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        for (text, line) in [
            ("a: b\n  c: d\n", 2),
            ("a:\n    b: c\n  d: e\n", 3),
            ("  a: b\n", 1),
            ("a:\n  - b\n", 2),
            ("a: |\n  b\n", 1),
            ("a: >-\n  b\n", 1),
            ("a: &x b\n", 1),
            ("a: *x\n", 1),
            ("a: !tag b\n", 1),
            ("a: {b: c}\n", 1),
            ("a: [b]\n", 1),
            ("a: \"b\\n\"\n", 1),
            ("a: \"b\n", 1),
            ("a: b: c\n", 1),
            ("a\n", 1),
            ("? a\n", 1),
            ("a:\n\tb: c\n", 2),
            ("a: b\na: c\n", 2),
            ("a: b\x1b\n", 1),
            ("a: 'b' c\n", 1),
            ("<<: *x\n", 1),
        ] {
            assert_eq!(read(text), Err(line), "{text:?}");
        }
        let deep: String = (0..20)
            .map(|depth| format!("{}a:\n", " ".repeat(depth)))
            .collect();
        assert!(read(&deep).is_err());
    }

    #[test]
    fn a_leaf_knows_its_line() {
        let text = b"a:\n  b: c\n  d: e\n";
        let leaves = leaves(text).unwrap();
        let leaf = leaves
            .iter()
            .find(|leaf| leaf.is_at(&[b"a", b"b"]))
            .unwrap();
        assert_eq!(&text[leaf.line.clone()], b"  b: c\n");
    }
}
