//! Several tokens on one host, each for its owner: rules by path.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::attributes::{Answer, lines};
use crate::flow::{Flow, NEW_TOKEN, OTHER_TOKEN, TOKEN, ours};
use crate::forge::schema;
use crate::git::{self, Git};
use crate::process;
use crate::sandbox::Sandbox;
use crate::terminal::Session;

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

/// The program and git as a user of this git has them.
fn with_git_first(flow: &Flow, git: &Git, mut command: std::process::Command) -> process::Output {
    let folder = git.program.parent().filter(|folder| folder.is_absolute());
    let path = std::env::var("PATH").unwrap();
    if let Some(folder) = folder {
        command.env("PATH", format!("{}:{path}", folder.display()));
    }
    command.env("GIT_SSL_CAINFO", flow.server.certificate());
    process::run(&mut command, b"")
}

/// The files of git and of this program, byte for byte.
fn configuration(sandbox: &Sandbox) -> [Option<Vec<u8>>; 2] {
    ["gitconfig", "config/git-credential-pat/config.toml"]
        .map(|name| fs::read(sandbox.path(name)).ok())
}

#[test]
fn two_owners_are_set_up_by_command() {
    for git in git::all() {
        let flow = Flow::new(&ours("file"), false, git);
        let sandbox = &flow.sandbox;
        let (host, before) = (flow.server.host(), configuration(sandbox));
        let ask = |words: &str| with_git_first(&flow, git, sandbox.helper(words)).succeeded();
        let with_token = |path: &str, token: &str| {
            let words = format!("login --with-token https://alice@{host}/{path}");
            let mut login = sandbox.helper(&words);
            process::run(&mut login, token.as_bytes()).succeeded();
        };
        let added = ask(&format!("account add https://{host}/basic alice"));
        let hint = format!("login https://alice@{host}/basic");
        assert!(added.text().contains("no token yet"), "{added:?}");
        assert!(added.stderr.contains(&hint), "{added:?}");
        with_token("basic", TOKEN);
        let one = configuration(sandbox);
        ask(&format!("account add https://{host}/other.git alice"));
        with_token("other", OTHER_TOKEN);
        let again = ask(&format!("account add https://{host}/other alice"));
        assert!(
            again.text().contains("alice in the plaintext file"),
            "{again:?}"
        );
        for way in ["basic", "other"] {
            let url = flow.server.url(way);
            flow.git(&["clone", "--quiet", &url, way]).succeeded();
            flow.git(&["-C", way, "fetch"]).succeeded();
        }
        assert_eq!(flow.askpass.questions(), [""; 0]);
        let listed = ask("account list --json").stdout;
        let listed = schema::check("accounts", &listed);
        for (index, path) in ["basic", "other"].iter().enumerate() {
            assert_eq!(listed[index]["path"], *path, "{listed}");
            assert_eq!(listed[index]["sends_path"], true, "{listed}");
            assert_eq!(listed[index]["token"]["username"], "alice", "{listed}");
        }
        ask(&format!("account remove https://{host}/other"));
        assert_eq!(configuration(sandbox), one);
        ask(&format!("account remove https://{host}/basic"));
        assert_eq!(configuration(sandbox), before);
    }
}

