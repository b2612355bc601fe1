//! `import` and `clean`, in homes that real helpers and recorded files have filled. All tokens are made up.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use crate::attributes::{Answer, lines};
use crate::forge::schema;
use crate::keychain::helper_folder;
use crate::process::{self, Output};
use crate::sandbox::{PROGRAM, Sandbox};
use crate::terminal::Session;
use crate::tool;

const HOSTS_YML: &str = "github.com:\n    users:\n        octo:\n            oauth_token: ghp_made-up-gh\n        work:\n            oauth_token: ghp_made-up-gh-work\n    git_protocol: https\n    user: octo\n    oauth_token: ghp_made-up-gh\nghe.test:\n    users:\n        carol:\n    user: carol\n";
const CONFIG_YML: &str = "git_protocol: ssh\nhosts:\n    gl.test:\n        api_protocol: https\n        token: !!null made-up-glab\n        user: gina\n        oauth2_expiry_date: 31 Dec 98 23:59 UTC\n";
const NETRC: &str = "machine netrc.test login nina password made-up-netrc\nmacdef init\nmachine no.test login x password y\n\ndefault login anonymous password me@there\n";

fn write(path: PathBuf, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn pairs<'a>(host: &'a str, username: &'a str, password: &'a str) -> Vec<u8> {
    lines(&[
        ("protocol", "https"),
        ("host", host),
        ("username", username),
        ("password", password),
    ])
}

/// Has git itself store it with a helper of its own.
fn approve(sandbox: &Sandbox, helper: &str, host: &str, username: &str, password: &str) {
    let setting = format!("credential.helper={helper}");
    let mut git = sandbox.git(&[
        "-c",
        "credential.helper=",
        "-c",
        &setting,
        "credential",
        "approve",
    ]);
    process::run(&mut git, &pairs(host, username, password)).succeeded();
}

fn store(sandbox: &Sandbox, flags: &str, host: &str, username: &str, password: &str) {
    sandbox
        .ask(&format!("{flags} store"), &pairs(host, username, password))
        .succeeded();
}

fn erase(sandbox: &Sandbox, flags: &str, host: &str, username: &str, password: &str) {
    sandbox
        .ask(&format!("{flags} erase"), &pairs(host, username, password))
        .succeeded();
}

fn get(sandbox: &Sandbox, flags: &str, host: &str, username: &str) -> Answer {
    let question = lines(&[
        ("protocol", "https"),
        ("host", host),
        ("username", username),
    ]);
    Answer::read(
        &sandbox
            .ask(&format!("{flags} get"), &question)
            .succeeded()
            .stdout,
    )
}

fn keep_item(sandbox: &Sandbox, attributes: &[&str], secret: &str) {
    let mut tool = sandbox.command(tool::need("secret-tool"));
    tool.args(["store", "--label=made up"]).args(attributes);
    process::run(&mut tool, secret.as_bytes()).succeeded();
}

fn item(sandbox: &Sandbox, attributes: &[&str]) -> String {
    let mut tool = sandbox.command(tool::need("secret-tool"));
    process::run(tool.arg("lookup").args(attributes), b"").text()
}

/// No secret of any of these tests is ever shown.
#[track_caller]
fn shows_no_secret(output: &Output) {
    for shown in [&output.text(), &output.stderr] {
        assert!(!shown.contains("made-up"), "{output:#?}");
        assert!(
            !shown.chars().any(|c| c.is_control() && c != '\n'),
            "{output:#?}"
        );
    }
}

#[track_caller]
fn count(text: &str, part: &str, times: usize) {
    assert_eq!(text.matches(part).count(), times, "{part}: {text}");
}

// ---- import ----

/// A home in which everybody keeps something.
fn full_house() -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.start_keyring();
    approve(&sandbox, "store", "store.test", "alice", "made-up-@store");
    approve(&sandbox, "store", "store.test:8443", "bob", "made-up-port");
    let other = sandbox.path("home/other");
    approve(
        &sandbox,
        &format!("store --file {}", other.display()),
        "other.test",
        "olga",
        "made-up-other",
    );
    sandbox.configure_git("[credential \"https://other.test\"]\n\thelper = store --file ~/other\n");
    write(sandbox.path("home/.netrc"), NETRC);
    write(sandbox.path("config/gh/hosts.yml"), HOSTS_YML);
    write(sandbox.path("config/glab-cli/config.yml"), CONFIG_YML);
    write(
        sandbox.path("home/.gcm/store/git/https/plain.test/paul.credential"),
        "made-up-gcm-file\nservice=git:https://plain.test\naccount=paul\n",
    );
    let gcm = [
        "xdg:schema",
        "com.microsoft.GitCredentialManager",
        "service",
        "git:https://gcm.test",
        "account",
        "greta",
    ];
    keep_item(&sandbox, &gcm, "made-up-gcm");
    keep_item(
        &sandbox,
        &["service", "gh:ghe.test", "username", "carol"],
        "made-up-ghe",
    );
    keep_item(
        &sandbox,
        &["service", "gh:ghe.test", "username", ""],
        "made-up-ghe",
    );
    // The same as gh has: one credential with two sources.
    approve(&sandbox, "store", "github.com", "octo", "ghp_made-up-gh");
    approve(&sandbox, "cache", "github.com", "cora", "ghp_made-up-cache");
    sandbox
}

const EVERYTHING: [(&str, &str, &str); 10] = [
    ("store.test", "alice", "made-up-@store"),
    ("store.test:8443", "bob", "made-up-port"),
    ("other.test", "olga", "made-up-other"),
    ("netrc.test", "nina", "made-up-netrc"),
    ("github.com", "octo", "ghp_made-up-gh"),
    ("github.com", "work", "ghp_made-up-gh-work"),
    ("ghe.test", "carol", "made-up-ghe"),
    ("gl.test", "gina", "made-up-glab"),
    ("plain.test", "paul", "made-up-gcm-file"),
    ("gcm.test", "greta", "made-up-gcm"),
];

#[test]
fn keyring_and_files_arrive_and_a_second_import_changes_nothing() {
    let sandbox = full_house();
    let keychain = "--storage keychain";
    let sources = || [sandbox.files("home/.gcm"), sandbox.files("config")].concat();
    let home = || {
        [".git-credentials", "other", ".netrc"]
            .map(|name| fs::read(sandbox.path("home").join(name)).unwrap())
    };
    let (files, dotfiles) = (sources(), home());

    let shown = sandbox
        .ask(&format!("{keychain} import --dry-run"), b"")
        .succeeded();
    shows_no_secret(&shown);
    count(&shown.text(), "https://github.com ", 3);
    count(&shown.text(), " new", 11);
    assert!(!shown.stderr.contains("netrc"), "{shown:?}");
    let asked = sandbox.ask(&format!("{keychain} import"), b"");
    assert_eq!(asked.status.code(), Some(1), "{asked:?}");
    assert!(asked.stderr.contains("add --yes"), "{asked:?}");
    assert!(!get(&sandbox, keychain, "store.test", "alice").has_secret());

    let done = sandbox
        .ask(&format!("{keychain} import --yes"), b"")
        .succeeded();
    shows_no_secret(&done);
    assert!(
        done.text().ends_with("imported 11 credentials\n"),
        "{done:?}"
    );
    for (host, username, password) in EVERYTHING {
        let answer = get(&sandbox, keychain, host, username);
        assert_eq!(answer.get("password"), Some(password), "{host} {username}");
    }
    assert_eq!(
        get(&sandbox, keychain, "github.com", "cora").get("password"),
        Some("ghp_made-up-cache")
    );
    let end = get(&sandbox, keychain, "gl.test", "gina");
    assert_eq!(end.get("password_expiry_utc"), Some("4070908740"));

    let listed = || {
        sandbox
            .ask(&format!("{keychain} list --json"), b"")
            .succeeded()
            .text()
    };
    let before = listed();
    let again = sandbox
        .ask(&format!("{keychain} import --yes"), b"")
        .succeeded();
    count(&again.text(), " same", 11);
    assert!(again.text().ends_with("nothing to import\n"), "{again:?}");
    let json = sandbox
        .ask(&format!("{keychain} import --json"), b"")
        .succeeded();
    shows_no_secret(&json);
    schema::check("import", &json.stdout);
    count(&json.text(), "\"verdict\": \"same\"", 11);
    count(&json.text(), "\"imported\": false", 11);
    assert_eq!((listed(), sources(), home()), (before, files, dotfiles));
    assert_eq!(
        sandbox.files("data").len(),
        keyring_files(&sandbox),
        "no plaintext of ours"
    );
}

/// The keyring keeps its own files in the data folder.
fn keyring_files(sandbox: &Sandbox) -> usize {
    sandbox.files("data/keyrings").len()
}

