//! `git credential approve` and `reject` in a script, and each command with `--quiet`: silent when they did what was asked.

use crate::attributes::lines;
use crate::flow::ours;
use crate::git;
use crate::process;
use crate::sandbox::Sandbox;

/// Commands that confirm what they did, and a part of the confirmation.
const CONFIRMED: [(&str, &str); 23] = [
    ("setup", "git config --global"),
    ("setup", "git asks this helper already"),
    ("login --with-token https://alice@one.test", "is kept"),
    ("login --with-token https://alice@two.test", "is kept"),
    ("login --with-token https://alice@three.test", "is kept"),
    ("login --with-token https://work@four.test/acme", "is kept"),
    ("expires https://one.test 2030-01-01", "expires on"),
    ("account add https://four.test/acme work", "added to"),
    ("account add https://four.test/acme work", "is already in"),
    ("account add https://four.test/other", "no token yet"),
    ("account remove https://four.test/acme", "removed from"),
    ("import --yes git-store", "imported"),
    ("import --yes git-store", "nothing to import"),
    ("expires https://one.test 2020-01-01", "expired"),
    ("clean --yes", "removed 1"),
    ("logout https://two.test", "removed the token"),
    ("logout --all --yes", "revoke them at their forges"),
    ("logout --all --yes", "nothing is kept"),
    ("cache clear", "forgot"),
    ("cache stop", "stopped the daemon"),
    ("cache stop", "no daemon is running"),
    ("setup --undo", "as it was before setup"),
    ("setup --undo", "nothing to undo"),
];

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

#[test]
fn each_command_confirms_and_with_quiet_it_does_not() {
    let [loud, quiet] = [Sandbox::new(), Sandbox::new()];
    for sandbox in [&loud, &quiet] {
        let kept = "https://bob:made-up-stored-0123456789@five.test\n";
        std::fs::write(sandbox.path("home/.git-credentials"), kept).unwrap();
        let store = sandbox.ask("--storage memory store", &lines(&CREDENTIAL));
        store.succeeded();
    }
    for (words, confirmation) in CONFIRMED {
        let token = b"made-up-token-0123456789\n";
        let storage = if words.starts_with("cache") {
            ""
        } else {
            "--storage file"
        };
        let told = loud.ask(&format!("{storage} {words}"), token).succeeded();
        assert!(told.text().contains(confirmation), "{words}: {told:?}");
        let told = quiet.ask(&format!("-q {storage} {words}"), token);
        let told = told.succeeded();
        assert_eq!(told.stderr, "", "{words}");
        // These two show a table of what they are about to do.
        if words.starts_with("clean") || words.starts_with("import") {
            assert!(!told.text().contains(confirmation), "{words}: {told:?}");
        } else {
            assert_eq!(told.text(), "", "{words}");
        }
    }
}

#[test]
fn a_dry_run_is_told_with_quiet_too() {
    let sandbox = Sandbox::new();
    sandbox.ask("-q setup --storage file", b"").succeeded();
    let login = "-q login --with-token https://alice@one.test";
    let token = b"made-up-token-0123456789\n";
    sandbox.ask(login, token).succeeded();
    for (words, expected) in [
        ("setup --undo --dry-run", "would be restored"),
        (
            "account add https://one.test/acme --dry-run",
            "useHttpPath true",
        ),
        ("logout --all --dry-run", "would remove"),
    ] {
        let told = sandbox.ask(&format!("-q {words}"), b"").succeeded();
        assert!(told.text().contains(expected), "{words}: {told:?}");
    }
    sandbox
        .ask("-q account add https://one.test/acme", b"")
        .succeeded();
    let words = "-q account remove https://one.test/acme --dry-run";
    let told = sandbox.ask(words, b"").succeeded().text();
    for part in ["--unset-all", "would be removed"] {
        assert!(told.contains(part), "{told}");
    }
}
