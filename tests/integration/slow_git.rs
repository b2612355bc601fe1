//! Settings that keep git from an answer: a pipe among its included files, a file without an end, a program that hangs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use rustix::fs::{CWD, Mode, mkfifoat};

use crate::process;
use crate::sandbox::Sandbox;
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
        let mut setup = sandbox.helper("setup");
        setup.env("PATH", format!("{}:{path}", folder.display()));
        let output = process::run_within(Duration::from_secs(20), &mut setup, b"");
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(output.stderr.contains(told), "{output:?}");
        let is_over = || running(&sandbox, "sleep") + running(&sandbox, "/dev/zero") == 0;
        assert!(process::until(is_over), "{does}");
    }
}
