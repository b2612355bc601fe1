//! Installing and taking it back, as the README says, in an empty home.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::Command;

use crate::attributes::{Answer, lines};
use crate::process::{self, Output};
use crate::sandbox::{PROGRAM, Sandbox};
use crate::tool;

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
    for name in ["keychain.lock", "rotation.lock", "rotation", "rotation-1"] {
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

/// The script, run by a shell that does something first, in the same process.
fn install_after(sandbox: &Sandbox, first: &str, words: &[&str]) -> Output {
    let mut command = at_home(sandbox, sandbox.command("/bin/sh"));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/install/install.sh");
    let line = format!("{first}; exec /bin/sh '{script}' --binary '{PROGRAM}' \"$@\"");
    command.args(["-c", &line, "sh"]).args(words);
    process::run(&mut command, b"")
}

#[test]
fn nothing_is_open_to_others_whatever_the_umask() {
    let sandbox = home();
    install_after(&sandbox, "umask 000", &[]).succeeded();
    let mut folders = vec![sandbox.path("home")];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let found = entry.metadata().unwrap();
            assert_eq!(found.permissions().mode() & 0o022, 0, "{entry:?}");
            if found.is_dir() {
                folders.push(entry.path());
            } else {
                count += 1;
            }
        }
    }
    assert_eq!(
        count, 6,
        "program, page, and completions for three shells and fish's git"
    );
}

#[test]
fn a_link_in_the_way_of_the_new_program_is_not_followed() {
    let sandbox = home();
    let victim = sandbox.path("work/victim");
    fs::write(&victim, "a person's").unwrap();
    let bin = sandbox.path("home/.local/bin");
    fs::create_dir_all(&bin).unwrap();
    let first = format!(
        "ln -s '{}' '{}/.git-credential-pat.new.'$$",
        victim.display(),
        bin.display()
    );
    install_after(&sandbox, &first, &[]).succeeded();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "a person's");
    assert!(bin.join("git-credential-pat").is_file());
}

#[test]
fn a_prefix_of_two_lines_is_refused() {
    let sandbox = home();
    let victim = sandbox.path("home/victim");
    fs::write(&victim, "a person's").unwrap();
    let prefix = format!("{}/a\n{}", sandbox.path("home").display(), victim.display());
    let words = ["--binary", PROGRAM, "--prefix", &prefix];
    let refused = script(&sandbox, "install.sh", &words);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let refused = script(&sandbox, "uninstall.sh", &words[2..]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert_eq!(fs::read_dir(sandbox.path("home")).unwrap().count(), 1);
    // Nor does a newline in the name of a file make two files of it, one of them in the working directory.
    let state = sandbox.path("home/.local/state/git-credential-pat");
    fs::create_dir_all(&state).unwrap();
    fs::write(state.join("rotation-\nvictim"), "").unwrap();
    script(&sandbox, "uninstall.sh", &["--purge"]).succeeded();
    assert!(victim.exists());
}

#[test]
fn a_command_that_the_script_shows_can_be_pasted() {
    let sandbox = home();
    let prefix = sandbox.path("home/it's $(touch pasted)");
    let said = install(&sandbox, &["--prefix", prefix.to_str().unwrap()]).text();
    let line = said.lines().find(|line| line.starts_with("  export "));
    let command = line.unwrap_or_else(|| panic!("{said}"));
    let mut shell = at_home(&sandbox, sandbox.command("/bin/sh"));
    shell.args(["-c", &format!("{command}; git-credential-pat --version")]);
    process::run(&mut shell, b"").succeeded();
    assert!(!sandbox.path("home/pasted").exists());
}

#[test]
fn the_root_folder_is_a_prefix() {
    let sandbox = home();
    for words in [
        &["install.sh", "--binary", PROGRAM][..],
        &["uninstall.sh"][..],
    ] {
        let words: Vec<&str> = [words, &["--prefix", "/", "--dry-run"]].concat();
        let said = script(&sandbox, words[0], &words[1..]).succeeded();
        assert!(said.text().contains(" /bin/git-credential-pat"), "{said:?}");
    }
}

#[test]
fn root_installs_nothing_in_the_home_of_a_user() {
    if !tool::is_root() {
        return;
    }
    let sandbox = home();
    chown(sandbox.path("home"), Some(54_321), Some(54_321)).unwrap();
    let refused = script(&sandbox, "install.sh", &["--binary", PROGRAM]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(
        refused.stderr.contains("belongs to another user"),
        "{refused:?}"
    );
    assert_eq!(fs::read_dir(sandbox.path("home")).unwrap().count(), 0);
}

/// A compiler without what the order of functions needs still links the program.
#[test]
fn the_linker_works_with_and_without_an_assembler() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let object = path("git_credential_pat-1/main.o");
    fs::create_dir(object.parent().unwrap()).unwrap();
    fs::write(path("main.c"), "int main(void) { return 7; }\n").unwrap();
    let refuses =
        "#!/bin/sh\ncase \" $* \" in *' -x assembler '*) exit 1 ;; esac\nexec cc \"$@\"\n";
    fs::write(path("refuses"), refuses).unwrap();
    fs::set_permissions(path("refuses"), PermissionsExt::from_mode(0o700)).unwrap();
    let mut compile = Command::new("cc");
    compile.args(["-ffunction-sections", "-c", "-o"]);
    process::run(compile.arg(&object).arg(path("main.c")), b"").succeeded();
    let linker = concat!(env!("CARGO_MANIFEST_DIR"), "/install/linker.sh");
    for compiler in [PathBuf::from("cc"), path("refuses")] {
        let program = path("program");
        let mut link = Command::new("/bin/sh");
        link.env("LINK_CC", &compiler).arg(linker).arg("-o");
        process::run(link.arg(&program).arg(&object), b"").succeeded();
        let status = Command::new(&program).status().unwrap();
        assert_eq!(status.code(), Some(7), "{compiler:?}");
        fs::remove_file(program).unwrap();
    }
}
