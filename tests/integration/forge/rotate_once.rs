//! `rotate` uses no token twice, whatever it is called, whoever lags or lies, and whatever is removed meanwhile.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::work::{JOURNAL, Work};
use super::{Fate, Manner, Speaks, Token};
use crate::attributes::{Answer, lines};
use crate::process::{Output, run};
use crate::tool;

const FIRST: &str = "glpat-first.0123456789";
const ROTATE: &str = "/api/v4/personal_access_tokens/self/rotate";
const SELF: &str = "/api/v4/personal_access_tokens/self";

fn with_first() -> Work {
    let work = Work::without_lookups(Speaks::GitLab);
    work.store("alice", FIRST);
    work.forge.issue(Token::new("first", FIRST));
    work
}

/// The same under the forge's number, as another host.
fn with_two_names() -> Work {
    let work = with_first();
    let host = other_host(&work);
    let question = lines(&[
        ("protocol", "https"),
        ("host", &host),
        ("username", "alice"),
        ("password", FIRST),
    ]);
    work.ask("store", &question).succeeded();
    work
}

fn other_host(work: &Work) -> String {
    work.forge.host().replace("localhost", "127.0.0.1")
}

fn helper(work: &Work, storages: &str, words: &str) -> Command {
    let words = format!("--storage {storages} {words}");
    work.trusting(work.sandbox.helper(&words))
}

fn rotate_at(work: &Work, host: &str) -> Output {
    work.ask(&format!("rotate https://alice@{host}"), b"")
}

fn rotate(work: &Work) -> Output {
    rotate_at(work, &work.forge.host())
}

fn asked(work: &Work, wanted: &str) -> usize {
    let asked = work.forge.asked().into_iter();
    asked.filter(|(_, path, _)| path == wanted).count()
}

fn rotations(work: &Work) -> usize {
    asked(work, ROTATE)
}

fn kept(work: &Work, storage: &str) -> Option<String> {
    let host = work.forge.host();
    let question = lines(&[("protocol", "https"), ("host", &host)]);
    let answer = run(&mut helper(work, storage, "get"), &question).succeeded();
    let answer = Answer::read(&answer.stdout);
    answer.get("password").map(str::to_owned)
}

#[track_caller]
fn fails(output: &Output, said: &str) {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stderr.contains(said), "{said}: {output:?}");
    assert!(!output.stderr.contains("glpat-"), "{output:?}");
}

/// Which forge is asked to replace the first token, and answers in this manner.
fn begun(work: &Work, manner: Manner, mut command: Command) -> Child {
    let before = rotations(work);
    work.forge.answer(Manner::ToRotations(Box::new(manner)));
    command.stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    assert!(crate::process::until(|| rotations(work) > before));
    child
}

