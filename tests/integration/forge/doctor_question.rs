//! `doctor`: that what git would really be given is what is looked at, and that what git goes by is read as git reads it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::thread;

use serde_json::Value;

use super::doctor::{doctor, of_outcome};
use super::work::Work;
use super::{Fate, Manner, Speaks, Token};
use crate::git;
use crate::process::{self, Output};

const CLASSIC: &str = "ghp_classic0123456789";
const FINE: &str = "github_pat_fine0123456789";

/// The only problem, and what to do about it.
#[track_caller]
fn only_problem(work: &Work, url: &str) -> (String, String) {
    let (output, json) = doctor(work, url);
    let problems = of_outcome(&json, "problem");
    assert_eq!(problems.len(), 1, "{output:?}");
    problems.into_iter().next().unwrap()
}

#[track_caller]
fn is_well(work: &Work, url: &str) {
    let (output, json) = doctor(work, url);
    assert_eq!(of_outcome(&json, "problem"), [], "{output:?}");
}

/// Carries out a remedy that is a `login`.
#[track_caller]
fn log_in(work: &Work, remedy: &str, more: &str, secret: &str) -> Output {
    let words = remedy.strip_prefix("git credential-pat ");
    let words = words.unwrap_or_else(|| panic!("{remedy}"));
    let line = format!("{words} --with-token {more}");
    work.ask(line.trim_end(), secret.as_bytes()).succeeded()
}

/// A token for the whole host, and git asks with the path.
#[test]
fn a_token_that_git_is_not_given_is_as_good_as_none() {
    let work = Work::without_lookups(Speaks::GitHub);
    work.store("alice", CLASSIC);
    work.forge.issue(Token::new("t", CLASSIC));
    let url = work.forge.repository();
    is_well(&work, &url);
    let key = format!("credential.{}.useHttpPath", work.forge.url());
    work.git(&["config", "--global", &key, "true"]).succeeded();
    let (says, remedy) = only_problem(&work, &url);
    assert!(says.contains("git asks with the path"), "{says}");
    assert_eq!(remedy, format!("git credential-pat login {url}"));
    log_in(&work, &remedy, "--username alice", CLASSIC);
    is_well(&work, &url);
    // Another repository has none yet.
    let other = format!("{}/other.git", work.forge.url());
    let (_, remedy) = only_problem(&work, &other);
    assert_eq!(remedy, format!("git credential-pat login {other}"));
}

/// The rule was added after `setup`.
#[test]
fn an_account_whose_path_git_does_not_tell() {
    let work = Work::without_lookups(Speaks::GitHub);
    work.forge.issue(Token::new("t", CLASSIC));
    let url = work.forge.repository();
    let rules = work.sandbox.path("config/git-credential-pat/config.toml");
    let before = fs::read_to_string(&rules).unwrap();
    let rule = format!("[[account]]\nurl = \"{url}\"\nusername = \"work\"\n");
    fs::write(&rules, format!("{before}\n{rule}")).unwrap();
    let setup = "git credential-pat setup";
    for url in ["", &url] {
        let (says, remedy) = only_problem(&work, url);
        assert!(says.contains("does not send the path"), "{says}");
        assert_eq!(remedy, setup);
    }
    let words = format!("login --with-token {url}");
    let early = work.ask(&words, CLASSIC.as_bytes()).succeeded();
    assert!(early.stderr.contains(setup), "{early:?}");
    let (_, remedy) = only_problem(&work, &url);
    assert_eq!(remedy, setup);
    work.ask("setup", b"").succeeded();
    is_well(&work, &url);
    is_well(&work, "");
    let late = work.ask(&words, CLASSIC.as_bytes()).succeeded();
    assert!(!late.stderr.contains(setup), "{late:?}");
    // What is missing is looked for where git finds it.
    let logout = format!("logout https://work@{}/r.git", work.forge.host());
    work.ask(&logout, b"").succeeded();
    let (_, remedy) = only_problem(&work, &url);
    let host = work.forge.host();
    assert_eq!(
        remedy,
        format!("git credential-pat login https://work@{host}/r.git")
    );
    log_in(&work, &remedy, "", CLASSIC);
    is_well(&work, &url);
}

