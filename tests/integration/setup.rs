//! What `setup` writes, `setup --undo` takes back. A file that is as `setup` left it becomes byte for byte as it was. From any
//! other file our lines go by `git config`; the rest stays, and is named where it may be ours.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::process;
use crate::sandbox::{PROGRAM, Sandbox};

const ONE: &str = "https://one.test";
const TWO: &str = "https://bob@two.test:8443/deep";

const FILES: [Option<&str>; 10] = [
    None,
    Some(""),
    Some("[user]\n\tname = a"),
    Some("[user]\r\n\tname = a\r\n[credential]\r\n\thelper = store\r\n"),
    Some("# first\n[credential] ; mine\n\t# a comment\n\thelper = cache\n\n# last\n\n"),
    Some("[credential]\n\thelper =\n\thelper = store\n[user]\n\tname = a\n"),
    Some(
        "[credential \"https://one.test\"]\n\tusername = alice\n[http]\n\tcookieFile = made-up\n[credential]\n\thelper = store",
    ),
    Some(
        "[credential \"https://one.test/acme\"]\n\tuseHttpPath = false\n[credential \"https://one.test\"]\n\thelper = \n",
    ),
    Some(
        "[credential \"https://one.test/acme\"]\n\tuseHttpPath = true\n\thelper = !f() { :; }; f\n",
    ),
    Some("[alias]\n\tx = \"!git log \\\n--all\"\n\n\n[credential]\n"),
];

/// The last change of a key is the first to be taken back.
const IN_ORDER: [&[&str]; 11] = [
    &["setup", "setup --undo"],
    &["setup --replace", "setup --undo"],
    &["setup ONE", "setup --undo ONE"],
    &["setup --replace ONE", "setup --undo ONE"],
    &["setup --replace ONE", "setup --undo"],
    &["setup --replace TWO", "setup --undo TWO"],
    &["setup", "setup", "--storage file setup", "setup --undo"],
    &[
        "setup --replace ONE",
        "--storage file setup ONE",
        "--storage memory setup --replace ONE",
        "setup --undo ONE",
    ],
    &[
        "setup ONE",
        "setup --replace TWO",
        "setup --replace",
        "setup --undo",
    ],
    &[
        "setup --replace TWO",
        "setup --replace ONE",
        "setup --undo --dry-run",
        "setup --undo ONE",
        "setup --undo TWO",
    ],
    &[
        "setup",
        "--storage file setup",
        "setup --replace TWO",
        "setup --undo TWO",
        "setup --undo",
    ],
];

const OUT_OF_ORDER: [&[&str]; 3] = [
    &[
        "setup --replace ONE",
        "setup --replace TWO",
        "setup",
        "setup --undo ONE",
        "setup --undo TWO",
        "setup --undo",
    ],
    &[
        "setup",
        "setup --replace ONE",
        "--storage file setup",
        "setup TWO",
        "setup --undo TWO",
        "setup --undo ONE",
        "setup --undo",
    ],
    &[
        "setup --replace TWO",
        "setup --replace ONE",
        "setup --undo TWO",
        "setup --undo ONE",
    ],
];

fn words(line: &str) -> String {
    line.replace("ONE", ONE).replace("TWO", TWO)
}

fn with_rules() -> Sandbox {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("config/git-credential-pat");
    fs::create_dir_all(&folder).unwrap();
    let rules = "[[account]]\nurl = 'https://one.test/acme'\n[[account]]\nurl = 'https://two.test:8443/x'\n";
    fs::write(folder.join("config.toml"), rules).unwrap();
    sandbox
}

fn put(path: &Path, text: Option<&str>) {
    match text {
        Some(text) => fs::write(path, text).unwrap(),
        None => drop(fs::remove_file(path)),
    }
}

fn is(path: &Path) -> Option<String> {
    path.exists().then(|| fs::read_to_string(path).unwrap())
}

/// Where a file of git's settings is.
type Place = fn(&Sandbox) -> PathBuf;

#[test]
fn every_file_is_as_it_was() {
    let sandbox = with_rules();
    let file = sandbox.path("gitconfig");
    for before in FILES {
        for plan in IN_ORDER {
            put(&file, before);
            for line in plan {
                sandbox.ask(&words(line), b"").succeeded();
                if !line.contains("--undo") {
                    assert_ne!(is(&file).as_deref(), before, "{plan:?}");
                }
            }
            assert_eq!(is(&file).as_deref(), before, "{plan:?}");
            assert_eq!(records(&sandbox), "[]", "{plan:?}");
        }
    }
}

fn records(sandbox: &Sandbox) -> String {
    is(&sandbox.path("state/git-credential-pat/setup--global/setup")).unwrap()
}

/// Every setting of the user, as git reads it.
fn settings(sandbox: &Sandbox) -> Vec<String> {
    let mut git = sandbox.git(&["config", "--global", "--list"]);
    let listed = process::run(&mut git, b"").text();
    let mut listed: Vec<String> = listed.lines().map(str::to_owned).collect();
    listed.sort();
    listed
}

#[test]
fn in_any_order_every_setting_is_as_it_was() {
    let sandbox = with_rules();
    let file = sandbox.path("gitconfig");
    for before in FILES {
        for plan in OUT_OF_ORDER {
            put(&file, before);
            let expected = settings(&sandbox);
            for line in plan {
                let output = sandbox.ask(&words(line), b"").succeeded();
                assert!(!output.stderr.contains("stays"), "{plan:?}: {output:?}");
            }
            assert_eq!(settings(&sandbox), expected, "{before:?} {plan:?}");
            assert_eq!(records(&sandbox), "[]", "{plan:?}");
        }
    }
}

