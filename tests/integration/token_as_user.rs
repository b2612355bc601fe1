//! A token in the place of the username, as recipes for pip, npm and CI have it: it is a secret wherever it could be seen.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::attributes::{Answer, lines};
use crate::flow::{Flow, ours};
use crate::git::{self, Git};
use crate::process::{self, Output};
use crate::sandbox::Sandbox;

/// Part of every name.
const MARKER: &str = "MARKER";

/// The name, and the password beside it. Without that password a name with a hyphen after the marker is like any other.
const FORMS: [(&str, &str); 6] = [
    ("ghp_MARKERmadeup0123456789", "x-oauth-basic"),
    ("glpat-MARKERmadeup", "made-up"),
    ("MARKER-q", "x-oauth-basic"),
    ("MARKER-r", ""),
    ("aB3dMARKER5fG7hJ9kL1mN3pQ", "made-up"),
    ("eyJhbMARKERciOiJIUzI1NiJ9.e30.x", "made-up"),
];

/// What was shown, with the words that had it shown.
#[derive(Default)]
struct Shown(Vec<(String, String)>);

impl Shown {
    /// Everything that a command for people prints.
    fn all(&mut self, words: &str, output: &Output) {
        let text = format!("{}{}", output.text(), output.stderr);
        self.0.push((words.to_owned(), text));
    }

    /// Of git's operations: `get` must answer with the name.
    fn messages(&mut self, words: &str, output: &Output) {
        self.0.push((words.to_owned(), output.stderr.clone()));
    }

    #[track_caller]
    fn hide_the_name(&self) {
        for (words, text) in &self.0 {
            assert!(!text.contains(MARKER), "{words}:\n{text}");
        }
        assert!(self.0.iter().any(|(_, text)| text.contains("***")));
    }
}

/// Every file in the sandbox but the places where the test itself put the name, and the storage.
#[track_caller]
fn no_file_has_the_name(sandbox: &Sandbox) {
    for (path, bytes) in sandbox.files("") {
        let is_meant = path.ends_with("git-credential-pat/credentials")
            || path.ends_with(".git-credentials")
            || path.ends_with("work/r/.git/config")
            || path.to_string_lossy().contains("keyrings");
        let has_it = bytes
            .windows(MARKER.len())
            .any(|part| part == MARKER.as_bytes());
        assert!(is_meant || !has_it, "{}", path.display());
    }
}

/// Puts a `git` before the real one that writes down its arguments and its environment.
fn record_git(sandbox: &Sandbox, git: &Git) -> String {
    let folder = sandbox.path("bin");
    fs::create_dir(&folder).unwrap();
    let script = format!(
        "#!/bin/sh\n{{ printf '%s\\n' \"$@\"; env; }} >>'{}'\nexec '{}' \"$@\"\n",
        sandbox.path("called").display(),
        git.program.display()
    );
    let path = folder.join("git");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:{}", folder.display(), std::env::var("PATH").unwrap())
}

fn in_seconds(seconds: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    (now.as_secs() + seconds).to_string()
}

/// Puts the name wherever git's settings may have one.
fn configure_repository(sandbox: &Sandbox, folder: &str, name: &str) {
    let url = format!("https://{name}@one.test/a.git");
    let with_password = format!("https://{name}:x-oauth-basic@one.test/a.git");
    let instead = format!("url.https://{name}:x@three.test/.insteadOf");
    let helper = format!("credential.https://{name}@one.test.helper");
    let verify = format!("http.https://{name}@one.test.sslVerify");
    let header = format!("http.https://{name}@one.test.extraHeader");
    for (key, value) in [
        ("remote.origin.url", &url[..]),
        ("remote.other.url", &with_password),
        ("remote.third.url", "three:a"),
        (&instead, "three:"),
        ("url.https://one.test/.insteadOf", &with_password),
        (&helper, "store"),
        (&verify, "false"),
        (&header, "Authorization: Basic made-up"),
        ("credential.username", name),
    ] {
        let words = ["-C", folder, "config", key, value];
        process::run(&mut sandbox.git(&words), b"").succeeded();
    }
}

