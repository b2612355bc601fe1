//! `doctor URL`: for each cause, why git fails and the one thing to do next.

use std::fs;

use serde_json::{Value, json};

use super::schema::{faults, of};
use super::work::{DAY, Work, in_days, midnight_in_days};
use super::{Certificate, Elsewhere, Fate, Manner, Speaks, Token, now};
use crate::process::{self, Output};

const CLASSIC: &str = "ghp_classic0123456789";
const FINE: &str = "github_pat_fine0123456789";
const GITLAB: &str = "glpat-first.0123456789";
const PLAIN: &str = "0123456789abcdef0123456789abcdef01234567";

/// One cause: whose forge, which token it knows, what is kept, and what is to be said. `HOST` is the forge's.
struct Cause {
    name: &'static str,
    speaks: Speaks,
    token: Option<Token>,
    kept: &'static str,
    outcome: &'static str,
    says: &'static str,
    remedy: &'static str,
}

const LOGIN: &str = "git credential-pat login https://alice@HOST";
const LIST: &str = "visit: https://HOST/settings/tokens";
const SIGNED_IN: &str = "fix the URL, or ask for access; signed in as alice, visit: https://HOST/r";
const FINE_LIST: &str = "visit: https://HOST/settings/personal-access-tokens";
const GITLAB_NEW: &str = "visit: https://HOST/-/user_settings/personal_access_tokens?name=git&scopes=write_repository,self_rotate";

