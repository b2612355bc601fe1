//! GitLab: gitlab.com and self-managed instances.
//!
//! Sources in gitlabhq/gitlabhq: `lib/api/personal_access_tokens/self_information.rb`, `lib/api/api_guard.rb`,
//! `doc/user/profile/personal_access_tokens.md`, `doc/api/personal_access_tokens.md`.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use time::Date;
use time::macros::format_description;

use super::answer::HttpAnswer;
use super::{
    Call, Forge, ForgeExpiry, ForgeKind, ForgeSite, Method, MissingScope, Page, Renewal,
    Revocation, Signature, TokenFacts, TokenVerdict, Wish,
};
use crate::credential::expiry::Expiry;
use crate::credential::percent::query_value;
use crate::credential::scopes::checked_scopes;
use crate::credential::token::TokenKind;

const SELF: &str = "/api/v4/personal_access_tokens/self";
const TOKEN_INFO: &str = "/oauth/token/info";
const PAGE: &str = "/-/user_settings/personal_access_tokens";

#[derive(Debug)]
pub struct GitLab;

/// The answer about the token that signed the request.
#[derive(Deserialize)]
struct Myself {
    scopes: Vec<String>,
    active: bool,
    revoked: bool,
    /// A day, or `null`: never. A missing one is unknown.
    #[serde(default = "unknown_day")]
    expires_at: Option<String>,
}

/// No day: [`start_of`] does not read it.
#[expect(clippy::unnecessary_wraps, reason = "the field's type")]
fn unknown_day() -> Option<String> {
    Some(String::new())
}

/// An error: `message` comes from GitLab's API, the other fields from its OAuth library (RFC 6750 §3).
#[derive(Deserialize)]
struct GitLabError {
    message: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

/// The error for an unknown token. Spring's error may have the same `message`, but has more fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GitLabMessage {
    message: String,
}

/// The answer to `GET /oauth/token/info` (doorkeeper, `token_info_controller.rb`).
#[derive(Deserialize)]
struct TokenInfo {
    scope: Vec<String>,
    expires_in: Value,
    #[serde(rename = "resource_owner_id")]
    _owner: IgnoredAny,
    #[serde(rename = "application")]
    _application: IgnoredAny,
}

impl Forge for GitLab {
    fn kind(&self) -> ForgeKind {
        ForgeKind::GitLab
    }

    fn is_at(&self, host: &str) -> bool {
        host == "gitlab.com"
    }

