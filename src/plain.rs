//! Foreign text made safe for a terminal.

use std::fmt::Write as _;

/// Foreign text longer than this is cut: a host or a name is not a page.
const WIDEST: usize = 256;

/// Foreign bytes as text that a terminal takes for nothing else: what controls it, turns its direction or is no text is
/// shown as an escape, and what is too long is cut.
pub fn safe(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(&whole(chunk.valid()));
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    if text.chars().count() <= WIDEST {
        return text;
    }
    text.chars().take(WIDEST - 1).chain(['…']).collect()
}

/// As [`safe`], and never cut: for what a person copies, such as the address of a page.
pub fn whole(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            _ if is_plain(character) => safe.push(character),
            '\0'..='\x7f' => {
                let _ = write!(safe, "\\x{:02x}", u32::from(character));
            }
            _ => {
                let _ = write!(safe, "\\u{{{:x}}}", u32::from(character));
            }
        }
    }
    safe
}

/// Whether a terminal shows it, and does nothing else. Not so: controls, line and paragraph separators, bidirectional and
/// invisible characters (UTS #39, UAX #9).
pub fn is_plain(character: char) -> bool {
    !matches!(
        character,
        '\0'..='\x1f'
            | '\x7f'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_what_a_terminal_would_obey() {
        for (bytes, shown) in [
            (&b"a\x1b]0;pwn\x07\x1b[2J"[..], r"a\x1b]0;pwn\x07\x1b[2J"),
            (b"\x9b31m", r"\x9b31m"),
            (b"\xC2\x9B2J", r"\u{9b}2J"),
            ("a\u{202e}b\u{2028}c".as_bytes(), r"a\u{202e}b\u{2028}c"),
            (b"a\tb\nc\x7f", r"a\x09b\x0ac\x7f"),
            ("büro".as_bytes(), "büro"),
        ] {
            assert_eq!(safe(bytes), shown);
        }
        assert_eq!(safe(&b"x".repeat(1000)).chars().count(), WIDEST);
    }

    proptest! {
        #[test]
        fn no_control_is_left(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let is_control = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
            let has_control = safe(&bytes).chars().any(is_control);
            prop_assert!(!has_control);
        }
    }
}
