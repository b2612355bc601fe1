//! GitLab: gitlab.com, and everybody's own.
//!
//! In gitlabhq/gitlabhq: `lib/api/personal_access_tokens/self_information.rb`, `lib/api/api_guard.rb`,
//! `doc/user/profile/personal_access_tokens.md`, `doc/api/personal_access_tokens.md`.

use serde::Deserialize;
use time::Date;
use time::macros::format_description;

use super::{
    Answer, Call, Forge, Found, Kind, Lack, Method, Page, Renewal, Revocation, Signature, Site,
    Told, Verdict, Wish, checked_scopes, encoded,
};
use crate::credential::expiry::Expiry;
use crate::credential::token::TokenKind;

const SELF: &str = "/api/v4/personal_access_tokens/self";
const PAGE: &str = "/-/user_settings/personal_access_tokens";

/// GitLab.
#[derive(Debug)]
pub struct GitLab;

/// What it says of the token that asks.
#[derive(Deserialize)]
struct Myself {
    scopes: Option<Vec<String>>,
    active: Option<bool>,
    revoked: Option<bool>,
    #[serde(default)]
    expires_at: LastDay,
}

/// Missing and `null` differ: the one says nothing, the other "never".
#[derive(Default, Deserialize)]
#[serde(from = "Option<String>")]
enum LastDay {
    #[default]
    Missing,
    Never,
    Day(String),
}

impl From<Option<String>> for LastDay {
    fn from(day: Option<String>) -> Self {
        day.map_or(Self::Never, Self::Day)
    }
}

/// Why it refuses a token (RFC 6750 §3).
#[derive(Deserialize)]
struct Refusal {
    error: Option<String>,
    error_description: Option<String>,
}

impl Forge for GitLab {
    fn kind(&self) -> Kind {
        Kind::GitLab
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
            ("gloas-", TokenKind::OAuth),
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

    /// An instance may put a prefix of its own in front: `SIE-glpat-`.
    fn token_kind(&self, token: &[u8]) -> Option<TokenKind> {
        let tails = std::iter::once(token).chain(
            token
                .iter()
                .enumerate()
                .take(64)
                .filter(|(_, byte)| **byte == b'-')
                .map(|(at, _)| &token[at + 1..]),
        );
        tails
            .flat_map(|tail| {
                let prefixes = self.prefixes().iter();
                prefixes.filter(move |(prefix, _)| tail.starts_with(prefix.as_bytes()))
            })
            .map(|(_, kind)| *kind)
            .next()
    }

    fn question(&self, site: &Site, token: Option<TokenKind>) -> Option<Call> {
        // Tokens of other kinds are answered with 400. An instance may have another prefix, or none.
        let can_ask = matches!(token, None | Some(TokenKind::Access));
        can_ask.then(|| call(site, Method::Get, SELF))
    }

    fn read(&self, answer: &Answer, _token: Option<TokenKind>, _wall: u64) -> Verdict {
        match answer.status {
            200 => myself(answer),
            401 => refusal(answer),
            403 if insufficient(answer) => Verdict::Unclear { status: 403 },
            403 => Verdict::Blocked { authorize: None },
            status => Verdict::Unclear { status },
        }
    }

    fn lacks(&self, token: Option<TokenKind>, scopes: &[String]) -> Option<Lack> {
        let has = |scope: &str| scopes.iter().any(|known| known == scope);
        if !matches!(token, None | Some(TokenKind::Access)) || has("api") || has("write_repository")
        {
            return None;
        }
        Some(Lack {
            scope: "write_repository",
            consequence: if has("read_repository") {
                "git can fetch and cannot push"
            } else {
                "git can neither fetch nor push"
            },
        })
    }

    fn creation(&self, site: &Site, wish: &Wish) -> Vec<Page> {
        let Wish {
            name,
            days: _,
            last_day,
        } = wish;
        vec![Page {
            title: "personal access token",
            url: site.url(&format!(
                "{PAGE}?name={}&scopes=write_repository,self_rotate",
                encoded(name)
            )),
            values: vec![
                ("Token name", name.clone()),
                ("Expiration date", last_day.clone()),
                ("Select scopes", "write_repository, self_rotate".to_owned()),
            ],
            username: None,
        }]
    }

    fn renewal(&self, site: &Site, token: Option<TokenKind>) -> Renewal {
        if matches!(token, None | Some(TokenKind::Access)) {
            Renewal::InPlace {
                call: call(site, Method::Post, &format!("{SELF}/rotate")),
                needs: &["api", "self_rotate"],
            }
        } else {
            Renewal::ByHand {
                page: site.url(PAGE),
                how: "whoever issued this token must issue another",
            }
        }
    }

    fn revocation(&self, site: &Site, token: Option<TokenKind>) -> Revocation {
        if matches!(token, None | Some(TokenKind::Access)) {
            Revocation::Signed(call(site, Method::Delete, SELF))
        } else {
            Revocation::ByHand(site.url(PAGE))
        }
    }

    fn pitfalls(&self) -> &'static [&'static str] {
        &[
            "A token ends at 00:00 UTC at the start of its last day.",
            "Most instances let a token live for 365 days at most.",
            "To be rotated from here it needs the scope 'api' or 'self_rotate'.",
            "Rotating with a token that is dead already revokes all its successors.",
            "With two-factor authentication git takes no account password, only tokens.",
        ]
    }
}