/// What is not said stays as it was, so that what is kept is still found; a second time there is nothing to do.
#[test]
fn options_stay_unless_others_are_given() {
    for (before, lines, expected) in [
        (
            "",
            &["--storage file --timeout 8h setup", "setup --replace"][..],
            &[("credential.helper", "--storage file --timeout 28800")][..],
        ),
        (
            "",
            &["--storage file --timeout 8h setup", "--timeout 60 setup"],
            &[("credential.helper", "--storage file --timeout 60")],
        ),
        (
            "",
            &["--storage file setup", "setup --replace ONE"],
            &[
                ("credential.helper", "--storage file"),
                ("credential.https://one.test.helper", "--storage file"),
            ],
        ),
        (
            "",
            &[
                "--storage file setup ONE",
                "setup",
                "setup TWO",
                "setup ONE",
            ],
            &[
                ("credential.https://one.test.helper", "--storage file"),
                ("credential.helper", ""),
                ("credential.https://bob@two.test:8443/deep.helper", ""),
            ],
        ),
        (
            "[credential]\n\thelper = pat --timeout=1h\n",
            &["setup"],
            &[("credential.helper", "--timeout 3600")],
        ),
        (
            "[credential]\n\thelper = pat --storage nowhere\n",
            &["setup"],
            &[("credential.helper", "")],
        ),
    ] {
        let sandbox = Sandbox::new();
        let file = sandbox.path("gitconfig");
        put(&file, Some(before));
        for line in lines {
            sandbox.ask(&words(line), b"").succeeded();
        }
        let once = is(&file);
        for line in lines.iter().skip(lines.len() - 1) {
            let again = sandbox.ask(&words(line), b"").succeeded();
            assert_eq!(again.stdout, b"git asks this helper already\n", "{lines:?}");
        }
        assert_eq!(is(&file), once, "{lines:?}");
        let config = ["config", "--global", "--get-regexp", "helper$"];
        let listed = process::run(&mut sandbox.git(&config), b"").succeeded();
        let listed = String::from_utf8(listed.stdout).unwrap();
        let listed = listed.replace(&format!("{PROGRAM} "), "");
        let listed = listed.replace(PROGRAM, "");
        let ours: Vec<(&str, &str)> = listed
            .lines()
            .filter_map(|line| line.split_once(' '))
            .filter(|(key, value)| !value.is_empty() || expected.contains(&(*key, "")))
            .collect();
        assert_eq!(ours, expected, "{lines:?}: {listed}");
        if before.is_empty() {
            sandbox.ask("setup --undo", b"").succeeded();
            assert_eq!(is(&file).as_deref(), Some(before), "{lines:?}");
        }
    }
}

/// A repository's line takes over what the person has chosen; one for all users does not.
#[test]
fn options_go_from_a_person_to_a_repository() {
    let sandbox = Sandbox::new();
    sandbox.ask("--storage file setup", b"").succeeded();
    process::run(&mut sandbox.git(&["init", "-q"]), b"").succeeded();
    let local = sandbox.ask("setup --local --dry-run", b"").succeeded();
    assert!(
        local.stdout.ends_with(b"\\ --storage\\ file\n"),
        "{local:?}"
    );
    let system = sandbox.ask("setup --system --dry-run", b"").succeeded();
    let system = String::from_utf8(system.stdout).unwrap();
    assert!(
        system.contains("--system --add") && !system.contains("--storage"),
        "{system}"
    );
}

/// Without a record the empty line before ours may be the user's: it stays, and is named with the command that removes it.
#[test]
fn a_reset_without_a_record_is_told() {
    let before = "[credential]\n\thelper = store\n";
    for url in ["", ONE] {
        let sandbox = Sandbox::new();
        let file = sandbox.path("gitconfig");
        put(&file, Some(before));
        let told = "an empty credential";
        for line in ["setup --replace", "setup --undo --dry-run", "setup --undo"] {
            let output = sandbox.ask(&format!("{line} {url}"), b"").succeeded();
            assert!(!output.stderr.contains(told), "{line}: {output:?}");
        }
        assert_eq!(is(&file).as_deref(), Some(before));

        sandbox
            .ask(&format!("setup --replace {url}"), b"")
            .succeeded();
        fs::remove_dir_all(sandbox.path("state/git-credential-pat")).unwrap();
        for line in ["setup --undo --dry-run", "setup --undo"] {
            let output = sandbox.ask(&format!("{line} {url}"), b"").succeeded();
            let place = format!("helper stays in {}: git asks no", file.display());
            assert!(output.stderr.contains(told), "{output:?}");
            assert!(output.stderr.contains(&place), "{output:?}");
            let command = output.stderr.lines().find_map(|line| {
                let (_, command) = line.split_once("remove it with: ")?;
                Some(command.to_owned())
            });
            let command = command.expect("the command");
            if line == "setup --undo" {
                let mut shell = sandbox.command("/bin/sh");
                process::run(shell.args(["-c", &command]), b"").succeeded();
            }
        }
        let left = is(&file).unwrap();
        assert!(
            left.starts_with(before) && !left.contains("helper =\n"),
            "{left}"
        );
    }
}

/// git reads more ways of writing one than it writes.
#[test]
fn a_reset_on_a_headings_line_is_told() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("gitconfig");
    let lone = "[credential] helper =\n";
    for (before, hint) in [
        (lone.to_owned(), "--unset-all credential.helper"),
        (format!("{lone}\thelper =\n"), "--edit"),
    ] {
        let ours = format!("{before}\thelper = {PROGRAM}\n");
        put(&file, Some(&ours));
        let output = sandbox.ask("setup --undo", b"").succeeded();
        let says = format!("credential.helper stays in {}: git asks", file.display());
        assert!(output.stderr.contains(&says), "{output:?}");
        assert!(output.stderr.contains(hint), "{output:?}");
        assert_eq!(is(&file).unwrap(), before);
    }
}

