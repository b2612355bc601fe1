//! Files that belong to several users and groups: who may use one afterwards, and whose folders are used at all.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::Path;

use crate::attributes::lines;
use crate::process::{self, Output};
use crate::sandbox::Sandbox;
use crate::tool;

/// A user and a private group, in which it is or is not.
const USER: u32 = 54_321;
const GROUP: u32 = 54_400;

const LINES: &str = "https://alice:made-up-one@one.test\nnonsense\n";

fn write(path: &Path, text: &str, mode: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn owner(path: &Path) -> (u32, u32, u32) {
    let found = fs::metadata(path).unwrap();
    (found.uid(), found.gid(), found.mode() & 0o7777)
}

#[test]
fn a_source_that_loses_a_token_is_open_to_no_other_group() {
    if !tool::is_root() {
        return;
    }
    for (groups, mode, after) in [
        (&[GROUP][..], 0o640, (USER, GROUP, 0o640)),
        (&[], 0o640, (USER, USER, 0o600)),
        (&[], 0o660, (USER, USER, 0o600)),
        (&[], 0o644, (USER, USER, 0o644)),
        (&[], 0o604, (USER, USER, 0o600)),
    ] {
        let sandbox = Sandbox::new();
        sandbox.give_to(USER, USER);
        let path = sandbox.path("home/.git-credentials");
        write(&path, LINES, mode);
        chown(&path, Some(USER), Some(GROUP)).unwrap();
        let import = sandbox.helper("--storage file import --yes --remove-source git-store");
        let mut import = sandbox.as_user(USER, groups, &import);
        process::run(&mut import, b"").succeeded();
        assert_eq!(fs::read_to_string(&path).unwrap(), "nonsense\n");
        assert_eq!(owner(&path), after, "{mode:o}, {groups:?}");
    }
}

#[test]
fn roots_own_source_keeps_its_group() {
    if !tool::is_root() {
        return;
    }
    let sandbox = Sandbox::new();
    let path = sandbox.path("home/.git-credentials");
    write(&path, LINES, 0o640);
    chown(&path, Some(0), Some(GROUP)).unwrap();
    let words = "--storage file import --yes --remove-source git-store";
    sandbox.ask(words, b"").succeeded();
    assert_eq!(fs::read_to_string(&path).unwrap(), "nonsense\n");
    assert_eq!(owner(&path), (0, GROUP, 0o640));
}

#[test]
fn gits_configuration_is_open_to_no_other_group() {
    if !tool::is_root() {
        return;
    }
    for (groups, after) in [
        (&[GROUP][..], (USER, GROUP, 0o640)),
        (&[], (USER, USER, 0o600)),
    ] {
        let sandbox = Sandbox::new();
        let path = sandbox.path("gitconfig");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        sandbox.give_to(USER, USER);
        for words in ["setup", "setup --undo"] {
            chown(&path, Some(USER), Some(GROUP)).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
            let mut setup = sandbox.as_user(USER, groups, &sandbox.helper(words));
            process::run(&mut setup, b"").succeeded();
            assert_eq!(owner(&path), after, "{words}, {groups:?}");
        }
    }
}

/// stow and home-manager keep files of a home elsewhere, behind links.
#[test]
fn a_source_behind_a_link_is_read_and_changed_at_its_end() {
    let sandbox = Sandbox::new();
    let (link, end) = (
        sandbox.path("home/.git-credentials"),
        sandbox.path("work/dotfiles/credentials"),
    );
    write(&end, LINES, 0o600);
    symlink(&end, &link).unwrap();
    let hosts = sandbox.path("work/dotfiles/gh/hosts.yml");
    let yaml = "github.com:\n    oauth_token: ghp_madeup1\n    user: bob\n";
    write(&hosts, yaml, 0o600);
    symlink(hosts.parent().unwrap(), sandbox.path("config/gh")).unwrap();
    let done = sandbox
        .ask("--storage file import --yes --remove-source", b"")
        .succeeded();
    assert!(done.text().contains("imported 2 credentials"), "{done:?}");
    assert_eq!(done.stderr.matches("is a link").count(), 0, "{done:?}");
    assert_eq!(fs::read_to_string(&end).unwrap(), "nonsense\n");
    assert!(!fs::read_to_string(&hosts).unwrap().contains("madeup"));
    assert!(link.is_symlink() && end.is_file());
}

/// Killed at each step of removing a file of Git Credential Manager: its token is there, under whatever name, until it was
/// compared and removed, and the next run finds it.
#[test]
fn a_removal_that_is_killed_leaves_a_file_that_is_found_again() {
    for call in ["renameat", "unlinkat"] {
        let sandbox = Sandbox::new();
        let folder = sandbox.path("home/.gcm/store/git/https/one.test");
        let text = "made-up-one\nservice=git:https://one.test\naccount=alice\n";
        write(&folder.join("alice.credential"), text, 0o600);
        let words = "--storage file import gcm --yes --remove-source";
        let import = sandbox.helper(words);
        sandbox
            .ask("--storage file import gcm --yes", b"")
            .succeeded();
        let mut strace = sandbox.command(tool::need("strace"));
        strace.args(["-f", "-qq", "-o"]).arg(sandbox.path("log"));
        strace.args(["-e", &format!("inject=?{call}:signal=KILL")]);
        strace.arg(import.get_program()).args(import.get_args());
        let killed = process::run(&mut strace, b"");
        assert!(!killed.status.success(), "{call}: {killed:?}");
        let names: Vec<_> = fs::read_dir(&folder).unwrap().flatten().collect();
        assert_eq!(fs::read_to_string(names[0].path()).unwrap(), text);
        let is_aside = names[0].file_name() != "alice.credential";
        assert_eq!(is_aside, call == "unlinkat", "{names:?}");
        let again = sandbox.ask(words, b"").succeeded();
        assert!(again.text().contains("removed 1 copy"), "{again:?}");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "{again:?}");
    }
}

