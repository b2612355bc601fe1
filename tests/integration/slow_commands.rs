//! A slow command of git: it confirms its credential after another secret was stored meanwhile.
//!
//! The command is a script that calls the helper as git before 2.46 does: without a state.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread;

use crate::attributes::{Answer, lines};
use crate::process::{self, Output};
use crate::sandbox::{PROGRAM, Sandbox};

const OLD: &str = "tok-old";
const NEW: &str = "tok-new";

/// A command that was answered, and goes on.
pub struct Slow {
    process: Child,
    go: PathBuf,
}

impl Slow {
    /// `words`: the storage; `credential`: what it is answered, and confirms in the end.
    pub fn begin(sandbox: &Sandbox, words: &str, credential: &[u8]) -> Self {
        let folder = sandbox.path("slow");
        fs::create_dir_all(&folder).unwrap();
        let [confirmed, begun, go] = ["confirmed", "begun", "go"].map(|name| folder.join(name));
        for old in [&begun, &go] {
            let _ = fs::remove_file(old);
        }
        fs::write(&confirmed, credential).unwrap();
        let command = folder.join("git-remote-https");
        let script = format!(
            "#!/bin/sh\n\
             grep -v '^password=' '{confirmed}' | '{PROGRAM}' {words} get > '{begun}.new'\n\
             mv '{begun}.new' '{begun}'\n\
             tries=0\n\
             while [ ! -e '{go}' ] && [ $tries -lt 3000 ]; do sleep 0.02; tries=$((tries + 1)); done\n\
             '{PROGRAM}' {words} store < '{confirmed}'\n\
             exit 0\n",
            confirmed = confirmed.display(),
            begun = begun.display(),
            go = go.display(),
        );
        fs::write(&command, script).unwrap();
        fs::set_permissions(&command, fs::Permissions::from_mode(0o700)).unwrap();
        let mut command = sandbox.command(&command);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let process = command.stderr(Stdio::null()).spawn().unwrap();
        assert!(process::until(|| begun.exists()), "it was not answered");
        let answer = fs::read(&begun).unwrap();
        let given = Answer::read(&answer).get("password").map(str::to_owned);
        let own = Answer::read(credential);
        assert_eq!(given.as_deref(), own.get("password"));
        Self { process, go }
    }

    /// The server accepts the credential at last.
    pub fn confirm(mut self) {
        fs::write(&self.go, "").unwrap();
        assert!(self.process.wait().unwrap().success());
    }
}

fn credential(host: &str, password: &str) -> Vec<u8> {
    lines(&[
        ("protocol", "https"),
        ("host", host),
        ("username", "alice"),
        ("password", password),
    ])
}

/// A user with one storage, at one host.
struct User<'a> {
    sandbox: &'a Sandbox,
    storage: &'static str,
    host: &'a str,
}

impl User<'_> {
    fn ask(&self, words: &str, input: &[u8]) -> Output {
        let words = format!("--storage {} {words}", self.storage);
        self.sandbox.ask(&words, input).succeeded()
    }

    fn act(&self, step: &str, password: &str) {
        let host = self.host;
        match step {
            "store" => self.ask("store", &credential(host, password)),
            "login" => {
                let words = format!("login --with-token https://alice@{host}");
                self.ask(&words, password.as_bytes())
            }
            "logout" => self.ask(&format!("logout https://alice@{host}"), b""),
            _ => panic!("{step}"),
        };
    }

    fn begin_slow(&self) -> Slow {
        let words = format!("--storage {}", self.storage);
        Slow::begin(self.sandbox, &words, &credential(self.host, OLD))
    }

    fn kept(&self) -> Option<String> {
        let wanted = lines(&[("protocol", "https"), ("host", self.host)]);
        let answer = self.ask("get", &wanted);
        Answer::read(&answer.stdout)
            .get("password")
            .map(str::to_owned)
    }
}