/// The user's lines stay, and no command that is shown would remove them.
#[test]
fn without_a_record_the_users_own_lines_are_safe() {
    let sandbox = with_rules();
    let file = sandbox.path("gitconfig");
    put(&file, Some("[credential]\n\thelper =\n\thelper = store\n"));
    sandbox.ask("setup --replace", b"").succeeded();
    fs::remove_dir_all(sandbox.path("state/git-credential-pat")).unwrap();
    let output = sandbox.ask("setup --undo", b"").succeeded();
    let told = "an empty credential.helper stays in";
    assert!(output.stderr.contains(told), "{output:?}");
    assert!(
        !output.stderr.contains("--unset-all credential.helper"),
        "{output:?}"
    );
    let edit = format!("git config --file {} --edit", file.display());
    assert!(output.stderr.contains(&edit), "{output:?}");

    // What rules for accounts had it write is told, too, with the command that takes it out.
    let told = format!(
        "credential.https://one.test/acme.usehttppath stays in {}",
        file.display()
    );
    assert!(output.stderr.contains(&told), "{output:?}");
    for line in output
        .stderr
        .lines()
        .filter(|line| line.contains("--unset-all"))
    {
        let (_, command) = line.split_once("remove it with: ").unwrap();
        let mut shell = sandbox.command("/bin/sh");
        process::run(shell.args(["-c", command]), b"").succeeded();
    }
    assert!(!is(&file).unwrap().contains("useHttpPath"));
    assert!(
        is(&file)
            .unwrap()
            .starts_with("[credential]\n\thelper =\n\thelper = store\n")
    );
}

/// Git writes to the one, once the other is there; it goes on reading both.
#[test]
fn undo_finds_its_lines_in_either_global_file() {
    let sandbox = Sandbox::new();
    let at = |sandbox: &Sandbox, words: &str| {
        let mut helper = sandbox.helper(words);
        process::run(helper.env_remove("GIT_CONFIG_GLOBAL"), b"").succeeded()
    };
    let (elder, younger) = (
        sandbox.path("config/git/config"),
        sandbox.path("home/.gitconfig"),
    );
    fs::create_dir_all(elder.parent().unwrap()).unwrap();
    put(&elder, Some("[user]\n\tname = a\n"));
    at(&sandbox, "setup");
    assert!(is(&elder).unwrap().contains("git-credential-pat"));
    put(&younger, Some("[user]\n\temail = a@example.test\n"));
    fs::remove_dir_all(sandbox.path("state/git-credential-pat")).unwrap();
    let output = at(&sandbox, "setup --undo");
    assert!(
        !is(&elder).unwrap().contains("git-credential-pat"),
        "{output:?}"
    );
    assert!(!output.text().contains("nothing to undo"), "{output:?}");
}

/// A state folder that other users may write to is not believed; the lines go all the same.
#[test]
fn undo_does_without_records_that_are_not_private() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("gitconfig");
    sandbox.ask("setup", b"").succeeded();
    let folder = sandbox.path("state/git-credential-pat/setup--global");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    let output = sandbox.ask("setup --undo", b"").succeeded();
    assert!(output.stderr.contains("hint: "), "{output:?}");
    assert!(
        !is(&file).unwrap().contains("git-credential-pat"),
        "{output:?}"
    );
}

/// Whoever is asked for single URLs is named, with the command that changes it there.
#[test]
fn other_helpers_of_single_urls_are_named() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("gitconfig");
    let one = "[credential \"https://one.test\"]\n\thelper =\n\thelper = !/usr/bin/gh auth git-credential\n";
    let told =
        "warning: git asks another helper too for https://one.test: a shell command (!/usr/bin/gh";
    for (words, is_told) in [
        ("setup", true),
        ("setup --replace", true),
        ("setup https://one.test", true),
        ("setup --replace https://one.test", false),
        ("setup https://two.test", false),
    ] {
        put(&file, Some(one));
        let output = sandbox.ask(words, b"").succeeded();
        assert_eq!(output.stderr.contains(told), is_told, "{words}: {output:?}");
        sandbox.ask("setup --undo", b"").succeeded();
    }
    put(&file, Some(&format!("{one}\thelper =\n")));
    let output = sandbox.ask("setup", b"").succeeded();
    assert!(
        !output.stderr.contains("another helper"),
        "it is forgotten already: {output:?}"
    );
}

/// A URL in a key may hold a password: it is neither shown nor an argument of git, which every user of the system can read.
#[test]
fn no_password_in_a_key_is_shown() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("gitconfig");
    let ours = "[credential \"https://alice:made-up@one.test\"]\n\thelper =\n\thelper = /usr/bin/git-credential-pat\n\
        [credential \"https://ghp_0123456789abcdefghijABCDEFGHIJ012345@one.test\"]\n\thelper = pat\n";
    put(&file, Some(ours));
    let path = with_git_that(&sandbox, 0, ":");
    for words in [
        "doctor",
        "doctor https://alice@one.test",
        "setup --dry-run https://alice:made-up@one.test",
        "setup --undo --dry-run",
        "setup --undo",
        "setup --undo https://alice:made-up@one.test",
    ] {
        let output = process::run(sandbox.helper(words).env("PATH", &path), b"");
        let said = is(&sandbox.path("arguments"));
        let said = [output.text(), output.stderr.clone(), said.unwrap()];
        for shown in said {
            assert!(!shown.contains("made-up"), "{words}: {shown}");
            assert!(!shown.contains("ghp_"), "{words}: {shown}");
        }
        if words.starts_with("setup --undo") && !words.contains("https") {
            for user in ["alice:***", "***"] {
                let told = format!(
                    "credential.https://{user}@one.test.helper stays in {}: git still asks",
                    file.display()
                );
                assert!(output.stderr.contains(&told), "{output:?}");
            }
            let edit = format!("with: git config --file {} --edit", file.display());
            assert_eq!(output.stderr.matches(&edit).count(), 3, "{output:?}");
        }
    }
    assert_eq!(is(&file).as_deref(), Some(ours));
}