#[test]
fn keyring_and_files_lose_only_what_is_kept_here() {
    let sandbox = full_house();
    let done = sandbox
        .ask("--storage keychain import --yes --remove-source", b"")
        .succeeded();
    shows_no_secret(&done);
    assert!(done.stderr.contains(".netrc is only read"), "{done:?}");
    assert_eq!(
        fs::read(sandbox.path("home/.git-credentials")).unwrap(),
        b""
    );
    assert_eq!(fs::read(sandbox.path("home/other")).unwrap(), b"");
    assert_eq!(
        fs::read_to_string(sandbox.path("home/.netrc")).unwrap(),
        NETRC
    );
    let hosts = fs::read_to_string(sandbox.path("config/gh/hosts.yml")).unwrap();
    assert!(
        !hosts.contains("oauth_token") && hosts.contains("git_protocol: https"),
        "{hosts}"
    );
    let glab = fs::read_to_string(sandbox.path("config/glab-cli/config.yml")).unwrap();
    assert_eq!(
        glab,
        CONFIG_YML.replace("        token: !!null made-up-glab\n", "")
    );
    assert!(sandbox.files("home/.gcm").is_empty());
    assert_eq!(item(&sandbox, &["service", "git:https://gcm.test"]), "");
    assert_eq!(item(&sandbox, &["service", "gh:ghe.test"]), "");
    for (host, username, password) in EVERYTHING {
        let answer = get(&sandbox, "--storage keychain", host, username);
        assert_eq!(answer.get("password"), Some(password), "{host} {username}");
    }
    let left = sandbox
        .ask("--storage keychain import", b"")
        .succeeded()
        .text();
    assert_eq!(left.lines().count(), 3, "netrc alone: {left}");
}

#[test]
fn memory_is_not_kept_for_good() {
    let sandbox = Sandbox::new();
    approve(&sandbox, "store", "one.test", "alice", "made-up-one");
    let file = sandbox.path("home/.git-credentials");
    let before = fs::read(&file).unwrap();
    let done = sandbox
        .ask(
            "--storage memory import git-store --yes --remove-source",
            b"",
        )
        .succeeded();
    assert!(done.stderr.contains("only memory has a copy"), "{done:?}");
    // What cannot be done is not advised.
    count(&done.stderr, "the keychain cannot be reached", 1);
    assert_eq!(fs::read(&file).unwrap(), before);
    assert!(get(&sandbox, "--storage memory", "one.test", "alice").has_secret());
}

#[test]
fn another_secret_stays_unless_told() {
    let sandbox = Sandbox::new();
    store(
        &sandbox,
        "--storage file",
        "one.test",
        "alice",
        "made-up-kept",
    );
    approve(&sandbox, "store", "one.test", "alice", "made-up-theirs");
    write(
        sandbox.path("home/.netrc"),
        "machine one.test login alice password made-up-third",
    );
    let shown = sandbox
        .ask("--storage file import --yes", b"")
        .succeeded()
        .text();
    assert!(shown.contains("different: the stored one stays"), "{shown}");
    assert!(shown.contains("different from the one above"), "{shown}");
    let kept = || get(&sandbox, "--storage file", "one.test", "alice");
    assert_eq!(kept().get("password"), Some("made-up-kept"));
    sandbox
        .ask("--storage file import --yes --replace", b"")
        .succeeded();
    assert_eq!(kept().get("password"), Some("made-up-theirs"));
}

/// What the journal knows to be dead is shown as that, and stays where it is; what is good takes its place.
#[test]
fn what_was_refused_is_not_imported_unless_one_insists() {
    let sandbox = Sandbox::new();
    let flags = "--storage file";
    store(&sandbox, flags, "one.test", "alice", "made-up-dead");
    erase(&sandbox, flags, "one.test", "alice", "made-up-dead");
    store(&sandbox, flags, "two.test", "bob", "made-up-older");
    let login = format!("{flags} login --with-token https://bob@two.test");
    sandbox.ask(&login, b"made-up-newer").succeeded();
    approve(&sandbox, "store", "one.test", "alice", "made-up-dead");
    approve(&sandbox, "store", "two.test", "bob", "made-up-older");
    let import = |words: &str| {
        let said = sandbox
            .ask(&format!("{flags} import {words}"), b"")
            .succeeded();
        shows_no_secret(&said);
        said.text()
    };
    let password = |host: &str, user: &str| {
        let answer = get(&sandbox, flags, host, user);
        answer.get("password").map(str::to_owned)
    };
    let shown = import("--yes");
    count(&shown, "rejected ", 1);
    count(&shown, "superseded ", 1);
    assert!(shown.ends_with("nothing to import\n"), "{shown}");
    let json = import("--json --yes --replace");
    schema::check("import", json.as_bytes());
    count(&json, "\"verdict\": \"rejected\"", 1);
    count(&json, "\"verdict\": \"superseded\"", 1);
    count(&json, "\"imported\": false", 2);
    assert_eq!(password("one.test", "alice"), None);

    // Only the first of these two takes the place of what is kept, and only if told so as well.
    import("--yes --refused");
    assert_eq!(
        password("one.test", "alice").as_deref(),
        Some("made-up-dead")
    );
    assert_eq!(
        password("two.test", "bob").as_deref(),
        Some("made-up-newer")
    );
    count(&import("--dry-run"), " same", 1);

    // A good one behind a dead one is the one that is meant.
    erase(&sandbox, flags, "one.test", "alice", "made-up-dead");
    write(
        sandbox.path("home/.netrc"),
        "machine one.test login alice password made-up-good",
    );
    let shown = import("--yes --refused");
    count(&shown, "rejected ", 1);
    assert!(shown.contains(" new"), "{shown}");
    assert_eq!(
        password("one.test", "alice").as_deref(),
        Some("made-up-good")
    );
}

/// As for what git stores: kept for the account, not for the repository.
#[test]
fn imported_credentials_are_kept_for_their_accounts() {
    let sandbox = Sandbox::new();
    write(
        sandbox.path("config/git-credential-pat/config.toml"),
        "[[account]]\nurl = 'https://one.test/acme'\n[[account]]\nurl = 'https://one.test/acme/deep'\nusername = 'dora'\n",
    );
    let line = |user: &str, path: &str| format!("https://{user}:made-up-{user}@one.test{path}\n");
    let file = sandbox.path("home/.git-credentials");
    let text = [
        line("alice", "/acme/app.git"),
        line("alice", "/acme/lib.git"),
        line("bob", "/acmevil/app.git"),
        line("carol", ""),
        line("dora", "/acme/deep/x.git"),
    ];
    write(file.clone(), &text.concat());
    let flags = "--storage file";
    sandbox
        .ask(&format!("{flags} import --yes"), b"")
        .succeeded();
    let json = sandbox
        .ask(&format!("{flags} list --json"), b"")
        .succeeded()
        .text();
    let mut paths: Vec<_> = json
        .lines()
        .filter_map(|line| line.trim().strip_prefix("\"path\": "))
        .collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        [
            "\"acme\",",
            "\"acme/deep\",",
            "\"acmevil/app.git\",",
            "null,"
        ]
    );
    let asked = lines(&[
        ("protocol", "https"),
        ("host", "one.test"),
        ("path", "acme/other.git"),
    ]);
    let answer = sandbox.ask(&format!("{flags} get"), &asked).succeeded();
    assert_eq!(
        Answer::read(&answer.stdout).get("password"),
        Some("made-up-alice")
    );
    let again = sandbox
        .ask(&format!("{flags} import --yes --remove-source"), b"")
        .succeeded();
    count(&again.text(), " same", 4);
    assert_eq!(fs::read(file).unwrap(), b"");
}

#[test]
fn a_variable_is_read_only_when_named() {
    let sandbox = Sandbox::new();
    let import = |words: &str| {
        let mut command = sandbox.helper(&format!("--storage file import {words}"));
        command.env("MADE_UP", "made-up-variable\n");
        process::run(&mut command, b"")
    };
    assert_eq!(import("--yes").succeeded().text(), "no credentials found\n");
    assert_eq!(import("env:MADE_UP --yes").status.code(), Some(1));
    assert_eq!(
        import("env:OTHER --url one.test --yes").status.code(),
        Some(1)
    );
    let done = import("env:MADE_UP --url https://alice@one.test --yes").succeeded();
    shows_no_secret(&done);
    import("env:MADE_UP --url two.test --yes").succeeded();
    for (host, user) in [("one.test", "alice"), ("two.test", "x-access-token")] {
        let answer = get(&sandbox, "--storage file", host, user);
        assert_eq!(answer.get("password"), Some("made-up-variable"));
    }
}

#[test]
fn hostile_sources_are_passed_over_and_never_repeated() {
    let sandbox = Sandbox::new();
    let huge = "x".repeat(200_000);
    write(
        sandbox.path("home/.git-credentials"),
        &format!(
            "https://u:made-up%0Ahost%3Devil@h.test\nhttps://\x1b]0;pwn\x07:made-up@h.test\nhttps://u:made-up@good.test@evil.test\r\nhttps://u:{huge}@h.test\nhttps://alice:made-up-one@one.test\n"
        ),
    );
    write(
        sandbox.path("home/.netrc"),
        "machine evil.test@good.test login a password made-up\nmachine a\x1b[2J login b password made-up",
    );
    write(
        sandbox.path("config/gh/hosts.yml"),
        "github.com: {oauth_token: made-up\n",
    );
    fs::create_dir_all(sandbox.path("config/glab-cli")).unwrap();
    let link = sandbox.path("config/glab-cli/config.yml");
    std::os::unix::fs::symlink(sandbox.path("work"), link).unwrap();
    let before = sandbox.files("home");
    let done = sandbox.ask("--storage file import --yes", b"").succeeded();
    shows_no_secret(&done);
    assert!(done.text().ends_with("imported 1 credential\n"), "{done:?}");
    for said in [
        "skipped 4 entries of git-store",
        ".git-credentials, lines 1, 2, 3, 4\n",
        "skipped 2 entries of netrc",
        "is no YAML",
        "config.yml, which is a link",
        "is not a plain file",
    ] {
        assert!(done.stderr.contains(said), "{said}: {done:?}");
    }
    assert_eq!(sandbox.files("home"), before);
    sandbox
        .ask("--storage file import --yes --remove-source", b"")
        .succeeded();
    let left = fs::read(sandbox.path("home/.git-credentials")).unwrap();
    let kept = before
        .iter()
        .find(|(path, _)| path.ends_with(".git-credentials"))
        .unwrap();
    assert_eq!(
        left,
        kept.1[..kept.1.len() - "https://alice:made-up-one@one.test\n".len()]
    );
}

