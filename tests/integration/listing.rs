//! `list` for a URL, in an order, and from every storage.

use std::fs;

use serde_json::Value;

use crate::attributes::lines;
use crate::process::{self, Output};
use crate::sandbox::Sandbox;

fn store(sandbox: &Sandbox, storage: &str, url: &str, user: &str, expiry: Option<u64>) {
    let place = url.strip_prefix("https://").unwrap();
    let (host, path) = place.split_once('/').unwrap_or((place, ""));
    let password = format!("made-up-{user}");
    let expiry = expiry.map(|expiry| expiry.to_string());
    let mut pairs = vec![
        ("protocol", "https"),
        ("host", host),
        ("username", user),
        ("password", &password),
    ];
    pairs.extend(Some(("path", path)).filter(|_| !path.is_empty()));
    pairs.extend(
        expiry
            .as_deref()
            .map(|expiry| ("password_expiry_utc", expiry)),
    );
    sandbox
        .ask(&format!("--storage {storage} store"), &lines(&pairs))
        .succeeded();
}

/// URL and user of each entry.
fn listed(output: &Output) -> Vec<String> {
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = all.as_array().unwrap().iter();
    all.map(|one| format!("{} {}", text(&one["url"]), text(&one["username"])))
        .collect()
}

fn several() -> Sandbox {
    let sandbox = Sandbox::new();
    for (url, user, expiry) in [
        ("https://two.test", "alice", None),
        ("https://one.test", "carol", Some(4_102_444_800)),
        ("https://one.test", "alice", Some(4_000_000_000)),
        ("https://one.test/acme", "work", None),
    ] {
        store(&sandbox, "file", url, user, expiry);
    }
    sandbox
}

