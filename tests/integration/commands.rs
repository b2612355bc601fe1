//! The commands for people, over storages that git has filled.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process};

use crate::attributes::{Answer, lines};
use crate::process;
use crate::sandbox::{PROGRAM, Sandbox};
use crate::terminal::Session;

const DAY: u64 = 86_400;

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

fn store(sandbox: &Sandbox, flags: &str, host: &str, username: &str, password: &str) {
    let pairs = [
        ("protocol", "https"),
        ("host", host),
        ("username", username),
        ("password", password),
    ];
    sandbox
        .ask(&format!("{flags} store"), &lines(&pairs))
        .succeeded();
}

fn get(sandbox: &Sandbox, flags: &str, host: &str) -> Answer {
    let output = sandbox.ask(
        &format!("{flags} get"),
        &lines(&[("protocol", "https"), ("host", host)]),
    );
    Answer::read(&output.succeeded().stdout)
}

#[test]
fn login_names_the_users_if_several_have_a_token() {
    let sandbox = Sandbox::new();
    for user in ["alice", "bob"] {
        sandbox.store_in_file("https://one.test", user);
    }
    let output = sandbox.ask(
        "--storage file login https://one.test --with-token",
        b"made-up",
    );
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = "tokens of alice and bob are stored\nhint: give --username";
    assert!(output.stderr.contains(told), "{output:?}");
}

#[test]
fn expires_prints_one_line_for_copies_in_two_storages() {
    let sandbox = Sandbox::new();
    let token = lines(&[
        ("protocol", "https"),
        ("host", "one.test"),
        ("username", "alice"),
        ("password", "made-up"),
    ]);
    sandbox
        .ask("--storage memory,file store", &token)
        .succeeded();
    let output = sandbox.ask("--storage memory,file expires https://one.test 9d", b"");
    assert_eq!(output.succeeded().text().lines().count(), 1);
}

#[test]
fn list_shows_everything_but_secrets() {
    let sandbox = Sandbox::new();
    assert_eq!(
        sandbox.ask("--storage file list", b"").succeeded().text(),
        "nothing is kept in the plaintext file\n"
    );
    assert_eq!(
        sandbox
            .ask("--storage file list --json", b"")
            .succeeded()
            .text(),
        "[]\n"
    );
    store(&sandbox, "--storage file", "one.test", "alice", "tok-one");
    store(&sandbox, "--storage memory", "two.test", "bob", "tok-two");
    sandbox
        .ask("--storage memory,file expires two.test 12d", b"")
        .succeeded();
    let table = sandbox
        .ask("--storage memory,file list", b"")
        .succeeded()
        .text();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|row| {
            row.split("  ")
                .map(str::trim)
                .filter(|cell| !cell.is_empty())
                .collect()
        })
        .collect();
    assert_eq!(
        rows[0],
        [
            "URL",
            "USER",
            "STORAGE",
            "EXPIRES",
            "DATE",
            "SOURCE",
            "TIME LEFT"
        ],
        "{table}"
    );
    assert_eq!(rows[1][..2], ["https://two.test", "bob"], "{table}");
    assert!(rows[1][3].starts_with("in 1"), "{table}");
    assert_eq!(rows[1][5..], ["you", "[####------]"], "{table}");
    assert_eq!(
        rows[2],
        ["https://one.test", "alice", "file (plaintext)", "unknown"],
        "{table}"
    );
    let json = sandbox
        .ask("--storage memory,file list --json", b"")
        .succeeded()
        .text();
    for part in [
        "\"storage\": \"memory\"",
        "\"plaintext\": true",
        "\"state\": \"good\"",
        "\"state\": \"unknown\"",
    ] {
        assert!(json.contains(part), "{part}: {json}");
    }
    for shown in [table, json] {
        assert!(!shown.contains("tok-"), "{shown}");
    }
}