fn call(site: &Site, method: Method, path: &str) -> Call {
    Call {
        method,
        url: site.url(path),
        signature: Signature::PrivateToken,
        accept: "application/json",
    }
}

fn myself(answer: &Answer) -> Verdict {
    let Ok(Myself {
        scopes,
        active,
        revoked,
        expires_at,
    }) = serde_json::from_slice(answer.body.as_slice())
    else {
        return Verdict::Unclear { status: 200 };
    };
    if revoked == Some(true) {
        return Verdict::Revoked;
    }
    // Whatever else answers in JSON does not say this.
    match active {
        Some(true) => {}
        Some(false) => return Verdict::Ended,
        None => return Verdict::Unclear { status: 200 },
    }
    Verdict::Good(Found {
        end: match expires_at {
            LastDay::Missing => Told::Unknown,
            LastDay::Never => Told::Never,
            LastDay::Day(day) => start_of(&day).map_or(Told::Unknown, Told::At),
        },
        scopes: scopes.and_then(checked_scopes),
        user: None,
    })
}

fn refusal(answer: &Answer) -> Verdict {
    let said = serde_json::from_slice::<Refusal>(answer.body.as_slice())
        .ok()
        .and_then(|refusal| refusal.error_description)
        .unwrap_or_default();
    if said.contains("revoked") {
        Verdict::Revoked
    } else if said.contains("expired") {
        Verdict::Ended
    } else {
        Verdict::Rejected
    }
}

/// The token is good, and this instance wants another scope before it tells: versions before 15.5.
fn insufficient(answer: &Answer) -> bool {
    serde_json::from_slice::<Refusal>(answer.body.as_slice())
        .is_ok_and(|refusal| refusal.error.as_deref() == Some("insufficient_scope"))
}

/// 00:00 UTC at the start of the day: from then on it is not taken.
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

    fn read(status: u16, body: &str) -> Verdict {
        GitLab.read(&answer(status, &[], body), None, 0)
    }

    fn told(expires_at: &str) -> Told {
        match read(
            200,
            &format!(r#"{{"scopes":["api"],"active":true,"revoked":false{expires_at}}}"#),
        ) {
            Verdict::Good(found) => found.end,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_day_is_its_start() {
        let expected = Told::At(Expiry::from_unix(1_795_651_200).unwrap());
        assert_eq!(told(r#","expires_at":"2026-11-26""#), expected);
        assert_eq!(told(r#","expires_at":null"#), Told::Never);
        assert_eq!(told(""), Told::Unknown);
        for wrong in [
            "9999-99-99",
            "26.11.2026",
            "2026-11-26T00:00:00Z",
            "",
            "1926-01-01",
        ] {
            assert_eq!(
                told(&format!(r#","expires_at":"{wrong}""#)),
                Told::Unknown,
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
        assert_eq!(flags(false, true), Verdict::Revoked);
        assert_eq!(flags(false, false), Verdict::Ended);
        assert!(matches!(flags(true, false), Verdict::Good(_)));
    }

    #[test]
    fn refusals_tell_revoked_from_ended() {
        for (body, verdict) in [
            (
                r#"{"error":"invalid_token","error_description":"Token was revoked. You have to re-authorize from the user."}"#,
                Verdict::Revoked,
            ),
            (
                r#"{"error":"invalid_token","error_description":"Token is expired. You can either do re-authorization or token refresh."}"#,
                Verdict::Ended,
            ),
            (r#"{"message":"401 Unauthorized"}"#, Verdict::Rejected),
            ("<html>", Verdict::Rejected),
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
            r#"{"expires_at":5}"#,
            "{\"a\":",
        ] {
            assert_eq!(read(200, body), Verdict::Unclear { status: 200 }, "{body}");
        }
        let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
        assert_eq!(read(200, &deep), Verdict::Unclear { status: 200 });
        assert_eq!(
            read(403, r#"{"error":"insufficient_scope"}"#),
            Verdict::Unclear { status: 403 }
        );
        assert_eq!(read(302, ""), Verdict::Unclear { status: 302 });
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
        let site = Site::of(&Key {
            protocol: b"https".to_vec(),
            host: b"git.corp.test:8443".to_vec(),
            path: None,
            username: None,
        })
        .unwrap();
        let ask = GitLab.question(&site, None).unwrap();
        assert_eq!(
            ask.url,
            "https://git.corp.test:8443/api/v4/personal_access_tokens/self"
        );
        assert_eq!(GitLab.question(&site, Some(TokenKind::Deploy)), None);
        let Renewal::InPlace { call, .. } = GitLab.renewal(&site, None) else {
            panic!()
        };
        assert_eq!(
            (call.method, call.url),
            (Method::Post, format!("{}/rotate", ask.url))
        );
    }
}