/// The other of two URLs keeps what was written for it, and every setting is read by git itself.
#[test]
fn only_that_urls_lines_go() {
    for before in FILES {
        let sandbox = with_rules();
        let file = sandbox.path("gitconfig");
        put(&file, before);
        let helpers = |url: &str| {
            let key = format!("credential.{url}.helper");
            let mut git = sandbox.git(&["config", "--global", "--get-all", &key]);
            process::run(&mut git, b"").text()
        };
        let (first, all) = (helpers(ONE), settings(&sandbox));
        for line in ["setup --replace ONE", "setup --replace TWO"] {
            sandbox.ask(&words(line), b"").succeeded();
        }
        let second = helpers(TWO);
        assert!(second.starts_with('\n') && second.contains("git-credential-pat"));
        sandbox.ask(&words("setup --undo ONE"), b"").succeeded();
        assert_eq!((helpers(ONE), helpers(TWO)), (first, second), "{before:?}");
        sandbox.ask(&words("setup --undo TWO"), b"").succeeded();
        assert_eq!(settings(&sandbox), all, "{before:?}");
    }
}

/// Wherever git keeps its settings, links among them.
#[test]
fn everywhere() {
    let at_home = |sandbox: &Sandbox| sandbox.path("home/.gitconfig");
    let in_settings = |sandbox: &Sandbox| {
        let folder = sandbox.path("config/git");
        fs::create_dir_all(&folder).unwrap();
        folder.join("config")
    };
    let linked = |sandbox: &Sandbox| {
        let real = sandbox.path("work/dotfiles");
        symlink(&real, sandbox.path("home/.gitconfig")).unwrap();
        real
    };
    let of_repository = |sandbox: &Sandbox| {
        process::run(&mut sandbox.git(&["init", "--quiet", "."]), b"").succeeded();
        sandbox.path("work/.git/config")
    };
    let of_system = |sandbox: &Sandbox| sandbox.path("work/system");
    let places: [(&str, Place); 5] = [
        ("--global", at_home),
        ("--global", in_settings),
        ("--global", linked),
        ("--local", of_repository),
        ("--system", of_system),
    ];
    for (number, (scope, place)) in places.into_iter().enumerate() {
        for before in [FILES[0], FILES[2], FILES[6]] {
            let sandbox = with_rules();
            let file = place(&sandbox);
            // A repository without its settings is none, and git writes to the settings folder only what is there.
            let before = if before.is_none() && [1, 3].contains(&number) {
                is(&file)
            } else {
                before.map(str::to_owned)
            };
            if number == 1 && before.is_none() {
                continue;
            }
            put(&file, before.as_deref());
            if before.is_some() {
                fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
            }
            for line in [
                "setup",
                "--storage file setup --replace",
                "setup --replace ONE",
                "setup --undo ONE",
                "setup --undo",
            ] {
                let line = words(line).replace("setup", &format!("setup {scope}"));
                let mut helper = sandbox.helper(&line);
                helper.env_remove("GIT_CONFIG_GLOBAL");
                helper.env("GIT_CONFIG_SYSTEM", sandbox.path("work/system"));
                let said = process::run(&mut helper, b"").succeeded();
                if !line.contains("--undo") {
                    assert_ne!(is(&file), before, "{scope} {number}: {said:?}");
                }
            }
            assert_eq!(is(&file), before, "{scope} {number}");
            if number == 2 {
                let link = sandbox.path("home/.gitconfig");
                assert!(fs::symlink_metadata(link).unwrap().is_symlink());
            }
            if before.is_some() {
                let mode = fs::metadata(&file).unwrap().permissions().mode();
                assert_eq!(mode & 0o777, 0o640, "{scope} {number}");
            }
        }
    }
}

/// One repository's settings are no other's.
#[test]
fn each_repository_is_taken_back_by_itself() {
    let sandbox = Sandbox::new();
    let run = |folder: &str, words: &str| {
        let mut helper = sandbox.helper(words);
        helper.current_dir(sandbox.path(folder));
        process::run(&mut helper, b"").succeeded();
    };
    let config = |folder: &str| fs::read(sandbox.path(folder).join(".git/config")).unwrap();
    for folder in ["work/a", "work/b"] {
        let mut git = sandbox.git(&["init", "--quiet", folder.trim_start_matches("work/")]);
        process::run(&mut git, b"").succeeded();
    }
    let before = config("work/a");
    for folder in ["work/a", "work/b"] {
        run(folder, "setup --local");
    }
    let other = config("work/b");
    run("work/a", "setup --local --undo");
    assert_eq!(
        (config("work/a"), config("work/b")),
        (before.clone(), other)
    );
    run("work/b", "setup --local --undo");
    assert_eq!(config("work/b"), before);
}