#[test]
fn a_rule_that_cannot_be_added_changes_nothing() {
    let sandbox = Sandbox::new();
    sandbox.ask("setup", b"").succeeded();
    rules(&sandbox, "one.test", &[("acme", Some("work"))]);
    let before = configuration(&sandbox);
    for (words, problem) in [
        ("https://one.test/acme home", "already, for work"),
        ("https://one.test", "needs a user"),
        ("https://one.test/a/../b", "'..'"),
        ("other https://one.test/b", "NAME looks like a URL"),
        ("https://a@one.test/b c", "two users"),
        ("ssh://git@one.test/a", "git asks no helper"),
        (
            "https://one.test/ghp_madeup0123456789abcdef0123456789abcd",
            "contains a token",
        ),
    ] {
        let output = sandbox.ask(&format!("account add {words}"), b"");
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let text = output.stderr;
        assert!(text.contains(problem) && text.contains("hint: "), "{text}");
        assert_eq!(configuration(&sandbox), before, "{words}");
    }
    let path = sandbox.path("config/git-credential-pat/config.toml");
    for text in [
        "storage = 3\n",
        "account = [{url = 'https://one.test/x'}]\n",
    ] {
        fs::write(&path, text).unwrap();
        let output = sandbox.ask("account add https://one.test/y", b"");
        assert!(!output.status.success(), "{output:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn a_rule_whose_path_git_cannot_send_is_taken_back() {
    let sandbox = Sandbox::new();
    sandbox.ask("setup", b"").succeeded();
    fs::write(sandbox.path("gitconfig.lock"), "").unwrap();
    let before = configuration(&sandbox);
    let output = sandbox.ask("account add https://one.test/acme", b"");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stderr.contains("removed again"), "{output:?}");
    assert_eq!(configuration(&sandbox), before);
    fs::remove_file(sandbox.path("gitconfig.lock")).unwrap();
    sandbox
        .ask("account add https://one.test/acme", b"")
        .succeeded();
}

#[test]
fn an_added_rule_whose_token_cannot_be_read_is_complete() {
    let sandbox = Sandbox::new();
    sandbox.ask("setup", b"").succeeded();
    let folder = sandbox.path("data/git-credential-pat");
    fs::create_dir_all(folder.join("credentials")).unwrap();
    let output = sandbox.ask("--storage file account add https://one.test/acme", b"");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stderr.contains("the rule is complete"), "{output:?}");
}

/// git compares the encoded path.
#[test]
fn git_sends_a_path_with_any_character() {
    let sandbox = Sandbox::new();
    sandbox.ask("--storage file setup", b"").succeeded();
    let path = "a%2Bb%21%27%28c%29%2Cd%3De%26f%20g%40h%3Ai";
    let url = format!("https://alice@one.test/{path}");
    let mut add = sandbox.helper("account add");
    add.arg(&url);
    process::run(&mut add, b"").succeeded();
    let mut login = sandbox.helper("--storage file login --with-token --force");
    login.arg(&url);
    process::run(&mut login, TOKEN.as_bytes()).succeeded();
    let question = format!("url=https://one.test/{path}/r.git\n\n");
    let filled = process::run(
        &mut sandbox.git(&["credential", "fill"]),
        question.as_bytes(),
    );
    let filled = Answer::read(&filled.succeeded().stdout);
    assert_eq!(filled.get("password"), Some(TOKEN));
}

/// The number of rules does not count.
#[test]
fn the_settings_of_all_rules_are_read_at_once() {
    let sandbox = Sandbox::new();
    sandbox.ask("setup", b"").succeeded();
    let folder = sandbox.path("bin");
    fs::create_dir(&folder).unwrap();
    let log = sandbox.path("calls");
    let text = format!("#!/bin/sh\necho >>'{}'\nexec git \"$@\"\n", log.display());
    let path = std::env::var("PATH").unwrap();
    let text = text.replace("exec git", &format!("PATH='{path}' exec git"));
    fs::write(folder.join("git"), text).unwrap();
    fs::set_permissions(folder.join("git"), PermissionsExt::from_mode(0o755)).unwrap();
    let mut calls = Vec::new();
    for count in [1, 4] {
        let names: Vec<String> = (0..count).map(|at| format!("owner{at}")).collect();
        let all: Vec<_> = names.iter().map(|name| (&name[..], None)).collect();
        rules(&sandbox, "one.test", &all);
        let mut setup = sandbox.helper("setup --dry-run");
        setup.env("PATH", format!("{}:{path}", folder.display()));
        let output = process::run(&mut setup, b"").succeeded();
        assert_eq!(output.text().matches("useHttpPath").count(), count);
        calls.push(fs::read(&log).unwrap().len());
        fs::remove_file(&log).unwrap();
    }
    assert!(calls[0] > 0 && calls[0] == calls[1], "{calls:?}");
}

