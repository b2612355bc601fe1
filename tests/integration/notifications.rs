//! `check --notify`: the desktop notifications that a service on a real session bus gets.

use std::fs;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use dbus::blocking::Connection;
use dbus::channel::Channel;
use dbus::message::MessageType;
use dbus::strings::ErrorName;

use crate::attributes::lines;
use crate::forge::work::{JOURNAL, Work, in_days};
use crate::forge::{Fate, Speaks, Token};
use crate::keyring::start_bus;
use crate::process::{self, Guard, Output};
use crate::sandbox::Sandbox;

const NAME: &str = "org.freedesktop.Notifications";
const BUS: &str = "DBUS_SESSION_BUS_ADDRESS";
const SECRET: &str = "made-up-secret";

/// How the service answers `Notify`.
#[derive(Clone, Copy, PartialEq)]
enum Answers {
    AtOnce,
    Never,
    Refuses,
}

/// A notification service, and its bus.
struct Desktop {
    address: String,
    shown: Arc<Mutex<Vec<(String, String)>>>,
    _bus: Guard,
}

impl Desktop {
    fn start(sandbox: &Sandbox, answers: Answers) -> Self {
        let (bus, address) = start_bus(|program| sandbox.command(program));
        let mut channel = Channel::open_private(&address).unwrap();
        channel.register().unwrap();
        let service = Connection::from(channel);
        service.request_name(NAME, false, false, true).unwrap();
        let shown: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
        let noted = Arc::clone(&shown);
        // It ends with the bus.
        thread::spawn(move || {
            let second = Duration::from_secs(1);
            while let Ok(message) = service.channel().blocking_pop_message(second) {
                let call = message.filter(|call| call.msg_type() == MessageType::MethodCall);
                let Some(call) = call else { continue };
                let answer = match (answers, &*call.member().unwrap()) {
                    (Answers::Never, _) => continue,
                    (Answers::Refuses, _) => {
                        call.error(&ErrorName::from("org.example.Busy"), c"made up")
                    }
                    (Answers::AtOnce, member) => {
                        assert_eq!(member, "Notify");
                        let mut fields = call.iter_init();
                        assert_eq!(fields.read::<&str>().unwrap(), "git-credential-pat");
                        assert_eq!(fields.read::<u32>().unwrap(), 0, "it replaces none");
                        let _icon: &str = fields.read().unwrap();
                        let text = (fields.read().unwrap(), fields.read().unwrap());
                        noted.lock().unwrap().push(text);
                        call.method_return().append1(7_u32)
                    }
                };
                service.channel().send(answer).unwrap();
                service.channel().flush();
            }
        });
        Self {
            address,
            shown,
            _bus: bus,
        }
    }

    fn shown(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.shown.lock().unwrap())
    }

    fn notify(&self, mut command: Command) -> Output {
        process::run(command.env(BUS, &self.address), b"")
    }
}

/// A token for `url` that expires in `days` days and a bit.
fn store(sandbox: &Sandbox, username: &str, url: &str, days: u64) {
    let (host, path) = url.split_once('/').unwrap_or((url, ""));
    let expiry = in_days(days).to_string();
    let mut pairs = vec![
        ("protocol", "https"),
        ("host", host),
        ("username", username),
        ("password", SECRET),
        ("password_expiry_utc", &expiry),
    ];
    if !path.is_empty() {
        pairs.push(("path", path));
    }
    sandbox
        .ask("--storage file store", &lines(&pairs))
        .succeeded();
}

fn check(sandbox: &Sandbox) -> Command {
    sandbox.helper("--storage file check --notify")
}

#[test]
fn a_token_that_expires_soon_is_notified_once_a_day_and_a_good_one_never() {
    let sandbox = Sandbox::new();
    let desktop = Desktop::start(&sandbox, Answers::AtOnce);
    store(&sandbox, "alice", "one.test", 5);
    store(&sandbox, "bob", "two.test", 100);
    let output = desktop.notify(check(&sandbox));
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert_eq!(output.stderr, "", "{output:?}");
    assert!(output.text().contains("https://two.test"), "{output:?}");
    let expected = (
        "Token for alice at https://one.test expires in 5 days".to_owned(),
        "To replace it, run: git credential-pat login https://alice@one.test".to_owned(),
    );
    assert_eq!(desktop.shown(), std::slice::from_ref(&expected));

    // The warning of `get` is not silenced, and does not count as a notification.
    let asked = lines(&[("protocol", "https"), ("host", "one.test")]);
    let answer = sandbox.ask("--storage file get", &asked);
    assert!(answer.stderr.contains("expires in 5 days"), "{answer:?}");
    desktop.notify(check(&sandbox));
    assert_eq!(desktop.shown(), []);

    // A day later.
    let journal = sandbox.path(JOURNAL);
    let text = fs::read_to_string(&journal).unwrap();
    let (before, rest) = text.split_once("notified=").unwrap();
    let (moment, after) = rest.split_once('\n').unwrap();
    let moment = moment.parse::<u64>().unwrap() - 20 * 3600;
    fs::write(&journal, format!("{before}notified={moment}\n{after}")).unwrap();
    desktop.notify(check(&sandbox));
    assert_eq!(desktop.shown(), [expected]);
}

