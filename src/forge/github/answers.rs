//! Reads GitHub's answers about a token.
//!
//! Sources: google/go-github#2649 (two formats of one date), #3708 (a date that is no expiry); docs.github.com for the rest.

use serde::Deserialize;
use serde::de::IgnoredAny;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use crate::credential::expiry::Expiry;
use crate::credential::scopes::scopes_of;
use crate::credential::token::TokenKind;
use crate::forge::answer::{HttpAnswer, checked_name};
use crate::forge::{ForgeExpiry, ForgeSite, TokenFacts, TokenVerdict};

/// In seconds. A date this close to the answer's own is no expiry (google/go-github#3708).
const TRAP: u64 = 10 * 60;

const IN_UTC: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
const WITH_OFFSET: &[BorrowedFormatItem<'_>] = format_description!(
    "[year]-[month]-[day] [hour]:[minute]:[second] [offset_hour sign:mandatory][offset_minute]"
);

/// The fields of `GET /user` and `GET /rate_limit` that identify GitHub.
#[derive(Deserialize)]
struct GitHubAnswer {
    login: Option<String>,
    id: Option<u64>,
    resources: Option<Resources>,
}

#[derive(Deserialize)]
struct Resources {
    #[serde(rename = "core")]
    _core: IgnoredAny,
}

/// An error. Other programs' errors have other fields (`timestamp`, `path`, `error`).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GitHubError {
    message: String,
    documentation_url: Option<String>,
    #[serde(rename = "status")]
    _status: Option<IgnoredAny>,
    #[serde(rename = "errors")]
    _errors: Option<IgnoredAny>,
}

impl GitHubError {
    /// Whether it links to GitHub's own pages, as github.com and GitHub Enterprise do.
    fn is_documented(&self) -> bool {
        let link = self.documentation_url.as_deref().unwrap_or_default();
        let place = link.strip_prefix("https://").unwrap_or_default();
        let host = place.split('/').next().unwrap_or_default();
        host == "github.com" || host.ends_with(".github.com")
    }
}

pub(super) fn recognizes(answer: &HttpAnswer) -> bool {
    let refusal = answer.json::<GitHubError>();
    let is_own = refusal.is_some_and(|refusal| refusal.is_documented());
    let limits = answer
        .json::<GitHubAnswer>()
        .and_then(|said| said.resources);
    matches!(answer.status, 401 | 403 | 404) && is_own || limits.is_some()
}

pub(super) fn read(
    answer: &HttpAnswer,
    token: Option<TokenKind>,
    unix_now: u64,
) -> Option<TokenVerdict> {
    match answer.status {
        200 => good(answer, token, unix_now),
        401 => is_bad_credentials(answer).then_some(TokenVerdict::Rejected),
        403 => forbidden(answer, unix_now),
        _ => None,
    }
}

/// `None` for the JSON of another program.
fn good(answer: &HttpAnswer, token: Option<TokenKind>, unix_now: u64) -> Option<TokenVerdict> {
    let said: GitHubAnswer = answer.json()?;
    let user = said.login.filter(|_| said.id.is_some());
    if user.is_none() && said.resources.is_none() {
        return None;
    }
    Some(TokenVerdict::Good(TokenFacts {
        end: end(answer, token, unix_now),
        scopes: answer.header("x-oauth-scopes").and_then(scopes_of),
        user: user.and_then(checked_name),
        kind: None,
    }))
}

/// "Requires authentication" is no rejection: a proxy removed the token from the request. Spring Security also answers "Bad
/// credentials", but links to no documentation.
fn is_bad_credentials(answer: &HttpAnswer) -> bool {
    let said: Option<GitHubError> = answer.json();
    said.is_some_and(|said| {
        said.is_documented() && said.message.eq_ignore_ascii_case("Bad credentials")
    })
}

/// GitHub answers 403 for limits, policies and accounts, and only the message tells them apart. `None` for another program.
fn forbidden(answer: &HttpAnswer, unix_now: u64) -> Option<TokenVerdict> {
    let refusal: GitHubError = answer.json()?;
    let is_documented = refusal.is_documented();
    let message = refusal.message;
    let text = message.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    // "Maximum number of login attempts exceeded": good tokens get it too.
    if has(&["rate limit", "abuse detection", "attempts exceeded"]) {
        return Some(TokenVerdict::Limited {
            status: answer.status,
            wait: answer.wait(unix_now),
        });
    }
    // The token is good, but this path is not for its kind.
    if has(&["resource not accessible by"]) {
        return None;
    }
    let authorize = answer.header("x-github-sso").and_then(authorize_url);
    let is_own = is_documented
        || authorize.is_some()
        || answer.header("x-github-request-id").is_some()
        || has(&[
            "account was suspended",
            "account is suspended",
            "ip allow list",
        ]);
    is_own.then_some(TokenVerdict::Blocked {
        authorize,
        words: Some(message),
    })
}

/// Reads the header of tokens that expire. A date that is past, or close to the answer's own, is no expiry: the token is good.
fn end(answer: &HttpAnswer, token: Option<TokenKind>, unix_now: u64) -> ForgeExpiry {
    const NAME: &str = "github-authentication-token-expiration";
    if !answer.headers.iter().any(|(name, _)| name == NAME) {
        // These tokens always expire, so a missing header tells nothing.
        return match token {
            Some(TokenKind::Installation | TokenKind::App) => ForgeExpiry::Unknown,
            _ => ForgeExpiry::Never,
        };
    }
    let Some(expiry) = answer.header(NAME).and_then(moment) else {
        return ForgeExpiry::Unknown;
    };
    let sent = answer.date().unwrap_or(unix_now);
    if expiry.unix() <= sent.saturating_add(TRAP) {
        ForgeExpiry::Unknown
    } else {
        ForgeExpiry::At(expiry)
    }
}

/// `2023-01-31 23:00:00 UTC` or `2023-04-26 23:23:18 +0200`.
fn moment(text: &str) -> Option<Expiry> {
    let moment = PrimitiveDateTime::parse(text, IN_UTC)
        .map(PrimitiveDateTime::assume_utc)
        .or_else(|_| OffsetDateTime::parse(text, WITH_OFFSET))
        .ok()?;
    Expiry::from_unix(u64::try_from(moment.unix_timestamp()).ok()?)
}

/// Reads `required; url=https://…`.
pub(super) fn authorize_url(header: &str) -> Option<String> {
    let url = header.strip_prefix("required; url=")?;
    is_sane(url).then(|| url.to_owned())
}

/// Finds the link to single sign-on of an organization or enterprise in an answer of git's endpoint.
pub(super) fn authorize_url_in(site: &ForgeSite, body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let mut words = text.split(|character: char| !character.is_ascii_graphic());
    let own = site.url("/");
    let is_link = |word: &&str| word.starts_with(&own) && word.contains("/sso?") && is_sane(word);
    words.find(is_link).map(str::to_owned)
}

fn is_sane(url: &str) -> bool {
    url.starts_with("https://") && url.len() <= 2048 && !url.contains([' ', '"', '<', '>'])
}