    fn realms(&self) -> &'static [&'static str] {
        &["GitLab"]
    }

    fn prefixes(&self) -> &'static [(&'static str, TokenKind)] {
        &[
            ("glpat-", TokenKind::Access),
            ("gldt-", TokenKind::Deploy),
            ("glcbt-", TokenKind::Job),
            // The secret of an application, which signs in no user.
            ("gloas-", TokenKind::Service),
            ("glrtr-", TokenKind::Service),
            ("glrt-", TokenKind::Service),
            ("glptt-", TokenKind::Service),
            ("glft-", TokenKind::Service),
            ("glimt-", TokenKind::Service),
            ("glagent-", TokenKind::Service),
            ("glwt-", TokenKind::Service),
            ("glsoat-", TokenKind::Service),
            ("glffct-", TokenKind::Service),
        ]
    }

    /// An instance may put its own prefix in front: `SIE-glpat-`.
    fn token_kind(&self, token: &[u8]) -> Option<TokenKind> {
        for at in 0..token.len().min(65) {
            if at > 0 && token[at - 1] != b'-' {
                continue;
            }
            for (prefix, kind) in self.prefixes() {
                if token[at..].starts_with(prefix.as_bytes()) {
                    return Some(*kind);
                }
            }
        }
        None
    }

    /// GitLab accepts any name for a personal token (docs.gitlab.com, "Personal access tokens", "CI/CD job token", "Deploy
    /// tokens").
    fn default_username(&self, token: Option<TokenKind>) -> Option<&'static str> {
        match token {
            Some(TokenKind::Job) => Some("gitlab-ci-token"),
            Some(TokenKind::Deploy) => None,
            _ => Some("oauth2"),
        }
    }

    fn token_request(&self, site: &ForgeSite, token: Option<TokenKind>) -> Option<Call> {
        match token {
            Some(TokenKind::Access) => Some(call(site, Method::Get, SELF)),
            // A token without a prefix may be an OAuth token. `PRIVATE-TOKEN` does not accept those, `Bearer` accepts both.
            None => Some(Call {
                signature: Signature::Bearer,
                ..call(site, Method::Get, SELF)
            }),
            Some(_) => None,
        }
    }

    fn recognizes(&self, answer: &HttpAnswer) -> bool {
        let refusal = answer.json::<GitLabError>();
        answer.status == 401 && refusal.is_some_and(|refusal| refusal.says("401 Unauthorized"))
    }

    /// `self` is for personal access tokens: a good OAuth token gets 400 there, and uses another path.
    fn second_token_request(
        &self,
        site: &ForgeSite,
        token: Option<TokenKind>,
        answer: &HttpAnswer,
    ) -> Option<Call> {
        let refusal: GitLabError = answer.json()?;
        let is_other_kind = answer.status == 400 && refusal.says("400 Bad request");
        (token.is_none() && is_other_kind).then(|| Call {
            signature: Signature::Bearer,
            ..call(site, Method::Get, TOKEN_INFO)
        })
    }

    fn read(
        &self,
        answer: &HttpAnswer,
        token: Option<TokenKind>,
        unix_now: u64,
    ) -> Option<TokenVerdict> {
        match answer.status {
            200 => myself(answer).or_else(|| token_info(answer, unix_now)),
            401 => unauthorized(answer, token),
            403 => forbidden(answer),
            _ => None,
        }
    }

    fn missing_scope(&self, token: Option<TokenKind>, scopes: &[String]) -> Option<MissingScope> {
        let has = |scope: &str| scopes.iter().any(|known| known == scope);
        if !matches!(token, None | Some(TokenKind::Access)) || has("api") || has("write_repository")
        {
            return None;
        }
        Some(MissingScope {
            scope: "write_repository",
            consequence: if has("read_repository") {
                "git can fetch and cannot push"
            } else {
                "git can neither fetch nor push"
            },
        })
    }

    fn creation_pages(&self, site: &ForgeSite, wish: &Wish) -> Vec<Page> {
        let name = query_value(&wish.name);
        vec![Page {
            title: "personal access token",
            url: site.url(&format!(
                "{PAGE}?name={name}&scopes=write_repository,self_rotate"
            )),
            values: vec![
                ("Token name", wish.name.clone()),
                ("Expiration date", wish.last_day.clone()),
                ("Select scopes", "write_repository, self_rotate".to_owned()),
            ],
            username: None,
        }]
    }

    fn renewal(&self, site: &ForgeSite, token: Option<TokenKind>) -> Renewal {
        if matches!(token, None | Some(TokenKind::Access)) {
            Renewal::InPlace {
                call: call(site, Method::Post, &format!("{SELF}/rotate")),
                needs: &["api", "self_rotate"],
            }
        } else {
            Renewal::ByHand {
                page: site.url(PAGE),
                how: "ask the issuer of this token for a new one",
            }
        }
    }

    fn revocation(&self, site: &ForgeSite, token: Option<TokenKind>) -> Revocation {
        if matches!(token, None | Some(TokenKind::Access)) {
            Revocation::Signed(call(site, Method::Delete, SELF))
        } else {
            Revocation::ByHand(site.url(PAGE))
        }
    }
}

fn call(site: &ForgeSite, method: Method, path: &str) -> Call {
    Call {
        method,
        url: site.url(path),
        signature: Signature::PrivateToken,
        accept: "application/json",
    }
}

