//! Many first stores at once, with no daemon there yet: none is lost.

use std::env;
use std::io::Write;
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::attributes::{Answer, lines};
use crate::sandbox::{Sandbox, start, wait_for};

const RUNNERS: usize = 64;

/// `RACE_ROUNDS`, or one round.
fn rounds() -> usize {
    let rounds = env::var("RACE_ROUNDS").ok();
    rounds.map_or(1, |rounds| rounds.parse().expect("RACE_ROUNDS is a number"))
}

fn request(runner: usize, more: &[(&str, &str)]) -> Vec<u8> {
    let host = format!("host-{runner}.example.test");
    let mut pairs = vec![("protocol", "https"), ("host", &host[..])];
    pairs.extend(more);
    lines(&pairs)
}

/// The program waits 10 s for the end of its input, and a start under wine takes long.
const HELD: Duration = Duration::from_secs(5);

/// Starts them all, holds the end of their input back for a while, and lets them go together. Returns those whose token is not kept
/// afterwards.
fn race(sandbox: &Sandbox) -> Vec<usize> {
    let mut children: Vec<Child> = Vec::new();
    let mut held: Vec<ChildStdin> = Vec::new();
    let started = Instant::now();
    for runner in 0..RUNNERS {
        let mut store = sandbox.helper("--storage memory store");
        store.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = start(&mut store);
        let mut input = child.stdin.take().unwrap();
        let password = format!("token-{runner}");
        let request = request(runner, &[("username", "alice"), ("password", &password)]);
        input.write_all(&request[..request.len() - 1]).unwrap();
        children.push(child);
        held.push(input);
        if started.elapsed() > HELD {
            held.clear();
        }
    }
    drop(held);
    let statuses: Vec<ExitStatus> = children.iter_mut().map(wait_for).collect();
    assert!(statuses.iter().all(ExitStatus::success), "{statuses:?}");
    let mut lost = Vec::new();
    for runner in 0..RUNNERS {
        let output = sandbox.ask("--storage memory get", &request(runner, &[]));
        let answer = Answer::read(&output.stdout);
        if answer.get("password") != Some(&format!("token-{runner}")) {
            lost.push(runner);
        }
    }
    lost
}

#[test]
fn no_first_store_is_lost() {
    for round in 1..=rounds() {
        let lost = race(&Sandbox::new());
        assert!(lost.is_empty(), "round {round}: lost {lost:?}");
    }
}
