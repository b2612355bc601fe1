//! The shells themselves are started, and asked to complete.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::attributes::lines;
use crate::process;
use crate::sandbox::{PROGRAM, Sandbox};
use crate::terminal::Session;
use crate::tool;

/// What is typed, what is shown then, and what is not.
const LINES: [(&str, &[&str], &[&str]); 15] = [
    (
        "git-credential-pat ",
        &["login", "logout", "doctor", "rotate", "help"],
        &["erase", "capability", "complete-words"],
    ),
    (
        "git-credential-pat login --",
        &["--with-token", "--expires", "--storage", "--qr"],
        &[],
    ),
    (
        "git credential-pat ",
        &["login", "doctor", "rotate"],
        &["erase", "note.txt"],
    ),
    ("git credential-pat logout --", &["--yes", "--storage"], &[]),
    (
        "git-credential-pat --storage ",
        &["auto", "memory", "keychain", "file"],
        &["note.txt"],
    ),
    (
        "git-credential-pat logout ",
        &["//alice@one.test", "//bob@two.test:8443/a%20b"],
        &["ghp_", "made-up"],
    ),
    (
        "git credential-pat logout ",
        &["//alice@one.test", "//bob@two.test"],
        &["ghp_"],
    ),
    (
        "git-credential-pat account remove ",
        &["//work@one.test/acme", "//three.test/x"],
        &["alice", "bob", "ghp_"],
    ),
    (
        "git-credential-pat login ",
        &["//alice@one.test", "//work@one.test/acme"],
        &["ghp_"],
    ),
    (
        "git credential-pat help account ",
        &["add", "list"],
        &["login"],
    ),
    (
        "git-credential-pat help lo",
        &["login", "logout"],
        &["note.txt"],
    ),
    (
        "git-credential-pat --storage memory,",
        &["memory,keychain", "memory,file"],
        &["auto", "note.txt"],
    ),
    (
        "git-credential-pat account ",
        &["add", "list", "remove"],
        &["note.txt"],
    ),
    (
        "git-credential-pat import netrc gi",
        &["git-store", "git-cache"],
        &["netrc:"],
    ),
    (
        "git-credential-pat import g",
        &["gh", "glab", "gcm", "git-store", "git-cache"],
        &[],
    ),
];

fn with_tokens() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.configure_git(&format!(
        "[credential]\n\thelper = {PROGRAM} --storage file\n"
    ));
    sandbox.store_in_file("https://one.test", "alice");
    sandbox.store_in_file("https://two.test:8443/a b", "bob");
    sandbox.store_in_file(
        "https://one.test",
        "ghp_madeup0123456789abcdef0123456789abcd",
    );
    let rules = "[[account]]\nurl = 'https://one.test/acme'\nusername = 'work'\n[[account]]\nurl = 'https://three.test/x'\n";
    fs::create_dir_all(sandbox.path("config/git-credential-pat")).unwrap();
    fs::write(sandbox.path("config/git-credential-pat/config.toml"), rules).unwrap();
    fs::write(sandbox.path("work/note.txt"), "").unwrap();
    fs::create_dir(sandbox.path("site")).unwrap();
    sandbox
}

fn script(sandbox: &Sandbox, shell: &str, name: &str) -> String {
    let path = sandbox.path("site").join(name);
    let script = sandbox
        .ask(&format!("completions {shell}"), b"")
        .succeeded();
    fs::write(&path, script.stdout).unwrap();
    path.display().to_string()
}

/// With the program under test first on PATH, as an installed one.
fn shell(sandbox: &Sandbox, name: &str) -> Command {
    let mut command = sandbox.command(tool::need(name));
    let own = Path::new(PROGRAM).parent().unwrap().display().to_string();
    let path = std::env::var("PATH").unwrap();
    command.env("PATH", format!("{own}:{path}"));
    command
}

