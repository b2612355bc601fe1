//! Several tokens on one host, each for its owner: rules by path.

use std::fs;

use crate::attributes::{Answer, lines};
use crate::flow::{Flow, NEW_TOKEN, TOKEN, ours};
use crate::git::Git;
use crate::process;
use crate::sandbox::Sandbox;

fn rules(sandbox: &Sandbox, host: &str, rules: &[(&str, Option<&str>)]) {
    let folder = sandbox.path("config/git-credential-pat");
    fs::create_dir_all(&folder).unwrap();
    let text: String = rules
        .iter()
        .map(|(path, name)| {
            let name = name.map_or_else(String::new, |name| format!("username = '{name}'\n"));
            format!("[[account]]\nurl = 'https://{host}/{path}'\n{name}")
        })
        .collect();
    fs::write(folder.join("config.toml"), text).unwrap();
}

/// Two owners, two tokens, one user name, one repository with a remote at each.
#[test]
fn each_owner_has_a_token_of_its_own() {
    let flow = Flow::new(&ours("file"), false, &Git::new());
    let host = flow.server.host();
    rules(
        &flow.sandbox,
        &host,
        &[("basic", Some("alice")), ("other", Some("alice"))],
    );
    flow.sandbox.ask("--storage file setup", b"").succeeded();
    for (path, password) in [("basic", TOKEN), ("other", NEW_TOKEN)] {
        let login =
            format!("--storage file login --with-token --username alice https://{host}/{path}");
        flow.sandbox.ask(&login, password.as_bytes()).succeeded();
    }
    flow.git(&["clone", "--quiet", &flow.server.url("basic"), "r"])
        .succeeded();
    assert_eq!(flow.askpass.questions(), [""; 0]);
    let asked = |path: &str| {
        let pairs = [("protocol", "https"), ("host", &host[..]), ("path", path)];
        Answer::read(
            &flow
                .sandbox
                .ask("--storage file get", &lines(&pairs))
                .succeeded()
                .stdout,
        )
    };
    assert_eq!(asked("basic/r.git").get("password"), Some(TOKEN));
    assert_eq!(asked("other/deep/r.git").get("password"), Some(NEW_TOKEN));
    for path in [
        "basicer/r.git",
        "basic/../other/r.git",
        "BASIC/r.git",
        "basic//r.git",
        "",
    ] {
        assert!(!asked(path).has_secret(), "{path}");
    }
    // What git found good is kept for the account, not once more for the repository.
    let listed = flow
        .sandbox
        .ask("--storage file list --json", b"")
        .succeeded()
        .text();
    assert_eq!(listed.matches("\"url\"").count(), 2, "{listed}");
}

#[test]
fn setup_has_git_tell_the_path_and_undo_takes_it_back() {
    let sandbox = Sandbox::new();
    rules(&sandbox, "one.test", &[("acme", Some("work"))]);
    let before = fs::read(sandbox.path("gitconfig")).unwrap();
    sandbox.ask("setup", b"").succeeded();
    let path = |url: &str| {
        let mut config = sandbox.git(&["config", "--get-urlmatch", "credential.useHttpPath", url]);
        process::run(&mut config, b"").text()
    };
    assert_eq!(path("https://one.test/acme/app.git"), "true\n");
    assert_eq!(path("https://one.test/other/app.git"), "");
    assert_eq!(
        sandbox.ask("setup", b"").succeeded().text(),
        "git asks this helper already\n"
    );
    sandbox.ask("setup --undo", b"").succeeded();
    assert_eq!(fs::read(sandbox.path("gitconfig")).unwrap(), before);
}