/// A repository may be somebody else's work: what its settings name is no source, and no storage in use.
/// Where its file is, as far as that takes no shell; and where it does, that is said.
#[test]
fn a_file_is_found_as_gits_configuration_spells_it() {
    let sandbox = Sandbox::new();
    for (value, file, is_found) in [
        ("store --file $HOME/c", "home/c", true),
        (
            "!git credential-store --file \"${HOME}/c d\"",
            "home/c d",
            true,
        ),
        ("store --file $(echo made-up)", "home/c", false),
    ] {
        write(sandbox.path(file), "https://alice:made-up@one.test\n");
        let mut git = sandbox.git(&["config", "--global", "credential.helper", value]);
        process::run(&mut git, b"").succeeded();
        let done = sandbox.ask("--storage file import --dry-run git-store", b"");
        shows_no_secret(&done);
        count(&done.text(), "https://one.test", usize::from(is_found));
        let untold = "cannot tell where a helper of git's keeps credentials: store …";
        count(&done.stderr, untold, usize::from(!is_found));
    }
}

/// As Git Credential Manager keeps one for an organization, and has git tell the whole path.
#[test]
fn what_would_fit_no_repository_is_said() {
    let sandbox = Sandbox::new();
    let line = "https://me:made-up@dev.azure.com/org\n";
    write(sandbox.path("home/.git-credentials"), line);
    let told = || {
        let done = sandbox.ask("--storage file import --dry-run git-store", b"");
        done.succeeded().stderr
    };
    assert_eq!(told(), "", "git tells no path");
    let name = "credential.https://dev.azure.com.useHttpPath";
    let mut git = sandbox.git(&["config", "--global", name, "true"]);
    process::run(&mut git, b"").succeeded();
    count(&told(), "account add https://dev.azure.com/org", 1);
    count(&told(), "https://dev.azure.com/org is not answered", 1);
    write(
        sandbox.path("config/git-credential-pat/config.toml"),
        "[[account]]\nurl = 'https://dev.azure.com/org'\n",
    );
    assert_eq!(told(), "", "the rule covers it");
}

#[test]
fn a_repositorys_settings_name_no_source() {
    let sandbox = Sandbox::new();
    process::run(&mut sandbox.git(&["init", "--quiet", "."]), b"").succeeded();
    let evil = sandbox.path("work/evil");
    write(evil.clone(), "https://alice:made-up-theirs@github.com\n");
    let setting = format!("store --file {}", evil.display());
    let mut config = sandbox.git(&["config", "--local", "credential.helper", &setting]);
    process::run(&mut config, b"").succeeded();
    let flags = "--storage file";
    for words in ["import --dry-run", "import --yes --remove-source"] {
        let said = sandbox.ask(&format!("{flags} {words}"), b"").succeeded();
        assert_eq!(said.text(), "no credentials found\n", "{words}");
    }
    erase(&sandbox, flags, "github.com", "alice", "made-up-theirs");
    let clean = sandbox
        .ask(&format!("{flags} clean --yes"), b"")
        .succeeded();
    assert_eq!(clean.text(), "nothing is stale\n");
    assert!(fs::read_to_string(&evil).unwrap().contains("made-up"));
    // The same in one's own settings is a source.
    let mut own = sandbox.git(&["config", "--global", "credential.helper", &setting]);
    process::run(&mut own, b"").succeeded();
    let said = sandbox
        .ask(&format!("{flags} import --dry-run"), b"")
        .succeeded();
    count(&said.text(), "https://github.com", 1);
}

/// Who is answered for a host where nobody says who.
fn first(sandbox: &Sandbox, flags: &str, host: &str) -> Option<String> {
    let question = lines(&[("protocol", "https"), ("host", host)]);
    let output = sandbox.ask(&format!("{flags} get"), &question).succeeded();
    let answer = Answer::read(&output.stdout);
    answer.get("password").map(str::to_owned)
}

/// Of several users of one host: whoever answered where they come from answers here, and who answered here before goes on.
fn who_answered_goes_on(flags: &str, needs_keyring: bool) {
    let new = || {
        let mut sandbox = Sandbox::new();
        if needs_keyring {
            sandbox.start_keyring();
        }
        sandbox
    };
    let store = |sandbox: &Sandbox, host: &str, username: &str, password: &str| {
        let pairs = pairs(host, username, password);
        sandbox.ask(&format!("{flags} store"), &pairs).succeeded();
    };
    let sandbox = new();
    write(
        sandbox.path("config/gh/hosts.yml"),
        "github.com:\n    users:\n        anna:\n            oauth_token: ghp_made-up-anna\n        octo:\n            oauth_token: ghp_made-up-octo\n        zoe:\n            oauth_token: ghp_made-up-zoe\n    user: octo\n    oauth_token: ghp_made-up-octo\n",
    );
    write(
        sandbox.path("home/.git-credentials"),
        "https://alice:made-up-path@one.test/a.git\nhttps://bob:made-up-bob@one.test\nhttps://carol:made-up-carol@one.test\nhttps://dora:made-up-dora@two.test\nhttps://emil:made-up-emil@two.test\n",
    );
    write(
        sandbox.path("home/.netrc"),
        "machine one.test login nina password made-up-nina\nmachine three.test login nina password made-up-nina\nmachine three.test login olga password made-up-olga\n",
    );
    store(&sandbox, "two.test", "old", "made-up-older");
    store(&sandbox, "two.test", "kept", "made-up-kept");
    let done = sandbox
        .ask(&format!("{flags} import --yes gh git-store netrc"), b"")
        .succeeded();
    shows_no_secret(&done);
    let answers = || {
        ["github.com", "one.test", "two.test", "three.test"]
            .map(|host| first(&sandbox, flags, host).unwrap())
    };
    let expected = [
        "ghp_made-up-octo",
        "made-up-bob",
        "made-up-kept",
        "made-up-nina",
    ];
    assert_eq!(answers(), expected, "{flags}");
    let listed = sandbox
        .ask(&format!("{flags} list --json"), b"")
        .succeeded();
    shows_no_secret(&listed);
    for (host, username) in [
        ("one.test", "alice"),
        ("two.test", "old"),
        ("github.com", "zoe"),
    ] {
        assert!(get(&sandbox, flags, host, username).has_secret(), "{host}");
    }
    // What is refused goes, and the one before it in the source is next.
    let refused = pairs("github.com", "octo", "ghp_made-up-octo");
    sandbox.ask(&format!("{flags} erase"), &refused).succeeded();
    assert_eq!(
        first(&sandbox, flags, "github.com").as_deref(),
        Some("ghp_made-up-anna")
    );

    // The source that is named first comes first; another secret in the place of the kept one answers as that did.
    let sandbox = new();
    write(
        sandbox.path("home/.git-credentials"),
        "https://bob:made-up-bob@one.test\nhttps://kept:made-up-new@two.test\nhttps://dora:made-up-dora@two.test\n",
    );
    write(
        sandbox.path("home/.netrc"),
        "machine one.test login nina password made-up-nina\n",
    );
    store(&sandbox, "two.test", "kept", "made-up-kept");
    let words = format!("{flags} import --yes --replace netrc git-store");
    sandbox.ask(&words, b"").succeeded();
    assert_eq!(
        first(&sandbox, flags, "one.test").as_deref(),
        Some("made-up-nina")
    );
    assert_eq!(
        first(&sandbox, flags, "two.test").as_deref(),
        Some("made-up-new")
    );
}

#[test]
fn who_answered_goes_on_in_memory() {
    who_answered_goes_on("--storage memory", false);
}

#[test]
fn who_answered_goes_on_in_a_file() {
    who_answered_goes_on("--storage file", false);
}

#[test]
fn who_answered_goes_on_in_a_keyring() {
    who_answered_goes_on("--storage keychain", true);
}

/// What git is answered for `more` of a host.
fn answered(sandbox: &Sandbox, flags: &str, host: &str, more: &[(&str, &str)]) -> Option<String> {
    let question = [&[("protocol", "https"), ("host", host)], more].concat();
    let output = sandbox.ask(&format!("{flags} get"), &lines(&question));
    let answer = Answer::read(&output.succeeded().stdout);
    answer.get("password").map(str::to_owned)
}