/// Another program changes the file between: its lines stay, and the lines of setup go.
#[test]
fn what_was_changed_meanwhile_stays() {
    for (plan, undo) in [
        (&["setup"][..], &["setup --undo"][..]),
        (&["setup --replace ONE"], &["setup --undo ONE"]),
        (
            &["setup --replace ONE", "setup --replace TWO", "setup"],
            &["setup --undo ONE", "setup --undo TWO", "setup --undo"],
        ),
        (
            &["setup ONE", "--storage file setup --replace ONE"],
            &["setup --undo"],
        ),
    ] {
        for edit in [
            &["config", "--global", "user.email", "a@example.test"][..],
            &[
                "config",
                "--global",
                "--add",
                "credential.https://one.test.helper",
                "store",
            ],
            &["config", "--global", "--add", "credential.helper", "store"],
            &[
                "config",
                "--global",
                "credential.https://one.test.username",
                "alice",
            ],
            &[
                "config",
                "--global",
                "credential.https://one.test/acme.username",
                "alice",
            ],
            &["config", "--global", "--unset-all", "user.name"],
        ] {
            let sandbox = with_rules();
            let file = sandbox.path("gitconfig");
            let before = "# mine\n[user]\n\tname = a\n[core]\n\tpager = less";
            // What the same edit makes of the file without us.
            put(&file, Some(before));
            process::run(&mut sandbox.git(edit), b"").succeeded();
            let expected = settings(&sandbox);

            put(&file, Some(before));
            for line in plan {
                sandbox.ask(&words(line), b"").succeeded();
            }
            process::run(&mut sandbox.git(edit), b"").succeeded();
            for line in undo {
                sandbox.ask(&words(line), b"").succeeded();
            }
            let text = is(&file).unwrap();
            assert_eq!(settings(&sandbox), expected, "{plan:?} {edit:?}: {text}");
            assert!(text.starts_with("# mine\n"), "{text}");
        }
    }
}

/// git's own lock on the file is respected, and nothing is left beside it.
#[test]
fn a_lock_of_gits_is_respected() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("gitconfig");
    let before = is(&file);
    sandbox.ask("setup --replace", b"").succeeded();
    let after = is(&file);
    let lock = sandbox.path("gitconfig.lock");
    fs::write(&lock, "").unwrap();
    for line in [
        "setup --undo",
        "--storage file setup",
        "setup https://one.test",
    ] {
        let refused = sandbox.ask(line, b"");
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        let told = format!("error: {} is there: ", lock.display());
        assert!(refused.stderr.contains(&told), "{refused:?}");
        assert!(refused.stderr.contains("remove that file"), "{refused:?}");
        assert!(!refused.stderr.contains("one by one"), "{refused:?}");
        assert_eq!(is(&file), after);
        assert!(lock.exists());
    }
    fs::remove_file(&lock).unwrap();
    sandbox.ask("setup --undo", b"").succeeded();
    assert_eq!(is(&file), before);
    assert!(!lock.exists());
}

fn git(sandbox: &Sandbox, arguments: &[&str]) {
    process::run(&mut sandbox.git(arguments), b"").succeeded();
}

/// git removes every empty line of a key or none. So with one of the user's, as `gh auth setup-git` writes it, both stay.
#[test]
fn of_two_resets_none_goes_and_they_are_told() {
    for (url, heading) in [("", "credential"), (ONE, "credential \"https://one.test\"")] {
        let sandbox = Sandbox::new();
        let file = sandbox.path("gitconfig");
        let before = format!("[{heading}]\n\thelper = \n\thelper = !true\n");
        put(&file, Some(&before));
        sandbox
            .ask(&format!("setup --replace {url}"), b"")
            .succeeded();
        git(&sandbox, &["config", "--global", "user.email", "a@b.test"]);
        let output = sandbox.ask(&format!("setup --undo {url}"), b"").succeeded();
        let expected = format!("{before}\thelper = \n[user]\n\temail = a@b.test\n");
        assert_eq!(is(&file), Some(expected), "{output:?}");
        let told = format!("helper stays in {}: git asks no", file.display());
        assert!(output.stderr.contains(&told), "{output:?}");
        let edit = format!("with: git config --file {} --edit", file.display());
        assert!(output.stderr.contains(&edit), "{output:?}");
    }
}

/// Our line is gone, and the empty one may be the user's by now: it stays, and is told.
#[test]
fn a_reset_that_may_be_ours_is_told() {
    let ours = format!("credential.{ONE}.helper");
    let sandbox = Sandbox::new();
    let file = sandbox.path("gitconfig");
    for before in [
        "[credential]\n\thelper = store\n",
        "[credential \"https://one.test\"]\n\thelper = \n\thelper = store\n",
    ] {
        put(&file, Some(before));
        sandbox.ask(&words("setup --replace ONE"), b"").succeeded();
        git(&sandbox, &["config", "--global", "--unset", &ours, "pat$"]);
        let left = is(&file);
        let told = format!("helper stays in {}: git asks no", file.display());
        for line in ["setup --undo --dry-run", "setup --undo ONE"] {
            let output = sandbox.ask(&words(line), b"").succeeded();
            assert!(output.stderr.contains(&told), "{output:?}");
            assert!(!output.text().contains("restored"), "{output:?}");
            assert!(!output.text().contains("no line"), "{output:?}");
            assert_eq!(is(&file), left);
        }
        assert_eq!(records(&sandbox), "[]");
    }
}