/// Of several users the one whom `get` answers is marked, and nobody where there is no choice.
#[test]
fn list_tells_who_answers() {
    let sandbox = Sandbox::new();
    let keep = |flags: &str, host: &str, path: &str, username: &str| {
        let password = format!("tok-{username}");
        let mut pairs = vec![
            ("protocol", "https"),
            ("host", host),
            ("username", username),
            ("password", &password),
        ];
        if !path.is_empty() {
            pairs.push(("path", path));
        }
        let words = format!("{flags} store");
        sandbox.ask(&words, &lines(&pairs)).succeeded();
    };
    let answered = |flags: &str, host: &str, path: &str| {
        let mut pairs = vec![("protocol", "https"), ("host", host)];
        if !path.is_empty() {
            pairs.push(("path", path));
        }
        let output = sandbox.ask(&format!("{flags} get"), &lines(&pairs));
        let answer = Answer::read(&output.succeeded().stdout);
        answer.get("username").unwrap_or_default().to_owned()
    };
    // By host, in the order of the list: user and storage of those that answer.
    let marked = |flags: &str, host: &str| {
        let words = format!("{flags} list --json");
        let json = sandbox.ask(&words, b"").succeeded().text();
        let all: serde_json::Value = serde_json::from_str(&json).unwrap();
        let all = all.as_array().unwrap().iter();
        let answers = all.filter(|one| one["host"] == host && one["default"] == true);
        let name = |one: &serde_json::Value| {
            let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
            format!("{} {}", text("username"), text("storage"))
        };
        answers.map(name).collect::<Vec<_>>()
    };
    let both = "--storage memory,file";
    keep("--storage memory", "alone.test", "", "alice");
    keep("--storage file", "alone.test", "", "alice");
    let table = || sandbox.ask(&format!("{both} list"), b"").succeeded().text();
    assert!(!table().contains("DEFAULT"), "{}", table());
    assert_eq!(marked(both, "alone.test"), ["alice memory"]);

    // The first storage in the list that has one answers, and of it the one stored last.
    for user in ["uma", "alice", "bob"] {
        keep("--storage file", "one.test", "", user);
    }
    assert_eq!(marked(both, "one.test"), ["bob file"]);
    assert_eq!(answered(both, "one.test", ""), "bob");
    keep("--storage memory", "one.test", "", "alice");
    assert_eq!(marked(both, "one.test"), ["alice memory"]);
    assert_eq!(answered(both, "one.test", ""), "alice");
    assert_eq!(marked("--storage file,memory", "one.test"), ["bob file"]);
    let marks: Vec<bool> = table()
        .lines()
        .filter(|row| row.contains("//one.test"))
        .map(|row| row.contains("  yes  "))
        .collect();
    assert_eq!(marks, [true, false, false, false], "{}", table());
    assert_eq!(table().matches("  yes  ").count(), 1, "{}", table());
    // What has ended answers nothing.
    let words = "--storage file expires https://bob@one.test 2020-01-01";
    sandbox.ask(words, b"").succeeded();
    assert_eq!(marked("--storage file", "one.test"), ["alice file"]);
    assert_eq!(answered("--storage file", "one.test", ""), "alice");

    // git tells the path where it is told to.
    let file = "--storage file";
    keep(file, "two.test", "acme/r.git", "work");
    keep(file, "two.test", "", "home");
    assert_eq!(marked(file, "two.test"), ["home file"]);
    sandbox.configure_git("[credential \"https://two.test\"]\n\tuseHttpPath = true\n");
    assert_eq!(marked(file, "two.test"), ["work file", "home file"]);
    assert_eq!(answered(file, "two.test", "acme/r.git"), "work");

    // An account's answer under its path, and nowhere else.
    let folder = sandbox.path("config/git-credential-pat");
    fs::create_dir_all(&folder).unwrap();
    let rules = "[[account]]\nurl = 'https://three.test/acme'\n[[account]]\nurl = 'https://three.test/me'\nusername = 'me'\n";
    fs::write(folder.join("config.toml"), rules).unwrap();
    for (path, user) in [
        ("acme/r.git", "old"),
        ("acme/r.git", "work"),
        ("me/r.git", "me"),
        ("me/r.git", "other"),
    ] {
        keep(file, "three.test", path, user);
    }
    assert_eq!(marked(file, "three.test"), ["work file", "me file"]);
    keep(file, "three.test", "", "rest");
    let all = ["work file", "me file", "rest file"];
    assert_eq!(marked(file, "three.test"), all);
    assert_eq!(answered(file, "three.test", "acme/x"), "work");
    assert_eq!(answered(file, "three.test", "me/x"), "me");
    assert_eq!(answered(file, "three.test", ""), "rest");
}