#[test]
fn a_token_of_another_user_is_none() {
    let work = Work::without_lookups(Speaks::GitHub);
    work.store("alice", CLASSIC);
    work.forge.issue(Token::new("t", CLASSIC));
    let host = work.forge.host();
    let login = format!("git credential-pat login https://bob@{host}");
    let (says, remedy) = only_problem(&work, &format!("https://bob@{host}/r.git"));
    assert!(
        says.contains("'bob'") && says.contains("only for 'alice'"),
        "{says}"
    );
    assert_eq!(remedy, login);
    // Nor is it one where a remote names the user.
    work.git(&["init", "-q"]).succeeded();
    let remote = format!("https://bob@{host}/r.git");
    work.git(&["remote", "add", "origin", &remote]).succeeded();
    for url in ["", &work.forge.repository()] {
        let (says, remedy) = only_problem(&work, url);
        assert!(
            says.contains("the remote origin: nothing is kept for the user 'bob'"),
            "{says}"
        );
        assert_eq!(remedy, login);
    }
    work.git(&["remote", "remove", "origin"]).succeeded();
    is_well(&work, &work.forge.repository());
    let key = format!("credential.{}.username", work.forge.url());
    work.git(&["config", "--global", &key, "bob"]).succeeded();
    let (says, remedy) = only_problem(&work, &work.forge.repository());
    assert!(says.contains("credential.username"), "{says}");
    assert_eq!(remedy, login);
    is_well(&work, &format!("https://alice@{host}/r.git"));
}

#[test]
fn a_secret_in_a_remotes_url_is_told_and_not_shown() {
    let work = Work::without_lookups(Speaks::GitHub);
    work.store("alice", CLASSIC);
    work.forge.issue(Token::new("t", CLASSIC));
    work.git(&["init", "-q"]).succeeded();
    let host = work.forge.host();
    let add = format!("https://alice:tok-embedded@{host}/r.git");
    work.git(&["remote", "add", "origin", &add]).succeeded();
    let clean = format!("git remote set-url origin https://{host}/r.git");
    for url in ["", "origin", &work.forge.repository()] {
        let (output, _) = doctor(&work, url);
        assert!(
            !format!("{output:?}").contains("tok-embedded"),
            "{output:?}"
        );
        let (says, remedy) = only_problem(&work, url);
        assert!(says.contains("holds a password"), "{says}");
        assert_eq!(remedy, clean);
    }
    let words: Vec<&str> = clean.split(' ').skip(1).collect();
    work.git(&words).succeeded();
    is_well(&work, &work.forge.repository());
    is_well(&work, "origin");
    // By a rule, whose key is the secret's place.
    let rule = format!("url.https://alice:tok-embedded@{host}/.insteadOf");
    let value = format!("https://{host}/");
    work.git(&["config", "--global", &rule, &value]).succeeded();
    for url in ["", "origin", &work.forge.repository()] {
        let (output, _) = doctor(&work, url);
        assert!(!format!("{output:?}").contains("tok-"), "{output:?}");
        let (says, remedy) = only_problem(&work, url);
        assert!(says.contains("holds a password"), "{says}");
        assert!(
            remedy.starts_with("take the line url.https://***@"),
            "{remedy}"
        );
    }
    work.git(&["config", "--global", "--unset", &rule])
        .succeeded();
    // A token alone, in the place of the user.
    let token = "ghp_embedded0123456789";
    let set = format!("https://{token}@{host}/r.git");
    work.git(&["remote", "set-url", "origin", &set]).succeeded();
    for url in ["", "origin", &work.forge.repository()] {
        let (output, _) = doctor(&work, url);
        assert!(!format!("{output:?}").contains(token), "{output:?}");
        let (says, _) = only_problem(&work, url);
        assert!(says.contains("a token in the place of the user"), "{says}");
    }
}

