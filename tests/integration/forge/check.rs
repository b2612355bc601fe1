//! `check`: how it ends, what it says, and JSON as the schema in `docs` has it.

use std::fs;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::schema::{faults, of};
use super::work::{DAY, Work, in_days, midnight_in_days};
use super::{Fate, Manner, Speaks, Token, now};
use crate::process::{self, Output};
use crate::terminal::Session;

const CLASSIC: &str = "ghp_classic0123456789";
const GITLAB: &str = "glpat-first.0123456789";
const PLAIN: &str = "0123456789abcdef0123456789abcdef01234567";

/// With one token that was stored before anybody asked.
fn with(speaks: Speaks, token: Token) -> Work {
    let work = Work::without_lookups(speaks);
    work.store("alice", &token.secret);
    work.look_up(true);
    work.forge.issue(token);
    work
}

/// Checks twice, for people and for machines: both end alike, and the JSON is what the schema says.
#[track_caller]
fn check(work: &Work, code: i32) -> (Output, Value) {
    let output = work.ask(&format!("check {}", work.forge.url()), b"");
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    let (also, json) = check_json(work, "");
    assert_eq!(also, code, "{json:#}");
    let everything = work.ask("check", b"");
    assert_eq!(everything.status.code(), Some(code), "{everything:?}");
    for token in work.forge.tokens() {
        let shown = format!("{}{}{json}", output.text(), output.stderr);
        assert!(!shown.contains(&token.secret), "{shown}");
    }
    (output, json)
}

#[track_caller]
fn check_json(work: &Work, url: &str) -> (i32, Value) {
    let output = work.ask(&format!("check {url} --json"), b"");
    let json: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert_eq!(faults(&of("check"), &json), [""; 0], "{json:#}");
    (output.status.code().unwrap(), json)
}

fn is_said(json: &Value, word: &str) -> bool {
    json.to_string().contains(&format!("\"{word}\""))
}

#[test]
fn fine() {
    let work = with(
        Speaks::GitHub,
        Token::new("classic", CLASSIC).ends(in_days(100)),
    );
    let (output, json) = check(&work, 0);
    assert!(
        is_said(&json, "repo") && is_said(&json, "workflow"),
        "{json:#}"
    );
    assert!(output.text().contains("repo"), "{output:?}");
    assert_eq!(
        work.only_one()["expires_at_unix"],
        work.forge.tokens()[0].ends.unwrap(),
        "not kept"
    );
}

#[test]
fn fine_without_end() {
    let work = with(Speaks::GitHub, Token::new("classic", CLASSIC));
    check(&work, 0);
}

#[test]
fn expires_soon() {
    let work = with(
        Speaks::GitHub,
        Token::new("classic", CLASSIC).ends(in_days(5)),
    );
    let (output, json) = check(&work, 3);
    assert!(output.text().contains("5 days"), "{output:?}");
    assert!(is_said(&json, "expires-soon"), "{json:#}");
    let work = with(
        Speaks::GitLab,
        Token::new("first", GITLAB).ends(midnight_in_days(5)),
    );
    check(&work, 3);
}

#[test]
fn github_says_only_that_it_is_dead() {
    for token in [
        Token::new("revoked", CLASSIC).fate(Fate::Revoked),
        Token::new("ended", CLASSIC).ends(now() - DAY),
    ] {
        let work = with(Speaks::GitHub, token);
        let (_, json) = check(&work, 4);
        assert!(is_said(&json, "rejected"), "{json:#}");
        assert_eq!(
            work.kept().as_deref(),
            Some(CLASSIC),
            "check removes nothing"
        );
    }
}

#[test]
fn an_end_that_was_known_tells_why_it_is_dead() {
    let work = with(
        Speaks::GitHub,
        Token::new("ended", CLASSIC).ends(now() - DAY),
    );
    work.ask(&format!("expires {} 2020-01-01", work.forge.url()), b"")
        .succeeded();
    let (_, json) = check(&work, 4);
    assert!(is_said(&json, "expired"), "{json:#}");
}

/// Where the forge says why, so do we: by its status, or by its word.
#[test]
fn gitlab_tells_revoked_from_ended() {
    for tells in [false, true] {
        let work = with(
            Speaks::GitLab,
            Token::new("revoked", GITLAB).fate(Fate::Revoked),
        );
        work.forge.set(|state| state.tells_of_the_dead = tells);
        let (output, json) = check(&work, 4);
        assert!(
            is_said(&json, "revoked") && !is_said(&json, "expired"),
            "{tells}: {json:#}"
        );
        assert!(output.text().contains("revoked"), "{output:?}");

        let work = with(
            Speaks::GitLab,
            Token::new("ended", GITLAB).ends(midnight_in_days(0)),
        );
        work.forge.set(|state| state.tells_of_the_dead = tells);
        let (output, json) = check(&work, 4);
        assert!(
            is_said(&json, "expired") && !is_said(&json, "revoked"),
            "{tells}: {json:#}"
        );
        assert!(output.text().contains("expired"), "{output:?}");
    }
}

