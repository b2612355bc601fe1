//! `status`: the right line and exit status in each situation.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use rustix::process::Signal;

use crate::forge::schema;
use crate::process::{self, Output};
use crate::sandbox::{PROGRAM, Sandbox};
use crate::tool;

/// Another user, for a home that cannot be written.
const USER: u32 = 54_321;

/// git calls the helper with these options.
fn called_with(options: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    call(&sandbox, options);
    sandbox
}

fn call(sandbox: &Sandbox, options: &str) {
    sandbox.configure_git(&format!("[credential]\n\thelper = {PROGRAM} {options}\n"));
}

fn login(sandbox: &Sandbox, words: &str) {
    let words = format!("login --with-token {words}");
    sandbox.ask(&words, b"made-up-token").succeeded();
}

/// Runs `status` and the same with `--json`, which keeps to its schema.
#[track_caller]
fn run(sandbox: &Sandbox, words: &str, status: i32) -> String {
    let said = sandbox.ask(&format!("status {words}"), b"");
    assert_eq!(said.status.code(), Some(status), "{said:#?}");
    assert_eq!(said.stderr, "");
    let json = sandbox.ask(&format!("status --json {words}"), b"");
    let json = schema::check("status", &json.stdout);
    assert_eq!(json["exit_status"], status);
    said.text()
}

#[track_caller]
fn assert_lines(said: &str, expected: &[&str]) {
    for line in expected {
        assert!(
            said.lines().any(|known| known == *line),
            "no line {line:?} in\n{said}"
        );
    }
}

#[test]
fn all_is_well() {
    let sandbox = called_with("--storage file");
    login(&sandbox, "--expires 90d https://alice@one.test");
    let said = run(&sandbox, "", 0);
    let mut lines = said.lines();
    assert_eq!(
        lines.next(),
        Some("git       ok       calls this helper for every URL")
    );
    assert_eq!(lines.next(), Some("storages  ok       file works"));
    assert_eq!(lines.next(), Some("tokens    ok       1 good"));
    let next = lines.next().unwrap();
    let start = "next      ok       alice at https://one.test expires in 90 days (";
    assert!(next.starts_with(start), "{said}");
    assert_eq!(lines.next(), None);
}

#[test]
fn without_setup_git_does_not_call_it() {
    let said = run(&Sandbox::new(), "", 1);
    assert_lines(
        &said,
        &[
            "git       problem  does not call this helper",
            "hint: run 'git credential-pat setup'; 'git credential-pat doctor' tells more",
        ],
    );
}

#[test]
fn another_helper_comes_first() {
    let sandbox = Sandbox::new();
    sandbox.configure_git("[credential]\n\thelper = store\n");
    call(&sandbox, "--storage file");
    sandbox.configure_git("[credential]\n\thelper = cache\n");
    let said = run(&sandbox, "", 0);
    assert_lines(
        &said,
        &[
            "git       ok       calls this helper for every URL",
            "          note     calls 'store' first: its answer counts",
            "          note     also calls 'cache': it gets a copy of every token",
        ],
    );
}

#[test]
fn an_empty_value_drops_it() {
    let sandbox = called_with("--storage file");
    sandbox.configure_git("[credential]\n\thelper =\n");
    let said = run(&sandbox, "", 1);
    assert_lines(
        &said,
        &[
            "git       problem  does not call this helper: an empty value drops it (global gitconfig)",
        ],
    );
    let here = called_with("--storage file");
    here.configure_git("[credential \"https://one.test\"]\n\thelper =\n");
    assert_lines(
        &run(&here, "", 0),
        &[
            "          note     does not call this helper for https://one.test: an empty value drops it",
        ],
    );
    run(&here, "https://one.test", 1);
}

#[test]
fn there_is_no_keyring() {
    let cause = "no keyring service answers on the user's message bus";
    let said = run(&called_with("--storage auto"), "", 0);
    assert_lines(
        &said,
        &[&format!(
            "          note     keychain is not there: {cause}"
        )],
    );
    // Nothing else could keep a token.
    let said = run(&called_with("--storage keychain"), "", 1);
    assert_lines(
        &said,
        &[&format!(
            "storages  problem  keychain is not there: {cause}"
        )],
    );
    let hint = said.lines().last().unwrap();
    assert!(hint.starts_with("hint: "), "{said}");
    assert!(
        hint.ends_with("; 'git credential-pat doctor' tells more"),
        "{said}"
    );
}

#[test]
fn the_keyring_is_locked() {
    let mut sandbox = called_with("--storage auto");
    sandbox.start_keyring();
    login(&sandbox, "--expires 90d https://alice@one.test");
    assert_lines(
        &run(&sandbox, "", 0),
        &["          ok       keychain works"],
    );
    sandbox.lock_keyring();
    let said = run(&sandbox, "", 5);
    assert_lines(
        &said,
        &["          unknown  keychain cannot be used: the keyring is locked"],
    );
    assert!(
        said.contains("hint: unlock it in the desktop's password manager"),
        "{said}"
    );
    sandbox.kill_keyring(Signal::KILL);
}