#[test]
fn urls_are_rewritten_first() {
    let work = Work::without_lookups(Speaks::GitHub);
    work.store("alice", CLASSIC);
    work.forge.issue(Token::new("t", CLASSIC));
    work.git(&["init", "-q"]).succeeded();
    let https = work.forge.repository();
    let ssh = "git@forge.test:r.git";
    work.git(&["remote", "add", "origin", ssh]).succeeded();
    let to_https = format!("url.{}/.insteadOf", work.forge.url());
    work.git(&["config", "--global", &to_https, "git@forge.test:"])
        .succeeded();
    for url in ["", "origin", ssh, &https] {
        is_well(&work, url);
    }
    work.git(&["config", "--global", "--unset", &to_https])
        .succeeded();
    work.git(&["remote", "set-url", "origin", &https])
        .succeeded();
    let prefix = format!("{}/", work.forge.url());
    let to_ssh = "url.git@forge.test:.insteadOf";
    work.git(&["config", "--global", to_ssh, &prefix])
        .succeeded();
    for url in ["", "origin", &https] {
        let (says, remedy) = only_problem(&work, url);
        assert!(says.contains("is reached over SSH"), "{says}");
        let words: Vec<&str> = remedy.split(' ').skip(1).collect();
        work.git(&words).succeeded();
        is_well(&work, url);
        work.git(&["config", "--global", to_ssh, &prefix])
            .succeeded();
    }
}

#[test]
fn an_ssh_host_that_only_ssh_knows_is_not_made_an_address() {
    let work = Work::without_lookups(Speaks::GitHub);
    work.git(&["init", "-q"]).succeeded();
    let remote = "git@github-work:acme/r.git";
    work.git(&["remote", "add", "origin", remote]).succeeded();
    for url in ["", "origin", remote] {
        let (_, remedy) = only_problem(&work, url);
        assert!(remedy.contains("on the repository's page"), "{remedy}");
    }
    // A host with a port is no SSH URL where somebody types it.
    let (output, _) = doctor(&work, &work.forge.host());
    assert!(
        output
            .text()
            .contains("nothing is kept for https://localhost:"),
        "{output:?}"
    );
}

#[test]
fn another_helper_that_stops_git() {
    let work = Work::without_lookups(Speaks::GitHub);
    work.store("alice", CLASSIC);
    work.forge.issue(Token::new("t", CLASSIC));
    let settings = fs::read_to_string(work.sandbox.path("gitconfig")).unwrap();
    for (helper, says) in [
        ("!f() { echo quit=1; }; f", "gets no answer at all"),
        ("!f() { exec sleep 20; }; f", "gets no answer in time"),
    ] {
        let first = format!("[credential]\n\thelper = \"{helper}\"\n");
        fs::write(work.sandbox.path("gitconfig"), format!("{first}{settings}")).unwrap();
        let words = format!("doctor --json {}", work.forge.repository());
        let output = work.ask(&words, b"");
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        let problems = of_outcome(&json, "problem");
        assert_eq!(problems.len(), 1, "{output:?}");
        assert!(problems[0].0.contains(says), "{output:?}");
        assert_eq!(
            problems[0].1,
            "git credential-pat setup --storage file --replace"
        );
    }
}

/// The API says nothing; git's endpoint knows the cause all the same.
#[test]
fn the_endpoint_is_asked_where_the_api_is_silent() {
    let work = Work::without_lookups(Speaks::GitHub);
    work.store("alice", FINE);
    work.forge
        .issue(Token::new("t", FINE).fate(Fate::SeesNoRepository));
    work.forge.answer(Manner::Silent);
    // Both wait for the API, and change nothing.
    let (with_repository, without) = thread::scope(|scope| {
        let with_repository = scope.spawn(|| doctor(&work, &work.forge.repository()));
        let without = scope.spawn(|| only_problem(&work, &work.forge.url()));
        (with_repository.join().unwrap(), without.join().unwrap())
    });
    let (output, json) = with_repository;
    let problems = of_outcome(&json, "problem");
    assert_eq!(problems.len(), 1, "{output:?}");
    assert!(
        problems[0].0.starts_with("404: this fine-grained"),
        "{output:?}"
    );
    let notes = of_outcome(&json, "note");
    let curl = format!("curl -v {}/", work.forge.url());
    assert!(
        notes.iter().any(|(_, remedy)| *remedy == curl),
        "{output:?}"
    );
    // Without a repository nothing else can tell.
    let (says, remedy) = without;
    assert!(says.contains("does not answer in time"), "{says}");
    assert_eq!(remedy, curl);
}

