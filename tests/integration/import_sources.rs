//! What `import` and `clean` find at other programs, each where and how that program keeps it. All tokens are made up.

use std::fs;
use std::path::PathBuf;

use crate::attributes::{Answer, lines};
use crate::process::{self, Output};
use crate::sandbox::Sandbox;
use crate::tool;

fn write(path: PathBuf, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn keep_item(sandbox: &Sandbox, service: &str, secret: &str) {
    let mut tool = sandbox.command(tool::need("secret-tool"));
    tool.args([
        "store",
        "--label=made up",
        "service",
        service,
        "username",
        "",
    ]);
    process::run(&mut tool, secret.as_bytes()).succeeded();
}

fn item(sandbox: &Sandbox, service: &str) -> String {
    let mut tool = sandbox.command(tool::need("secret-tool"));
    process::run(tool.args(["lookup", "service", service]), b"").text()
}

fn get(sandbox: &Sandbox, flags: &str, host: &str, username: &str) -> Answer {
    let query = lines(&[
        ("protocol", "https"),
        ("host", host),
        ("username", username),
    ]);
    Answer::read(
        &sandbox
            .ask(&format!("{flags} get"), &query)
            .succeeded()
            .stdout,
    )
}

/// No secret of any of these tests is ever shown.
#[track_caller]
fn shows_no_secret(output: &Output) {
    for shown in [&output.text(), &output.stderr] {
        assert!(!shown.contains("made-up"), "{output:#?}");
    }
}

/// glab writes `use_keyring` beside a host, and its tokens as items of the keyring; an older one without the key's name.
#[test]
fn keyring_items_of_glab_are_found_where_glab_keeps_them() {
    let mut sandbox = Sandbox::new();
    sandbox.start_keyring();
    write(
        sandbox.path("config/glab-cli/config.yml"),
        "hosts:\n    gl.test:8443:\n        user: gina\n        use_keyring: \"true\"\n    oauth.test:\n        user: olga\n        is_oauth2: \"true\"\n        oauth2_expiry_date: 2098-12-31T23:59:00Z\n",
    );
    for (service, secret) in [
        ("glab:gl.test:8443:token", "made-up-token"),
        ("glab:oauth.test", "made-up-oauth"),
        ("glab:oauth.test:refresh_token", "made-up-refresh"),
        ("glab:gitlab.com:job_token", "made-up-job"),
        ("glab:__keyring_probe__", "1"),
        ("glab:unknown.test:token", "made-up-unknown"),
    ] {
        keep_item(&sandbox, service, secret);
    }
    let keychain = "--storage keychain";
    let done = sandbox
        .ask(&format!("{keychain} import glab --yes"), b"")
        .succeeded();
    shows_no_secret(&done);
    assert!(
        done.text().ends_with("imported 3 credentials\n"),
        "{done:?}"
    );
    for (host, user, secret) in [
        ("gl.test:8443", "gina", "made-up-token"),
        ("oauth.test", "oauth2", "made-up-oauth"),
        ("gitlab.com", "gitlab-ci-token", "made-up-job"),
    ] {
        let answer = get(&sandbox, keychain, host, user);
        assert_eq!(answer.get("password"), Some(secret), "{host}");
    }
    let expiry = get(&sandbox, keychain, "oauth.test", "oauth2");
    assert_eq!(expiry.get("password_expiry_utc"), Some("4070908740"));

    // git rejects one of them: `clean` finds glab's copy, and only that.
    let rejected = lines(&[
        ("protocol", "https"),
        ("host", "gl.test:8443"),
        ("username", "gina"),
        ("password", "made-up-token"),
    ]);
    sandbox
        .ask(&format!("{keychain} erase"), &rejected)
        .succeeded();
    let cleaned = sandbox
        .ask(&format!("{keychain} clean --yes"), b"")
        .succeeded();
    shows_no_secret(&cleaned);
    assert_eq!(item(&sandbox, "glab:gl.test:8443:token"), "");
    assert_eq!(item(&sandbox, "glab:oauth.test"), "made-up-oauth");
}

/// glab's first versions kept their file there, and it still counts where it is.
#[test]
fn the_first_folder_of_glab_comes_before_the_one_of_xdg() {
    let sandbox = Sandbox::new();
    let file =
        |token: &str| format!("hosts:\n    gl.test:\n        user: gina\n        token: {token}\n");
    write(
        sandbox.path("config/glab-cli/config.yml"),
        &file("made-up-xdg"),
    );
    write(
        sandbox.path("home/.config/glab-cli/config.yml"),
        &file("made-up-first"),
    );
    let flags = "--storage file";
    sandbox
        .ask(&format!("{flags} import glab --yes"), b"")
        .succeeded();
    let answer = get(&sandbox, flags, "gl.test", "gina");
    assert_eq!(answer.get("password"), Some("made-up-first"));
}

#[test]
fn a_skipped_entry_is_named_by_its_file_and_line() {
    let sandbox = Sandbox::new();
    let store = sandbox.path("home/.git-credentials");
    let many = "nonsense\n".repeat(20);
    write(
        store.clone(),
        &format!(
            "https://alice:made-up-a@one.test\r\nhttps://made-up-b@two.test\n\n# note\n{many}"
        ),
    );
    let netrc = sandbox.path("home/.netrc");
    write(
        netrc.clone(),
        "MACHINE one.test\n  Login nina Password made-up-n\n\nmachine two.test\n  login made-up-c\n",
    );
    let done = sandbox
        .ask("--storage file import git-store netrc --yes", b"")
        .succeeded();
    shows_no_secret(&done);
    assert!(
        done.text().ends_with("imported 2 credentials\n"),
        "{done:?}"
    );
    for expected in [
        format!(
            "skipped 21 entries of git-store that cannot be used: {}, lines 2, 5, 6, 7, 8, 9, 10, 11, 12, 13 and 11 more\n",
            store.display()
        ),
        format!(
            "skipped 1 entry of netrc that cannot be used: {}, line 4\n",
            netrc.display()
        ),
    ] {
        assert!(done.stderr.contains(&expected), "{expected}: {done:?}");
    }
}
