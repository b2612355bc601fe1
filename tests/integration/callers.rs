//! What a caller hands on: signals that it blocks or ignores, limits, descriptors that are not what they should be.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::attributes::lines;
use crate::process::{self, Guard};
use crate::sandbox::{PROGRAM, Sandbox};
use crate::tool;

/// The program under test, started by a shell that does something first.
fn after(sandbox: &Sandbox, first: &str, words: &str) -> Command {
    let mut command = sandbox.command("/bin/sh");
    command.args(["-c", &format!("{first}; exec \"$0\" \"$@\""), PROGRAM]);
    command.args(words.split_whitespace());
    command
}

#[test]
fn children_are_waited_for_whatever_the_caller_ignores() {
    let sandbox = Sandbox::new();
    // Not by a shell's trap: some undo this one when they start a program.
    let ignoring = |word: &str| {
        let mut command = sandbox.command(tool::need("env"));
        command.args(["--ignore-signal=CHLD", PROGRAM, word]);
        process::run(&mut command, b"")
    };
    let setup = ignoring("setup").succeeded();
    assert!(setup.text().contains(PROGRAM), "{setup:?}");
    let doctor = ignoring("doctor");
    assert!(!doctor.text().contains("install git"), "{doctor:?}");
}

#[test]
fn too_few_descriptors_are_told() {
    let sandbox = Sandbox::new();
    sandbox.store_in_file("https://one.test", "alice");
    for words in ["--storage file get", "--storage file erase"] {
        let request = lines(&[("protocol", "https"), ("host", "one.test")]);
        let output = process::run(&mut after(&sandbox, "ulimit -n 4", words), &request);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(output.stderr.starts_with("error: "), "{output:?}");
        // EMFILE: each C library has its own words for it.
        assert!(output.stderr.contains("(os error 24)"), "{output:?}");
    }
}

/// Only another user has few enough processes for the limit to mean anything.
#[test]
fn too_few_processes_are_told() {
    if !tool::is_root() {
        return;
    }
    let sandbox = Sandbox::new();
    let mut setup = sandbox.command(tool::need("prlimit"));
    setup.args(["--nproc=2", "setpriv", "--reuid=54321", "--clear-groups"]);
    setup.args([PROGRAM, "setup", "--dry-run"]).current_dir("/");
    for name in ["CONFIG", "DATA", "STATE", "CACHE"] {
        setup.env(format!("XDG_{name}_HOME"), "/nowhere");
    }
    let output = process::run(&mut setup, b"");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stderr.contains("cannot run git"), "{output:?}");
}

#[test]
fn a_daemon_ends_when_told_to_whatever_the_caller_blocked() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("run/git-credential-pat");
    fs::DirBuilder::new().mode(0o700).create(&folder).unwrap();
    let socket = folder.join("socket");
    let listener = UnixListener::bind(&socket).unwrap();
    let mut daemon = sandbox.command(tool::need("env"));
    daemon.args(["--block-signal", PROGRAM, "serve-memory"]);
    daemon
        .arg(&socket)
        .stdin(Stdio::from(OwnedFd::from(listener)));
    let mut daemon = Guard(daemon.spawn().unwrap());
    sandbox.ask("cache status --json", b"").succeeded();
    kill_process(Pid::from_child(&daemon.0), Signal::TERM).unwrap();
    let ended = process::until_within(Duration::from_secs(10), || {
        !matches!(daemon.0.try_wait(), Ok(None))
    });
    if !ended {
        let _ = daemon.0.kill();
    }
    assert!(ended);
}

/// As under systemd: its own socket would no longer be reached, and the file belongs to the manager.
#[test]
fn a_daemon_leaves_a_socket_that_it_must_keep() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("run/git-credential-pat");
    fs::DirBuilder::new().mode(0o700).create(&folder).unwrap();
    let socket = folder.join("socket");
    let listener = UnixListener::bind(&socket).unwrap();
    for _ in 0..2 {
        let mut daemon = sandbox.command(PROGRAM);
        let input = OwnedFd::from(listener.try_clone().unwrap());
        daemon.args(["serve-memory", "--keep-socket"]).arg(&socket);
        let mut daemon = Guard(daemon.stdin(input).spawn().unwrap());
        sandbox.ask("cache status --json", b"").succeeded();
        sandbox.ask("cache stop", b"").succeeded();
        let mut status = None;
        process::until_within(Duration::from_secs(10), || {
            status = daemon.0.try_wait().unwrap();
            status.is_some()
        });
        assert!(status.is_some_and(|status| status.success()), "{status:?}");
        assert!(socket.exists());
    }
}

/// Its input never ends here, and its ten seconds do.
#[test]
fn a_look_up_ends_in_time_whatever_the_caller_blocked() {
    let sandbox = Sandbox::new();
    let mut look_up = sandbox.command(tool::need("env"));
    look_up.args(["--block-signal", PROGRAM, "look-up-one"]);
    look_up.stdin(Stdio::piped());
    let mut look_up = Guard(look_up.spawn().unwrap());
    let ended = process::until_within(Duration::from_secs(30), || {
        !matches!(look_up.0.try_wait(), Ok(None))
    });
    if !ended {
        let _ = look_up.0.kill();
    }
    assert!(ended);
}

