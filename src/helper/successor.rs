//! The token that a forge issues in the place of an old one, as its answer tells; and the last day to ask for.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::credential::expiry::{End, Expiry};
use crate::forge::answer::Answer;
use crate::secret::Secret;
use crate::time::Now;

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    token: Cow<'a, str>,
    #[serde(borrow)]
    expires_at: Option<Day<'a>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Day<'a> {
    Text(#[serde(borrow)] Cow<'a, str>),
    /// The token is good all the same.
    Other(IgnoredAny),
}

/// The new token and its end.
pub(super) fn successor(answer: &Answer) -> Option<(Secret, Option<Expiry>)> {
    let bytes = answer.body.as_slice();
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    // Text after the value is not ours to check: the token is complete.
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter();
    let Said { token, expires_at } = values.next()?.ok()?;
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    // The token expires at 00:00 UTC, at the start of that day.
    let day = match expires_at {
        Some(Day::Text(day)) => Some(day.chars().take(10).collect::<String>()),
        Some(Day::Other(_)) | None => None,
    };
    let end = day
        .and_then(|day| End::parse(&format!("{day}T00:00:00Z")).ok())
        .and_then(|end| end.expiry(0));
    is_token.then(|| (Secret::new(token.as_bytes()), end))
}

/// The day at whose start a token may end that is to be good until `end`. As many days as GitLab allows at most are not made
/// more by the hours that are left of today (Personal access tokens, Access token expiration).
pub(super) fn last_day(end: Expiry, now: Now) -> Option<String> {
    const DAY: u64 = 24 * 60 * 60;
    let days = end.unix().div_ceil(DAY);
    let most = now.wall / DAY + 365;
    let is_allowed = end.unix().saturating_sub(now.wall) <= 365 * DAY;
    let days = if is_allowed { days.min(most) } else { days };
    let day = Expiry::from_unix(days.saturating_mul(DAY))?.rfc3339()?;
    Some(day.chars().take(10).collect())
}
