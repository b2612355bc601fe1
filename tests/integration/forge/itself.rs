//! The forge itself: asked by curl and by git, so that what it says of the program can be believed.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::work::{ABOUT_AN_HOUR, DAY, in_days, midnight_in_days};
use super::{
    Certificate, Certificates, Dates, Elsewhere, Event, Fate, Forge, Manner, Proxy, Speaks, Token,
    now,
};
use crate::process::{self, Output};
use crate::sandbox::Sandbox;
use crate::tool;

const CLASSIC: &str = "ghp_classic0123456789";
const FINE_GRAINED: &str = "github_pat_fine0123456789";
const GITLAB: &str = "glpat-first.0123456789";

struct Curl<'a> {
    forge: &'a Forge,
    sandbox: &'a Sandbox,
}

/// What curl was told.
#[derive(Debug)]
struct Told {
    status: u16,
    head: String,
    body: Value,
    date: u64,
}

impl Told {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .head
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}: ")));
        found.map(str::trim)
    }
}

impl Curl<'_> {
    fn command(&self, path: &str, arguments: &[&str]) -> Command {
        let mut curl = self.sandbox.command(tool::need("curl"));
        curl.args(["--silent", "--show-error", "--include", "--cacert"]);
        curl.arg(self.forge.authority()).args(arguments);
        curl.arg(format!("{}{path}", self.forge.url()));
        curl
    }

    fn run(&self, path: &str, arguments: &[&str]) -> Output {
        process::run(&mut self.command(path, arguments), b"")
    }

    #[track_caller]
    fn ask(&self, path: &str, arguments: &[&str]) -> Told {
        let output = self.run(path, arguments).succeeded().text();
        let (head, body) = output.split_once("\r\n\r\n").unwrap();
        Told {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_owned(),
            body: serde_json::from_str(body).unwrap_or_default(),
            date: now(),
        }
    }

    #[track_caller]
    fn with(&self, secret: &str, path: &str) -> Told {
        self.ask(
            path,
            &["--header", &format!("Authorization: Bearer {secret}")],
        )
    }
}