/// A file that git does not read now may belong to another home.
#[test]
fn a_file_that_git_no_longer_reads_stays() {
    let sandbox = Sandbox::new();
    let other = sandbox.path("other");
    put(&other, Some("[credential]\n\thelper = store\n"));
    let run = |words: &str| {
        let mut helper = sandbox.helper(words);
        process::run(helper.env("GIT_CONFIG_GLOBAL", &other), b"").succeeded()
    };
    run("setup --replace");
    let set = is(&other);
    let output = sandbox.ask("setup --undo", b"").succeeded();
    assert!(
        output
            .text()
            .starts_with("nothing to undo: no line for this helper"),
        "{output:?}"
    );
    assert_eq!(is(&other), set);
    run("setup --undo");
    assert_eq!(is(&other).unwrap(), "[credential]\n\thelper = store\n");
}

/// A record holds the lines that came and went, and nothing else of the file.
#[test]
fn a_record_holds_no_other_line() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("gitconfig");
    let twice = "[credential]\n\thelper = pat\n[http]\n\textraHeader = made-up\n[credential]\n\thelper = pat\n";
    for before in [
        "[http]\n\textraHeader = made-up\n[credential]\n\thelper = pat\n[x]\n\ty = made-up",
        twice,
    ] {
        put(&file, Some(before));
        sandbox
            .ask("--storage file setup --replace", b"")
            .succeeded();
        let bytes: Vec<String> = b"made-up".iter().map(u8::to_string).collect();
        let noted = records(&sandbox);
        assert!(noted.contains("changes"), "{noted}");
        assert!(
            !noted.contains(&bytes.join(",")) && !noted.contains("made-up"),
            "{noted}"
        );
        let output = sandbox.ask("setup --undo", b"").succeeded();
        assert!(!is(&file).unwrap().contains("helper"), "{output:?}");
    }
}

/// In front of git: counts what it is asked to change, and at the chosen one does something.
fn with_git_that(sandbox: &Sandbox, number: usize, does: &str) -> String {
    let folder = sandbox.path("bin");
    fs::create_dir_all(&folder).unwrap();
    let path = std::env::var("PATH").unwrap();
    let count = sandbox.path("count");
    drop(fs::remove_file(&count));
    let script = format!(
        "#!/bin/sh\nPATH='{path}'\necho \"$*\" >> {arguments}\ncase \"$*\" in *--add*|*--unset-all*)\n\techo x >> {count}\n\
         \tif [ $(wc -l < {count}) -eq {number} ]; then {does}; fi;;\nesac\nexec git \"$@\"\n",
        count = count.display(),
        arguments = sandbox.path("arguments").display(),
    );
    let program = folder.join("git");
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:{path}", folder.display())
}

/// Signals wait while git's lock is held. Killed outright, the lock is left as git's own would be, and the file is as it was.
#[test]
fn whatever_ends_setup_the_file_is_whole() {
    let before = "[user]\n\tname = a\n[credential]\n\thelper = store";
    for (signal, number) in [
        ("INT", 2),
        ("TERM", 2),
        ("HUP", 3),
        ("KILL", 2),
        ("KILL", 4),
    ] {
        let sandbox = with_rules();
        let file = sandbox.path("gitconfig");
        put(&file, Some(before));
        let line = words("setup --replace ONE");
        sandbox.ask("setup", b"").succeeded();
        let middle = is(&file);
        // What an orphan does, and when, is nothing to go by.
        let then = if signal == "KILL" { "exit 1" } else { ":" };
        let does = format!("kill -{signal} $PPID; {then}");
        let path = with_git_that(&sandbox, number, &does);
        // ONE has two lines and a rule; then the options change.
        for line in [line.as_str(), "--storage file setup --replace"] {
            let mut helper = sandbox.helper(line);
            process::run(helper.env("PATH", &path), b"");
        }
        let lock = sandbox.path("gitconfig.lock");
        assert_eq!(lock.exists(), signal == "KILL", "{signal}");
        if signal == "KILL" {
            assert_ne!(is(&file), None);
            drop(fs::remove_file(&lock));
        } else {
            assert_ne!(is(&file), middle, "{signal}");
        }
        let locks = fs::read_dir(sandbox.path(".")).unwrap().flatten();
        let locks = locks.filter(|found| found.path().extension().is_some_and(|end| end == "lock"));
        assert_eq!(locks.count(), 0, "{signal}");
        let output = sandbox.ask("setup --undo", b"").succeeded();
        assert_eq!(is(&file).as_deref(), Some(before), "{signal} {output:?}");
    }
}

/// As git 2.39 does over a helper without a value: nothing of it is left, and it is told.
#[test]
fn a_git_that_crashes_leaves_nothing() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("gitconfig");
    sandbox.ask("setup", b"").succeeded();
    let before = is(&file);
    let path = with_git_that(
        &sandbox,
        1,
        "shift; echo > \"$2.lock\"; test -e \"$2.lock\" && kill -SEGV $$",
    );
    let mut helper = sandbox.helper("--storage file setup");
    let output = process::run(helper.env("PATH", &path), b"");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stderr.contains("ended by signal 11"), "{output:?}");
    assert!(output.stderr.contains("hint: "), "{output:?}");
    assert_eq!(is(&file), before);
    let left = fs::read_dir(sandbox.path(".")).unwrap().flatten();
    let left: Vec<_> = left.map(|found| found.file_name()).collect();
    let is_lock = |name: &&std::ffi::OsString| name.to_string_lossy().contains(".lock");
    assert_eq!(left.iter().find(is_lock), None);
    sandbox.ask("--storage file setup", b"").succeeded();
}

