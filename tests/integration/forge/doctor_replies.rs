//! `doctor URL`: what answers in the place of git's server, what a refusal means, and tokens in the environment.

use super::doctor::{doctor, of_outcome};
use super::http::Response;
use super::work::{Work, in_days};
use super::{Manner, Speaks, Token};
use crate::process;

const CLASSIC: &str = "ghp_classic0123456789";
const FINE: &str = "github_pat_fine0123456789";

const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// The only problem, and what to do about it.
#[track_caller]
fn only_problem(work: &Work) -> (String, String) {
    let (output, json) = doctor(work, &work.forge.repository());
    assert!(
        !output.text().contains("git may fetch and push"),
        "{output:?}"
    );
    let problems = of_outcome(&json, "problem");
    assert_eq!(problems.len(), 1, "{output:?}");
    problems.into_iter().next().unwrap()
}

fn git_gets(work: &Work, status: u16, headers: &[(&'static str, &str)], body: &str) {
    let mut response = Response::new(status);
    response.body = body.as_bytes().to_vec();
    for (name, value) in headers {
        response = response.with(name, *value);
    }
    work.forge.set(|state| state.git_gets = Some(response));
}

#[test]
fn a_page_in_the_place_of_git_is_no_repository() {
    let work = Work::keeping(Speaks::GitHub, Token::new("t", CLASSIC));
    let kind = |kind| ("Content-Type", kind);
    let to = |place| ("Location", place);
    let advertisement = "application/x-git-upload-pack-advertisement";
    for (status, headers, body, says) in [
        (
            200,
            &[kind(HTML)][..],
            "<title>Sign in</title>",
            "200: a page to sign in",
        ),
        (
            200,
            &[kind(HTML)],
            "<form action=/saml>",
            "200: a page of single sign-on",
        ),
        (
            200,
            &[kind(HTML)],
            "Blocked by the proxy",
            "200: a page of a proxy or a firewall",
        ),
        (200, &[kind(HTML)], "Welcome", "200: a web page"),
        (
            200,
            &[kind("application/json")],
            "{}",
            "200: something that is not git",
        ),
        (
            200,
            &[kind(advertisement)],
            "<html>",
            "200: something that is not git",
        ),
        (200, &[], "", "200: something that is not git"),
        (
            302,
            &[to("https://sso.corp.test/auth?x")],
            "",
            "302: a page of single sign-on (at sso.corp.test)",
        ),
        (302, &[to("/users/sign_in")], "", "302: a page to sign in"),
        (401, &[kind(HTML)], "<p>Log in", "401: a page to sign in"),
        (
            403,
            &[kind(HTML)],
            "Cloudflare",
            "403: a page of a proxy or a firewall",
        ),
    ] {
        git_gets(&work, status, headers, body);
        let (said, remedy) = only_problem(&work);
        assert!(said.starts_with(says), "{status} {body}: {said}");
        assert!(said.contains("says nothing about the token"), "{said}");
        assert!(remedy.starts_with("curl -v "), "{remedy}");
    }
    // One that is moved is elsewhere, and no page.
    git_gets(&work, 301, &[to("https://new.test/r.git/info/refs")], "");
    assert!(only_problem(&work).0.contains("has moved"));
}

#[test]
fn a_403_is_told_by_what_the_server_says() {
    let work = Work::keeping(Speaks::GitHub, Token::new("t", CLASSIC));
    for (body, says, remedy) in [
        (
            "Your account is suspended.",
            "the account is suspended",
            "ask the forge's support",
        ),
        (
            "This repository was archived so it is read-only.",
            "is archived",
            "unarchive",
        ),
        (
            "The 'acme' organization has an IP allow list enabled",
            "IP allow list",
            "use a network",
        ),
        (
            "You have exceeded a secondary rate limit",
            "limits requests for now",
            "try again",
        ),
        (
            "Repository access blocked",
            "has disabled the repository",
            "ask the forge's support",
        ),
        (
            "Permission to acme/r.git denied to alice.",
            "the token has the scope 'repo', but its owner has no such access to the repository; it says: \"Permission to acme/r.git denied to alice.\"",
            "ask an owner of the repository",
        ),
    ] {
        git_gets(&work, 403, &[("Content-Type", TEXT)], body);
        let (said, todo) = only_problem(&work);
        assert!(
            said.starts_with("403: ") && said.contains(says),
            "{body}: {said}"
        );
        assert!(!said.contains("lacks"), "{body}: {said}");
        assert!(
            todo.starts_with(remedy) || todo.contains(remedy),
            "{body}: {todo}"
        );
    }
    // A server that repeats what it got is not quoted.
    git_gets(
        &work,
        403,
        &[("Content-Type", TEXT)],
        &format!("no {CLASSIC}"),
    );
    assert!(!only_problem(&work).0.contains("it says"));
    // GitHub does not tell the permissions of a fine-grained token.
    let work = Work::keeping(Speaks::GitHub, Token::new("t", FINE));
    git_gets(
        &work,
        403,
        &[("Content-Type", TEXT)],
        "Write access to repository not granted.",
    );
    let (said, _) = only_problem(&work);
    assert!(
        said.contains("the permission 'Contents: read and write'"),
        "{said}"
    );
}

#[test]
fn a_410_of_an_api_token_is_not_about_app_passwords() {
    for (secret, is_app_password) in [
        ("ATATT0123456789", false),
        ("ATCTT0123456789", false),
        ("plain-old", true),
    ] {
        let work = Work::keeping(Speaks::Bitbucket, Token::new("t", secret));
        git_gets(&work, 410, &[("Content-Type", TEXT)], "Gone.");
        let (said, remedy) = only_problem(&work);
        assert_eq!(
            said.contains("app password"),
            is_app_password,
            "{secret}: {said}"
        );
        let is_login = remedy.starts_with("git credential-pat login");
        assert_eq!(is_login, is_app_password, "{secret}: {remedy}");
    }
}

#[test]
fn a_stale_token_in_the_environment_is_told_from_a_good_one() {
    let work = Work::keeping(Speaks::GitHub, Token::new("t", CLASSIC));
    work.forge
        .issue(Token::new("other", "ghp_other0123456789").ends(in_days(9)));
    let doctor = |name: &str, value: &str, url: &str| {
        let mut command = work.command(&format!("doctor {url}"));
        command
            .env(name, value)
            .env("GITHUB_SERVER_URL", work.forge.url());
        let output = process::run(&mut command, b"");
        assert!(!format!("{output:?}").contains(value), "{output:?}");
        output
    };
    let url = work.forge.repository();
    for name in ["GITHUB_TOKEN", "GH_TOKEN", "GH_ENTERPRISE_TOKEN"] {
        let good = doctor(name, "ghp_other0123456789", &url);
        let said = format!("{name} is set, and GitHub accepts the token in it");
        assert!(good.text().contains(&said), "{good:?}");
        let stale = doctor(name, "ghp_stale0123456789", &url);
        let said = format!("{name} is set, and GitHub rejects the token in it");
        assert!(stale.text().contains(&said), "{stale:?}");
    }
    work.forge.answer(Manner::Status(503));
    let silent = doctor("GH_TOKEN", "ghp_other0123456789", &url);
    assert!(
        silent.text().contains("does not tell whether"),
        "{silent:?}"
    );
    work.forge.answer(Manner::Honest);
    // No forge is asked without a URL, nor at a host of another or an unknown forge.
    let before = work.forge.record().len();
    let asked_without = doctor("GITHUB_TOKEN", "ghp_other0123456789", "");
    assert!(
        asked_without.text().contains("doctor URL' asks"),
        "{asked_without:?}"
    );
    assert_eq!(work.forge.record().len(), before);
    let secrets = |name: &str| {
        let asked = work.forge.asked().into_iter();
        asked.filter(|(_, _, token)| token == name).count()
    };
    let before = secrets("other");
    doctor("GITLAB_TOKEN", "ghp_other0123456789", &url);
    assert_eq!(secrets("other"), before);
}

/// gh gives these to github.com alone.
#[test]
fn a_token_for_github_com_goes_to_no_enterprise_server() {
    let work = Work::keeping(Speaks::GitHub, Token::new("t", CLASSIC));
    work.forge
        .issue(Token::new("other", "ghp_other0123456789").ends(in_days(9)));
    for name in ["GITHUB_TOKEN", "GH_TOKEN"] {
        let mut command = work.command(&format!("doctor {}", work.forge.url()));
        let said = process::run(command.env(name, "ghp_other0123456789"), b"");
        assert!(said.text().contains(&format!("{name} is set:")), "{said:?}");
    }
    let mut asked = work.forge.asked().into_iter();
    assert!(asked.all(|(_, _, token)| token != "other"));
}

/// A token for github.com is not sent to another host by its look alone.
#[test]
fn a_token_in_the_environment_goes_to_no_unknown_host() {
    let work = Work::without_lookups(Speaks::GitHub);
    let rules = work.sandbox.path("config/git-credential-pat/config.toml");
    std::fs::write(rules, "[lookup]\nenabled = false\n").unwrap();
    work.store("alice", CLASSIC);
    work.forge.issue(Token::new("t", CLASSIC));
    work.forge.issue(Token::new("other", "ghp_other0123456789"));
    let mut command = work.command(&format!("doctor {}", work.forge.repository()));
    command.env("GITHUB_TOKEN", "ghp_other0123456789");
    process::run(&mut command, b"");
    let asked = work.forge.asked();
    assert!(
        asked.iter().all(|(_, _, token)| token != "other"),
        "{asked:?}"
    );
}