#[test]
fn undo_takes_back_the_path_of_an_added_rule() {
    let sandbox = Sandbox::new();
    let before = fs::read(sandbox.path("gitconfig")).unwrap();
    sandbox.ask("setup", b"").succeeded();
    for words in [
        "add https://one.test/acme",
        "add https://one.test/two/r",
        "remove https://one.test/acme",
        "add https://one.test/three",
    ] {
        sandbox.ask(&format!("account {words}"), b"").succeeded();
    }
    sandbox.ask("setup --undo", b"").succeeded();
    assert_eq!(fs::read(sandbox.path("gitconfig")).unwrap(), before);
}

#[test]
fn a_setting_that_another_rule_needs_or_a_user_wrote_stays() {
    let sandbox = Sandbox::new();
    sandbox.ask("setup", b"").succeeded();
    let own = "[credential \"https://one.test/own\"]\n\tuseHttpPath = true\n";
    sandbox.configure_git(own);
    rules(
        &sandbox,
        "one.test",
        &[("acme", Some("a")), ("acme", Some("b")), ("own", None)],
    );
    sandbox.ask("setup", b"").succeeded();
    sandbox
        .ask("account remove https://b@one.test/acme", b"")
        .succeeded();
    let output = sandbox
        .ask("account remove https://one.test/own", b"")
        .succeeded();
    let said = output.stderr;
    assert!(
        said.contains("stays") && said.contains("git config --global"),
        "{said}"
    );
    let git = fs::read_to_string(sandbox.path("gitconfig")).unwrap();
    assert!(git.contains("one.test/acme") && git.contains(own), "{git}");
    sandbox
        .ask("account remove https://one.test/acme", b"")
        .succeeded();
    let git = fs::read_to_string(sandbox.path("gitconfig")).unwrap();
    assert!(!git.contains("one.test/acme") && git.contains(own), "{git}");
}

#[test]
fn without_setup_only_the_rule_is_written() {
    let sandbox = Sandbox::new();
    let before = configuration(&sandbox);
    let dry = sandbox
        .ask("account add https://one.test/acme --dry-run", b"")
        .succeeded();
    assert!(dry.text().contains("would be added"), "{dry:?}");
    assert_eq!(configuration(&sandbox), before);
    let added = sandbox
        .ask("account add https://one.test/acme", b"")
        .succeeded();
    assert!(
        added.stderr.contains("run 'git credential-pat setup'"),
        "{added:?}"
    );
    let [git, config] = configuration(&sandbox);
    assert_eq!(git, before[0]);
    assert!(config.is_some());
    sandbox
        .ask("account remove https://one.test/acme --dry-run", b"")
        .succeeded();
    assert_eq!(configuration(&sandbox)[1], config);
    sandbox
        .ask("account remove https://one.test/acme", b"")
        .succeeded();
    assert_eq!(configuration(&sandbox), before);
}

#[test]
fn a_dry_run_after_setup_writes_nothing() {
    let sandbox = Sandbox::new();
    sandbox.ask("setup", b"").succeeded();
    let before = configuration(&sandbox);
    let dry = sandbox.ask("account add https://one.test/acme --dry-run", b"");
    let told = dry.succeeded().text();
    assert!(told.contains("useHttpPath true"), "{told}");
    assert_eq!(configuration(&sandbox), before);
    sandbox
        .ask("account add https://one.test/acme", b"")
        .succeeded();
    let added = configuration(&sandbox);
    assert_ne!(added, before);
    let dry = sandbox.ask("account remove https://one.test/acme --dry-run", b"");
    let told = dry.succeeded().text();
    assert!(told.contains("--unset-all"), "{told}");
    assert_eq!(configuration(&sandbox), added);
}

