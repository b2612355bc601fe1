//! Shortens text to a width, and a URL so that its host and the end of its path stay.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What stands for the part that is left out.
const CUT: &str = "…";
/// The columns that a shortened URL needs for its path: `/…` and the end of the path.
pub(super) const PATH_END: usize = 10;

/// The text, or its beginning and `…`.
pub(super) fn beginning(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut shown = String::new();
    for character in text.chars() {
        if shown.width() + character.width().unwrap_or(0) + CUT.width() > width {
            break;
        }
        shown.push(character);
    }
    shown.truncate(shown.trim_end().len());
    shown + CUT
}

/// The text, or `…` and its end.
fn end(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut start = text.len();
    for (at, _) in text.char_indices().rev() {
        if text[at..].width() + CUT.width() > width {
            break;
        }
        start = at;
    }
    format!("{CUT}{}", &text[start..])
}

/// Protocol and host, and the path from its `/` on.
pub(super) fn split_url(url: &str) -> (&str, &str) {
    let host = url.find("://").map_or(0, |at| at + 3);
    let path = url[host..].find('/').map_or(url.len(), |at| host + at);
    url.split_at(path)
}

pub(super) fn shortened_url(url: &str, width: usize) -> String {
    let (host, path) = split_url(url);
    if url.width() <= width {
        url.to_owned()
    } else if path.is_empty() {
        end(host, width)
    } else if host.width() + 3 <= width {
        format!("{host}/{}", end(path, width - host.width() - 1))
    } else {
        format!("{}/{CUT}", end(host, width.saturating_sub(2)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortened_url_keeps_its_host_and_the_end_of_its_path() {
        let long = "one.test/acme/rockets/engine.git";
        for (url, width, shown) in [
            (long, 32, long),
            (long, 20, "one.test/\u{2026}engine.git"),
            (long, 18, "one.test/\u{2026}gine.git"),
            (long, 12, "one.test/\u{2026}it"),
            (long, 10, "one.test/\u{2026}"),
            (long, 9, "\u{2026}e.test/\u{2026}"),
            (
                "http://one.test/acme/rockets",
                25,
                "http://one.test/\u{2026}/rockets",
            ),
            ("one.test", 6, "\u{2026}.test"),
        ] {
            assert_eq!(shortened_url(url, width), shown, "{url} {width}");
        }
    }

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(
            beginning("\u{6771}\u{4eac}\u{90fd}", 6),
            "\u{6771}\u{4eac}\u{90fd}"
        );
        assert_eq!(
            beginning("\u{6771}\u{4eac}\u{90fd}", 5),
            "\u{6771}\u{4eac}\u{2026}"
        );
        assert_eq!(beginning("\u{6771}\u{4eac}\u{90fd}", 4), "\u{6771}\u{2026}");
        assert_eq!(end("\u{6771}\u{4eac}\u{90fd}", 4), "\u{2026}\u{90fd}");
    }
}