/// git tells no path where no rule is: then the tokens of the owners that have rules are nobody's.
#[test]
fn another_owner_gets_no_accounts_token() {
    for storage in ["file", "memory"] {
        let sandbox = Sandbox::new();
        rules(
            &sandbox,
            "one.test",
            &[("acme", Some("work")), ("me", None)],
        );
        let ask = |word: &str, pairs: &[(&str, &str)]| {
            let pairs = [&[("protocol", "https"), ("host", "one.test")], pairs].concat();
            sandbox
                .ask(&format!("--storage {storage} {word}"), &lines(&pairs))
                .succeeded()
        };
        for (path, name, password) in [
            ("acme/a.git", "work", "tok-acme"),
            ("me/b.git", "octocat", "tok-me"),
        ] {
            ask(
                "store",
                &[("path", path), ("username", name), ("password", password)],
            );
        }
        let answer = |pairs: &[(&str, &str)]| Answer::read(&ask("get", pairs).stdout);
        for pairs in [&[][..], &[("username", "work")], &[("username", "octocat")]] {
            assert!(!answer(pairs).has_secret(), "{storage}: {pairs:?}");
        }
        ask("erase", &[("username", "work"), ("password", "tok-acme")]);
        ask("erase", &[]);
        assert_eq!(
            answer(&[("path", "acme/c.git")]).get("password"),
            Some("tok-acme"),
            "{storage}"
        );
        ask("store", &[("username", "other"), ("password", "tok-host")]);
        assert_eq!(answer(&[]).get("password"), Some("tok-host"), "{storage}");
    }
}

/// git names the path for the rule's URL alone: what else is on the host is asked for by the host.
#[test]
fn what_no_rule_covers_is_kept_by_the_host() {
    let sandbox = Sandbox::new();
    rules(&sandbox, "one.test", &[("acme", Some("work"))]);
    sandbox.ask("--storage file setup", b"").succeeded();
    for (path, user) in [("acme", "work"), ("octocat", "me")] {
        let login =
            format!("--storage file login --with-token --username {user} https://one.test/{path}");
        sandbox.ask(&login, b"made-up").succeeded();
    }
    for (url, user) in [
        ("https://one.test/octocat/r.git", "me"),
        ("https://one.test/acme/r.git", "work"),
    ] {
        let mut fill = sandbox.git(&["credential", "fill"]);
        let filled = process::run(&mut fill, format!("url={url}\n\n").as_bytes()).succeeded();
        let answer = Answer::read(&filled.stdout);
        assert_eq!(answer.get("username"), Some(user), "{url}");
        assert_eq!(answer.get("password"), Some("made-up"), "{url}");
    }
}

#[test]
fn a_rule_names_the_user() {
    let sandbox = Sandbox::new();
    rules(&sandbox, "one.test", &[("", Some("work"))]);
    for (name, password) in [("work", "tok-work"), ("home", "tok-home")] {
        let pairs = [
            ("protocol", "https"),
            ("host", "one.test"),
            ("username", name),
            ("password", password),
        ];
        sandbox
            .ask("--storage file store", &lines(&pairs))
            .succeeded();
    }
    let get = |more: &[(&str, &str)]| {
        let pairs = [&[("protocol", "https"), ("host", "one.test")], more].concat();
        Answer::read(
            &sandbox
                .ask("--storage file get", &lines(&pairs))
                .succeeded()
                .stdout,
        )
    };
    assert_eq!(
        get(&[]).get("password"),
        Some("tok-work"),
        "though the other was stored last"
    );
    assert_eq!(
        get(&[("username", "home")]).get("password"),
        Some("tok-home")
    );
}

/// The URL that one clones is good for `login`: where git tells no path, its token is for the whole host.
#[test]
fn a_login_without_rules_is_for_the_host() {
    let sandbox = Sandbox::new();
    let credential = [
        ("protocol", "https"),
        ("host", "one.test"),
        ("username", "alice"),
        ("password", "tok-old"),
    ];
    let ask = |words: &str, input: &[u8]| {
        let words = format!("--storage file {words}");
        sandbox.ask(&words, input).succeeded()
    };
    ask("store", &lines(&credential));
    ask("login --with-token https://one.test/acme/r.git", b"tok-new");
    let listed: serde_json::Value =
        serde_json::from_slice(&ask("list --json", b"").stdout).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed[0]["url"], "https://one.test", "{listed}");
    let kept = ask("get", &lines(&credential[..2])).stdout;
    assert_eq!(Answer::read(&kept).get("password"), Some("tok-new"));
    // Where git tells it, it counts.
    let told = "[credential \"https://one.test\"]\n\tuseHttpPath = true\n";
    sandbox.configure_git(told);
    ask(
        "login --with-token https://alice@one.test/acme/r.git",
        b"tok-path",
    );
    let listed: serde_json::Value =
        serde_json::from_slice(&ask("list --json", b"").stdout).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");
}
