//! git's booleans (git-config(1), boolean; `git_parse_maybe_bool` in git's `config.c`).

/// Reads a boolean: `true`, `yes`, `on`, `false`, `no`, `off`, nothing, or a number in C's notation with an optional `k`, `m` or
/// `g`. Returns `None` for anything else: git then stops with an error.
pub fn parse(text: &[u8]) -> Option<bool> {
    let text = text.to_ascii_lowercase();
    match &text[..] {
        b"true" | b"yes" | b"on" => Some(true),
        b"false" | b"no" | b"off" | b"" => Some(false),
        number => number_is_not_zero(number),
    }
}

fn number_is_not_zero(text: &[u8]) -> Option<bool> {
    let text = text.trim_ascii_start();
    let text = text
        .strip_suffix(b"k")
        .or(text.strip_suffix(b"m"))
        .or(text.strip_suffix(b"g"))
        .unwrap_or(text);
    let text = text
        .strip_prefix(b"+")
        .or(text.strip_prefix(b"-"))
        .unwrap_or(text);
    let (digits, radix) = match text {
        [b'0', b'x', digits @ ..] => (digits, 16),
        [b'0', digits @ ..] if !digits.is_empty() => (digits, 8),
        digits => (digits, 10),
    };
    let are_digits = digits
        .iter()
        .all(|&digit| char::from(digit).is_digit(radix));
    (!digits.is_empty() && are_digits).then(|| digits.iter().any(|&digit| digit != b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_are_read_as_git_reads_them() {
        for text in ["true", "Yes", "ON", "1", "-1", "10k", "0x10", "010", " 2G"] {
            assert_eq!(parse(text.as_bytes()), Some(true), "{text:?}");
        }
        for text in [
            "", "False", "no", "OFF", "0", "00", "-0", "+0", "0x0", "0k", " 0",
        ] {
            assert_eq!(parse(text.as_bytes()), Some(false), "{text:?}");
        }
        for text in ["never", "maybe", "k", "-", "0x", "08", "1 ", "1kk", "true "] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }
}
