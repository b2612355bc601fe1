//! Many commands at once, while the token is rotated: nobody takes the new token away from the others.

use std::thread;

use crate::attributes::lines;
use crate::flow::{Flow, NEW_TOKEN, TOKEN, ours};
use crate::git::{self, Git};

const FETCHES: usize = 50;

/// `ROUNDS=20` before the test command runs longer.
fn rounds() -> usize {
    std::env::var("ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(3)
}

/// Half of the fetches begin before the token is rotated, on the server and here, and half after. Whoever was slow to be
/// refused must not erase what has been stored in the meantime.
fn the_new_token_stays(storage: &str, git: &Git) {
    let flow = Flow::new(&ours(storage), false, git);
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
        let (old, new) = if round % 2 == 0 {
            (TOKEN, NEW_TOKEN)
        } else {
            (NEW_TOKEN, TOKEN)
        };
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
            "{storage}, round {round}"
        );
    }
}

#[test]
fn in_memory() {
    for git in git::all() {
        the_new_token_stays("memory", git);
    }
}

#[test]
fn in_a_file() {
    for git in git::all() {
        the_new_token_stays("file", git);
    }
}
