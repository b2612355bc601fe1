//! `token` prints what git would get, and nothing else.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use rustix::process::Signal;

use crate::attributes::{Answer, lines};
use crate::forge::work::{Work, in_days};
use crate::forge::{Speaks, Token};
use crate::process::{self, Output};
use crate::sandbox::{PROGRAM, Sandbox};
use crate::terminal::Session;
use crate::tool;

const SECRET: &str = "glpat-made-up-for-scripts";
const FILE: &str = "--storage file";

fn store(sandbox: &Sandbox, url: &str, pairs: &[(&str, &str)]) {
    let request = lines(&[&key(url)[..], pairs].concat());
    sandbox.ask(&format!("{FILE} store"), &request).succeeded();
}

/// Protocol, host and path, as git writes them.
fn key(url: &str) -> Vec<(&str, &str)> {
    let place = url.strip_prefix("https://").unwrap_or(url);
    let (host, path) = place.split_once('/').unwrap_or((place, ""));
    let (user, host) = host.split_once('@').unwrap_or(("", host));
    let mut key = vec![("protocol", "https"), ("host", host)];
    key.extend(Some(("path", path)).filter(|_| !path.is_empty()));
    key.extend(Some(("username", user)).filter(|_| !user.is_empty()));
    key
}

fn token(sandbox: &Sandbox, words: &str) -> Output {
    sandbox.ask(&format!("{FILE} token {words}"), b"")
}

#[track_caller]
fn has_none(sandbox: &Sandbox, url: &str) -> Output {
    let said = token(sandbox, url);
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    assert_eq!(said.text(), "", "{said:?}");
    for part in [
        "error: no valid token is kept for this URL",
        "git credential-pat login https://",
    ] {
        assert!(said.stderr.contains(part), "{said:?}");
    }
    said
}

/// The documented form. A shell's own `printf` is no process, and curl reads the header from its standard input.
#[test]
fn a_script_calls_the_forge_and_no_process_is_told_the_token() {
    let work = Work::keeping(
        Speaks::GitLab,
        Token::new("token", SECRET).ends(in_days(90)),
    );
    work.sandbox
        .configure_git(&format!("[alias]\n\tcredential-pat = !{PROGRAM} {FILE}\n"));
    let url = format!("{}/api/v4/personal_access_tokens/self", work.forge.url());
    let script = work.sandbox.path("script");
    let lines = format!(
        "set -eu\nURL={url}\nprintf 'Authorization: Bearer %s\\n' \
         \"$({} credential-pat token \"$URL\")\" | curl --silent --show-error --fail -H @- \"$URL\"\n",
        work.sandbox.git(&[]).get_program().display(),
    );
    fs::write(&script, lines).unwrap();
    let log = work.sandbox.path("trace");
    let mut strace = work.sandbox.command(tool::need("strace"));
    strace.args([
        "-f",
        "-v",
        "-s",
        "100000",
        "-e",
        "trace=execve,execveat",
        "-o",
    ]);
    strace.arg(&log).arg("sh").arg(&script);
    let mut strace: Command = work.trusting(strace);
    strace.env("CURL_CA_BUNDLE", work.forge.authority());
    tool::need("curl");
    let said = process::run(&mut strace, b"").succeeded();
    assert!(said.text().contains("\"scopes\""), "{said:?}");
    let asked = work.forge.asked();
    assert!(
        asked
            .iter()
            .any(|(_, path, token)| url.ends_with(path) && token == "token"),
        "{asked:?}"
    );
    let trace = fs::read_to_string(log).unwrap();
    for part in [PROGRAM, "\"token\"", "\"@-\""] {
        assert!(trace.contains(part), "{part}: {trace}");
    }
    assert!(!trace.contains(SECRET), "{trace}");
}

#[test]
fn the_token_is_the_one_that_get_answers() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("config/git-credential-pat");
    fs::create_dir_all(&folder).unwrap();
    let rules = "[[account]]\nurl = 'https://two.test/acme'\nusername = 'work'\n";
    fs::write(folder.join("config.toml"), rules).unwrap();
    sandbox.configure_git("[credential \"https://two.test/acme\"]\n\tuseHttpPath = true\n");
    for (url, user) in [
        ("https://one.test", "alice"),
        ("https://one.test", "bob"),
        ("https://two.test", "home"),
        ("https://two.test/acme", "work"),
    ] {
        let password = format!("made-up-{user}");
        store(
            &sandbox,
            url,
            &[("username", user), ("password", &password)],
        );
    }
    for (words, user) in [
        ("one.test", "bob"),
        ("https://alice@one.test", "alice"),
        ("one.test --username alice", "alice"),
        ("https://one.test/any/repository.git", "bob"),
        ("https://two.test/acme/hello.git", "work"),
        ("https://two.test/other/hello.git", "home"),
        ("https://two.test", "home"),
    ] {
        let said = token(&sandbox, words).succeeded();
        assert_eq!(said.text(), format!("made-up-{user}\n"), "{words}");
        assert_eq!(said.stderr, "", "{words}");
        let mut asked = key(words.split(' ').next().unwrap());
        if words.contains("--username") {
            asked.push(("username", user));
        }
        if !words.contains("/acme/") {
            // git leaves out the path there.
            asked.retain(|(name, _)| *name != "path");
        }
        let answer = sandbox
            .ask(&format!("{FILE} get"), &lines(&asked))
            .succeeded();
        let answer = Answer::read(&answer.stdout);
        assert_eq!(answer.get("username"), Some(user), "{words}");
    }
    has_none(&sandbox, "https://carol@one.test");
    has_none(&sandbox, "nothing.test");
}

