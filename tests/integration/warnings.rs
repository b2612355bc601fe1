//! A token's end: told before it comes, once a day; and what has ended is not answered.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::askpass::{Askpass, PASSWORD};
use crate::attributes::{Answer, lines};
use crate::process::{self, Output};
use crate::sandbox::{PROGRAM, Sandbox};

const HOUR: u64 = 3600;
/// Whole hours are said as hours: these are none, nor are they after some seconds.
const ABOUT_AN_HOUR: u64 = 5000;
const DAY: u64 = 24 * HOUR;
const HOST: &str = "git.example.test";
const QUESTION: [(&str, &str); 2] = [("protocol", "https"), ("host", HOST)];

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

fn credential(expiry: u64) -> Vec<u8> {
    let expiry = expiry.to_string();
    let mut pairs = QUESTION.to_vec();
    pairs.extend([
        ("username", "alice"),
        ("password", "tok-secret"),
        ("password_expiry_utc", &expiry),
    ]);
    lines(&pairs)
}

/// As somebody would who writes it by hand.
fn write_file(sandbox: &Sandbox, expiry: u64) {
    let folder = sandbox.path("data/git-credential-pat");
    fs::DirBuilder::new().mode(0o700).create(&folder).unwrap();
    let file = folder.join("credentials");
    fs::write(&file, credential(expiry)).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
}

#[track_caller]
fn is_answered(output: &Output) {
    assert!(output.status.success(), "{output:?}");
    let answer = Answer::read(&output.stdout);
    assert_eq!(answer.get("password"), Some("tok-secret"), "{output:?}");
}

#[track_caller]
fn warns(output: &Output, days: u64) {
    let lines: Vec<_> = output.stderr.lines().collect();
    let [warning, hint] = lines[..] else {
        panic!("a warning and a hint: {output:?}");
    };
    let start = format!("warning: the token for alice at https://{HOST} expires in {days} days (");
    assert!(
        warning.starts_with(&start) && warning.ends_with(')'),
        "{warning}"
    );
    let date: Vec<_> = warning[start.len()..warning.len() - 1].split(' ').collect();
    assert!(
        matches!(date[..], [day, month, year] if day.len() <= 2 && month.len() == 3 && year.len() == 4)
    );
    assert!(
        hint.starts_with("hint: ") && hint.contains(&format!("https://alice@{HOST}")),
        "{hint}"
    );
    assert!(!output.stderr.contains("tok-secret"));
}

fn warns_once_a_day(storage: &str) {
    let sandbox = Sandbox::new();
    let stored = sandbox.ask(
        &format!("{storage} store"),
        &credential(now() + 3 * DAY + ABOUT_AN_HOUR),
    );
    assert_eq!(stored.succeeded().stderr, "");
    let first = sandbox.ask(&format!("{storage} get"), &lines(&QUESTION));
    is_answered(&first);
    warns(&first, 3);
    let second = sandbox.ask(&format!("{storage} get"), &lines(&QUESTION));
    is_answered(&second);
    assert_eq!(second.stderr, "", "told twice in a day");
}

#[test]
fn warns_once_a_day_from_memory() {
    warns_once_a_day("--storage memory");
}

#[test]
fn warns_once_a_day_from_a_file() {
    warns_once_a_day("--storage file");
}

#[test]
fn warns_with_whole_days_only() {
    let sandbox = Sandbox::new();
    write_file(&sandbox, now() + 3 * DAY - ABOUT_AN_HOUR);
    warns(&sandbox.ask("--storage file get", &lines(&QUESTION)), 2);
}

#[test]
fn an_end_far_away_is_not_told() {
    let sandbox = Sandbox::new();
    write_file(&sandbox, now() + 300 * DAY);
    let output = sandbox.ask("--storage file get", &lines(&QUESTION));
    is_answered(&output);
    assert_eq!(output.stderr, "");
}

