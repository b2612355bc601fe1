//! What is shown fits, says why, and can be given back.

use std::fs;
use std::net::TcpListener;

use crate::attributes::lines;
use crate::process;
use crate::sandbox::Sandbox;
use crate::terminal::Session;

fn store(sandbox: &Sandbox, pairs: &[(&str, &str)]) {
    let pairs = [pairs, &[("password", "made-up")]].concat();
    sandbox
        .ask("--storage file store", &lines(&pairs))
        .succeeded();
}

fn urls(sandbox: &Sandbox) -> Vec<String> {
    let listed = sandbox.ask("--storage file list", b"").succeeded().text();
    let rows = listed.lines().skip(1);
    rows.map(|row| row.split("  ").next().unwrap().to_owned())
        .collect()
}

#[test]
fn each_url_of_a_list_is_taken_by_the_commands() {
    let sandbox = Sandbox::new();
    for pairs in [
        &[
            ("protocol", "cert"),
            ("host", ""),
            ("path", "/p/cc.pem"),
            ("username", ""),
        ][..],
        &[
            ("protocol", "https"),
            ("host", "[::1]:8443"),
            ("username", "a"),
        ],
        &[
            ("protocol", "https"),
            ("host", "one.test:8443"),
            ("username", "a@b"),
        ],
        &[
            ("protocol", "https"),
            ("host", "two.test"),
            ("path", "a b/50%"),
            ("username", "50%"),
        ],
        &[
            ("protocol", "https"),
            ("host", "three.test"),
            ("path", "a?b#c"),
            ("username", "a"),
        ],
    ] {
        store(&sandbox, pairs);
    }
    let all = urls(&sandbox);
    assert_eq!(all.len(), 5, "{all:?}");
    for url in all {
        for words in [&["check"][..], &["expires", "90d"], &["logout"]] {
            let mut command = sandbox.helper("--storage file");
            command.arg(words[0]).arg(&url).args(&words[1..]);
            let said = process::run(&mut command, b"");
            // No forge tells of these.
            let expected = if words[0] == "check" { 5 } else { 0 };
            assert_eq!(said.status.code(), Some(expected), "{url}: {said:?}");
        }
    }
    assert_eq!(
        sandbox.ask("--storage file list", b"").succeeded().text(),
        "nothing is kept in the plaintext file\n"
    );
}

#[test]
fn a_table_fits_a_narrow_terminal_and_is_whole_in_a_pipe() {
    let sandbox = Sandbox::new();
    for (host, username) in [("one.test", "alice"), ("two.test", "bob")] {
        store(
            &sandbox,
            &[
                ("protocol", "https"),
                ("host", host),
                ("username", username),
            ],
        );
    }
    let list = |columns: &str| {
        let mut command = sandbox.helper("--storage file list");
        command.env("COLUMNS", columns);
        let (status, shown) = Session::start(&command).finish();
        assert!(status.success(), "{shown}");
        shown
    };
    let narrow = list("40");
    assert!(
        narrow.lines().all(|line| line.trim_end().len() <= 40),
        "{narrow}"
    );
    assert!(
        narrow.contains("URL        https://one.test\r\nUSER       alice\r\n"),
        "{narrow}"
    );
    assert!(list("200").contains("https://one.test  alice"));
    let mut piped = sandbox.helper("--storage file list");
    let piped = process::run(piped.env("COLUMNS", "40"), b"").succeeded();
    assert!(
        piped.text().contains("https://one.test  alice"),
        "{piped:?}"
    );
}

#[test]
fn an_expiry_without_a_path_is_of_no_path() {
    let sandbox = Sandbox::new();
    let site = [
        ("protocol", "https"),
        ("host", "one.test"),
        ("username", "alice"),
    ];
    store(&sandbox, &site);
    store(&sandbox, &[&site[..], &[("path", "acme")]].concat());
    let expires = |words: &str| {
        let words = format!("--storage file expires {words}");
        sandbox.ask(&words, b"").succeeded().text()
    };
    assert_eq!(expires("https://one.test/acme 90d").lines().count(), 1);
    let said = expires("https://one.test never");
    assert_eq!(
        said,
        "the token for alice at https://one.test has no known expiry\n"
    );
    let listed = sandbox.ask("--storage file list --json", b"").succeeded();
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let dated = listed.as_array().unwrap().iter();
    let dated = dated.filter(|entry| !entry["expires_at"].is_null());
    let urls: Vec<_> = dated.map(|entry| entry["url"].as_str().unwrap()).collect();
    assert_eq!(urls, ["https://one.test/acme"]);
}