/// `None` for the JSON of another program.
fn myself(answer: &HttpAnswer) -> Option<TokenVerdict> {
    let said: Myself = answer.json()?;
    Some(match (said.revoked, said.active) {
        (true, _) => TokenVerdict::Revoked,
        (false, false) => TokenVerdict::Ended,
        (false, true) => TokenVerdict::Good(TokenFacts {
            end: match said.expires_at {
                None => ForgeExpiry::Never,
                Some(day) => start_of(&day).map_or(ForgeExpiry::Unknown, ForgeExpiry::At),
            },
            scopes: checked_scopes(said.scopes),
            ..TokenFacts::default()
        }),
    })
}

/// `None` for the JSON of another program. `expires_in` is `null` if the administrator lets OAuth tokens live forever.
fn token_info(answer: &HttpAnswer, unix_now: u64) -> Option<TokenVerdict> {
    let said: TokenInfo = answer.json()?;
    let end = match said.expires_in {
        Value::Null => ForgeExpiry::Never,
        // With any other value, only the expiry is unknown.
        value => value
            .as_u64()
            .and_then(|seconds| Expiry::from_unix(unix_now.saturating_add(seconds)))
            .map_or(ForgeExpiry::Unknown, ForgeExpiry::At),
    };
    Some(TokenVerdict::Good(TokenFacts {
        end,
        scopes: checked_scopes(said.scope),
        kind: Some(TokenKind::OAuth),
        ..TokenFacts::default()
    }))
}

impl GitLabError {
    fn says(&self, words: &str) -> bool {
        let said = [&self.message, &self.error_description];
        let mut said = said.into_iter().flatten();
        said.any(|said| said.starts_with(words))
    }
}

/// `None` for another program. Gateways answer `invalid_token` too, so only the descriptions of `api_guard.rb` count.
fn unauthorized(answer: &HttpAnswer, token: Option<TokenKind>) -> Option<TokenVerdict> {
    let refusal: GitLabError = answer.json()?;
    if refusal.error.as_deref() == Some("invalid_token") {
        let words = refusal.error_description.clone();
        return match () {
            () if refusal.says("Token was revoked.") => Some(TokenVerdict::Revoked),
            () if refusal.says("Token is expired.") => Some(TokenVerdict::Ended),
            () if refusal.says("Bad Access Token.") => unknown_token(token),
            // The administrator can allow it again.
            () if refusal.says("Token is an impersonation token") => Some(TokenVerdict::Blocked {
                authorize: None,
                words,
            }),
            () => None,
        };
    }
    let words: Option<GitLabMessage> = answer.json();
    let is_own = words.is_some_and(|words| words.message == "401 Unauthorized");
    is_own.then(|| unknown_token(token)).flatten()
}

/// The API does not know the token. A token without a prefix may be a deploy or job token, which only git can use.
fn unknown_token(token: Option<TokenKind>) -> Option<TokenVerdict> {
    token.map(|_| TokenVerdict::Rejected)
}

/// `None` for another program, and for a good token without the scope to ask (before GitLab 15.5).
fn forbidden(answer: &HttpAnswer) -> Option<TokenVerdict> {
    let refusal: GitLabError = answer.json()?;
    let is_own = refusal.says("403 Forbidden");
    is_own.then_some(TokenVerdict::Blocked {
        authorize: None,
        words: refusal.message,
    })
}

/// The token stops working at 00:00 UTC at the start of the day.
fn start_of(day: &str) -> Option<Expiry> {
    let day = Date::parse(day, format_description!("[year]-[month]-[day]")).ok()?;
    let start = day.midnight().assume_utc().unix_timestamp();
    Expiry::from_unix(u64::try_from(start).ok()?)
}

#[cfg(test)]
mod tests {
    use super::super::recorded::answer;
    use super::*;
    use crate::credential::key::Key;

