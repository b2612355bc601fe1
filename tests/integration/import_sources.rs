//! What `import` and `clean` find at other programs, each where and how that program keeps it. All tokens are made up.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use git_credential_pat::credential::basic;
use git_credential_pat::secret::Secret;

use crate::attributes::{Answer, lines};
use crate::forge::schema;
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
        "hosts:\n    gl.test:8443:\n        user: gina\n        use_keyring: \"true\"\n        token: made-up-stale\n    file.test:\n        user: fay\n        token: made-up-file\n    oauth.test:\n        user: olga\n        is_oauth2: \"true\"\n        oauth2_expiry_date: 2098-12-31T23:59:00Z\n",
    );
    for (service, secret) in [
        ("glab:gl.test:8443:token", "made-up-token"),
        ("glab:file.test:token", "made-up-stale"),
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
        done.text().ends_with("imported 4 credentials\n"),
        "{done:?}"
    );
    for (host, user, secret) in [
        ("gl.test:8443", "gina", "made-up-token"),
        ("file.test", "fay", "made-up-file"),
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
fn a_named_file_that_is_missing_is_an_error() {
    let sandbox = Sandbox::new();
    let path = sandbox.path("missing");
    for source in ["git-store", "netrc"] {
        let words = format!("--storage file import {source}:{}", path.display());
        let output = sandbox.ask(&words, b"");
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let told = format!("there is no file {}", path.display());
        assert!(output.stderr.contains(&told), "{output:?}");
    }
    let usual = sandbox.ask("--storage file import git-store netrc", b"");
    assert_eq!(usual.succeeded().stderr, "");
}

#[test]
fn a_default_entry_of_netrc_gets_no_warning() {
    let sandbox = Sandbox::new();
    let text = "machine one.test login alice password made-up\ndefault login bob password other\n";
    let path = sandbox.path("home/.netrc");
    fs::write(&path, text).unwrap();

    let output = sandbox.ask("--storage file import netrc --dry-run", b"");
    let output = output.succeeded();
    assert!(!output.stderr.contains("skipped"), "{output:?}");
    assert!(output.text().contains("https://one.test"), "{output:?}");
}

#[test]
fn a_skipped_entry_is_named_by_its_file_and_line() {
    let sandbox = Sandbox::new();
    let store = sandbox.path("home/.git-credentials");
    let many = "nonsense\n".repeat(20);
    write(
        store.clone(),
        &format!(
            "https://alice:made-up-a@one.test/\r\nhttps://made-up-b@two.test\n\n# note\n{many}"
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

/// A row of `tests/neighbours/NAME/*.expected`.
struct Row {
    protocol: String,
    host: String,
    path: Option<String>,
    user: String,
    secret: String,
}

/// The samples of `name`, without those in `but`, and the credentials that must come out of each.
fn samples(name: &str, but: &[&str]) -> Vec<(PathBuf, Vec<Row>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/neighbours")
        .join(name);
    let mut samples = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let expected = entry.unwrap().path();
        let stem = expected.file_stem().unwrap().to_str().unwrap().to_owned();
        if expected
            .extension()
            .is_none_or(|extension| extension != "expected")
            || but.contains(&&stem[..])
        {
            continue;
        }
        let text = fs::read_to_string(&expected).unwrap();
        samples.push((
            expected.with_extension("txt"),
            text.lines().filter_map(row).collect(),
        ));
    }
    assert!(samples.len() >= 12);
    samples
}

fn row(line: &str) -> Option<Row> {
    let mut fields = line.split(" | ");
    let (url, user, secret) = (fields.next()?, fields.next()?, fields.next()?);
    let (protocol, rest) = url.split_once("://")?;
    let (host, path) = match rest.split_once('/') {
        Some((host, path)) => (host, Some(path.to_owned())),
        None => (rest, None),
    };
    Some(Row {
        protocol: protocol.to_owned(),
        host: host.to_owned(),
        path,
        user: user.to_owned(),
        secret: secret.to_owned(),
    })
}

/// Of two lines for one query git answers with the first. It takes the carriage return of a line for a part of its path.
#[test]
fn git_answers_what_is_imported_from_its_files() {
    let sandbox = Sandbox::new();
    for (sample, rows) in samples("git-store", &[]) {
        let copy = sandbox.path("home/copy");
        fs::copy(&sample, &copy).unwrap();
        let is_crlf = fs::read(&sample).unwrap().contains(&b'\r');
        for row in &rows {
            let path = row.path.as_deref().filter(|_| !is_crlf);
            let mut pairs = vec![
                ("protocol", &row.protocol[..]),
                ("host", &row.host),
                ("username", &row.user),
            ];
            pairs.extend(path.map(|path| ("path", path)));
            let first = rows.iter().find(|other| {
                (&other.host, &other.user) == (&row.host, &row.user)
                    && path.is_none_or(|path| other.path.as_deref() == Some(path))
            });
            let mut git = sandbox.git(&["credential-store", "--file"]);
            git.arg(&copy).arg("get");
            let answer = process::run(&mut git, &lines(&pairs)).succeeded();
            let answer = Answer::read(&answer.stdout);
            let shown = format!("{} {pairs:?}", sample.display());
            assert_eq!(
                answer.get("password"),
                Some(&first.unwrap().secret[..]),
                "{shown}"
            );
        }
    }
}

/// Left out are a file that curl refuses whole, and an entry with a port, of which curl knows nothing.
#[test]
fn curl_signs_in_with_what_is_imported_from_a_netrc() {
    let sandbox = Sandbox::new();
    let port = authorization_server();
    for (sample, rows) in samples("netrc", &["open_quote", "account_and_port"]) {
        for row in &rows {
            let is_alone = rows.iter().filter(|other| other.host == row.host).count() == 1;
            let user = if is_alone {
                String::new()
            } else {
                format!("{}@", row.user)
            };
            let mut curl = sandbox.command(tool::need("curl"));
            curl.args([
                "--silent",
                "--max-time",
                "20",
                "--noproxy",
                "*",
                "--netrc-file",
            ])
            .arg(&sample)
            .args(["--resolve", &format!("{}:{port}:127.0.0.1", row.host)])
            .arg(format!("http://{user}{}:{port}/", row.host));
            let sent = process::run(&mut curl, b"").succeeded().text();
            let expected = basic::encoded(row.user.as_bytes(), &Secret::new(row.secret.as_bytes()));
            let expected = String::from_utf8(expected.expose().to_vec()).unwrap();
            assert_eq!(sent, format!("Basic {expected}"), "{}", sample.display());
        }
    }
}

/// Answers every request with its `Authorization`, for as long as the tests run. Returns its port.
fn authorization_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut sent = String::new();
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).unwrap();
                if let Some(value) = line.strip_prefix("Authorization: ") {
                    value.trim_end().clone_into(&mut sent);
                }
                if line.trim_end().is_empty() {
                    break;
                }
            }
            let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n";
            let answer = format!("{head}Content-Length: {}\r\n\r\n{sent}", sent.len());
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    });
    port
}

