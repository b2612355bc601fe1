//! `logout` names what it removes, and removes several only with consent.

use crate::attributes::lines;
use crate::process::{self, Output};
use crate::sandbox::Sandbox;
use crate::terminal::Session;

fn two_accounts() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.store_in_file("https://one.test", "alice");
    sandbox.store_in_file("https://one.test", "bob");
    sandbox.store_in_file("https://one.test/acme", "alice");
    sandbox.store_in_file("https://two.test", "alice");
    sandbox
}

fn logout(sandbox: &Sandbox, words: &str) -> Output {
    sandbox.ask(&format!("--storage file logout {words}"), b"")
}

fn left(sandbox: &Sandbox) -> usize {
    let listed = sandbox.ask("--storage file list --json", b"").succeeded();
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    listed.as_array().unwrap().len()
}

#[test]
fn several_need_a_yes_where_nobody_can_be_asked() {
    let sandbox = two_accounts();
    let said = logout(&sandbox, "one.test");
    assert_eq!(said.status.code(), Some(2), "{said:?}");
    for part in [
        "error: 3 credentials are kept for https://one.test: nothing was removed",
        "--yes",
        "git credential-pat logout https://bob@one.test",
        "git credential-pat logout https://alice@one.test/acme",
    ] {
        assert!(said.stderr.contains(part), "{part}: {said:?}");
    }
    assert_eq!(left(&sandbox), 4);
    let said = logout(&sandbox, "--yes one.test").succeeded();
    let mut lines: Vec<_> = said.text().lines().map(str::to_owned).collect();
    lines.sort();
    let expected = [
        "removed the token for alice at https://one.test (file)",
        "removed the token for alice at https://one.test/acme (file)",
        "removed the token for bob at https://one.test (file)",
    ];
    assert_eq!(lines, expected);
    assert_eq!(left(&sandbox), 1);
}

#[test]
fn one_is_removed_and_named_without_a_question() {
    let sandbox = two_accounts();
    let said = logout(&sandbox, "https://bob@one.test").succeeded();
    assert_eq!(
        said.text(),
        "removed the token for bob at https://one.test (file)\n"
    );
    let said = logout(&sandbox, "one.test/acme").succeeded();
    assert_eq!(
        said.text(),
        "removed the token for alice at https://one.test/acme (file)\n"
    );
    assert_eq!(left(&sandbox), 2);
}

#[test]
fn several_are_named_and_asked_about_at_a_terminal() {
    let sandbox = two_accounts();
    let mut session = Session::start(&sandbox.helper("--storage file logout one.test"));
    session.answer("Remove these 3 credentials? [y/N] ", "n");
    let (status, shown) = session.finish();
    assert!(status.success(), "{shown}");
    assert!(
        shown.contains("the token for bob at https://one.test (file)"),
        "{shown}"
    );
    assert!(shown.contains("nothing was removed"), "{shown}");
    assert_eq!(left(&sandbox), 4);
    let mut session = Session::start(&sandbox.helper("--storage file logout one.test"));
    session.answer("[y/N] ", "y");
    assert!(session.finish().0.success());
    assert_eq!(left(&sandbox), 1);
    let (status, shown) =
        Session::start(&sandbox.helper("--storage file logout --yes two.test")).finish();
    assert!(status.success() && !shown.contains("[y/N]"), "{shown}");
}

#[test]
fn nothing_of_another_host_or_path_is_removed() {
    let sandbox = two_accounts();
    for (url, hint) in [
        ("bogus", "'git credential-pat list' shows what is kept"),
        ("ne.test", "'git credential-pat list'"),
        ("one.test.evil.test", "'git credential-pat list'"),
        ("https://carol@one.test", "'git credential-pat list'"),
        ("http://one.test", "'git credential-pat list'"),
        ("https://one.test:8443", "'git credential-pat list'"),
        (
            "https://bob@one.test/acme/r.git",
            "'git credential-pat logout https://bob@one.test'",
        ),
        (
            "https://one.test/acmecorp",
            "'git credential-pat logout https://",
        ),
    ] {
        let said = logout(&sandbox, &format!("--yes {url}"));
        assert_eq!(said.status.code(), Some(1), "{url}: {said:?}");
        assert!(
            said.stderr.starts_with("error: nothing is kept for http"),
            "{url}: {said:?}"
        );
        assert!(said.stderr.contains(hint), "{url}: {said:?}");
    }
    assert_eq!(left(&sandbox), 4);
}

