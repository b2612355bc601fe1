//! What is said of where a token is kept is true: where, for how long, and whether git looks there.

use std::fs;

use crate::attributes::{Answer, lines};
use crate::process::{self, Output};
use crate::sandbox::{PROGRAM, Sandbox};

fn called_with(options: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.configure_git(&format!("[credential]\n\thelper = {PROGRAM} {options}\n"));
    sandbox
}

fn login(sandbox: &Sandbox, flags: &str, more: &str) -> Output {
    let words = format!("{flags} login --with-token {more} https://alice@one.test");
    sandbox.ask(&words, b"made-up-token").succeeded()
}

#[test]
fn login_says_where_the_token_is_and_for_how_long() {
    for (storage, more, expected) in [
        (
            "memory",
            "",
            "is kept in memory for 1 hour after its last use, at most 12 hours; set its expiry",
        ),
        (
            "memory --timeout 20m --max-age 2h",
            "",
            "is kept in memory for 20 minutes after its last use, at most 2 hours",
        ),
        (
            "memory --timeout 2h --max-age 30m",
            "",
            "is kept in memory for 30 minutes",
        ),
        (
            "memory",
            "--expires 200d",
            "is kept in memory for 1 hour after its last use, at most 12 hours (it expires on ",
        ),
        (
            "memory",
            "--expires 10m",
            "is kept in memory until it expires in 9 minutes",
        ),
        (
            "file",
            "--expires 200d",
            "is kept in the plaintext file until it expires on ",
        ),
        ("file", "", "is kept in the plaintext file; set its expiry"),
        // Without a keychain.
        (
            "auto",
            "",
            "is kept in memory for 1 hour after its last use",
        ),
    ] {
        let sandbox = called_with(&format!("--storage {storage}"));
        let said = login(&sandbox, "", more);
        let text = said.text().replace("in 10 minutes", "in 9 minutes");
        assert!(text.contains(expected), "{storage} {more}: {said:?}");
        assert!(!said.stderr.contains("git does not"), "{said:?}");
    }
}

#[test]
fn login_says_that_the_keychain_keeps_a_token_until_it_expires() {
    let mut sandbox = Sandbox::new();
    sandbox.start_keyring();
    sandbox.configure_git(&format!("[credential]\n\thelper = {PROGRAM}\n"));
    let said = login(&sandbox, "", "--expires 200d").text();
    assert!(
        said.contains("is kept in the keychain until it expires on "),
        "{said}"
    );
}

#[test]
fn login_warns_where_git_does_not_look() {
    let sandbox = called_with("--storage memory");
    let said = login(&sandbox, "--storage file", "").stderr;
    assert!(
        said.contains(
            "git does not look for https://one.test in the plaintext file, but in memory"
        ),
        "{said}"
    );
    assert!(
        said.contains("'git credential-pat setup --storage file'"),
        "{said}"
    );
    // The way out.
    sandbox.ask("--storage file setup", b"").succeeded();
    let asked = lines(&[("protocol", "https"), ("host", "one.test")]);
    let mut fill = sandbox.git(&["credential", "fill"]);
    let answer = process::run(&mut fill, &asked).succeeded();
    assert_eq!(
        Answer::read(&answer.stdout).get("password"),
        Some("made-up-token")
    );
    assert!(
        !login(&sandbox, "--storage file", "")
            .stderr
            .contains("git does not")
    );
}

#[test]
fn login_warns_before_setup_and_of_another_file() {
    let sandbox = Sandbox::new();
    let said = login(&sandbox, "--storage file", "").stderr;
    assert!(
        said.contains("git does not call this helper for https://one.test"),
        "{said}"
    );
    let sandbox = called_with("--storage file");
    let flags = format!(
        "--storage file --file {}/other",
        sandbox.path("data").display()
    );
    let said = login(&sandbox, &flags, "").stderr;
    assert!(
        said.contains("git does not look for https://one.test in the plaintext file"),
        "{said}"
    );
    // Only for another host.
    let sandbox = Sandbox::new();
    let line = format!("[credential \"https://two.test\"]\n\thelper = {PROGRAM} --storage file\n");
    sandbox.configure_git(&line);
    let said = login(&sandbox, "--storage file", "").stderr;
    assert!(
        said.contains("git does not call this helper for https://one.test"),
        "{said}"
    );
}

#[test]
fn import_leaves_the_source_where_git_looks_elsewhere() {
    let sandbox = called_with("--storage memory");
    let source = sandbox.path("home/.git-credentials");
    let line = "https://alice:made-up-token@one.test\n";
    fs::write(&source, line).unwrap();
    let import = || sandbox.ask("--storage file import git-store --yes --remove-source", b"");
    let said = import().succeeded();
    assert!(
        said.stderr
            .contains("git does not look for https://one.test"),
        "{said:?}"
    );
    assert!(said.stderr.contains("1 copy stay"), "{said:?}");
    assert_eq!(fs::read_to_string(&source).unwrap(), line);
    sandbox.ask("--storage file setup", b"").succeeded();
    let said = import().succeeded();
    assert!(!said.stderr.contains("git does not look"), "{said:?}");
    assert_eq!(fs::read_to_string(&source).unwrap(), "");
}

#[test]
fn an_empty_list_names_where_it_looked() {
    let sandbox = called_with("--storage memory");
    login(&sandbox, "--storage file", "");
    assert_eq!(
        sandbox.ask("list", b"").succeeded().text(),
        "nothing is kept in memory\n"
    );
    assert_eq!(
        sandbox.ask("--storage auto list", b"").succeeded().text(),
        "nothing is kept in memory or the keychain\n"
    );
    // An address: of a name that cannot be resolved `doctor` says only that.
    let said = sandbox.ask("doctor https://127.0.0.1:9", b"").text();
    assert!(
        said.contains("nothing is kept for https://127.0.0.1:9 in memory"),
        "{said}"
    );
}

#[test]
fn login_warns_that_a_path_is_left_out_and_names_the_command() {
    let sandbox = called_with("--storage file");
    let login = |url: &str| {
        let words = format!("login --with-token {url}");
        sandbox.ask(&words, b"made-up-token").succeeded()
    };
    let said = login("https://alice@one.test/acme/two.git").stderr;
    for part in [
        "git does not send the path 'acme/two.git': the token is for all of https://one.test",
        "for a token of its own, run 'git credential-pat account add https://alice@one.test/acme/two' first",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let add = "account add https://alice@one.test/acme/two";
    sandbox.ask(add, b"").succeeded();
    for url in [
        "https://alice@one.test/acme/two",
        "https://one.test/acme/two.git/",
    ] {
        let said = login(url);
        assert!(!said.stderr.contains("path"), "{said:?}");
        assert!(
            said.text().contains("https://one.test/acme/two is kept"),
            "{said:?}"
        );
    }
    // git itself asks for the repository under both of its names.
    for url in ["https://one.test/acme/two", "https://one.test/acme/two.git"] {
        let mut fill = sandbox.git(&["credential", "fill"]);
        let answer = process::run(&mut fill, format!("url={url}\n\n").as_bytes());
        assert_eq!(
            Answer::read(&answer.stdout).get("password"),
            Some("made-up-token"),
            "{url}: {answer:?}"
        );
    }
    assert!(!login("https://alice@two.test").stderr.contains("path"));
}