/// How the old secret came, what happens meanwhile with the new one, and what is kept in the end.
type Course = (
    &'static [&'static str],
    &'static [&'static str],
    Option<&'static str>,
);

const COURSES: &[Course] = &[
    (&["store"], &["store"], Some(NEW)),
    (&["store"], &["login"], Some(NEW)),
    (&["login"], &["store"], Some(NEW)),
    (&["login"], &["login"], Some(NEW)),
    (&["store"], &["logout", "store"], Some(NEW)),
    (&["store"], &["logout", "login"], Some(NEW)),
    // Lost on purpose: without a state, a slow command brings back a token that was removed, if no other is stored.
    (&["store"], &["logout"], Some(OLD)),
    // The new one was there before, and was displaced: for 12 hours only a user can bring it back.
    (&["back", "store"], &["store"], Some(OLD)),
    (&["back", "store"], &["login"], Some(NEW)),
    // Nothing happens meanwhile.
    (&["store"], &[], Some(OLD)),
    (&["back", "store"], &[], Some(OLD)),
];

fn what_is_done_meanwhile_stays(storage: &'static str, needs_keyring: bool) {
    let mut sandbox = Sandbox::new();
    if needs_keyring {
        sandbox.start_keyring();
    }
    for (number, (before, meanwhile, kept)) in COURSES.iter().enumerate() {
        let user = User {
            sandbox: &sandbox,
            storage,
            host: &format!("course-{number}.test"),
        };
        for step in *before {
            match *step {
                "back" => user.act("store", NEW),
                step => user.act(step, OLD),
            }
        }
        let slow = user.begin_slow();
        for step in *meanwhile {
            user.act(step, NEW);
        }
        slow.confirm();
        let course = format!("{storage}: {before:?}, {meanwhile:?}");
        assert_eq!(user.kept().as_deref(), *kept, "{course}");
    }
}

#[test]
fn what_is_done_meanwhile_stays_in_memory() {
    what_is_done_meanwhile_stays("memory", false);
}

#[test]
fn what_is_done_meanwhile_stays_in_a_file() {
    what_is_done_meanwhile_stays("file", false);
}

#[test]
fn what_is_done_meanwhile_stays_in_the_keychain() {
    what_is_done_meanwhile_stays("keychain", true);
}

/// The marks are written before the swap: a command that begins between the two is given the old secret, and is too late.
#[test]
fn a_command_that_begins_while_a_store_waits_is_too_late() {
    let sandbox = Sandbox::new();
    let user = User {
        sandbox: &sandbox,
        storage: "file",
        host: "one.test",
    };
    user.act("store", OLD);
    let folder = sandbox.path("data/git-credential-pat");
    let lock = fs::File::options()
        .write(true)
        .open(folder.join("credentials.lock"));
    let lock = lock.unwrap();
    lock.lock().unwrap();
    thread::scope(|scope| {
        let store = scope.spawn(|| user.act("store", NEW));
        // It has written that the old secret gives way, and waits.
        let journal = sandbox.path("state/git-credential-pat/journal");
        let is_marked =
            || fs::read_to_string(&journal).is_ok_and(|text| text.contains("displaced="));
        assert!(process::until(is_marked));
        let slow = user.begin_slow();
        lock.unlock().unwrap();
        store.join().unwrap();
        slow.confirm();
    });
    assert_eq!(user.kept().as_deref(), Some(NEW));
}

/// The order of two confirmed secrets is unknown, so the second one stays; a user decides.
#[test]
fn only_a_user_brings_a_displaced_secret_back() {
    let sandbox = Sandbox::new();
    for storage in ["memory", "file"] {
        let user = User {
            sandbox: &sandbox,
            storage,
            host: &format!("{storage}.test"),
        };
        user.act("store", OLD);
        user.act("store", NEW);
        user.act("store", OLD);
        assert_eq!(user.kept().as_deref(), Some(NEW), "{storage}");
        user.act("login", OLD);
        assert_eq!(user.kept().as_deref(), Some(OLD), "{storage}");
    }
}
