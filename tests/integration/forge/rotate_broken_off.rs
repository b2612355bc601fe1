//! `rotate` broken off: in the rehearsal, while the forge thinks, by whatever signal.

use std::fs::File;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use super::rotate::killed_at;
use super::work::{STORAGE, Work, in_days};
use super::{Fate, Manner, Speaks, Token};
use crate::keyring::outliving;
use crate::process::{Output, heeding_signals};
use crate::slow_commands::Slow;

const FIRST: &str = "glpat-first.0123456789";

/// What a storage is written with.
const FILE_CALLS: &[&str] = &[
    "openat",
    "flock",
    "write",
    "fsync",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "close",
];
const MEMORY_CALLS: &[&str] = &["connect", "sendto", "poll", "ppoll"];
const KEYCHAIN_CALLS: &[&str] = &["sendmsg", "sendto"];

/// The forge refuses, so that all that is written to the storage is the rehearsal. Every end that is read before is read
/// after, wherever it was killed.
#[test]
fn a_kill_in_the_rehearsal_changes_no_end() {
    for (storage, calls) in [
        ("file", FILE_CALLS),
        ("memory", MEMORY_CALLS),
        ("keychain", KEYCHAIN_CALLS),
    ] {
        for ends in [None, Some(in_days(40))] {
            outliving(|| a_kill_changes_no_end(storage, calls, ends));
        }
    }
}

fn a_kill_changes_no_end(storage: &str, calls: &[&str], ends: Option<u64>) {
    let mut work = Work::without_lookups(Speaks::GitLab);
    if storage == "keychain" {
        work.sandbox.start_keyring();
    }
    let token = Token::new("first", FIRST).scopes(&["api"]);
    work.forge.issue(Token { ends, ..token });
    let helper = |words: &str| {
        let words = format!("--storage {storage} {words}");
        work.trusting(work.sandbox.helper(&words))
    };
    let ask = |words: &str, input: &[u8]| crate::process::run(&mut helper(words), input);
    ask("store", &work.credential("alice", FIRST)).succeeded();
    ask("check", b"");
    let look = || {
        let json = ask("list --json", b"").succeeded().stdout;
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        json[0]["expires_at_unix"].clone()
    };
    let before = look();
    assert_eq!(before.is_null(), ends.is_none(), "{before}");
    let program = helper(&format!("rotate --expires 400d {}", work.forge.url()));
    let mut killed = 0;
    for call in calls {
        for number in 1.. {
            // A kill after the rehearsal leaves a guard: the next run would not get that far.
            work.forget_rotations();
            let output = killed_at(&work, &program, call, number);
            assert_eq!(look(), before, "{storage} {call} {number}: {output:?}");
            // It was git that was killed, while it read the configuration.
            if output.stderr.contains("git's configuration cannot be read") {
                continue;
            }
            if output.status.code().is_some() {
                assert!(output.stderr.contains("answers 400"), "{output:?}");
                break;
            }
            killed += 1;
        }
    }
    assert!(killed > 5, "{storage}: killed {killed} times");
    assert_eq!(work.forge.tokens()[0].fate, Fate::Good);
}

/// A rotation whose forge thinks for a while, on its way.
fn on_its_way(work: &Work) -> Child {
    work.store("alice", FIRST);
    work.forge.issue(Token::new("first", FIRST));
    work.forge.answer(Manner::Late(Duration::from_millis(700)));
    let mut command = heeding_signals(&work.command(&format!("rotate {}", work.forge.url())));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.stdin(Stdio::null()).process_group(0).spawn();
    work.forge.wait_until_asked(2);
    child.unwrap()
}

/// For what waits for a forge of its own.
fn side_by_side(signals: [Signal; 3], check: impl Fn(Signal) + Sync) {
    thread::scope(|scope| {
        for signal in signals {
            let check = &check;
            scope.spawn(move || check(signal));
        }
    });
}

#[track_caller]
fn has_the_new_token(work: &Work) {
    let tokens = work.forge.tokens();
    assert_eq!(tokens[1].fate, Fate::Good);
    assert_eq!(work.kept().as_deref(), Some(&tokens[1].secret[..]));
}

/// Ctrl-C and the like between the question and the answer: the new token is kept first.
#[test]
fn a_signal_waits_until_the_new_token_is_kept() {
    let check = |signal: Signal| {
        let work = Work::without_lookups(Speaks::GitLab);
        let child = on_its_way(&work);
        let pid = Pid::from_child(&child);
        kill_process(pid, signal).unwrap();
        kill_process(pid, signal).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.signal(), Some(signal.as_raw()), "{output:?}");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("the new token for"), "{output:?}");
        has_the_new_token(&work);
    };
    for some in [
        [Signal::INT, Signal::TERM, Signal::HUP],
        [Signal::QUIT, Signal::USR1, Signal::ALARM],
    ] {
        side_by_side(some, check);
    }
}