#[test]
fn a_token_that_nobody_knows() {
    for (speaks, secret) in [(Speaks::GitHub, CLASSIC), (Speaks::GitLab, GITLAB)] {
        let work = Work::without_lookups(speaks);
        work.store("alice", secret);
        work.look_up(true);
        let (_, json) = check(&work, 4);
        assert!(is_said(&json, "rejected"), "{json:#}");
    }
}

#[test]
fn the_worst_of_several_decides() {
    let work = Work::without_lookups(Speaks::GitHub);
    for (user, token) in [
        ("alice", Token::new("good", "ghp_good").ends(in_days(100))),
        ("bob", Token::new("soon", "ghp_soon").ends(in_days(5))),
        ("carol", Token::new("dead", "ghp_dead").fate(Fate::Revoked)),
    ] {
        work.store(user, &token.secret);
        work.forge.issue(token);
    }
    work.look_up(true);
    let (code, json) = check_json(&work, "");
    assert_eq!(code, 4);
    assert!(
        is_said(&json, "alice") && is_said(&json, "bob") && is_said(&json, "carol"),
        "{json:#}"
    );
    let at = |user: &str| {
        work.forge
            .url()
            .replace("https://", &format!("https://{user}@"))
    };
    assert_eq!(check_json(&work, &at("alice")).0, 0);
    assert_eq!(check_json(&work, &at("bob")).0, 3);
    assert_eq!(check_json(&work, &at("carol")).0, 4);
    assert_eq!(
        work.forge.asked().len(),
        6,
        "one request for each, never more"
    );
}

#[test]
fn nobody_answers() {
    let work = with(
        Speaks::GitHub,
        Token::new("classic", CLASSIC).ends(in_days(100)),
    );
    work.forge.answer(Manner::Status(500));
    check(&work, 5);
    work.forge.answer(Manner::Rude);
    check(&work, 5);
    // What was known before says no more than that nobody answers now.
    work.forge.answer(Manner::Honest);
    check(&work, 0);
}

#[test]
fn blocked_by_the_organization() {
    let work = with(
        Speaks::GitHub,
        Token::new("sso", CLASSIC).fate(Fate::NeedsSso),
    );
    let output = work.ask("check", b"");
    let link = format!(
        "{}/orgs/acme/sso?authorization_request=AAAA",
        work.forge.url()
    );
    assert!(
        output.text().contains(&link) || output.stderr.contains(&link),
        "{output:?}"
    );
    let (code, json) = check_json(&work, "");
    assert_eq!(Some(code), output.status.code());
    assert!(
        code != 0 && json.to_string().contains(&link),
        "{code}: {json:#}"
    );
    work.forge
        .change("sso", |token| token.fate = Fate::LivesTooLong);
    assert_eq!(check_json(&work, "").0, code);
}

#[test]
fn forges_that_tell_no_end() {
    for speaks in [Speaks::Gitea, Speaks::Bitbucket, Speaks::Azure] {
        let work = with(speaks, Token::new("plain", PLAIN).scopes(&["read:user"]));
        check(&work, 5);
        let url = work.forge.url();
        work.ask(&format!("expires {url} 5d"), b"").succeeded();
        check(&work, 3);
        work.ask(&format!("expires {url} 2020-01-01"), b"")
            .succeeded();
        check(&work, 4);
    }
}

#[test]
fn nothing_of_the_forges_reaches_the_terminal_raw() {
    let work = with(
        Speaks::GitHub,
        Token::new("classic", CLASSIC).ends(in_days(100)),
    );
    let evil = "required; url=https://evil.test/\u{1b}[2J\u{9b}1m\u{202e}";
    let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
    for headers in [
        vec![header("X-OAuth-Scopes", "repo, \u{1b}[31mred\u{7}")],
        vec![header("X-OAuth-Scopes", "\u{202e}oper")],
        vec![header("X-GitHub-SSO", evil)],
    ] {
        work.forge.answer(Manner::Headers(headers));
        for words in ["check", "check --json", "list", "list --json"] {
            let output = work.ask(words, b"");
            let shown = output.text() + &output.stderr;
            assert!(
                !shown.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}']),
                "{shown:?}"
            );
        }
    }
    let body = r#"{"login":"\u001b[2Jevil\nline","id":1}"#;
    work.forge.answer(Manner::Body(body.as_bytes().to_vec()));
    let output = work.ask("check", b"");
    assert!(
        !output.text().contains('\u{1b}') && !output.stderr.contains('\u{1b}'),
        "{output:?}"
    );
}