// A table is as long as it is.
#[allow(clippy::too_many_lines)]
fn causes() -> Vec<Cause> {
    let cause = |name, speaks, token, kept, says, remedy| Cause {
        name,
        speaks,
        token,
        kept,
        outcome: "problem",
        says,
        remedy,
    };
    let classic = || Token::new("t", CLASSIC);
    let gitlab = || Token::new("t", GITLAB);
    let (hub, lab) = (Speaks::GitHub, Speaks::GitLab);
    vec![
        cause(
            "revoked",
            hub,
            Some(classic().fate(Fate::Revoked)),
            CLASSIC,
            "rejects the token",
            LOGIN,
        ),
        cause(
            "ended",
            hub,
            Some(classic().ends(now() - DAY)),
            CLASSIC,
            "rejects the token",
            LOGIN,
        ),
        cause(
            "password",
            hub,
            None,
            "correct horse",
            "GitHub accepts no account passwords since 2021",
            LOGIN,
        ),
        cause(
            "revoked at GitLab",
            lab,
            Some(gitlab().fate(Fate::Revoked)),
            GITLAB,
            "was revoked",
            LOGIN,
        ),
        cause(
            "ended at GitLab",
            lab,
            Some(gitlab().ends(midnight_in_days(0))),
            GITLAB,
            "has expired",
            LOGIN,
        ),
        cause(
            "password at GitLab",
            lab,
            None,
            "correct horse",
            "a password, or invalid",
            LOGIN,
        ),
        cause(
            "dead at Gitea",
            Speaks::Gitea,
            None,
            PLAIN,
            "401: Gitea rejects it",
            LOGIN,
        ),
        cause(
            "dead at Bitbucket",
            Speaks::Bitbucket,
            None,
            "ATATT0123",
            "x-bitbucket-api-token-auth",
            "git credential-pat login --username x-bitbucket-api-token-auth https://HOST",
        ),
        cause(
            "access token at Bitbucket",
            Speaks::Bitbucket,
            None,
            "ATCTT0123",
            "its username is not 'x-token-auth'",
            "git credential-pat login --username x-token-auth https://HOST",
        ),
        cause(
            "another forge's",
            hub,
            None,
            GITLAB,
            "is of GitLab, but this is GitHub",
            LOGIN,
        ),
        cause(
            "refresh token",
            hub,
            None,
            "ghr_0123",
            "wrong kind: a refresh token",
            LOGIN,
        ),
        cause(
            "feed token",
            lab,
            None,
            "glft-0123",
            "wrong kind: a token for runners",
            LOGIN,
        ),
        cause(
            "single sign-on",
            hub,
            Some(classic().fate(Fate::NeedsSso)),
            CLASSIC,
            "single sign-on",
            "within the hour, visit: https://HOST/orgs/acme/sso?authorization_request=AAAA",
        ),
        cause(
            "single sign-on at the endpoint",
            hub,
            Some(classic().fate(Fate::GitNeedsSso)),
            CLASSIC,
            "403: the token must be authorized for the organization's single sign-on",
            "within the hour, visit: https://HOST/orgs/acme/sso?authorization_request=BBBB",
        ),
        cause(
            "single sign-on of a fine-grained token",
            hub,
            Some(Token::new("t", FINE).fate(Fate::GitNeedsSso)),
            FINE,
            "a fine-grained token is authorized when it is created",
            "within the hour, visit: https://HOST/orgs/acme/sso?authorization_request=BBBB",
        ),
        cause(
            "push with 401",
            Speaks::Gitea,
            Some(Token::new("t", PLAIN).fate(Fate::PushGets(401))),
            PLAIN,
            "401: git may fetch but not push: ",
            LOGIN,
        ),
        cause(
            "push with 404",
            hub,
            Some(classic().fate(Fate::PushGets(404))),
            CLASSIC,
            "404: git may fetch but not push: ",
            LIST,
        ),
        cause(
            "push with 410",
            Speaks::Bitbucket,
            Some(Token::new("t", "plain-old").fate(Fate::PushGets(410))),
            "plain-old",
            "410: git may fetch but not push: ",
            LOGIN,
        ),
        cause(
            "lifetime policy",
            hub,
            Some(classic().fate(Fate::LivesTooLong)),
            CLASSIC,
            "blocks tokens with a lifetime as long",
            LIST,
        ),
        cause(
            "no repo",
            hub,
            Some(classic().scopes(&["read:org"])),
            CLASSIC,
            "lacks the scope 'repo'",
            LIST,
        ),
        Cause {
            outcome: "note",
            ..cause(
                "no workflow",
                hub,
                Some(classic().scopes(&["repo"])),
                CLASSIC,
                "without the scope 'workflow'",
                LIST,
            )
        },
        cause(
            "may not write",
            hub,
            Some(Token::new("t", FINE).fate(Fate::MayNotPush)),
            FINE,
            "403: git may fetch but not push: the token lacks the permission 'Contents: read and write'",
            FINE_LIST,
        ),
        cause(
            "lacks the role",
            lab,
            Some(gitlab().fate(Fate::MayNotPush)),
            GITLAB,
            "403: git may fetch but not push: the token's scopes suffice, but its owner lacks the role (Developer",
            "ask a Maintainer or Owner of the project for the role; a project token has a role of its own",
        ),
        cause(
            "no write_repository",
            lab,
            Some(gitlab().scopes(&["read_repository"])),
            GITLAB,
            "lacks the scope 'write_repository': git can fetch and cannot push",
            GITLAB_NEW,
        ),
        cause(
            "fine-grained without it",
            hub,
            Some(Token::new("t", FINE).fate(Fate::SeesNoRepository)),
            FINE,
            "404: this fine-grained token has no access to the repository",
            FINE_LIST,
        ),
        cause(
            "not found",
            hub,
            Some(classic().fate(Fate::SeesNoRepository)),
            CLASSIC,
            "404: there is no such repository",
            SIGNED_IN,
        ),
        cause(
            "not found at GitLab",
            lab,
            Some(gitlab().fate(Fate::SeesNoRepository)),
            GITLAB,
            "404: there is no such repository",
            SIGNED_IN,
        ),
        cause(
            "retired",
            Speaks::Bitbucket,
            Some(Token::new("t", "plain-old").fate(Fate::Retired)),
            "plain-old",
            "app passwords were removed",
            LOGIN,
        ),
        cause(
            "app password by its beginning",
            Speaks::Bitbucket,
            None,
            "ATBB0123",
            "wrong kind: an app password",
            LOGIN,
        ),
        cause(
            "nothing kept",
            hub,
            None,
            "",
            "nothing is kept",
            "git credential-pat login https://HOST",
        ),
    ]
}

