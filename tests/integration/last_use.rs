//! The day of git's last confirmation: noted once a day, and told where a GitHub token has gone unused for long.

use std::fs;
use std::os::unix::fs::MetadataExt;

use serde_json::Value;

use crate::attributes::lines;
use crate::forge::schema;
use crate::sandbox::Sandbox;

const HOST: &str = "github.com";

fn store(sandbox: &Sandbox, host: &str) {
    let pairs = [
        ("protocol", "https"),
        ("host", host),
        ("username", "octocat"),
        ("password", "made-up-token"),
    ];
    // An expiry from git needs no look-up.
    let pairs = [&pairs[..], &[("password_expiry_utc", "4102444800")]].concat();
    sandbox
        .ask("--storage file store", &lines(&pairs))
        .succeeded();
}

fn list(sandbox: &Sandbox) -> Value {
    let listed = sandbox.ask("--storage file list --json", b"").succeeded();
    schema::check("list", &listed.stdout)
}

/// Changes the day in the journal, as if time had passed.
fn set_last_use(sandbox: &Sandbox, unix: u64) {
    let path = sandbox.path("state/git-credential-pat/journal");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once("used=").unwrap();
    let (_, after) = rest.split_once('\n').unwrap();
    fs::write(path, format!("{before}used={unix}\n{after}")).unwrap();
}

#[test]
fn a_confirmation_is_noted_once_a_day() {
    let sandbox = Sandbox::new();
    store(&sandbox, HOST);
    let path = sandbox.path("state/git-credential-pat/journal");
    let first = list(&sandbox)[0]["last_used"].clone();
    assert!(first.is_string(), "{first}");
    let inode = || fs::metadata(&path).unwrap().ino();
    let before = inode();
    store(&sandbox, HOST);
    // The file is replaced by a write. At midnight, the second store is the first of its day.
    if list(&sandbox)[0]["last_used"] == first {
        assert_eq!(inode(), before);
    }
    set_last_use(&sandbox, 1_700_000_000);
    assert_eq!(list(&sandbox)[0]["last_used"], "2023-11-14T22:13:20Z");
    store(&sandbox, HOST);
    assert_ne!(list(&sandbox)[0]["last_used"], "2023-11-14T22:13:20Z");
}

#[test]
fn a_token_of_an_unknown_forge_begins_no_journal() {
    let sandbox = Sandbox::new();
    let pairs = [
        ("protocol", "https"),
        ("host", "one.test"),
        ("username", "alice"),
        ("password", "made-up-token"),
    ];
    for _ in 0..2 {
        let store = sandbox.ask("--storage file store", &lines(&pairs));
        store.succeeded();
    }
    assert_eq!(list(&sandbox)[0]["last_used"], Value::Null);
    assert!(!sandbox.path("state/git-credential-pat/journal").exists());
}

#[test]
fn a_github_token_that_goes_unused_is_named() {
    let sandbox = Sandbox::new();
    store(&sandbox, HOST);
    let told = || sandbox.ask("--storage file list", b"").succeeded().stderr;
    assert_eq!(told(), "");
    set_last_use(&sandbox, 1_700_000_000);
    assert_eq!(
        told(),
        "warning: the token for octocat at https://github.com is unused since 14 Nov 2023; \
         GitHub removes tokens that go unused for a year\n"
    );
}

/// `expires`, `list` and `check` about a token that memory wiped.
#[test]
fn a_token_that_expired_in_memory_is_told_alike() {
    let sandbox = Sandbox::new();
    let login = "--storage memory login --with-token --expires 1s https://alice@one.test";
    sandbox.ask(login, b"made-up-token").succeeded();
    let json = |words: &str| {
        let said = sandbox.ask(&format!("--storage memory {words} --json"), b"");
        schema::check(words, &said.stdout)
    };
    // The token works in its last second.
    let deadline = std::time::Instant::now() + crate::process::DEADLINE;
    while json("list")[0]["state"] != "expired" {
        assert!(std::time::Instant::now() < deadline);
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let (list, check) = (json("list"), json("check"));
    for told in [&list[0], &check[0]] {
        assert_eq!(told["expires_from"], "person", "{told}");
        assert_eq!(told["state"], "expired", "{told}");
    }
    // `check` writes nothing about the wiped secret into the journal.
    assert_eq!(json("list")[0]["expires_from"], "person");
    let expires = sandbox.ask("--storage memory expires https://one.test 90d", b"");
    assert_eq!(expires.status.code(), Some(1));
    assert_eq!(
        expires.stderr,
        "warning: the token for alice at https://one.test has expired, and memory has wiped it\n\
         hint: create a new one with 'git credential-pat login https://alice@one.test'\n"
    );
}
