//! When a token expires, and how people write that.

use std::fmt;

use serde::Deserialize;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::{format_description, time};
use time::{Date, OffsetDateTime};

use crate::time::parse_duration;

/// The last second in which a token works, in Unix time: git's `password_expiry_utc` (git-credential(1)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expiry(u64);

const DAY: &[BorrowedFormatItem<'_>] =
    format_description!("[day padding:none] [month repr:short] [year]");

impl Expiry {
    /// The largest number with the twelve digits that we read and write: the year 33658.
    const MAX: u64 = 999_999_999_999;

    /// From Unix seconds; `None` for 0, which git reads as "never", and for more than twelve digits.
    pub fn from_unix(seconds: u64) -> Option<Self> {
        (1..=Self::MAX).contains(&seconds).then_some(Self(seconds))
    }

    /// Reads one to twelve decimal digits above 0. Stricter than git, which reads `12abc` as 12 and other text as "never".
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.is_empty() || text.len() > 12 || !text.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let digits = text.iter().map(|digit| u64::from(digit - b'0'));
        Self::from_unix(digits.fold(0, |sum, digit| sum * 10 + digit))
    }

    /// Unix seconds.
    pub fn unix(self) -> u64 {
        self.0
    }

    /// Whether it is before `unix_now`. As for git, a token still works in its last second.
    pub fn is_past(self, unix_now: u64) -> bool {
        self.0 < unix_now
    }

    /// The remaining seconds at `unix_now`; 0 if expired.
    pub fn left(self, unix_now: u64) -> u64 {
        self.0.saturating_sub(unix_now)
    }

    /// The day in UTC, such as `26 Nov 2026`.
    pub fn day(self) -> String {
        let day = self.moment().and_then(|moment| moment.format(DAY).ok());
        day.unwrap_or_else(|| "after the year 9999".to_owned())
    }

    /// RFC 3339 in UTC, for JSON; `None` after the year 9999, which the format cannot express.
    pub fn rfc3339(self) -> Option<String> {
        self.moment()?.format(&Rfc3339).ok()
    }

    fn moment(self) -> Option<OffsetDateTime> {
        OffsetDateTime::from_unix_timestamp(i64::try_from(self.0).ok()?).ok()
    }
}

/// Decimal Unix seconds, as on the wire.
impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The source of an expiry, the most reliable first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExpirySource {
    /// git's `password_expiry_utc`: it comes from the helper that issued the token.
    Git,
    /// The answer of the forge.
    Forge,
    /// The user, with `expires` or `login`.
    Person,
    /// The `lifetime` of a `[[host]]` rule.
    Lifetime,
    /// The token itself: a JWT's `exp`.
    Token,
    /// Not recorded: the journal may be removed at any time, and other programs write into storages.
    Unknown,
}

impl ExpirySource {
    /// The word in messages, JSON and the journal.
    pub fn word(self) -> &'static str {
        match self {
            Self::Git => "git",
            Self::Forge => "forge",
            Self::Person => "person",
            Self::Lifetime => "lifetime",
            Self::Token => "token",
            Self::Unknown => "unknown",
        }
    }

    /// Whether an expiry from this source stays when `other` gives a different one.
    pub fn outranks(self, other: Self) -> bool {
        self < other
    }
}

/// An expiry as a user writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatedExpiry {
    /// Never, or unknown.
    Never,
    At(Expiry),
    /// This number of seconds from now.
    In(u64),
}

impl StatedExpiry {
    pub fn expiry(self, unix_now: u64) -> Option<Expiry> {
        match self {
            Self::Never => None,
            Self::At(expiry) => Some(expiry),
            Self::In(seconds) => Expiry::from_unix(unix_now.saturating_add(seconds)),
        }
    }

