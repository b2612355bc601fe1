//! Moments and durations: the two clocks, and how durations are read and written.

use std::time::Duration;

use crate::platform;

/// The two clocks at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The time since the machine started, with the suspended time. This clock cannot be set.
    pub monotonic: Duration,
    /// Seconds since 1970 in UTC. Users and network time set this clock.
    pub unix: u64,
    /// The milliseconds after that second.
    pub fraction: u32,
}

impl Now {
    /// Milliseconds since 1970 in UTC.
    pub fn milliseconds(self) -> u64 {
        self.unix
            .saturating_mul(1000)
            .saturating_add(u64::from(self.fraction))
    }

    /// Returns the present by the monotonic clock: a lock or a user may have taken time.
    #[must_use]
    pub fn fresh(self) -> Self {
        let boot = platform::monotonic_now().max(self.monotonic);
        let passed = boot.saturating_sub(self.monotonic).as_millis();
        let passed = u64::try_from(passed).unwrap_or(u64::MAX);
        let milliseconds = self.milliseconds().saturating_add(passed);
        Self {
            monotonic: boot,
            unix: milliseconds / 1000,
            fraction: u32::try_from(milliseconds % 1000).unwrap_or_default(),
        }
    }
}

/// The source of the time. A test passes its own.
pub type Clock = fn() -> Now;

/// The machine's clocks.
pub fn now() -> Now {
    let unix_now = platform::unix_now();
    Now {
        monotonic: platform::monotonic_now(),
        unix: unix_now.as_secs(),
        fraction: unix_now.subsec_millis(),
    }
}

/// A duration that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a duration: write a number of seconds, or a number with s, m, h, d, w, mo or y, such as 8h or 7d"
)]
pub struct DurationError;

/// A month has 30 days, a year 365. `mo` comes before `m`.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 86_400),
    ("mo", 30 * 86_400),
    ("w", 7 * 86_400),
    ("d", 86_400),
    ("h", 3600),
    ("m", 60),
    ("s", 1),
];

/// Reads `90`, `90s`, `15m`, `8h`, `7d`, `2w`, `6mo`, `1y` and sums such as `1h30m`. A bare number is
/// seconds, as in git's own cache.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    // `parse` would take a sign.
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = text.parse().map_err(|_| DurationError)?;
        return Ok(Duration::from_secs(seconds));
    }
    let mut total: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .ok_or(DurationError)?;
        let number: u64 = rest[..digits].parse().map_err(|_| DurationError)?;
        let tail = &rest[digits..];
        let unit = UNITS.iter().find(|(name, _)| tail.starts_with(name));
        let (unit, seconds) = unit.ok_or(DurationError)?;
        let part = number.checked_mul(*seconds).ok_or(DurationError)?;
        total = total.checked_add(part).ok_or(DurationError)?;
        rest = &tail[unit.len()..];
    }
    Ok(Duration::from_secs(total))
}

/// Returns a span in a suitable unit, rounded down: `5 days`, `1 hour`, `40 minutes`.
///
/// The span is first rounded to the nearest hour, or below two hours to the nearest minute: some seconds after
/// `--expires 5d` it is still `5 days`.
pub fn in_words(seconds: u64) -> String {
    let seconds = match seconds {
        0..120 => seconds,
        120..7200 => (seconds + 30) / 60 * 60,
        _ => seconds.saturating_add(1800) / 3600 * 3600,
    };
    let (number, unit) = match seconds {
        3600 => (1, "hour"),
        86_400 => (1, "day"),
        0..120 => (seconds, "second"),
        120..7200 => (seconds / 60, "minute"),
        7200..172_800 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, seconds) in [
            ("0", 0),
            ("900", 900),
            ("90s", 90),
            ("15m", 900),
            ("8h", 28_800),
            ("7d", 604_800),
            ("2w", 1_209_600),
            ("1mo", 30 * 86_400),
            ("6mo", 180 * 86_400),
            ("1y", 365 * 86_400),
            ("1y1mo1m", 395 * 86_400 + 60),
            ("1h30m", 5400),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_secs(seconds)),
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in [
            "",
            "h",
            "-1",
            "+1",
            "1.5h",
            "1 h",
            "1M",
            "1years",
            "1H",
            "h1",
            "1h30",
            "99999999999999999999",
            "9999999999999999w",
            "１h",
            "5é",
        ] {
            assert_eq!(parse_duration(text), Err(DurationError), "{text}");
        }
    }

    #[test]
    fn words_round_down_but_for_some_seconds() {
        for (seconds, words) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (119, "119 seconds"),
            (120, "2 minutes"),
            (3599, "1 hour"),
            (7169, "119 minutes"),
            (7199, "2 hours"),
            (3600, "1 hour"),
            (7200, "2 hours"),
            (86_400, "1 day"),
            (170_999, "47 hours"),
            (172_799, "2 days"),
            (172_800, "2 days"),
            (73 * 3600, "3 days"),
            (5 * 86_400 + 1, "5 days"),
            (5 * 86_400 - 60, "5 days"),
            (5 * 86_400 - 3600, "4 days"),
            (u64::MAX, "213503982334601 days"),
        ] {
            assert_eq!(in_words(seconds), words);
        }
    }
}