/// Not a minute after, either: it is gone before it could take anything away.
#[test]
fn a_daemon_without_its_socket_leaves_at_once() {
    let sandbox = Sandbox::new();
    let request = lines(&[
        ("protocol", "https"),
        ("host", "one.test"),
        ("username", "alice"),
        ("password", "tok-one"),
    ]);
    sandbox.ask("--storage memory store", &request).succeeded();
    let socket = sandbox.path("run/git-credential-pat/socket");
    let other = UnixListener::bind(sandbox.path("other")).unwrap();
    let inputs = [Stdio::null(), Stdio::from(OwnedFd::from(other))];
    for input in inputs {
        let mut daemon = sandbox.command(PROGRAM);
        daemon.arg("serve-memory").arg(&socket).stdin(input);
        let mut daemon = Guard(daemon.spawn().unwrap());
        let mut status = None;
        process::until_within(Duration::from_secs(10), || {
            status = daemon.0.try_wait().unwrap();
            status.is_some()
        });
        assert_eq!(status.and_then(|status| status.code()), Some(1));
    }
    assert!(socket.exists());
    let question = lines(&[("protocol", "https"), ("host", "one.test")]);
    let answer = sandbox.ask("--storage memory get", &question).succeeded();
    assert!(answer.text().contains("tok-one"), "{answer:?}");
}

/// It runs for hours, and every reader of `/proc/PID/environ` could read them there.
#[test]
fn the_daemon_has_no_variable_of_its_caller() {
    let sandbox = Sandbox::new();
    let request = lines(&[
        ("protocol", "https"),
        ("host", "one.test"),
        ("username", "alice"),
        ("password", "tok-one"),
    ]);
    let mut store = sandbox.helper("--storage memory store");
    store.env("MARKER", "made-up").env("GH_TOKEN", "made-up");
    process::run(&mut store, &request).succeeded();
    let daemons = sandbox.daemons();
    assert_eq!(daemons.len(), 1, "{daemons:?}");
    let path = format!("/proc/{}/environ", daemons[0].as_raw_nonzero());
    match fs::read(&path) {
        Ok(variables) => assert_eq!(String::from_utf8_lossy(&variables), ""),
        Err(error) => tool::skip(&format!("{path} cannot be read: {error}")),
    }
    let question = lines(&[("protocol", "https"), ("host", "one.test")]);
    let answer = sandbox.ask("--storage memory get", &question).succeeded();
    assert!(answer.text().contains("tok-one"), "{answer:?}");
}

/// By a git in front of the real one, which writes down what it was given.
#[test]
fn a_look_up_has_only_the_variables_that_it_needs() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("bin");
    fs::create_dir(&folder).unwrap();
    let (script, seen) = (folder.join("git"), sandbox.path("seen"));
    let git = tool::need("git");
    let text = format!(
        "#!/bin/sh\nenv >'{0}.new' && mv '{0}.new' '{0}'\nexec '{1}' \"$@\"\n",
        seen.display(),
        git.display()
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = silent.local_addr().unwrap().to_string();
    let rule = format!("storage = 'file'\n[[host]]\nurl = 'https://{host}'\nforge = 'github'\n");
    let settings = sandbox.path("config.toml");
    fs::write(&settings, rule).unwrap();
    let words = format!("--config {} store", settings.display());
    let mut store = sandbox.helper(&words);
    let usual = std::env::var("PATH").unwrap();
    store.env("PATH", format!("{}:{usual}", folder.display()));
    for name in [
        "MARKER",
        "GH_TOKEN",
        "GIT_CONFIG_PARAMETERS",
        "GIT_CONFIG_VALUE_0",
        "GIT_TRACE",
    ] {
        store.env(name, "made-up");
    }
    let needed = [
        ("no_proxy", "here"),
        ("SSL_CERT_DIR", "here"),
        ("GIT_SSL_CAPATH", "here"),
    ];
    store.envs(needed);
    let request = lines(&[
        ("protocol", "https"),
        ("host", &host),
        ("username", "alice"),
        ("password", "ghp_x"),
    ]);
    process::run(&mut store, &request).succeeded();
    assert!(process::until(|| seen.exists()));
    let seen = fs::read_to_string(&seen).unwrap();
    assert!(!seen.contains("made-up"), "{seen}");
    for name in ["no_proxy", "SSL_CERT_DIR", "GIT_SSL_CAPATH"] {
        let line = format!("{name}=here");
        assert!(seen.lines().any(|seen| seen == line), "{name}: {seen}");
    }
    for name in ["HOME", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL"] {
        assert!(seen.contains(&format!("{name}=/")), "{name}: {seen}");
    }
}