/// Every question that an import could change, not only the host's.
fn whoever_answered_a_path_or_a_user_goes_on(flags: &str, needs_keyring: bool) {
    for has_rules in [true, false] {
        let mut sandbox = Sandbox::new();
        if needs_keyring {
            sandbox.start_keyring();
        }
        if has_rules {
            write(
                sandbox.path("config/git-credential-pat/config.toml"),
                "[[account]]\nurl = 'https://one.test/acme'\n",
            );
        }
        for (name, path, password) in [
            ("uma", "acme/r.git", "made-up-acme"),
            ("alice", "a.git", "made-up-a"),
            ("bob", "", "made-up-host"),
        ] {
            let mut pairs = vec![
                ("protocol", "https"),
                ("host", "one.test"),
                ("username", name),
                ("password", password),
            ];
            if !path.is_empty() {
                pairs.push(("path", path));
            }
            let words = format!("{flags} store");
            sandbox.ask(&words, &lines(&pairs)).succeeded();
            if needs_keyring {
                std::thread::sleep(std::time::Duration::from_millis(1100));
            }
        }
        write(
            sandbox.path("home/.git-credentials"),
            "https://theirs:made-up-theirs@one.test/acme/r.git\nhttps://alice:made-up-other@one.test/c.git\n",
        );
        let questions: [&[(&str, &str)]; 5] = [
            &[],
            &[("path", "acme/r.git")],
            &[("path", "a.git")],
            &[("username", "alice")],
            &[("username", "bob")],
        ];
        let answers = || questions.map(|more| answered(&sandbox, flags, "one.test", more));
        let before = answers();
        assert_eq!(before[0].as_deref(), Some("made-up-host"));
        assert_eq!(before[1].as_deref(), Some("made-up-acme"));
        let words = format!("{flags} import git-store --yes");
        let done = sandbox.ask(&words, b"").succeeded();
        shows_no_secret(&done);
        assert!(
            done.text().ends_with(if needs_keyring {
                "nothing to import\n"
            } else {
                "imported 2 credentials\n"
            }),
            "{done:?}"
        );
        count(&done.text(), " shadows ", if needs_keyring { 2 } else { 0 });
        assert_eq!(answers(), before, "{flags}, rules: {has_rules}");
        let theirs = [("username", "theirs"), ("path", "acme/r.git")];
        let has_theirs = || answered(&sandbox, flags, "one.test", &theirs).is_some();
        assert_eq!(has_theirs(), !needs_keyring, "{flags}");
        sandbox.ask(&format!("{words} --replace"), b"").succeeded();
        assert!(has_theirs(), "{flags}");
    }
}

#[test]
fn whoever_answered_a_path_goes_on_in_memory() {
    whoever_answered_a_path_or_a_user_goes_on("--storage memory", false);
}

#[test]
fn whoever_answered_a_path_goes_on_in_a_file() {
    whoever_answered_a_path_or_a_user_goes_on("--storage file", false);
}

#[test]
fn whoever_answered_a_path_goes_on_in_a_keyring() {
    whoever_answered_a_path_or_a_user_goes_on("--storage keychain", true);
}

/// Whoever answers for the host is put last again, and takes with that nothing that it fits and never answered.
#[test]
fn putting_one_last_takes_nothing_from_another() {
    for flags in ["--storage file", "--storage memory"] {
        let sandbox = Sandbox::new();
        for (name, path, password) in [
            ("will", "x.git", "made-up-will"),
            ("uma", "x.git", "made-up-x"),
            ("uma", "y.git", "made-up-y"),
        ] {
            let pairs = pairs("one.test", name, password);
            let pairs = [format!("path={path}\n").as_bytes(), &pairs[..]].concat();
            let words = format!("{flags} store");
            sandbox.ask(&words, &pairs).succeeded();
        }
        approve(&sandbox, "store", "one.test", "will", "made-up-theirs");
        let words = format!("{flags} import --yes git-store");
        sandbox.ask(&words, b"").succeeded();
        for (path, password) in [("x.git", "made-up-x"), ("y.git", "made-up-y")] {
            let answer = answered(&sandbox, flags, "one.test", &[("path", path)]);
            assert_eq!(answer.as_deref(), Some(password), "{flags}");
        }
        let first = first(&sandbox, flags, "one.test");
        assert_eq!(first.as_deref(), Some("made-up-y"), "{flags}");
    }
}

/// An import goes to the last storage of the list that lasts, and to no other.
#[test]
fn an_import_to_a_list_goes_to_one_storage() {
    for (is_broken, forgets) in [(true, false), (false, true)] {
        let sandbox = Sandbox::new();
        let flags = "--storage memory,file";
        store(&sandbox, flags, "one.test", "kept", "made-up-kept");
        approve(&sandbox, "store", "one.test", "theirs", "made-up-theirs");
        if forgets {
            sandbox.ask("cache clear", b"").succeeded();
        }
        // A folder in the place of its lock: it is read, and cannot be written.
        let lock = sandbox.path("data/git-credential-pat/credentials.lock");
        if is_broken {
            fs::remove_file(&lock).unwrap();
            fs::create_dir(&lock).unwrap();
        }
        let done = sandbox.ask(&format!("{flags} import --yes git-store"), b"");
        shows_no_secret(&done);
        assert_eq!(done.status.success(), !is_broken, "{done:?}");
        assert!(!get(&sandbox, "--storage memory", "one.test", "theirs").has_secret());
        let is_in_file = get(&sandbox, "--storage file", "one.test", "theirs").has_secret();
        assert_eq!(is_in_file, !is_broken);
        assert_eq!(
            first(&sandbox, flags, "one.test").as_deref(),
            Some("made-up-kept"),
            "broken: {is_broken}"
        );
    }
}

/// For `auto` an import goes to the keychain. Memory, which forgets, is no substitute.
#[test]
fn without_a_keychain_auto_imports_nothing() {
    let sandbox = Sandbox::new();
    approve(&sandbox, "store", "one.test", "alice", "made-up-one");
    let done = sandbox.ask("import --yes git-store", b"");
    shows_no_secret(&done);
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    assert!(!done.text().contains("nothing to import"), "{done:?}");
    count(&done.stderr, "cannot reach the keychain storage", 1);
    count(
        &done.stderr,
        "error: nothing was imported\nhint: to import into a plaintext file",
        1,
    );
    count(&done.stderr, "hint: ", 2);
    assert!(!get(&sandbox, "", "one.test", "alice").has_secret());
}

/// The preview names the credential that answers now.
#[test]
fn keyring_answers_are_taken_over_only_with_replace() {
    let mut sandbox = Sandbox::new();
    sandbox.start_keyring();
    let flags = "--storage keychain";
    store(&sandbox, flags, "one.test", "kept", "made-up-kept");
    approve(&sandbox, "store", "one.test", "theirs", "made-up-theirs");
    approve(&sandbox, "store", "two.test", "theirs", "made-up-theirs");
    let import = |words: &str| {
        let words = format!("{flags} import git-store {words}");
        let done = sandbox.ask(&words, b"").succeeded();
        shows_no_secret(&done);
        done.text()
    };
    let shown = import("--yes");
    count(
        &shown,
        "shadows https://kept@one.test (keychain), which answers now: not imported",
        1,
    );
    assert!(shown.ends_with("imported 1 credential\n"), "{shown}");
    assert_eq!(
        first(&sandbox, flags, "one.test").as_deref(),
        Some("made-up-kept")
    );
    let json = import("--json --dry-run");
    schema::check("import", json.as_bytes());
    count(&json, "\"verdict\": \"shadows\"", 1);
    count(&json, "\"shadows\": null", 1);
    count(&json, "\"username\": \"kept\"", 1);
    let shown = import("--yes --replace");
    count(
        &shown,
        "new, answers instead of https://kept@one.test (keychain)",
        1,
    );
    assert_eq!(
        first(&sandbox, flags, "one.test").as_deref(),
        Some("made-up-theirs")
    );
    assert!(get(&sandbox, flags, "one.test", "kept").has_secret());
}

/// A new expiry makes an item of a keyring the newest one.
#[test]
fn keyring_order_survives_a_new_expiry() {
    let mut sandbox = Sandbox::new();
    sandbox.start_keyring();
    let flags = "--storage keychain";
    for user in ["older", "kept"] {
        store(
            &sandbox,
            flags,
            "one.test",
            user,
            &format!("made-up-{user}"),
        );
    }
    sandbox
        .ask(
            &format!("{flags} expires https://older@one.test 2099-01-01"),
            b"",
        )
        .succeeded();
    let older = get(&sandbox, flags, "one.test", "older");
    assert!(older.get("password_expiry_utc").is_some());
    assert_eq!(
        first(&sandbox, flags, "one.test").as_deref(),
        Some("made-up-kept")
    );
}

/// git's cache takes the place that it was named at.
#[test]
fn the_cache_comes_where_it_is_named() {
    for (sources, expected) in [
        ("git-cache git-store", "ghp_made-up-cora"),
        ("git-store git-cache", "ghp_made-up-bob"),
    ] {
        let sandbox = Sandbox::new();
        approve(&sandbox, "cache", "github.com", "cora", "ghp_made-up-cora");
        approve(&sandbox, "store", "github.com", "bob", "ghp_made-up-bob");
        let words = format!("--storage file import --yes {sources}");
        sandbox.ask(&words, b"").succeeded();
        let answered = first(&sandbox, "--storage file", "github.com");
        assert_eq!(answered.as_deref(), Some(expected), "{sources}");
    }
}