#[test]
fn a_token_that_has_ended_is_told_and_not_answered() {
    let sandbox = Sandbox::new();
    write_file(&sandbox, now() - HOUR);
    let output = sandbox
        .ask("--storage file get", &lines(&QUESTION))
        .succeeded();
    assert!(!Answer::read(&output.stdout).has_secret(), "{output:?}");
    assert!(
        output.stderr.contains(HOST) && output.stderr.contains("expired"),
        "{output:?}"
    );
    assert!(!output.stderr.contains("tok-secret"));
}

#[test]
fn an_end_that_has_come_is_told_once_in_the_time_of_warn_every() {
    for storage in ["file", "memory"] {
        let sandbox = Sandbox::new();
        let get = || {
            let words = format!("--storage {storage} get");
            sandbox.ask(&words, &lines(&QUESTION)).succeeded().stderr
        };
        if storage == "file" {
            write_file(&sandbox, now() - HOUR);
        } else {
            let end = now() + 2;
            sandbox
                .ask("--storage memory store", &credential(end))
                .succeeded();
            assert!(process::until(|| now() > end));
        }
        let told = get();
        assert!(told.contains("expired"), "{storage}: {told}");
        assert_eq!(get(), "", "{storage}");
        fs::write(
            {
                let folder = sandbox.path("config/git-credential-pat");
                fs::create_dir_all(&folder).unwrap();
                folder.join("config.toml")
            },
            "[warn]\nevery = \"0\"\n",
        )
        .unwrap();
        assert!(get().contains("expired"), "{storage}");
        assert!(get().contains("expired"), "{storage}");
    }
}

#[test]
fn git_goes_on_to_ask_when_a_token_has_ended() {
    for git in crate::git::all() {
        let sandbox = Sandbox::with(git.clone());
        write_file(&sandbox, now() - HOUR);
        sandbox.configure_git(&format!(
            "[credential]\n\thelper = {PROGRAM} --storage file\n"
        ));
        let askpass = Askpass::new(&sandbox.path("askpass"));
        let mut fill = sandbox.git(&["credential", "fill"]);
        fill.env("GIT_ASKPASS", askpass.program());
        let output = process::run(&mut fill, &lines(&QUESTION)).succeeded();
        let answer = Answer::read(&output.stdout);
        assert_eq!(answer.get("password"), Some(PASSWORD), "{output:?}");
    }
}

/// What is noted about tokens is a help, not a need.
fn answers_whatever_the_state_folder_is(spoil: impl Fn(&Sandbox)) {
    let sandbox = Sandbox::new();
    write_file(&sandbox, now() + 3 * DAY + ABOUT_AN_HOUR);
    spoil(&sandbox);
    for _ in 0..2 {
        let output = sandbox.ask("--storage file get", &lines(&QUESTION));
        is_answered(&output);
        assert!(output.stderr.contains("expires in 3 days"), "{output:?}");
    }
}

#[test]
fn answers_without_a_state_folder() {
    answers_whatever_the_state_folder_is(|sandbox| {
        fs::remove_dir(sandbox.path("state")).unwrap();
        // Nor can it be made: not even by root.
        fs::write(sandbox.path("state"), "").unwrap();
    });
}

#[test]
fn answers_with_a_state_folder_that_takes_nothing() {
    answers_whatever_the_state_folder_is(|sandbox| {
        let closed = fs::Permissions::from_mode(0o500);
        fs::set_permissions(sandbox.path("state"), closed).unwrap();
        // Root may write everywhere, but not into a file as if it were a folder.
        if rustix::process::geteuid().is_root() {
            fs::write(sandbox.path("state/git-credential-pat"), "").unwrap();
        }
    });
}

#[test]
fn makes_a_missing_state_folder() {
    let sandbox = Sandbox::new();
    write_file(&sandbox, now() + 3 * DAY + ABOUT_AN_HOUR);
    fs::remove_dir(sandbox.path("state")).unwrap();
    let first = sandbox.ask("--storage file get", &lines(&QUESTION));
    is_answered(&first);
    warns(&first, 3);
    assert_eq!(
        sandbox.ask("--storage file get", &lines(&QUESTION)).stderr,
        ""
    );
    let mode = fs::metadata(sandbox.path("state/git-credential-pat"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}