#[test]
fn names_cannot_drive_the_terminal() {
    let sandbox = Sandbox::new();
    let name = "a\x1b]0;pwn\x07\x1b[2J\u{9b}31m\u{202e}b\tc\u{2028}d";
    store(&sandbox, "--storage file", "one.test", name, "tok-one");
    let table = sandbox.ask("--storage file list", b"").succeeded().text();
    assert!(
        table.contains(r"a\x1b]0;pwn\x07\x1b[2J\u{9b}31m\u{202e}b\x09c\u{2028}d"),
        "{table}"
    );
    assert_eq!(table.lines().count(), 2, "{table}");
    let soon = sandbox
        .ask("--storage file expires one.test 1d", b"")
        .succeeded()
        .text();
    let warned = sandbox.ask(
        "--storage file get",
        &lines(&[("protocol", "https"), ("host", "one.test")]),
    );
    for shown in [table, soon, warned.stderr] {
        assert!(
            !shown.chars().any(|c| c.is_control() && c != '\n'),
            "{shown:?}"
        );
    }
}

#[test]
fn logout_forgets_in_every_storage() {
    let sandbox = Sandbox::new();
    for flags in ["--storage file", "--storage memory"] {
        for name in ["alice", "bob"] {
            store(&sandbox, flags, "one.test", name, "tok-one");
        }
        store(&sandbox, flags, "two.test", "alice", "tok-two");
    }
    let both = "--storage memory,file";
    let said = sandbox
        .ask(&format!("{both} logout https://alice@one.test"), b"")
        .succeeded();
    assert_eq!(
        said.text(),
        "removed the token for alice at https://one.test (memory, file)\n"
    );
    assert_eq!(get(&sandbox, both, "one.test").get("username"), Some("bob"));
    sandbox
        .ask(&format!("{both} logout one.test"), b"")
        .succeeded();
    assert!(!get(&sandbox, both, "one.test").has_secret());
    assert!(get(&sandbox, both, "two.test").has_secret());
    let nothing = sandbox.ask(&format!("{both} logout one.test"), b"");
    assert_eq!(nothing.status.code(), Some(1), "{nothing:?}");
    assert!(
        nothing
            .stderr
            .contains("nothing is kept for https://one.test")
    );
}

/// Stopped in the middle of everything, until it is dropped.
struct Stopped(Pid);

impl Stopped {
    fn daemon_of(sandbox: &Sandbox) -> Self {
        let said = sandbox.ask("cache status --json", b"").succeeded().text();
        let process = said
            .split_once("\"process\": ")
            .and_then(|(_, rest)| rest.split(',').next())
            .and_then(|number| number.trim().parse().ok())
            .and_then(Pid::from_raw)
            .unwrap();
        kill_process(process, Signal::STOP).unwrap();
        Self(process)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::CONT);
    }
}

#[test]
fn a_storage_that_does_not_answer_is_not_called_empty() {
    let sandbox = Sandbox::new();
    store(
        &sandbox,
        "--storage memory",
        "victim.test",
        "alice",
        "tok-one",
    );
    store(&sandbox, "--storage file", "other.test", "bob", "tok-two");
    let stopped = Stopped::daemon_of(&sandbox);
    let check = &|words: &str| {
        let said = sandbox.ask(words, b"");
        // `check` has an exit status of its own for what a storage could not tell.
        let expected = if words.ends_with("memory,file check") {
            5
        } else {
            1
        };
        assert_eq!(said.status.code(), Some(expected), "{words}: {said:?}");
        assert!(
            said.stderr.contains("cannot reach the memory storage"),
            "{words}: {said:?}"
        );
        for wrong in ["nothing is kept", "nothing is stale\n", "[]"] {
            assert!(
                !said.text().contains(wrong) && !said.stderr.contains(wrong),
                "{words}: {said:?}"
            );
        }
    };
    // Each waits for the daemon, for as long as it would alone.
    thread::scope(|scope| {
        for words in [
            "--storage memory logout victim.test",
            "--storage memory,file logout victim.test",
            "--storage memory,file logout other.test",
            "--storage memory,file expires victim.test 1d",
            "--storage memory,file rotate victim.test",
            "--storage memory list",
            "--storage memory list --json",
            "--storage memory,file list",
            "--storage memory check",
            "--storage memory,file check",
            "--storage auto list",
            "--storage memory,file clean --yes",
            "--storage memory,file clean --dry-run",
        ] {
            scope.spawn(move || check(words));
        }
    });
    drop(stopped);
    // What this system does not have keeps nothing.
    let nothing = sandbox.ask("--storage keychain,file logout none.test", b"");
    assert_eq!(nothing.status.code(), Some(1), "{nothing:?}");
    assert!(
        nothing
            .stderr
            .contains("nothing is kept for https://none.test")
    );
}

