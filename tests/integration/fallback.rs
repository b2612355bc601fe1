//! `auto`: the keychain where it can be reached, else memory; and a keychain that cannot be reached keeps nobody waiting.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::askpass::{Askpass, PASSWORD};
use crate::attributes::{Answer, lines};
use crate::process::{self, Output};
use crate::sandbox::{PROGRAM, Sandbox};

/// What a keychain may cost at most, promised in `docs/storages.md`.
const BOUND: Duration = Duration::from_secs(3);

const BUS: &str = "DBUS_SESSION_BUS_ADDRESS";

const QUESTION: [(&str, &str); 3] = [
    ("protocol", "https"),
    ("host", "git.example.test"),
    ("username", "alice"),
];

fn credential() -> Vec<u8> {
    let mut pairs = QUESTION.to_vec();
    pairs.push(("password", "tok-secret"));
    lines(&pairs)
}

/// A home in which git asks this helper under `auto`, and somebody answers git's own questions.
fn home(with_keyring: bool) -> (Sandbox, Askpass) {
    let mut sandbox = Sandbox::new();
    if with_keyring {
        sandbox.start_keyring();
    }
    sandbox.configure_git(&format!("[credential]\n\thelper = {PROGRAM}\n"));
    let askpass = Askpass::new(&sandbox.path("askpass"));
    (sandbox, askpass)
}

fn git(sandbox: &Sandbox, askpass: &Askpass, word: &str) -> Command {
    let mut git = sandbox.git(&["credential", word]);
    git.env("GIT_ASKPASS", askpass.program());
    git
}

/// The storages in which `list` shows something.
fn kept_in(sandbox: &Sandbox) -> Vec<String> {
    let shown = sandbox.ask("list --json", b"").succeeded().text();
    let storages = shown
        .lines()
        .filter_map(|line| line.trim().strip_prefix("\"storage\": \""));
    storages
        .map(|rest| rest.trim_end_matches(['"', ',']).to_owned())
        .collect()
}

/// Runs it and sees that it was not waited for.
#[track_caller]
fn soon(command: &mut Command, input: &[u8]) -> Output {
    let start = Instant::now();
    let output = process::run(command, input);
    let took = start.elapsed();
    assert!(took < BOUND, "took {took:?}: {output:?}");
    output
}

#[test]
fn without_bus_and_display_memory_keeps_it_and_says_so_once() {
    let (sandbox, askpass) = home(false);
    let first = soon(&mut git(&sandbox, &askpass, "approve"), &credential()).succeeded();
    assert!(
        first
            .stderr
            .starts_with("warning: the keychain cannot be reached: tokens are kept in memory"),
        "{first:?}"
    );
    assert_eq!(kept_in(&sandbox), ["memory"]);
    let filled = soon(&mut git(&sandbox, &askpass, "fill"), &lines(&QUESTION)).succeeded();
    assert_eq!(
        Answer::read(&filled.stdout).get("password"),
        Some("tok-secret")
    );
    let other = String::from_utf8(credential())
        .unwrap()
        .replace("alice", "bob");
    let second = soon(&mut git(&sandbox, &askpass, "approve"), other.as_bytes()).succeeded();
    for quiet in [filled, second] {
        assert_eq!(quiet.stderr, "", "said again");
    }
    assert_eq!(askpass.questions(), [""; 0]);
}

#[test]
fn with_a_keyring_it_goes_there_and_nowhere_else() {
    let (sandbox, askpass) = home(true);
    let stored = soon(&mut git(&sandbox, &askpass, "approve"), &credential()).succeeded();
    assert_eq!(stored.stderr, "");
    assert_eq!(kept_in(&sandbox), ["keychain"]);
    assert_eq!(
        sandbox
            .files("data")
            .iter()
            .filter(|(path, _)| path.ends_with("credentials"))
            .count(),
        0
    );
}

/// What memory took in while the keychain was away must not be answered before what the keychain has now.
#[test]
fn a_newer_token_in_the_keychain_replaces_the_one_in_memory() {
    let (sandbox, askpass) = home(true);
    let older = String::from_utf8(credential())
        .unwrap()
        .replace("tok-secret", "tok-older");
    sandbox
        .ask("--storage memory store", older.as_bytes())
        .succeeded();
    process::run(&mut git(&sandbox, &askpass, "approve"), &credential()).succeeded();
    assert_eq!(kept_in(&sandbox), ["keychain"]);
    let filled = process::run(&mut git(&sandbox, &askpass, "fill"), &lines(&QUESTION));
    assert_eq!(
        Answer::read(&filled.stdout).get("password"),
        Some("tok-secret")
    );
}