fn ended(child: Child) -> Output {
    let output = child.wait_with_output().unwrap();
    Output {
        status: output.status,
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[test]
fn two_names_of_one_host_at_once() {
    let work = with_two_names();
    let late = Manner::Late(Duration::from_millis(500));
    work.forge.answer(Manner::ToRotations(Box::new(late)));
    let outputs: Vec<Output> = thread::scope(|scope| {
        let both = [work.forge.host(), other_host(&work)];
        let both = both.map(|host| {
            scope.spawn({
                let work = &work;
                move || rotate_at(work, &host)
            })
        });
        both.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let winners = outputs.iter().filter(|one| one.status.success()).count();
    assert_eq!((winners, rotations(&work)), (1, 1), "{outputs:?}");
    assert_eq!(work.forge.tokens()[1].fate, Fate::Good, "the family lives");
}

/// Killed while the forge is at work. The next run is under the other name, or finds no journal.
#[test]
fn neither_another_name_nor_a_lost_journal_lets_it_ask_again() {
    for is_journal_lost in [false, true] {
        let work = killed_while_the_forge_works();
        if is_journal_lost {
            fs::remove_file(work.sandbox.path(JOURNAL)).unwrap();
        }
        let host = other_host(&work);
        let next = rotate_at(&work, &host);
        fails(&next, "the forge may still be at work on it");
        assert!(crate::process::until(
            || work.forge.tokens()[0].fate == Fate::Revoked
        ));
        // Without the journal the token is known to be dead, and not why.
        let said = if is_journal_lost {
            "the stored token is invalid: it was not rotated"
        } else {
            "an earlier rotation was cut off"
        };
        fails(&rotate_at(&work, &host), said);
        assert_eq!(rotations(&work), 1, "never repeated");
        assert_eq!(work.forge.tokens()[1].fate, Fate::Good);
    }
}

/// A rotation may be pending in a journal that cannot be read: it is neither passed over nor begun anew.
#[test]
fn a_damaged_journal_is_left_to_the_person() {
    let work = killed_while_the_forge_works();
    let journal = work.sandbox.path(JOURNAL);
    fs::write(&journal, "X").unwrap();
    let next = rotate(&work);
    fails(&next, "the token was not rotated");
    for said in ["journal is damaged", "move the journal away"] {
        assert!(next.stderr.contains(said), "{said}: {next:?}");
    }
    assert_eq!(fs::read_to_string(&journal).unwrap(), "X");
    fs::remove_file(&journal).unwrap();
    fails(&rotate(&work), "the forge may still be at work on it");
    assert_eq!(rotations(&work), 1);
}

/// A rotation that cannot be recorded is not begun.
#[test]
fn a_journal_that_cannot_be_written_stops_it_before() {
    let work = with_first();
    let obstacle = work
        .sandbox
        .path("state/git-credential-pat/.journal.git-credential-pat-new");
    fs::create_dir(&obstacle).unwrap();
    fails(&rotate(&work), "the token was not rotated");
    assert_eq!((rotations(&work), work.pending()), (0, 0));
    fs::remove_dir(&obstacle).unwrap();
    rotate(&work).succeeded();
}

fn killed_while_the_forge_works() -> Work {
    let work = with_two_names();
    let words = format!("rotate https://alice@{}", work.forge.host());
    let late = Manner::Late(Duration::from_secs(2));
    let mut child = begun(&work, late, work.command(&words));
    child.kill().unwrap();
    child.wait().unwrap();
    work
}

/// Whoever comes while one is on its way waits, though the journal has gone.
#[test]
fn the_journal_may_go_while_the_forge_thinks() {
    let work = with_first();
    let words = format!("rotate {}", work.forge.url());
    let late = Manner::Late(Duration::from_secs(1));
    let child = begun(&work, late, work.command(&words));
    let _ = fs::remove_file(work.sandbox.path(JOURNAL));
    let second = rotate(&work);
    assert!(ended(child).status.success());
    fails(&second, "another process has replaced this token");
    assert_eq!(rotations(&work), 1);
    assert_eq!(work.kept(), Some(work.forge.tokens()[1].secret.clone()));
}

/// The new token may be longer: who would have no room for it is not asked to take it.
#[test]
fn a_rehearsal_needs_room_to_spare() {
    let work = with_first();
    // Larger than all else that is written.
    for number in 0..60 {
        let user = format!("user{number}");
        let input = lines(&[
            ("protocol", "https"),
            ("host", "other.test"),
            ("username", &user),
            ("password", "made-up"),
        ]);
        work.ask("store", &input).succeeded();
    }
    let path = work.sandbox.path("data/git-credential-pat/credentials");
    let length = fs::metadata(path).unwrap().len() + 5;
    let mut limited = work.trusting(work.sandbox.command(tool::need("prlimit")));
    limited.arg(format!("--fsize={length}:{length}"));
    let command = work.command(&format!("rotate {}", work.forge.url()));
    limited.arg(command.get_program()).args(command.get_args());
    let output = run(&mut limited, b"");
    assert!(!output.status.success(), "{output:?}");
    assert_eq!(rotations(&work), 0, "{output:?}");
    assert_eq!(work.kept().as_deref(), Some(FIRST));
    rotate(&work).succeeded();
}

/// A gateway that says yes to anything, and a forge's server that has not heard of it yet.
#[test]
fn a_token_is_not_used_on_the_word_of_a_gateway_or_a_laggard() {
    let work = with_first();
    work.forge
        .answer(Manner::Body(b"{\"message\":\"maintenance\"}".to_vec()));
    fails(
        &rotate(&work),
        "the forge says nothing about the stored token",
    );
    assert_eq!(rotations(&work), 0);
    work.forge.answer(Manner::Honest);
    let input = work.credential("alice", FIRST);
    run(&mut helper(&work, "memory", "store"), &input).succeeded();
    let words = format!("rotate {}", work.forge.url());
    run(&mut helper(&work, "memory", &words), b"").succeeded();
    let good = b"{\"scopes\":[\"api\"],\"active\":true,\"revoked\":false,\"expires_at\":null}";
    work.forge.answer(Manner::Body(good.to_vec()));
    let output = rotate(&work);
    fails(&output, "the stored token was rejected or replaced before");
    assert!(
        output.stderr.contains("git credential-pat login"),
        "{output:?}"
    );
    assert_eq!(rotations(&work), 1);
    assert_eq!(work.forge.tokens()[1].fate, Fate::Good, "the family lives");
}

/// A gateway's word after the forge has done it.
#[test]
fn a_refusal_after_the_fact_is_none() {
    for status in [302, 400, 403, 404, 429] {
        let work = with_first();
        let manner = Manner::ToRotations(Box::new(Manner::Status(status)));
        work.forge.answer(manner);
        let said = format!("the forge answers {status}: the stored token is invalid now");
        fails(&rotate(&work), &said);
        assert_eq!(work.pending(), 1);
        work.forge.answer(Manner::Honest);
        assert_eq!(work.kept(), None);
        fails(&rotate(&work), "nothing is kept for this URL");
    }
}

/// What surrounds it is no reason to lose it.
#[test]
fn a_new_token_is_taken_if_it_is_there() {
    let whole = "{\"id\":1,\"token\":\"glpat-new\",\"expires_at\":\"2036-01-02\"}";
    let with = |head: &str, body: &str| format!("HTTP/1.1 {head}\r\n\r\n{body}");
    for answer in [
        with("200 OK", &format!("\u{feff}{whole}")),
        with("200 OK", &format!("{whole}<!-- served by x -->")),
        with("202 Accepted", whole),
        with(
            "200 OK",
            "{\"token\":\"glpat-new\",\"expires_at\":1803081600}",
        ),
        with("200 OK\r\nContent-Length: 500", whole),
    ] {
        let work = with_first();
        let manner = Manner::Raw(answer.clone().into_bytes());
        work.forge.answer(Manner::ToRotations(Box::new(manner)));
        let output = rotate(&work);
        assert!(output.status.success(), "{answer}: {output:?}");
        assert_eq!(work.kept().as_deref(), Some("glpat-new"), "{answer}");
    }
}

#[test]
fn the_old_token_is_no_new_one() {
    let work = with_first();
    let body = format!("{{\"token\":\"{FIRST}\"}}").into_bytes();
    work.forge
        .answer(Manner::ToRotations(Box::new(Manner::Body(body))));
    fails(&rotate(&work), "the forge answered without a new token");
    assert_eq!(work.pending(), 1);
}

/// What git or a person stores while the forge thinks is newer than what was asked for.
#[test]
fn what_is_stored_meanwhile_stays() {
    let work = with_first();
    work.forge.issue(Token::new("other", "glpat-other"));
    let words = format!("rotate {}", work.forge.url());
    let late = || Manner::Late(Duration::from_secs(1));
    let child = begun(&work, late(), work.command(&words));
    work.store("alice", "glpat-other");
    let output = ended(child);
    fails(
        &output,
        "the stored token was replaced or removed meanwhile",
    );
    assert_eq!(work.kept().as_deref(), Some("glpat-other"));
    assert_eq!(work.pending(), 0);

    let input = work.credential("alice", "glpat-other");
    run(&mut helper(&work, "memory", "store"), &input).succeeded();
    let child = begun(&work, late(), helper(&work, "file,memory", &words));
    work.store("alice", "glpat-third");
    let output = ended(child);
    fails(&output, "the file storage got another token for alice");
    assert_eq!(kept(&work, "file").as_deref(), Some("glpat-third"));
    let tokens = work.forge.tokens();
    let made = tokens.iter().find(|token| token.name == "other+").unwrap();
    assert_eq!(kept(&work, "memory").as_ref(), Some(&made.secret));
}

/// The process of the memory daemon.
fn daemon(work: &Work) -> Pid {
    let status = run(&mut helper(work, "memory", "cache status"), b"").succeeded();
    let text = status.text();
    let (_, rest) = text.split_once("process ").expect("a process");
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Pid::from_raw(digits.parse().unwrap()).unwrap()
}

/// It may have the dead token: the rotation is not over, and nobody asks for another one.
#[test]
fn a_storage_that_was_silent_is_made_good_for() {
    let work = with_first();
    let storages = "memory,file";
    let input = work.credential("alice", FIRST);
    run(&mut helper(&work, "memory", "store"), &input).succeeded();
    let daemon = daemon(&work);
    let again = || {
        let words = format!("rotate {}", work.forge.url());
        run(&mut helper(&work, storages, &words), b"")
    };
    kill_process(daemon, Signal::STOP).unwrap();
    let first = again();
    let second = again();
    kill_process(daemon, Signal::CONT).unwrap();
    fails(&first, "a storage could not be asked");
    assert!(first.text().contains("the new token for"), "{first:?}");
    fails(&second, "an earlier rotation is not finished");
    assert_eq!((rotations(&work), work.pending()), (1, 1));
    let third = again().succeeded();
    assert!(third.text().contains("an earlier rotation"), "{third:?}");
    let new = work.forge.tokens()[1].secret.clone();
    assert_eq!(kept(&work, "memory").as_ref(), Some(&new));
    assert_eq!(kept(&work, "file"), Some(new));
    assert_eq!((rotations(&work), work.pending()), (1, 0));
}

/// A daemon that is stopped takes it when it goes on.
#[test]
fn a_storage_that_does_not_say_whether_it_took_it() {
    let work = Work::without_lookups(Speaks::GitLab);
    work.forge.issue(Token::new("first", FIRST));
    let input = work.credential("alice", FIRST);
    run(&mut helper(&work, "memory", "store"), &input).succeeded();
    let daemon = daemon(&work);
    let words = format!("rotate {}", work.forge.url());
    let late = Manner::Late(Duration::from_secs(1));
    let child = begun(&work, late, helper(&work, "memory", &words));
    kill_process(daemon, Signal::STOP).unwrap();
    let output = ended(child);
    kill_process(daemon, Signal::CONT).unwrap();
    fails(&output, "saving the new token failed");
    assert!(
        output.stderr.contains("git credential-pat check"),
        "{output:?}"
    );
    assert_eq!(work.pending(), 1);
}

/// Of one user two tokens, each for a repository.
#[test]
fn another_tokens_rotation_is_left_to_it() {
    let work = Work::without_lookups(Speaks::GitLab);
    let storages = "file,memory";
    for (name, path) in [("first", "g/p.git"), ("second", "g/q.git")] {
        let secret = format!("glpat-{name}");
        work.forge.issue(Token::new(name, &secret));
        let input = lines(&[
            ("protocol", "https"),
            ("host", &work.forge.host()),
            ("path", path),
            ("username", "alice"),
            ("password", &secret),
        ]);
        run(&mut helper(&work, storages, "store"), &input).succeeded();
    }
    let words = |path: &str| format!("rotate https://alice@{}/{path}", work.forge.host());
    let late = Manner::Late(Duration::from_millis(700));
    let child = begun(&work, late, helper(&work, storages, &words("g/p.git")));
    let obstacle = work
        .sandbox
        .path("data/git-credential-pat/.credentials.git-credential-pat-new");
    fs::create_dir(&obstacle).unwrap();
    fails(&ended(child), "the file storage still has the old token");
    fs::remove_dir(&obstacle).unwrap();
    let other = run(&mut helper(&work, storages, &words("g/q.git")), b"").succeeded();
    assert!(!other.text().contains("an earlier rotation"), "{other:?}");
    assert_eq!((rotations(&work), work.pending()), (2, 1));
    let first = run(&mut helper(&work, storages, &words("g/p.git")), b"").succeeded();
    assert!(first.text().contains("an earlier rotation"), "{first:?}");
    assert_eq!((rotations(&work), work.pending()), (2, 0));
}

#[test]
fn an_end_that_cannot_be_is_not_asked_for() {
    let work = with_first();
    for (end, said) in [
        ("never", "gives every new token an expiry: nothing was done"),
        ("2926000d", "lies too far ahead"),
    ] {
        let output = work.ask(&format!("rotate --expires {end} {}", work.forge.url()), b"");
        fails(&output, said);
    }
    assert_eq!((asked(&work, SELF), rotations(&work)), (0, 0));
}

/// Neither a child nor a thread: nothing is asked, and nothing is said of faults.
#[test]
fn a_system_that_lets_nobody_begin_anything_changes_nothing() {
    let work = with_first();
    let mut strace = work.trusting(work.sandbox.command(tool::need("strace")));
    strace.args(["-f", "-qq", "-o"]);
    strace.arg(work.sandbox.path("strace.log"));
    strace.args(["-e", "inject=?clone,?clone3,?fork,?vfork:error=EAGAIN"]);
    let command = work.command(&format!("rotate {}", work.forge.url()));
    strace.arg(command.get_program()).args(command.get_args());
    fails(&run(&mut strace, b""), "the token was not rotated");
    assert_eq!((rotations(&work), work.pending()), (0, 0));
    rotate(&work).succeeded();
}