#[test]
fn expires_tells_an_end_and_takes_it_back() {
    let sandbox = Sandbox::new();
    for flags in ["--storage file", "--storage memory"] {
        store(&sandbox, flags, "one.test", "alice", "tok-one");
        sandbox
            .ask(&format!("{flags} expires one.test 90d"), b"")
            .succeeded();
        let answer = get(&sandbox, flags, "one.test");
        let end: u64 = answer.get("password_expiry_utc").unwrap().parse().unwrap();
        assert!(
            (now() + 89 * DAY..=now() + 90 * DAY).contains(&end),
            "{answer:?}"
        );
        assert_eq!(answer.get("password"), Some("tok-one"));
        sandbox
            .ask(
                &format!("{flags} expires https://alice@one.test 2098-12-31"),
                b"",
            )
            .succeeded();
        assert_eq!(
            get(&sandbox, flags, "one.test").get("password_expiry_utc"),
            Some("4070908799")
        );
        sandbox
            .ask(&format!("{flags} expires one.test never"), b"")
            .succeeded();
        assert_eq!(
            get(&sandbox, flags, "one.test").get("password_expiry_utc"),
            None
        );
        let unknown = sandbox.ask(&format!("{flags} expires two.test 1d"), b"");
        assert!(
            unknown.status.code() == Some(1) && unknown.stderr.contains("nothing is kept"),
            "{unknown:?}"
        );
    }
}

/// What git was told with `setup`, a person need not repeat.
#[test]
fn commands_look_where_git_would() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("my tokens");
    let mut setup = sandbox.helper("--storage file setup");
    setup.arg("--file").arg(&file);
    process::run(&mut setup, b"").succeeded();
    let pairs = [
        ("protocol", "https"),
        ("host", "one.test"),
        ("username", "alice"),
        ("password", "tok-one"),
    ];
    process::run(&mut sandbox.git(&["credential", "approve"]), &lines(&pairs)).succeeded();
    let listed = sandbox.ask("list", b"").succeeded().text();
    assert!(
        listed.contains("alice") && listed.contains("file (plaintext)"),
        "{listed}"
    );
    assert_eq!(
        sandbox.ask("--storage memory list", b"").succeeded().text(),
        "nothing is kept in memory\n"
    );
    assert_eq!(
        sandbox.ask("logout one.test", b"").succeeded().text(),
        "removed the token for alice at https://one.test (file)\n"
    );
}

#[test]
fn urls_that_need_no_token_are_said_to() {
    let sandbox = Sandbox::new();
    for url in [
        "ssh://git@one.test/a",
        "git@one.test:a/b.git",
        "file:///srv/a.git",
    ] {
        let output = sandbox.ask(&format!("--storage file logout {url}"), b"");
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(
            output
                .stderr
                .contains("git asks no helper for this kind of URL"),
            "{output:?}"
        );
    }
    let unencrypted = sandbox
        .ask(
            "--storage file login --with-token --username a http://one.test",
            b"tok",
        )
        .succeeded();
    assert!(
        unencrypted
            .stderr
            .starts_with("warning: git sends a token for http:// unencrypted"),
        "{unencrypted:?}"
    );
}

/// git before 2.40 hands a token back without its end: that must not wipe the end out.
#[test]
fn an_end_that_was_told_survives_an_older_gits_store() {
    let sandbox = Sandbox::new();
    for flags in ["--storage file", "--storage memory"] {
        store(&sandbox, flags, "one.test", "alice", "tok-one");
        sandbox
            .ask(&format!("{flags} expires one.test 2098-12-31"), b"")
            .succeeded();
        store(&sandbox, flags, "one.test", "alice", "tok-one");
        assert_eq!(
            get(&sandbox, flags, "one.test").get("password_expiry_utc"),
            Some("4070908799")
        );
        store(&sandbox, flags, "one.test", "alice", "tok-new");
        assert_eq!(
            get(&sandbox, flags, "one.test").get("password_expiry_utc"),
            None,
            "another token, another end"
        );
    }
}