/// As `git credential fill`, with `credential.useHttpPath` and without.
#[test]
fn a_rule_counts_only_where_git_sends_its_path() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("config/git-credential-pat");
    fs::create_dir_all(&folder).unwrap();
    let rules = "[[account]]\nurl = 'https://one.test/acme'\nusername = 'work'\n";
    fs::write(folder.join("config.toml"), rules).unwrap();
    sandbox.configure_git(&format!("[credential]\n\thelper = {PROGRAM} {FILE}\n"));
    for (url, user) in [
        ("https://one.test", "home"),
        ("https://one.test/acme", "work"),
    ] {
        let password = format!("made-up-{user}");
        store(
            &sandbox,
            url,
            &[("username", user), ("password", &password)],
        );
    }
    let answers = |url: &str, user: &str| {
        let asked = lines(&[("url", url)]);
        let filled = process::run(&mut sandbox.git(&["credential", "fill"]), &asked).succeeded();
        let filled = Answer::read(&filled.stdout);
        assert_eq!(filled.get("username"), Some(user), "{url}");
        let said = token(&sandbox, url).succeeded();
        assert_eq!(said.text(), format!("made-up-{user}\n"), "{url}");
    };
    answers("https://one.test/acme/hello.git", "home");
    answers("https://one.test", "home");
    sandbox.configure_git("[credential \"https://one.test/acme\"]\n\tuseHttpPath = true\n");
    answers("https://one.test/acme/hello.git", "work");
    answers("https://one.test/other/hello.git", "home");
    answers("https://one.test", "home");
}

#[test]
fn an_expired_or_invalid_token_is_never_printed() {
    let sandbox = Sandbox::new();
    store(
        &sandbox,
        "https://one.test",
        &[("username", "alice"), ("password", "made-up-old")],
    );
    sandbox
        .ask(&format!("{FILE} expires one.test 2020-01-01"), b"")
        .succeeded();
    let said = has_none(&sandbox, "one.test");
    assert!(said.stderr.contains("(1 Jan 2020)"), "{said:?}");

    // The journal knows that the server rejected the secret, which another program stored again.
    let pairs = [
        ("url", "https://two.test"),
        ("username", "bob"),
        ("password", "made-up-bad"),
    ];
    store(&sandbox, pairs[0].1, &pairs[1..]);
    let file = sandbox.path("data/git-credential-pat/credentials");
    let kept = fs::read(&file).unwrap();
    sandbox
        .ask(&format!("{FILE} erase"), &lines(&pairs))
        .succeeded();
    fs::write(&file, kept).unwrap();
    let get = sandbox
        .ask(&format!("{FILE} get"), &lines(&pairs[..2]))
        .succeeded();
    assert!(
        get.text().contains("made-up-bad"),
        "get has a second chance: {get:?}"
    );
    has_none(&sandbox, "two.test");
    // Another one of the same host is valid.
    store(
        &sandbox,
        "https://two.test",
        &[("username", "carol"), ("password", "made-up-good")],
    );
    sandbox
        .ask(&format!("{FILE} expires https://carol@two.test 90d"), b"")
        .succeeded();
    assert_eq!(
        token(&sandbox, "two.test").succeeded().text(),
        "made-up-good\n"
    );
}

#[test]
fn a_warning_for_a_script_does_not_count_as_told() {
    let sandbox = Sandbox::new();
    store(
        &sandbox,
        "https://one.test",
        &[("username", "alice"), ("password", "made-up")],
    );
    sandbox
        .ask(&format!("{FILE} expires one.test 5d"), b"")
        .succeeded();
    for _ in 0..2 {
        let said = token(&sandbox, "one.test").succeeded();
        assert_eq!(said.text(), "made-up\n");
        assert!(said.stderr.contains("expires in 5 days"), "{said:?}");
    }
    let get = |_| sandbox.ask(&format!("{FILE} get"), &lines(&key("one.test")));
    let [first, second] = [0, 1].map(get);
    assert!(first.stderr.contains("expires in 5 days"), "{first:?}");
    assert_eq!(second.stderr, "", "{second:?}");
}

