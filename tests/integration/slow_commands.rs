//! A command of git's that takes its time: what happens meanwhile is not undone when it thanks for what it was given.
//!
//! Its process is a shell under the name of git's own, which asks and thanks as a git before 2.46 does: without a state.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use crate::attributes::{Answer, lines};
use crate::process::{self, Output};
use crate::sandbox::{PROGRAM, Sandbox};

const HOST: &str = "one.test";
const OLD: &str = "tok-old";
const NEW: &str = "tok-new";

/// It was given an answer, and goes on.
pub struct Slow {
    process: Child,
    go: PathBuf,
}

impl Slow {
    /// `words`: the storage; `credential`: what it is given, and thanks for in the end.
    pub fn begin(sandbox: &Sandbox, words: &str, credential: &[u8]) -> Self {
        let folder = sandbox.path("slow");
        fs::create_dir_all(&folder).unwrap();
        let [thanks, begun, go] = ["thanks", "begun", "go"].map(|name| folder.join(name));
        for old in [&begun, &go] {
            let _ = fs::remove_file(old);
        }
        fs::write(&thanks, credential).unwrap();
        let command = folder.join("git-remote-https");
        let script = format!(
            "#!/bin/sh\n\
             grep -v '^password=' '{thanks}' | '{PROGRAM}' {words} get > '{begun}.new'\n\
             mv '{begun}.new' '{begun}'\n\
             tries=0\n\
             while [ ! -e '{go}' ] && [ $tries -lt 3000 ]; do sleep 0.02; tries=$((tries + 1)); done\n\
             '{PROGRAM}' {words} store < '{thanks}'\n\
             exit 0\n",
            thanks = thanks.display(),
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

    /// The server lets it in at last.
    pub fn thank(mut self) {
        fs::write(&self.go, "").unwrap();
        assert!(self.process.wait().unwrap().success());
    }
}

fn credential(password: &str) -> Vec<u8> {
    lines(&[
        ("protocol", "https"),
        ("host", HOST),
        ("username", "alice"),
        ("password", password),
    ])
}

/// Somebody with one storage.
struct Person {
    sandbox: Sandbox,
    storage: &'static str,
}

impl Person {
    fn try_to(&self, words: &str, input: &[u8]) -> Output {
        let words = format!("--storage {} {words}", self.storage);
        self.sandbox.ask(&words, input)
    }

    fn ask(&self, words: &str, input: &[u8]) -> Output {
        self.try_to(words, input).succeeded()
    }

    fn does(&self, what: &str, password: &str) {
        match what {
            "store" => self.ask("store", &credential(password)),
            "login" => {
                let words = format!("login --with-token https://alice@{HOST}");
                self.ask(&words, password.as_bytes())
            }
            "logout" => self.ask(&format!("logout https://alice@{HOST}"), b""),
            _ => panic!("{what}"),
        };
    }

    fn kept(&self) -> Option<String> {
        let wanted = lines(&[("protocol", "https"), ("host", HOST)]);
        let answer = self.ask("get", &wanted);
        Answer::read(&answer.stdout)
            .get("password")
            .map(str::to_owned)
    }
}

/// How the old one came, what is done meanwhile with the new one, and what is kept in the end.
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
    (&["store"], &["logout"], None),
    // The new one was there before: somebody goes back to it.
    (&["back", "store"], &["store"], Some(NEW)),
    (&["back", "store"], &["login"], Some(NEW)),
    // And nobody does anything.
    (&["store"], &[], Some(OLD)),
    (&["back", "store"], &[], Some(OLD)),
];

fn what_is_done_meanwhile_stays(storage: &'static str, needs_keyring: bool) {
    let mut sandbox = Sandbox::new();
    if needs_keyring {
        sandbox.start_keyring();
    }
    let person = Person { sandbox, storage };
    for (before, meanwhile, kept) in COURSES {
        let course = format!("{storage}: {before:?}, {meanwhile:?}");
        for what in *before {
            match *what {
                "back" => person.does("store", NEW),
                what => person.does(what, OLD),
            }
        }
        let words = format!("--storage {storage}");
        let slow = Slow::begin(&person.sandbox, &words, &credential(OLD));
        for what in *meanwhile {
            person.does(what, NEW);
        }
        slow.thank();
        assert_eq!(person.kept().as_deref(), *kept, "{course}");
        // Fails where nothing is kept.
        person.try_to(&format!("logout https://alice@{HOST}"), b"");
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

/// It begins while the new one waits for its turn, and is given the old one.
#[test]
fn who_begins_while_a_store_waits_is_too_late() {
    let person = Person {
        sandbox: Sandbox::new(),
        storage: "file",
    };
    person.does("store", OLD);
    let folder = person.sandbox.path("data/git-credential-pat");
    let lock = fs::File::options()
        .write(true)
        .open(folder.join("credentials.lock"));
    let lock = lock.unwrap();
    lock.lock().unwrap();
    thread::scope(|scope| {
        let store = scope.spawn(|| person.does("store", NEW));
        // It has noted that the old one goes, and waits.
        let journal = person.sandbox.path("state/git-credential-pat/journal");
        let is_noted = || fs::read_to_string(&journal).is_ok_and(|text| text.contains("died="));
        assert!(process::until(is_noted));
        let slow = Slow::begin(&person.sandbox, "--storage file", &credential(OLD));
        lock.unlock().unwrap();
        store.join().unwrap();
        slow.thank();
    });
    assert_eq!(person.kept().as_deref(), Some(NEW));
}

/// Who goes back on purpose with another command succeeds.
#[test]
fn another_command_may_bring_the_old_one_back() {
    for storage in ["memory", "file"] {
        let person = Person {
            sandbox: Sandbox::new(),
            storage,
        };
        person.does("store", OLD);
        person.does("store", NEW);
        // Linux tells in hundredths of a second when a process began.
        thread::sleep(Duration::from_millis(50));
        let words = format!("--storage {storage}");
        let another = Slow::begin(&person.sandbox, &words, &credential(NEW));
        fs::write(person.sandbox.path("slow/thanks"), credential(OLD)).unwrap();
        another.thank();
        assert_eq!(person.kept().as_deref(), Some(OLD), "{storage}");
    }
}
