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

/// Whether a terminal shows the character as something a person can see, and does nothing else.
///
/// Not plain: controls, line and paragraph separators, bidirectional controls (UAX #9), every character with the property
/// `Default_Ignorable_Code_Point` (Unicode 16, `DerivedCoreProperties.txt`), and characters that look like a blank but are not
/// U+0020.
pub fn is_plain(character: char) -> bool {
    !(character.is_control() || is_ignorable(character) || is_blank(character))
}

/// `Default_Ignorable_Code_Point`.
fn is_ignorable(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Spaces and line ends other than U+0020, and the other characters without ink: interlinear annotation, BRAILLE PATTERN BLANK,
/// KHITAN SMALL SCRIPT FILLER, EGYPTIAN HIEROGLYPH FULL and HALF BLANK, MUSICAL SYMBOL NULL NOTEHEAD.
fn is_blank(character: char) -> bool {
    (character.is_whitespace() && character != ' ')
        || matches!(
            character,
            '\u{2800}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{13441}'..='\u{13442}'
                | '\u{16fe4}'
                | '\u{1d159}'
        )
}

/// One word of a command line that a person can paste into sh, bash, zsh or fish: each reads back exactly `word`.
///
/// A backslash stands before each character that is special in one of them. Quotes are not used: a command inside the quotes
/// of a sentence, pasted with those, would be turned inside out. A word with an invisible character or a byte that is not
/// UTF-8 goes through printf(1) in octal; fish understands that since 3.4.
pub fn shell_word(word: &[u8]) -> String {
    if word.is_empty() {
        return "''".to_owned();
    }
    let text = str::from_utf8(word).ok();
    let Some(text) = text.filter(|text| text.chars().all(is_plain)) else {
        return printed(word);
    };
    let mut quoted = String::with_capacity(word.len());
    for (at, character) in text.char_indices() {
        // `=cmd` is expanded by zsh, `%1` by older fish.
        let is_safe = character.is_alphanumeric()
            || "-_./:,@+".contains(character)
            || (at > 0 && "=%".contains(character));
        if !is_safe {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted
}

fn printed(word: &[u8]) -> String {
    let mut octal = String::new();
    for &byte in word {
        // A digit would be read as the end of the number before it.
        if byte.is_ascii_alphabetic() {
            octal.push(char::from(byte));
        } else {
            let _ = write!(octal, "\\{byte:03o}");
        }
    }
    format!("\"$(printf '{octal}')\"")
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

    #[test]
    fn what_cannot_be_seen_is_shown_as_an_escape() {
        let ignorable = "\u{ad}\u{34f}\u{61c}\u{115f}\u{1160}\u{17b4}\u{180b}\u{180e}\u{180f}\u{200b}\u{200d}\u{202a}\
            \u{2060}\u{2069}\u{3164}\u{fe00}\u{fe0f}\u{feff}\u{ffa0}\u{fff0}\u{1bca0}\u{1d173}\u{e0001}\u{e0041}\
            \u{e007f}\u{e0100}\u{e01ef}\u{e0fff}";
        let blank = "\u{85}\u{a0}\u{1680}\u{2000}\u{200a}\u{2028}\u{202f}\u{205f}\u{2800}\u{3000}\u{fff9}\u{13441}\u{16fe4}\u{1d159}";
        for character in ignorable.chars().chain(blank.chars()) {
            let shown = format!("a\\u{{{:x}}}b", u32::from(character));
            assert_eq!(whole(&format!("a{character}b")), shown);
        }
        let seen = "a b·ß漢字ᄀ한e\u{301}😀→";
        assert_eq!(whole(seen), seen);
    }

    #[test]
    fn a_word_is_written_for_every_shell() {
        for (word, written) in [
            (&b""[..], "''"),
            (
                b"https://octocat@one.test:8443/a%20b",
                "https://octocat@one.test:8443/a%20b",
            ),
            (b"https://[::1]/", r"https://\[::1\]/"),
            (b"a'b&c;$(id)!", r"a\'b\&c\;\$\(id\)\!"),
            (b"~/x y", r"\~/x\ y"),
            (b"=ls", r"\=ls"),
            (b"--a=b", "--a=b"),
            ("b\u{fc}ro".as_bytes(), "b\u{fc}ro"),
            (b"a\n1", r#""$(printf 'a\012\061')""#),
            (b"\xff-", r#""$(printf '\377\055')""#),
            ("a\u{3164}".as_bytes(), r#""$(printf 'a\343\205\244')""#),
        ] {
            assert_eq!(shell_word(word), written);
        }
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