/// The environment decides alone; without it, git's configuration may name a folder for a URL.
#[test]
fn the_plaintext_store_of_gcm_is_found_where_git_and_the_environment_say() {
    let mut sandbox = Sandbox::new();
    for (folder, user) in [
        ("home/.gcm/store", "usual"),
        ("home/named", "named"),
        ("home/for one", "scoped"),
        ("home/env", "environment"),
    ] {
        write(
            sandbox
                .path(folder)
                .join("git/https/one.test")
                .join(format!("{user}.credential")),
            &format!("made-up-{user}\nservice=git:https://one.test\naccount={user}\n"),
        );
    }
    let scoped = sandbox.path("home/for one");
    sandbox.configure_git(&format!(
        "[credential]\n\tplaintextStorePath = ~/named\n[credential \"https://one.test\"]\n\tplaintextStorePath = \"{}\"\n",
        scoped.display()
    ));
    let found = |sandbox: &Sandbox, folder: Option<PathBuf>| {
        let mut command = sandbox.helper("--storage file import gcm --dry-run --json");
        command.envs(folder.map(|folder| ("GCM_PLAINTEXT_STORE_PATH", folder)));
        let shown = process::run(&mut command, b"").succeeded();
        shows_no_secret(&shown);
        let users = ["usual", "named", "scoped", "environment"];
        users.map(|user| shown.text().contains(&format!("\"{user}\"")))
    };
    assert_eq!(found(&sandbox, None), [true, true, true, false]);
    let named = sandbox.path("home/env");
    assert_eq!(found(&sandbox, Some(named)), [false, false, false, true]);
    sandbox = Sandbox::new();
    assert_eq!(found(&sandbox, None), [false; 4]);
}