#[test]
fn every_cause_has_its_command() {
    for cause in causes() {
        let work = Work::without_lookups(cause.speaks);
        if !cause.kept.is_empty() {
            work.store("alice", cause.kept);
        }
        if let Some(token) = cause.token {
            work.forge.issue(token);
        }
        let host = work.forge.host();
        let (output, json) = doctor(&work, &work.forge.repository());
        let found = of_outcome(&json, cause.outcome);
        let hit = found.iter().find(|(says, _)| says.contains(cause.says));
        let (_, remedy) = hit.unwrap_or_else(|| panic!("{}: {}", cause.name, output.text()));
        assert_eq!(
            *remedy,
            cause.remedy.replace("HOST", &host),
            "{}",
            cause.name
        );
        let problems = of_outcome(&json, "problem").len();
        let expected = usize::from(cause.outcome == "problem");
        assert_eq!(
            problems, expected,
            "one cause, no more: {}: {output:?}",
            cause.name
        );
    }
}

#[test]
fn nothing_is_in_the_way() {
    for (speaks, secret) in [
        (Speaks::GitHub, CLASSIC),
        (Speaks::GitLab, GITLAB),
        (Speaks::Gitea, PLAIN),
    ] {
        let work = Work::without_lookups(speaks);
        work.store("alice", secret);
        work.forge
            .issue(Token::new("t", secret).ends(midnight_in_days(100)));
        let (output, json) = doctor(&work, &work.forge.repository());
        assert_eq!(of_outcome(&json, "problem"), [], "{output:?}");
        assert!(
            output.text().contains("git may fetch and push"),
            "{output:?}"
        );
        // Without a path the git endpoint is not asked.
        let (output, _) = doctor(&work, &work.forge.url());
        assert!(
            output.text().contains("whole URL of a repository"),
            "{output:?}"
        );
    }
}

#[test]
fn an_end_that_has_passed_here_is_cause_enough() {
    let work = Work::without_lookups(Speaks::Gitea);
    work.store("alice", PLAIN);
    let url = work.forge.url();
    work.ask(&format!("expires {url} 2020-01-01"), b"")
        .succeeded();
    let (output, json) = doctor(&work, &work.forge.repository());
    assert_eq!(of_outcome(&json, "problem").len(), 1, "{output:?}");
    assert!(output.text().contains("expired on"), "{output:?}");
    assert_eq!(work.forge.record().len(), 0, "nobody was asked");
}

#[test]
fn an_ssh_url_takes_no_token() {
    let work = Work::without_lookups(Speaks::GitHub);
    work.git(&["init", "-q"]).succeeded();
    work.git(&["remote", "add", "upstream", "git@localhost:acme/r.git"])
        .succeeded();
    // A remote is named only where one leads there, however it is written.
    let upstream = "git remote set-url upstream https://localhost/acme/r.git";
    let elsewhere = "use https://localhost/acme/other.git in its place";
    for (url, expected) in [
        ("git@localhost:acme/r.git", upstream),
        ("ssh://git@localhost:22/acme/r", upstream),
        ("git@localhost:acme/other.git", elsewhere),
        ("ssh://git@localhost:22/acme/other.git", elsewhere),
    ] {
        let (output, json) = doctor(&work, url);
        let problems = of_outcome(&json, "problem");
        assert_eq!(problems.len(), 1, "{output:?}");
        assert_eq!(problems[0].1, expected);
        assert!(!output.text().contains("origin"), "{output:?}");
    }
    // The remote of the repository one is in, when its host is asked about.
    work.store("alice", CLASSIC);
    work.forge.issue(Token::new("t", CLASSIC));
    let (output, json) = doctor(&work, &work.forge.repository());
    let problems = of_outcome(&json, "problem");
    assert_eq!(problems.len(), 1, "{output:?}");
    assert_eq!(
        problems[0].1,
        "git remote set-url upstream https://localhost/acme/r.git"
    );
}