fn check(speaks: Speaks, test: impl FnOnce(&Forge, &Curl<'_>)) {
    let sandbox = Sandbox::new();
    let forge = Forge::start(&sandbox, speaks);
    let curl = Curl {
        forge: &forge,
        sandbox: &sandbox,
    };
    test(&forge, &curl);
}

const EXPIRATION: &str = "GitHub-Authentication-Token-Expiration";

#[test]
fn github_tells_ends_and_scopes() {
    check(Speaks::GitHub, |forge, curl| {
        let ends = 1_988_236_800; // 2033-01-02 00:00:00 UTC
        forge.issue(Token::new("classic", CLASSIC).ends(ends));
        forge.issue(Token::new("endless", "ghp_endless"));
        forge.issue(Token::new("fine", FINE_GRAINED).ends(ends));
        let told = curl.with(CLASSIC, "/api/v3/user");
        assert_eq!(told.status, 200);
        assert_eq!(told.header(EXPIRATION), Some("2033-01-02 00:00:00 UTC"));
        assert_eq!(told.header("X-OAuth-Scopes"), Some("repo, workflow"));
        assert_eq!(told.body["login"], "alice");
        forge.set(|state| state.dates = Dates::Offset);
        let told = curl.with(CLASSIC, "/api/v3/rate_limit");
        assert_eq!(told.header(EXPIRATION), Some("2033-01-02 02:00:00 +0200"));
        assert_eq!(
            curl.with("ghp_endless", "/api/v3/user").header(EXPIRATION),
            None
        );
        let told = curl.with(FINE_GRAINED, "/api/v3/user");
        assert_eq!(told.header(EXPIRATION), Some("2033-01-02 02:00:00 +0200"));
        assert_eq!(told.header("X-OAuth-Scopes"), None);
        forge.set(|state| state.dates = Dates::OfTheRequest);
        let told = curl.with(FINE_GRAINED, "/api/v3/user");
        let date = time::OffsetDateTime::from_unix_timestamp(told.date.cast_signed()).unwrap();
        assert!(
            told.header(EXPIRATION)
                .unwrap()
                .starts_with(&date.date().to_string())
                || date.hour() >= 22,
            "{told:?}"
        );
        let names: Vec<_> = forge
            .asked()
            .into_iter()
            .map(|(_, _, token)| token)
            .collect();
        assert_eq!(names, ["classic", "classic", "endless", "fine", "fine"]);
    });
}

#[test]
fn github_refuses() {
    check(Speaks::GitHub, |forge, curl| {
        let path = "/api/v3/user";
        forge.issue(Token::new("ended", "ghp_ended").ends(now() - DAY));
        forge.issue(Token::new("revoked", "ghp_revoked").fate(Fate::Revoked));
        forge.issue(Token::new("sso", "ghp_sso").fate(Fate::NeedsSso));
        forge.issue(Token::new("long", "ghp_long").fate(Fate::LivesTooLong));
        forge.issue(Token::new("blind", FINE_GRAINED).fate(Fate::SeesNoRepository));
        forge.issue(Token::new("reader", "ghp_reader").scopes(&["read:user"]));
        assert_eq!(curl.ask(path, &[]).status, 401);
        for secret in ["ghp_ended", "ghp_revoked", "ghp_nobodys"] {
            let told = curl.with(secret, path);
            assert_eq!(
                (told.status, &told.body["message"]),
                (401, &json!("Bad credentials"))
            );
        }
        let told = curl.with("ghp_sso", path);
        let link = format!(
            "required; url={}/orgs/acme/sso?authorization_request=AAAA",
            forge.url()
        );
        assert_eq!(
            (told.status, told.header("X-GitHub-SSO")),
            (403, Some(&link[..]))
        );
        let told = curl.with("ghp_long", path);
        assert!(told.status == 403 && told.body["message"].as_str().unwrap().contains("lifetime"));
        assert_eq!(curl.with(FINE_GRAINED, "/api/v3/repos/acme/r").status, 404);
        assert_eq!(curl.with("ghp_reader", "/api/v3/repos/acme/r").status, 404);
        forge.set(|state| state.locks_out_after = Some(4));
        assert_eq!(curl.with("ghp_nobodys", path).status, 401);
        assert_eq!(curl.with("ghp_reader", path).status, 403);
    });
}

#[test]
fn github_revokes() {
    check(Speaks::GitHub, |forge, curl| {
        forge.issue(Token::new("one", CLASSIC));
        forge.issue(Token::new("two", "ghp_two"));
        let path = "/api/v3/credentials/revoke";
        let body = json!({"credentials": [CLASSIC]}).to_string();
        let authorization = format!("Authorization: Bearer {CLASSIC}");
        let with_it = ["--header", &authorization[..], "--data", &body];
        assert_eq!(curl.ask(path, &with_it).status, 403);
        assert_eq!(curl.ask(path, &["--data", "{}"]).status, 422);
        assert_eq!(curl.ask(path, &["--data", &body]).status, 202);
        assert_eq!(curl.with(CLASSIC, "/api/v3/user").status, 401);
        forge.set(|state| state.revocation_wants_authentication = true);
        let body = json!({"credentials": ["ghp_two"]}).to_string();
        assert_eq!(curl.ask(path, &["--data", &body]).status, 401);
        let with_it = ["--header", "Authorization: token ghp_two", "--data", &body];
        assert_eq!(curl.ask(path, &with_it).status, 202);
        assert_eq!(curl.with("ghp_two", "/api/v3/user").status, 401);
    });
}

const OWN: &str = "/api/v4/personal_access_tokens/self";

#[test]
fn gitlab_tells_of_a_token() {
    check(Speaks::GitLab, |forge, curl| {
        forge.issue(Token::new("first", GITLAB).ends(1_988_236_800));
        forge.issue(Token::new("endless", "glpat-endless").scopes(&["write_repository"]));
        forge.issue(Token::new("revoked", "glpat-revoked").fate(Fate::Revoked));
        forge.issue(Token::new("ended", "glpat-ended").ends(now() - DAY));
        forge.issue(Token::new("deploy", "gldt-deploy").fate(Fate::OtherKind));
        let told = curl.ask(OWN, &["--header", &format!("PRIVATE-TOKEN: {GITLAB}")]);
        assert_eq!(
            (told.status, &told.body["expires_at"]),
            (200, &json!("2033-01-02"))
        );
        assert_eq!(told.body["scopes"], json!(["api", "write_repository"]));
        assert_eq!(
            (&told.body["active"], &told.body["revoked"]),
            (&json!(true), &json!(false))
        );
        assert_eq!(
            curl.with("glpat-endless", OWN).body["expires_at"],
            Value::Null
        );
        let told = curl.with("glpat-revoked", OWN);
        assert!(
            told.status == 401 && told.body.to_string().contains("was revoked"),
            "{told:?}"
        );
        let told = curl.with("glpat-ended", OWN);
        assert!(
            told.status == 401 && told.body.to_string().contains("is expired"),
            "{told:?}"
        );
        assert_eq!(curl.with("gldt-deploy", OWN).status, 400);
        forge.set(|state| state.tells_of_the_dead = true);
        let told = curl.with("glpat-revoked", OWN).body;
        assert_eq!(
            (&told["active"], &told["revoked"]),
            (&json!(false), &json!(true))
        );
    });
}

#[test]
fn gitlab_rotates_and_knows_a_thief() {
    check(Speaks::GitLab, |forge, curl| {
        forge.issue(Token::new("first", GITLAB).ends(midnight_in_days(5)));
        forge.issue(Token::new("other", "glpat-other"));
        forge.issue(Token::new("reader", "glpat-reader").scopes(&["read_repository"]));
        let path = format!("{OWN}/rotate");
        let rotate = |secret: &str, more: &[&str]| {
            let header = format!("PRIVATE-TOKEN: {secret}");
            curl.ask(
                &path,
                &[&["--request", "POST", "--header", &header], more].concat(),
            )
        };
        let wanted = "expires_at=2000-01-01";
        assert_eq!(rotate(GITLAB, &["--data", wanted]).status, 400);
        assert_eq!(rotate("glpat-reader", &[]).status, 403);
        let told = rotate(GITLAB, &[]);
        assert_eq!(told.status, 200);
        let second = told.body["token"].as_str().unwrap().to_owned();
        assert_eq!(
            forge.tokens()[3].ends,
            Some(midnight_in_days(7)),
            "one week, when nobody asks"
        );
        assert_eq!(
            curl.with(GITLAB, OWN).status,
            401,
            "the old one dies at once"
        );
        let day = time::OffsetDateTime::from_unix_timestamp(midnight_in_days(30).cast_signed())
            .unwrap()
            .date();
        let told = rotate(
            &second,
            &[
                "--json",
                &json!({"expires_at": day.to_string()}).to_string(),
            ],
        );
        assert_eq!(told.body["expires_at"], json!(day.to_string()), "{told:?}");
        let third = told.body["token"].as_str().unwrap().to_owned();
        assert_eq!(curl.with(&third, OWN).status, 200);
        assert_eq!(rotate(GITLAB, &[]).status, 401);
        assert_eq!(curl.with(&third, OWN).status, 401, "the family is gone");
        assert_eq!(curl.with("glpat-other", OWN).status, 200);
        assert_eq!(
            curl.ask(
                OWN,
                &[
                    "--request",
                    "DELETE",
                    "--header",
                    "PRIVATE-TOKEN: glpat-other"
                ]
            )
            .status,
            204
        );
        assert_eq!(curl.with("glpat-other", OWN).status, 401);
    });
}

#[test]
fn gitea_knows_no_ends() {
    check(Speaks::Gitea, |forge, curl| {
        let secret = "0123456789abcdef0123456789abcdef01234567";
        forge.issue(Token::new("gitea", secret).scopes(&["read:user"]));
        forge.issue(Token::new("narrow", "fedcba").scopes(&["write:repository"]));
        let told = curl.with(secret, "/api/v1/user");
        assert_eq!((told.status, &told.body["login"]), (200, &json!("alice")));
        assert_eq!(curl.with("fedcba", "/api/v1/user").status, 403);
        assert_eq!(curl.with("nobodys", "/api/v1/user").status, 401);
    });
}

/// A clone, a fetch and a push with the token in askpass; what git said if one fails.
fn works_with_git(sandbox: &Sandbox, forge: &Forge, secret: &str) -> Result<(), String> {
    let askpass = crate::askpass::Askpass::new(&sandbox.path("askpass"));
    askpass.answers("alice", secret);
    let _ = std::fs::remove_dir_all(sandbox.path("work/r"));
    for arguments in [
        &["clone", "--quiet", &forge.repository(), "r"][..],
        &["-C", "r", "fetch"],
        &[
            "-C",
            "r",
            "commit",
            "--quiet",
            "--allow-empty",
            "-m",
            "More",
        ],
        &["-C", "r", "push", "--quiet", "origin", "HEAD:main"],
    ] {
        let mut git = sandbox.git(arguments);
        git.env("GIT_ASKPASS", askpass.program());
        git.env("GIT_SSL_CAINFO", forge.authority());
        let output = process::run(&mut git, b"");
        if !output.status.success() {
            return Err(output.stderr);
        }
    }
    Ok(())
}

#[test]
fn git_works_with_it() {
    for git in crate::git::all() {
        let sandbox = Sandbox::with(git.clone());
        let forge = Forge::start(&sandbox, Speaks::GitHub);
        forge.issue(Token::new("classic", CLASSIC));
        works_with_git(&sandbox, &forge, CLASSIC).unwrap();
        for (fate, said) in [
            (Fate::Revoked, "Authentication failed"),
            (Fate::NeedsSso, "403"),
            (Fate::LivesTooLong, "403"),
            (Fate::SeesNoRepository, "not found"),
            (Fate::Retired, "410"),
            (Fate::MayNotPush, "Write access to repository not granted"),
        ] {
            forge.change("classic", |token| token.fate = fate);
            let why = works_with_git(&sandbox, &forge, CLASSIC).unwrap_err();
            assert!(why.contains(said), "{fate:?}: {why}");
        }
        forge.change("classic", |token| token.fate = Fate::Good);
        works_with_git(&sandbox, &forge, CLASSIC).unwrap();
    }
}

#[test]
fn certificates_are_what_they_are_called() {
    check(Speaks::GitHub, |forge, curl| {
        for (certificate, status) in [
            (Certificate::Good, Some(0)),
            (Certificate::OtherName, Some(60)),
            (Certificate::SelfSigned, Some(60)),
            (Certificate::Stranger, Some(60)),
            (Certificate::Good, Some(0)),
        ] {
            forge.show(curl.sandbox, certificate);
            let output = curl.run("/api/v3/meta", &[]);
            assert_eq!(output.status.code(), status, "{certificate:?}: {output:?}");
        }
        // Trusted for its own name: so only the name was wrong.
        forge.show(curl.sandbox, Certificate::OtherName);
        let resolve = format!("elsewhere.example.test:{}:127.0.0.1", forge.port);
        let mut curl = curl.sandbox.command(tool::need("curl"));
        curl.args(["--silent", "--resolve", &resolve, "--cacert"])
            .arg(forge.authority());
        curl.arg(format!(
            "https://elsewhere.example.test:{}/api/v3/meta",
            forge.port
        ));
        process::run(&mut curl, b"").succeeded();
        assert!(
            forge
                .record()
                .iter()
                .any(|entry| entry.event == Event::Distrusted)
        );
    });
}

#[test]
fn manners_are_what_they_are_called() {
    check(Speaks::GitHub, |forge, curl| {
        forge.issue(Token::new("classic", CLASSIC).ends(in_days(5) + ABOUT_AN_HOUR));
        let path = "/api/v3/user";
        let header = format!("Authorization: Bearer {CLASSIC}");
        let ask = |more: &[&str]| {
            curl.run(
                path,
                &[&["--header", &header[..], "--max-time", "2"], more].concat(),
            )
        };
        let is_out_of_time = |output: &Output| output.status.code() == Some(28);

        forge.answer(Manner::Late(Duration::from_millis(300)));
        ask(&[]).succeeded();
        for manner in [Manner::Mute, Manner::Silent, Manner::Held, Manner::Drip] {
            forge.answer(manner.clone());
            assert!(is_out_of_time(&ask(&["--max-time", "1"])), "{manner:?}");
        }
        forge.answer(Manner::EndlessHeaders);
        assert!(!ask(&[]).status.success());
        forge.wait_until(|event| matches!(event, Event::LetGo { bytes, .. } if *bytes > 64 * 1024));
        forge.answer(Manner::Flood(1 << 30));
        let output = ask(&["--max-filesize", "1000000"]);
        assert_eq!(output.status.code(), Some(63), "{}", output.stderr);
        forge.answer(Manner::Rude);
        assert!(!ask(&[]).status.success());
        forge.answer(Manner::Raw(b"GARBAGE".to_vec()));
        assert!(!ask(&[]).status.success());
        let twice = |value: &str| (EXPIRATION.to_owned(), value.as_bytes().to_vec());
        forge.answer(Manner::Headers(vec![
            twice("1"),
            twice("2"),
            ("X-OAuth-Scopes".to_owned(), b"r\xE9po".to_vec()),
        ]));
        let told = ask(&[]).succeeded();
        assert_eq!(told.text().matches(EXPIRATION).count(), 2);
        assert!(told.stdout.windows(4).any(|window| window == b"r\xE9po"));
        forge.answer(Manner::Body(b"[[[[".to_vec()));
        assert!(ask(&[]).succeeded().text().ends_with("\r\n\r\n[[[["));
        forge.answer(Manner::Status(500));
        assert!(ask(&[]).succeeded().text().starts_with("HTTP/1.1 500 "));
        forge.answer(Manner::Honest);
        assert!(ask(&[]).succeeded().text().contains(EXPIRATION));
    });
}

#[test]
fn elsewhere_hears_what_is_sent_there() {
    check(Speaks::GitHub, |forge, curl| {
        let elsewhere = Elsewhere::start(curl.sandbox);
        for scheme in ["https", "http"] {
            let url = format!("{scheme}://localhost:{}/", elsewhere.port());
            forge.answer(Manner::Redirect(302, url));
            // A client that knows no law.
            curl.run(
                "/api/v3/user",
                &["--location-trusted", "--header", "Authorization: Bearer x"],
            )
            .succeeded();
        }
        assert_eq!(elsewhere.connections(), 2);
        assert!(
            elsewhere
                .heads()
                .iter()
                .all(|head| head.contains("Authorization: Bearer x"))
        );
        assert!(Certificates::new(curl.sandbox).authority().exists());
    });
}

#[test]
fn the_proxy_lets_through() {
    check(Speaks::GitHub, |_, curl| {
        let proxy = Proxy::start();
        let told = curl.ask(
            "/api/v3/user",
            &["--proxy", &proxy.url(), "--suppress-connect-headers"],
        );
        assert_eq!(told.status, 401);
        let asked = proxy.asked();
        assert!(
            asked.len() == 1 && asked[0].starts_with("CONNECT localhost:"),
            "{asked:?}"
        );
    });
}
