//! `doctor` and `setup`: what stops git comes first, and what git accepts is not blamed.

use std::fs;

use super::doctor::{doctor, of_outcome};
use super::work::Work;
use super::{Certificate, Speaks, Token};
use crate::process::{self, Output};
use crate::sandbox::{PROGRAM, Sandbox};

const CLASSIC: &str = "ghp_classic0123456789";

/// What is said of every problem.
fn problems(output: &Output) -> Vec<String> {
    let text = output.text();
    let lines = text.lines().filter_map(|line| line.strip_prefix("problem"));
    lines.map(|line| line.trim().to_owned()).collect()
}

/// `openssl req -x509` makes such a certificate, and git accepts it.
#[test]
fn an_authoritys_own_certificate_is_not_blamed_for_a_wrong_token() {
    let work = Work::without_lookups(Speaks::GitHub);
    work.store("alice", CLASSIC);
    work.forge.show(&work.sandbox, Certificate::OwnAuthority);
    let own = work.forge.own_authority();
    let run = |words: &str| {
        let mut command = work.command(words);
        command.env("GIT_SSL_CAINFO", &own);
        process::run(&mut command, b"")
    };
    let words = format!("doctor {}", work.forge.repository());
    let output = run(&words);
    let [problem] = &problems(&output)[..] else {
        panic!("{output:?}");
    };
    assert!(problem.contains("rejects the token"), "{output:?}");
    work.forge.issue(Token::new("t", CLASSIC));
    assert_eq!(problems(&run(&words)), [""; 0]);
}

/// Settings that stop look-ups, and not git.
#[test]
fn a_look_up_that_fails_is_no_problem_where_git_gets_through() {
    let work = Work::keeping(Speaks::GitHub, Token::new("t", CLASSIC));
    work.git(&["config", "--global", "http.sslVersion", "tlsv9"])
        .succeeded();
    for url in [work.forge.url(), work.forge.repository()] {
        let (output, json) = doctor(&work, &url);
        assert_eq!(of_outcome(&json, "problem"), [], "{output:?}");
        let notes = of_outcome(&json, "note");
        let is_said = |(says, remedy): &(String, String)| {
            says.contains("http.sslVersion has a value") && remedy.contains("sslversion")
        };
        assert!(notes.iter().any(is_said), "{output:?}");
    }
    // git stops as well.
    work.git(&["config", "--global", "http.sslCert", "/no/such/file"])
        .succeeded();
    let (output, json) = doctor(&work, &work.forge.repository());
    assert_eq!(of_outcome(&json, "problem").len(), 1, "{output:?}");
    let asked = work.forge.asked();
    assert!(
        asked.iter().all(|(_, _, token)| token == "nobody"),
        "{asked:?}"
    );
}

#[test]
fn unchecked_certificates_are_told_without_a_url() {
    let work = Work::without_lookups(Speaks::GitHub);
    let of_host = format!("http.{}.sslVerify", work.forge.url());
    for (key, value, is_told) in [
        ("http.sslVerify", "false", true),
        ("http.sslVerify", "0", true),
        (&of_host, "false", true),
        (&of_host, "true", false),
    ] {
        work.git(&["config", "--global", key, value]).succeeded();
        let (output, json) = doctor(&work, "");
        let problems = of_outcome(&json, "problem");
        let told = problems
            .iter()
            .any(|(says, _)| says.contains("can take the token"));
        assert_eq!(told, is_told, "{key}={value}: {output:?}");
        assert_eq!(problems.len(), usize::from(is_told), "{output:?}");
        work.git(&["config", "--global", "--unset", key])
            .succeeded();
    }
}

#[test]
fn a_locked_keyring_is_in_the_way_under_auto() {
    let mut sandbox = Sandbox::new();
    sandbox.configure_git(&format!("[credential]\n\thelper = {PROGRAM}\n"));
    sandbox.start_keyring();
    let before = sandbox.ask("doctor", b"");
    assert_eq!(problems(&before), [""; 0], "{before:?}");
    sandbox.lock_keyring();
    let locked = sandbox.ask("doctor", b"");
    let [problem] = &problems(&locked)[..] else {
        panic!("{locked:?}");
    };
    assert!(problem.contains("locked"), "{locked:?}");
    assert_eq!(locked.status.code(), Some(1));
}

#[test]
fn a_configuration_that_git_stops_at_is_the_first_problem() {
    let work = Work::keeping(Speaks::GitHub, Token::new("t", CLASSIC));
    for url in [String::new(), work.forge.repository()] {
        fs::write(work.sandbox.path("gitconfig"), "[credential\n").unwrap();
        assert!(!work.git(&["config", "--list"]).status.success());
        let (output, json) = doctor(&work, &url);
        let problems = of_outcome(&json, "problem");
        assert!(problems[0].0.contains("bad config line 1"), "{output:?}");
        assert!(
            !output.text().contains("does not ask this helper"),
            "{output:?}"
        );
    }
    let setup = work.ask("setup", b"");
    assert_eq!(setup.status.code(), Some(1), "{setup:?}");
    assert!(setup.stderr.contains("bad config line 1"), "{setup:?}");
}