#[test]
fn login_takes_a_token_from_standard_input() {
    let sandbox = Sandbox::new();
    let login = |words: &str, input: &[u8]| {
        sandbox.ask(&format!("--storage file login --with-token {words}"), input)
    };
    login(
        "--username alice one.test --expires 2098-12-31",
        b"tok-one\n",
    )
    .succeeded();
    let answer = get(&sandbox, "--storage file", "one.test");
    assert_eq!(
        (answer.get("password"), answer.get("password_expiry_utc")),
        (Some("tok-one"), Some("4070908799"))
    );
    login("one.test", b"tok-two").succeeded();
    let answer = get(&sandbox, "--storage file", "one.test");
    assert_eq!(
        (answer.get("username"), answer.get("password")),
        (Some("alice"), Some("tok-two"))
    );
    assert_eq!(answer.get("password_expiry_utc"), None);
    for (words, input) in [
        ("two.test", &b"tok"[..]),
        ("--username a one.test", b""),
        ("--username a one.test", b"two\nlines"),
        ("--username a --expires 2001-01-01 one.test", b"tok"),
        ("https://a:tok-secret@one.test", b"tok"),
    ] {
        let refused = login(words, input);
        assert_eq!(refused.status.code(), Some(1), "{words}: {refused:?}");
        assert!(!refused.stderr.contains("tok-secret"), "{refused:?}");
    }
    assert_eq!(
        get(&sandbox, "--storage file", "one.test").get("password"),
        Some("tok-two")
    );
}

#[test]
fn login_asks_at_the_terminal_and_shows_nothing() {
    let sandbox = Sandbox::new();
    let mut session = Session::start(&sandbox.helper("--storage file login https://one.test"));
    session.answer("Username for https://one.test", "alice");
    session.answer("Token", "tok-typed");
    let (status, shown) = session.finish();
    assert!(status.success(), "{shown}");
    assert!(!shown.contains("tok-typed"), "{shown}");
    assert_eq!(
        get(&sandbox, "--storage file", "one.test").get("password"),
        Some("tok-typed")
    );
}

#[test]
fn a_mistyped_flag_does_not_repeat_its_value() {
    let sandbox = Sandbox::new();
    for words in [
        "login --password=tok-secret one.test",
        "login --password tok-secret one.test",
        "--token=tok-secret get",
    ] {
        let output = sandbox.ask(words, b"");
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(!output.stderr.contains("tok-secret"), "{output:?}");
    }
}

#[test]
fn cache_tells_forgets_and_leaves() {
    let sandbox = Sandbox::new();
    assert_eq!(
        sandbox.ask("cache status", b"").succeeded().text(),
        "no daemon is running\n"
    );
    store(&sandbox, "--storage memory", "one.test", "alice", "tok-one");
    assert!(
        sandbox
            .ask("cache status", b"")
            .succeeded()
            .text()
            .contains("keeping 1 credential\n")
    );
    assert!(
        sandbox
            .ask("cache status --json", b"")
            .succeeded()
            .text()
            .contains("\"entries\": 1")
    );
    assert_eq!(
        sandbox.ask("cache clear", b"").succeeded().text(),
        "forgot 1 credential\n"
    );
    assert!(!get(&sandbox, "--storage memory", "one.test").has_secret());
    assert_eq!(
        sandbox.ask("cache stop", b"").succeeded().text(),
        "stopped the daemon\n"
    );
    assert_eq!(
        sandbox.ask("cache stop", b"").succeeded().text(),
        "no daemon is running\n"
    );
}

#[test]
fn setup_writes_what_undo_takes_back() {
    let sandbox = Sandbox::new();
    sandbox.configure_git("[credential]\n\thelper = cache\n");
    let config = || fs::read_to_string(sandbox.path("gitconfig")).unwrap();
    let before = config();
    let shown = sandbox.ask("setup --dry-run", b"").succeeded().text();
    assert!(shown.contains(PROGRAM), "{shown}");
    assert_eq!(config(), before, "a dry run writes nothing");
    let setup = sandbox
        .ask("--storage memory --timeout 8h setup", b"")
        .succeeded();
    assert!(
        setup.stderr.contains("git asks another helper too: cache"),
        "{setup:?}"
    );
    assert!(
        config().contains(&format!(
            "\thelper = {PROGRAM} --storage memory --timeout 28800\n"
        )),
        "{}",
        config()
    );
    let once = config();
    let again = sandbox
        .ask("--storage memory --timeout 8h setup", b"")
        .succeeded();
    assert_eq!(
        (again.text(), config()),
        ("git asks this helper already\n".to_owned(), once)
    );
    sandbox.ask("setup", b"").succeeded();
    assert_eq!(
        config().matches(PROGRAM).count(),
        1,
        "the older line is replaced: {}",
        config()
    );
    sandbox.ask("setup https://one.test", b"").succeeded();
    assert!(
        config().contains("[credential \"https://one.test\"]"),
        "{}",
        config()
    );
    sandbox.ask("setup --undo", b"").succeeded();
    assert_eq!(config(), before);
    sandbox.ask("setup --undo", b"").succeeded();
}