/// The same remote is the same problem, whether it is named or one is in its repository.
#[test]
fn an_ssh_remote_is_a_problem_without_a_url_too() {
    let work = Work::without_lookups(Speaks::GitHub);
    work.git(&["init", "-q"]).succeeded();
    let ssh = "git@localhost:acme/r.git";
    let about_remotes = |url: &str| {
        let (output, json) = doctor(&work, url);
        let all = json.as_array().unwrap().iter();
        let all = all.filter(|finding| finding["title"] == "remote");
        let all: Vec<Value> = all.cloned().collect();
        (output.status.code(), all)
    };
    let (_, none) = about_remotes("");
    assert!(none.is_empty(), "{none:?}");
    work.git(&["remote", "add", "origin", ssh]).succeeded();
    let (status, of_repository) = about_remotes("");
    let (other_status, of_url) = about_remotes(ssh);
    assert_eq!((status, other_status), (Some(1), Some(1)));
    assert_eq!(of_repository, of_url);
    assert_eq!(of_url[0]["outcome"], "problem");
}

#[test]
fn another_helper_that_answers_first() {
    let work = Work::without_lookups(Speaks::GitHub);
    work.store("alice", CLASSIC);
    work.forge.issue(Token::new("t", CLASSIC));
    let helper = work.sandbox.path("other-helper");
    fs::write(
        &helper,
        "#!/bin/sh\nif [ \"$1\" = get ]; then echo username=bob; echo password=tok-stale; fi\n",
    )
    .unwrap();
    fs::set_permissions(&helper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let settings = fs::read_to_string(work.sandbox.path("gitconfig")).unwrap();
    let first = format!("[credential]\n\thelper = {}\n", helper.display());
    fs::write(work.sandbox.path("gitconfig"), format!("{first}{settings}")).unwrap();
    let (output, json) = doctor(&work, &work.forge.repository());
    let problems = of_outcome(&json, "problem");
    assert_eq!(problems.len(), 1, "{output:?}");
    assert!(
        problems[0]
            .0
            .contains("before this helper, and gets another secret"),
        "{output:?}"
    );
    assert_eq!(
        problems[0].1,
        "git credential-pat setup --storage file --replace"
    );
    assert!(!output.text().contains("tok-stale"), "{output:?}");
    // One that does not know is worth a note only.
    fs::write(&helper, "#!/bin/sh\nexit 0\n").unwrap();
    let (output, json) = doctor(&work, &work.forge.repository());
    assert_eq!(of_outcome(&json, "problem"), [], "{output:?}");
    // Whoever comes after gets to keep a copy: each is named.
    let more = "[credential]\n\thelper = cache\n\thelper = store\n";
    fs::write(work.sandbox.path("gitconfig"), format!("{settings}{more}")).unwrap();
    let (output, json) = doctor(&work, "");
    let notes = of_outcome(&json, "note");
    for name in ["git asks 'cache'", "git asks 'store'"] {
        assert!(
            notes.iter().any(|(says, _)| says.contains(name)),
            "{output:?}"
        );
    }
}

/// Whoever wrote the repository would have it run by whoever asks what is wrong with it.
#[test]
fn a_repositorys_helper_is_told_and_not_run() {
    let work = Work::without_lookups(Speaks::GitHub);
    work.store("alice", CLASSIC);
    work.forge.issue(Token::new("t", CLASSIC));
    process::run(&mut work.sandbox.git(&["init", "--quiet"]), b"").succeeded();
    let ran = work.sandbox.path("ran");
    let lines = format!(
        "[credential]\n\thelper =\n\thelper = \"!touch {} ; :\"\n\thelper = {}\n",
        ran.display(),
        crate::sandbox::PROGRAM
    );
    let config = work.sandbox.path("work/.git/config");
    let settings = fs::read_to_string(&config).unwrap();
    fs::write(&config, settings + &lines).unwrap();
    let (output, json) = doctor(&work, &work.forge.repository());
    let notes = of_outcome(&json, "note");
    let is_told = |says: &str| {
        says.contains("git asks 'a shell command (!touch…)' (local, ")
            && says.contains("its answer counts")
    };
    assert!(notes.iter().any(|(says, _)| is_told(says)), "{output:?}");
    assert!(!ran.exists(), "{output:?}");
}

#[test]
fn git_does_not_ask_us() {
    let work = Work::without_lookups(Speaks::GitHub);
    let alone = "[user]\n\tname = Tester\n";
    fs::write(work.sandbox.path("gitconfig"), alone).unwrap();
    let (output, json) = doctor(&work, "");
    assert_eq!(
        of_outcome(&json, "problem"),
        [(
            "git does not ask this helper".to_owned(),
            "git credential-pat setup".to_owned()
        )],
        "{output:?}"
    );
    let gone = "[credential]\n\thelper = /no/such/git-credential-pat\n";
    fs::write(work.sandbox.path("gitconfig"), gone).unwrap();
    let (output, json) = doctor(&work, "");
    let problems = of_outcome(&json, "problem");
    assert!(
        problems.len() == 1 && problems[0].0.contains("is no program"),
        "{output:?}"
    );
}

#[test]
fn a_token_in_the_environment_is_named_and_not_shown() {
    let work = Work::without_lookups(Speaks::GitHub);
    work.store("alice", CLASSIC);
    work.forge
        .issue(Token::new("t", CLASSIC).ends(in_days(100)));
    let run = |words: &str| {
        let mut command = work.command(words);
        command.env("GITHUB_TOKEN", "ghp_stale-and-secret");
        process::run(&mut command, b"")
    };
    let words = format!("doctor {}", work.forge.repository());
    let output = run(&words);
    assert!(output.text().contains("GITHUB_TOKEN is set"), "{output:?}");
    assert!(output.text().contains("unset GITHUB_TOKEN"), "{output:?}");
    assert!(
        !format!("{output:?}").contains("stale-and-secret"),
        "{output:?}"
    );
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    // A helper that reads it makes it the answer.
    work.sandbox
        .configure_git("[credential]\n\thelper = !/usr/bin/gh auth git-credential\n");
    let output = run(&words);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn what_is_wrong_on_this_side() {
    let work = Work::without_lookups(Speaks::GitHub);
    work.store("alice", CLASSIC);
    let file = work.sandbox.path("data/git-credential-pat/credentials");
    let kept = fs::read(&file).unwrap();
    fs::write(&file, [&kept[..], b"garbage=\x00\n\n"].concat()).unwrap();
    let (output, json) = doctor(&work, "");
    assert!(
        of_outcome(&json, "problem")
            .iter()
            .any(|(says, _)| says.contains("are no entries")),
        "{output:?}"
    );
    fs::write(&file, &kept).unwrap();
    fs::create_dir(work.sandbox.path("data/.git")).unwrap();
    let (output, json) = doctor(&work, "");
    assert!(
        of_outcome(&json, "problem")
            .iter()
            .any(|(says, _)| says.contains("lies in the work tree")),
        "{output:?}"
    );
    fs::remove_dir(work.sandbox.path("data/.git")).unwrap();
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let (output, json) = doctor(&work, "");
    let problems = of_outcome(&json, "problem");
    assert!(
        problems
            .iter()
            .any(|(_, remedy)| remedy.contains("chmod 600")),
        "{output:?}"
    );
    let settings = work.sandbox.path("config/git-credential-pat/config.toml");
    fs::write(settings, "no_such = 1\n").unwrap();
    let (output, json) = doctor(&work, "");
    assert!(
        of_outcome(&json, "problem")
            .iter()
            .any(|(says, _)| says.contains("no_such")),
        "{output:?}"
    );
}

#[test]
fn the_token_goes_to_its_own_host_only_and_nothing_raw_to_the_terminal() {
    let work = Work::without_lookups(Speaks::GitHub);
    work.store("alice", CLASSIC);
    work.forge.issue(Token::new("t", CLASSIC));
    let elsewhere = Elsewhere::start(&work.sandbox);
    let place = format!("https://localhost:{}/", elsewhere.port());
    work.forge.answer(Manner::Redirect(302, place));
    doctor(&work, &work.forge.repository());
    assert_eq!(elsewhere.connections(), 0);
    let evil = "required; url=https://evil.test/\u{1b}[2J\u{9b}1m\u{202e}";
    work.forge.answer(Manner::Headers(vec![(
        "X-GitHub-SSO".to_owned(),
        evil.as_bytes().to_vec(),
    )]));
    // A link that leads elsewhere is none.
    let blocked = work.forge.tokens()[0].clone().fate(Fate::NeedsSso);
    work.forge.change("t", |token| *token = blocked);
    let elsewhere = "required; url=https://evil.test/orgs/acme/sso?authorization_request=A";
    for header in [evil, elsewhere] {
        let header = ("X-GitHub-SSO".to_owned(), header.as_bytes().to_vec());
        work.forge.answer(Manner::Headers(vec![header]));
        let (output, _) = doctor(&work, &work.forge.repository());
        assert!(output.text().contains("single sign-on"), "{output:?}");
        assert!(!output.text().contains("evil.test"), "{output:?}");
    }
    let url = format!("{}/a%1b[2Jb", work.forge.url());
    for url in [url, work.forge.repository()] {
        let output = work.ask(&format!("doctor {url}"), b"");
        assert!(
            !output.text().contains(['\u{1b}', '\u{9b}', '\u{202e}']),
            "{output:?}"
        );
    }
}

#[test]
fn an_ssh_url_outside_of_a_repository() {
    let work = Work::without_lookups(Speaks::GitHub);
    for url in ["git@localhost:acme/r.git", "ssh://localhost/acme/r.git"] {
        let (output, json) = doctor(&work, url);
        let problems = of_outcome(&json, "problem");
        assert_eq!(problems.len(), 1, "{output:?}");
        assert_eq!(
            problems[0].1,
            "use https://localhost/acme/r.git in its place"
        );
        let text = output.text();
        assert!(
            !text.contains("origin") && !text.contains("set-url"),
            "{text}"
        );
    }
}

/// git that hands the token to whoever answers.
#[test]
fn git_that_checks_no_certificate() {
    let work = Work::without_lookups(Speaks::GitHub);
    work.store("alice", CLASSIC);
    work.forge.issue(Token::new("t", CLASSIC));
    work.git(&["init", "-q"]).succeeded();
    let host = work.forge.host();
    let url = work.forge.repository();
    let global = work.sandbox.path("gitconfig").display().to_string();
    let own = "where the certificate is your own, name its authority in http.sslCAInfo";
    let of_host = format!("http.https://{host}.sslVerify");
    for (place, key, remedy) in [
        (
            "--global",
            "http.sslVerify",
            format!("git config --file {global} --unset-all http.sslverify; {own}"),
        ),
        (
            "--local",
            "http.sslVerify",
            format!("git config --local --unset-all http.sslverify; {own}"),
        ),
        (
            "--global",
            &of_host,
            format!("git config --file {global} --unset-all http.https://{host}.sslverify; {own}"),
        ),
    ] {
        work.git(&["config", place, key, "false"]).succeeded();
        let (output, json) = doctor(&work, &url);
        let problems = of_outcome(&json, "problem");
        assert_eq!(problems.len(), 1, "{output:?}");
        assert!(problems[0].0.contains("can take the token"), "{output:?}");
        assert_eq!(problems[0].1, remedy);
        // Another host is none of its concern where it is for this one.
        let output = work.ask("doctor https://other.test", b"");
        let is_told = output.text().contains("can take the token");
        assert_eq!(is_told, key == "http.sslVerify", "{output:?}");
        // What is told to be done helps.
        let command = remedy.split("; ").next().unwrap();
        let words: Vec<&str> = command.split(' ').skip(1).collect();
        work.git(&words).succeeded();
        let (output, json) = doctor(&work, &url);
        assert_eq!(of_outcome(&json, "problem"), [], "{output:?}");
    }
    // The more special setting counts.
    work.git(&["config", "--global", "http.sslVerify", "false"])
        .succeeded();
    work.git(&["config", "--global", &of_host, "true"])
        .succeeded();
    let (output, json) = doctor(&work, &url);
    assert_eq!(of_outcome(&json, "problem"), [], "{output:?}");
    // By the environment git takes anything, and we still do not.
    let mut command = work.command(&format!("doctor {url}"));
    command.env("GIT_SSL_NO_VERIFY", "0");
    let output = process::run(&mut command, b"");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        output.text().contains("unset GIT_SSL_NO_VERIFY"),
        "{output:?}"
    );
    work.forge.show(&work.sandbox, Certificate::Stranger);
    let asked = work.forge.asked().len();
    let mut command = work.command("check");
    command.env("GIT_SSL_NO_VERIFY", "1");
    let checked = process::run(&mut command, b"");
    assert_eq!(checked.status.code(), Some(5), "{checked:?}");
    assert_eq!(work.forge.asked().len(), asked);
}

#[test]
fn the_schema_wants_a_remedy_for_every_problem() {
    let work = Work::without_lookups(Speaks::GitHub);
    for storage in ["memory", "keychain", "memory,file"] {
        let mut command = work.trusting(work.sandbox.helper("doctor --json"));
        command.args(["--storage", storage]);
        let output = process::run(&mut command, b"");
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(faults(&of("doctor"), &json), [""; 0], "{json:#}");
    }
    let of_one = |outcome: &str, remedy: Value| {
        let found = json!([{"title": "git", "outcome": outcome, "says": "x", "remedy": remedy}]);
        faults(&of("doctor"), &found).len()
    };
    assert_eq!(of_one("problem", json!("git --version")), 0);
    assert_eq!(of_one("note", Value::Null), 0);
    assert!(of_one("problem", Value::Null) > 0);
    assert!(of_one("worse", Value::Null) > 0);
    assert!(!faults(&of("doctor"), &json!([])).is_empty());
}

/// For people and for machines: both end alike, and neither tells a secret.
#[track_caller]
pub(super) fn doctor(work: &Work, url: &str) -> (Output, Value) {
    let output = work.ask(&format!("doctor {url}"), b"");
    let machine = work.ask(&format!("doctor {url} --json"), b"");
    assert_eq!(output.status, machine.status, "{output:?} {machine:?}");
    for shown in [&output, &machine] {
        for token in work.forge.tokens() {
            assert!(!format!("{shown:?}").contains(&token.secret), "{shown:?}");
        }
    }
    let json: Value = serde_json::from_slice(&machine.stdout)
        .unwrap_or_else(|error| panic!("{error}: {machine:?}"));
    assert_eq!(faults(&of("doctor"), &json), [""; 0], "{json:#}");
    let is_ill = !of_outcome(&json, "problem").is_empty();
    assert_eq!(output.status.code(), Some(i32::from(is_ill)), "{output:?}");
    (output, json)
}

/// What is said, and what to do.
pub(super) fn of_outcome(json: &Value, outcome: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = json.as_array().unwrap().iter();
    all.filter(|found| found["outcome"] == outcome)
        .map(|found| (text(&found["says"]), text(&found["remedy"])))
        .collect()
}