#[test]
fn a_store_of_gcm_that_only_gpg_reads_is_named() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("home/pass/acme/https");
    write(folder.join("one.test/alice.gpg"), "encrypted");
    let text = "made-up\nservice=acme:https://two.test\naccount=bob\n";
    write(sandbox.path("home/.gcm/store/bob.credential"), text);
    let ask = |words: &str| {
        let done = sandbox.ask(&format!("--storage file {words}"), b"");
        (done.text(), done.stderr)
    };
    let (before, warnings) = ask("import gcm --dry-run");
    assert_eq!(before, "no credentials found\n", "{warnings}");
    sandbox.configure_git(
        "[credential]\n\tcredentialStore = GPG\n\tgpgPassStorePath = ~/pass\n\tnamespace = acme\n",
    );
    let (found, warnings) = ask("import gcm --dry-run");
    assert!(found.contains("https://two.test"), "{found}");
    let named = format!("cannot read {}", folder.display());
    assert!(warnings.contains(&named), "{warnings}");
    assert!(warnings.contains("pass show"), "{warnings}");
    let (_, warnings) = ask("clean");
    assert!(warnings.contains(&named), "{warnings}");
}

#[test]
fn a_secret_of_a_kind_that_its_forge_no_longer_accepts_is_not_imported() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("home/.git-credentials");
    let text = "https://bob:ATBBmade-up@bitbucket.org\nhttps://octo:made-up-password@github.com\nhttps://octa:ghp_made-up@github.com\n";
    write(file.clone(), text);
    let flags = "--storage file";
    let import = |words: &str| {
        let done = sandbox
            .ask(&format!("{flags} import git-store {words}"), b"")
            .succeeded();
        shows_no_secret(&done);
        done.text()
    };
    let json = import("--dry-run --json");
    schema::check("import", json.as_bytes());
    assert_eq!(
        json.matches("\"verdict\": \"not-taken\"").count(),
        2,
        "{json}"
    );
    let done = import("--yes --remove-source");
    for expected in [
        "Bitbucket stopped accepting them in July 2026: not imported",
        "GitHub stopped accepting them in August 2021: not imported",
        "imported 1 credential\nremoved 1 copy at the source\n",
    ] {
        assert!(done.contains(expected), "{expected}: {done}");
    }
    let left: String = text
        .lines()
        .take(2)
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(fs::read_to_string(&file).unwrap(), left);
    let stale = sandbox.ask(&format!("{flags} clean --dry-run --json"), b"");
    schema::check("clean", &stale.stdout);
    assert_eq!(
        stale.text().matches("\"not-taken\"").count(),
        2,
        "{stale:?}"
    );
    let done = import("--yes --refused");
    assert!(done.ends_with("imported 2 credentials\n"), "{done}");
}

#[test]
fn login_refuses_a_secret_of_a_kind_that_its_forge_no_longer_accepts() {
    let sandbox = Sandbox::new();
    let flags = "--storage file";
    for (url, secret) in [
        ("https://bob@bitbucket.org", "ATBBmade-up"),
        ("https://octo@github.com", "made-up-password"),
    ] {
        let words = format!("{flags} login {url} --with-token");
        let done = sandbox.ask(&words, secret.as_bytes());
        assert_eq!(done.status.code(), Some(1), "{done:?}");
        assert!(done.stderr.contains("no longer works"), "{done:?}");
        assert!(done.stderr.contains("--force"), "{done:?}");
        shows_no_secret(&done);
    }
    assert!(!get(&sandbox, flags, "bitbucket.org", "bob").has_secret());
}