/// Files that git's own removal of a line would not give back as they were.
#[test]
fn undo_gives_every_file_back_byte_for_byte() {
    for before in [
        None,
        Some(""),
        Some("[credential]\n\thelper = cache"),
        Some("[credential] helper = cache ; of old\n[credential]\n[user]\n"),
        Some("# mine\r\n[credential \"https://one.test\"]\r\n\thelper = store\r\n"),
    ] {
        let sandbox = Sandbox::new();
        let path = sandbox.path("gitconfig");
        match before {
            Some(text) => fs::write(&path, text).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        for words in [
            "setup",
            "--storage file setup",
            "setup https://one.test",
            "setup --replace",
            "setup two.test",
        ] {
            sandbox.ask(words, b"").succeeded();
        }
        assert!(fs::read_to_string(&path).unwrap().contains(PROGRAM));
        sandbox.ask("setup --undo", b"").succeeded();
        assert_eq!(fs::read_to_string(&path).ok().as_deref(), before);
    }
}

/// What somebody wrote in the meantime stays, and our lines go all the same.
#[test]
fn undo_after_other_changes_takes_our_lines_alone() {
    let sandbox = Sandbox::new();
    sandbox.ask("setup", b"").succeeded();
    sandbox.ask("setup one.test", b"").succeeded();
    sandbox.configure_git("[alias]\n\tco = checkout\n");
    sandbox.ask("setup --undo", b"").succeeded();
    let config = fs::read_to_string(sandbox.path("gitconfig")).unwrap();
    assert!(
        !config.contains(PROGRAM) && config.contains("co = checkout"),
        "{config}"
    );
}

#[test]
fn setup_for_one_repository_alone() {
    let sandbox = Sandbox::new();
    let outside = sandbox.ask("setup --local", b"");
    assert_eq!(outside.status.code(), Some(1), "{outside:?}");
    process::run(&mut sandbox.git(&["init", "--quiet"]), b"").succeeded();
    let path = sandbox.path("work/.git/config");
    let before = fs::read(&path).unwrap();
    sandbox.ask("setup --local --replace", b"").succeeded();
    let config = fs::read_to_string(&path).unwrap();
    assert!(
        config.contains("\thelper = \n") || config.contains("\thelper = \"\"\n"),
        "{config}"
    );
    assert!(
        config.contains(PROGRAM)
            && !fs::read_to_string(sandbox.path("gitconfig"))
                .unwrap()
                .contains(PROGRAM)
    );
    sandbox.ask("setup --local --undo", b"").succeeded();
    assert_eq!(fs::read(&path).unwrap(), before);
}

/// git hands the value to a shell: a folder with a blank and a quote must come through.
#[test]
fn setup_works_from_a_folder_with_a_strange_name() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("it's a $HOME");
    fs::create_dir(&folder).unwrap();
    let program = folder.join("git-credential-pat");
    fs::copy(PROGRAM, &program).unwrap();
    let file = folder.join("cre dentials");
    let mut setup = sandbox.command(&program);
    setup
        .args(["--storage", "file", "--file"])
        .arg(&file)
        .arg("setup");
    process::run(&mut setup, b"").succeeded();
    let pairs = [
        ("protocol", "https"),
        ("host", "one.test"),
        ("username", "alice"),
        ("password", "tok-one"),
    ];
    process::run(&mut sandbox.git(&["credential", "approve"]), &lines(&pairs)).succeeded();
    assert!(fs::read_to_string(&file).unwrap().contains("tok-one"));
    let filled = process::run(
        &mut sandbox.git(&["credential", "fill"]),
        &lines(&pairs[..2]),
    )
    .succeeded();
    assert_eq!(
        Answer::read(&filled.stdout).get("password"),
        Some("tok-one")
    );
}

#[test]
fn a_bad_configuration_answers_nothing() {
    let sandbox = Sandbox::new();
    store(&sandbox, "--storage file", "one.test", "alice", "tok-one");
    let folder = sandbox.path("config/git-credential-pat");
    fs::create_dir(&folder).unwrap();
    let config = folder.join("config.toml");
    fs::write(&config, "storage = 'file'\n[warn]\nbefore = 'soon'\n").unwrap();
    let output = sandbox.ask(
        "get",
        &lines(&[("protocol", "https"), ("host", "one.test")]),
    );
    assert_eq!(
        (output.status.code(), output.text()),
        (Some(1), String::new())
    );
    assert!(
        output
            .stderr
            .starts_with(&format!("error: {}:3:10: ", config.display())),
        "{output:?}"
    );
    fs::write(&config, "storage = 'file'\n[warn]\nbefore = '2d'\n").unwrap();
    assert!(get(&sandbox, "", "one.test").has_secret());
    let missing = sandbox.ask(
        "--config /nowhere/at-all.toml get",
        &lines(&[("protocol", "https"), ("host", "one.test")]),
    );
    assert_eq!(
        (missing.status.code(), missing.text()),
        (Some(1), String::new())
    );
}

