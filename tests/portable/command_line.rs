//! The command line: help, errors, listings, and the life of an entry in memory and in the file.

use crate::attributes::{Answer, lines};
use crate::sandbox::{Output, Sandbox};

const STORED: &[(&str, &str)] = &[
    ("protocol", "https"),
    ("host", "one.test"),
    ("username", "alice"),
    ("password", "made-up"),
];
const WANTED: &[(&str, &str)] = &[("protocol", "https"), ("host", "one.test")];

fn stored_in(storage: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let words = format!("--storage {storage} store");
    sandbox.ask(&words, &lines(STORED)).succeeded();
    sandbox
}

fn complains_of(output: &Output, status: i32, text: &str) {
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    assert!(output.stderr.contains(text), "{output:?}");
    assert!(!output.stderr.contains("made-up"), "{output:?}");
}

#[test]
fn the_version_and_the_help_are_printed() {
    let sandbox = Sandbox::new();
    let version = sandbox.ask("--version", b"").succeeded().text();
    let expected = concat!("git-credential-pat ", env!("CARGO_PKG_VERSION"));
    assert_eq!(version.trim_end(), expected);
    let help = sandbox.ask("--help", b"").succeeded().text();
    for command in ["login", "list", "setup", "doctor", "import"] {
        assert!(help.contains(command), "{help}");
    }
    let help = sandbox.ask("help list", b"").succeeded().text();
    assert!(help.contains("--json"), "{help}");
}

#[test]
fn git_is_told_the_capabilities() {
    let output = Sandbox::new().ask("capability", b"").succeeded();
    assert_eq!(
        output.text(),
        "version 0\ncapability authtype\ncapability state\n"
    );
}

#[test]
fn an_unknown_command_and_an_unknown_option_are_errors() {
    let sandbox = Sandbox::new();
    complains_of(&sandbox.ask("lst", b""), 2, "list");
    complains_of(&sandbox.ask("list --nothing", b""), 2, "--nothing");
}

#[test]
fn a_relative_path_is_no_place_for_tokens() {
    let sandbox = Sandbox::new();
    complains_of(&sandbox.ask("--file tokens.txt list", b""), 2, "whole path");
}

#[test]
fn a_request_with_line_ends_of_windows_is_understood() {
    let sandbox = stored_in("memory");
    let output = sandbox.ask(
        "--storage memory get",
        b"protocol=https\r\nhost=one.test\r\n\r\n",
    );
    let answer = Answer::read(&output.succeeded().stdout);
    assert_eq!(answer.get("password"), Some("made-up"));
}

#[test]
fn an_answer_has_the_line_ends_of_unix() {
    for storage in ["memory", "file"] {
        let sandbox = stored_in(storage);
        let output = sandbox.ask(&format!("--storage {storage} get"), &lines(WANTED));
        assert!(!output.stdout.contains(&b'\r'), "{output:?}");
        assert_eq!(
            output.succeeded().text(),
            "username=alice\npassword=made-up\n"
        );
    }
}

#[test]
fn the_list_shows_no_secret_and_can_be_read_by_programs() {
    for storage in ["memory", "file"] {
        let sandbox = stored_in(storage);
        let shown = sandbox
            .ask(&format!("--storage {storage} list"), b"")
            .succeeded();
        let told = sandbox
            .ask(&format!("--storage {storage} list --json"), b"")
            .succeeded();
        for text in [shown.text(), told.text()] {
            assert!(
                text.contains("one.test") && !text.contains("made-up"),
                "{text}"
            );
        }
        let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
        assert!(told.to_string().contains("alice"));
    }
}

#[test]
fn an_entry_is_cleaned_away_on_request() {
    for storage in ["memory", "file"] {
        let sandbox = stored_in(storage);
        let words = format!("--storage {storage} logout https://one.test");
        sandbox.ask(&words, b"").succeeded();
        let output = sandbox.ask(&format!("--storage {storage} get"), &lines(WANTED));
        assert_eq!(output.succeeded().text(), "");
    }
}

#[test]
fn the_daemon_tells_its_state_and_ends_on_request() {
    let sandbox = stored_in("memory");
    let status = sandbox.ask("cache status", b"").succeeded().text();
    assert!(status.contains("keeping 1 credential"), "{status}");
    sandbox.ask("cache stop", b"").succeeded();
    let status = sandbox.ask("cache status", b"").succeeded().text();
    assert!(status.contains("no daemon is running"), "{status}");
    let output = sandbox
        .ask("--storage memory get", &lines(WANTED))
        .succeeded();
    assert_eq!(output.text(), "");
}

#[test]
fn an_invalid_configuration_is_named_with_its_line() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("config").join("git-credential-pat");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(
        folder.join("config.toml"),
        "storage = \"memory\"\nmade = 1\n",
    )
    .unwrap();
    let output = sandbox.ask("list", b"");
    assert!(!output.status.success(), "{output:?}");
    assert!(
        output.stderr.contains("config.toml") && output.stderr.contains(":2:1:"),
        "{output:?}"
    );
}

#[test]
fn each_command_of_the_shells_is_completed() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = sandbox
            .ask(&format!("completions {shell}"), b"")
            .succeeded();
        assert!(script.text().contains("git-credential-pat"));
    }
}
