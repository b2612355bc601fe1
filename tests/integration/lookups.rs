//! What is found out about tokens without a forge that answers: dates of other sources, forges by other signs, and look-ups
//! that come to nothing.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::DirBuilderExt;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::attributes::lines;
use crate::forge::schema;
use crate::process;
use crate::sandbox::Sandbox;

fn sandbox(config: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("config/git-credential-pat");
    fs::DirBuilder::new().mode(0o700).create(&folder).unwrap();
    fs::write(
        folder.join("config.toml"),
        format!("storage = 'file'\n{config}"),
    )
    .unwrap();
    sandbox
}

#[track_caller]
fn store(sandbox: &Sandbox, host: &str, token: &str, more: &[(&str, &str)]) {
    let pairs = [
        ("protocol", "https"),
        ("host", host),
        ("username", "alice"),
        ("password", token),
    ];
    let output = sandbox
        .ask("store", &lines(&[&pairs[..], more].concat()))
        .succeeded();
    assert_eq!(output.stderr, "");
}

/// What `list --json` or `check --json` prints, which keeps to its schema.
#[track_caller]
fn json(sandbox: &Sandbox, command: &str, status: i32) -> Vec<Value> {
    let output = sandbox.ask(&format!("{command} --json"), b"");
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    let json = schema::check(command, &output.stdout);
    json.as_array().unwrap().clone()
}

fn journal(sandbox: &Sandbox) -> String {
    let path = sandbox.path("state/git-credential-pat/journal");
    fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn dates_have_their_sources() {
    let rule = "[lookup]\nenabled = false\n[[host]]\nurl = 'https://five.test'\nlifetime = '90d'\n";
    let sandbox = sandbox(rule);
    store(
        &sandbox,
        "one.test",
        "a",
        &[("password_expiry_utc", "4070908799")],
    );
    store(&sandbox, "two.test", "b", &[]);
    sandbox.ask("expires two.test 90d", b"").succeeded();
    store(&sandbox, "three.test", "c", &[]);
    // {"alg":"HS256"} and {"exp":4070908799}
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjQwNzA5MDg3OTl9.c2ln";
    store(&sandbox, "four.test", jwt, &[]);
    store(&sandbox, "five.test", "e", &[]);
    let list = json(&sandbox, "list", 0);
    let found: Vec<_> = list
        .iter()
        .map(|entry| entry["expires_from"].as_str())
        .collect();
    let expected = [
        Some("git"),
        Some("person"),
        None,
        Some("token"),
        Some("lifetime"),
    ];
    assert_eq!(found, expected);
    assert_eq!(list[3]["expires_at_unix"], 4_070_908_799_u64);
    // An older git hands it back without its end: the days are counted from the first time.
    std::thread::sleep(Duration::from_millis(1100));
    store(&sandbox, "five.test", "e", &[]);
    assert_eq!(json(&sandbox, "list", 0)[4], list[4]);
    assert!(!journal(&sandbox).contains("asked="));
    // A person knows better; another token is another story.
    sandbox.ask("expires five.test 2098-12-31", b"").succeeded();
    assert_eq!(json(&sandbox, "list", 0)[4]["expires_from"], "person");
    store(&sandbox, "two.test", "bb", &[]);
    let renewed = json(&sandbox, "list", 0);
    let renewed = renewed.iter().find(|entry| entry["host"] == "two.test");
    assert_eq!(renewed.unwrap()["expires_from"], Value::Null);
}

#[test]
fn forges_are_known_by_many_signs() {
    let rule = "[lookup]\nenabled = false\n[[host]]\nurl = 'https://one.test'\nforge = 'gitlab'\n";
    let sandbox = sandbox(rule);
    let realm = ("wwwauth[]", "Basic realm=\"Forgejo\"");
    store(&sandbox, "one.test", "ghp_x", &[realm]);
    store(&sandbox, "two.test", "ghp_x", &[realm]);
    store(&sandbox, "github.com", "github_pat_x", &[realm]);
    store(&sandbox, "three.test", "SIE", &[]);
    store(&sandbox, "four.test", "glpat-x", &[]);
    store(&sandbox, "github.com.evil.test", "x", &[]);
    let found: Vec<_> = json(&sandbox, "list", 0)
        .iter()
        .map(|entry| (entry["forge"].clone(), entry["kind"].clone()))
        .collect();
    let expected = [
        ("gitlab", None),
        ("gitea", None),
        ("github", Some("fine-grained")),
        ("", None),
        ("gitlab", Some("access")),
        ("", None),
    ];
    let expected = expected.map(|(forge, kind)| {
        let forge = Some(forge).filter(|forge| !forge.is_empty());
        (Value::from(forge), Value::from(kind))
    });
    assert_eq!(found, expected);
}

/// A forge that takes the connection and says nothing: git's command waits neither for it nor for our process.
#[test]
fn store_waits_for_nobody_and_a_failure_changes_nothing() {
    let forge = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = format!("127.0.0.1:{}", forge.local_addr().unwrap().port());
    let sandbox = sandbox(&format!(
        "[[host]]\nurl = 'https://{host}'\nforge = 'github'\n"
    ));
    let started = Instant::now();
    store(&sandbox, &host, "ghp_x", &[]);
    assert!(started.elapsed() < Duration::from_millis(1500));
    let has_asked = process::until(|| journal(&sandbox).contains("outcome=failed"));
    assert!(has_asked, "{}", journal(&sandbox));
    let before = (sandbox.files("data"), journal(&sandbox));
    // Tried again tomorrow, not now.
    for _ in 0..3 {
        store(&sandbox, &host, "ghp_x", &[]);
    }
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!((sandbox.files("data"), journal(&sandbox)), before);
    forge.set_nonblocking(true).unwrap();
    assert!(forge.accept().is_ok(), "it was asked");
    assert!(forge.accept().is_err(), "and once");
    assert!(!before.1.contains("ghp_x"));
}

#[test]
fn check_tells_by_its_exit_status() {
    let closed = {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("127.0.0.1:{}", free.local_addr().unwrap().port())
    };
    let sandbox = sandbox(&format!(
        "[lookup]\nenabled = false\n[[host]]\nurl = 'https://{closed}'\nforge = 'gitlab'\n\
         [[host]]\nurl = 'https://two.test'\nforge = 'gitea'\n"
    ));
    let state = |status: i32, host: &str| {
        let all = json(&sandbox, "check", status);
        let found = all
            .iter()
            .find(|entry| entry["url"] == format!("https://{host}"));
        found.unwrap()["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        sandbox.ask("check", b"").succeeded().text(),
        "nothing is kept in the plaintext file\n"
    );
    let nothing = sandbox.ask("check one.test", b"");
    assert_eq!(nothing.status.code(), Some(1), "{nothing:?}");
    store(&sandbox, "one.test", "a", &[]);
    store(&sandbox, "two.test", "b", &[]);
    assert_eq!(state(5, "one.test"), "unknown");
    sandbox.ask("expires two.test 90d", b"").succeeded();
    assert_eq!(state(5, "two.test"), "good");
    store(&sandbox, &closed, "glpat-x", &[]);
    assert_eq!(state(5, &closed), "failed");
    let table = sandbox.ask("check", b"").text();
    assert!(table.contains("cannot reach the forge"), "{table}");
    assert!(!table.contains("glpat-x"), "{table}");
    sandbox.ask("expires two.test 5d", b"").succeeded();
    assert_eq!(state(3, "two.test"), "expires-soon");
    sandbox.ask("expires two.test 2001-01-01", b"").succeeded();
    assert_eq!(state(4, "two.test"), "expired");
}
