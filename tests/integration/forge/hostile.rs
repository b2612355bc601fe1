//! Forges that mean harm: the token stays with the first host, time and memory stay bounded, and what is kept stays.

use std::time::Duration;

use serde_json::Value;

use super::work::{Work, in_days};
use super::{Certificate, Elsewhere, Event, Manner, Speaks, Token};
use crate::alone::{alone, children};
use crate::attributes::lines;
use crate::process::{self, Output};
use crate::tool;

/// A gigabyte, of which nobody takes more than the sockets hold.
const HUGE: u64 = 1 << 30;
const BOUNDED: u64 = 32 << 20;
/// No look-up takes longer, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(11);

const EXPIRATION: &str = "GitHub-Authentication-Token-Expiration";

struct Case {
    name: String,
    manner: Manner,
    /// Of `check`.
    code: i32,
}

fn case(name: &str, code: i32, manner: Manner) -> Case {
    Case {
        name: name.to_owned(),
        manner,
        code,
    }
}

fn headers(values: &[(&str, &[u8])]) -> Manner {
    let owned = values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.to_vec()));
    Manner::Headers(owned.collect())
}

fn redirects(work: &Work, elsewhere: &Elsewhere) -> Vec<Case> {
    let (own, other) = (work.forge.port, elsewhere.port());
    let places = [
        format!("https://127.0.0.1:{own}/api/v3/user"),
        format!("https://localhost:{other}/api/v3/user"),
        format!("https://127.0.0.1:{other}/"),
        format!("http://localhost:{other}/"),
        format!("//localhost:{other}/"),
        format!("https://localhost:{own}@localhost:{other}/"),
        format!("https://localhost:{own}/api/v3/rate_limit"),
        "/api/v3/rate_limit".to_owned(),
    ];
    let mut cases: Vec<Case> = places
        .into_iter()
        .map(|place| case(&format!("302 to {place}"), 5, Manner::Redirect(302, place)))
        .collect();
    for status in [301, 303, 307, 308] {
        let place = format!("https://localhost:{other}/");
        cases.push(case(
            &format!("{status}"),
            5,
            Manner::Redirect(status, place),
        ));
    }
    cases
}

fn answers() -> Vec<Case> {
    let raw = |bytes: &[u8]| Manner::Raw(bytes.to_vec());
    let mut cases = vec![
        case("a body of 1 GB", 5, Manner::Flood(HUGE)),
        case("headers without end", 5, Manner::EndlessHeaders),
        case("one byte a second", 5, Manner::Drip),
        case("silence", 5, Manner::Silent),
        case("silence before TLS", 5, Manner::Mute),
        case("401", 5, Manner::Status(401)),
        case("404", 5, Manner::Status(404)),
        case("hangs up", 5, Manner::Rude),
        case("no HTTP", 5, raw(b"\0\xFF\x16garbage\r\n\r\n")),
        case(
            "a length beyond all",
            5,
            raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n{}"),
        ),
        case(
            "two lengths",
            5,
            raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}"),
        ),
        case(
            "chunks beyond all",
            5,
            raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\n{}"),
        ),
        case("a status beyond all", 5, raw(b"HTTP/1.1 99999 OK\r\n\r\n")),
        case(
            "wants more",
            5,
            raw(&b"HTTP/1.1 100 Continue\r\n\r\n".repeat(5000)),
        ),
    ];
    for value in [
        "9999-99-99",
        "",
        "2001-01-01",
        "99999999999999999999-01-01 00:00:00 UTC",
        "2030-01-01 00:00:00 +9999",
    ] {
        cases.push(case(
            &format!("the date {value:?}"),
            0,
            headers(&[(EXPIRATION, value.as_bytes())]),
        ));
    }
    let twice: &[(&str, &[u8])] = &[
        (EXPIRATION, b"2001-01-01 00:00:00 UTC"),
        (EXPIRATION, b"2031-01-01 00:00:00 UTC"),
    ];
    cases.push(case("two dates", 0, headers(twice)));
    cases.push(case(
        "a date that is no text",
        0,
        headers(&[(EXPIRATION, b"2030-01-01\xFF\xC3\x28 00:00:00 UTC")]),
    ));
    cases.push(case(
        "a date of digits from elsewhere",
        0,
        headers(&[(EXPIRATION, "２０３０-01-01 00:00:00 UTC".as_bytes())]),
    ));
    for (name, code, scopes) in [
        ("scopes that are no text", 0, &b"r\xE9po, w\xC3\x28"[..]),
        (
            "scopes that are an attribute",
            0,
            b"repo, said=1, password=x",
        ),
        ("scopes without end", 0, &b"repo, ".repeat(4000)),
        // No header may hold these: such an answer is not HTTP.
        ("scopes that are an escape", 5, b"repo, \x1b[2J"),
        ("scopes that are lines", 5, b"repo\x0bsaid=1\rpassword=x"),
    ] {
        let manner = headers(&[("X-OAuth-Scopes", scopes), (EXPIRATION, b"x")]);
        cases.push(case(name, code, manner));
    }
    cases
}

