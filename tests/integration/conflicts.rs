//! Which secret wins: every row of the table in docs/architecture.md, and the flows behind it, over each storage.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::attributes::{Answer, lines};
use crate::sandbox::Sandbox;

const X: &str = "tok-x";
const Y: &str = "tok-y";

/// What happens, and to which secret.
type Step = (&'static str, &'static str);

/// Name, steps before, and the secret that is kept in the end if X is entered, answered or confirmed then.
type Row = (&'static str, &'static [Step], [Option<&'static str>; 3]);

const ROWS: &[Row] = &[
    ("same", &[("store", X)], [Some(X); 3]),
    (
        "same, and rejected elsewhere",
        &[("store", X), ("erase in another storage", X)],
        [Some(X); 3],
    ),
    (
        "superseded, another live",
        &[("login", X), ("login", Y)],
        [Some(X), Some(Y), Some(Y)],
    ),
    (
        "displaced, another live",
        &[("store", X), ("store", Y)],
        [Some(X), Some(Y), Some(Y)],
    ),
    (
        "rejected, another live",
        &[("store", X), ("erase", X), ("store", Y)],
        [Some(X), Some(Y), Some(Y)],
    ),
    (
        "removed, another live",
        &[("store", X), ("logout", X), ("store", Y)],
        [Some(X), Some(Y), Some(Y)],
    ),
    (
        "rejected, alone",
        &[("store", X), ("erase", X)],
        [Some(X), None, Some(X)],
    ),
    (
        "removed, alone",
        &[("store", X), ("logout", X)],
        [Some(X), None, Some(X)],
    ),
    ("another live", &[("store", Y)], [Some(X), Some(Y), Some(X)]),
    (
        "the other is invalid",
        &[("store", Y), ("erase in another storage", Y)],
        [Some(X); 3],
    ),
    ("free", &[], [Some(X); 3]),
];

const INCOMING: [&str; 3] = ["login", "store what was answered", "store"];

/// A user with one list of storages, at one host.
struct Client<'a> {
    sandbox: &'a Sandbox,
    storage: &'a str,
    host: &'a str,
}

impl<'a> Client<'a> {
    fn new(sandbox: &'a Sandbox, storage: &'a str) -> Self {
        let host = "one.test";
        Self {
            sandbox,
            storage,
            host,
        }
    }

    fn request(&self, more: &[(&str, &str)]) -> Vec<u8> {
        let site = [
            ("capability[]", "state"),
            ("protocol", "https"),
            ("host", self.host),
        ];
        lines(&[&site[..], more].concat())
    }

    fn run(&self, words: &str, input: &[u8]) -> Answer {
        let words = format!("--storage {} {words}", self.storage);
        Answer::read(&self.sandbox.ask(&words, input).succeeded().stdout)
    }

    fn act(&self, step: &str, secret: &str) {
        let alice = [("username", "alice"), ("password", secret)];
        let url = format!("https://alice@{}", self.host);
        match step {
            "store" | "erase" => self.run(step, &self.request(&alice)),
            "store what was answered" => {
                let state = self.state_of(secret);
                let more = [&alice[..], &[("state[]", &state)]].concat();
                self.run("store", &self.request(&more))
            }
            "erase in another storage" => {
                let storage = if self.storage == "memory" {
                    "file"
                } else {
                    "memory"
                };
                let other = Client { storage, ..*self };
                other.run("erase", &self.request(&alice))
            }
            "login" => self.run(&format!("login --with-token {url}"), secret.as_bytes()),
            "logout" => self.run(&format!("logout {url}"), b""),
            _ => panic!("{step}"),
        };
    }

    /// A state says which secret was answered, and not where: so one of another host serves.
    fn state_of(&self, secret: &str) -> String {
        let other = Client {
            host: "state.test",
            storage: "file",
            ..*self
        };
        other.act("login", secret);
        let answer = other.run("get", &other.request(&[]));
        answer.get("state[]").unwrap().to_owned()
    }

    fn kept(&self) -> Option<String> {
        let answer = self.run("get", &self.request(&[]));
        answer.get("password").map(str::to_owned)
    }
}

fn every_row_holds(storage: &str, needs_keyring: bool) {
    let mut sandbox = Sandbox::new();
    if needs_keyring {
        sandbox.start_keyring();
    }
    for (number, (name, before, kept)) in ROWS.iter().enumerate() {
        for (incoming, kept) in INCOMING.iter().zip(kept) {
            let host = format!("{}-{number}.test", incoming.replace(' ', "-"));
            let client = Client {
                host: &host,
                ..Client::new(&sandbox, storage)
            };
            for (step, secret) in *before {
                client.act(step, secret);
            }
            // The keychain is not asked again for what it has just answered, so it cannot be found to have lost that.
            let is_trusted = needs_keyring && *incoming == "store what was answered";
            if is_trusted && ["free", "the other is invalid"].contains(name) {
                continue;
            }
            client.act(incoming, X);
            assert_eq!(
                client.kept().as_deref(),
                *kept,
                "{storage}: {name}, {incoming}"
            );
        }
    }
}

#[test]
fn every_row_holds_in_memory() {
    every_row_holds("memory", false);
}

#[test]
fn every_row_holds_in_a_file() {
    every_row_holds("file", false);
}

#[test]
fn every_row_holds_in_the_keychain() {
    every_row_holds("keychain", true);
}

#[test]
fn every_row_holds_in_a_list() {
    every_row_holds("memory,file", false);
}

/// git's operations go on without a journal. Then a slow command may replace a newer token: that is lost on purpose.
#[test]
fn an_unusable_journal_stops_nothing() {
    for state in ["missing", "corrupt", "unreadable", "read-only"] {
        let sandbox = Sandbox::new();
        let client = Client::new(&sandbox, "file");
        client.act("store", X);
        client.act("store", Y);
        let folder = sandbox.path("state/git-credential-pat");
        let journal = folder.join("journal");
        let mode = |path, mode| fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        match state {
            "missing" => fs::remove_file(&journal).unwrap(),
            "corrupt" => fs::write(&journal, "nonsense").unwrap(),
            // Such a file is no one's but ours: it is not read.
            "unreadable" => mode(&journal, 0o644),
            _ => mode(&folder, 0o500),
        }
        for (step, secret, kept) in [
            ("store what was answered", Y, Some(Y)),
            ("store", Y, Some(Y)),
            ("erase", X, Some(Y)),
            ("login", X, Some(X)),
            ("erase", X, None),
            ("store", Y, Some(Y)),
            ("logout", Y, None),
        ] {
            client.act(step, secret);
            assert_eq!(client.kept().as_deref(), kept, "{state}: {step}");
        }
        mode(&folder, 0o700);
    }
}

/// Another helper in front of ours answers, and git confirms its secret to us as well.
#[test]
fn a_helper_in_front_that_confirms_another_secret_each_time_is_followed() {
    let sandbox = Sandbox::new();
    let client = Client::new(&sandbox, "file");
    client.act("login", X);
    for number in 0..3 {
        let secret = format!("tok-{number}");
        client.act("store", &secret);
        assert_eq!(client.kept(), Some(secret));
    }
    // Its first one comes back: which is the newer is unknown, so the last one stays.
    client.act("store", "tok-0");
    assert_eq!(client.kept().as_deref(), Some("tok-2"));
}

/// Memory has forgotten the secret while a command used it: that command brings it back.
#[test]
fn a_command_brings_back_what_memory_has_forgotten() {
    let sandbox = Sandbox::new();
    let client = Client::new(&sandbox, "memory");
    for step in ["store what was answered", "store"] {
        client.act("store", X);
        sandbox.ask("cache clear", b"").succeeded();
        assert_eq!(client.kept(), None);
        client.act(step, X);
        assert_eq!(client.kept().as_deref(), Some(X), "{step}");
    }
}

/// One server of a cluster rejects a good token. Other commands that were answered it do not bring it back; a user does.
#[test]
fn a_false_rejection_is_undone_by_a_user_only() {
    let sandbox = Sandbox::new();
    let client = Client::new(&sandbox, "file");
    client.act("store", X);
    client.act("erase", X);
    client.act("store what was answered", X);
    assert_eq!(client.kept(), None);
    client.act("login", X);
    client.act("store what was answered", X);
    assert_eq!(client.kept().as_deref(), Some(X));
}
