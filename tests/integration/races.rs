//! Many first stores at once, with no daemon there yet: none is lost, and one daemon remains.

use std::fs;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::alone::{alone, children};
use crate::attributes::{Answer, lines};
use crate::process;
use crate::sandbox::Sandbox;

/// What a race came to.
#[derive(Debug, Default)]
struct Outcome {
    hung: usize,
    failed: usize,
    lost: usize,
    daemons: usize,
}

fn request(runner: usize, password: &str) -> Vec<u8> {
    let host = format!("host-{runner}.example.test");
    let mut pairs = vec![("protocol", "https"), ("host", &host[..])];
    if !password.is_empty() {
        pairs.extend([("username", "alice"), ("password", password)]);
    }
    lines(&pairs)
}

/// Starts them all, waits until each stands at the line — reading its input — and lets them go.
fn race(runners: usize, patience: Duration, helper: impl Fn(&str) -> Command) -> Outcome {
    let mut standing: Vec<Child> = (0..runners)
        .map(|_| {
            let mut store = helper("store");
            store
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            store.spawn().unwrap()
        })
        .collect();
    let stand = process::until(|| standing.iter().all(waits_for_input));
    assert!(stand, "they do not read their input");
    let mut lines = Vec::new();
    for (number, runner) in standing.iter_mut().enumerate() {
        let mut stdin = runner.stdin.take().unwrap();
        let request = request(number, &format!("token-{number}"));
        // The last line is kept back: the end of the input is the start of the race.
        stdin.write_all(&request[..request.len() - 1]).unwrap();
        lines.push(stdin);
    }
    drop(lines);
    let ended = process::until_within(patience, || {
        standing
            .iter_mut()
            .all(|runner| runner.try_wait().unwrap().is_some())
    });
    let mut outcome = Outcome::default();
    for runner in &mut standing {
        match runner.try_wait().unwrap() {
            Some(status) if status.success() => {}
            Some(_) => outcome.failed += 1,
            None => {
                outcome.hung += 1;
                runner.kill().unwrap();
                runner.wait().unwrap();
            }
        }
    }
    if !ended {
        return outcome;
    }
    let is_lost = |runner: &usize| {
        let output = process::run(&mut helper("get"), &request(*runner, ""));
        Answer::read(&output.stdout).get("password") != Some(&format!("token-{runner}"))
    };
    outcome.lost = (0..runners).filter(is_lost).count();
    outcome.daemons = children().len();
    outcome
}

/// It sleeps: before it has read its input there is nothing else to wait for.
fn waits_for_input(runner: &Child) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", runner.id()));
    stat.is_ok_and(|stat| {
        stat.rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with('S'))
    })
}

fn memory(runners: usize) {
    let sandbox = Sandbox::new();
    let result = race(runners, process::DEADLINE, |operation| {
        sandbox.helper(&format!("--storage memory {operation}"))
    });
    assert!(
        result.hung == 0 && result.failed == 0 && result.lost == 0 && result.daemons == 1,
        "{result:?}"
    );
}

#[test]
fn fifty_first_stores_at_once() {
    alone("races::fifty_first_stores_at_once", || memory(50));
}

#[test]
fn a_hundred_and_twenty_eight_first_stores_at_once() {
    alone(
        "races::a_hundred_and_twenty_eight_first_stores_at_once",
        || memory(128),
    );
}

/// The test itself: git's cache loses some, or leaves several daemons.
#[test]
fn git_cache_is_caught_losing() {
    alone("races::git_cache_is_caught_losing", || {
        for round in 1.. {
            let sandbox = Sandbox::new();
            let result = race(50, Duration::from_secs(10), |operation| {
                sandbox.git(&["credential-cache", operation])
            });
            for (daemon, name) in children() {
                assert!(name.starts_with("git"), "{name}");
                let _ = rustix::process::kill_process(daemon, rustix::process::Signal::KILL);
            }
            if result.hung + result.failed + result.lost > 0 || result.daemons > 1 {
                return;
            }
            assert!(
                round < 20,
                "in 20 races nothing was lost: is it a race at all?"
            );
        }
    });
}
