//! `rotate`: the store always holds a working token, or the old one and a word about it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use time::OffsetDateTime;

use super::work::{DAY, HOUR, Work, in_days, midnight_in_days};
use super::{Fate, Manner, Proxy, Speaks, Token, now};
use crate::attributes::lines;
use crate::process::{Output, run};
use crate::sandbox::PROGRAM;
use crate::terminal::Session;
use crate::tool;

const GITLAB: &str = "glpat-first.0123456789";
const CLASSIC: &str = "ghp_old0123456789";

/// Every call of the system on the way from the old token to the new one.
const CALLS: &[&str] = &[
    "openat",
    "flock",
    "mkdir",
    "socket",
    "connect",
    "sendto",
    "recvfrom",
    "read",
    "write",
    "fsync",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "close",
];
/// No rotation makes as many of one kind.
const MANY: usize = 400;

fn with(token: Token) -> Work {
    Work::keeping(Speaks::GitLab, token)
}

fn rotate(work: &Work) -> Output {
    work.ask(&format!("rotate {}", work.forge.url()), b"")
}

/// Whether the forge takes what is kept.
fn is_good(work: &Work) -> bool {
    let kept = work.kept().expect("something is kept");
    let tokens = work.forge.tokens();
    tokens
        .iter()
        .any(|token| token.secret == kept && token.fate == Fate::Good)
}

#[test]
fn the_new_token_is_kept_with_its_end() {
    for (words, ends) in [
        ("", midnight_in_days(91)),
        ("--expires 30d", midnight_in_days(31)),
        ("--expires 6h", next_midnight_after(6 * HOUR)),
        ("--expires 365d", midnight_in_days(365)),
    ] {
        let work = with(Token::new("first", GITLAB).ends(midnight_in_days(5)));
        let output = work
            .ask(&format!("rotate {words} {}", work.forge.url()), b"")
            .succeeded();
        let tokens = work.forge.tokens();
        assert_eq!(tokens.len(), 2);
        assert_eq!(work.kept().as_deref(), Some(&tokens[1].secret[..]));
        let kept = work.only_one();
        assert!(
            kept["expires_at_unix"].as_u64().unwrap().abs_diff(ends) < HOUR,
            "{kept:#}"
        );
        assert_eq!(kept["expires_from"], "forge", "{kept:#}");
        let shown = output.text() + &output.stderr;
        assert!(
            tokens.iter().all(|token| !shown.contains(&token.secret)),
            "{shown}"
        );
        assert!(output.stderr.contains("if this is cut off"), "{output:?}");
        rotate(&work).succeeded();
        assert!(is_good(&work));
    }
}

