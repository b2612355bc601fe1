//! Many commands at once, while the token is rotated: nobody takes the new token away from the others.
//!
//! Longer: `ROUNDS=20 cargo test --test integration single_flight -- --nocapture`. Without it there are three rounds.

use std::fs::File;
use std::thread;
use std::time::{Duration, SystemTime};

use crate::attributes::{Answer, lines};
use crate::flow::{Flow, TOKEN, ours};
use crate::git::{self, Git};
use crate::keyring::outliving;
use crate::process::Output;
use crate::sandbox::Sandbox;

const FETCHES: usize = 50;

fn rounds() -> usize {
    std::env::var("ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(3)
}

/// Half of the fetches begin before the token is rotated, on the server and here, and half after. Whoever was slow to be
/// refused must not erase what has been stored in the meantime.
fn the_new_token_stays(storage: &str, needs_keyring: bool, git: &Git, rounds: usize) {
    let flow = Flow::new(&ours(storage), needs_keyring, git);
    let host = flow.server.host();
    let store = |password: &str| {
        let pairs = [
            ("protocol", "https"),
            ("host", &host[..]),
            ("username", "alice"),
            ("password", password),
        ];
        flow.sandbox
            .ask(&format!("--storage {storage} store"), &lines(&pairs))
            .succeeded();
    };
    flow.git(&["clone", "--quiet", &flow.server.url("basic"), "r"])
        .succeeded();
    for round in 0..rounds {
        // Each round begins with the token that the last one ended with.
        let token = |number: usize| match number {
            0 => TOKEN.to_owned(),
            number => format!("tok-round-{number}"),
        };
        let (old, new) = (&token(round)[..], &token(round + 1)[..]);
        flow.server.takes(&flow.sandbox, old);
        store(old);
        // Who is asked knows the new one.
        flow.askpass.answers("alice", new);
        thread::scope(|scope| {
            for number in 0..FETCHES {
                if number == FETCHES / 2 {
                    flow.server.takes(&flow.sandbox, new);
                    store(new);
                }
                let flow = &flow;
                // An old git fails where its token is refused, and that is its right.
                scope.spawn(move || flow.git(&["-C", "r", "ls-remote", "origin"]));
            }
        });
        let answer = flow.fill();
        assert_eq!(
            Answer::read(&answer.stdout).get("password"),
            Some(new),
            "{storage}, {git:?}, round {round}: {}",
            answer.stderr
        );
    }
}

#[test]
fn in_memory() {
    for git in git::all() {
        the_new_token_stays("memory", false, git, rounds());
    }
}

#[test]
fn in_a_file() {
    for git in git::all() {
        the_new_token_stays("file", false, git, rounds());
    }
}

#[test]
fn in_the_keychain() {
    for git in git::all() {
        // A keyring of its own for each: see there.
        for _ in 0..rounds() {
            outliving(|| the_new_token_stays("keychain", true, git, 1));
        }
    }
}

/// Of one user at a host that nobody asks for anything.
fn ask(sandbox: &Sandbox, storage: &str, operation: &str, password: &str) -> Output {
    let pairs = [
        ("protocol", "https"),
        ("host", "one.test"),
        ("username", "alice"),
        ("password", password),
    ];
    let pairs = if operation == "get" {
        &pairs[..2]
    } else {
        &pairs[..]
    };
    sandbox.ask(&format!("--storage {storage} {operation}"), &lines(pairs))
}

fn kept(sandbox: &Sandbox, storage: &str) -> Option<String> {
    let answer = ask(sandbox, storage, "get", "").succeeded();
    Answer::read(&answer.stdout)
        .get("password")
        .map(str::to_owned)
}

/// No server and no git: a refusal of the old one, and a store of the new one, at the same moment.
fn a_refusal_takes_nothing_newer(storage: &str, needs_keyring: bool) {
    let mut sandbox = Sandbox::new();
    if needs_keyring {
        sandbox.start_keyring();
    }
    let ask = |operation: &str, password: &str| ask(&sandbox, storage, operation, password);
    for round in 0..15 {
        let (old, new) = (format!("tok-{round}"), format!("tok-{}", round + 1));
        ask("store", &old).succeeded();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| ask("erase", &old));
            }
            scope.spawn(|| ask("store", &new).succeeded());
        });
        assert_eq!(
            kept(&sandbox, storage).as_deref(),
            Some(&new[..]),
            "{storage}, round {round}"
        );
    }
}

#[test]
fn a_refusal_takes_nothing_newer_from_any_storage() {
    a_refusal_takes_nothing_newer("memory", false);
    a_refusal_takes_nothing_newer("file", false);
    outliving(|| a_refusal_takes_nothing_newer("keychain", true));
}

/// Nobody else has it until this is closed.
fn turn(sandbox: &Sandbox) -> File {
    let folder = sandbox.path("state").join("git-credential-pat");
    let turn = File::options()
        .write(true)
        .open(folder.join("keychain.lock"));
    let turn = turn.unwrap();
    turn.lock().unwrap();
    turn
}

/// A crowd changes items, one after the other: whoever waits for longer than for one of them does not write out of turn.
#[test]
fn a_store_in_the_keychain_waits_for_the_others() {
    let mut sandbox = Sandbox::new();
    sandbox.start_keyring();
    ask(&sandbox, "keychain", "store", "tok-old").succeeded();
    let others = turn(&sandbox);
    thread::scope(|scope| {
        let store = scope.spawn(|| ask(&sandbox, "keychain", "store", "tok-new").succeeded());
        for _ in 0..40 {
            others.set_modified(SystemTime::now()).unwrap();
            thread::sleep(Duration::from_millis(50));
        }
        assert!(!store.is_finished());
        assert_eq!(kept(&sandbox, "keychain").as_deref(), Some("tok-old"));
        drop(others);
    });
    assert_eq!(kept(&sandbox, "keychain").as_deref(), Some("tok-new"));
}

/// One who holds on to the turn, and does nothing, keeps nobody else from storing.
#[test]
fn a_store_in_the_keychain_does_not_wait_for_ever() {
    let mut sandbox = Sandbox::new();
    sandbox.start_keyring();
    ask(&sandbox, "keychain", "store", "tok-old").succeeded();
    let _other = turn(&sandbox);
    let erase = ask(&sandbox, "keychain", "erase", "tok-old");
    assert!(!erase.status.success());
    assert!(
        erase.stderr.contains("keychain.lock locked"),
        "{}",
        erase.stderr
    );
    assert_eq!(kept(&sandbox, "keychain").as_deref(), Some("tok-old"));
    ask(&sandbox, "keychain", "store", "tok-new").succeeded();
    assert_eq!(kept(&sandbox, "keychain").as_deref(), Some("tok-new"));
}
