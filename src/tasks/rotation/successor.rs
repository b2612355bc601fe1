//! The token that a forge issues in the place of an old one, as its answer tells; and the last day to ask for.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::credential::expiry::{Expiry, StatedExpiry};
use crate::forge::ForgeExpiry;
use crate::forge::answer::HttpAnswer;
use crate::secret::Secret;
use crate::time::Now;

#[derive(Deserialize)]
struct RotationReply<'a> {
    #[serde(borrow)]
    token: Cow<'a, str>,
    #[serde(borrow, default)]
    expires_at: Day<'a>,
}

#[derive(Default, Deserialize)]
#[serde(untagged)]
enum Day<'a> {
    #[default]
    #[serde(skip)]
    Missing,
    Text(#[serde(borrow)] Cow<'a, str>),
    /// `null`
    Never,
    /// The token is good all the same.
    Other(IgnoredAny),
}

/// The new token and its expiry.
pub(crate) fn successor(answer: &HttpAnswer) -> Option<(Secret, ForgeExpiry)> {
    let bytes = answer.body.as_slice();
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    // Text after the value is not ours to check: the token is complete.
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter();
    let RotationReply { token, expires_at } = match values.next()? {
        Ok(said) => said,
        Err(error) if error.is_eof() => cut_off(bytes)?,
        Err(_) => return None,
    };
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    let end = match expires_at {
        Day::Text(day) => start_of(&day).map_or(ForgeExpiry::Unknown, ForgeExpiry::At),
        Day::Never => ForgeExpiry::Never,
        Day::Other(_) | Day::Missing => ForgeExpiry::Unknown,
    };
    is_token.then(|| (Secret::new(token.as_bytes()), end))
}

/// The token expires at 00:00 UTC, at the start of that day.
fn start_of(day: &str) -> Option<Expiry> {
    let day: String = day.chars().take(10).collect();
    let end = StatedExpiry::parse(&format!("{day}T00:00:00Z")).ok()?;
    end.expiry(0)
}

/// Reads an answer that breaks off. A whole token in it is the only copy of the new one; its expiry is asked for later.
fn cut_off(bytes: &[u8]) -> Option<RotationReply<'_>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (_, rest) = text.split_once("\"token\"")?;
    let rest = rest.trim_start().strip_prefix(':')?;
    let rest = rest.trim_start().strip_prefix('"')?;
    let (token, _) = rest.split_once('"')?;
    (!token.contains('\\')).then_some(RotationReply {
        token: token.into(),
        expires_at: Day::Missing,
    })
}

/// The day at whose start a token may end that is to be good until `end`. As many days as GitLab allows at most are not made
/// more by the hours that are left of today (Personal access tokens, Access token expiration).
pub(crate) fn last_day(end: Expiry, now: Now) -> Option<String> {
    const DAY: u64 = 24 * 60 * 60;
    let days = end.unix().div_ceil(DAY);
    let most = now.unix / DAY + 365;
    let is_allowed = end.unix().saturating_sub(now.unix) <= 365 * DAY;
    let days = if is_allowed { days.min(most) } else { days };
    let day = Expiry::from_unix(days.saturating_mul(DAY))?.rfc3339()?;
    Some(day.chars().take(10).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forge::recorded::answer;

    #[test]
    fn a_null_expiry_means_never_and_a_missing_one_nothing() {
        let expected = ForgeExpiry::At(Expiry::from_unix(1_795_651_200).unwrap());
        for (rest, end) in [
            (r#","expires_at":null"#, ForgeExpiry::Never),
            (r#","expires_at":"2026-11-26""#, expected),
            (r#","expires_at":"soon""#, ForgeExpiry::Unknown),
            (r#","expires_at":{"day":5}"#, ForgeExpiry::Unknown),
            ("", ForgeExpiry::Unknown),
        ] {
            let body = format!(r#"{{"id":2,"token":"made-up"{rest}}}"#);
            let found = successor(&answer(201, &[], &body)).map(|(_, end)| end);
            assert_eq!(found, Some(end), "{body}");
        }
    }

    #[test]
    fn a_whole_token_in_a_cut_answer_is_the_new_one() {
        for (body, expected) in [
            (r#"{"id":2,"token":"made-up","acti"#, Some("made-up")),
            (r#"{"id":2, "token" : "made-up""#, Some("made-up")),
            (r#"{"id":2,"token":"made-u"#, None),
            (r#"{"id":2,"token":"made\u002d","a"#, None),
            (r#"{"id":2,"token":null,"a"#, None),
            (r#"{"id":2,"tok"#, None),
            (r#"{"id":2}"#, None),
            ("", None),
        ] {
            let found = successor(&answer(201, &[], body)).map(|(token, _)| token);
            let found = found.as_ref().map(Secret::expose);
            assert_eq!(found, expected.map(str::as_bytes), "{body}");
        }
    }
}