/// What a hint says is meant for the user whom it is about, and every command takes it.
#[test]
fn a_hint_names_whose_token_it_means() {
    let work = with(Token::new("alice's", GITLAB).ends(midnight_in_days(3)));
    work.forge
        .issue(Token::new("bob's", "glpat-bob").ends(midnight_in_days(3)));
    work.store("bob@corp", "glpat-bob");
    let bob = format!("https://bob%40corp@{}", work.forge.host());
    let alice = format!("https://alice@{}", work.forge.host());
    for url in [&alice, &bob] {
        work.ask(&format!("expires {url} 2d"), b"").succeeded();
        let table = work.ask(&format!("check {url}"), b"");
        assert_eq!(table.status.code(), Some(3), "{table:?}");
        assert_eq!(table.text().matches("expires in").count(), 1, "{table:?}");
    }
    // The last one stored is Bob's.
    let warned = work.get().succeeded();
    let hint = format!("hint: create a new one with 'git credential-pat rotate {bob}'");
    assert!(warned.stderr.contains(&hint), "{warned:?}");
    let rotated = work.ask(&format!("rotate {alice}"), b"").succeeded();
    let hint = format!("create a new one with 'git credential-pat login {alice}'");
    assert!(rotated.stderr.contains(&hint), "{rotated:?}");
    let tokens = work.forge.tokens();
    let fate = |name: &str| tokens.iter().find(|token| token.name == name).unwrap().fate;
    assert_eq!(
        (fate("alice's"), fate("bob's")),
        (Fate::Revoked, Fate::Good)
    );
    let output = work.ask(&format!("login --with-token {bob}"), b"glpat-bob");
    assert!(output.succeeded().text().contains("is kept"));
    let names: Vec<_> = work
        .listed()
        .iter()
        .map(|entry| entry["username"].clone())
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

/// A repository's URL means the token of the account whose path it is in.
#[test]
fn every_command_finds_the_account_of_a_repository() {
    let work = Work::without_lookups(Speaks::GitLab);
    let url = work.forge.url();
    let path = work.sandbox.path("config/git-credential-pat/config.toml");
    let mut settings = fs::read_to_string(&path).unwrap();
    for owner in ["acme", "other"] {
        let rule = format!("[[account]]\nurl = \"{url}/{owner}\"\nusername = \"alice\"\n");
        settings.push_str(&rule);
    }
    fs::write(&path, settings).unwrap();
    for owner in ["acme", "other"] {
        let host = work.forge.host();
        let question = format!(
            "protocol=https\nhost={host}\npath={owner}/r\nusername=alice\npassword=glpat-{owner}\n\n"
        );
        work.ask("store", question.as_bytes()).succeeded();
        work.forge
            .issue(Token::new(owner, &format!("glpat-{owner}")));
    }
    assert_eq!(work.listed().len(), 2);
    let told = work.ask(&format!("expires {url}/acme/repo 2d"), b"");
    let told = told.succeeded().text();
    assert!(told.contains("/acme expires on"), "{told}");
    assert!(!told.contains("/other"), "{told}");
    let checked = work.ask(&format!("check {url}/acme/repo.git"), b"");
    assert!(checked.text().contains("/acme "), "{checked:?}");
    assert!(!checked.text().contains("/other"), "{checked:?}");
    // The one stored last is the other's.
    work.ask(&format!("rotate {url}/acme/repo"), b"")
        .succeeded();
    let fates: Vec<_> = work.forge.tokens().iter().map(|token| token.fate).collect();
    assert_eq!(fates, [Fate::Revoked, Fate::Good, Fate::Good]);
}

/// The first midnight in UTC that is so many seconds ahead, or more.
fn next_midnight_after(seconds: u64) -> u64 {
    (now() + seconds).div_ceil(DAY) * DAY
}

/// The forge has just issued it: the date is wrong, and with it every storage would wipe the only copy.
#[test]
fn a_new_token_with_a_date_that_is_past_is_kept_without_it() {
    for storage in ["file", "memory"] {
        let today = OffsetDateTime::now_utc().date().to_string();
        for day in ["2020-01-02", &today] {
            let work = Work::without_lookups(Speaks::GitLab);
            let ask = |words: &str, input: &[u8]| {
                let words = format!("--storage {storage} {words}");
                run(&mut work.trusting(work.sandbox.helper(&words)), input)
            };
            work.forge.issue(Token::new("first", GITLAB));
            ask("store", &work.credential("alice", GITLAB)).succeeded();
            let body = format!("{{\"token\":\"glpat-new\",\"expires_at\":\"{day}\"}}");
            work.forge.answer(Manner::ToRotations(Box::new(Manner::Body(
                body.into_bytes(),
            ))));
            ask(&format!("rotate {}", work.forge.url()), b"").succeeded();
            let question = format!("protocol=https\nhost={}\n\n", work.forge.host());
            let answer = ask("get", question.as_bytes()).succeeded().text();
            assert!(
                answer.contains("password=glpat-new") && !answer.contains("expiry"),
                "{storage} {day}: {answer}"
            );
        }
    }
}

#[test]
fn what_cannot_be_rotated_is_left_alone() {
    let work = with(Token::new("first", GITLAB).scopes(&["write_repository"]));
    let output = rotate(&work);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stderr.contains("self_rotate"), "{output:?}");
    assert!(is_good(&work));
    let work = with(Token::new("first", GITLAB).fate(Fate::Revoked));
    let output = rotate(&work);
    assert!(
        output
            .stderr
            .contains("the stored token is invalid: it was not rotated"),
        "{output:?}"
    );
    assert!(
        output.stderr.contains("git credential-pat login"),
        "{output:?}"
    );
    assert_eq!(work.rotations(), 0, "a dead token is never reused");
    let work = with(Token::new("first", GITLAB));
    let output = work.ask(&format!("rotate --expires 400d {}", work.forge.url()), b"");
    assert!(output.stderr.contains("answers 400"), "{output:?}");
    assert!(output.stderr.contains("at most 365 days"), "{output:?}");
    assert!(is_good(&work));
    rotate(&work).succeeded();
}