#[test]
fn unknown_words_are_silent_for_git_and_wrong_for_people() {
    let sandbox = Sandbox::new();
    let output = sandbox.ask("frobnicate", b"protocol=https\nhost=one.test\n");
    assert_eq!(
        (output.status.code(), output.text(), output.stderr),
        (Some(0), String::new(), String::new())
    );
    for words in [
        "",
        "get store",
        "--timeout soon get",
        "--storage disk get",
        "--timeout",
    ] {
        let output = sandbox.ask(words, b"");
        assert_eq!(
            (output.status.code(), output.text()),
            (Some(2), String::new()),
            "{words}"
        );
        assert!(!output.stderr.is_empty());
    }
    let (status, shown) = Session::start(&sandbox.helper("lisst")).finish();
    assert_eq!(status.code(), Some(2));
    assert!(shown.contains("list"), "{shown}");
}

#[test]
fn a_home_that_is_no_whole_path_is_none() {
    let sandbox = Sandbox::new();
    let mut store = sandbox.helper("--storage file store");
    for name in ["CONFIG", "DATA", "STATE", "CACHE"] {
        store.env_remove(format!("XDG_{name}_HOME"));
    }
    store.env("HOME", "home").env("XDG_RUNTIME_DIR", "run");
    let request = lines(&[
        ("protocol", "https"),
        ("host", "one.test"),
        ("username", "alice"),
        ("password", "tok-one"),
    ]);
    let output = process::run(&mut store, &request);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stderr.contains("set HOME"), "{output:?}");
    assert!(sandbox.files("work").is_empty());
}

#[test]
fn hosts_that_are_none_are_refused() {
    let sandbox = Sandbox::new();
    let before = sandbox.files("gitconfig");
    for url in ["ht!tp", "https://a'b.test", "https://a(b).test", "a$b"] {
        for word in ["setup", "--storage file logout"] {
            let output = sandbox.ask(&format!("{word} {url}"), b"");
            assert_eq!(output.status.code(), Some(1), "{output:?}");
            assert!(
                output.stderr.contains("the URL has no valid host"),
                "{output:?}"
            );
        }
    }
    assert_eq!(sandbox.files("gitconfig"), before);
    for url in [
        "bücher.test",
        "[::1]:8443",
        "a_b.test",
        "https://me@one.test:1/x!y",
    ] {
        let output = sandbox.ask(&format!("--storage file logout {url}"), b"");
        assert!(
            output.stderr.contains("nothing is kept for https://"),
            "{output:?}"
        );
    }
}

#[test]
fn undo_tells_who_asks_all_the_same() {
    let sandbox = Sandbox::new();
    process::run(&mut sandbox.git(&["init", "--quiet"]), b"").succeeded();
    sandbox.ask("setup", b"").succeeded();
    let local = sandbox.ask("setup --undo --local", b"").succeeded();
    assert!(!local.text().contains("does not ask"), "{local:?}");
    assert!(
        local
            .stderr
            .contains("git still asks this helper (global, "),
        "{local:?}"
    );
    let included = sandbox.path("included");
    fs::write(&included, format!("[credential]\n\thelper = {PROGRAM}\n")).unwrap();
    sandbox.configure_git(&format!("[include]\n\tpath = {}\n", included.display()));
    let global = sandbox.ask("setup --undo", b"").succeeded();
    let place = format!(
        "git still asks this helper (global, {})",
        included.display()
    );
    assert!(global.stderr.contains(&place), "{global:?}");
    sandbox.configure_git("[include]\n\tpath = /dev/null\n");
    fs::write(&included, "").unwrap();
    let nobody = sandbox.ask("setup --undo", b"").succeeded();
    assert_eq!(nobody.stderr, "");
}