#[test]
fn a_rejected_token_is_notified() {
    let token = Token::new("revoked", "ghp_classic0123456789").fate(Fate::Revoked);
    let work = Work::without_lookups(Speaks::GitHub);
    work.store("alice", &token.secret);
    work.look_up(true);
    work.forge.issue(token);
    let desktop = Desktop::start(&work.sandbox, Answers::AtOnce);
    let output = desktop.notify(work.command("check --notify"));
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    let summary = format!("Token for alice at {} was rejected", work.forge.url());
    let shown = desktop.shown();
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert_eq!(shown[0].0, summary);
    assert!(shown[0].1.contains("git credential-pat login"), "{shown:?}");
}

#[test]
fn a_rejected_token_is_notified_where_no_forge_can_tell() {
    let sandbox = Sandbox::new();
    store(&sandbox, "alice", "one.test", 90);
    // The storage cannot remove it, as when its disk is full.
    let kept = sandbox.path("data/git-credential-pat/credentials");
    let text = fs::read(&kept).unwrap();
    let pairs = [
        ("protocol", "https"),
        ("host", "one.test"),
        ("username", "alice"),
        ("password", SECRET),
    ];
    let erase = sandbox.ask("--storage file erase", &lines(&pairs));
    erase.succeeded();
    fs::write(&kept, text).unwrap();
    let desktop = Desktop::start(&sandbox, Answers::AtOnce);
    let output = desktop.notify(check(&sandbox));
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    let expected = (
        "Token for alice at https://one.test was rejected".to_owned(),
        "To replace it, run: git credential-pat login https://alice@one.test".to_owned(),
    );
    assert_eq!(desktop.shown(), [expected]);
}

#[test]
fn more_than_three_tokens_share_a_notification() {
    let sandbox = Sandbox::new();
    let desktop = Desktop::start(&sandbox, Answers::AtOnce);
    for user in ["alice", "bob", "carol", "dave"] {
        store(&sandbox, user, "one.test", 2);
    }
    desktop.notify(check(&sandbox));
    let expected = (
        "4 tokens expire soon or no longer work".to_owned(),
        "To list them, run: git credential-pat check".to_owned(),
    );
    assert_eq!(desktop.shown(), [expected]);
    desktop.notify(check(&sandbox));
    assert_eq!(desktop.shown(), [], "each of the four counts as shown");
}

#[test]
fn a_path_adds_no_markup() {
    let sandbox = Sandbox::new();
    let desktop = Desktop::start(&sandbox, Answers::AtOnce);
    store(&sandbox, "alice", "one.test/<b>&amp;", 5);
    desktop.notify(check(&sandbox));
    let (summary, body) = desktop.shown().remove(0);
    let plain = "Token for alice at https://one.test/<b>&amp; expires in 5 days";
    assert_eq!(summary, plain, "a summary is plain text");
    assert!(
        body.ends_with("https://alice@one.test/%3Cb%3E%26amp%3B"),
        "{body}"
    );
}

#[test]
fn a_username_that_may_be_a_token_is_hidden_in_a_notification() {
    let sandbox = Sandbox::new();
    let desktop = Desktop::start(&sandbox, Answers::AtOnce);
    let name = "ghp_0123456789abcdefghijklmnopqrstuvwxyz";
    store(&sandbox, name, "one.test", 5);
    desktop.notify(check(&sandbox));
    let shown = format!("{:?}", desktop.shown());
    assert!(shown.contains("Token for *** at"), "{shown}");
    assert!(!shown.contains(name) && !shown.contains(SECRET), "{shown}");
}

#[test]
fn a_desktop_that_cannot_be_reached_is_a_warning() {
    let is_told = |output: &Output, cause: &str| {
        assert_eq!(
            output.status.code(),
            Some(3),
            "the status of check: {output:?}"
        );
        let warning = "warning: cannot show a desktop notification\ncause: ";
        let expected = format!("{warning}{cause}\n");
        assert!(output.stderr.contains(&expected), "{output:?}");
        assert!(output.text().contains("https://one.test"), "{output:?}");
    };
    let sandbox = Sandbox::new();
    store(&sandbox, "alice", "one.test", 5);
    let mut alone = check(&sandbox);
    let output = process::run(alone.env(BUS, "unix:path=/nonexistent/bus"), b"");
    is_told(&output, "no desktop answers: there is no session bus");

    let (_bus, address) = start_bus(|program| sandbox.command(program));
    let output = process::run(check(&sandbox).env(BUS, &address), b"");
    is_told(&output, "no notification service is on the session bus");

    let silent = Desktop::start(&sandbox, Answers::Never);
    let output = silent.notify(check(&sandbox));
    is_told(
        &output,
        "the notification service did not answer within 5 seconds",
    );

    let refusing = Desktop::start(&sandbox, Answers::Refuses);
    let output = refusing.notify(check(&sandbox));
    is_told(
        &output,
        "the notification service answered org.example.Busy",
    );

    // None of these counts as a notification.
    let desktop = Desktop::start(&sandbox, Answers::AtOnce);
    desktop.notify(check(&sandbox));
    assert_eq!(desktop.shown().len(), 1);
}