#[test]
fn a_lost_answer_is_told_and_never_repeated() {
    let work = with(Token::new("first", GITLAB));
    work.forge.answer(Manner::Held);
    thread::scope(|scope| {
        let rotation = scope.spawn(|| rotate(&work));
        work.forge.wait_until_asked(1);
        // The question is answered, and then every answer is lost.
        work.forge.answer(Manner::Rude);
        let output = rotation.join().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(output.stderr.contains("answer was lost"), "{output:?}");
    });
    assert_eq!(
        work.kept().as_deref(),
        Some(GITLAB),
        "the old one, and a word about it"
    );
    work.forge.answer(Manner::Honest);
    let output = rotate(&work);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        output.stderr.contains("an earlier rotation was cut off"),
        "{output:?}"
    );
    assert!(
        output.stderr.contains("git credential-pat login"),
        "{output:?}"
    );
    assert_eq!(work.rotations(), 1, "never repeated");
    assert_eq!(work.forge.tokens()[1].fate, Fate::Good, "the family lives");
    // With a new token all is well again, ten minutes later.
    work.forge.issue(Token::new("second", "glpat-second"));
    let words = format!("login --with-token --username alice {}", work.forge.url());
    work.ask(&words, b"glpat-second").succeeded();
    assert_eq!(rotate(&work).status.code(), Some(1));
    fs::remove_file(work.guard()).unwrap();
    rotate(&work).succeeded();
    assert!(is_good(&work));
}

/// What a forge says that is none, or a proxy in its place.
#[test]
fn an_answer_without_a_token_is_told_as_that() {
    let described = |active: bool| {
        format!(
            "{{\"id\":1,\"name\":\"x\",\"revoked\":{},\"active\":{active},\"scopes\":[\"api\"],\"expires_at\":null}}",
            !active
        )
    };
    for (body, said, hint) in [
        (
            "{}".to_owned(),
            "may be invalid now",
            "git credential-pat check",
        ),
        (
            "<html>".to_owned(),
            "may be invalid now",
            "wait for 10 minutes",
        ),
        (
            "{\"token\":\"\"}".to_owned(),
            "may be invalid now",
            "git credential-pat check",
        ),
        (
            "{\"token\":\"a b\"}".to_owned(),
            "may be invalid now",
            "git credential-pat check",
        ),
        (described(true), "may be invalid now", "wait for 10 minutes"),
        (
            described(false),
            "is invalid now",
            "create a new one with 'git credential-pat login",
        ),
    ] {
        let work = with(Token::new("first", GITLAB));
        work.forge.answer(Manner::Held);
        let output = thread::scope(|scope| {
            let rotation = scope.spawn(|| rotate(&work));
            work.forge.wait_until_asked(1);
            work.forge.answer(Manner::Body(body.clone().into_bytes()));
            rotation.join().unwrap()
        });
        assert_eq!(output.status.code(), Some(1), "{body}: {output:?}");
        let what = format!("the forge answered without a new token: the stored token {said}");
        assert!(output.stderr.contains(&what), "{body}: {output:?}");
        assert!(output.stderr.contains(hint), "{body}: {output:?}");
        assert!(
            !output.stderr.contains("cannot reach"),
            "{body}: {output:?}"
        );
        // A token that GitLab says is invalid is removed.
        let kept = (said != "is invalid now").then_some(GITLAB);
        assert_eq!(work.kept().as_deref(), kept, "{body}");
        // Whatever answered, the forge may have got the call.
        work.forge.answer(Manner::Honest);
        assert_eq!(rotate(&work).status.code(), Some(1), "{body}");
        assert_eq!(work.rotations(), 1, "never repeated: {body}");
    }
}

