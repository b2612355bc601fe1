//! An HTTP answer, from a forge or from a program in its place.

use serde::de::DeserializeOwned;
use time::PrimitiveDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::secret::Buffer;

/// In seconds. Longer waits are wrong: a limit lasts at most an hour (docs.github.com, "Rate limits for the REST API").
const LONGEST_WAIT: u64 = 24 * 60 * 60;

#[derive(Debug)]
pub struct HttpAnswer {
    pub status: u16,
    /// In their order; names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// At most `http::LARGEST` bytes. May hold a new token.
    pub body: Buffer,
}

impl HttpAnswer {
    /// Returns a header's text if the header came once and is printable ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter().filter(|(known, _)| known == name);
        let (_, value) = all.next().filter(|_| all.next().is_none())?;
        let is_text = value.iter().all(|byte| matches!(byte, b' '..=b'~'));
        std::str::from_utf8(value)
            .ok()
            .filter(|_| is_text)
            .map(str::trim)
    }

    /// Returns the body as `T`, or `None` for any other shape, and for text after the value.
    pub fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(self.body.as_slice()).ok()
    }

    /// Returns for how many seconds the sender accepts no more requests, if the answer tells.
    pub fn wait(&self, unix_now: u64) -> Option<u64> {
        let number = |name| self.header(name)?.parse::<u64>().ok();
        let until_reset = || {
            let reset = number("x-ratelimit-reset").or_else(|| number("ratelimit-reset"))?;
            Some(reset.saturating_sub(self.date().unwrap_or(unix_now)))
        };
        let wait = number("retry-after").or_else(until_reset);
        wait.filter(|wait| (1..=LONGEST_WAIT).contains(wait))
    }

    /// The `Date` header (RFC 9110 §5.6.7), by the sender's clock, in Unix seconds.
    pub fn date(&self) -> Option<u64> {
        const FORM: &[BorrowedFormatItem<'_>] = format_description!(
            "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
        );
        let moment = PrimitiveDateTime::parse(self.header("date")?, FORM).ok()?;
        u64::try_from(moment.assume_utc().unix_timestamp()).ok()
    }
}

/// Returns `name` if it can be shown and typed: at most 256 bytes, no control characters.
pub fn checked_name(name: String) -> Option<String> {
    let is_name = !name.is_empty() && name.len() <= 256 && !name.chars().any(char::is_control);
    is_name.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::super::recorded::answer;

    #[test]
    fn a_header_that_is_not_one_text_says_nothing() {
        let twice = answer(200, &[("x", "a"), ("y", "b"), ("x", "a")], "");
        assert_eq!((twice.header("x"), twice.header("y")), (None, Some("b")));
        for garbage in ["a\tb", "\u{e9}", "a\u{7f}", "a\u{1b}[2J"] {
            assert_eq!(answer(200, &[("x", garbage)], "").header("x"), None);
        }
    }

    #[test]
    fn dates_of_answers() {
        let date = |text| answer(200, &[("date", text)], "").date();
        assert_eq!(date("Sat, 21 Nov 2026 03:39:39 GMT"), Some(1_795_232_379));
        for wrong in [
            "",
            "2026-11-21",
            "Sat, 21 Nov 2026 03:39:39 +0000",
            "Sat, 31 Feb 2026 00:00:00 GMT",
            "Sat, 21 Nov 1926 03:39:39 GMT",
        ] {
            assert_eq!(date(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_limit_says_how_long_it_lasts() {
        let wait = |headers: &[(&str, &str)]| answer(403, headers, "").wait(1000);
        assert_eq!(wait(&[("retry-after", "60")]), Some(60));
        assert_eq!(wait(&[("x-ratelimit-reset", "1060")]), Some(60));
        assert_eq!(wait(&[("x-ratelimit-reset", "900")]), None);
        assert_eq!(wait(&[("retry-after", "99999999")]), None);
        assert_eq!(wait(&[("retry-after", "tomorrow")]), None);
        assert_eq!(wait(&[]), None);
    }
}