/// What was not read may hold anything.
#[test]
fn clean_calls_nothing_stale_only_where_it_has_looked() {
    let sandbox = Sandbox::new();
    let clean = || sandbox.ask("--storage file clean", b"").succeeded();
    assert_eq!(clean().text(), "nothing is stale\n");
    symlink("/proc/version", sandbox.path("home/.git-credentials")).unwrap();
    let done = clean();
    assert_eq!(done.text(), "nothing is stale in what could be read\n");
    assert!(done.stderr.contains("which is a link"), "{done:?}");
    assert!(done.stderr.contains("cause: /proc/version"), "{done:?}");
    assert!(!done.stderr.contains("name the file itself"), "{done:?}");
}

const RULE: &str = "storage = 'file'\n";

fn store(sandbox: &Sandbox) -> Output {
    let request = lines(&[
        ("protocol", "https"),
        ("host", "one.test"),
        ("username", "alice"),
        ("password", "made-up"),
    ]);
    process::run(
        &mut sandbox.as_user(USER, &[], &sandbox.helper("store")),
        &request,
    )
}

type Change = dyn Fn(&Sandbox);

const OTHER: Option<u32> = Some(USER + 1);

fn folder(sandbox: &Sandbox) -> std::path::PathBuf {
    sandbox.path("config/git-credential-pat")
}

/// Another user who can change the folder, one above it, or a link decides what is in the file.
#[test]
fn a_configuration_is_not_taken_from_where_another_user_can_put_it() {
    if !tool::is_root() {
        return;
    }
    let cases: [(&str, &Change, &str); 7] = [
        (
            "can be written by other users",
            &|sandbox| set(&folder(sandbox), 0o777),
            "config/git-credential-pat",
        ),
        (
            "can be written by other users",
            &|sandbox| set(&sandbox.path("config"), 0o777),
            "config",
        ),
        (
            "can be written by other users",
            &|sandbox| {
                chown(folder(sandbox), None, Some(GROUP)).unwrap();
                set(&folder(sandbox), 0o775);
            },
            "config/git-credential-pat",
        ),
        (
            "belongs to another user",
            &|sandbox| chown(folder(sandbox), OTHER, None).unwrap(),
            "config/git-credential-pat",
        ),
        (
            "belongs to another user",
            &|sandbox| {
                let file = folder(sandbox).join("config.toml");
                let real = sandbox.path("work/real.toml");
                fs::rename(&file, &real).unwrap();
                chown(&real, Some(0), Some(0)).unwrap();
                symlink(&real, &file).unwrap();
                lchown(&file, OTHER, None).unwrap();
            },
            "config/git-credential-pat/config.toml",
        ),
        (
            "the kernel makes up",
            &|sandbox| {
                let file = folder(sandbox).join("config.toml");
                fs::remove_file(&file).unwrap();
                symlink("/proc/version", &file).unwrap();
                lchown(&file, Some(USER), None).unwrap();
            },
            "config/git-credential-pat/config.toml",
        ),
        (
            "can be written by other users",
            &|sandbox| set(&folder(sandbox).join("config.toml"), 0o664),
            "config/git-credential-pat/config.toml",
        ),
    ];
    for (problem, change, place) in cases {
        let sandbox = Sandbox::new();
        write(&folder(&sandbox).join("config.toml"), RULE, 0o644);
        set(&folder(&sandbox), 0o755);
        sandbox.give_to(USER, USER);
        change(&sandbox);
        let refused = store(&sandbox);
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        let cause = format!("/{place} ");
        let told = refused
            .stderr
            .lines()
            .find(|line| line.starts_with("cause: "));
        let told = told.unwrap_or_default();
        assert!(
            told.contains(&cause) && told.ends_with(problem),
            "{refused:?}"
        );
        for part in ["error: cannot trust ", "\ncause: ", "\nhint: "] {
            assert!(refused.stderr.contains(part), "{refused:?}");
        }
        assert!(sandbox.files("data").is_empty(), "{problem}");
    }
    let sandbox = Sandbox::new();
    write(&folder(&sandbox).join("config.toml"), RULE, 0o644);
    sandbox.give_to(USER, USER);
    store(&sandbox).succeeded();
    assert!(!sandbox.files("data").is_empty());
}