/// The forge behind it may have been reached.
/// It says that the old token is good while it is still busy replacing it.
#[test]
fn a_slow_forge_is_not_said_to_have_done_nothing() {
    let work = with(Token::new("first", GITLAB));
    work.forge.answer(Manner::Held);
    let output = thread::scope(|scope| {
        let rotation = scope.spawn(|| rotate(&work));
        work.forge.wait_until_asked(1);
        work.forge.answer(Manner::Status(408));
        rotation.join().unwrap()
    });
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stderr.contains("may be invalid now"), "{output:?}");
    assert!(output.stderr.contains("wait for 10 minutes"), "{output:?}");
}

#[test]
fn a_gateway_that_fails_leaves_it_open() {
    let work = with(Token::new("first", GITLAB));
    let proxy = Manner::Status(502);
    work.forge.answer(Manner::Held);
    let output = thread::scope(|scope| {
        let rotation = scope.spawn(|| rotate(&work));
        work.forge.wait_until_asked(1);
        work.forge.answer(proxy);
        rotation.join().unwrap()
    });
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stderr.contains("may be invalid now"), "{output:?}");
    assert_eq!(work.rotations(), 1);
}

/// As somebody whom modes stop: root is not.
#[test]
fn what_cannot_be_stored_is_not_asked_for() {
    let work = with(Token::new("first", GITLAB));
    let folder = work.sandbox.path("data/git-credential-pat");
    let set = |mode| fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
    let program = work.sandbox.path("program");
    fs::copy(PROGRAM, &program).unwrap();
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        let mut chown = Command::new(tool::need("chown"));
        chown
            .args(["-R", "65534:65534"])
            .arg(work.sandbox.path("."));
        assert!(chown.status().unwrap().success());
    }
    let ask = |words: &str, input: &str| {
        let asked = work.command(words);
        let mut command = if is_root {
            let mut command = work.trusting(work.sandbox.command(tool::need("setpriv")));
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
            command.arg(&program);
            command
        } else {
            work.trusting(work.sandbox.command(&program))
        };
        run(command.args(asked.get_args()), input.as_bytes())
    };
    let url = work.forge.url();
    set(0o500);
    let output = ask(&format!("rotate {url}"), "");
    set(0o700);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        output
            .stderr
            .contains("the token was not rotated, and nothing has changed"),
        "{output:?}"
    );
    assert!(!output.stderr.contains("being replaced"), "{output:?}");
    assert_eq!(work.rotations(), 0, "{:?}", work.forge.asked());
    let question = format!("protocol=https\nhost={}\n\n", work.forge.host());
    let kept = ask("get", &question).succeeded().text();
    assert!(kept.contains(&format!("password={GITLAB}\n")), "{kept}");
    let checked = ask("check", "");
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
    // With the folder as it was all is well.
    ask(&format!("rotate {url}"), "").succeeded();
    assert_eq!(work.rotations(), 1);
}

