//! `rotate` while an earlier one may still be on its way: to ask the forge twice would revoke the whole family.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::work::Work;
use super::{Fate, Manner, Speaks, Token};
use crate::process::{Output, until};

const FIRST: &str = "glpat-first.0123456789";

fn with_first() -> Work {
    Work::keeping(Speaks::GitLab, Token::new("first", FIRST))
}

fn command(work: &Work) -> Command {
    work.command(&format!("rotate {}", work.forge.url()))
}

fn rotate(work: &Work) -> Output {
    crate::process::run(&mut command(work), b"")
}

/// A rotation that the forge answers like this, once it was asked for the new token. Whoever asks afterwards is answered
/// honestly.
fn begun(work: &Work, manner: Manner) -> Child {
    work.forge.answer(Manner::Held);
    let mut command = command(work);
    command.stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().unwrap();
    work.forge.wait_until_asked(1);
    work.forge.answer(manner);
    work.forge.wait_until_asked(2);
    work.forge.answer(Manner::Honest);
    child
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[track_caller]
fn is_pending(output: &Output) {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    for said in [
        "the forge may still be at work on it",
        "in 10 minutes, run 'git credential-pat rotate",
    ] {
        assert!(output.stderr.contains(said), "{said}: {output:?}");
    }
    assert!(!output.stderr.contains(FIRST), "{output:?}");
}

#[test]
fn whoever_comes_while_the_forge_takes_its_time_is_told() {
    let work = with_first();
    work.forge.answer(Manner::Held);
    let mut command = command(&work);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.stdin(Stdio::null()).spawn().unwrap();
    work.forge.wait_until_asked(1);
    // The second call is held until it is answered otherwise than now.
    work.forge.answer(Manner::Late(Duration::from_secs(8)));
    work.forge.wait_until_asked(2);
    let output = rotate(&work);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    for said in [
        "another process is rotating a token: nothing was done",
        "when that is done, run 'git credential-pat rotate https://alice@",
    ] {
        assert!(output.stderr.contains(said), "{said}: {output:?}");
    }
    work.forge.answer(Manner::Honest);
    assert!(child.wait().unwrap().success());
    assert_eq!(work.rotations(), 1);
}

#[test]
fn whoever_comes_after_a_kill_does_not_ask_again() {
    let work = with_first();
    kill(begun(&work, Manner::Late(Duration::from_secs(3))));
    for _ in 0..2 {
        is_pending(&rotate(&work));
    }
    assert_eq!(work.forge.tokens()[0].fate, Fate::Good, "still at it");
    assert!(until(|| work.forge.tokens()[0].fate == Fate::Revoked));
    let next = rotate(&work);
    let said = "an earlier rotation was cut off";
    assert!(next.stderr.contains(said), "{next:?}");
    assert_eq!(work.rotations(), 1, "never repeated");
    assert_eq!(work.forge.tokens()[1].fate, Fate::Good, "the family lives");
}

#[test]
fn whoever_waited_for_the_killed_one_does_not_ask_again() {
    let work = with_first();
    let first = begun(&work, Manner::Late(Duration::from_secs(4)));
    let second = thread::scope(|scope| {
        let second = scope.spawn(|| rotate(&work));
        // Long enough to come to the lock; should it be late, it finds the lock free and the guard.
        thread::sleep(Duration::from_millis(500));
        kill(first);
        second.join().unwrap()
    });
    is_pending(&second);
    assert!(until(|| work.forge.tokens()[0].fate == Fate::Revoked));
    assert_eq!(work.rotations(), 1, "never repeated");
    assert_eq!(work.forge.tokens()[1].fate, Fate::Good, "the family lives");
}

/// The forge never did what it was asked for.
#[test]
fn a_guard_older_than_ten_minutes_does_not_hold() {
    let work = with_first();
    kill(begun(&work, Manner::Silent));
    is_pending(&rotate(&work));
    let since: u64 = fs::read_to_string(work.guard())
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    fs::write(work.guard(), format!("{}\n", since - 601)).unwrap();
    rotate(&work).succeeded();
    assert_eq!(work.kept(), Some(work.forge.tokens()[1].secret.clone()));
    assert_eq!(work.forge.tokens()[1].fate, Fate::Good);
    assert!(!work.guard().exists());
}

/// The guard names no token: it is read without the journal, whose key may be gone.
#[test]
fn another_token_waits_for_the_guard_too() {
    let work = with_first();
    work.forge.issue(Token::new("other", "glpat-other"));
    kill(begun(&work, Manner::Silent));
    work.store("bob", "glpat-other");
    let words = format!("rotate https://bob@{}", work.forge.host());
    is_pending(&work.ask(&words, b""));
    assert_eq!(work.rotations(), 1);
}

/// The token was good a moment ago: a gateway has asked twice, or somebody else was there in between.
#[test]
fn a_401_is_no_plain_refusal() {
    let work = with_first();
    work.forge.answer(Manner::Held);
    let output = thread::scope(|scope| {
        let rotation = scope.spawn(|| rotate(&work));
        work.forge.wait_until_asked(1);
        // It does what was asked, and says this.
        work.forge.answer(Manner::Status(401));
        rotation.join().unwrap()
    });
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    for said in [
        // Without a word of GitLab's it may as well come from a gateway.
        "the forge answers 401: the stored token may be invalid now",
        "wait for 10 minutes before you rotate again",
    ] {
        assert!(output.stderr.contains(said), "{said}: {output:?}");
    }
    work.forge.answer(Manner::Honest);
    let next = rotate(&work);
    let said = "an earlier rotation was cut off";
    assert!(
        next.stderr.contains(said),
        "the rotation stays pending: {next:?}"
    );
    assert_eq!(work.rotations(), 1, "never repeated");
    assert_eq!(work.forge.tokens()[1].fate, Fate::Good, "the family lives");
}