#[test]
fn setup_takes_only_urls_for_which_git_asks_a_helper() {
    let sandbox = Sandbox::new();
    let before = fs::read(sandbox.path("gitconfig")).unwrap();
    for url in ["notaurl://x", "ssh://git@one.test", "htps://one.test"] {
        let said = sandbox.ask(&format!("setup {url}"), b"");
        assert_eq!(said.status.code(), Some(1), "{said:?}");
        assert!(said.stderr.contains("hint: "), "{said:?}");
    }
    assert_eq!(fs::read(sandbox.path("gitconfig")).unwrap(), before);
}

#[test]
fn a_forge_that_is_not_reached_is_not_reached_for_a_reason() {
    let sandbox = Sandbox::new();
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for (host, cause) in [
        (
            format!("localhost:{}", closed.port()),
            "the connection is refused",
        ),
        (
            "nohost.invalid".to_owned(),
            "its name cannot be resolved (DNS)",
        ),
    ] {
        let folder = sandbox.path("config/git-credential-pat");
        fs::create_dir_all(&folder).unwrap();
        let rule = format!("[[host]]\nurl = \"https://{host}\"\nforge = \"gitlab\"\n");
        fs::write(folder.join("config.toml"), rule).unwrap();
        let login = format!("--storage file login --with-token https://alice@{host}");
        let said = sandbox.ask(&login, b"glpat-madeup").succeeded();
        let shown = format!("cause: cannot reach the forge: {cause}");
        assert!(said.stderr.contains(&shown), "{said:?}");
        let said = sandbox.ask(&format!("--storage file check {host}"), b"");
        assert!(said.text().contains(cause), "{said:?}");
    }
}

/// With URLs, users and places that are too long for any terminal.
#[test]
fn each_table_fits_terminals_of_120_80_and_60_columns() {
    let sandbox = Sandbox::new();
    let path = "group/subgroup/another-subgroup/and-one-more/project.git";
    let day = "password_expiry_utc=4102444800\n";
    for (host, username) in [
        ("gitlab.test", "octocat-with-a-long-name"),
        ("git.a-rather-long-department.invalid:8443", "alice"),
        (
            "xn--bcher-kva.test",
            "\u{6771}\u{4eac}\u{90fd}\u{4e00}\u{4e8c}\u{4e09}",
        ),
    ] {
        let pairs = [
            ("protocol", "https"),
            ("host", host),
            ("path", path),
            ("username", username),
            ("password", "made-up"),
        ];
        let mut request = lines(&pairs);
        request.extend_from_slice(day.as_bytes());
        sandbox
            .ask("--storage memory,file store", &request)
            .succeeded();
    }
    fs::write(
        sandbox.path("home/.git-credentials"),
        format!("https://bob:made-up-too@gitlab.test/{path}\n"),
    )
    .unwrap();
    let show = |words: &str, columns: usize| {
        let mut command = sandbox.helper(&format!("--storage memory,file {words}"));
        command.env("COLUMNS", columns.to_string());
        Session::start(&command).finish().1.replace('\r', "")
    };
    let table = |words: &str, columns| {
        let shown = show(words, columns);
        let rows = shown.lines().skip_while(|line| !line.contains("USER"));
        let rows = rows.take_while(|line| !line.starts_with("warning: ") && !line.is_empty());
        rows.map(str::to_owned).collect::<Vec<_>>()
    };
    let width = |line: &str| -> usize {
        let is_wide = |character| ('\u{4e00}'..='\u{9fff}').contains(&character);
        line.chars()
            .map(|character| 1 + usize::from(is_wide(character)))
            .sum()
    };
    for columns in [120, 80, 60] {
        for (words, entries) in [("list", 6), ("check", 3), ("import --dry-run", 1)] {
            let rows = table(words, columns);
            assert!(rows.len() > entries, "{words} {columns}: {rows:#?}");
            for row in &rows[..=entries] {
                assert!(width(row) <= columns, "{words} {columns}: {rows:#?}");
            }
            let rows = rows.join("\n");
            assert!(rows.contains("gitlab.test/"), "{words} {columns}: {rows}");
            assert!(rows.contains("t.git"), "{words} {columns}: {rows}");
        }
    }
    assert!(
        show("list", 60).contains("\u{2026}"),
        "{}",
        show("list", 60)
    );
    sandbox.ask("--storage memory,file expires gitlab.test 2020-01-01", b"");
    for columns in [120, 80, 60] {
        let rows = table("clean --dry-run", columns);
        assert!(rows.len() > 1, "{rows:#?}");
        assert!(
            rows.iter().all(|row| width(row) <= columns),
            "{columns}: {rows:#?}"
        );
        assert!(rows[1].contains("gitlab.test/"), "{columns}: {rows:#?}");
    }
}