/// By <https://bixense.com/clicolors>, and <https://no-color.org>.
#[test]
fn colours_go_into_a_pipe_only_if_they_are_forced() {
    let sandbox = Sandbox::new();
    sandbox.store_in_file("https://one.test", "alice");
    for (variables, is_coloured) in [
        (&[][..], false),
        (&[("CLICOLOR_FORCE", "1")], true),
        (&[("CLICOLOR_FORCE", "0")], false),
        (&[("CLICOLOR_FORCE", "1"), ("TERM", "dumb")], true),
        (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
    ] {
        for words in ["--storage file list", "--storage file frob"] {
            let mut command = sandbox.helper(words);
            let output = process::run(command.envs(variables.iter().copied()), b"");
            let shown = output.text() + &output.stderr;
            assert_eq!(
                shown.contains('\x1b'),
                is_coloured,
                "{variables:?}: {shown}"
            );
        }
    }
}

#[test]
fn a_url_shows_its_entries_alone() {
    let sandbox = several();
    let folder = sandbox.path("config/git-credential-pat");
    fs::create_dir_all(&folder).unwrap();
    let rule = "[[account]]\nurl = 'https://one.test/acme'\n";
    fs::write(folder.join("config.toml"), rule).unwrap();
    let list = |url: &str| sandbox.ask(&format!("--storage file list --json {url}"), b"");
    for (url, expected) in [
        (
            "one.test",
            &[
                "https://one.test carol",
                "https://one.test alice",
                "https://one.test/acme work",
            ][..],
        ),
        ("https://alice@one.test", &["https://one.test alice"]),
        ("two.test", &["https://two.test alice"]),
        ("one.test/acme/hello.git", &["https://one.test/acme work"]),
        (
            "https://two.test/any/hello.git",
            &["https://two.test alice"],
        ),
    ] {
        assert_eq!(listed(&list(url).succeeded()), expected, "{url}");
    }
    let table = sandbox
        .ask("--storage file ls two.test", b"")
        .succeeded()
        .text();
    assert!(
        table.contains("https://two.test") && !table.contains("one.test"),
        "{table}"
    );
    for url in ["three.test", "https://bob@one.test", "http://one.test"] {
        let said = list(url);
        assert_eq!(said.status.code(), Some(1), "{said:?}");
        assert_eq!(said.text(), "[]\n");
        for part in [
            "error: nothing is kept for this URL",
            "git credential-pat login http",
        ] {
            assert!(said.stderr.contains(part), "{said:?}");
        }
    }
}

#[test]
fn entries_are_sorted_by_expiry_url_or_last_use() {
    let sandbox = several();
    let list = |words: &str| {
        let words = format!("--storage file list --json {words}");
        listed(&sandbox.ask(&words, b"").succeeded())
    };
    let (two, carol) = ("https://two.test alice", "https://one.test carol");
    let (alice, work) = ("https://one.test alice", "https://one.test/acme work");
    assert_eq!(list(""), [two, carol, alice, work]);
    assert_eq!(list("--sort expiry"), [alice, carol, two, work]);
    assert_eq!(list("--sort url"), [alice, carol, work, two]);
    assert_eq!(list("--sort expiry one.test"), [alice, carol, work]);
    // The journal notes the day of git's last confirmation.
    let journal = sandbox.path("state/git-credential-pat/journal");
    let text = fs::read_to_string(&journal).unwrap();
    let mut dated = Vec::new();
    for line in text.lines() {
        let day = 1_700_000_000 + dated.len() * 86_400;
        dated.push(match line.strip_prefix("used=") {
            Some(_) => format!("used={day}\n"),
            None => format!("{line}\n"),
        });
    }
    fs::write(&journal, dated.concat()).unwrap();
    let words = "--storage file list --json --sort used";
    let all = sandbox.ask(words, b"").succeeded();
    let all: Value = serde_json::from_slice(&all.stdout).unwrap();
    let all = all.as_array().unwrap().iter();
    let days: Vec<&str> = all.filter_map(|one| one["last_used"].as_str()).collect();
    let [later, earlier] = days[..] else {
        panic!("git told the expiry of two: {days:?}");
    };
    assert!(later > earlier, "{days:?}");
    let wrong = sandbox.ask("list --sort size", b"");
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
}

#[test]
fn all_storages_are_listed_also_those_that_git_does_not_use() {
    let sandbox = Sandbox::new();
    sandbox.ask("--storage memory setup", b"").succeeded();
    store(&sandbox, "memory", "https://one.test", "alice", None);
    store(&sandbox, "file", "https://one.test", "bob", None);
    let json = |words: &str| {
        sandbox
            .ask(&format!("list --json {words}"), b"")
            .succeeded()
    };
    assert_eq!(listed(&json("")), ["https://one.test alice"]);
    let all = json("--storage all");
    assert_eq!(
        listed(&all),
        ["https://one.test alice", "https://one.test bob"]
    );
    // git never asks the file.
    let all: Value = serde_json::from_slice(&all.stdout).unwrap();
    let answers: Vec<&Value> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["default"])
        .collect();
    assert_eq!(answers, [true, false]);
    assert_eq!(listed(&json("--storage file")), ["https://one.test bob"]);
    assert_eq!(
        listed(&json("--storage all https://bob@one.test")),
        ["https://one.test bob"]
    );
    for words in [
        "--storage all check",
        "logout one.test --storage all",
        "--storage all get",
    ] {
        let said = sandbox.ask(words, b"protocol=https\nhost=one.test\n\n");
        assert_eq!(said.status.code(), Some(2), "{words}: {said:?}");
        assert!(
            said.stderr.contains("only 'list' takes '--storage all'"),
            "{said:?}"
        );
    }
}

/// Memory would come first if git used it.
#[test]
fn a_storage_that_git_does_not_use_answers_nothing() {
    let sandbox = Sandbox::new();
    sandbox.ask("--storage file setup", b"").succeeded();
    store(&sandbox, "memory", "https://one.test", "alice", None);
    store(&sandbox, "file", "https://one.test", "bob", None);
    let said = sandbox.ask("list --json --storage all", b"").succeeded();
    let all: Value = serde_json::from_slice(&said.stdout).unwrap();
    let all = all.as_array().unwrap().iter();
    let answers: Vec<(&Value, &Value)> = all
        .map(|entry| (&entry["storage"], &entry["default"]))
        .collect();
    assert_eq!(answers.len(), 2, "{answers:?}");
    for (storage, is_default) in answers {
        assert_eq!(*is_default, storage == "file", "{storage}");
    }
}

#[test]
fn a_storage_that_fails_is_a_note_with_all() {
    let sandbox = Sandbox::new();
    store(&sandbox, "memory", "https://one.test", "alice", None);
    let file = sandbox.path("data/git-credential-pat/credentials");
    fs::create_dir_all(&file).unwrap();
    let said = sandbox.ask("list --json --storage all", b"").succeeded();
    assert_eq!(listed(&said), ["https://one.test alice"]);
    assert!(said.stderr.starts_with("warning: cannot"), "{said:?}");
    let said = sandbox.ask("list --storage memory,file", b"");
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    // An unknown URL may be in the storage that failed.
    let said = sandbox.ask("list two.test --storage all", b"");
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    assert!(
        said.stderr.contains("not every storage could be asked"),
        "{said:?}"
    );
}