/// It is written down where the entry is, and that is no storing: the one stored last answers as before.
#[test]
fn an_end_that_is_learnt_changes_not_who_answers() {
    for storage in ["memory", "file", "keychain"] {
        let mut work = Work::without_lookups(Speaks::GitHub);
        if storage == "keychain" {
            work.sandbox.start_keyring();
        }
        let ask = |words: &str, input: &[u8]| {
            let words = format!("--storage {storage} {words}");
            process::run(&mut work.trusting(work.sandbox.helper(&words)), input)
        };
        for (user, token) in [("alice", CLASSIC), ("bob", "ghp_other0123456789")] {
            work.forge.issue(Token::new(user, token).ends(in_days(100)));
            ask("store", &work.credential(user, token)).succeeded();
        }
        let host = work.forge.host();
        let answers = || {
            let question = format!("protocol=https\nhost={host}\n\n");
            let answer = ask("get", question.as_bytes()).succeeded().text();
            answer
                .lines()
                .find(|line| line.starts_with("username="))
                .map(str::to_owned)
        };
        assert_eq!(answers().as_deref(), Some("username=bob"), "{storage}");
        // Items of a keyring are dated in seconds.
        let stored = now();
        assert!(process::until(|| now() > stored + 1));
        for words in ["check", "expires"] {
            let what = format!("{words} https://alice@{host}");
            let what = if words == "check" {
                what
            } else {
                format!("{what} 50d")
            };
            ask(&what, b"").succeeded();
            assert_eq!(
                answers().as_deref(),
                Some("username=bob"),
                "{storage} {words}"
            );
        }
        let listed: Value =
            serde_json::from_slice(&ask("list --json", b"").succeeded().stdout).unwrap();
        let of = |user: &str| {
            let mut all = listed.as_array().unwrap().iter();
            all.find(|one| one["username"] == user).unwrap()["expires_from"].clone()
        };
        assert_eq!(of("alice"), "person", "{listed:#}");
    }
}

/// On a terminal alone, and gone in the end.
#[test]
fn long_work_is_counted() {
    let work = Work::without_lookups(Speaks::GitHub);
    for (user, token) in [("alice", CLASSIC), ("bob", "ghp_other0123456789")] {
        work.forge.issue(Token::new(user, token));
        work.store(user, token);
    }
    work.forge.answer(Manner::Late(Duration::from_millis(1200)));
    let check = |terminal: &str| {
        let mut command = work.command("check");
        let (status, shown) = Session::start(command.env("TERM", terminal)).finish();
        assert!(status.success(), "{shown}");
        shown
    };
    // Each waits for the forge's answers.
    let (shown, dumb, piped) = thread::scope(|scope| {
        let shown = scope.spawn(|| check("xterm"));
        let dumb = scope.spawn(|| check("dumb"));
        let piped = scope.spawn(|| work.ask("check", b"").succeeded());
        (
            shown.join().unwrap(),
            dumb.join().unwrap(),
            piped.join().unwrap(),
        )
    });
    let (counted, _) = shown.split_once("\r\x1b[K").expect("taken away again");
    assert!(counted.contains("asking about token 2 of 2"), "{shown}");
    assert!(!dumb.contains("asking about"), "{dumb}");
    assert!(!piped.stderr.contains("asking about"), "{piped:?}");
}

/// A gateway's page says 200, and nothing of the token.
#[test]
fn a_page_in_the_forges_place_changes_nothing() {
    for (speaks, secret) in [(Speaks::GitHub, CLASSIC), (Speaks::GitLab, GITLAB)] {
        let ends = midnight_in_days(4);
        let work = with(speaks, Token::new("token", secret).ends(ends));
        check(&work, 3);
        for body in [
            "<html>Sign in</html>",
            "{}",
            "{\"message\":\"maintenance\"}",
        ] {
            work.forge.answer(Manner::Body(body.into()));
            let (output, json) = check(&work, 3);
            assert!(is_said(&json, "expires-soon"), "{body}: {json:#}");
            assert!(output.text().contains("answers 200"), "{output:?}");
            assert_eq!(work.only_one()["expires_at_unix"], ends, "{body}");
        }
    }
}

#[test]
fn list_shows_what_was_learnt() {
    let work = with(
        Speaks::GitLab,
        Token::new("token", GITLAB).fate(Fate::Revoked),
    );
    check(&work, 4);
    let shown = work.ask("list", b"").succeeded().text();
    assert!(shown.contains("revoked, says the forge"), "{shown}");
}

/// The journal may be removed at any time: then a date is nobody's, and the forge knows better.
#[test]
fn the_forge_outranks_a_date_of_nobodys() {
    let ends = midnight_in_days(100);
    let work = with(Speaks::GitLab, Token::new("token", GITLAB).ends(ends));
    work.ask(&format!("expires {} 3d", work.forge.url()), b"")
        .succeeded();
    fs::remove_file(work.sandbox.path("state/git-credential-pat/journal")).unwrap();
    assert_eq!(work.only_one()["expires_from"], "unknown");
    check(&work, 0);
    let listed = work.only_one();
    assert_eq!(
        (&listed["expires_at_unix"], &listed["expires_from"]),
        (&ends.into(), &"forge".into())
    );
}

#[test]
fn a_person_takes_back_what_they_told() {
    let work = Work::without_lookups(Speaks::Gitea);
    let login = |words: &str| {
        let words = format!(
            "login --with-token --username alice {words} {}",
            work.forge.url()
        );
        work.ask(&words, PLAIN.as_bytes()).succeeded()
    };
    login("--expires 30d");
    let again = login("");
    assert!(
        again.text().contains(" until "),
        "it is kept with its end: {again:?}"
    );
    assert_eq!(work.only_one()["expires_from"], "person");
    login("--expires never");
    assert_eq!(work.only_one()["expires_at"], Value::Null);
}