/// While a slow command uses the token of the keychain, the keychain is away and memory takes in a newer one. If git hands back
/// our state, the newer one stays. Without a state, the confirmed token replaces it: the order of the two is unknown.
#[test]
fn a_slow_command_with_a_state_leaves_the_newer_token_in_memory() {
    for hands_back in [true, false] {
        let (sandbox, _askpass) = home(true);
        let newer = String::from_utf8(credential())
            .unwrap()
            .replace("tok-secret", "tok-newer");
        let kept = || {
            let got = sandbox.ask("get", &asked(&[])).succeeded();
            Answer::read(&got.stdout).get("password").map(str::to_owned)
        };
        sandbox.ask("store", &credential()).succeeded();
        let answer = sandbox.ask("get", &asked(&[])).succeeded();
        let answer = Answer::read(&answer.stdout);
        let state = answer.get("state[]").expect("a state");
        let mut away = sandbox.helper("store");
        away.env(BUS, "unix:path=/nonexistent");
        process::run(&mut away, newer.as_bytes()).succeeded();
        let (confirmed, stays) = if hands_back {
            let confirmed = asked(&[("password", "tok-secret"), ("state[]", state)]);
            (confirmed, "tok-newer")
        } else {
            (credential(), "tok-secret")
        };
        for _ in 0..2 {
            let stored = sandbox.ask("store", &confirmed).succeeded();
            assert_eq!(kept().as_deref(), Some(stays), "{stored:?}");
        }
        // What is new to the keychain is the newest.
        let newest = String::from_utf8(credential())
            .unwrap()
            .replace("tok-secret", "tok-newest");
        sandbox.ask("store", newest.as_bytes()).succeeded();
        assert_eq!(kept_in(&sandbox), ["keychain"]);
        assert_eq!(kept().as_deref(), Some("tok-newest"));
    }
}

/// git goes on to its prompt, what is typed there is kept in memory, and nothing is lost in the keychain.
fn goes_on(make_unreachable: impl Fn(&Sandbox), display: Option<&str>) {
    let (sandbox, askpass) = home(true);
    process::run(&mut git(&sandbox, &askpass, "approve"), &credential()).succeeded();
    make_unreachable(&sandbox);
    let with_display = |word: &str| {
        let mut command = git(&sandbox, &askpass, word);
        command.envs(display.map(|display| ("DISPLAY", display)));
        command
    };
    let filled = soon(&mut with_display("fill"), &lines(&QUESTION)).succeeded();
    assert_eq!(Answer::read(&filled.stdout).get("password"), Some(PASSWORD));
    assert!(
        filled.stderr.contains("cannot reach the keychain storage"),
        "{filled:?}"
    );
    assert!(!filled.stderr.contains("tok-secret"));
    let typed = String::from_utf8(credential())
        .unwrap()
        .replace("tok-secret", PASSWORD);
    let stored = soon(&mut with_display("approve"), typed.as_bytes()).succeeded();
    assert!(
        stored.stderr.contains("tokens are kept in memory"),
        "{stored:?}"
    );
    let erased = soon(&mut with_display("reject"), &credential()).succeeded();
    assert!(
        erased.stderr.contains("cannot reach the keychain storage"),
        "{erased:?}"
    );
    let again = soon(&mut with_display("fill"), &lines(&QUESTION)).succeeded();
    assert_eq!(
        Answer::read(&again.stdout).get("password"),
        Some(PASSWORD),
        "memory answers first"
    );
}

#[test]
fn a_locked_keyring_keeps_nobody_waiting() {
    goes_on(Sandbox::lock_keyring, None);
}

#[test]
fn a_prompt_that_nobody_would_answer_is_not_waited_for() {
    // The sandbox sets GIT_TERMINAL_PROMPT=0: git was told to ask nobody.
    goes_on(Sandbox::lock_keyring, Some(":77"));
}

#[test]
fn a_hung_keyring_keeps_nobody_waiting() {
    goes_on(Sandbox::hang_keyring, None);
}

#[test]
fn a_hung_keyring_asks_nobody_for_its_password() {
    on_each_display(|display| {
        let (sandbox, _askpass) = home(true);
        sandbox.hang_keyring();
        without_prompt_time(&sandbox, None, display);
    });
}

#[test]
fn a_silent_bus_asks_nobody_for_a_password() {
    on_each_display(|display| {
        let sandbox = Sandbox::new();
        let socket = sandbox.path("silent");
        // Nobody takes the connections, and the system does.
        let _listener = UnixListener::bind(&socket).unwrap();
        let address = format!("unix:path={}", socket.display());
        without_prompt_time(&sandbox, Some(&address), display);
    });
}

/// In surroundings of their own: so they need not wait for one another.
fn on_each_display(test: impl Fn(&str) + Sync) {
    thread::scope(|scope| {
        for display in ["DISPLAY", "WAYLAND_DISPLAY"] {
            let test = &test;
            scope.spawn(move || test(display));
        }
    });
}