    fn read(status: u16, body: &str) -> TokenVerdict {
        verdict(&answer(status, &[], body), Some(TokenKind::Access), 0)
    }

    fn told(expires_at: &str) -> ForgeExpiry {
        match read(
            200,
            &format!(r#"{{"scopes":["api"],"active":true,"revoked":false{expires_at}}}"#),
        ) {
            TokenVerdict::Good(found) => found.end,
            other => panic!("{other:?}"),
        }
    }

    fn verdict(answer: &HttpAnswer, token: Option<TokenKind>, unix_now: u64) -> TokenVerdict {
        let status = answer.status;
        let verdict = GitLab.read(answer, token, unix_now);
        verdict.unwrap_or(TokenVerdict::Unclear { status })
    }

    #[test]
    fn a_day_is_its_start() {
        let expected = ForgeExpiry::At(Expiry::from_unix(1_795_651_200).unwrap());
        assert_eq!(told(r#","expires_at":"2026-11-26""#), expected);
        assert_eq!(told(r#","expires_at":null"#), ForgeExpiry::Never);
        assert_eq!(told(""), ForgeExpiry::Unknown);
        for wrong in [
            "9999-99-99",
            "26.11.2026",
            "2026-11-26T00:00:00Z",
            "",
            "1926-01-01",
        ] {
            assert_eq!(
                told(&format!(r#","expires_at":"{wrong}""#)),
                ForgeExpiry::Unknown,
                "{wrong}"
            );
        }
    }

    #[test]
    fn flags_count_more_than_dates() {
        let flags = |active, revoked| {
            read(
                200,
                &format!(
                    r#"{{"active":{active},"revoked":{revoked},"expires_at":"2099-01-01","scopes":["api"]}}"#
                ),
            )
        };
        assert_eq!(flags(false, true), TokenVerdict::Revoked);
        assert_eq!(flags(false, false), TokenVerdict::Ended);
        assert!(matches!(flags(true, false), TokenVerdict::Good(_)));
    }

    #[test]
    fn only_gitlabs_own_words_reject_a_token() {
        for (body, verdict) in [
            (
                r#"{"error":"invalid_token","error_description":"Token was revoked. You have to re-authorize from the user."}"#,
                TokenVerdict::Revoked,
            ),
            (
                r#"{"error":"invalid_token","error_description":"Token is expired. You can either do re-authorization or token refresh."}"#,
                TokenVerdict::Ended,
            ),
            (r#"{"message":"401 Unauthorized"}"#, TokenVerdict::Rejected),
            ("<html>", TokenVerdict::Unclear { status: 401 }),
            (
                r#"{"message":"Unauthorized"}"#,
                TokenVerdict::Unclear { status: 401 },
            ),
            (
                r#"{"error":"invalid_token","error_description":"The token has been revoked"}"#,
                TokenVerdict::Unclear { status: 401 },
            ),
        ] {
            assert_eq!(read(401, body), verdict, "{body}");
        }
    }

    #[test]
    fn what_is_not_the_answer_says_nothing() {
        for body in [
            "",
            "null",
            "[]",
            "<html>",
            "{}",
            r#"{"message":"maintenance"}"#,
            r#"{"scopes":"api"}"#,
            r#"{"active":"yes"}"#,
            // The answer of token introspection (RFC 7662).
            r#"{"active":false}"#,
            r#"{"active":true,"scope":"api"}"#,
            r#"{"expires_at":5}"#,
            "{\"a\":",
        ] {
            assert_eq!(
                read(200, body),
                TokenVerdict::Unclear { status: 200 },
                "{body}"
            );
        }
        let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
        assert_eq!(read(200, &deep), TokenVerdict::Unclear { status: 200 });
        assert_eq!(
            read(403, r#"{"error":"insufficient_scope"}"#),
            TokenVerdict::Unclear { status: 403 }
        );
        assert_eq!(read(302, ""), TokenVerdict::Unclear { status: 302 });
    }

    #[test]
    fn an_oauth_token_asks_where_its_kind_can() {
        let site = ForgeSite::of(&Key {
            protocol: b"https".to_vec(),
            host: b"gitlab.com".to_vec(),
            path: None,
            username: None,
        })
        .unwrap();
        let message = r#"{"message":"400 Bad request - This endpoint requires token type to be a personal access token"}"#;
        let second = |kind, body| GitLab.second_token_request(&site, kind, &answer(400, &[], body));
        let call = second(None, message).unwrap();
        assert_eq!(
            (&call.url[..], call.signature),
            ("https://gitlab.com/oauth/token/info", Signature::Bearer)
        );
        assert_eq!(second(Some(TokenKind::Access), message), None);
        assert_eq!(second(None, r#"{"message":"no"}"#), None);
        let info = r#"{"resource_owner_id":1,"scope":["api"],"expires_in":7200,"application":{"uid":"x"},"created_at":1}"#;
        let TokenVerdict::Good(found) = verdict(&answer(200, &[], info), None, 1000) else {
            panic!()
        };
        let end = ForgeExpiry::At(Expiry::from_unix(8200).unwrap());
        assert_eq!((found.end, found.kind), (end, Some(TokenKind::OAuth)));
    }

    #[test]
    fn an_oauth_token_may_live_for_ever() {
        for (expires_in, end) in [
            ("null", ForgeExpiry::Never),
            ("-5", ForgeExpiry::Unknown),
            ("\"soon\"", ForgeExpiry::Unknown),
        ] {
            let info = format!(
                r#"{{"resource_owner_id":1,"scope":["api"],"expires_in":{expires_in},"application":{{"uid":"x"}}}}"#
            );
            let TokenVerdict::Good(found) = verdict(&answer(200, &[], &info), None, 1000) else {
                panic!("{expires_in}")
            };
            assert_eq!(found.end, end, "{expires_in}");
        }
    }

    #[test]
    fn a_token_without_a_mark_may_be_of_a_kind_that_only_git_can_use() {
        let unknown = answer(401, &[], r#"{"message":"401 Unauthorized"}"#);
        let said = verdict(&unknown, None, 0);
        assert_eq!(said, TokenVerdict::Unclear { status: 401 });
    }

    #[test]
    fn an_instances_own_prefix_may_stand_in_front() {
        for (token, kind) in [
            ("glpat-abc.def", Some(TokenKind::Access)),
            ("SIE-glpat-abc", Some(TokenKind::Access)),
            ("SIE-gldt-abc", Some(TokenKind::Deploy)),
            ("glrtr-abc", Some(TokenKind::Service)),
            ("xglpat-abc", None),
            ("abc", None),
        ] {
            assert_eq!(GitLab.token_kind(token.as_bytes()), kind, "{token}");
        }
    }

    #[test]
    fn calls_go_to_the_same_host_and_port() {
        let site = ForgeSite::of(&Key {
            protocol: b"https".to_vec(),
            host: b"git.corp.test:8443".to_vec(),
            path: None,
            username: None,
        })
        .unwrap();
        let ask = GitLab.token_request(&site, None).unwrap();
        assert_eq!(
            ask.url,
            "https://git.corp.test:8443/api/v4/personal_access_tokens/self"
        );
        for (kind, signature) in [
            (Some(TokenKind::Access), Some(Signature::PrivateToken)),
            (None, Some(Signature::Bearer)),
            (Some(TokenKind::Deploy), None),
            (Some(TokenKind::Job), None),
            (Some(TokenKind::Service), None),
        ] {
            let call = GitLab.token_request(&site, kind);
            assert_eq!(call.map(|call| call.signature), signature, "{kind:?}");
        }
        let Renewal::InPlace { call, .. } = GitLab.renewal(&site, None) else {
            panic!()
        };
        assert_eq!(
            (call.method, call.url),
            (Method::Post, format!("{}/rotate", ask.url))
        );
    }
}
