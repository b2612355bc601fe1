//! GitHub: github.com and Enterprise Server.

mod answers;

use self::answers::{authorize_url, authorize_url_in};
use super::answer::HttpAnswer;
use super::{
    Call, Forge, ForgeKind, ForgeSite, Method, MissingScope, Page, Renewal, Revocation, Signature,
    TokenVerdict, Wish,
};
use crate::credential::percent::query_value;
use crate::credential::token::TokenKind;

/// The only host whose API is on another host.
const PUBLIC: &str = "github.com";
const ACCEPT: &str = "application/vnd.github+json";
/// In bytes: the longest password of an account (docs.github.com, "Creating a strong password").
const LONGEST_PASSWORD: usize = 72;

#[derive(Debug)]
pub struct GitHub;

impl Forge for GitHub {
    fn kind(&self) -> ForgeKind {
        ForgeKind::GitHub
    }

    fn is_at(&self, host: &str) -> bool {
        host == PUBLIC
    }

    fn realms(&self) -> &'static [&'static str] {
        &["GitHub"]
    }

    fn prefixes(&self) -> &'static [(&'static str, TokenKind)] {
        &[
            ("ghp_", TokenKind::Classic),
            ("github_pat_", TokenKind::FineGrained),
            ("gho_", TokenKind::OAuth),
            ("ghu_", TokenKind::App),
            ("ghs_", TokenKind::Installation),
            ("ghr_", TokenKind::Refresh),
        ]
    }

    fn retired_reason(&self, username: &[u8], secret: &[u8]) -> Option<&'static str> {
        let is_password = !secret.is_empty() && secret.len() <= LONGEST_PASSWORD;
        // Beside these words, the other part is a token.
        let is_other = [b"x-oauth-basic", b"x-access-token" as &[u8]]
            .iter()
            .any(|word| [username, secret].contains(word));
        let may_be_good =
            !is_password || is_other || is_like_a_token(secret) || is_like_a_token(username);
        (!may_be_good).then_some("password: GitHub stopped accepting them in August 2021")
    }

    /// GitHub accepts any name. Its documentation uses this one for applications, and gh returns it.
    fn default_username(&self, _token: Option<TokenKind>) -> Option<&'static str> {
        Some("x-access-token")
    }

    fn token_request(&self, site: &ForgeSite, token: Option<TokenKind>) -> Option<Call> {
        // An installation is no user. The rate limit answers every token and is not counted itself.
        let path = match token {
            Some(TokenKind::Refresh) => return None,
            Some(TokenKind::Installation) => "/rate_limit",
            _ => "/user",
        };
        Some(Call {
            method: Method::Get,
            url: api(site, path),
            signature: Signature::Bearer,
            accept: ACCEPT,
        })
    }

    fn recognizes(&self, answer: &HttpAnswer) -> bool {
        answers::recognizes(answer)
    }

    fn read(
        &self,
        answer: &HttpAnswer,
        token: Option<TokenKind>,
        unix_now: u64,
    ) -> Option<TokenVerdict> {
        answers::read(answer, token, unix_now)
    }

    fn authorization(&self, site: &ForgeSite, answer: &HttpAnswer) -> Option<String> {
        let header = answer.header("x-github-sso").and_then(authorize_url);
        let link = header.or_else(|| authorize_url_in(site, answer.body.as_slice()));
        link.filter(|link| link.starts_with(&site.url("/")))
    }

    fn missing_scope(&self, token: Option<TokenKind>, scopes: &[String]) -> Option<MissingScope> {
        let has = |scope: &str| scopes.iter().any(|known| known == scope);
        if token != Some(TokenKind::Classic) || has("repo") {
            return None;
        }
        Some(MissingScope {
            scope: "repo",
            consequence: if has("public_repo") {
                "git cannot reach private repositories"
            } else {
                "git cannot push, and cannot reach private repositories"
            },
        })
    }

    fn creation_pages(&self, site: &ForgeSite, wish: &Wish) -> Vec<Page> {
        let (name, days) = (&wish.name, wish.days);
        let is_public = self.is_at(site.host());
        let days_or_day = if days <= 366 {
            format!("{days} days")
        } else {
            format!("until {}", wish.last_day)
        };
        let classic = Page {
            title: "classic token",
            url: site.url(&format!(
                "/settings/tokens/new?description={}&scopes=repo,workflow&default_expires_at={days}",
                query_value(name)
            )),
            values: vec![
                ("Note", name.clone()),
                ("Expiration", days_or_day.clone()),
                ("Select scopes", "repo, workflow".to_owned()),
            ],
            username: None,
        };
        // The form accepts 40 characters.
        let short: String = name.chars().take(40).collect();
        // Enterprise Server ignores the query.
        let query = if is_public {
            format!(
                "?name={}&expires_in={}&contents=write&workflows=write",
                query_value(&short),
                days.clamp(1, 366)
            )
        } else {
            String::new()
        };
        let fine_grained = Page {
            title: "fine-grained token",
            url: site.url(&format!("/settings/personal-access-tokens/new{query}")),
            values: vec![
                ("Token name", short),
                ("Resource owner", "the owner of the repositories".to_owned()),
                ("Expiration", days_or_day),
                ("Repository access", "the repositories you need".to_owned()),
                (
                    "Permissions",
                    "Contents: read and write; Workflows: read and write".to_owned(),
                ),
            ],
            username: None,
        };
        vec![fine_grained, classic]
    }

    fn renewal(&self, site: &ForgeSite, token: Option<TokenKind>) -> Renewal {
        Renewal::ByHand {
            page: list_page(site, token),
            how: "choose the token, then 'Regenerate token': it keeps its name and scopes",
        }
    }

    fn revocation(&self, site: &ForgeSite, token: Option<TokenKind>) -> Revocation {
        // Enterprise Server requires that a user signs in first.
        if !self.is_at(site.host()) || token == Some(TokenKind::Installation) {
            return Revocation::ByHand(list_page(site, token));
        }
        Revocation::Reported(Call {
            method: Method::Post,
            url: api(site, "/credentials/revoke"),
            signature: Signature::None,
            accept: ACCEPT,
        })
    }

    /// GitHub's documentation, "Managing your personal access tokens".
    fn deleted_with_token(&self) -> Option<&'static str> {
        Some("the deploy keys created with it")
    }
}

