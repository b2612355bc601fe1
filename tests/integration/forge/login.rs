//! `login`: the page, the typed token, the forge's word on it; at a real terminal.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::work::{ABOUT_AN_HOUR, Work, in_days};
use super::{Fate, Manner, Speaks, Token};
use crate::process;
use crate::sandbox::PROGRAM;
use crate::terminal::Session;
use crate::tool;

const CLASSIC: &str = "ghp_classic0123456789";
const PROMPT: &str = "Token (not shown): ";

/// At a terminal, as alice.
fn session(work: &Work, words: &str) -> Session {
    let url = work.forge.url();
    Session::start(&work.command(&format!("login {words} --username alice {url}")))
}

#[test]
fn a_typed_token_is_asked_about_and_kept_with_its_end_and_scopes() {
    let work = Work::with(Speaks::GitHub);
    let ends = in_days(50);
    work.forge.issue(Token::new("new", CLASSIC).ends(ends));
    work.forge.answer(Manner::Held);
    let url = work.forge.url();
    let mut command = work.command(&format!("login --username alice {url}"));
    // As one that draws.
    command.env("TERM", "xterm");
    let mut session = Session::start(&command);
    session.answer(PROMPT, CLASSIC);
    work.forge.wait_until_asked(1);
    // The token is in the program now, and in no process list.
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        for file in ["cmdline", "environ"] {
            let bytes = fs::read(entry.path().join(file)).unwrap_or_default();
            let is_there = bytes
                .windows(CLASSIC.len())
                .any(|part| part == CLASSIC.as_bytes());
            assert!(!is_there, "{:?}", entry.path());
        }
    }
    work.forge.answer(Manner::Honest);
    let (status, shown) = session.finish();
    assert!(status.success(), "{shown}");
    assert!(!shown.contains(CLASSIC), "{shown}");
    assert!(
        shown.contains("/settings/personal-access-tokens/new"),
        "{shown}"
    );
    assert!(shown.contains("Contents: read and write"), "{shown}");
    assert!(!shown.contains('█') && !shown.contains('▀'), "{shown}");
    let kept = work.only_one();
    assert_eq!(kept["expires_at_unix"], ends, "{kept:#}");
    assert_eq!(kept["expires_from"], "forge", "{kept:#}");
    assert_eq!(kept["scopes"][0], "repo", "{kept:#}");
    assert_eq!(work.forge.asked().len(), 1);
}

/// It is as tall as a small terminal: the address and the values stand below it.
#[test]
fn a_qr_code_is_shown_on_request_and_where_it_fits() {
    let work = Work::with(Speaks::GitHub);
    work.forge.issue(Token::new("new", CLASSIC));
    for (size, is_shown) in [
        ("cols 200 rows 100", true),
        ("cols 80 rows 10", false),
        ("cols 20 rows 100", false),
    ] {
        let line = format!(
            "stty {size}; exec '{PROGRAM}' --storage file login --no-browser --qr --username alice {}",
            work.forge.url()
        );
        let mut command = work.trusting(work.sandbox.command(tool::need("sh")));
        command.args(["-c", &line]).env("TERM", "xterm");
        let mut session = Session::start(&command);
        session.answer(PROMPT, CLASSIC);
        let (status, shown) = session.finish();
        assert!(status.success(), "{shown}");
        assert_eq!(shown.contains('█'), is_shown, "{size}: {shown}");
        let caption = format!(
            "the QR code is of {}/settings/personal-access-tokens/new",
            work.forge.url()
        );
        assert_eq!(shown.contains(&caption), is_shown, "{size}: {shown}");
        assert_eq!(
            shown.contains("no QR code: it needs "),
            !is_shown,
            "{size}: {shown}"
        );
        let last_block = shown.rfind('█').unwrap_or_default();
        assert!(last_block < shown.find("with these values").unwrap());
    }
}

#[test]
fn ctrl_c_leaves_the_terminal_as_it_was() {
    let work = Work::with(Speaks::GitHub);
    let line = format!(
        "trap : INT; '{PROGRAM}' --storage file login --no-browser --username alice {}; echo status $?; stty -a; read rest; echo \"rest [$rest]\"",
        work.forge.url()
    );
    let shell = || {
        let mut command = work.trusting(work.sandbox.command(tool::need("sh")));
        command.args(["-c", &line]);
        Session::start(&command)
    };
    for keys in [&b"ghp_half-typed\x03ghp_typed-on"[..], b"\x04"] {
        let mut session = shell();
        session.press(PROMPT, keys);
        session.answer("status 130", "");
        let (_, shown) = session.finish();
        for mode in ["echo", "icanon", "isig"] {
            assert!(
                shown.split_whitespace().any(|word| word == mode),
                "{mode}: {shown}"
            );
        }
        assert!(
            !shown.contains("half-typed") && !shown.contains("typed-on"),
            "{shown}"
        );
        assert!(shown.contains("rest []"), "{shown}");
        let is_end = keys == b"\x04";
        assert_eq!(shown.contains("nothing was changed"), is_end, "{shown}");
    }
    assert_eq!(work.forge.asked().len(), 0);
    assert_eq!(work.listed().len(), 0);
}