/// Nobody knows what a storage keeps that does not answer: nothing is called new, and nothing is put beside it.
#[test]
fn keyring_that_does_not_answer_makes_nothing_new() {
    for stop in [Sandbox::hang_keyring, Sandbox::lock_keyring] {
        let mut sandbox = Sandbox::new();
        sandbox.start_keyring();
        store(
            &sandbox,
            "--storage keychain",
            "one.test",
            "alice",
            "made-up-kept",
        );
        let lines: String = (0..150)
            .map(|number| format!("https://u:made-up-{number}@h{number}.test\n"))
            .collect();
        let source = "https://alice:made-up-theirs@one.test\n";
        for source in [source.to_owned(), format!("{source}{lines}")] {
            write(sandbox.path("home/.git-credentials"), &source);
            stop(&sandbox);
            for flags in ["", "--storage keychain"] {
                let said = sandbox.ask(&format!("{flags} import --yes git-store"), b"");
                assert_eq!(said.status.code(), Some(1), "{said:?}");
                shows_no_secret(&said);
                count(&said.text(), "new", 0);
                assert!(
                    said.text().contains("unknown: a storage does not answer"),
                    "{said:?}"
                );
                count(&said.stderr, "error: nothing was imported\n", 1);
                let other_ways = usize::from(flags.is_empty());
                count(&said.stderr, "setup --storage file'", other_ways);
                count(&said.stderr, "import --storage memory'", other_ways);
            }
            assert!(!get(&sandbox, "--storage memory", "one.test", "alice").has_secret());
        }
    }
}

/// However large a source and what is kept here are: no question for each of one in all of the other.
#[test]
fn a_huge_source_is_weighed_in_time() {
    let sandbox = Sandbox::new();
    let line = |number: usize| format!("https://u:made-up-{number}@h{number}.test\n");
    let text: String = (0..10_000).map(line).collect();
    write(sandbox.path("home/.git-credentials"), &text);
    let kept = |number: usize| {
        format!("protocol=https\nhost=h{number}.test\nusername=u\npassword=made-up-{number}\n\n")
    };
    let file = sandbox.path("work/credentials");
    write(file.clone(), &(0..5000).map(kept).collect::<String>());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    // Who takes more of the processor, however busy that is, is ended: ten times what it takes without optimization.
    let ask = |words: &str| {
        let mut limited = sandbox.command(tool::need("prlimit"));
        limited.args(["--cpu=20", PROGRAM, "--storage", "file", "--file"]);
        limited.arg(&file).args(words.split(' '));
        process::run(&mut limited, b"").succeeded()
    };
    let shown = ask("import --dry-run");
    let clean = ask("clean --dry-run");
    shows_no_secret(&shown);
    count(&shown.text(), " same\n", 5000);
    count(&shown.text(), " new\n", 5000);
    assert_eq!(clean.text(), "nothing is stale\n");
}

#[test]
fn import_asks_at_the_terminal() {
    let sandbox = Sandbox::new();
    approve(&sandbox, "store", "one.test", "alice", "made-up-one");
    let answered = |answer: &str| {
        let mut session = Session::start(&sandbox.helper("--storage file import"));
        session.answer("Import 1 credential? [y/N]", answer);
        let (status, shown) = session.finish();
        assert!(status.success() && !shown.contains("made-up"), "{shown}");
        get(&sandbox, "--storage file", "one.test", "alice").has_secret()
    };
    assert!(!answered(""));
    assert!(answered("y"));
}

// ---- clean ----

/// The lines of `clean`'s table, but for the heading and for what tells secrets apart.
fn listed(output: &Output) -> Vec<String> {
    let text = output.text();
    let (Some(from), Some(to)) = (text.find("SECRET"), text.find("WHY")) else {
        return Vec::new();
    };
    let rows = text
        .lines()
        .skip(1)
        .filter(|line| line.contains("https://"));
    rows.map(|row| {
        let row = format!("{} {}", &row[..from], &row[to..]);
        row.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
    })
    .collect()
}

/// The same column of every line.
fn column(output: &Output, heading: &str, next: &str) -> Vec<String> {
    let text = output.text();
    let (from, to) = (text.find(heading).unwrap(), text.find(next).unwrap());
    let rows = text
        .lines()
        .skip(1)
        .filter(|line| line.contains("https://"));
    rows.map(|row| row[from..to].trim().to_owned()).collect()
}

/// Ended ones in a keyring, as git's own helper leaves them for hosts that nobody goes to any more.
#[test]
fn keyring_items_that_ended_go_and_only_those() {
    let mut sandbox = Sandbox::new();
    sandbox.start_keyring();
    let native = |host: &'static str, user: &'static str| {
        [
            "xdg:schema",
            "org.git.Password",
            "protocol",
            "https",
            "server",
            host,
            "user",
            user,
        ]
    };
    keep_item(
        &sandbox,
        &native("never.test", "alice"),
        "made-up-old\npassword_expiry_utc=1000000000",
    );
    keep_item(
        &sandbox,
        &native("never.test", "bob"),
        "made-up-good\npassword_expiry_utc=4000000000",
    );
    keep_item(&sandbox, &native("never.test", "carol"), "made-up-unknown");
    keep_item(
        &sandbox,
        &native("renew.test", "dave"),
        "made-up-old\npassword_expiry_utc=1000000000\noauth_refresh_token=made-up-r",
    );
    keep_item(
        &sandbox,
        &[
            "xdg:schema",
            "org.example.Other",
            "server",
            "never.test",
            "user",
            "alice",
        ],
        "made-up-old",
    );
    let dry = sandbox.ask("clean --dry-run", b"").succeeded();
    shows_no_secret(&dry);
    assert_eq!(
        listed(&dry),
        ["https://never.test alice keychain expired 9 Sep 2001"]
    );
    assert!(
        dry.stderr
            .contains("1 credential expired but can be renewed"),
        "{dry:?}"
    );
    assert_eq!(
        item(&sandbox, &native("never.test", "alice"))
            .lines()
            .next(),
        Some("made-up-old")
    );
    assert_eq!(sandbox.ask("clean", b"").status.code(), Some(1));
    let done = sandbox.ask("clean --yes", b"").succeeded();
    assert!(done.text().ends_with("removed 1 credential\n"), "{done:?}");
    assert_eq!(item(&sandbox, &native("never.test", "alice")), "");
    for user in ["bob", "carol"] {
        assert!(
            item(&sandbox, &native("never.test", user)).starts_with("made-up"),
            "{user}"
        );
    }
    assert!(item(&sandbox, &native("renew.test", "dave")).starts_with("made-up"));
    assert_eq!(
        item(&sandbox, &["xdg:schema", "org.example.Other"]),
        "made-up-old"
    );
    assert_eq!(
        sandbox.ask("clean --yes", b"").succeeded().text(),
        "nothing is stale\n"
    );
}

/// What no forge takes any more.
const OVER: &[(&str, &str, &str)] = &[
    ("github.com", "octocat", "made-up account password"),
    ("bitbucket.org", "bob", "ATBBmade-up"),
];
/// What may be good, for all that anybody knows.
const GOOD: &[(&str, &str, &str)] = &[
    ("github.com", "classic", "ghp_made-up"),
    (
        "github.com",
        "older",
        "0123456789abcdef0123456789abcdef01234567",
    ),
    ("github.com", "ghp_made-up", "x-oauth-basic"),
    ("github.com:8443", "other", "made-up account password"),
    ("ghe.test", "octocat", "made-up account password"),
    ("bitbucket.org", "ben", "ATATTmade-up"),
    ("never.test", "alice", "made-up-unknown"),
];

