//! git's booleans (git-config(1), boolean; `git_parse_maybe_bool` in git's `config.c`).

/// Reads a boolean: `true`, `yes`, `on`, `false`, `no`, `off`, nothing, or a number in C's notation with an optional `k`, `m` or
/// `g`, within C's `int`. Returns `None` for anything else: git then stops with an error.
pub fn parse(text: &[u8]) -> Option<bool> {
    let text = text.to_ascii_lowercase();
    match &text[..] {
        b"true" | b"yes" | b"on" => Some(true),
        b"false" | b"no" | b"off" | b"" => Some(false),
        number => number_is_not_zero(number),
    }
}

fn number_is_not_zero(text: &[u8]) -> Option<bool> {
    // The spaces of C's `isspace`.
    let text = str::from_utf8(text)
        .ok()?
        .trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    let (number, factor) = match text.as_bytes() {
        [.., b'k'] => (&text[..text.len() - 1], 1 << 10),
        [.., b'm'] => (&text[..text.len() - 1], 1 << 20),
        [.., b'g'] => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    let number = number.strip_prefix(['+', '-']).unwrap_or(number);
    let (digits, radix) = match number.as_bytes() {
        [b'0', b'x', ..] => (&number[2..], 16),
        [b'0', _, ..] => (&number[1..], 8),
        _ => (number, 10),
    };
    // Rust would read another sign.
    let number = i32::from_str_radix(digits, radix)
        .ok()
        .filter(|_| !digits.starts_with(['+', '-']))?;
    Some(number.checked_mul(factor)? != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_are_read_as_git_reads_them() {
        for text in [
            "true",
            "Yes",
            "ON",
            "1",
            "-1",
            "10k",
            "0x10",
            "010",
            " 1G",
            "\x0b1",
            "2147483647",
        ] {
            assert_eq!(parse(text.as_bytes()), Some(true), "{text:?}");
        }
        for text in [
            "", "False", "no", "OFF", "0", "00", "-0", "+0", "0x0", "0k", " 0",
        ] {
            assert_eq!(parse(text.as_bytes()), Some(false), "{text:?}");
        }
        for text in [
            "never",
            "maybe",
            "k",
            "-",
            "0x",
            "08",
            "1 ",
            "1kk",
            "true ",
            "--1",
            "0x-1",
            "2g",
            "2147483648",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }
}