#[test]
fn the_daemon_is_away() {
    let sandbox = called_with("--storage memory");
    let away = "storages  ok       memory works; the daemon starts with the first token";
    assert_lines(&run(&sandbox, "", 0), &[away]);
    assert!(sandbox.daemons().is_empty(), "status starts none");
    login(&sandbox, "--expires 90d https://alice@one.test");
    assert_lines(&run(&sandbox, "", 0), &["storages  ok       memory works"]);
}

#[test]
fn the_daemon_cannot_make_its_socket() {
    let sandbox = called_with("--storage memory");
    let file = sandbox.path("plain");
    fs::write(&file, "").unwrap();
    let socket = sandbox.path("plain/socket");
    let said = run(&sandbox, &format!("--socket {}", socket.display()), 1);
    assert!(
        said.contains("storages  problem  memory cannot be used: "),
        "{said}"
    );
}

#[test]
fn a_token_has_expired_or_expires_soon() {
    let sandbox = called_with("--storage file");
    login(&sandbox, "--expires 90d https://alice@one.test");
    login(&sandbox, "--expires 5d https://bob@two.test");
    let said = run(&sandbox, "", 3);
    assert_lines(&said, &["tokens    soon     2: 1 good, 1 expires soon"]);
    let next = "next      soon     bob at https://two.test expires in 5 days (";
    assert!(said.contains(next), "{said}");
    assert_lines(
        &said,
        &["hint: create a new one with 'git credential-pat login https://bob@two.test'"],
    );
    run(&sandbox, "https://one.test", 0);
    run(&sandbox, "https://two.test/a/b", 3);
    sandbox
        .ask("expires https://two.test 2020-01-02", b"")
        .succeeded();
    let said = run(&sandbox, "", 4);
    assert_lines(&said, &["tokens    problem  2: 1 good, 1 expired"]);
    assert!(
        said.contains("problem  bob at https://two.test expired "),
        "{said}"
    );
    assert!(said.contains("next      ok       alice at"), "{said}");
}

#[test]
fn a_token_was_rejected() {
    let sandbox = called_with("--storage file");
    login(&sandbox, "--expires 90d https://alice@one.test");
    // The storage cannot remove it, as when its disk is full.
    let kept = sandbox.path("data/git-credential-pat/credentials");
    let text = fs::read(&kept).unwrap();
    let rejected = b"protocol=https\nhost=one.test\nusername=alice\npassword=made-up-token\n\n";
    sandbox.ask("erase", rejected).succeeded();
    fs::write(&kept, text).unwrap();
    let said = run(&sandbox, "", 4);
    assert_lines(
        &said,
        &[
            "tokens    problem  1 rejected",
            "          problem  alice at https://one.test was rejected",
            "hint: create a new one with 'git credential-pat login https://alice@one.test'",
        ],
    );
    // The other commands agree. No forge can tell.
    let rules = sandbox.path("config/git-credential-pat");
    fs::create_dir_all(&rules).unwrap();
    let rule = "[[account]]\nurl = 'https://one.test'\nusername = 'alice'\n";
    fs::write(rules.join("config.toml"), rule).unwrap();
    for (words, status, end) in [
        ("list", 0, " rejected"),
        ("check", 4, " rejected"),
        ("account list", 0, " rejected"),
    ] {
        let said = sandbox.ask(&format!("--storage file {words}"), b"");
        assert_eq!(said.status.code(), Some(status), "{words}: {said:#?}");
        assert!(said.text().contains(end), "{words}: {said:#?}");
    }
    let json = sandbox.ask("--storage file check --json", b"");
    assert_eq!(schema::check("check", &json.stdout)[0]["state"], "rejected");
    let said = sandbox.ask("--storage file account add https://one.test alice", b"");
    assert!(
        said.text()
            .contains("its token: alice in the plaintext file, rejected"),
        "{said:#?}"
    );
    // Stored again, it is as good as new.
    login(&sandbox, "--expires 90d https://alice@one.test");
    run(&sandbox, "", 0);
    let said = sandbox.ask("--storage file check", b"");
    assert_eq!(said.status.code(), Some(0), "{said:#?}");
}

#[test]
fn two_accounts_have_a_token_each() {
    let sandbox = called_with("--storage file");
    let folder = sandbox.path("config/git-credential-pat");
    fs::create_dir_all(&folder).unwrap();
    let rules = "[[account]]\nurl = 'https://one.test/acme'\nusername = 'work'\n\
                 [[account]]\nurl = 'https://one.test/me'\nusername = 'home'\n";
    fs::write(folder.join("config.toml"), rules).unwrap();
    sandbox.configure_git("[credential \"https://one.test\"]\n\tuseHttpPath = true\n");
    login(&sandbox, "--expires 90d https://one.test/acme");
    login(&sandbox, "--expires 5d https://one.test/me");
    let said = run(&sandbox, "", 3);
    assert_lines(
        &said,
        &[
            "tokens    soon     2: 1 good, 1 expires soon",
            "accounts  ok       2 rules in config.toml",
        ],
    );
    let said = run(&sandbox, "https://one.test/acme/project.git", 0);
    assert!(
        said.contains("token     ok       work at https://one.test/acme expires"),
        "{said}"
    );
    let said = run(&sandbox, "https://one.test/me/project.git", 3);
    assert!(
        said.contains("token     soon     home at https://one.test/me expires"),
        "{said}"
    );
}