/// GitHub, GitLab, Bitbucket and Azure DevOps each have their own names for a token alone.
#[test]
fn a_variable_is_kept_for_the_username_that_its_forge_needs() {
    let sandbox = Sandbox::new();
    let flags = "--storage file";
    let import = |variable: &str, token: &str, url: &str| {
        let words = format!("{flags} import env:{variable} --url {url} --yes");
        let mut command = sandbox.helper(&words);
        command.env(variable, token);
        let done = process::run(&mut command, b"");
        shows_no_secret(&done);
        done
    };
    for (variable, token, host, user) in [
        (
            "GITHUB_TOKEN",
            "ghs_made-up",
            "github.com",
            "x-access-token",
        ),
        (
            "CI_JOB_TOKEN",
            "glcbt-made-up",
            "gitlab.com",
            "gitlab-ci-token",
        ),
        (
            "CI_JOB_TOKEN",
            "made-up-of-old",
            "gl.test",
            "gitlab-ci-token",
        ),
        ("JOB", "glcbt-made-up", "job.test", "gitlab-ci-token"),
        ("GITLAB_TOKEN", "glpat-made-up", "gitlab.com", "oauth2"),
        ("BB", "ATCTT3made-up", "bitbucket.org", "x-token-auth"),
        (
            "BB",
            "ATATT3made-up",
            "bitbucket.org",
            "x-bitbucket-api-token-auth",
        ),
        ("AZURE", "made-up-azure", "dev.azure.com", "x-access-token"),
        ("ANY", "made-up-any", "one.test", "x-access-token"),
    ] {
        import(variable, token, host).succeeded();
        let answer = get(&sandbox, flags, host, user);
        assert_eq!(
            answer.get("password"),
            Some(token),
            "{variable} {host} {user}"
        );
    }
    import(
        "GITHUB_TOKEN",
        "ghp_made-up-octo",
        "https://octo@github.com",
    )
    .succeeded();
    let answer = get(&sandbox, flags, "github.com", "octo");
    assert_eq!(answer.get("password"), Some("ghp_made-up-octo"));
    // The name of a deploy token is part of it.
    let deploy = import("DEPLOY", "gldt-made-up", "gitlab.com");
    assert_eq!(deploy.status.code(), Some(1), "{deploy:?}");
    assert!(
        deploy.stderr.contains("needs its own username"),
        "{deploy:?}"
    );
    assert!(
        deploy.stderr.contains("--url https://USER@HOST"),
        "{deploy:?}"
    );
}

/// At hosts that no connection leads to: the token is kept unasked.
#[test]
fn login_with_a_token_asks_for_no_name_that_the_forge_does_not_need() {
    let sandbox = Sandbox::new();
    let flags = "--storage file";
    let login = |url: &str, token: &str| {
        let words = format!("{flags} login {url} --with-token");
        sandbox.ask(&words, token.as_bytes())
    };
    for (host, token, user) in [
        ("gl.invalid", "glcbt-made-up", "gitlab-ci-token"),
        ("pat.invalid", "glpat-made-up", "oauth2"),
        ("ghe.invalid", "ghs_made-up", "x-access-token"),
    ] {
        shows_no_secret(&login(&format!("https://{host}"), token).succeeded());
        let answer = get(&sandbox, flags, host, user);
        assert_eq!(answer.get("password"), Some(token), "{host}");
    }
    for (url, token) in [
        ("https://deploy.invalid", "gldt-made-up"),
        ("https://unknown.invalid", "made-up-unknown"),
    ] {
        let done = login(url, token);
        assert_eq!(done.status.code(), Some(1), "{done:?}");
        assert!(done.stderr.contains("--username"), "{done:?}");
    }
    // The one account that is there keeps its name.
    login("https://octo@two.invalid", "ghp_made-up-one").succeeded();
    login("https://two.invalid", "ghp_made-up-two").succeeded();
    let answer = get(&sandbox, flags, "two.invalid", "octo");
    assert_eq!(answer.get("password"), Some("ghp_made-up-two"));
}