/// What git's own helper left in the keyring, for hosts that this program has never been asked about: what surely cannot
/// work any more is listed, each with its reason, and nothing else goes.
#[test]
fn keyring_leftovers_of_gits_own_helper_are_known_by_what_they_are() {
    let Some(folder) = helper_folder() else {
        return;
    };
    let mut sandbox = Sandbox::new();
    sandbox.start_keyring();
    let libsecret = |word: &str, host: &str, user: &str, more: &[(&str, &str)]| {
        let site = [("protocol", "https"), ("host", host), ("username", user)];
        let mut helper = sandbox.command(folder.join("git-credential-libsecret"));
        let input = lines(&[&site[..], more].concat());
        process::run(helper.arg(word), &input).succeeded()
    };
    let put = |host: &str, user: &str, password: &str| {
        libsecret("store", host, user, &[("password", password)]);
    };
    let has = |host: &str, user: &str| {
        Answer::read(&libsecret("get", host, user, &[]).stdout).has_secret()
    };
    for (host, user, password) in [OVER, GOOD].concat() {
        put(host, user, password);
    }
    let end = [
        ("password", "made-up-old"),
        ("password_expiry_utc", "1000000000"),
    ];
    libsecret("store", "gone.test", "carol", &end);
    // Helpers before git 2.43 keep no date.
    let keeps_date = libsecret("get", "gone.test", "carol", &[]).text();
    let keeps_date = keeps_date.contains("password_expiry_utc");

    // Another storage is in use, and has what git found good since.
    write(
        sandbox.path("config/git-credential-pat/config.toml"),
        "storage = 'file'\n[lookup]\nenabled = false\n",
    );
    put("forge.test", "dora", "made-up-older");
    std::thread::sleep(std::time::Duration::from_millis(2100));
    for (host, user) in [("forge.test", "dora"), ("forge.test", "erin")] {
        store(&sandbox, "", host, user, "glpat-made-up");
    }
    // Taken over from elsewhere, and never found good: it may well be the older one.
    approve(&sandbox, "store", "forge.test", "fay", "glpat-made-up");
    put("forge.test", "fay", "made-up-good");
    std::thread::sleep(std::time::Duration::from_millis(2100));
    sandbox.ask("import git-store --yes", b"").succeeded();
    put("forge.test", "erin", "made-up-newer");

    let mut meant = vec![
        (
            "bitbucket.org",
            "bob",
            "app password: Bitbucket stopped accepting them in July 2026",
        ),
        (
            "github.com",
            "octocat",
            "password: GitHub stopped accepting them in August 2021",
        ),
        ("forge.test", "dora", "superseded "),
    ];
    if keeps_date {
        meant.push(("gone.test", "carol", "expired 9 Sep 2001"));
    }
    let dry = sandbox.ask("clean --dry-run", b"").succeeded();
    shows_no_secret(&dry);
    let rows = listed(&dry);
    assert_eq!(rows.len(), meant.len(), "{rows:#?}");
    for (host, user, why) in &meant {
        let row = format!("https://{host} {user} keychain {why}");
        assert!(
            rows.iter().any(|found| found.starts_with(&row)),
            "{row}: {rows:#?}"
        );
        assert!(has(host, user), "nothing goes yet");
    }
    let stored = column(&dry, "STORED", "WHY");
    assert!(stored.iter().all(|day| day.len() > 8), "{stored:?}");
    let json = sandbox.ask("clean --json --dry-run", b"").succeeded();
    shows_no_secret(&json);
    schema::check("clean", &json.stdout);
    count(&json.text(), "\"reason\": \"not-taken\"", 2);

    let done = sandbox.ask("clean --yes", b"").succeeded();
    assert_eq!(listed(&done), rows, "exactly what was listed");
    for (host, user, _) in &meant {
        assert!(!has(host, user), "{host} {user}");
    }
    let newer = [("forge.test", "erin", ""), ("forge.test", "fay", "")];
    for (host, user, _) in [GOOD, &newer].concat() {
        assert!(has(host, user), "{host} {user}");
    }
    for user in ["dora", "erin"] {
        assert!(get(&sandbox, "", "forge.test", user).has_secret());
    }
    let again = sandbox.ask("clean --yes", b"").succeeded();
    assert_eq!(again.text(), "nothing is stale\n");
}

/// Two schemas of git's own helper, before and since git 2.43, leave several items under one key. Only the newest answers.
#[test]
fn keyring_items_behind_a_newer_one_are_listed_each() {
    const OLDER: &str = "org.gnome.keyring.NetworkPassword";
    const SINCE: &str = "org.git.Password";
    let mut sandbox = Sandbox::new();
    sandbox.start_keyring();
    let put = |schema: &str, host: &str, more: &[&str], secret: &str| {
        let mut tool = sandbox.command(tool::need("secret-tool"));
        tool.args(["store", "--label=Git: made up", "xdg:schema", schema]);
        tool.args(["protocol", "https", "user", "alice", "server", host]);
        process::run(tool.args(more), secret.as_bytes()).succeeded();
    };
    let ended = "made-up-ended\npassword_expiry_utc=1000000000";
    put(OLDER, "github.com", &[], "made-up account password");
    put(OLDER, "upgraded.test", &[], "made-up-older");
    put(SINCE, "back.test", &[], "made-up-older");
    put(SINCE, "ended.test", &[], ended);
    put(OLDER, "hidden.test", &[], "made-up-good");
    put(OLDER, "copy.test", &[], "made-up-newer");
    put(SINCE, "thrice.test", &[], "made-up-older");
    put(SINCE, "thrice.test", &["extra", "yes"], "made-up-older");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    put(SINCE, "github.com", &[], "ghp_made-up-newer");
    put(SINCE, "upgraded.test", &[], "made-up-newer");
    put(OLDER, "back.test", &[], "made-up-newer");
    put(OLDER, "ended.test", &[], "made-up-newer");
    put(SINCE, "hidden.test", &[], ended);
    put(SINCE, "copy.test", &[], "made-up-newer");
    put(OLDER, "thrice.test", &[], "made-up-newer");
    // What others keep of it is not judged by that.
    write(
        sandbox.path("home/.git-credentials"),
        "https://alice:made-up-older@upgraded.test\n",
    );

    let list = sandbox.ask("list", b"").succeeded();
    shows_no_secret(&list);
    count(&list.text(), "alice", 7);
    let dry = sandbox.ask("clean --dry-run", b"").succeeded();
    shows_no_secret(&dry);
    let rows = listed(&dry);
    let meant = [
        "https://github.com alice keychain password: GitHub",
        "https://upgraded.test alice keychain superseded ",
        "https://back.test alice keychain superseded ",
        "https://ended.test alice keychain expired 9 Sep 2001",
        "https://hidden.test alice keychain expired 9 Sep 2001",
        "https://thrice.test alice keychain (2 items) superseded ",
    ];
    assert_eq!(rows.len(), meant.len(), "{rows:#?}");
    for row in meant {
        let is_it = |found: &&String| found.starts_with(row);
        assert_eq!(rows.iter().filter(is_it).count(), 1, "{row}: {rows:#?}");
    }
    let done = sandbox.ask("clean --yes", b"").succeeded();
    assert_eq!(listed(&done), rows, "exactly what was listed");
    assert!(done.text().ends_with("removed 6 credentials\n"), "{done:?}");
    let secrets = |host: &str| {
        let mut tool = sandbox.command(tool::need("secret-tool"));
        tool.args(["search", "--all", "--unlock", "server", host]);
        let found = process::run(&mut tool, b"").text();
        let found = found
            .lines()
            .filter_map(|line| line.strip_prefix("secret = "));
        found.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(secrets("github.com"), ["ghp_made-up-newer"]);
    for host in ["upgraded.test", "back.test", "ended.test", "thrice.test"] {
        assert_eq!(secrets(host), ["made-up-newer"], "{host}");
    }
    assert_eq!(secrets("hidden.test"), ["made-up-good"]);
    assert_eq!(secrets("copy.test"), ["made-up-newer", "made-up-newer"]);
    let again = sandbox.ask("clean --yes", b"").succeeded();
    assert_eq!(again.text(), "nothing is stale\n");
}

/// Memory forgets: what is in the keyring beside a newer one there may be all that is left tomorrow.
#[test]
fn keyring_items_beside_memory_are_not_superfluous() {
    let mut sandbox = Sandbox::new();
    sandbox.start_keyring();
    write(
        sandbox.path("config/git-credential-pat/config.toml"),
        "[lookup]\nenabled = false\n",
    );
    let native = [
        "xdg:schema",
        "org.git.Password",
        "protocol",
        "https",
        "server",
        "forge.test",
        "user",
        "alice",
    ];
    keep_item(&sandbox, &native, "glpat-made-up-older");
    std::thread::sleep(std::time::Duration::from_millis(2100));
    for (storage, rows) in [("memory", 0), ("file", 1)] {
        let flags = format!("--storage {storage}");
        store(&sandbox, &flags, "forge.test", "alice", "glpat-made-up");
        let dry = sandbox
            .ask(&format!("{flags} clean --dry-run"), b"")
            .succeeded();
        shows_no_secret(&dry);
        assert_eq!(listed(&dry).len(), rows, "{storage}: {dry:?}");
    }
    assert!(item(&sandbox, &native).contains("older"), "nothing went");
}

/// Two secrets of one user at one host are told apart, and one secret in two places is seen to be one.
#[test]
fn the_table_tells_secrets_apart() {
    let sandbox = Sandbox::new();
    let flags = "--storage file";
    for secret in ["made-up-one", "made-up-two"] {
        erase(&sandbox, flags, "one.test", "alice", secret);
    }
    write(
        sandbox.path("home/.git-credentials"),
        "https://alice:made-up-one@one.test/a\nhttps://alice:made-up-two@one.test/a\n",
    );
    write(
        sandbox.path("home/.netrc"),
        "machine one.test login alice password made-up-one",
    );
    let dry = sandbox
        .ask(&format!("{flags} clean --dry-run"), b"")
        .succeeded();
    shows_no_secret(&dry);
    let marks = column(&dry, "SECRET", "STORED");
    let [one, two, copy] = &marks[..] else {
        panic!("{marks:?}");
    };
    assert!(one == copy && one != two, "{marks:?}");
    assert!(
        marks
            .iter()
            .all(|mark| mark.len() == 7 && mark.starts_with('#'))
    );
    assert!(dry.text().contains("https://one.test/a "), "{dry:?}");
    assert!(dry.text().contains(".git-credentials"), "{dry:?}");
    let json = sandbox
        .ask(&format!("{flags} clean --json --dry-run"), b"")
        .succeeded();
    shows_no_secret(&json);
    schema::check("clean", &json.stdout);
    count(&json.text(), &format!("\"secret\": \"{}\"", &one[1..]), 2);
}

/// Without a journal, too, one secret has one mark today and tomorrow; where nothing can be kept it has none.
#[test]
fn a_mark_is_the_same_the_next_time() {
    for is_closed in [false, true] {
        let sandbox = Sandbox::new();
        approve(&sandbox, "store", "github.com", "octo", "made-up password");
        let file = sandbox.path("data/git-credential-pat");
        fs::create_dir(&file).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).unwrap();
        let kept = "protocol=https\nhost=github.com\nusername=octo\npassword=made-up password\n\n";
        write(file.join("credentials"), kept);
        fs::set_permissions(file.join("credentials"), fs::Permissions::from_mode(0o600)).unwrap();
        if is_closed {
            write(sandbox.path("state/git-credential-pat"), "no folder");
        }
        let marks = || {
            let shown = sandbox
                .ask("--storage file clean --dry-run", b"")
                .succeeded();
            shows_no_secret(&shown);
            column(&shown, "SECRET", "STORED")
        };
        let first = marks();
        assert_eq!(first.len(), 2, "{first:?}");
        assert_eq!(first, marks());
        assert!(
            first.iter().all(|mark| mark.starts_with('#') != is_closed),
            "{first:?}"
        );
    }
}