/// A URL that names a user is answered with that user's token alone.
#[test]
fn a_dead_api_token_is_replaced_where_git_looks_for_it() {
    let work = Work::without_lookups(Speaks::Bitbucket);
    work.store("alice", "ATATT0123");
    let host = work.forge.host();
    let url = format!("https://alice@{host}/r.git");
    let (says, remedy) = only_problem(&work, &url);
    assert!(says.contains("not the Bitbucket username"), "{says}");
    assert_eq!(
        remedy,
        format!("git credential-pat login https://alice@{host}")
    );
    work.forge.issue(Token::new("new", "ATATTnew"));
    log_in(&work, &remedy, "", "ATATTnew");
    is_well(&work, &url);
    // One that is nobody's cannot be found under a person's name.
    work.store("alice", "ATCTT0123");
    let (_, remedy) = only_problem(&work, &url);
    assert!(
        remedy.contains(&format!("https://x-token-auth@{host}/r.git")),
        "{remedy}"
    );
}

#[test]
fn a_repository_that_forgets_all_helpers() {
    let work = Work::without_lookups(Speaks::GitHub);
    work.store("alice", CLASSIC);
    work.forge.issue(Token::new("t", CLASSIC));
    work.git(&["init", "-q"]).succeeded();
    let url = work.forge.repository();
    work.git(&["config", "--local", "credential.helper", ""])
        .succeeded();
    work.git(&["config", "--local", "--add", "credential.helper", "store"])
        .succeeded();
    let (says, remedy) = only_problem(&work, &url);
    assert!(
        says.contains("an empty value drops the helpers before it"),
        "{says}"
    );
    assert_eq!(remedy, "git credential-pat setup --storage file --local");
    process::run(
        &mut work.sandbox.helper("setup --storage file --local"),
        b"",
    )
    .succeeded();
    is_well(&work, &url);
}

/// As for git's `get`: what has ended is passed over.
#[test]
fn one_that_has_ended_hides_no_good_one() {
    let work = Work::without_lookups(Speaks::GitHub);
    work.forge.issue(Token::new("t", CLASSIC));
    work.store("alice", CLASSIC);
    work.store("bob", "ghp_ended0123456789");
    let host = work.forge.host();
    work.ask(&format!("expires https://bob@{host} 2020-01-01"), b"")
        .succeeded();
    is_well(&work, &work.forge.repository());
    let (says, _) = only_problem(&work, &format!("https://bob@{host}/r.git"));
    assert!(says.contains("expired on"), "{says}");
}

/// It is asked outside of the repository, whose own setting has git tell the path.
#[test]
fn a_repository_may_have_git_tell_the_path() {
    let work = Work::without_lookups(Speaks::GitHub);
    work.forge.issue(Token::new("t", CLASSIC));
    work.git(&["init", "-q"]).succeeded();
    work.git(&["config", "--local", "credential.useHttpPath", "true"])
        .succeeded();
    let url = work.forge.repository();
    let settings = fs::read_to_string(work.sandbox.path("gitconfig")).unwrap();
    let first = "[credential]\n\thelper = \"!f() { :; }; f\"\n";
    fs::write(work.sandbox.path("gitconfig"), format!("{first}{settings}")).unwrap();
    let login = format!("login --with-token --username alice {url}");
    work.ask(&login, CLASSIC.as_bytes()).succeeded();
    work.store("bob", "ghp_for-the-whole-host");
    let (output, _) = doctor(&work, &url);
    assert!(
        output
            .text()
            .contains("git gets the kept token all the same"),
        "{output:?}"
    );
    is_well(&work, &url);
}