#[test]
fn setup_shows_no_secret_of_another_helper() {
    let sandbox = Sandbox::new();
    sandbox.configure_git(
        "[credential]\n\thelper = \"!f() { echo username=u; echo password=tok-secret; }; f\"\n",
    );
    for words in ["setup --dry-run", "setup", "doctor", "doctor --json"] {
        let output = sandbox.ask(words, b"");
        let shown = output.text() + &output.stderr;
        assert!(!shown.contains("tok-secret"), "{shown}");
        assert!(shown.contains("a shell command (!f…)"), "{shown}");
    }
}

#[test]
fn completions_are_scripts() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = sandbox
            .ask(&format!("completions {shell}"), b"")
            .succeeded();
        // Those of bash, zsh and fish ask the program.
        let word = match shell {
            "elvish" | "powershell" => "logout",
            _ => "complete-words",
        };
        assert!(script.text().contains(word), "{shell}");
        if shell == "bash" {
            let mut check = sandbox.command("/bin/bash");
            process::run(check.arg("-n"), &script.stdout).succeeded();
        }
    }
}

#[test]
fn who_has_nothing_yet_is_told_how_to_begin() {
    let sandbox = Sandbox::new();
    let url = "https://alice@one.test";
    for words in ["check", "rotate", "expires"] {
        let end = if words == "expires" { " 90d" } else { "" };
        let said = sandbox.ask(&format!("--storage file {words} {url}{end}"), b"");
        assert_eq!(said.status.code(), Some(1), "{said:?}");
        let login = format!("save a token with 'git credential-pat login {url}'");
        assert!(said.stderr.contains(&login), "{words}: {said:?}");
    }
}

/// As a mistyped remote.
#[test]
fn doctor_tells_what_it_takes_where_it_is_given_neither() {
    let sandbox = Sandbox::new();
    let doctor = |word: &str| sandbox.ask(&format!("--storage file doctor {word}"), b"");
    let hint = |word: &str| {
        let said = doctor(word);
        assert_eq!(said.status.code(), Some(1), "{said:?}");
        assert!(
            said.stderr.contains("neither a URL nor a remote's name"),
            "{said:?}"
        );
        assert!(
            said.stderr.contains("give a URL such as https://"),
            "{said:?}"
        );
        said.stderr
    };
    assert!(hint("orgin").contains("no remote here"));
    let git = |words: &[&str]| process::run(&mut sandbox.git(words), b"").succeeded();
    git(&["init", "-q"]);
    for (name, url) in [
        ("origin", "https://one.test/r"),
        ("up-stream", "/srv/r.git"),
    ] {
        git(&["remote", "add", name, url]);
    }
    assert!(hint("orgin").contains("the remotes here are 'origin', 'up-stream'"));
    // A remote in a folder is one, and needs no token.
    let folder = doctor("up-stream");
    assert!(
        folder
            .stderr
            .contains("git asks no helper for this kind of URL"),
        "{folder:?}"
    );
    // A host may be called so, too.
    store(&sandbox, "--storage file", "intranet", "alice", "made-up");
    for (word, expected) in [
        ("intranet", "token: "),
        ("origin", "host: one.test "),
        ("https://orgin", "host: orgin "),
    ] {
        let said = doctor(word);
        assert!(said.text().contains(expected), "{said:?}");
    }
}

/// No token helps at a host whose name is mistyped.
#[test]
fn doctor_suggests_no_login_at_a_host_that_has_no_address() {
    let sandbox = Sandbox::new();
    for flags in ["--storage file", "--storage memory"] {
        let said = sandbox.ask(&format!("{flags} doctor https://nohost.invalid/r.git"), b"");
        assert_eq!(said.status.code(), Some(1), "{said:?}");
        let text = said.text();
        assert!(
            text.contains(
                "problem  host: nohost.invalid cannot be reached: its name cannot be resolved (DNS)"
            ) && !text.contains("credential-pat login"),
            "{text}"
        );
    }
}

#[test]
fn a_file_in_a_folder_that_is_not_there() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("nowhere/credentials");
    let flags = format!("--storage file --file {}", file.display());
    let login = format!("{flags} login --with-token --username alice https://one.test");
    let said = sandbox.ask(&login, b"made-up");
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    let folder = sandbox.path("nowhere");
    assert!(
        said.stderr.contains(&format!("{}", folder.display())),
        "{said:?}"
    );
    assert!(said.stderr.contains("hint: make this folder"), "{said:?}");
    let doctor = sandbox.ask(&format!("{flags} doctor"), b"");
    assert!(doctor.text().contains("make this folder"), "{doctor:?}");
    fs::DirBuilder::new().mode(0o700).create(folder).unwrap();
    sandbox.ask(&login, b"made-up").succeeded();
}