/// As `umask 002` makes files, where each user has a group of their own: root's is one.
#[test]
fn a_configuration_may_be_open_to_ones_own_group() {
    if !tool::is_root() {
        return;
    }
    let sandbox = Sandbox::new();
    let folder = sandbox.path("config/git-credential-pat");
    write(&folder.join("config.toml"), RULE, 0o664);
    set(&folder, 0o775);
    let question = lines(&[("protocol", "https"), ("host", "one.test")]);
    sandbox.ask("get", &question).succeeded();
    chown(&folder, None, Some(GROUP)).unwrap();
    assert_eq!(sandbox.ask("get", &question).status.code(), Some(1));
}

fn set(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// As `sudo -E` and a container with a user's home have it. Everything that git asks is asked; nothing is made.
#[test]
fn root_makes_nothing_in_the_home_of_a_user() {
    if !tool::is_root() {
        return;
    }
    let sandbox = Sandbox::new();
    chown(sandbox.path("home"), Some(USER), Some(USER)).unwrap();
    for name in ["run", "config", "data", "state", "cache"] {
        fs::remove_dir(sandbox.path(name)).unwrap();
    }
    let ask = |words: &str, input: &[u8]| {
        let mut helper = sandbox.helper(words);
        for name in [
            "RUNTIME_DIR",
            "CONFIG_HOME",
            "DATA_HOME",
            "STATE_HOME",
            "CACHE_HOME",
        ] {
            helper.env_remove(format!("XDG_{name}"));
        }
        helper.env_remove("GIT_CONFIG_GLOBAL");
        process::run(&mut helper, input)
    };
    let made = || fs::read_dir(sandbox.path("home")).unwrap().count();
    let question = lines(&[("protocol", "https"), ("host", "one.test")]);
    let mut request = question.clone();
    request.truncate(request.len() - 1);
    request.extend_from_slice(b"username=alice\npassword=made-up\n\n");
    for storage in ["", "--storage memory", "--storage file"] {
        for operation in ["get", "erase"] {
            let output = ask(&format!("{storage} {operation}"), &question);
            assert!(output.stdout.is_empty(), "{storage} {operation} {output:?}");
            assert_eq!(made(), 0, "{storage} {operation}: {output:?}");
        }
        let output = ask(&format!("{storage} store"), &request);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(
            output.stderr.contains("belongs to another user"),
            "{output:?}"
        );
        assert!(output.stderr.contains("sudo -H"), "{output:?}");
        assert!(output.stderr.contains("export HOME=/root"), "{output:?}");
        assert_eq!(made(), 0, "{storage} store: {output:?}");
    }
    for words in ["setup", "list", "check", "doctor", "clean", "cache status"] {
        let output = ask(words, b"");
        assert_eq!(made(), 0, "{words}: {output:?}");
        if words == "setup" {
            assert_eq!(output.status.code(), Some(1), "{output:?}");
            assert!(
                output.stderr.contains("belongs to another user"),
                "{output:?}"
            );
        }
    }
}

/// As home-manager keeps it: there root's right changes nothing.
#[test]
fn a_generated_configuration_gets_a_hint_that_is_possible() {
    let sandbox = Sandbox::new();
    let generated = sandbox.path("work/generated");
    fs::rename(sandbox.path("gitconfig"), &generated).unwrap();
    // Not even root makes a file beside this one.
    symlink("/proc/version", sandbox.path("gitconfig")).unwrap();
    let words = "setup";
    let setup = sandbox.ask(words, b"");
    assert_eq!(setup.status.code(), Some(1), "{setup:?}");
    assert!(!setup.stderr.contains("--system"), "{setup:?}");
    assert!(!setup.stderr.contains("sudo"), "{setup:?}");
}

#[test]
fn a_home_that_is_not_there_is_not_made() {
    let sandbox = Sandbox::new();
    let home = sandbox.path("home/nonexistent");
    let request = b"protocol=https\nhost=one.test\nusername=alice\npassword=made-up\n\n";
    for storage in ["memory", "file"] {
        for operation in ["get", "store", "erase"] {
            let mut helper = sandbox.helper(&format!("--storage {storage} {operation}"));
            for name in ["RUNTIME_DIR", "CONFIG_HOME", "DATA_HOME", "STATE_HOME"] {
                helper.env_remove(format!("XDG_{name}"));
            }
            let output = process::run(helper.env("HOME", &home), request);
            if operation == "store" {
                assert_eq!(output.status.code(), Some(1), "{output:?}");
                assert!(output.stderr.contains("nonexistent"), "{output:?}");
            }
            assert!(!home.exists(), "{storage} {operation}: {output:?}");
        }
    }
}