/// The path of an account's repository means the account, whose token serves other repositories too.
#[test]
fn the_token_of_an_account_is_not_removed_for_one_repository() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("config/git-credential-pat");
    std::fs::create_dir_all(&folder).unwrap();
    let rule = "[[account]]\nurl = 'https://one.test/acme'\n";
    std::fs::write(folder.join("config.toml"), rule).unwrap();
    sandbox.store_in_file("https://one.test/acme/r.git", "work");
    let said = logout(&sandbox, "one.test/acme/r.git");
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    let hint = "'git credential-pat logout https://work@one.test/acme'";
    assert!(said.stderr.contains(hint), "{said:?}");
    assert_eq!(left(&sandbox), 1);
}

#[test]
fn a_token_that_is_kept_twice_is_one() {
    let sandbox = Sandbox::new();
    let storages = "--storage memory,file";
    for storage in ["memory", "file"] {
        let pairs = [
            ("url", "https://one.test"),
            ("username", "alice"),
            ("password", "made-up"),
        ];
        let store = format!("--storage {storage} store");
        sandbox.ask(&store, &lines(&pairs)).succeeded();
    }
    let said = process::run(
        &mut sandbox.helper(&format!("{storages} logout one.test")),
        b"",
    );
    assert_eq!(
        said.succeeded().text(),
        "removed the token for alice at https://one.test (memory, file)\n"
    );
    assert_eq!(left(&sandbox), 0);
}

#[test]
fn a_dry_run_names_what_would_be_removed_and_nothing_else() {
    let sandbox = two_accounts();
    let said = logout(&sandbox, "--dry-run one.test").succeeded();
    let mut shown: Vec<_> = said.text().lines().map(str::to_owned).collect();
    shown.sort();
    let expected = [
        "would remove the token for alice at https://one.test (file)",
        "would remove the token for alice at https://one.test/acme (file)",
        "would remove the token for bob at https://one.test (file)",
    ];
    assert_eq!(shown, expected);
    assert_eq!(said.stderr, "");
    let said = logout(&sandbox, "--all --dry-run").succeeded();
    assert_eq!(said.text().lines().count(), 4, "{said:?}");
    assert_eq!(left(&sandbox), 4);
}

#[test]
fn all_needs_a_yes_or_a_terminal_even_for_one() {
    let sandbox = two_accounts();
    let said = logout(&sandbox, "--all");
    assert_eq!(said.status.code(), Some(2), "{said:?}");
    for part in [
        "4 credentials would be removed: nothing was removed",
        "--yes",
        "--dry-run",
    ] {
        assert!(said.stderr.contains(part), "{part}: {said:?}");
    }
    logout(&sandbox, "one.test --yes").succeeded();
    assert_eq!(logout(&sandbox, "--all").status.code(), Some(2));
    let mut session = Session::start(&sandbox.helper("--storage file logout --all"));
    session.answer("Remove this credential? [y/N] ", "n");
    let (status, shown) = session.finish();
    assert!(
        status.success() && shown.contains("nothing was removed"),
        "{shown}"
    );
    assert_eq!(left(&sandbox), 1);
    let said = sandbox
        .ask("--storage file rm --all --yes", b"")
        .succeeded();
    assert_eq!(
        said.text(),
        "removed the token for alice at https://two.test (file)\n\
        the tokens stay valid until they expire: revoke them at their forges\n"
    );
    assert_eq!(left(&sandbox), 0);
    let said = logout(&sandbox, "--all --yes").succeeded();
    assert_eq!(said.text(), "nothing is kept in the plaintext file\n");
}

#[test]
fn without_a_url_and_with_both_nothing_is_removed() {
    let sandbox = two_accounts();
    for (words, part) in [
        (
            "",
            "hint: give a URL, such as 'git credential-pat logout https://github.com'",
        ),
        ("--yes", "which credentials are to be removed?"),
        ("one.test --all --yes", "cannot be used with"),
    ] {
        let said = logout(&sandbox, words);
        assert_eq!(said.status.code(), Some(2), "{words}: {said:?}");
        assert!(said.stderr.contains(part), "{words}: {said:?}");
    }
    assert_eq!(left(&sandbox), 4);
}