fn api(site: &ForgeSite, path: &str) -> String {
    if site.host() == PUBLIC {
        format!("https://api.github.com{path}")
    } else {
        site.url(&format!("/api/v3{path}"))
    }
}

fn list_page(site: &ForgeSite, token: Option<TokenKind>) -> String {
    site.url(match token {
        Some(TokenKind::FineGrained) => "/settings/personal-access-tokens",
        Some(TokenKind::OAuth) => "/settings/applications",
        Some(TokenKind::App | TokenKind::Installation) => "/settings/apps/authorizations",
        _ => "/settings/tokens",
    })
}

/// Whether `text` may be a token, also an old or future one: `gh?_`, `github_`, 40 hexadecimal digits (before 2021), `v1.`, or
/// the beginning of a JWT.
fn is_like_a_token(text: &[u8]) -> bool {
    let is_marked = matches!(text, [b'g', b'h', _, b'_', ..]);
    let begins = [&b"github_"[..], b"v1.", b"eyJ"];
    let is_old = text.len() == 40 && text.iter().all(u8::is_ascii_hexdigit);
    is_marked || is_old || begins.iter().any(|begin| text.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use super::super::recorded::answer;
    use super::*;
    use crate::credential::expiry::Expiry;
    use crate::credential::key::Key;
    use crate::forge::ForgeExpiry;

    const DATE: (&str, &str) = ("date", "Sat, 21 Nov 2026 03:39:39 GMT");
    const NOW: u64 = 1_795_232_379;
    const END: &str = "github-authentication-token-expiration";

    fn site(host: &str) -> ForgeSite {
        ForgeSite::of(&Key {
            protocol: b"https".to_vec(),
            host: host.as_bytes().to_vec(),
            path: None,
            username: None,
        })
        .unwrap()
    }

    fn told(headers: &[(&str, &str)]) -> ForgeExpiry {
        let body = r#"{"login":"octocat","id":1}"#;
        match verdict(&answer(200, headers, body), Some(TokenKind::Classic), NOW) {
            TokenVerdict::Good(found) => found.end,
            other => panic!("{other:?}"),
        }
    }

    fn verdict(answer: &HttpAnswer, token: Option<TokenKind>, unix_now: u64) -> TokenVerdict {
        let status = answer.status;
        let verdict = GitHub.read(answer, token, unix_now);
        verdict.unwrap_or(TokenVerdict::Unclear { status })
    }

    #[test]
    fn the_link_to_single_sign_on_is_of_the_forge_itself() {
        let site = site("github.com");
        let link = "https://github.com/orgs/acme/sso?authorization_request=AZ";
        let of = |header: &str, body: &str| {
            let header = [("x-github-sso", header)];
            let headers = if header[0].1.is_empty() {
                &[][..]
            } else {
                &header
            };
            GitHub.authorization(&site, &answer(403, headers, body))
        };
        let body = format!("SAML SSO.\nTo access this repository, visit {link} and try again.");
        assert_eq!(
            of(&format!("required; url={link}"), ""),
            Some(link.to_owned())
        );
        assert_eq!(of("", &body), Some(link.to_owned()));
        for evil in [
            "https://evil.test/orgs/acme/sso?x",
            "https://github.com.evil.test/orgs/acme/sso?x",
            "https://github.com@evil.test/orgs/acme/sso?x",
            "https://github.com:8443/orgs/acme/sso?x",
            "http://github.com/orgs/acme/sso?x",
        ] {
            assert_eq!(of(&format!("required; url={evil}"), ""), None, "{evil}");
            assert_eq!(of("", &format!("visit {evil} now")), None, "{evil}");
        }
        let long = format!("{link}{}", "A".repeat(2048));
        assert_eq!(of(&format!("required; url={long}"), &long), None);
        assert_eq!(
            of("", "visit https://github.com/orgs/acme/sso?\u{202e}x"),
            Some("https://github.com/orgs/acme/sso?".to_owned())
        );
    }

    #[test]
    fn a_header_alone_links_to_single_sign_on_of_the_web_host() {
        for host in ["github.com", "git.corp.test:8443"] {
            let link = format!("https://{host}/orgs/acme/sso?authorization_request=abc");
            let header = format!("required; url={link}");
            let said = answer(403, &[("x-github-sso", &header)], "Forbidden");
            assert_eq!(GitHub.authorization(&site(host), &said), Some(link));
        }
        let api = "required; url=https://api.github.com/orgs/acme/sso?x";
        let said = answer(403, &[("x-github-sso", api)], "");
        assert_eq!(GitHub.authorization(&site("github.com"), &said), None);
    }

    #[test]
    fn both_forms_of_the_date() {
        for (text, unix) in [
            ("2026-11-26 00:00:00 UTC", 1_795_651_200),
            ("2026-11-26 02:00:00 +0200", 1_795_651_200),
            ("2026-11-25 16:30:00 -0730", 1_795_651_200),
        ] {
            let expected = ForgeExpiry::At(Expiry::from_unix(unix).unwrap());
            assert_eq!(told(&[DATE, (END, text)]), expected, "{text}");
        }
    }

    #[test]
    fn dates_that_are_none_are_unknown() {
        for text in [
            "9999-99-99",
            "9999-99-99 00:00:00 UTC",
            "2026-02-30 00:00:00 UTC",
            "2026-11-26",
            "2026-11-26T00:00:00Z",
            "2026-11-26 00:00:00",
            "2026-11-26 00:00:00 CET",
            "2026-11-26 00:00:00 UTC x",
            "1926-11-26 00:00:00 UTC",
            "",
            "\u{fc}",
        ] {
            assert_eq!(told(&[DATE, (END, text)]), ForgeExpiry::Unknown, "{text}");
        }
        let twice = [
            DATE,
            (END, "2026-11-26 00:00:00 UTC"),
            (END, "2027-11-26 00:00:00 UTC"),
        ];
        assert_eq!(told(&twice), ForgeExpiry::Unknown);
        assert_eq!(told(&[DATE]), ForgeExpiry::Never);
    }

    #[test]
    fn a_date_beside_the_answers_own_is_the_trap() {
        for text in [
            "2026-11-21 03:39:39 UTC",
            "2026-11-21 05:39:40 +0200",
            "2026-11-21 03:44:00 UTC",
            "2026-11-21 03:35:00 UTC",
            "2020-01-01 00:00:00 UTC",
        ] {
            assert_eq!(told(&[DATE, (END, text)]), ForgeExpiry::Unknown, "{text}");
            assert_eq!(
                told(&[(END, text)]),
                ForgeExpiry::Unknown,
                "no date: {text}"
            );
        }
        assert_ne!(
            told(&[DATE, (END, "2026-11-21 04:00:00 UTC")]),
            ForgeExpiry::Unknown
        );
    }

    #[test]
    fn reads_scopes_and_user() {
        let good = answer(
            200,
            &[DATE, ("x-oauth-scopes", "repo, workflow")],
            r#"{"login":"octocat","id":1}"#,
        );
        let TokenVerdict::Good(found) = verdict(&good, None, NOW) else {
            panic!()
        };
        assert_eq!(found.user.as_deref(), Some("octocat"));
        assert_eq!(found.scopes.unwrap(), ["repo", "workflow"]);
        for body in [
            r#"{"login":"a\u001bb","id":1}"#,
            r#"{"resources":{"core":{}}}"#,
        ] {
            let TokenVerdict::Good(found) = verdict(&answer(200, &[], body), None, NOW) else {
                panic!("{body}")
            };
            assert_eq!((found.user, found.scopes), (None, None), "{body}");
        }
        for body in [
            "",
            "[]",
            "{}",
            "<html>",
            r#"{"login":5}"#,
            r#"{"login":"https://portal.test/"}"#,
            r#"{"resources":{}}"#,
            "null",
        ] {
            let said = verdict(&answer(200, &[DATE], body), None, NOW);
            assert_eq!(said, TokenVerdict::Unclear { status: 200 }, "{body}");
        }
    }

    fn refused(status: u16, headers: &[(&str, &str)], message: &str) -> TokenVerdict {
        let body = format!(
            r#"{{"message":"{message}","documentation_url":"https://docs.github.com/rest"}}"#
        );
        verdict(&answer(status, headers, &body), None, NOW)
    }

    #[test]
    fn only_githubs_own_words_reject_a_token() {
        assert_eq!(refused(401, &[], "Bad credentials"), TokenVerdict::Rejected);
        let unclear = TokenVerdict::Unclear { status: 401 };
        assert_eq!(refused(401, &[], "Requires authentication"), unclear);
        let springs = r#"{"status":401,"error":"Unauthorized","message":"Bad credentials","path":"/api/v3/user"}"#;
        let portals = r#"{"message":"Bad credentials","documentation_url":"https://docs.github.com.corp.test/"}"#;
        for body in ["{}", r#"{"message":"Unauthorized"}"#, springs, portals] {
            let said = verdict(&answer(401, &[], body), None, NOW);
            assert_eq!(said, unclear, "{body}");
        }
    }

    #[test]
    fn a_403_is_a_limit_a_block_or_nothing() {
        let sso = "required; url=https://github.com/orgs/acme/sso?authorization_request=A";
        let blocked = |authorize: Option<&str>, words: &str| TokenVerdict::Blocked {
            authorize: authorize.map(str::to_owned),
            words: Some(words.to_owned()),
        };
        assert_eq!(
            refused(403, &[("x-github-sso", sso)], "SAML"),
            blocked(Some(&sso["required; url=".len()..]), "SAML")
        );
        for other in [
            "partial-results; organizations=1",
            "required; url=javascript:x",
        ] {
            let said = refused(403, &[("x-github-sso", other)], "SAML");
            assert_eq!(said, blocked(None, "SAML"), "{other}");
        }
        for limit in [
            "API rate limit exceeded for user ID 1.",
            "You have exceeded a secondary rate limit.",
            "You have triggered an abuse detection mechanism.",
            "Maximum number of login attempts exceeded. Please try again later.",
        ] {
            let said = refused(403, &[], limit);
            assert!(
                matches!(said, TokenVerdict::Limited { .. }),
                "{limit}: {said:?}"
            );
        }
        let unclear = TokenVerdict::Unclear { status: 403 };
        let route = "Resource not accessible by integration";
        assert_eq!(refused(403, &[], route), unclear);
        let gateway = answer(403, &[], r#"{"message":"Forbidden"}"#);
        assert_eq!(verdict(&gateway, None, NOW), unclear);
        for status in [204, 302, 404, 500] {
            assert_eq!(refused(status, &[], "x"), TokenVerdict::Unclear { status });
        }
    }

    #[test]
    fn asks_its_api_host_or_the_same_host() {
        let url = |host, token| {
            GitHub
                .token_request(&site(host), token)
                .map(|call| call.url)
        };
        assert_eq!(
            url("github.com", None).unwrap(),
            "https://api.github.com/user"
        );
        assert_eq!(
            url("git.corp.test:8443", Some(TokenKind::Installation)).unwrap(),
            "https://git.corp.test:8443/api/v3/rate_limit"
        );
        assert_eq!(
            url("github.com.evil.test", None).unwrap(),
            "https://github.com.evil.test/api/v3/user"
        );
        assert_eq!(url("github.com", Some(TokenKind::Refresh)), None);
    }

    #[test]
    fn prefixes_tell_the_kind() {
        for (token, kind) in [
            ("ghp_x", Some(TokenKind::Classic)),
            ("github_pat_x", Some(TokenKind::FineGrained)),
            ("ghs_1_eyJ.x.y", Some(TokenKind::Installation)),
            ("xghp_", None),
            ("0123456789012345678901234567890123456789", None),
        ] {
            assert_eq!(GitHub.token_kind(token.as_bytes()), kind, "{token}");
        }
    }

    #[test]
    fn a_classic_token_needs_repo() {
        let lacks = |kind, scopes: &[&str]| {
            let scopes: Vec<String> = scopes.iter().map(|&scope| scope.to_owned()).collect();
            GitHub
                .missing_scope(Some(kind), &scopes)
                .map(|lack| lack.scope)
        };
        assert_eq!(lacks(TokenKind::Classic, &["read:org"]), Some("repo"));
        assert_eq!(lacks(TokenKind::Classic, &["public_repo"]), Some("repo"));
        assert_eq!(lacks(TokenKind::Classic, &["repo"]), None);
        assert_eq!(lacks(TokenKind::FineGrained, &[]), None);
    }

    #[test]
    fn pages_are_filled_in() {
        let wish = Wish {
            name: "git on büro".to_owned(),
            days: 90,
            last_day: "2027-02-19".to_owned(),
        };
        let pages = GitHub.creation_pages(&site("github.com"), &wish);
        assert_eq!(
            pages[0].url,
            "https://github.com/settings/personal-access-tokens/new?name=git%20on%20b%C3%BCro&expires_in=90\
             &contents=write&workflows=write"
        );
        assert_eq!(
            pages[1].url,
            "https://github.com/settings/tokens/new?description=git%20on%20b%C3%BCro&scopes=repo,workflow\
             &default_expires_at=90"
        );
        let own = GitHub.creation_pages(&site("git.corp.test"), &wish);
        assert_eq!(
            own[0].url,
            "https://git.corp.test/settings/personal-access-tokens/new"
        );
    }

    #[test]
    fn only_the_public_one_takes_reports() {
        let reported = GitHub.revocation(&site("github.com"), None);
        assert!(
            matches!(reported, Revocation::Reported(call) if call.signature == Signature::None)
        );
        assert!(matches!(
            GitHub.revocation(&site("git.corp.test"), None),
            Revocation::ByHand(_)
        ));
    }

    #[test]
    fn only_what_is_surely_a_password_is_taken_no_more() {
        let hex = "0123456789abcdef0123456789ABCDEF01234567";
        for (username, secret, is_over) in [
            ("octocat", "hunter2", true),
            ("octocat", "correct horse battery staple", true),
            ("octo@example.test", &hex[..39], true),
            ("octocat", hex, false),
            ("octocat", "ghp_x", false),
            ("octocat", "github_pat_x", false),
            ("octocat", "gho_x", false),
            ("octocat", "ghu_x", false),
            ("octocat", "ghs_1_eyJ", false),
            ("octocat", "ghr_x", false),
            ("octocat", "ghz_of_a_day_to_come", false),
            ("octocat", "github_new_x", false),
            ("octocat", "v1.0123", false),
            ("octocat", "eyJhbGciOi", false),
            ("octocat", &"x".repeat(73), false),
            ("octocat", "", false),
            ("ghp_x", "x-oauth-basic", false),
            ("ghp_x", "anything", false),
            (hex, "x", false),
            ("x-access-token", "opaque", false),
            ("octocat", "x-oauth-basic", false),
        ] {
            let said = GitHub.retired_reason(username.as_bytes(), secret.as_bytes());
            assert_eq!(said.is_some(), is_over, "{username} {secret}");
        }
    }
}