#[test]
fn a_rule_whose_path_git_does_not_send_is_told() {
    let sandbox = called_with("--storage file");
    let folder = sandbox.path("config/git-credential-pat");
    fs::create_dir_all(&folder).unwrap();
    let rules = "[[account]]\nurl = 'https://one.test/acme'\nusername = 'work'\n";
    fs::write(folder.join("config.toml"), rules).unwrap();
    login(&sandbox, "--expires 90d https://home@one.test");
    let url = "https://one.test/acme/project.git";
    let said = run(&sandbox, url, 0);
    let told = "accounts  note     git does not send the path of the rule for https://one.test/acme: \
                the rule has no effect";
    assert_lines(&said, &[told, "hint: run 'git credential-pat setup'"]);
    let json = sandbox.ask(&format!("status --json {url}"), b"");
    let json = schema::check("status", &json.stdout);
    assert_eq!(json["rule_without_path"], "https://one.test/acme");
    sandbox.configure_git("[credential \"https://one.test/acme\"]\n\tuseHttpPath = true\n");
    let said = run(&sandbox, url, 1);
    assert!(!said.contains("no effect"), "{said}");
}

#[test]
fn a_read_only_home_still_gives_tokens() {
    if !tool::is_root() {
        return;
    }
    let sandbox = called_with("--storage file");
    login(&sandbox, "--expires 90d https://alice@one.test");
    sandbox.give_to(USER, USER);
    for folder in [
        "data/git-credential-pat",
        "state",
        "state/git-credential-pat",
    ] {
        let mode = fs::Permissions::from_mode(0o500);
        fs::set_permissions(sandbox.path(folder), mode).unwrap();
    }
    let run = |command: Command| -> Output {
        process::run(&mut sandbox.as_user(USER, &[], &command), b"")
    };
    let said = run(sandbox.helper("status"));
    assert_eq!(said.status.code(), Some(0), "{said:#?}");
    let said = said.text();
    let data = sandbox.path("data/git-credential-pat");
    let data = data.display();
    let file = format!("storages  note     file is read-only: cannot write in {data}: ");
    assert!(said.contains(&file), "{said}");
    assert!(
        said.contains("journal   note     no warning and no rejection is remembered"),
        "{said}"
    );
    assert_lines(&said, &["tokens    ok       1 good"]);
}

#[test]
fn a_url_without_a_token_is_a_failure() {
    let sandbox = called_with("--storage file");
    let said = run(&sandbox, "https://one.test/a/b", 1);
    assert_lines(
        &said,
        &[
            "git       ok       calls this helper for this URL",
            "token     problem  none is kept for this URL",
        ],
    );
    let hint = "hint: save one with 'git credential-pat login https://one.test/a/b'";
    assert!(said.contains(hint), "{said}");
}

#[test]
fn a_file_that_is_open_to_others_is_a_failure() {
    let sandbox = called_with("--storage file");
    login(&sandbox, "--expires 90d https://alice@one.test");
    let kept = sandbox.path("data/git-credential-pat/credentials");
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o644)).unwrap();
    let said = run(&sandbox, "", 1);
    assert!(
        said.contains("credentials is open to other users"),
        "{said}"
    );
    assert!(said.contains("hint: close it with 'chmod 600 "), "{said}");
}

/// A typing mistake at git's prompt, or a late rejection, says nothing about the token that is stored.
#[test]
fn the_rejection_of_another_secret_counts_for_none() {
    for storage in ["file", "memory"] {
        let sandbox = called_with(&format!("--storage {storage}"));
        let request = |secret: &str| {
            format!("protocol=https\nhost=one.test\nusername=alice\npassword={secret}\n\n")
        };
        let tell = |operation: &str, secret: &str| {
            let words = format!("--storage {storage} {operation}");
            let said = sandbox.ask(&words, request(secret).as_bytes());
            said.succeeded();
        };
        tell("store", "made-up-good");
        tell("erase", "made-up-mistake");
        let said = run(&sandbox, "", 0);
        assert!(!said.contains("rejected"), "{storage}: {said}");
        let list = sandbox.ask("list", b"").succeeded();
        assert!(!list.text().contains("rejected"), "{storage}: {list:?}");
        tell("store", "made-up-good");
        run(&sandbox, "", 0);
    }
}

/// The removal failed, so the rejected token is still there.
#[test]
fn a_rejected_token_that_is_still_stored_is_told() {
    let sandbox = called_with("--storage file");
    sandbox.store_in_file("https://one.test", "alice");
    let file = sandbox.path("data/git-credential-pat/credentials");
    let kept = fs::read(&file).unwrap();
    let request = b"protocol=https\nhost=one.test\nusername=alice\npassword=made-up\n\n";
    sandbox.ask("--storage file erase", request).succeeded();
    fs::write(&file, kept).unwrap();
    let said = run(&sandbox, "", 4);
    assert!(
        said.contains("alice at https://one.test was rejected"),
        "{said}"
    );
}
