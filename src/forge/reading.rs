//! The one reader of a forge's answers.
//!
//! | outcome | evidence |
//! |---|---|
//! | good | 200, JSON, fields that only this forge's answer has |
//! | rejected | 401 (or 200), JSON, this forge's own words about the token |
//! | limited | 429, 503, or 403 with `Retry-After`, `X-RateLimit-Remaining: 0` or the forge's words |
//! | blocked | 403, JSON, this forge's own words: the token is good, its account or address is not let in |
//! | unclear | everything else: pages, proxies, firewalls, broken or empty bodies, redirects, 5xx |
//!
//! Only *rejected* makes a token invalid. Each forge reads its own forms ([`Forge::read`]); this file handles the common part.

use super::answer::HttpAnswer;
use super::{Forge, ForgeExpiry, TokenVerdict};
use crate::credential::expiry::Expiry;
use crate::credential::token::TokenKind;

/// Returns the verdict of `answer` on a token. `unix_now`: the present, in Unix seconds.
pub fn read(
    forge: &dyn Forge,
    answer: &HttpAnswer,
    token: Option<TokenKind>,
    unix_now: u64,
) -> TokenVerdict {
    if is_limited(answer) {
        return TokenVerdict::Limited {
            status: answer.status,
            wait: answer.wait(unix_now),
        };
    }
    let status = answer.status;
    let verdict = Some(answer).filter(|answer| is_json(answer));
    match verdict.and_then(|answer| forge.read(answer, token, unix_now)) {
        Some(TokenVerdict::Good(mut found)) => {
            let now = answer.date().unwrap_or(unix_now).max(unix_now);
            found.end = found.end.after(now);
            TokenVerdict::Good(found)
        }
        Some(verdict) => verdict,
        None => TokenVerdict::Unclear { status },
    }
}

/// Whether `answer`, to a request without a token, comes from `forge`.
pub fn is_from(forge: &dyn Forge, answer: &HttpAnswer) -> bool {
    is_json(answer) && forge.recognizes(answer)
}

impl ForgeExpiry {
    /// Drops an expiry that is not after `moment`: a token that the forge accepts has not expired, so the date is wrong.
    #[must_use]
    pub fn after(self, moment: u64) -> Self {
        match self {
            Self::At(end) if end.left(moment) == 0 => Self::Unknown,
            told => told,
        }
    }

    pub fn expiry(self) -> Option<Expiry> {
        match self {
            Self::At(end) => Some(end),
            Self::Never | Self::Unknown => None,
        }
    }
}

/// 401 is never a limit: GitHub sends `X-RateLimit-Remaining` with every answer.
fn is_limited(answer: &HttpAnswer) -> bool {
    match answer.status {
        429 | 503 => true,
        403 => {
            // GitHub's name and GitLab's.
            let remaining = ["x-ratelimit-remaining", "ratelimit-remaining"];
            answer.header("retry-after").is_some()
                || remaining
                    .iter()
                    .any(|name| answer.header(name) == Some("0"))
        }
        _ => false,
    }
}

/// Every forge's API answers in JSON (`application/json`, `application/vnd.….+json`); pages and firewalls do not.
fn is_json(answer: &HttpAnswer) -> bool {
    let kind = answer.header("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let kind = kind.to_ascii_lowercase();
    kind.strip_prefix("application/")
        .is_some_and(|kind| kind == "json" || kind.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use super::super::recorded::answer;
    use super::*;

    #[test]
    fn an_expiry_that_is_not_ahead_is_unknown() {
        let at = |seconds| ForgeExpiry::At(Expiry::from_unix(seconds).unwrap());
        assert_eq!(at(100).after(100), ForgeExpiry::Unknown);
        assert_eq!(at(99).after(100), ForgeExpiry::Unknown);
        assert_eq!(at(101).after(100), at(101));
        assert_eq!(ForgeExpiry::Never.after(100), ForgeExpiry::Never);
    }

    #[test]
    fn a_403_is_a_limit_where_a_header_says_so() {
        for (header, is_one) in [
            (("retry-after", "60"), true),
            (("x-ratelimit-remaining", "0"), true),
            (("ratelimit-remaining", "0"), true),
            (("ratelimit-remaining", "1"), false),
        ] {
            assert_eq!(
                is_limited(&answer(403, &[header], "")),
                is_one,
                "{header:?}"
            );
        }
    }

    #[test]
    fn only_json_is_an_apis_answer() {
        for (kind, is_one) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/vnd.github+json", true),
            ("application/problem+json", true),
            ("text/html; charset=utf-8", false),
            ("text/plain", false),
            ("text/json", false),
            ("application/jsonp", false),
            ("", false),
        ] {
            let answer = answer(200, &[("content-type", kind)], "{}");
            assert_eq!(is_json(&answer), is_one, "{kind}");
        }
        assert!(!is_json(&answer(200, &[], "{}")));
    }
}