/// What GitLab may say in its body.
fn bodies() -> Vec<Case> {
    let deep = [b"[".repeat(30_000), b"]".repeat(30_000)].concat();
    let bodies: Vec<(&str, &[u8])> = vec![
        ("nothing", b""),
        ("no JSON", b"<html>"),
        ("a list", b"[]"),
        ("depth", &deep),
        ("an impossible date", br#"{"expires_at":"9999-99-99","active":true,"revoked":false,"scopes":["api"]}"#),
        ("a date that is a number", br#"{"expires_at":5,"active":true,"revoked":false,"scopes":["api"]}"#),
        ("scopes that are no list", br#"{"expires_at":null,"active":true,"revoked":false,"scopes":{"a":1}}"#),
        ("scopes with lines", b"{\"expires_at\":null,\"active\":true,\"revoked\":false,\"scopes\":[\"api\\nsaid=1\",\"\\u001b[2J\"]}"),
        ("no text", b"{\"expires_at\":\"\xFF\xFE\"}"),
    ];
    bodies
        .into_iter()
        .map(|(name, body)| case(name, -1, Manner::Body(body.to_vec())))
        .collect()
}

/// In the room that any of our commands has: what asks for more ends here.
fn in_little_room(work: &Work, words: &str, input: &[u8]) -> Output {
    let command = work.command(words);
    let mut shell = work.sandbox.command(tool::need("sh"));
    // In KiB, of addresses: threads and libraries take far more of them than of memory.
    shell.args(["-c", "ulimit -v 400000; exec \"$0\" \"$@\""]);
    shell.arg(command.get_program()).args(command.get_args());
    shell.envs(
        command
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    process::run_within(Duration::from_secs(30), &mut shell, input)
}

/// All cases behind git's back, then in front of the person.
fn survives(work: &Work, elsewhere: &Elsewhere, prefix: &str, cases: &[Case]) {
    let mut failures = Vec::new();
    for (number, Case { name, manner, code }) in cases.iter().enumerate() {
        let mut expect = |is_so: bool, what: &str| {
            if !is_so {
                failures.push(format!("{name}: {what}"));
            }
        };
        let secret = format!("{prefix}hostile{number}");
        work.forge
            .issue(Token::new(&secret, &secret).ends(in_days(100)));
        work.forge.answer(manner.clone());
        let asked = || {
            work.forge
                .asked()
                .iter()
                .filter(|(_, _, token)| *token == secret)
                .count()
        };
        let once = usize::from(!matches!(manner, Manner::Mute));

        let stored = in_little_room(work, "store", &work.credential("alice", &secret)).succeeded();
        expect(
            stored.stderr.is_empty() && stored.stdout.is_empty(),
            "store said something",
        );
        let kept = work.sandbox.files("data");
        // It does not wait for whoever looks up.
        expect(
            work.kept().as_deref() == Some(&secret),
            "not answered meanwhile",
        );
        if matches!(manner, Manner::Mute | Manner::Silent | Manner::Drip) {
            expect(!children().is_empty(), "get waited for the look-up");
        }
        expect(
            process::until_within(PATIENCE, || children().is_empty()),
            "the look-up does not end",
        );
        expect(
            asked() == once,
            &format!("the look-up asked {} times", asked()),
        );
        if *code >= 0 {
            expect(
                work.sandbox.files("data") == kept,
                "what is kept has changed",
            );
        }
        expect(
            work.kept().as_deref() == Some(&secret),
            "not answered after the look-up",
        );

        let checked = in_little_room(work, "check", b"");
        expect(
            *code < 0 || checked.status.code() == Some(*code),
            &format!("check: {checked:?}"),
        );
        expect(
            matches!(checked.status.code(), Some(0 | 3 | 4 | 5)),
            &format!("check: {checked:?}"),
        );
        let shown = checked.text() + &checked.stderr;
        expect(
            !shown.contains(&secret) && !shown.contains("panicked"),
            &format!("check said {shown}"),
        );
        expect(!shown.contains('\u{1b}'), &format!("check said {shown:?}"));
        expect(
            asked() == 2 * once,
            &format!("with check: asked {} times", asked()),
        );
        expect(
            work.kept().as_deref() == Some(&secret),
            "not answered after check",
        );
        expect(
            work.only_one()["expires_at"].is_null() || *code < 0,
            "it believed that",
        );
        expect(
            elsewhere.connections() == 0,
            &format!("went elsewhere: {:?}", elsewhere.heads()),
        );
    }
    let let_go = work
        .forge
        .record()
        .into_iter()
        .filter_map(|entry| match entry.event {
            Event::LetGo { bytes, .. } => Some(bytes),
            _ => None,
        });
    let most = let_go.max().unwrap_or(0);
    assert!(most < BOUNDED, "{most} bytes were taken");
    assert_eq!(
        failures,
        [""; 0],
        "{} of {} cases",
        failures.len(),
        cases.len()
    );
}

#[test]
fn redirects_are_not_followed() {
    alone("forge::hostile::redirects_are_not_followed", || {
        let work = Work::with(Speaks::GitHub);
        let elsewhere = Elsewhere::start(&work.sandbox);
        let cases = redirects(&work, &elsewhere);
        survives(&work, &elsewhere, "ghp_", &cases);
    });
}

#[test]
fn answers_are_survived() {
    alone("forge::hostile::answers_are_survived", || {
        let work = Work::with(Speaks::GitHub);
        let elsewhere = Elsewhere::start(&work.sandbox);
        survives(&work, &elsewhere, "ghp_", &answers());
    });
}

#[test]
fn bodies_are_survived() {
    alone("forge::hostile::bodies_are_survived", || {
        let work = Work::with(Speaks::GitLab);
        let elsewhere = Elsewhere::start(&work.sandbox);
        survives(&work, &elsewhere, "glpat-", &bodies());
    });
}

#[test]
fn wrong_certificates_get_no_token() {
    alone("forge::hostile::wrong_certificates_get_no_token", || {
        for certificate in [
            Certificate::OtherName,
            Certificate::SelfSigned,
            Certificate::Stranger,
        ] {
            let work = Work::with(Speaks::GitHub);
            work.forge
                .issue(Token::new("classic", "ghp_classic").ends(in_days(100)));
            work.forge.show(&work.sandbox, certificate);
            work.store("alice", "ghp_classic");
            assert!(process::until_within(PATIENCE, || children().is_empty()));
            work.forge.wait_until(|event| *event == Event::Distrusted);
            let checked = work.ask("check", b"");
            assert_eq!(
                checked.status.code(),
                Some(5),
                "{certificate:?}: {checked:?}"
            );
            assert_eq!(work.forge.asked(), [], "{certificate:?}");
            assert_eq!(work.kept().as_deref(), Some("ghp_classic"));
            assert_eq!(work.only_one()["expires_at"], Value::Null);
        }
    });
}

/// Whoever runs a forge of their own is told what is wrong with its certificate.
#[test]
fn what_is_wrong_with_a_certificate_is_said() {
    let work = Work::without_lookups(Speaks::GitLab);
    work.store("alice", "glpat-alice");
    work.forge.issue(Token::new("alice", "glpat-alice"));
    for (certificate, said) in [
        (Certificate::OtherName, "is for another name"),
        (
            Certificate::SelfSigned,
            "is issued by an authority that this system does not trust",
        ),
        (Certificate::Stranger, "is signed with another key"),
        (Certificate::Ended, "has expired"),
        (Certificate::Early, "is not valid yet"),
        (Certificate::ForClients, "is not one for servers"),
        (
            Certificate::OwnAuthority,
            "is a certificate authority's own",
        ),
    ] {
        work.forge.show(&work.sandbox, certificate);
        let output = work.ask(&format!("doctor {}", work.forge.url()), b"");
        // git's library may accept what ours does not: then git is not stopped.
        let mut git = work.trusting(work.sandbox.git(&["ls-remote", &work.forge.repository()]));
        let told = process::run(&mut git, b"").stderr;
        let is_stopped = told.contains("unable to access");
        let code = i32::from(is_stopped);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let shown = output.text();
        let what = format!("the forge's certificate {said}");
        assert!(shown.contains(&what), "{certificate:?}: {output:?}");
    }
    let asked = work.forge.asked();
    assert!(
        asked.iter().all(|(_, _, token)| token == "nobody"),
        "{asked:?}"
    );
}

/// What lies in the folder one works in decides nothing.
#[test]
fn a_repository_sends_the_token_nowhere() {
    alone(
        "forge::hostile::a_repository_sends_the_token_nowhere",
        || {
            let work = Work::with(Speaks::GitHub);
            let elsewhere = Elsewhere::start(&work.sandbox);
            work.forge
                .issue(Token::new("classic", "ghp_classic").ends(in_days(100)));
            work.sandbox.git(&["init", "--quiet"]).status().unwrap();
            let proxy = format!("http://localhost:{}", elsewhere.port());
            for (key, value) in [
                ("http.proxy", &proxy[..]),
                ("http.sslVerify", "false"),
                (
                    &format!("url.https://localhost:{}/.insteadOf", elsewhere.port()),
                    &format!("{}/", work.forge.url()),
                ),
            ] {
                work.sandbox.git(&["config", key, value]).status().unwrap();
            }
            std::fs::write(
                work.sandbox.path("work/config.toml"),
                "[[host]]\nurl = \"x\"\n",
            )
            .unwrap();
            work.store("alice", "ghp_classic");
            assert!(process::until_within(PATIENCE, || children().is_empty()));
            let checked = work.ask("check", b"");
            assert_eq!(elsewhere.connections(), 0, "{:?}", elsewhere.heads());
            assert_eq!(checked.status.code(), Some(0), "{checked:?}");
            assert_eq!(work.forge.asked().len(), 2);
            // Nor does what the repository says make a stranger trusted.
            work.forge.show(&work.sandbox, Certificate::Stranger);
            let checked = work.ask("check", b"");
            assert_eq!(checked.status.code(), Some(5), "{checked:?}");
            assert_eq!(work.forge.asked().len(), 2);
        },
    );
}

/// A port that is none is not the usual one, and what cannot be asked is not called unencrypted.
#[test]
fn a_host_that_no_url_can_have_is_not_asked() {
    for host in ["localhost:99999", "localhost:0", "m\u{fc}nchen.test"] {
        let work = Work::without_lookups(Speaks::GitHub);
        let credential = lines(&[
            ("protocol", "https"),
            ("host", host),
            ("username", "alice"),
            ("password", "ghp_classic0123456789"),
        ]);
        work.ask("store", &credential).succeeded();
        let checked = work.ask("check", b"");
        assert_eq!(checked.status.code(), Some(5), "{host}: {checked:?}");
        let shown = String::from_utf8_lossy(&checked.stdout);
        assert!(
            shown.contains("the host cannot be asked: its name or its port"),
            "{host}: {shown}"
        );
    }
}