/// A fetch of an older git that begins meanwhile is given the old token, and thanks for it when that is dead.
#[test]
fn who_begins_meanwhile_does_not_bring_the_old_token_back() {
    let work = Work::without_lookups(Speaks::GitLab);
    let child = on_its_way(&work);
    let slow = Slow::begin(&work.sandbox, STORAGE, &work.credential("alice", FIRST));
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    slow.confirm();
    has_the_new_token(&work);
}

/// Ctrl-Z and the like: the forge would give up on who is stopped.
#[test]
fn a_stop_waits_until_the_new_token_is_kept() {
    side_by_side([Signal::TSTP, Signal::TTIN, Signal::TTOU], |signal| {
        let work = Work::without_lookups(Speaks::GitLab);
        let child = on_its_way(&work);
        let pid = Pid::from_child(&child);
        kill_process(pid, signal).unwrap();
        let options = WaitOptions::UNTRACED;
        let (_, status) = waitpid(Some(pid), options).unwrap().expect("it stops");
        assert_eq!(status.stopping_signal(), Some(signal.as_raw()));
        has_the_new_token(&work);
        kill_process(pid, Signal::CONT).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("the new token for"), "{output:?}");
    });
}

/// Longer than anybody waits for the answer to a question that can be asked again.
#[test]
fn a_slow_forge_is_waited_for() {
    let work = Work::keeping(Speaks::GitLab, Token::new("first", FIRST));
    work.forge.answer(Manner::Held);
    thread::scope(|scope| {
        let words = format!("rotate {}", work.forge.url());
        let rotation = scope.spawn(|| work.ask(&{ words }, b""));
        work.forge.wait_until_asked(1);
        work.forge.answer(Manner::Late(Duration::from_secs(5)));
        rotation.join().unwrap().succeeded();
    });
    has_the_new_token(&work);
}

/// The new token is there, and nowhere else.
#[test]
fn whoever_holds_the_file_is_waited_for() {
    let work = Work::without_lookups(Speaks::GitLab);
    let child = on_its_way(&work);
    let path = work
        .sandbox
        .path("data/git-credential-pat/credentials.lock");
    let held = File::options().write(true).open(path).unwrap();
    flock(&held, FlockOperation::LockExclusive).unwrap();
    // Longer than a command waits for it that has nothing to lose.
    thread::sleep(Duration::from_secs(6));
    drop(held);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    for word in [
        "cannot store in the file storage yet: another process holds it",
        "the new token waits for a minute",
    ] {
        assert!(said.contains(word), "{word}: {output:?}");
    }
    has_the_new_token(&work);
}

/// Before it there is nothing to wait for.
#[test]
fn a_signal_before_the_question_ends_it_at_once() {
    let work = Work::keeping(Speaks::GitLab, Token::new("first", FIRST));
    work.forge.answer(Manner::Silent);
    let mut command = heeding_signals(&work.command(&format!("rotate {}", work.forge.url())));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.stdin(Stdio::null()).spawn().unwrap();
    work.forge.wait_until_asked(1);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.signal(), Some(Signal::INT.as_raw()));
    assert_eq!(work.rotations(), 0);
}

/// That the old token is good proves nothing while the forge is still at it.
#[test]
fn an_answer_that_comes_too_late_leaves_it_open() {
    let work = Work::keeping(Speaks::GitLab, Token::new("first", FIRST));
    work.forge.answer(Manner::Held);
    let output: Output = thread::scope(|scope| {
        let words = format!("rotate {}", work.forge.url());
        let rotation = scope.spawn(|| work.ask(&{ words }, b""));
        work.forge.wait_until_asked(1);
        // Longer than anybody waits; and who asks about the old one meanwhile hears that it is good.
        work.forge.answer(Manner::Late(Duration::from_secs(36)));
        work.forge.wait_until_asked(2);
        work.forge.answer(Manner::Honest);
        let output = rotation.join().unwrap();
        assert_eq!(work.forge.tokens()[0].fate, Fate::Good, "still at it");
        output
    });
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stderr.contains("may be invalid now"), "{output:?}");
    assert!(output.stderr.contains("wait for 10 minutes"), "{output:?}");
    // The old token was asked about, and was good.
    assert_eq!(work.forge.asked().len(), 3, "{:?}", work.forge.asked());
    assert!(crate::process::until(
        || work.forge.tokens()[0].fate == Fate::Revoked
    ));
    let next = work.ask(&format!("rotate {}", work.forge.url()), b"");
    assert!(
        next.stderr.contains("an earlier rotation was cut off"),
        "the rotation stays pending: {next:?}"
    );
    assert_eq!(work.rotations(), 1, "never repeated");
}
