//! Installing and taking it back, as the README says, in an empty home.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::attributes::{Answer, lines};
use crate::process::{self, Output};
use crate::sandbox::{PROGRAM, Sandbox};

const CREDENTIAL: [(&str, &str); 4] = [
    ("protocol", "https"),
    ("host", "one.test"),
    ("username", "alice"),
    ("password", "tok-one"),
];

/// An empty home, in which git's settings are where they are for everybody.
fn home() -> Sandbox {
    let sandbox = Sandbox::new();
    fs::remove_file(sandbox.path("gitconfig")).unwrap();
    sandbox
}

fn at_home(sandbox: &Sandbox, mut command: Command) -> Command {
    for variable in [
        "GIT_CONFIG_GLOBAL",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
        "XDG_STATE_HOME",
        "XDG_CACHE_HOME",
    ] {
        command.env_remove(variable);
    }
    command.current_dir(sandbox.path("home"));
    command
}

fn script(sandbox: &Sandbox, name: &str, words: &[&str]) -> Output {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "install", name]
        .iter()
        .collect();
    let mut command = at_home(sandbox, sandbox.command("/bin/sh"));
    process::run(command.arg(path).args(words), b"")
}

fn install(sandbox: &Sandbox, words: &[&str]) -> Output {
    script(
        sandbox,
        "install.sh",
        &[&["--binary", PROGRAM], words].concat(),
    )
    .succeeded()
}

#[test]
fn installs_sets_up_and_takes_it_back() {
    let sandbox = home();
    let said = install(&sandbox, &["--setup", "--", "--storage", "file"]);
    let program = sandbox.path("home/.local/bin/git-credential-pat");
    assert!(program.is_file(), "{said:?}");
    assert_eq!(said.stderr, "", "the self-check is no news");
    assert!(
        sandbox
            .path("home/.local/share/man/man1/git-credential-pat.1")
            .is_file(),
        "{said:?}"
    );
    let config = fs::read_to_string(sandbox.path("home/.gitconfig")).unwrap();
    assert!(
        config.contains(&format!("helper = {} --storage file", program.display())),
        "{config}"
    );
    assert!(
        !sandbox
            .path("home/.local/share/git-credential-pat")
            .exists(),
        "the self-check leaves nothing"
    );

    let git = |word: &str, pairs: &[(&str, &str)]| {
        let mut git = at_home(&sandbox, sandbox.git(&["credential", word]));
        process::run(&mut git, &lines(pairs)).succeeded()
    };
    git("approve", &CREDENTIAL);
    assert_eq!(
        Answer::read(&git("fill", &CREDENTIAL[..2]).stdout).get("password"),
        Some("tok-one")
    );

    for again in [&["--setup", "--", "--storage", "file"][..], &["--setup"]] {
        install(&sandbox, again);
        assert_eq!(
            fs::read_to_string(sandbox.path("home/.gitconfig")).unwrap(),
            config,
            "again is harmless: {again:?}"
        );
    }

    script(&sandbox, "uninstall.sh", &[]).succeeded();
    assert!(!program.exists());
    assert!(
        !sandbox.path("home/.gitconfig").exists(),
        "there was none before"
    );
    let credentials = sandbox.path("home/.local/share/git-credential-pat/credentials");
    assert!(
        credentials.is_file(),
        "tokens stay unless somebody says otherwise"
    );
    script(&sandbox, "uninstall.sh", &[]).succeeded();

    install(&sandbox, &[]);
    // What other storages and a rotation leave there.
    let state = sandbox.path("home/.local/state/git-credential-pat");
    fs::create_dir_all(&state).unwrap();
    for name in ["keychain.lock", "rotation.lock", "rotation-1"] {
        fs::write(state.join(name), "").unwrap();
    }
    script(&sandbox, "uninstall.sh", &["--purge"]).succeeded();
    assert!(!credentials.exists() && !program.exists());
    assert!(
        !state.exists(),
        "{:?}",
        fs::read_dir(&state).map(Iterator::count)
    );
}

#[test]
fn a_program_that_does_not_work_is_not_installed() {
    let sandbox = home();
    install(&sandbox, &[]);
    let program = sandbox.path("home/.local/bin/git-credential-pat");
    let before = fs::read(&program).unwrap();
    let refused = script(&sandbox, "install.sh", &["--binary", "/bin/false"]);
    assert!(!refused.status.success(), "{refused:?}");
    assert_eq!(fs::read(&program).unwrap(), before);
}
