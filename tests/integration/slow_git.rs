//! Settings that keep git from an answer: a mistake in them, a pipe among its included files, a program that hangs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use rustix::fs::{CWD, Mode, mkfifoat};

use crate::process;
use crate::sandbox::{PROGRAM, Sandbox};
use crate::tool;

/// With a pipe, into which no program writes, among the files that git includes.
fn with_pipe() -> Sandbox {
    let sandbox = Sandbox::new();
    let pipe = sandbox.path("work/pipe");
    mkfifoat(CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
    sandbox.configure_git(&format!("[include]\n\tpath = {}\n", pipe.display()));
    sandbox
}

/// Programs that were started in the sandbox and run still.
fn running(sandbox: &Sandbox, name: &str) -> usize {
    let mark = sandbox.path("").display().to_string();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter(|entry| {
            let read = |file: &str| fs::read(entry.path().join(file)).unwrap_or_default();
            let line = String::from_utf8_lossy(&read("cmdline")).into_owned();
            line.contains(name) && String::from_utf8_lossy(&read("environ")).contains(&mark)
        })
        .count()
}

/// Asked once, in vain: each question had five seconds, and `doctor` has many.
#[test]
fn a_pipe_among_the_settings_is_told_and_waited_for_once() {
    let sandbox = with_pipe();
    let mut doctor = sandbox.helper("doctor https://one.test/a/b.git");
    let output = process::run_within(Duration::from_secs(20), &mut doctor, b"");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = output.text();
    let told = text.lines().find(|line| line.contains("gave no answer"));
    let told = told.unwrap_or_else(|| panic!("{output:?}"));
    assert!(told.starts_with("problem"), "{told}");
    assert!(told.contains("'git --version'"), "{told}");
    assert!(text.contains("[include]"), "{text}");
    let setup = sandbox.ask("setup", b"");
    assert_eq!(setup.status.code(), Some(1), "{setup:?}");
    assert!(setup.stderr.contains("gave no answer in time"), "{setup:?}");
    assert!(setup.stderr.contains("\nhint: "), "{setup:?}");
    assert_eq!(running(&sandbox, "git"), 0, "all of them were ended");
}

/// git calls the helper with `--storage file`, which keeps a token; then its configuration is damaged.
fn with_mistake() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.configure_git(&format!(
        "[credential]\n\thelper = {PROGRAM} --storage file\n"
    ));
    sandbox.store_in_file("https://one.test", "alice");
    sandbox.ask("list", b"").succeeded();
    sandbox.configure_git("[broken\n");
    sandbox
}

/// The storages in use are unknown: "nothing is kept" would be a guess.
#[test]
fn a_mistake_in_the_settings_is_no_reason_to_look_in_other_storages() {
    let sandbox = with_mistake();
    for (words, status) in [
        ("list", 1),
        ("logout --all --yes", 1),
        ("logout --all --dry-run", 1),
        ("account list", 1),
        ("clean --yes", 1),
        ("token https://one.test", 1),
        ("check", 5),
        ("check --notify", 5),
    ] {
        let said = sandbox.ask(words, b"");
        assert_eq!(said.status.code(), Some(status), "{words}: {said:?}");
        assert_eq!(said.text(), "", "{words}");
        for part in [
            "error: cannot read git's configuration",
            "\ncause: git config failed: fatal: bad config line",
            "\nhint: fix that line in an editor",
            "--storage file",
        ] {
            assert!(said.stderr.contains(part), "{words}: {said:?}");
        }
    }
    let kept = sandbox.ask("--storage file list", b"").succeeded();
    assert!(kept.text().contains("alice"), "{kept:?}");
    let status = sandbox.ask("status", b"");
    assert_eq!(status.status.code(), Some(1), "{status:?}");
    assert!(status.text().contains("git       problem"), "{status:?}");
    let doctor = sandbox.ask("doctor", b"");
    assert!(doctor.text().contains("bad config line"), "{doctor:?}");
}

/// The author of a repository does not decide whether a command works.
#[test]
fn a_mistake_in_the_settings_of_a_repository_stops_no_command() {
    let sandbox = Sandbox::new();
    sandbox.configure_git(&format!(
        "[credential]\n\thelper = {PROGRAM} --storage file\n"
    ));
    sandbox.store_in_file("https://one.test", "alice");
    process::run(&mut sandbox.git(&["init", "--quiet"]), b"").succeeded();
    fs::write(sandbox.path("work/.git/config"), "[broken\n").unwrap();
    let said = sandbox.ask("list", b"").succeeded();
    assert!(said.text().contains("alice"), "{said:?}");
}

/// git's own questions to this helper do not ask git.
#[test]
fn a_pipe_among_the_settings_is_nothing_to_get_and_store() {
    let sandbox = with_pipe();
    let request = b"protocol=https\nhost=one.test\nusername=alice\npassword=made-up\n\n";
    sandbox.ask("--storage file store", request).succeeded();
    let question = b"protocol=https\nhost=one.test\n\n";
    let answer = sandbox.ask("--storage file get", question).succeeded();
    assert!(answer.text().contains("made-up"), "{answer:?}");
}

/// A git that starts something which hangs, and one that never stops talking.
#[test]
fn a_git_that_hangs_is_ended_with_its_children() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("bin");
    fs::create_dir(&folder).unwrap();
    let program = folder.join("git");
    let path = std::env::var("PATH").unwrap();
    let sleep = tool::need("sleep");
    for (does, told) in [
        (
            format!("{} 3600 & wait", sleep.display()),
            "gave no answer in time",
        ),
        ("exec cat /dev/zero".to_owned(), "gave too long an answer"),
    ] {
        let script = format!("#!/bin/sh\n[ \"$1\" = --version ] && exec echo git\n{does}\n");
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        for (words, status) in [("setup", 1), ("list", 1), ("check", 5)] {
            let mut command = sandbox.helper(words);
            command.env("PATH", format!("{}:{path}", folder.display()));
            let output = process::run_within(Duration::from_secs(20), &mut command, b"");
            assert_eq!(output.status.code(), Some(status), "{output:?}");
            assert!(output.stderr.contains(told), "{output:?}");
        }
        let is_over = || running(&sandbox, "sleep") + running(&sandbox, "/dev/zero") == 0;
        assert!(process::until(is_over), "{does}");
    }
}