/// What git said was refused is known again wherever a copy of it lies.
#[test]
fn copies_of_a_refused_secret_go_and_newer_ones_stay() {
    let sandbox = Sandbox::new();
    let flags = "--storage file";
    store(&sandbox, flags, "one.test", "alice", "made-up-dead");
    for (host, user, password) in [
        ("one.test", "alice", "made-up-dead"),
        ("one.test", "bob", "made-up-dead"),
        ("two.test", "alice", "made-up-dead"),
    ] {
        approve(&sandbox, "store", host, user, password);
    }
    let file = sandbox.path("home/.git-credentials");
    let dead = "https://alice:made-up-dead@one.test\n";
    let others = fs::read_to_string(&file).unwrap().replace(dead, "");
    let strange = "# mine\nnonsense\r\nhttps://alice:made-up-%64ead@one.test/\nhttps://alice:made-up-new@one.test\n";
    write(file.clone(), &format!("{strange}{dead}{others}"));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    write(
        sandbox.path("config/gh/hosts.yml"),
        "one.test:\n    user: alice\n    oauth_token: made-up-dead\n",
    );
    write(
        sandbox.path("home/.netrc"),
        "machine one.test login alice password made-up-dead",
    );
    approve(&sandbox, "cache", "one.test", "alice", "made-up-dead");

    assert_eq!(
        sandbox
            .ask(&format!("{flags} clean"), b"")
            .succeeded()
            .text(),
        "nothing is stale\n"
    );
    erase(&sandbox, flags, "one.test", "alice", "made-up-dead");
    let journal = fs::read_to_string(sandbox.path("state/git-credential-pat/journal")).unwrap();
    assert!(
        !journal.contains("made-up") && journal.contains("rejected="),
        "{journal}"
    );

    let dry = sandbox
        .ask(&format!("{flags} clean --dry-run"), b"")
        .succeeded();
    shows_no_secret(&dry);
    let rows = listed(&dry);
    assert_eq!(rows.len(), 4, "{rows:#?}");
    assert!(
        rows.iter()
            .all(|row| row.starts_with("https://one.test alice ") && row.contains(" rejected ")),
        "{rows:#?}"
    );
    let elsewhere = sandbox
        .ask(&format!("{flags} clean two.test"), b"")
        .succeeded();
    assert_eq!(elsewhere.text(), "nothing is stale\n");
    let kept = sandbox
        .ask(&format!("{flags} clean --yes --keep one.test"), b"")
        .succeeded();
    count(&kept.text(), "(kept)", 4);

    let done = sandbox
        .ask(&format!("{flags} clean --yes"), b"")
        .succeeded();
    assert!(done.text().ends_with("removed 3 credentials\n"), "{done:?}");
    let left = strange.replace("https://alice:made-up-%64ead@one.test/\n", "");
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        format!("{left}{others}")
    );
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o640
    );
    let hosts = fs::read_to_string(sandbox.path("config/gh/hosts.yml")).unwrap();
    assert_eq!(hosts, "one.test:\n    user: alice\n");
    let filled = cached(&sandbox, "one.test");
    assert!(!filled.has_secret(), "{filled:?}");

    // It was a mistake of the server's: what is accepted again is not dead.
    store(&sandbox, flags, "one.test", "alice", "made-up-dead");
    assert_eq!(
        sandbox
            .ask(&format!("{flags} clean"), b"")
            .succeeded()
            .text(),
        "nothing is stale\n"
    );
}

/// What git's own cache has.
fn cached(sandbox: &Sandbox, host: &str) -> Answer {
    let mut cache: Command = sandbox.git(&["credential-cache", "get"]);
    let question = lines(&[("protocol", "https"), ("host", host)]);
    Answer::read(&process::run(&mut cache, &question).stdout)
}

#[test]
fn a_superseded_secret_goes_from_storages_and_neighbours() {
    let sandbox = Sandbox::new();
    let both = "--storage memory,file";
    store(&sandbox, both, "one.test", "alice", "made-up-old");
    approve(&sandbox, "store", "one.test", "alice", "made-up-old");
    // Another secret, of which nobody knows whether it is older.
    approve(&sandbox, "store", "one.test", "bob", "made-up-bob");
    store(
        &sandbox,
        "--storage file",
        "one.test",
        "bob",
        "made-up-bob-too",
    );
    sandbox
        .ask(
            "--storage file login https://alice@one.test --with-token",
            b"made-up-new",
        )
        .succeeded();

    let clean = |words: &str| {
        sandbox
            .ask(&format!("--storage file clean {words}"), b"")
            .succeeded()
    };
    let rows = listed(&clean("--dry-run"));
    assert_eq!(rows.len(), 2, "{rows:#?}");
    assert!(
        rows[0].starts_with("https://one.test alice memory superseded"),
        "{rows:#?}"
    );
    assert!(
        rows[1].starts_with("https://one.test alice git-store "),
        "{rows:#?}"
    );
    clean("--yes");
    assert!(!get(&sandbox, "--storage memory", "one.test", "alice").has_secret());
    assert_eq!(
        get(&sandbox, "--storage file", "one.test", "alice").get("password"),
        Some("made-up-new")
    );
    assert!(get(&sandbox, "--storage file", "one.test", "bob").has_secret());
    let text = fs::read_to_string(sandbox.path("home/.git-credentials")).unwrap();
    assert_eq!(text, "https://bob:made-up-bob@one.test\n");
}

/// Deleting a token at GitHub deletes the deploy keys that were created with it.
#[test]
fn clean_tells_of_deploy_keys_for_a_superseded_token_of_github() {
    for (host, is_told) in [("github.com", true), ("gitlab.com", false)] {
        let sandbox = Sandbox::new();
        fs::create_dir_all(sandbox.path("config/git-credential-pat")).unwrap();
        let settings = sandbox.path("config/git-credential-pat/config.toml");
        fs::write(settings, "[lookup]\nenabled = false\n").unwrap();
        for (storage, token) in [("memory,file", "old"), ("file", "new")] {
            let words = format!("--storage {storage} login https://alice@{host} --with-token");
            let mut helper = sandbox.helper(&words);
            helper.arg("--force");
            process::run(&mut helper, format!("ghp_{token}0123456789").as_bytes());
        }
        let dry = sandbox.ask("--storage file clean --dry-run", b"");
        assert!(dry.text().contains("superseded"), "{dry:?}");
        let told =
            "hint: if you delete it there, GitHub deletes the deploy keys created with it, too";
        assert_eq!(dry.stderr.contains(told), is_told, "{host}: {dry:?}");
    }
}

/// Memory forgets: then nothing would be left.
#[test]
fn what_only_memory_has_makes_nothing_superfluous() {
    let sandbox = Sandbox::new();
    for flags in ["--storage file,memory", "--storage memory,file"] {
        store(&sandbox, flags, "one.test", "alice", "made-up-old");
        let memory = "--storage memory";
        store(&sandbox, memory, "one.test", "alice", "made-up-new");
        let words = format!("{flags} clean --yes");
        let done = sandbox.ask(&words, b"").succeeded();
        assert_eq!(done.text(), "nothing is stale\n", "{flags}");
        sandbox.ask("cache stop", b"").succeeded();
        let left = get(&sandbox, flags, "one.test", "alice");
        assert_eq!(left.get("password"), Some("made-up-old"), "{flags}");
    }
}

/// What git is answered with is in use, whatever was stored behind it.
#[test]
fn what_answers_is_not_superseded() {
    let sandbox = Sandbox::new();
    let flags = "--storage memory,file";
    store(&sandbox, flags, "one.test", "alice", "made-up-old");
    let file = "--storage file";
    store(&sandbox, file, "one.test", "alice", "made-up-new");
    let words = format!("{flags} clean --yes");
    let done = sandbox.ask(&words, b"").succeeded();
    assert_eq!(done.text(), "nothing is stale\n");
    let answer = get(&sandbox, flags, "one.test", "alice");
    assert_eq!(answer.get("password"), Some("made-up-old"));
}

fn tell_past_end(sandbox: &Sandbox, url: &str) {
    let words = format!("--storage file expires {url} 2001-02-03");
    sandbox.ask(&words, b"").succeeded();
}