/// Types each line and the tab key in a shell of its own, and looks at what it shows.
fn types(command: &Command) {
    for (line, shown, hidden) in LINES {
        let mut session = Session::start(command);
        session.press("ready> ", format!("{line}\t").as_bytes());
        for part in shown {
            session.await_text(part);
        }
        let text = session.shown().to_owned();
        for part in hidden {
            assert!(!text.contains(part), "{line}: {part}: {text}");
        }
        session.close();
    }
}

#[test]
fn bash_completes() {
    let sandbox = with_tokens();
    let script = script(&sandbox, "bash", "git-credential-pat");
    let inputrc = "set show-all-if-ambiguous on\nset page-completions off\nset completion-query-items 0\nset enable-bracketed-paste off\n";
    fs::write(sandbox.path("home/.inputrc"), inputrc).unwrap();
    let git = "/usr/share/bash-completion/completions/git";
    let rc = format!(
        "PS1='ready> '\n. /usr/share/bash-completion/bash_completion\n. {git}\n. '{script}'\n"
    );
    fs::write(sandbox.path("home/rc"), rc).unwrap();
    let mut command = shell(&sandbox, "bash");
    command
        .args(["--noprofile", "--rcfile"])
        .arg(sandbox.path("home/rc"))
        .arg("-i");
    types(&command);
}

#[test]
fn zsh_completes() {
    let sandbox = with_tokens();
    script(&sandbox, "zsh", "_git-credential-pat");
    let rc = format!(
        "PS1='ready> '\nfpath=('{}' $fpath)\nautoload -Uz compinit\ncompinit -D -u\nLISTMAX=500\nunsetopt LIST_AMBIGUOUS\n",
        sandbox.path("site").display()
    );
    fs::write(sandbox.path("home/.zshrc"), rc).unwrap();
    let mut command = shell(&sandbox, "zsh");
    command.args(["-d", "-i"]).env("TERM", "vt100");
    types(&command);
}

#[test]
fn fish_completes() {
    let sandbox = with_tokens();
    let script = script(&sandbox, "fish", "git-credential-pat.fish");
    for (line, shown, hidden) in LINES {
        let mut command = shell(&sandbox, "fish");
        let ask = format!("source '{script}'; complete -C '{line}'");
        let answer = process::run(command.args(["--no-config", "-c", &ask]), b"").succeeded();
        let text = answer.text();
        for part in shown {
            assert!(text.contains(part), "{line}: {part}: {answer:?}");
        }
        for part in hidden {
            assert!(!text.contains(part), "{line}: {part}: {answer:?}");
        }
    }
}

/// A key on the keyboard must not have a person unlock a keyring, or a daemon start.
#[test]
fn completing_starts_and_unlocks_nothing() {
    let mut sandbox = Sandbox::new();
    sandbox.start_keyring();
    sandbox.configure_git(&format!("[credential]\n\thelper = {PROGRAM}\n"));
    let pairs = [
        ("protocol", "https"),
        ("host", "one.test"),
        ("username", "alice"),
        ("password", "made-up"),
    ];
    sandbox
        .ask("--storage keychain store", &lines(&pairs))
        .succeeded();
    let complete = || {
        let mut command = sandbox.helper("complete-words logout");
        process::run(command.arg("").env("DISPLAY", ":1"), b"").succeeded()
    };
    assert!(complete().text().contains("https://alice@one.test"));
    assert!(!sandbox.path("run/git-credential-pat/socket").exists());
    sandbox.lock_keyring();
    let locked = complete();
    assert_eq!((locked.text(), locked.stderr), Default::default());
}

#[test]
fn a_mistake_in_the_configuration_is_silent() {
    let sandbox = with_tokens();
    let config = sandbox.path("config/git-credential-pat/config.toml");
    fs::write(config, "storage = 3\n").unwrap();
    for words in ["logout", "login", "account remove"] {
        let mut command = sandbox.helper(&format!("complete-words {words}"));
        let answer = process::run(command.arg(""), b"").succeeded();
        assert_eq!((answer.text(), answer.stderr), Default::default());
    }
}