/// Runs every command with the name in the storage, in a remote, in git's settings and in another helper's file.
#[track_caller]
fn is_hidden_by_every_command(storage: &str, name: &str, password: &str) {
    let git = Git::new();
    let mut sandbox = Sandbox::with(git.clone());
    if storage == "keychain" {
        sandbox.start_keyring();
    }
    let path = record_git(&sandbox, &git);
    let ask = |words: &str, input: &[u8]| {
        let mut helper = sandbox.helper(&format!("--storage {storage} {words}"));
        process::run(helper.env("PATH", &path), input)
    };
    let mut shown = Shown::default();

    let site = [("protocol", "https"), ("host", "one.test")];
    let named = [site[0], site[1], ("username", name)];
    let end = in_seconds(5000);
    let rest = [("password", password), ("password_expiry_utc", &end[..])];
    let credential = lines(&[&named[..], &rest].concat());
    shown.messages("store", &ask("store", &credential).succeeded());
    let output = ask("get", &lines(&site)).succeeded();
    assert_eq!(Answer::read(&output.stdout).get("username"), Some(name));
    assert!(output.stderr.contains("https://one.test"), "{output:?}");
    shown.messages("get", &output);
    shown.messages("get", &ask("get", &lines(&named)));

    let source = format!("https://{name}:x-oauth-basic@two.test\n");
    fs::write(sandbox.path("home/.git-credentials"), source).unwrap();
    let repository = sandbox.path("work/r");
    let folder = repository.to_str().unwrap();
    process::run(&mut sandbox.git(&["init", "-q", folder]), b"").succeeded();
    let is_known_by_its_look = !name.contains("MARKER-");
    if is_known_by_its_look {
        configure_repository(&sandbox, folder, name);
    }

    for words in [
        "list",
        "list --json",
        "check",
        "check --json",
        "check https://one.test",
        "expires https://one.test 40d",
        "expires https://one.test never",
        "import --dry-run",
        "import --dry-run --json",
        "import --yes git-store",
        "rotate https://one.test",
        "clean --dry-run",
        "doctor",
        "doctor --json",
        "doctor https://one.test",
        "doctor origin",
        "doctor origin --json",
        "doctor other",
        "doctor third",
        "setup --dry-run",
        "setup --undo --dry-run",
        "cache status",
        "login --with-token https://one.test",
    ] {
        let mut helper = sandbox.helper(&format!("--storage {storage} {words}"));
        helper.env("PATH", &path).current_dir(&repository);
        shown.all(words, &process::run(&mut helper, b"made-up\n"));
    }
    if is_known_by_its_look {
        for command in [
            "login --with-token",
            "doctor",
            "setup",
            "setup --undo",
            "check",
        ] {
            let typed = format!("{command} https://{name}@one.test");
            shown.all(command, &ask(&typed, b"made-up-2\n"));
        }
    }

    shown.messages("store", &ask("store", &credential).succeeded());
    shown.messages("erase", &ask("erase", &credential).succeeded());
    shown.messages("store", &ask("store", &credential).succeeded());
    let state =
        "git-credential-pat:1:u0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    let told = [("capability[]", "state"), ("state[]", state)];
    let refused = lines(&[&told[..], &named, &rest[..1]].concat());
    shown.messages("erase", &ask("erase", &refused).succeeded());
    for words in [
        "clean --dry-run",
        "clean --dry-run --json",
        "logout https://two.test",
        "list",
    ] {
        shown.all(words, &ask(words, b""));
    }
    shown.messages("store", &ask("store", &credential));
    shown.all("logout", &ask("logout https://one.test --yes", b""));
    shown.hide_the_name();
    no_file_has_the_name(&sandbox);
}

#[test]
fn every_command_hides_it_in_memory() {
    for (name, password) in FORMS {
        is_hidden_by_every_command("memory", name, password);
    }
}

#[test]
fn every_command_hides_it_in_a_file() {
    for (name, password) in FORMS {
        is_hidden_by_every_command("file", name, password);
    }
}

#[test]
fn every_command_hides_it_in_the_keychain() {
    for (name, password) in &FORMS[..3] {
        is_hidden_by_every_command("keychain", name, password);
    }
}

/// The server's 401 removes the entry. Both gits print the URL, so the URL does not hold the name.
#[test]
fn a_401_by_git_hides_it() {
    for git in git::all() {
        for storage in ["memory", "file"] {
            for (name, password) in &FORMS[..3] {
                let flow = Flow::new(&ours(storage), false, git);
                let host = flow.server.host();
                let credential = lines(&[
                    ("protocol", "https"),
                    ("host", &host),
                    ("username", name),
                    ("password", password),
                    ("password_expiry_utc", &in_seconds(5000)),
                ]);
                let store = format!("--storage {storage} store");
                flow.sandbox.ask(&store, &credential).succeeded();
                flow.askpass.answers("alice", "made-up");
                let mut shown = Shown::default();
                for _ in 0..2 {
                    let url = flow.server.url("basic");
                    shown.all("ls-remote", &flow.git(&["ls-remote", &url]));
                }
                shown.hide_the_name();
                let mut sandbox_files = flow.sandbox.files("state");
                sandbox_files.extend(flow.sandbox.files("run"));
                for (path, bytes) in sandbox_files {
                    let text = String::from_utf8_lossy(&bytes);
                    assert!(!text.contains(MARKER), "{}", path.display());
                }
                let list = format!("--storage {storage} list --json");
                assert_eq!(flow.sandbox.ask(&list, b"").text(), "[]\n");
            }
        }
    }
}
