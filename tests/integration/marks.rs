//! Terminal sequences as short marks that a person can read: `{bold green}ok{/}`.

use std::fmt::Write as _;

/// Writes `{…}` for each run of colours and styles, for carriage returns, and at the end of a line that ends with a blank.
pub fn marked(text: &str) -> String {
    let mut marked = String::new();
    let mut styles: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        if let Some((codes, after)) = style(rest) {
            styles.extend(codes.split(';').map(name));
            rest = after;
            continue;
        }
        if !styles.is_empty() {
            let _ = write!(marked, "{{{}}}", styles.join(" "));
            styles.clear();
        }
        rest = &rest[letter.len_utf8()..];
        match letter {
            '\r' => marked.push_str("{cr}"),
            '\x1b' => marked.push_str("{esc}"),
            '\n' if marked.ends_with([' ', '\t']) => marked.push_str("{end}\n"),
            letter => marked.push(letter),
        }
    }
    if !styles.is_empty() {
        let _ = write!(marked, "{{{}}}", styles.join(" "));
    }
    marked
}

/// `text` without colours and styles.
pub fn unstyled(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        if let Some((_, after)) = style(rest) {
            rest = after;
            continue;
        }
        plain.push(letter);
        rest = &rest[letter.len_utf8()..];
    }
    plain
}

/// The codes of the SGR sequence that `text` begins with, and the text behind it.
pub fn style(text: &str) -> Option<(&str, &str)> {
    let (codes, after) = text.strip_prefix("\x1b[")?.split_once('m')?;
    let is_style = codes
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b';');
    is_style.then_some((codes, after))
}

/// The short name of an SGR code; `/` ends all styles.
pub fn name(code: &str) -> &str {
    match code {
        "" | "0" => "/",
        "1" => "bold",
        "2" => "dim",
        "3" => "italic",
        "4" => "underline",
        "31" => "red",
        "32" => "green",
        "33" => "yellow",
        "34" => "blue",
        "35" => "magenta",
        "36" => "cyan",
        "37" => "white",
        "90" => "grey",
        other => other,
    }
}

#[test]
fn styles_become_marks() {
    let text = "\x1b[1m\x1b[32mok\x1b[0m, \x1b[33m5 days\x1b[m \na\r\x1b[2K";
    assert_eq!(
        marked(text),
        "{bold green}ok{/}, {yellow}5 days{/} {end}\na{cr}{esc}[2K"
    );
    assert_eq!(unstyled(text), "ok, 5 days \na\r\x1b[2K");
}