    /// Reads `never`, a date, an RFC 3339 time or a duration. On a bare date the token works until the day's last second.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const WRONG: &str =
            "not a date such as 2026-11-26, not a duration such as 90d, and not 'never'";
        const ZERO: &str = "a duration must be longer than zero";
        if text == "never" {
            return Ok(Self::Never);
        }
        // The library accepts a sign before the year, and any character between date and time.
        let (is_signed, middle) = (text.starts_with('+'), text.as_bytes().get(10));
        let day = Date::parse(text, format_description!("[year]-[month]-[day]")).ok();
        let day = day.map(|day| day.with_time(time!(23:59:59)).assume_utc());
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok();
        let moment = moment.filter(|_| matches!(middle, Some(b'T' | b't' | b' ')));
        if let Some(moment) = day.filter(|_| !is_signed).or(moment) {
            let seconds = u64::try_from(moment.unix_timestamp()).map_err(|_| WRONG)?;
            return Expiry::from_unix(seconds).map(Self::At).ok_or(WRONG);
        }
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err("a number needs a unit: 90d are 90 days");
        }
        match parse_duration(text) {
            Ok(span) if span.is_zero() => Err(ZERO),
            Ok(span) if Expiry::from_unix(span.as_secs()).is_some() => Ok(Self::In(span.as_secs())),
            _ => Err(WRONG),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digits_are_a_date() {
        assert_eq!(
            Expiry::parse(b"1795651200").map(Expiry::unix),
            Some(1_795_651_200)
        );
        assert_eq!(Expiry::parse(b"000000000005").map(Expiry::unix), Some(5));
        let none: [&[u8]; 12] = [
            b"-1",
            b"0",
            b"",
            b" 5",
            b"5 ",
            b"12abc",
            b"0x10",
            b"1e3",
            b"99999999999999999999",
            b"18446744073709551615",
            b"+5",
            b"0000000000000",
        ];
        for text in none {
            assert_eq!(Expiry::parse(text), None, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn the_last_second_is_still_good() {
        let expiry = Expiry::from_unix(100).unwrap();
        assert!(!expiry.is_past(100));
        assert!(expiry.is_past(101));
        assert_eq!((expiry.left(40), expiry.left(200)), (60, 0));
    }

    #[test]
    fn is_said_as_a_day() {
        let expiry = Expiry::from_unix(1_795_651_200).unwrap();
        assert_eq!(expiry.day(), "26 Nov 2026");
        assert_eq!(expiry.rfc3339().unwrap(), "2026-11-26T00:00:00Z");
        let far = Expiry::parse(b"999999999999").unwrap();
        assert_eq!(
            (far.day(), far.rfc3339()),
            ("after the year 9999".to_owned(), None)
        );
    }

    #[test]
    fn reads_days_moments_spans_and_never() {
        let at = |seconds| Ok(StatedExpiry::At(Expiry::from_unix(seconds).unwrap()));
        assert_eq!(StatedExpiry::parse("2026-11-26"), at(1_795_737_599));
        assert_eq!(
            StatedExpiry::parse("2026-11-26T00:00:00Z"),
            at(1_795_651_200)
        );
        assert_eq!(
            StatedExpiry::parse("2026-11-26T02:00:00+02:00"),
            at(1_795_651_200)
        );
        assert_eq!(
            StatedExpiry::parse("90d"),
            Ok(StatedExpiry::In(90 * 86_400))
        );
        assert_eq!(
            StatedExpiry::parse("1y"),
            Ok(StatedExpiry::In(365 * 86_400))
        );
        assert_eq!(
            StatedExpiry::parse("0d"),
            Err("a duration must be longer than zero")
        );
        assert_eq!(StatedExpiry::parse("never"), Ok(StatedExpiry::Never));
        for wrong in [
            "",
            "tomorrow",
            "2026-13-01",
            "2026-02-30",
            "26.11.2026",
            "+2026-11-26",
            "2026-11-26212:00:00Z",
            "2026-11-26x12:00:00Z",
            "0",
            "0d",
            "90",
            "1969-12-31",
            "99999999999999999999d",
        ] {
            assert!(StatedExpiry::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            StatedExpiry::parse("90"),
            Err("a number needs a unit: 90d are 90 days")
        );
    }
}