/// One repository, from wherever one looks at it.
#[test]
fn a_repository_is_the_same_from_every_folder() {
    let sandbox = Sandbox::new();
    git(&sandbox, &["init", "--quiet", "one"]);
    let file = sandbox.path("work/one/.git/config");
    git(
        &sandbox,
        &[
            "-C",
            "one",
            "commit",
            "--quiet",
            "--allow-empty",
            "--message=x",
        ],
    );
    git(
        &sandbox,
        &["-C", "one", "worktree", "add", "--quiet", "../tree"],
    );
    let text = fs::read_to_string(&file).unwrap();
    fs::create_dir_all(sandbox.path("work/one/a/b")).unwrap();
    symlink(sandbox.path("work/one/a"), sandbox.path("work/link")).unwrap();
    for before in [text.clone(), text.trim_end().to_owned()] {
        for from in ["one", "one/a/b", "one/.git", "tree", "link", "."] {
            for to in ["one", "one/a", "tree", "."] {
                put(&file, Some(&before));
                for (folder, line) in [
                    (from, "setup --local --replace"),
                    (to, "setup --local --undo"),
                ] {
                    let mut helper = sandbox.helper(line);
                    helper.current_dir(sandbox.path("work").join(folder));
                    if folder == "." {
                        helper.env("GIT_DIR", "one/.git");
                    }
                    process::run(&mut helper, b"").succeeded();
                    let is_set = is(&file).is_some_and(|text| text.contains("helper ="));
                    assert_eq!(is_set, !line.ends_with("undo"), "{from} {to}");
                }
                assert_eq!(is(&file).as_deref(), Some(&*before), "{from} {to}");
            }
        }
    }
}

/// It is built into git, and differs from one to the other.
#[test]
fn the_systems_file_is_the_one_that_git_writes() {
    let sandbox = Sandbox::new();
    let (folder, file) = (sandbox.path("bin"), sandbox.path("system"));
    fs::create_dir_all(&folder).unwrap();
    let path = std::env::var("PATH").unwrap();
    let program = folder.join("git");
    for (told, code) in [
        ("eval \"$GIT_EDITOR $GIT_CONFIG_SYSTEM\"", 0),
        ("exit 1", 1),
    ] {
        let script = format!(
            "#!/bin/sh\nexport PATH='{path}' GIT_CONFIG_SYSTEM={}\n\
             case \"$*\" in 'config --system --edit') {told};; *) exec git \"$@\";; esac\n",
            file.display()
        );
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let run = |words: &str| {
            let mut helper = sandbox.helper(words);
            helper.env("PATH", format!("{}:{path}", folder.display()));
            helper.env_remove("GIT_CONFIG_SYSTEM");
            process::run(&mut helper, b"")
        };
        put(&file, Some("[user]\n\tname = a"));
        let output = run("setup --system");
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let is_set = is(&file).unwrap().contains("git-credential-pat");
        assert_eq!(is_set, code == 0, "{output:?}");
        if code == 0 {
            run("setup --system --undo").succeeded();
        }
        assert_eq!(is(&file).as_deref(), Some("[user]\n\tname = a"));
    }
}

/// Apple's git names the scope of its own file `unknown`. Homebrew's and Windows' name theirs in the system's.
#[test]
fn the_helper_that_a_system_brings_is_named_and_replaced() {
    for (helper, scope) in [
        ("osxkeychain", "unknown"),
        ("osxkeychain", "system"),
        ("manager", "system"),
        ("helper-selector", "system"),
    ] {
        let sandbox = Sandbox::new();
        let file = sandbox.path("share/git-core/gitconfig");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let text = format!("[credential]\n\thelper = {helper}\n");
        put(&file, Some(&text));
        let (folder, path) = (sandbox.path("bin"), std::env::var("PATH").unwrap());
        fs::create_dir_all(&folder).unwrap();
        let script = format!(
            "#!/bin/sh\nPATH='{path}'\n\
             case $* in *--show-scope*) git \"$@\" | sed -z 's/^system$/{scope}/' ;; *) exec git \"$@\" ;; esac\n",
        );
        let program = folder.join("git");
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let run = |words: &str| {
            let mut command = sandbox.helper(words);
            command.env("PATH", format!("{}:{path}", folder.display()));
            command.env("GIT_CONFIG_SYSTEM", &file);
            command.env_remove("GIT_CONFIG_NOSYSTEM");
            process::run(&mut command, b"")
        };
        let warned = run("setup").succeeded();
        let warning = format!("git asks another helper too: {helper}");
        assert!(warned.stderr.contains(&warning), "{warned:?}");
        let doctor = run("doctor");
        let place = format!("{helper}' ({scope}, {})", file.display());
        assert!(doctor.text().contains(&place), "{doctor:?}");
        let replaced = run("setup --replace").succeeded();
        assert!(!replaced.stderr.contains(helper), "{replaced:?}");
        let doctor = run("doctor");
        assert!(!doctor.text().contains(helper), "{doctor:?}");
        assert!(
            doctor.text().contains("git asks this helper first (global"),
            "{doctor:?}"
        );
        assert_eq!(is(&file), Some(text), "it is not changed");
    }
}

#[test]
fn who_may_not_write_the_systems_file_is_told_what_to_do() {
    // Not even root makes a file there.
    if !Path::new("/sys").is_dir() {
        return;
    }
    let sandbox = Sandbox::new();
    let mut setup = sandbox.helper("setup --system");
    setup.env("GIT_CONFIG_SYSTEM", "/sys/gitconfig");
    let said = process::run(&mut setup, b"");
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    for part in ["cannot lock /sys/gitconfig", "without --system"] {
        assert!(said.stderr.contains(part), "{said:?}");
    }
}