/// Whether git calls this helper, by its own trace of what it runs.
fn git_calls_us(sandbox: &Sandbox, more: &[(&str, &str)]) -> bool {
    let mut git = sandbox.git(&["credential", "fill"]);
    git.env("GIT_TRACE", "1").envs(more.iter().copied());
    let filled = process::run(&mut git, b"protocol=https\nhost=one.test\n\n");
    filled.stderr.contains("git-credential-pat")
}

/// Where an empty value stands behind our line, and whether `setup` can get past it.
#[test]
fn an_empty_value_behind_our_line_is_seen() {
    let command = [
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "credential.helper"),
        ("GIT_CONFIG_VALUE_0", ""),
    ];
    let own = format!("[credential]\n\thelper = {PROGRAM} --storage file\n");
    let reset = "[credential]\n\thelper =\n";
    for (name, behind, more, can_setup) in [
        ("the same section", "\thelper =\n", &[][..], true),
        ("the same file", reset, &[], true),
        (
            "with another helper",
            "\thelper =\n\thelper = store\n",
            &[],
            true,
        ),
        ("an included file", "[include]\n\tpath = more\n", &[], false),
        (
            "a URL's section",
            "[credential \"https://one.test\"]\n\thelper =\n",
            &[],
            true,
        ),
        (
            "a pattern's section",
            "[credential \"https://*.test\"]\n\thelper =\n",
            &[],
            true,
        ),
        (
            "a host's section",
            "[credential \"one.test\"]\n\thelper =\n",
            &[],
            true,
        ),
        (
            "a protocol's section",
            "[credential \"https://\"]\n\thelper =\n",
            &[],
            true,
        ),
        (
            "a section with the usual port",
            "[credential \"https://ONE.test:443/\"]\n\thelper =\n",
            &[],
            true,
        ),
        ("the environment", "", &command, false),
    ] {
        let sandbox = Sandbox::new();
        fs::write(sandbox.path("more"), reset).unwrap();
        sandbox.configure_git(&format!("{own}{behind}"));
        assert!(!git_calls_us(&sandbox, more), "{name}");
        let run = |words: &str| {
            let mut helper = sandbox.helper(words);
            process::run(helper.envs(more.iter().copied()), b"")
        };
        for words in ["doctor", "doctor https://one.test"] {
            let said = run(words);
            assert_eq!(said.status.code(), Some(1), "{name}: {said:?}");
            let problem = &problems(&said)[0];
            let reason = "git does not ask this helper: an empty value";
            assert!(problem.contains(reason), "{name}: {said:?}");
        }
        let url = if behind.contains("[credential \"") {
            "https://one.test"
        } else {
            ""
        };
        let set = run(&format!("--storage file setup {url}"));
        assert_eq!(set.status.success(), can_setup, "{name}: {set:?}");
        assert!(!set.text().contains("already"), "{name}: {set:?}");
        assert_eq!(git_calls_us(&sandbox, more), can_setup, "{name}: {set:?}");
        if can_setup {
            let again = run(&format!("--storage file setup {url}")).succeeded();
            assert!(again.text().contains("already"), "{name}: {again:?}");
        } else {
            assert!(
                set.stderr.contains("hint: take credential.helper out of"),
                "{set:?}"
            );
        }
    }
}

/// A person's own setting stays, and is told.
#[test]
fn setup_tells_of_a_url_where_git_still_does_not_ask() {
    let sandbox = Sandbox::new();
    sandbox.configure_git("[credential]\n\thelper = cache\n");
    sandbox.ask("setup", b"").succeeded();
    sandbox.configure_git("[credential \"https://one.test\"]\n\thelper =\n");
    let said = sandbox.ask("setup", b"").succeeded();
    assert!(
        said.stderr.contains("credential.https://one.test.helper"),
        "{said:?}"
    );
}

#[test]
fn our_line_for_a_pattern_is_seen() {
    for context in ["https://*.test", "one.test", "https://one.test:443"] {
        let sandbox = Sandbox::new();
        sandbox.configure_git(&format!(
            "[credential \"{context}\"]\n\thelper = {PROGRAM} --storage file\n"
        ));
        assert!(git_calls_us(&sandbox, &[]), "{context}");
        let said = sandbox.ask("doctor https://one.test", b"");
        assert!(
            said.text().contains("git asks this helper first"),
            "{context}: {said:?}"
        );
    }
}
