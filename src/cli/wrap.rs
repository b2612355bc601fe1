//! Breaks texts between words, so that lines fit the terminal.

use unicode_width::UnicodeWidthStr;

/// A narrower terminal breaks lines itself.
const LEAST: usize = 20;

/// Breaks a text between words, so that it fits `room` columns. A longer word has a line of its own, and a date in parentheses
/// stays whole. `None`: one line.
pub(super) fn wrapped(text: &str, room: Option<usize>) -> Vec<String> {
    let Some(room) = room.filter(|room| *room >= LEAST) else {
        return vec![text.to_owned()];
    };
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in words(text) {
        let width = word.width();
        if used > 0 && used + 1 + width > room {
            lines.push(String::new());
            used = 0;
        }
        let line = lines.len() - 1;
        if used > 0 {
            lines[line].push(' ');
            used += 1;
        }
        lines[line].push_str(word);
        used += width;
    }
    lines
}

/// The words of a text. Up to three words in parentheses are one, and so are a number and the next word.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let inside = rest.find(')').filter(|_| rest.starts_with('('));
        let group = inside.filter(|end| rest[..*end].matches(' ').count() < 3);
        let number = rest.bytes().take_while(u8::is_ascii_digit).count();
        let is_counted = number > 0 && rest[number..].starts_with(' ');
        let from = group.unwrap_or(if is_counted { number + 1 } else { 0 });
        let end = rest[from..].find(' ').map_or(rest.len(), |at| from + at);
        words.push(&rest[..end]);
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_broken_between_words() {
        let text = "one two three four five six seven";
        assert_eq!(wrapped(text, None), [text]);
        assert_eq!(wrapped(text, Some(5)), [text], "too narrow");
        assert_eq!(
            wrapped(text, Some(20)),
            ["one two three four", "five six seven"]
        );
        let date = "expires in 5 days (3 Dec 2026); soon";
        assert_eq!(
            wrapped(date, Some(25)),
            ["expires in 5 days", "(3 Dec 2026); soon"]
        );
        let counted = "tokens: 1 good, 2 expired";
        assert_eq!(
            wrapped(counted, Some(20)),
            ["tokens: 1 good,", "2 expired"],
            "a number stays with its word"
        );
        let long = "a https://git.example.com/a/long/path b";
        assert_eq!(
            wrapped(long, Some(20)),
            ["a", "https://git.example.com/a/long/path", "b"]
        );
    }
}
