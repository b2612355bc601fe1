//! Dates and durations, from git and from people: each is read as by hand, or not at all.
#![no_main]

use git_credential_pat::credential::expiry::{Expiry, StatedExpiry};
use git_credential_pat::time::{in_words, parse_duration};
use libfuzzer_sys::fuzz_target;

const MOST: u64 = 999_999_999_999;

/// Digits only, as many as `count`.
fn number(text: &str, count: usize) -> Option<i64> {
    let is_number = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

fn day(text: &str) -> Option<i64> {
    let [year, month, day] = text.split('-').collect::<Vec<_>>()[..] else {
        return None;
    };
    naive::days_since_1970(number(year, 4)?, number(month, 2)?, number(day, 2)?)
}

/// A moment as RFC 3339 has it, in seconds since 1970; `Err`: somewhere near a leap second, where opinions differ.
fn moment(text: &str) -> Option<Result<i64, ()>> {
    let text = text.to_ascii_lowercase();
    let (date, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix('t').or_else(|| rest.strip_prefix(' '))?;
    let (time, zone) = rest.split_at_checked(8)?;
    let [hours, minutes, seconds] = time.split(':').collect::<Vec<_>>()[..] else {
        return None;
    };
    let (hours, minutes, seconds) = (number(hours, 2)?, number(minutes, 2)?, number(seconds, 2)?);
    if hours > 23 || minutes > 59 || seconds > 60 {
        return None;
    }
    let zone = match zone.strip_prefix('.') {
        None => zone,
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            if zone.len() == fraction.len() {
                return None;
            }
            zone
        }
    };
    let offset = if zone == "z" {
        0
    } else {
        let sign = match zone.chars().next()? {
            '+' => 1,
            '-' => -1,
            _ => return None,
        };
        let (hours, minutes) = zone[1..].split_once(':')?;
        let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
        if hours > 23 || minutes > 59 {
            return None;
        }
        sign * (hours * 60 + minutes) * 60
    };
    if seconds == 60 {
        return Some(Err(()));
    }
    let seconds = day(date)? * 86_400 + hours * 3600 + minutes * 60 + seconds;
    Some(Ok(seconds - offset))
}

fuzz_target!(|data: &[u8]| {
    let expiry = Expiry::parse(data);
    let text = String::from_utf8_lossy(data);
    let digits = data.len() <= 12 && data.iter().all(u8::is_ascii_digit);
    let plain = text
        .parse::<u64>()
        .ok()
        .filter(|seconds| digits && (1..=MOST).contains(seconds));
    assert_eq!(expiry.map(Expiry::unix), plain);
    if let Some(expiry) = expiry {
        // In its last second a token is good, as git holds it.
        assert!(!expiry.is_past(expiry.unix()) && expiry.is_past(expiry.unix() + 1));
        assert_eq!(Expiry::parse(expiry.to_string().as_bytes()), Some(expiry));
        assert!(!expiry.day().is_empty());
        assert_eq!(expiry.rfc3339().is_some(), expiry.unix() < 253_402_300_800);
        if let Some(written) = expiry.rfc3339() {
            assert_eq!(moment(&written), Some(Ok(expiry.unix().cast_signed())));
        }
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let duration = parse_duration(text).ok().map(|duration| duration.as_secs());
    assert_eq!(duration, naive::duration(text));
    assert!(!in_words(duration.unwrap_or(u64::MAX)).is_empty());

    let in_range = |seconds: i64| {
        let seconds = u64::try_from(seconds).ok();
        Expiry::from_unix(seconds.unwrap_or(0)).map(StatedExpiry::At)
    };
    let wanted = if text == "never" {
        Some(StatedExpiry::Never)
    } else if let Some(days) = day(text) {
        in_range(days * 86_400 + 86_399)
    } else if let Some(moment) = moment(text) {
        let Ok(seconds) = moment else {
            return;
        };
        in_range(seconds)
    } else {
        // A number of days is what people mean who write none of these.
        let has_unit = !text.bytes().all(|byte| byte.is_ascii_digit());
        duration
            .filter(|seconds| has_unit && (1..=MOST).contains(seconds))
            .map(StatedExpiry::In)
    };
    assert_eq!(StatedExpiry::parse(text).ok(), wanted, "{text}");
});
