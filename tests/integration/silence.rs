//! `git credential approve` and `reject` in a script: silent when they did what was asked.

use crate::attributes::lines;
use crate::flow::ours;
use crate::git;
use crate::process;
use crate::sandbox::Sandbox;

const CREDENTIAL: [(&str, &str); 4] = [
    ("protocol", "https"),
    ("host", "one.test"),
    ("username", "alice"),
    ("password", "tok-one"),
];

fn kept(sandbox: &Sandbox, storage: &str) -> String {
    let words = format!("--storage {storage} list --json");
    sandbox.ask(&words, b"").succeeded().text()
}

#[track_caller]
fn is_silent(storage: &str) {
    for git in git::all() {
        let mut sandbox = Sandbox::with(git.clone());
        if ["keychain", "auto"].contains(&storage) {
            sandbox.start_keyring();
        }
        sandbox.configure_git(&format!("[credential]\n\thelper = {}\n", ours(storage)));
        let ask = |word: &str| {
            let mut command = sandbox.git(&["credential", word]);
            process::run(&mut command, &lines(&CREDENTIAL)).succeeded()
        };
        for _ in 0..2 {
            assert_eq!(ask("approve").stderr, "", "{storage}, {git:?}");
            assert!(kept(&sandbox, storage).contains("alice"));
        }
        for _ in 0..2 {
            assert_eq!(ask("reject").stderr, "", "{storage}, {git:?}");
            assert_eq!(kept(&sandbox, storage), "[]\n");
        }
    }
}

#[test]
fn memory_is_silent_in_a_script() {
    is_silent("memory");
}

#[test]
fn a_file_is_silent_in_a_script() {
    is_silent("file");
}

#[test]
fn the_keychain_is_silent_in_a_script() {
    is_silent("keychain");
}

#[test]
fn auto_is_silent_in_a_script() {
    is_silent("auto");
}