#[test]
fn of_two_at_once_one_wins() {
    let work = with(Token::new("first", GITLAB));
    work.forge.answer(Manner::Late(Duration::from_millis(300)));
    let outputs: Vec<Output> = thread::scope(|scope| {
        let both: Vec<_> = (0..2).map(|_| scope.spawn(|| rotate(&work))).collect();
        both.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let winners = outputs
        .iter()
        .filter(|output| output.status.success())
        .count();
    assert_eq!(winners, 1, "{outputs:?}");
    let loser = outputs
        .iter()
        .find(|output| !output.status.success())
        .unwrap();
    assert!(
        loser
            .stderr
            .contains("another process has replaced this token"),
        "{loser:?}"
    );
    assert_eq!(work.rotations(), 1);
    assert!(is_good(&work), "the family lives");
}

/// Killed at every call of the system: what is kept is good, or it is the old one and both the killed one and the next
/// say so.
#[test]
fn killed_at_every_step() {
    let work = Work::without_lookups(Speaks::GitLab);
    let (mut killed, mut lost) = (0, 0);
    for call in CALLS {
        for number in 1.. {
            assert!(number < MANY, "{call}");
            // The journal would grow, and with it the number of calls.
            work.forget_rotations();
            let secret = format!("glpat-{call}-{number}");
            work.store("alice", &secret);
            work.forge
                .issue(Token::new(&format!("{call} {number}"), &secret));
            let output = traced(&work, call, number);
            if output.status.code().is_some() {
                // A child of ours may have been killed in our place; without a kill this kind of call is through.
                let log = fs::read_to_string(work.sandbox.path("strace.log")).unwrap_or_default();
                assert!(is_good(&work), "{call} {number}: {output:?}");
                if log.contains("SIGKILL") {
                    continue;
                }
                break;
            }
            killed += 1;
            let at = format!("{call} {number}: {output:?}");
            if !is_good(&work) {
                lost += 1;
                assert_eq!(work.kept(), Some(secret), "{at}");
                assert!(
                    output
                        .stderr
                        .contains("if this is cut off, the stored one may be invalid"),
                    "{at}"
                );
                let before = work.rotations();
                let next = rotate(&work);
                assert!(
                    next.stderr.contains("an earlier rotation was cut off"),
                    "{at}: {next:?}"
                );
                assert_eq!(work.rotations(), before, "{at}: never repeated");
            }
        }
    }
    assert!(killed > 50, "killed {killed} times");
    // The way from the forge's answer to the store is there, and short.
    assert!(lost > 0 && lost < killed / 2, "{lost} of {killed}");
}

fn traced(work: &Work, call: &str, number: usize) -> Output {
    let program = work.command(&format!("rotate {}", work.forge.url()));
    killed_at(work, &program, call, number)
}

/// Runs `program`, and kills it at the system call of this kind and number.
pub(super) fn killed_at(work: &Work, program: &Command, call: &str, number: usize) -> Output {
    let mut strace: Command = work.trusting(work.sandbox.command(tool::need("strace")));
    strace
        .args(["-f", "-qq", "-o"])
        .arg(work.sandbox.path("strace.log"));
    strace.arg("-e").arg(format!("trace=?{call}"));
    strace
        .arg("-e")
        .arg(format!("inject=?{call}:signal=SIGKILL:when={number}"));
    strace.arg(program.get_program()).args(program.get_args());
    run(&mut strace, b"")
}

/// github.com itself, as far as anybody behind its proxy can tell: it revokes what it is told of, by whomever.
#[test]
fn github_revokes_on_consent() {
    for (answer, fate, said) in [
        ("n", Fate::Good, "the old token stays good"),
        ("", Fate::Good, "the old token stays good"),
        ("y", Fate::Revoked, "the old token is revoked"),
    ] {
        let work = Work::without_lookups(Speaks::GitHub);
        let proxy = Proxy::leading_to(Some(work.forge.host()));
        work.sandbox.configure_git(&format!(
            "[http]\n\tproxy = {}\n\tsslVerify = false\n",
            proxy.url()
        ));
        let old =
            format!("protocol=https\nhost=github.com\nusername=alice\npassword={CLASSIC}\n\n");
        work.ask("store", old.as_bytes()).succeeded();
        work.forge.issue(Token::new("old", CLASSIC));
        work.forge
            .issue(Token::new("new", "ghp_new").ends(in_days(90)));
        let mut session = Session::start(&work.command("rotate --no-browser github.com"));
        session.answer("Token (not shown): ", "ghp_new");
        session.answer("[y/N]", answer);
        let (status, shown) = session.finish();
        assert!(status.success(), "{shown}");
        assert!(shown.contains(said), "{shown}");
        assert!(shown.contains("default_expires_at=90"), "{shown}");
        let question = "stop working, and GitHub deletes the deploy keys created with it. [y/N]";
        assert!(shown.contains(question), "{shown}");
        assert!(
            !shown.contains("ghp_new") && !shown.contains(CLASSIC),
            "{shown}"
        );
        assert_eq!(work.forge.tokens()[0].fate, fate);
        assert_eq!(work.forge.tokens()[1].fate, Fate::Good);
        assert!(
            proxy
                .asked()
                .iter()
                .all(|head| head.starts_with("CONNECT api.github.com:443"))
        );
    }
}

/// Nobody knows whether the new one works: then the old one is all there is for certain.
#[test]
fn github_revokes_nothing_for_an_unknown_token() {
    let work = Work::without_lookups(Speaks::GitHub);
    let proxy = Proxy::leading_to(Some(work.forge.host()));
    work.sandbox.configure_git(&format!(
        "[http]\n\tproxy = {}\n\tsslVerify = false\n",
        proxy.url()
    ));
    let old = format!("protocol=https\nhost=github.com\nusername=alice\npassword={CLASSIC}\n\n");
    work.ask("store", old.as_bytes()).succeeded();
    work.forge.issue(Token::new("old", CLASSIC));
    for manner in [Manner::Status(503), Manner::Body(b"<html>".to_vec())] {
        work.forge.answer(manner);
        let mut session = Session::start(&work.command("rotate --no-browser github.com"));
        session.answer("Token (not shown): ", "ghp_new");
        let (status, shown) = session.finish();
        assert!(status.success(), "{shown}");
        for said in [
            "cannot tell whether the token works",
            "the old token stays good",
        ] {
            assert!(shown.contains(said), "{said}: {shown}");
        }
        assert_eq!(work.forge.tokens()[0].fate, Fate::Good);
        work.forge.answer(Manner::Honest);
        let back = "login --with-token https://alice@github.com";
        work.ask(back, CLASSIC.as_bytes()).succeeded();
    }
}

/// An Enterprise Server lets nobody revoke a token without signing in: the page is shown.
#[test]
fn github_is_guided() {
    let work = Work::without_lookups(Speaks::GitHub);
    work.store("alice", CLASSIC);
    work.forge.issue(Token::new("old", CLASSIC));
    work.forge
        .issue(Token::new("new", "ghp_new").ends(in_days(90)));
    let url = work.forge.url();
    let mut session = Session::start(&work.command(&format!("rotate --no-browser {url}")));
    session.answer("Token (not shown): ", "ghp_new");
    let (status, shown) = session.finish();
    assert!(status.success(), "{shown}");
    assert!(shown.contains("/settings/tokens/new"), "{shown}");
    assert!(shown.contains("remove the old one there"), "{shown}");
    let also = "GitHub then deletes the deploy keys created with it, too";
    assert!(shown.contains(also), "{shown}");
    assert!(
        !shown.contains("ghp_new") && !shown.contains(CLASSIC),
        "{shown}"
    );
    assert_eq!(work.kept().as_deref(), Some("ghp_new"));
    assert_eq!(work.only_one()["expires_from"], "forge");
}

/// The forge's word counts first, then that of the person, then the rule for the host.
#[test]
fn a_typed_token_is_kept_with_its_expiry() {
    let settings = "[lookup]\nenabled = false\n";
    for (speaks, ends, words, days, from) in [
        (Speaks::Gitea, None, "--expires 40d", 40, "person"),
        (Speaks::Gitea, None, "", 20, "lifetime"),
        (
            Speaks::GitHub,
            Some(in_days(60)),
            "--expires 40d",
            60,
            "forge",
        ),
    ] {
        let work = Work::with_settings(speaks, settings, "lifetime = \"20d\"\n");
        for user in ["bob", "alice"] {
            work.store(user, CLASSIC);
        }
        work.forge.issue(Token::new("old", CLASSIC));
        let new = Token::new("new", "ghp_new");
        work.forge.issue(Token { ends, ..new });
        let host = work.forge.host();
        let words = format!("rotate --no-browser {words} https://alice@{host}");
        let mut session = Session::start(&work.command(&words));
        session.answer("Token (not shown): ", "ghp_new");
        let (status, shown) = session.finish();
        assert!(status.success(), "{shown}");
        for entry in work.listed() {
            let kept = entry["expires_at_unix"].as_u64().expect("an expiry");
            assert!(kept.abs_diff(in_days(days)) < 2 * HOUR, "{entry:#}");
            assert_eq!(entry["expires_from"], from, "{entry:#}");
        }
    }
}

/// A token that is stored while a person is at the forge's page is newer than the one to be replaced.
#[test]
fn a_typed_token_replaces_only_the_old_one() {
    let work = Work::keeping(Speaks::GitHub, Token::new("old", CLASSIC));
    work.forge.issue(Token::new("new", "ghp_new"));
    let url = work.forge.url();
    let mut session = Session::start(&work.command(&format!("rotate --no-browser {url}")));
    session.await_text("Token (not shown): ");
    work.store("alice", "ghp_other");
    session.answer("Token (not shown): ", "ghp_new");
    let (status, shown) = session.finish();
    assert_eq!(status.code(), Some(1), "{shown}");
    assert!(
        shown.contains("was replaced or removed meanwhile"),
        "{shown}"
    );
    assert_eq!(work.kept().as_deref(), Some("ghp_other"));
}

/// Whoever revokes the old one afterwards would leave the others with a dead token.
#[test]
fn a_guided_renewal_goes_into_every_entry_of_the_token() {
    let work = Work::without_lookups(Speaks::GitHub);
    work.store("bob", CLASSIC);
    work.store("carol", "ghp_carols");
    work.store("alice", CLASSIC);
    work.forge.issue(Token::new("old", CLASSIC));
    work.forge
        .issue(Token::new("new", "ghp_new").ends(in_days(90)));
    let host = work.forge.host();
    let words = format!("rotate --no-browser https://alice@{host}");
    let mut session = Session::start(&work.command(&words));
    session.answer("Token (not shown): ", "ghp_new");
    let (status, shown) = session.finish();
    assert!(status.success(), "{shown}");
    let said = "it is also in the old one's place in bob at";
    assert!(shown.contains(said) && !shown.contains("carol"), "{shown}");
    for (user, secret) in [
        ("alice", "ghp_new"),
        ("bob", "ghp_new"),
        ("carol", "ghp_carols"),
    ] {
        let question = format!("protocol=https\nhost={host}\nusername={user}\n\n");
        let answer = work.ask("get", question.as_bytes()).succeeded().text();
        let kept = format!("password={secret}\n");
        assert!(answer.contains(&kept), "{user}: {shown}");
    }
}

#[test]
fn the_same_token_or_a_dead_one_changes_nothing() {
    let work = Work::without_lookups(Speaks::GitHub);
    work.store("alice", CLASSIC);
    work.forge.issue(Token::new("old", CLASSIC));
    for typed in [CLASSIC, "ghp_nobodys"] {
        let url = work.forge.url();
        let mut session = Session::start(&work.command(&format!("rotate --no-browser {url}")));
        session.answer("Token (not shown): ", typed);
        let (status, shown) = session.finish();
        assert_eq!(status.code(), Some(1), "{shown}");
        assert!(shown.contains("nothing was changed"), "{shown}");
        assert_eq!(work.kept().as_deref(), Some(CLASSIC));
    }
}

/// Git's endpoint is asked, at the repository of the URL or of a remote.
#[test]
fn a_wrong_token_by_hand_leaves_the_good_one() {
    const OLD: &str = "made-up-old-token";
    for speaks in [Speaks::Gitea, Speaks::Bitbucket, Speaks::Azure] {
        let work = Work::keeping(speaks, Token::new("old", OLD));
        work.forge.issue(Token::new("new", "made-up-new-token"));
        let (host, repository) = (work.forge.host(), work.forge.repository());
        let replace = |url: &str, typed: &str| {
            let words = format!("rotate --no-browser {url}");
            let mut session = Session::start(&work.command(&words));
            session.answer("Token (not shown): ", typed);
            let (status, shown) = session.finish();
            (status.code(), shown)
        };
        let is_refused = |url: &str| {
            let (status, shown) = replace(url, "made-up-wrong-token");
            assert_eq!(status, Some(1), "{url}: {shown}");
            assert!(shown.contains("nothing was changed"), "{url}: {shown}");
            assert_eq!(work.kept().as_deref(), Some(OLD));
        };
        is_refused(&repository);
        work.git(&["init", "--quiet"]).succeeded();
        work.git(&["remote", "add", "origin", &repository])
            .succeeded();
        let url = format!("https://alice@{host}");
        is_refused(&url);
        let (status, shown) = replace(&url, "made-up-new-token");
        assert_eq!(status, Some(0), "{shown}");
        assert_eq!(work.kept().as_deref(), Some("made-up-new-token"));
    }
}

/// The forge's word counts more than a lifetime, which git's next `store` would bring back.
#[test]
fn a_new_token_that_never_expires_gets_no_lifetime() {
    let settings = "[lookup]\nenabled = false\n";
    let work = Work::with_settings(Speaks::GitLab, settings, "lifetime = \"30d\"\n");
    work.forge.issue(Token::new("first", GITLAB));
    work.store("alice", GITLAB);
    let body = r#"{"id":2,"token":"glpat-new","scopes":["api"],"expires_at":null}"#;
    work.forge
        .answer(Manner::ToRotations(Box::new(Manner::Body(body.into()))));
    let said = rotate(&work).succeeded().text();
    assert!(said.contains("the new token never expires"), "{said}");
    assert_eq!(work.only_one()["expires_at"], Value::Null);
    work.store("alice", "glpat-new");
    assert_eq!(work.kept().as_deref(), Some("glpat-new"));
    assert_eq!(work.only_one()["expires_at"], Value::Null);
}

#[test]
fn a_new_token_by_hand_that_never_expires_gets_no_lifetime_in_any_entry() {
    let settings = "[lookup]\nenabled = false\n";
    let work = Work::with_settings(Speaks::GitHub, settings, "lifetime = \"30d\"\n");
    for user in ["bob", "alice"] {
        work.store(user, CLASSIC);
    }
    work.forge.issue(Token::new("new", "ghp_new"));
    let words = format!("rotate --no-browser https://alice@{}", work.forge.host());
    let mut session = Session::start(&work.command(&words));
    session.answer("Token (not shown): ", "ghp_new");
    let (status, shown) = session.finish();
    assert!(status.success(), "{shown}");
    assert!(shown.contains("the new token never expires"), "{shown}");
    for user in ["bob", "alice"] {
        work.store(user, "ghp_new");
    }
    let ends: Vec<Value> = work
        .listed()
        .iter()
        .map(|entry| entry["expires_at"].clone())
        .collect();
    assert_eq!(ends, [Value::Null, Value::Null]);
}

#[test]
fn a_forge_that_cannot_be_reached_is_named_with_what_to_do() {
    let work = Work::without_lookups(Speaks::GitLab);
    let store = lines(&[
        ("protocol", "https"),
        ("host", "gitlab.nowhere.invalid"),
        ("username", "alice"),
        ("password", "glpat-first.0123456789"),
    ]);
    work.ask("store", &store).succeeded();
    let url = "https://alice@gitlab.nowhere.invalid";
    let said = work.ask(&format!("rotate {url}"), b"");
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    for part in [
        "cannot reach the forge",
        &format!(
            "'git credential-pat doctor {url}' finds why gitlab.nowhere.invalid cannot be reached"
        ),
        &format!("'git credential-pat rotate {url}'"),
    ] {
        assert!(said.stderr.contains(part), "{part}: {said:?}");
    }
}