/// An end that is noted, and over, and then git is let in: with what another helper answered, or a person typed.
#[test]
fn an_end_that_git_outlived_is_dropped() {
    let sandbox = Sandbox::new();
    let file = "--storage file";
    let is_kept = || get(&sandbox, file, "one.test", "alice").has_secret();
    let pairs = pairs("one.test", "alice", "made-up-good");
    store(&sandbox, file, "one.test", "alice", "made-up-good");
    approve(&sandbox, "store", "one.test", "alice", "made-up-good");
    tell_past_end(&sandbox, "https://one.test");
    assert!(!is_kept());
    // That a person has it in a file says nothing, and git's own word of an end is believed.
    let words = "--storage file import --yes --remove-source git-store";
    let done = sandbox.ask(words, b"").succeeded();
    count(&done.text(), "nothing to import", 1);
    let ended = [b"password_expiry_utc=1000\n", &pairs[..]].concat();
    sandbox.ask("--storage file store", &ended).succeeded();
    assert!(!is_kept());

    sandbox.ask("--storage file store", &pairs).succeeded();
    assert!(is_kept());
    let done = sandbox.ask("--storage file clean --yes", b"").succeeded();
    assert_eq!(done.text(), "nothing is stale\n");
    let text = fs::read_to_string(sandbox.path("home/.git-credentials")).unwrap();
    count(&text, "made-up-good", 1);
}

/// The same secret under three paths: that its end under one has passed says nothing of the others, where git was let in
/// with it after that.
#[test]
fn what_lives_under_another_path_is_not_buried() {
    for is_seen in [true, false] {
        let sandbox = Sandbox::new();
        let keep = |flags: &str, path: &str| {
            let pairs = pairs("one.test", "alice", "made-up-good");
            let pairs = [path.as_bytes(), &pairs[..]].concat();
            let words = format!("{flags} store");
            sandbox.ask(&words, &pairs).succeeded();
        };
        let elsewhere = format!("--file {}", sandbox.path("data/other").display());
        // What is in a storage that this `clean` does not see is known by the journal alone.
        let flags = if is_seen { "" } else { &elsewhere[..] };
        keep("--storage file", "path=p.git\n");
        tell_past_end(&sandbox, "https://one.test/p.git");
        keep(&format!("--storage file {flags}"), "path=q.git\n");
        keep(&format!("--storage file {flags}"), "");
        let clean = |flags: &str| {
            let words = format!("--storage file {flags} clean --yes");
            listed(&sandbox.ask(&words, b"").succeeded())
        };
        assert_eq!(clean("").len(), 1);
        approve(&sandbox, "store", "one.test", "alice", "made-up-good");
        assert_eq!(clean(""), [""; 0]);
        assert_eq!(clean(flags), [""; 0]);
        let text = fs::read_to_string(sandbox.path("home/.git-credentials")).unwrap();
        count(&text, "made-up-good", 1);
    }
}

/// Whichever is in use: nobody knows which of two storages has the newer secret, and a wrong guess would lose it.
#[test]
fn of_two_storages_neither_is_guessed_to_be_older() {
    for used in ["memory", "file"] {
        let sandbox = Sandbox::new();
        for storage in ["file", "memory"] {
            let secret = format!("made-up-{storage}");
            store(
                &sandbox,
                &format!("--storage {storage}"),
                "one.test",
                "alice",
                &secret,
            );
        }
        let clean = |words: &str| {
            sandbox
                .ask(&format!("--storage {used} clean {words}"), b"")
                .succeeded()
        };
        assert!(listed(&clean("--dry-run")).is_empty());
        clean("--yes");
        for storage in ["file", "memory"] {
            let kept = get(
                &sandbox,
                &format!("--storage {storage}"),
                "one.test",
                "alice",
            );
            assert_eq!(
                kept.get("password"),
                Some(&format!("made-up-{storage}")[..])
            );
        }
    }
}

#[test]
fn single_ones_are_held_back_at_the_terminal() {
    let sandbox = Sandbox::new();
    let flags = "--storage file";
    for user in ["alice", "bob", "carol"] {
        store(&sandbox, flags, "one.test", user, "made-up-old");
    }
    sandbox
        .ask(&format!("{flags} expires one.test 2001-01-01"), b"")
        .succeeded();
    let clean = |answers: &[&str]| {
        let mut session = Session::start(&sandbox.helper(&format!("{flags} clean")));
        for answer in answers {
            session.answer("numbers of those to keep", answer);
        }
        let (status, shown) = session.finish();
        assert!(status.success() && !shown.contains("made-up"), "{shown}");
        let is_removed = shown.contains("removed 1 credential");
        assert_ne!(shown.contains("nothing was changed"), is_removed, "{shown}");
        let wrong = shown.matches("is no number of the list").count();
        assert_eq!(wrong, answers.len() - 1, "{shown}");
        let listed = sandbox
            .ask(&format!("{flags} list"), b"")
            .succeeded()
            .text();
        listed.lines().count() - 1
    };
    for none in [
        &[""][..],
        &["n"],
        &["1,2,3"],
        &["4", "n"],
        &["1,x", "no"],
        &[",", ""],
    ] {
        assert_eq!(clean(none), 3, "{none:?}");
    }
    assert_eq!(clean(&["perhaps", "1, 3"]), 2);
    let json = sandbox
        .ask(&format!("{flags} clean --json --yes"), b"")
        .succeeded();
    schema::check("clean", &json.stdout);
    count(&json.text(), "\"outcome\": \"removed\"", 2);
    count(&json.text(), "\"reason\": \"expired\"", 2);
    let empty = sandbox
        .ask(&format!("{flags} clean --json"), b"")
        .succeeded();
    assert_eq!(empty.text(), "[]\n");
}

/// The question may be open for long: what was found good, or told another end, meanwhile stays.
#[test]
fn what_came_to_life_again_stays() {
    let sandbox = Sandbox::new();
    let flags = "--storage file";
    store(&sandbox, flags, "one.test", "alice", "made-up-one");
    approve(&sandbox, "store", "one.test", "alice", "made-up-one");
    store(&sandbox, flags, "two.test", "bob", "made-up-two");
    // Refused while another storage was in use.
    erase(
        &sandbox,
        "--storage memory",
        "one.test",
        "alice",
        "made-up-one",
    );
    let expires = |day: &str| {
        sandbox
            .ask(&format!("{flags} expires two.test {day}"), b"")
            .succeeded()
    };
    expires("2001-01-01");
    let rows = listed(
        &sandbox
            .ask(&format!("{flags} clean --dry-run"), b"")
            .succeeded(),
    );
    assert_eq!(rows.len(), 3, "{rows:#?}");
    let mut session = Session::start(&sandbox.helper(&format!("{flags} clean")));
    session.press("Remove 3 credentials?", b"");
    store(
        &sandbox,
        "--storage memory",
        "one.test",
        "alice",
        "made-up-one",
    );
    expires("2099-01-01");
    session.answer("", "y");
    let (status, shown) = session.finish();
    assert!(status.success(), "{shown}");
    assert!(
        shown.contains("removed 0 credentials")
            && shown.contains("3 credentials changed in the meantime: not removed"),
        "{shown}"
    );
    for (host, user) in [("one.test", "alice"), ("two.test", "bob")] {
        assert!(get(&sandbox, flags, host, user).has_secret(), "{host}");
    }
    let file = fs::read_to_string(sandbox.path("home/.git-credentials")).unwrap();
    assert!(file.contains("made-up-one"), "{file}");
}

/// What is alive under one path is alive, though another is asked for.
#[test]
fn a_url_hides_nothing_that_is_alive() {
    let sandbox = Sandbox::new();
    let flags = "--storage file";
    let ask = |operation: &str, path: &str, password: &str| {
        let pairs = [
            ("protocol", "https"),
            ("host", "one.test"),
            ("path", path),
            ("username", "alice"),
            ("password", password),
        ];
        sandbox
            .ask(&format!("{flags} {operation}"), &lines(&pairs))
            .succeeded();
    };
    for (operation, path, password) in [
        ("store", "a", "made-up-old"),
        ("store", "b", "made-up-old"),
        ("erase", "a", "made-up-old"),
        ("store", "a", "made-up-new"),
    ] {
        ask(operation, path, password);
    }
    let file = sandbox.path("home/.git-credentials");
    let copy = "https://alice:made-up-old@one.test/a\n";
    write(file.clone(), copy);
    for url in ["", "https://one.test/a"] {
        let said = sandbox
            .ask(&format!("{flags} clean {url} --yes"), b"")
            .succeeded();
        assert_eq!(said.text(), "nothing is stale\n", "{url}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), copy);
    // With the last that has it, it goes.
    ask("erase", "b", "made-up-old");
    sandbox
        .ask(&format!("{flags} clean https://one.test/a --yes"), b"")
        .succeeded();
    assert_eq!(fs::read(&file).unwrap(), b"");
}

#[test]
fn a_lock_of_gits_is_waited_for_and_respected() {
    let sandbox = Sandbox::new();
    let flags = "--storage file";
    erase(&sandbox, flags, "one.test", "alice", "made-up-dead");
    approve(&sandbox, "store", "one.test", "alice", "made-up-dead");
    let lock = sandbox.path("home/.git-credentials.lock");
    write(lock.clone(), "");
    let refused = sandbox.ask(&format!("{flags} clean --yes"), b"");
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let told = format!("error: {} is there: ", lock.display());
    assert!(refused.stderr.contains(&told), "{refused:?}");
    assert!(refused.stderr.contains("remove that file"), "{refused:?}");
    assert!(
        fs::read_to_string(sandbox.path("home/.git-credentials"))
            .unwrap()
            .contains("made-up-dead")
    );
    fs::remove_file(lock).unwrap();
    sandbox
        .ask(&format!("{flags} clean --yes"), b"")
        .succeeded();
    assert_eq!(
        fs::read(sandbox.path("home/.git-credentials")).unwrap(),
        b""
    );
}