/// As continuous integration leaves one behind: git never uses what is kept, and forgets it.
#[test]
fn a_header_of_gits_own_is_told_and_not_shown() {
    let work = Work::without_lookups(Speaks::GitHub);
    work.store("alice", CLASSIC);
    work.forge.issue(Token::new("t", CLASSIC));
    let url = work.forge.repository();
    let key = format!("http.{}/.extraheader", work.forge.url());
    let set = |value: &str| {
        let words = ["config", "--global", "--add", &key, value];
        work.git(&words).succeeded();
    };
    set("X-Other: 1");
    is_well(&work, &url);
    set("AUTHORIZATION: basic bWFkZS11cA==");
    let (says, remedy) = only_problem(&work, &url);
    assert!(
        says.contains("an Authorization header of its own"),
        "{says}"
    );
    assert!(
        !format!("{says}{remedy}").contains("bWFk"),
        "{says}{remedy}"
    );
    let remedy = remedy.strip_prefix("git ").unwrap();
    let words: Vec<String> = remedy
        .split(' ')
        .map(|word| word.replace('\\', ""))
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    work.git(&words).succeeded();
    is_well(&work, &url);
    let left = work.git(&["config", "--get-all", &key]).text();
    assert_eq!(left, "X-Other: 1\n");
    // For another host it is nothing to us, and an empty one ends it.
    let elsewhere = "http.https://elsewhere.test/.extraheader";
    work.git(&["config", "--global", elsewhere, "Authorization: x"])
        .succeeded();
    is_well(&work, &url);
    set("Authorization: basic bWFkZS11cA==");
    set("");
    is_well(&work, &url);
}

/// Whether git fails, the old and the new one.
#[track_caller]
fn git_fails(work: &Work, url: &str) -> bool {
    let fails = git::all().iter().map(|git| {
        let mut command = work.trusting(work.sandbox.command(&git.program));
        command.args(["ls-remote", url]);
        !process::run(&mut command, b"").status.success()
    });
    let fails: Vec<bool> = fails.collect();
    assert!(fails.iter().all(|&one| one == fails[0]), "{fails:?}");
    fails[0]
}

const OTHER: &str = "github_pat_other0123456789";

/// The outcome, what it says, and its remedy; empty: there is none.
#[track_caller]
fn of_netrc(work: &Work, url: &str) -> (String, String, String) {
    let (output, json) = doctor(work, url);
    let shown = format!("{output:?}");
    assert!(!shown.contains(OTHER) && !shown.contains("tok-"), "{shown}");
    let findings = json.as_array().unwrap().iter();
    let mut findings = findings.filter(|found| found["title"] == "netrc");
    let found = findings.next().cloned().unwrap_or_default();
    assert_eq!(findings.next(), None, "{shown}");
    let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
    (text("outcome"), text("says"), text("remedy"))
}