/// A home that was copied whole (a backup, a new machine, a container): the original's files are another home's.
#[test]
fn undo_in_a_copied_home_leaves_the_original_alone() {
    let sandbox = Sandbox::new();
    let at = |home: &str, words: &str| {
        let mut helper = sandbox.helper(words);
        for name in ["CONFIG_HOME", "DATA_HOME", "STATE_HOME"] {
            helper.env_remove(format!("XDG_{name}"));
        }
        helper.env_remove("GIT_CONFIG_GLOBAL");
        helper.env("HOME", sandbox.path(home));
        helper.current_dir(sandbox.path(home));
        process::run(&mut helper, b"").succeeded()
    };
    let dotfiles = sandbox.path("home/dotfiles/gitconfig");
    let git = sandbox.path("home/.config/git/config");
    // Plain; a link to a file by its whole path; a folder that is a link by its whole path.
    for case in ["plain", "link", "folder"] {
        drop(fs::remove_dir_all(sandbox.path("home")));
        drop(fs::remove_dir_all(sandbox.path("copy")));
        for folder in [&dotfiles, &git] {
            fs::create_dir_all(folder.parent().unwrap()).unwrap();
        }
        put(&dotfiles, Some("[user]\n\tname = a\n"));
        let file = match case {
            "link" => {
                symlink(&dotfiles, sandbox.path("home/.gitconfig")).unwrap();
                dotfiles.clone()
            }
            "folder" => {
                fs::remove_dir(git.parent().unwrap()).unwrap();
                symlink(dotfiles.parent().unwrap(), git.parent().unwrap()).unwrap();
                fs::rename(&dotfiles, dotfiles.with_file_name("config")).unwrap();
                dotfiles.with_file_name("config")
            }
            _ => {
                put(&sandbox.path("home/.gitconfig"), Some("[user]\n"));
                sandbox.path("home/.gitconfig")
            }
        };
        at("home", "setup --replace");
        let before = is(&file);
        assert!(before.as_ref().unwrap().contains(PROGRAM), "{case}");
        let mut copy = sandbox.command("/bin/cp");
        copy.arg("-a")
            .arg(sandbox.path("home"))
            .arg(sandbox.path("copy"));
        process::run(&mut copy, b"").succeeded();
        let undone = at("copy", "setup --undo");
        assert_eq!(is(&file), before, "{case}: {undone:?}");
        if case == "plain" {
            let copied = is(&sandbox.path("copy/.gitconfig")).unwrap();
            assert!(!copied.contains(PROGRAM), "{undone:?}");
        } else {
            let said = "which is of another home or repository: nothing is changed there";
            assert!(undone.stderr.contains(said), "{case}: {undone:?}");
        }
        at("home", "setup --undo");
        assert!(!is(&file).unwrap().contains(PROGRAM), "{case}");
        assert!(!is(&file).unwrap().contains("helper ="), "{case}");
    }
}

/// Its notes name the place where it was.
#[test]
fn undo_in_a_copied_repository_leaves_the_original_alone() {
    let sandbox = Sandbox::new();
    process::run(&mut sandbox.git(&["init", "--quiet", "a"]), b"").succeeded();
    let at = |folder: &str, words: &str| {
        let mut helper = sandbox.helper(words);
        helper.current_dir(sandbox.path(folder));
        process::run(&mut helper, b"").succeeded()
    };
    at("work/a", "setup --local");
    let config = |folder: &str| is(&sandbox.path(folder).join(".git/config")).unwrap();
    let before = config("work/a");
    let mut copy = sandbox.command("/bin/cp");
    copy.args(["-a", "a", "b"]);
    process::run(&mut copy, b"").succeeded();
    at("work/b", "setup --local --undo");
    assert_eq!(config("work/a"), before);
    assert!(!config("work/b").contains(PROGRAM));
    fs::rename(sandbox.path("work/a"), sandbox.path("work/c")).unwrap();
    at("work/c", "setup --local --undo");
    assert!(!config("work/c").contains(PROGRAM));
}

#[test]
fn each_failure_has_a_hint_that_can_be_followed() {
    let sandbox = Sandbox::new();
    let outside = sandbox.ask("setup --local", b"");
    assert!(!outside.status.success(), "{outside:?}");
    for part in [
        "this is no repository",
        "hint: go into one, or leave out --local",
    ] {
        assert!(outside.stderr.contains(part), "{outside:?}");
    }
    sandbox.ask("setup", b"").succeeded();
    let emptied = |variables: &[(&str, &str)]| {
        let mut setup = sandbox.helper("setup");
        setup.envs(variables.iter().copied());
        let output = process::run(&mut setup, b"");
        assert!(!output.status.success(), "{output:?}");
        output.stderr
    };
    let said = emptied(&[
        ("GIT_CONFIG_COUNT", "2"),
        ("GIT_CONFIG_KEY_0", "Credential.Helper"),
        ("GIT_CONFIG_VALUE_0", ""),
        ("GIT_CONFIG_KEY_1", "user.name"),
        ("GIT_CONFIG_VALUE_1", "Tester"),
    ]);
    let hint = "take credential.helper out of GIT_CONFIG_KEY_0 and GIT_CONFIG_VALUE_0, or unset GIT_CONFIG_COUNT";
    assert!(said.contains(hint), "{said}");
    let said = emptied(&[("GIT_CONFIG_PARAMETERS", "'credential.helper='")]);
    let hint =
        "take credential.helper out of the options of 'git -c', or unset GIT_CONFIG_PARAMETERS";
    assert!(said.contains(hint), "{said}");
    sandbox.configure_git("[broken\n");
    let broken = sandbox.ask("setup", b"");
    assert!(!broken.status.success(), "{broken:?}");
    assert!(broken.stderr.contains("hint: fix that line"), "{broken:?}");
}