#[test]
fn a_terminal_shows_no_token_without_show() {
    let sandbox = Sandbox::new();
    store(
        &sandbox,
        "https://one.test",
        &[("username", "alice"), ("password", "made-up-secret")],
    );
    let shown = |words: &str| Session::start(&sandbox.helper(&format!("{FILE} {words}"))).finish();
    let (status, text) = shown("token https://alice@one.test");
    assert_eq!(status.code(), Some(2), "{text}");
    assert!(!text.contains("made-up-secret"), "{text}");
    let hint = "'git credential-pat token https://alice@one.test --show'";
    assert!(text.contains(hint), "{text}");
    let (status, text) = shown("token https://alice@one.test --show");
    assert!(status.success(), "{text}");
    assert_eq!(text, "made-up-secret\r\n");
    // `--show` would not help.
    let (status, text) = shown("token https://nothing.test");
    assert_eq!(status.code(), Some(1), "{text}");
    assert!(text.contains("no valid token is kept"), "{text}");
    assert!(!text.contains("--show"), "{text}");
}

#[test]
fn an_authorization_prints_the_part_after_its_scheme() {
    let sandbox = Sandbox::new();
    let pairs = [
        ("capability[]", "authtype"),
        ("authtype", "Bearer"),
        ("credential", "made-up-bearer"),
    ];
    store(&sandbox, "https://one.test", &pairs);
    assert_eq!(
        token(&sandbox, "one.test").succeeded().text(),
        "made-up-bearer\n"
    );
    // A token in the place of the user.
    let pairs = [
        ("username", "ghp_madeuptokenofausername"),
        ("password", "x-oauth-basic"),
    ];
    store(&sandbox, "https://two.test", &pairs);
    let said = token(&sandbox, "two.test").succeeded();
    assert_eq!(said.text(), "ghp_madeuptokenofausername\n");
}

#[test]
fn a_storage_that_cannot_be_asked_is_no_empty_one() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("data/git-credential-pat/credentials");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::create_dir(&file).unwrap();
    let said = token(&sandbox, "one.test");
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    assert_eq!(said.text(), "");
    assert!(!said.stderr.contains("no valid token"), "{said:?}");
}

/// An older token that is put back, such as from a backup, is superseded by the journal alone.
#[test]
fn without_a_readable_journal_no_token_is_printed() {
    // Of no known forge: a look-up in the background would write the journal meanwhile.
    const PLAIN: &str = "made-up-plain-token";
    let sandbox = Sandbox::new();
    store(&sandbox, "https://alice@one.test", &[("password", PLAIN)]);
    let printed = token(&sandbox, "https://one.test").succeeded();
    assert_eq!(printed.text(), format!("{PLAIN}\n"), "without a journal");
    let rejected = lines(
        &[
            &key("https://alice@one.test")[..],
            &[("password", "made-up-other")],
        ]
        .concat(),
    );
    sandbox.ask(&format!("{FILE} erase"), &rejected).succeeded();
    token(&sandbox, "https://one.test").succeeded();
    let journal = sandbox.path("state/git-credential-pat/journal");
    let whole = fs::read(&journal).unwrap();
    let aside = sandbox.path("work/journal");
    fs::write(&aside, &whole).unwrap();
    let damages: [(&str, &dyn Fn()); 4] = [
        ("empty", &|| fs::write(&journal, "").unwrap()),
        ("damaged", &|| fs::write(&journal, "garbage\n").unwrap()),
        ("open to others", &|| {
            fs::write(&journal, &whole).unwrap();
            fs::set_permissions(&journal, fs::Permissions::from_mode(0o644)).unwrap();
        }),
        ("a link", &|| {
            fs::remove_file(&journal).unwrap();
            symlink(&aside, &journal).unwrap();
        }),
    ];
    for (what, damage) in damages {
        damage();
        let said = token(&sandbox, "https://one.test");
        assert_eq!(said.status.code(), Some(1), "{what}: {said:?}");
        assert_eq!(said.text(), "", "{what}");
        for part in ["error: cannot tell whether", "\ncause: ", "\nhint: "] {
            assert!(said.stderr.contains(part), "{what}: {said:?}");
        }
        let question = lines(&key("https://one.test"));
        let answer = sandbox.ask(&format!("{FILE} get"), &question).succeeded();
        assert!(answer.text().contains(PLAIN), "git is answered: {what}");
    }
}

#[test]
fn a_locked_keyring_is_not_an_empty_one() {
    let mut sandbox = Sandbox::new();
    sandbox.start_keyring();
    let login = "--storage keychain login --with-token https://alice@one.test";
    sandbox.ask(login, b"made-up-token").succeeded();
    sandbox.lock_keyring();
    let said = sandbox.ask("--storage keychain,file token one.test", b"");
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    assert_eq!(said.text(), "");
    assert!(said.stderr.contains("locked"), "{said:?}");
    assert!(!said.stderr.contains("no valid token"), "{said:?}");
    sandbox.kill_keyring(Signal::KILL);
}

#[test]
fn two_users_are_an_error() {
    let sandbox = Sandbox::new();
    store(&sandbox, "https://alice@one.test", &[("password", SECRET)]);
    let output = token(&sandbox, "--username alice https://bob@one.test");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(output.stderr.contains("two users") && output.text().is_empty());
    let output = token(&sandbox, "--username alice https://alice@one.test");
    assert_eq!(output.succeeded().text(), format!("{SECRET}\n"));
}