/// libcurl reads it for git, before any helper.
#[test]
fn an_entry_in_a_netrc_is_told_and_not_shown() {
    let work = Work::without_lookups(Speaks::GitHub);
    work.store("alice", CLASSIC);
    work.forge.issue(Token::new("t", CLASSIC));
    work.forge
        .issue(Token::new("o", OTHER).fate(Fate::SeesNoRepository));
    let url = work.forge.repository();
    let named = url.replace("https://", "https://alice@");
    let netrc = work.sandbox.path("home/.netrc");
    let finding = |url: &str| of_netrc(&work, url);
    let first = "# mine\n\n";
    for (entry, of_url, of_user, whether_git_fails) in [
        (
            format!("machine LOCALHOST login other password {OTHER}"),
            "problem",
            "note",
            true,
        ),
        (
            format!("machine localhost login alice password {OTHER}"),
            "problem",
            "problem",
            true,
        ),
        (
            format!("default login other password {OTHER}"),
            "problem",
            "note",
            true,
        ),
        // git gets on after a 401.
        (
            "machine localhost login alice password tok-stale".into(),
            "problem",
            "problem",
            false,
        ),
        (
            format!("machine localhost login alice password {CLASSIC}"),
            "note",
            "note",
            false,
        ),
        (
            format!("machine elsewhere.test login other password {OTHER}"),
            "",
            "",
            false,
        ),
    ] {
        fs::write(&netrc, format!("{first}{entry}\n")).unwrap();
        assert_eq!(git_fails(&work, &url), whether_git_fails, "{entry}");
        let (outcome, says, remedy) = finding(&url);
        assert_eq!(outcome, of_url, "{entry}: {says}");
        if !outcome.is_empty() {
            assert!(says.contains("before it asks a helper"), "{says}");
            let name = entry.split(" login").next().unwrap();
            let place = netrc.display();
            assert_eq!(
                remedy,
                format!("take the entry '{name}' out of {place}, line 3")
            );
        }
        assert_eq!(finding(&named).0, of_user, "{entry}");
    }
    // An entry without a password is passed over.
    fs::write(&netrc, "machine localhost login alice").unwrap();
    assert_eq!(finding(&url).0, "");
    // Nothing is kept: what is there is what git goes by.
    work.ask(&format!("logout {}", work.forge.url()), b"")
        .succeeded();
    fs::write(&netrc, "machine localhost login alice password tok-x").unwrap();
    let (outcome, _, remedy) = finding(&url);
    assert_eq!(outcome, "note");
    assert!(
        remedy.starts_with("git credential-pat login https://localhost:"),
        "{remedy}"
    );
    // Without a URL only the default concerns everybody.
    assert_eq!(finding("").0, "");
    fs::write(&netrc, "default login other password tok-x").unwrap();
    assert_eq!(finding("").0, "note");
}

/// Where libcurl finds nothing, or nothing yet.
#[test]
fn what_is_no_netrc_signs_nobody_in() {
    let work = Work::without_lookups(Speaks::GitHub);
    let url = work.forge.repository();
    let netrc = work.sandbox.path("home/.netrc");
    let finding = |url: &str| of_netrc(&work, url);
    fs::write(&netrc, "default login other password tok-x").unwrap();
    // Behind a link, as for whoever keeps such files elsewhere.
    let elsewhere = work.sandbox.path("home/dotfile");
    fs::rename(&netrc, &elsewhere).unwrap();
    symlink(&elsewhere, &netrc).unwrap();
    assert_eq!(finding(&url).0, "note");
    fs::remove_file(&netrc).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, &netrc, 0o600.into()).unwrap();
    let (outcome, says, _) = finding(&url);
    assert_eq!(outcome, "problem");
    assert!(says.contains("is not a plain file"), "{says}");
    fs::remove_file(&netrc).unwrap();
    symlink("/dev/null", &netrc).unwrap();
    assert_eq!(finding(&url).0, "", "a way to have none");
    fs::remove_file(&netrc).unwrap();
    fs::create_dir(&netrc).unwrap();
    assert_eq!(finding(&url).0, "");
}

#[test]
fn a_storage_that_cannot_be_read_is_told_with_the_rest() {
    let work = Work::without_lookups(Speaks::GitHub);
    work.store("alice", CLASSIC);
    work.forge.issue(Token::new("t", CLASSIC));
    let url = work.forge.repository();
    let file = work.sandbox.path("data/git-credential-pat/credentials");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let (says, remedy) = only_problem(&work, &url);
    assert!(says.contains("is open to other users"), "{says}");
    assert_eq!(
        remedy,
        format!("close it with 'chmod 600 {}'", file.display())
    );
    let (output, _) = doctor(&work, &url);
    for rest in ["helper chain", "not checked, and git gets none"] {
        assert!(output.text().contains(rest), "{rest}: {output:?}");
    }
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    is_well(&work, &url);
    fs::rename(&file, work.sandbox.path("aside")).unwrap();
    fs::create_dir(&file).unwrap();
    let (says, _) = only_problem(&work, &url);
    assert!(says.contains("file storage"), "{says}");
}
