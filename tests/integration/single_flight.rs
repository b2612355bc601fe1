//! Many commands at once, while the token is rotated: nobody takes the new token away from the others.
//!
//! Longer: `ROUNDS=20 cargo test --test integration single_flight -- --nocapture`. Without it there are three rounds.

use std::thread;

use crate::attributes::{Answer, lines};
use crate::flow::{Flow, TOKEN, ours};
use crate::git::{self, Git};
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
fn the_new_token_stays(storage: &str, needs_keyring: bool, git: &Git) {
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
    for round in 0..rounds() {
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
        assert_eq!(
            flow.kept().as_deref(),
            Some(new),
            "{storage}, {git:?}, round {round}"
        );
    }
}

#[test]
fn in_memory() {
    for git in git::all() {
        the_new_token_stays("memory", false, git);
    }
}

#[test]
fn in_a_file() {
    for git in git::all() {
        the_new_token_stays("file", false, git);
    }
}

#[test]
fn in_the_keychain() {
    for git in git::all() {
        the_new_token_stays("keychain", true, git);
    }
}

/// No server and no git: a refusal of the old one, and a store of the new one, at the same moment.
fn a_refusal_takes_nothing_newer(storage: &str, needs_keyring: bool) {
    let mut sandbox = Sandbox::new();
    if needs_keyring {
        sandbox.start_keyring();
    }
    let ask = |operation: &str, password: &str| {
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
    };
    for round in 0..15 {
        let (old, new) = (format!("tok-{round}"), format!("tok-{}", round + 1));
        ask("store", &old).succeeded();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| ask("erase", &old));
            }
            scope.spawn(|| ask("store", &new).succeeded());
        });
        let kept = ask("get", "").succeeded();
        let kept = Answer::read(&kept.stdout);
        assert_eq!(
            kept.get("password"),
            Some(&new[..]),
            "{storage}, round {round}"
        );
    }
}

#[test]
fn a_refusal_takes_nothing_newer_from_any_storage() {
    a_refusal_takes_nothing_newer("memory", false);
    a_refusal_takes_nothing_newer("file", false);
    a_refusal_takes_nothing_newer("keychain", true);
}