#[test]
fn keys_that_edit() {
    let work = Work::with(Speaks::GitHub);
    work.forge.issue(Token::new("new", CLASSIC));
    let mut session = session(&work, "");
    session.press(PROMPT, format!("wrong\x15{CLASSIC}xy\x7f\x7f\r").as_bytes());
    let (status, shown) = session.finish();
    assert!(status.success(), "{shown}");
    assert_eq!(work.kept().as_deref(), Some(CLASSIC));
}

#[test]
fn a_browser_only_where_there_is_a_display() {
    let work = Work::with(Speaks::GitHub);
    work.forge.issue(Token::new("new", CLASSIC));
    let folder = work.sandbox.path("bin");
    fs::create_dir(&folder).unwrap();
    let opened = work.sandbox.path("opened");
    let script = format!(
        "#!/bin/sh\necho \"$1\" >> '{}'\nsleep 60\n",
        opened.display()
    );
    fs::write(folder.join("xdg-open"), script).unwrap();
    fs::set_permissions(folder.join("xdg-open"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    for (words, display, opens) in [
        ("--no-browser", ":0", false),
        ("", "", false),
        ("", ":0", true),
    ] {
        let url = work.forge.url();
        let mut command = work.command(&format!("login {words} --username alice {url}"));
        command.env("PATH", &path).env("DISPLAY", display);
        let mut session = Session::start(&command);
        session.answer(PROMPT, CLASSIC);
        let (status, shown) = session.finish();
        assert!(status.success(), "{shown}");
        assert_eq!(shown.contains("opens in your browser"), opens, "{shown}");
        if opens {
            assert!(process::until(|| opened.exists()), "never opened");
            let page = fs::read_to_string(&opened).unwrap();
            assert!(
                page.contains("/settings/personal-access-tokens/new"),
                "{page}"
            );
        } else {
            assert!(!opened.exists(), "{words} {display}");
        }
    }
}

#[test]
fn a_dead_token_is_not_kept_unless_told_so() {
    let work = Work::with(Speaks::GitHub);
    let words = |more: &str| {
        format!(
            "login {more} --with-token --username alice {}",
            work.forge.url()
        )
    };
    let refused = work.ask(&words(""), CLASSIC.as_bytes());
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(
        refused.stderr.lines().count() <= 3 && !refused.stderr.contains(CLASSIC),
        "{refused:?}"
    );
    assert_eq!(work.listed().len(), 0);
    work.ask(&words("--force"), CLASSIC.as_bytes()).succeeded();
    assert_eq!(work.kept().as_deref(), Some(CLASSIC));
}

#[test]
fn a_forge_that_says_nothing_is_no_obstacle() {
    let work = Work::with(Speaks::GitHub);
    work.forge.answer(Manner::Rude);
    let words = format!(
        "login --with-token --expires 90d --username alice {}",
        work.forge.url()
    );
    let output = work.ask(&words, CLASSIC.as_bytes()).succeeded();
    assert!(output.stderr.contains("cannot tell"), "{output:?}");
    assert_eq!(work.kept().as_deref(), Some(CLASSIC));
    assert_eq!(work.only_one()["expires_from"], "person");
}

#[test]
fn what_git_needs_and_the_token_may_not_is_said_at_once() {
    let work = Work::with(Speaks::GitHub);
    work.forge.issue(
        Token::new("new", CLASSIC)
            .scopes(&["read:org"])
            .ends(in_days(9) - ABOUT_AN_HOUR),
    );
    let words = format!("login --with-token --username alice {}", work.forge.url());
    let output = work.ask(&words, CLASSIC.as_bytes()).succeeded();
    assert!(
        output.stderr.contains("lacks the scope 'repo'"),
        "{output:?}"
    );
    work.forge
        .change("new", |token| token.fate = Fate::NeedsSso);
    let output = work.ask(&words, CLASSIC.as_bytes()).succeeded();
    assert!(output.stderr.contains("/orgs/acme/sso"), "{output:?}");
}

/// At a terminal, as whoever, in a repository or not.
fn without_url(work: &Work, words: &str, answers: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut session = Session::start(&work.command(&format!("login --no-browser {words}")));
    for (question, answer) in answers {
        session.answer(question, answer);
    }
    let (status, shown) = session.finish();
    assert!(!shown.contains(CLASSIC), "{shown}");
    (status.code(), shown)
}

const ANSWERS: &[(&str, &str)] = &[("Username for https://", "alice"), (PROMPT, CLASSIC)];

#[test]
fn without_a_url_the_remote_tells_where() {
    let work = Work::with(Speaks::GitHub);
    work.forge.issue(Token::new("new", CLASSIC));
    let git = |words: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        work.git(&words).succeeded();
    };
    let url = work.forge.url();
    git("init -q");
    let is_kept_for_host = |name: &str| {
        let (status, shown) = without_url(&work, "", ANSWERS);
        assert_eq!(status, Some(0), "{shown}");
        let said = format!("the remote {name} leads to {url}/acme/r.git");
        assert!(shown.contains(&said), "{shown}");
        let kept = work.only_one();
        assert_eq!(kept["url"], url, "{kept:#}");
        work.ask(&format!("logout {url}"), b"").succeeded();
    };
    // The only one.
    git(&format!("remote add upstream {url}/acme/r.git"));
    is_kept_for_host("upstream");
    // `origin` among several, and by git's own rewriting.
    git("remote add other https://other.test/r.git");
    git(&format!("config url.{url}/.insteadOf at:"));
    git("remote add origin at:acme/r.git");
    is_kept_for_host("origin");
    // The branch's before `origin`.
    git("remote set-url origin https://other.test/r.git");
    git("config branch.main.remote upstream");
    is_kept_for_host("upstream");
    // Where git tells the path, it counts.
    git("config credential.useHttpPath true");
    let (status, shown) = without_url(&work, "", ANSWERS);
    assert_eq!(status, Some(0), "{shown}");
    assert_eq!(work.only_one()["path"], "acme/r.git");
}

#[test]
fn a_remote_that_takes_no_token() {
    let work = Work::with(Speaks::GitHub);
    work.git(&["init", "-q"]).succeeded();
    work.git(&["remote", "add", "origin", "-"]).succeeded();
    for (url, said, hint) in [
        (
            "git@one.test:acme/r.git",
            "reached over SSH",
            "git remote set-url origin https://one.test/acme/r.git",
        ),
        (
            "http://one.test/r.git",
            "not reached over HTTPS",
            "give the URL",
        ),
        ("../elsewhere", "not reached over HTTPS", "give the URL"),
        (
            "https://a:made-up-secret@one.test/r",
            "holds a password",
            "git remote set-url",
        ),
        (
            "--upload-pack=touch x",
            "not reached over HTTPS",
            "give the URL",
        ),
    ] {
        work.git(&["config", "remote.origin.url", url]).succeeded();
        let (status, shown) = without_url(&work, "--username alice", &[]);
        assert_eq!(status, Some(1), "{shown}");
        assert!(
            shown.contains(said) && shown.contains(hint),
            "{url}: {shown}"
        );
        assert!(!shown.contains("made-up-secret"), "{shown}");
    }
    assert_eq!(work.listed().len(), 0);
}

#[test]
fn without_a_url_and_a_remote_it_is_said_what_to_do() {
    let work = Work::with(Speaks::GitHub);
    let says_so = |status: Option<i32>, shown: &str| {
        assert_eq!(status, Some(2), "{shown}");
        assert!(shown.contains("which host is the token for?"), "{shown}");
        assert!(
            shown.contains("'git credential-pat login https://github.com'"),
            "{shown}"
        );
    };
    let (status, shown) = without_url(&work, "", &[]);
    says_so(status, &shown);
    work.git(&["init", "-q"]).succeeded();
    let (status, shown) = without_url(&work, "", &[]);
    says_so(status, &shown);
    // A token that nobody sees leave goes nowhere by a repository's word.
    let url = format!("{}/acme/r.git", work.forge.url());
    work.git(&["remote", "add", "origin", &url]).succeeded();
    let output = work.ask("login --with-token --username alice", CLASSIC.as_bytes());
    says_so(output.status.code(), &output.stderr);
    assert_eq!(work.forge.asked().len(), 0);
    assert_eq!(work.listed().len(), 0);
}