/// Where a prompt is allowed and none can open, a person's time is not waited for: it would be a minute.
fn without_prompt_time(sandbox: &Sandbox, address: Option<&str>, display: &str) {
    for words in ["get", "store", "erase"] {
        let mut command = sandbox.helper(&format!("--storage keychain {words}"));
        command
            .env(display, ":77")
            .env_remove("GIT_TERMINAL_PROMPT");
        command.envs(address.map(|address| (BUS, address)));
        let start = Instant::now();
        let output = process::run(&mut command, &credential());
        let took = start.elapsed();
        eprintln!("took {} ms: {words}, {display}", took.as_millis());
        assert!(took < 3 * BOUND, "{words}, {display}: {took:?}: {output:?}");
        assert!(
            output.stderr.contains("cannot reach the keychain storage"),
            "{output:?}"
        );
    }
}

#[test]
fn an_address_starts_no_program() {
    let sandbox = Sandbox::new();
    let (program, mark) = (sandbox.path("program"), sandbox.path("mark"));
    let script = format!("#!/bin/sh\n: > '{}'\n", mark.display());
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, PermissionsExt::from_mode(0o700)).unwrap();
    process::run(&mut sandbox.command(&program), b"").succeeded();
    fs::remove_file(&mark).expect("the program leaves its mark");

    let starts = format!("unixexec:path={}", program.display());
    let with = |before: &[u8], behind: &[u8]| {
        let address = [before, starts.as_bytes(), behind].concat();
        OsStr::from_bytes(&address).to_owned()
    };
    let addresses: [OsString; 6] = [
        with(b"", b""),
        with(b"", b";x:\xFF=1"),
        with(b"x:\xFF=1;", b""),
        with(b"unix:path=/nonexistent;", b""),
        with(b"unix:path=/nonexistent/\xFF;", b""),
        with(b";", b",argv1=\xFF"),
    ];
    // Without one the D-Bus library would look elsewhere.
    for address in addresses.iter().map(Some).chain([None]) {
        for storage in ["keychain", "auto"] {
            for word in ["get", "store", "erase"] {
                let mut command = sandbox.helper(&format!("--storage {storage} {word}"));
                command.envs(address.map(|address| (BUS, address)));
                command.env("DBUS_STARTER_ADDRESS", address.unwrap_or(&addresses[0]));
                command.env("DBUS_STARTER_BUS_TYPE", "session");
                let output = process::run(&mut command, &credential());
                assert!(!mark.exists(), "{address:?}, {storage} {word}: {output:?}");
            }
        }
    }
}

/// Each that does not answer is waited for once, and who is asked later gets what is left.
#[test]
fn a_hung_daemon_and_a_hung_keyring_are_waited_for_together() {
    let (sandbox, _askpass) = home(true);
    sandbox
        .ask("--storage memory store", &credential())
        .succeeded();
    let answer = sandbox.ask("get", &asked(&[])).succeeded();
    let answer = Answer::read(&answer.stdout);
    let state = answer.get("state[]").expect("a state").to_owned();
    hang_daemon(&sandbox);
    sandbox.hang_keyring();
    for (words, input) in [
        ("get", asked(&[])),
        ("get", asked(&[("state[]", &state)])),
        ("store", credential()),
        ("erase", credential()),
    ] {
        let start = Instant::now();
        let output = process::run(&mut sandbox.helper(words), &input);
        let took = start.elapsed();
        eprintln!("took {} ms: {words}", took.as_millis());
        // Where each was waited for whenever it was asked: four for the first, six for the next two.
        assert!(
            took < BOUND + Duration::from_secs(1),
            "{words}: {took:?}: {output:?}"
        );
        assert!(!output.stderr.contains("tok-secret"), "{output:?}");
    }
}

/// A keyring that answers is asked, however long the daemon was waited for.
#[test]
fn a_hung_daemon_does_not_hide_the_keyring() {
    let (sandbox, _askpass) = home(true);
    sandbox
        .ask("--storage keychain store", &credential())
        .succeeded();
    let other = String::from_utf8(credential())
        .unwrap()
        .replace("git.example", "other.example");
    sandbox
        .ask("--storage memory store", other.as_bytes())
        .succeeded();
    hang_daemon(&sandbox);
    let got = sandbox.ask("get", &asked(&[])).succeeded();
    assert_eq!(
        Answer::read(&got.stdout).get("password"),
        Some("tok-secret"),
        "{got:?}"
    );
}

fn asked(more: &[(&str, &str)]) -> Vec<u8> {
    let mut pairs = vec![("capability[]", "authtype"), ("capability[]", "state")];
    pairs.extend(QUESTION);
    pairs.extend(more);
    lines(&pairs)
}

/// Stops the memory daemon in the middle of everything.
fn hang_daemon(sandbox: &Sandbox) {
    let socket = sandbox.path("run");
    let socket = socket.as_os_str().as_bytes();
    let is_its = |words: Vec<u8>| words.windows(socket.len()).any(|part| part == socket);
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let daemon = processes
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .find(|pid: &i32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(is_its));
    let pid = daemon.and_then(Pid::from_raw).expect("the daemon");
    kill_process(pid, Signal::STOP).unwrap();
}