/// `login` at a terminal, with each answer typed after its prompt.
fn login_at_terminal(sandbox: &Sandbox, url: &str, answers: &[(&str, &str)]) -> String {
    let mut login = sandbox.helper("--storage file login");
    let mut session = Session::start(login.arg(url));
    for (prompt, answer) in answers {
        session.answer(prompt, answer);
    }
    let (status, shown) = session.finish();
    assert!(status.success(), "{shown}");
    shown
}

#[test]
fn login_offers_a_rule_for_the_path() {
    let sandbox = Sandbox::new();
    sandbox.ask("setup --storage file", b"").succeeded();
    let question = "Use the new token only for https://one.test/acme? Otherwise it is for all of https://one.test. [y/N] ";
    let token = ("Token (not shown): ", "made-up-token-0123456789");
    let before = configuration(&sandbox);
    let url = "https://work@one.test/acme";
    let shown = login_at_terminal(&sandbox, url, &[(question, ""), token]);
    assert!(
        shown.contains("the token is for all of https://one.test"),
        "{shown}"
    );
    assert_eq!(configuration(&sandbox), before);
    // A token that is pasted at the question is no answer, and is not shown.
    let early = (question, "made-up-pasted-too-early");
    let again = ("answer y or n\r\nUse the new token only for", "YES");
    let shown = login_at_terminal(&sandbox, url, &[early, again, token]);
    assert!(!shown.contains(early.1), "{shown}");
    sandbox
        .ask("account remove https://one.test/acme", b"")
        .succeeded();
    assert_eq!(configuration(&sandbox), before);
    let shown = login_at_terminal(&sandbox, url, &[(question, "y"), token]);
    assert!(
        shown.contains("the token for https://one.test/acme is kept"),
        "{shown}"
    );
    assert!(!shown.contains("git does not"), "{shown}");
    let listed = schema::check("accounts", &sandbox.ask("account list --json", b"").stdout);
    assert_eq!(listed[0]["username"], "work", "{listed}");
    assert_eq!(listed[0]["sends_path"], true, "{listed}");
    assert_eq!(listed[0]["token"]["username"], "work", "{listed}");
    let shown = login_at_terminal(&sandbox, "https://work@one.test/acme/r.git", &[token]);
    assert!(!shown.contains("[y/N]"), "{shown}");
}

#[test]
fn an_interrupted_login_adds_no_rule() {
    let sandbox = Sandbox::new();
    sandbox.ask("setup --storage file", b"").succeeded();
    let before = configuration(&sandbox);
    let mut session = Session::start(&sandbox.helper("login https://work@one.test/acme"));
    session.answer("[y/N] ", "y");
    session.press("Token (not shown): ", b"\x03");
    let (status, shown) = session.finish();
    assert!(!status.success(), "{shown}");
    assert_eq!(configuration(&sandbox), before);
}

#[test]
fn rules_that_are_added_at_once_are_all_kept() {
    let sandbox = Sandbox::new();
    sandbox.ask("setup", b"").succeeded();
    let before = configuration(&sandbox);
    let all_at_once = |word: &str| {
        std::thread::scope(|scope| {
            for index in 0..5 {
                let words = format!("account {word} https://one.test/owner{index}");
                let sandbox = &sandbox;
                scope.spawn(move || sandbox.ask(&words, b"").succeeded());
            }
        });
    };
    all_at_once("add");
    let listed = schema::check("accounts", &sandbox.ask("account list --json", b"").stdout);
    assert_eq!(listed.as_array().unwrap().len(), 5, "{listed}");
    assert!(
        listed
            .as_array()
            .unwrap()
            .iter()
            .all(|rule| rule["sends_path"] == true)
    );
    all_at_once("remove");
    assert_eq!(configuration(&sandbox)[1], before[1]);
    let git = fs::read_to_string(sandbox.path("gitconfig")).unwrap();
    assert!(!git.contains("owner"), "{git}");
}
