//! `import` of very many credentials at once. All tokens are made up.

use std::fs;
use std::process::Stdio;

use rustix::process::{Signal, kill_process};

use crate::attributes::{Answer, lines};
use crate::process::{until, wait_for};
use crate::sandbox::Sandbox;

/// Twice as many as are read of other sources.
const COUNT: usize = 20_000;

#[test]
fn a_file_of_git_with_very_many_credentials_is_imported_whole() {
    let sandbox = Sandbox::new();
    // The look of every second token tells its issuer, which the journal notes.
    let kind = |number: usize| {
        if number.is_multiple_of(2) {
            "glpat-"
        } else {
            ""
        }
    };
    let secret = |number: usize| format!("{}made-up-{number}", kind(number));
    let line = |number: usize| format!("https://u:{}@h{number}.test\n", secret(number));
    let text: String = (0..COUNT).map(line).collect();
    let source = sandbox.path("home/.git-credentials");
    fs::write(&source, &text).unwrap();
    for storage in ["file", "memory"] {
        let words = format!("--storage {storage} import git-store --yes");
        let done = sandbox.ask(&words, b"").succeeded();
        let said = format!("imported {COUNT} credentials\n");
        assert!(done.text().ends_with(&said), "{storage}: {}", done.stderr);
        assert!(!done.stderr.contains("more than"), "{}", done.stderr);
        for number in [0, 1, COUNT / 2, COUNT - 1] {
            let host = format!("h{number}.test");
            let query = lines(&[("protocol", "https"), ("host", &host)]);
            let words = format!("--storage {storage} get");
            let answer = Answer::read(&sandbox.ask(&words, &query).succeeded().stdout);
            assert_eq!(answer.get("password"), Some(&*secret(number)), "{storage}");
        }
    }
    let again = sandbox.ask("--storage file import git-store --yes", b"");
    assert!(again.succeeded().text().ends_with("nothing to import\n"));
    assert_eq!(fs::read_to_string(&source).unwrap(), text);
}

/// git asks without a user: the first one of the file answers, as it did there.
#[test]
fn of_two_users_of_a_host_the_first_answers_after_an_import() {
    let sandbox = Sandbox::new();
    let hosts = 500;
    let line = |host: usize, user: &str| format!("https://{user}:made-up-{user}@h{host}.test\n");
    let of = |host| [line(host, "alice"), line(host, "bob")].concat();
    let text: String = (0..hosts).map(of).collect();
    fs::write(sandbox.path("home/.git-credentials"), &text).unwrap();
    let done = sandbox.ask("--storage memory import git-store --yes", b"");
    let said = format!("imported {} credentials\n", 2 * hosts);
    assert!(done.succeeded().text().ends_with(&said));
    for host in 0..hosts {
        let host = format!("h{host}.test");
        let query = lines(&[("protocol", "https"), ("host", &host)]);
        let answer = sandbox.ask("--storage memory get", &query).succeeded();
        let answer = Answer::read(&answer.stdout);
        assert_eq!(answer.get("username"), Some("alice"), "{host}");
    }
}

/// The import ends, what was stored stays, and a second import brings the rest.
#[test]
fn a_daemon_that_falls_silent_ends_an_import_which_can_be_repeated() {
    let sandbox = Sandbox::new();
    let line = |number: usize| format!("https://u:made-up-{number}@h{number}.test\n");
    let text: String = (0..COUNT).map(line).collect();
    let source = sandbox.path("home/.git-credentials");
    fs::write(&source, &text).unwrap();
    let words = "--storage memory import git-store --yes";
    let mut import = sandbox.helper(words);
    import.stdin(Stdio::null()).stdout(Stdio::null());
    let mut import = import.stderr(Stdio::piped()).spawn().unwrap();
    let has_some = || {
        let status = sandbox.ask("cache status --json", b"").text();
        status.contains("\"entries\"") && !status.contains("\"entries\": 0,")
    };
    assert!(until(has_some), "the import stored nothing");
    let [daemon] = sandbox.daemons()[..] else {
        panic!("one daemon");
    };
    kill_process(daemon, Signal::STOP).unwrap();
    let status = wait_for(&mut import, words);
    let mut said = String::new();
    std::io::Read::read_to_string(import.stderr.as_mut().unwrap(), &mut said).unwrap();
    kill_process(daemon, Signal::CONT).unwrap();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("does not answer"), "{said}");
    assert_eq!(fs::read_to_string(&source).unwrap(), text);
    sandbox.ask(words, b"").succeeded();
    for number in [0, COUNT / 2, COUNT - 1] {
        let host = format!("h{number}.test");
        let query = lines(&[("protocol", "https"), ("host", &host)]);
        let answer = Answer::read(&sandbox.ask("--storage memory get", &query).stdout);
        let secret = format!("made-up-{number}");
        assert_eq!(answer.get("password"), Some(&*secret));
    }
}
