//! What follows from a forge's word: expiry, removal after a lost rotation, and where a forge is asked at all.

use std::fs;
use std::thread;

use serde_json::{Value, json};

use super::work::{DAY, Work, midnight_in_days};
use super::{Fate, Manner, Speaks, Token, now};
use crate::process::Output;

const GITLAB: &str = "glpat-first.0123456789";
const CLASSIC: &str = "ghp_classic0123456789";

fn login(work: &Work, words: &str, secret: &str) -> Output {
    let words = format!(
        "login --with-token --username alice {words} {}",
        work.forge.url()
    );
    work.ask(&words, secret.as_bytes())
}

/// GitLab's `self`, as a body.
fn described(expires_at: &Value) -> Manner {
    let body = json!({
        "id": 1, "name": "t", "revoked": false, "active": true, "scopes": ["api"],
        "user_id": 1, "expires_at": expires_at,
    });
    Manner::Body(body.to_string().into_bytes())
}

#[test]
fn a_good_token_with_an_expiry_that_is_not_ahead_stays() {
    let today = time::OffsetDateTime::now_utc().date().to_string();
    for storage in ["file", "memory"] {
        for day in ["2020-01-02", &today] {
            let work = Work::without_lookups(Speaks::GitLab);
            let ask = |words: &str, input: &[u8]| {
                let words = format!("--storage {storage} {words}");
                crate::process::run(&mut work.trusting(work.sandbox.helper(&words)), input)
            };
            work.forge.issue(Token::new("first", GITLAB));
            ask("store", &work.credential("alice", GITLAB)).succeeded();
            work.forge.answer(described(&json!(day)));
            ask("check", b"").succeeded();
            let question = format!("protocol=https\nhost={}\n\n", work.forge.host());
            let answer = ask("get", question.as_bytes()).succeeded().text();
            assert!(
                answer.contains(GITLAB) && !answer.contains("expiry"),
                "{storage} {day}: {answer}"
            );
        }
    }
}

/// An earlier version kept such a date.
#[test]
fn a_date_of_the_forge_that_has_passed_goes_when_the_token_is_good() {
    let work = Work::keeping(
        Speaks::GitLab,
        Token::new("first", GITLAB).ends(midnight_in_days(9)),
    );
    work.ask("check", b"");
    let file = work.sandbox.path("data/git-credential-pat/credentials");
    let file = if file.exists() {
        file
    } else {
        panic!("{:?}", work.sandbox.files("data"))
    };
    let journal = work.sandbox.path("state/git-credential-pat/journal");
    let (ahead, past) = (midnight_in_days(9).to_string(), (now() - DAY).to_string());
    for path in [file, journal] {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(&ahead), "{text}");
        fs::write(&path, text.replace(&ahead, &past)).unwrap();
    }
    assert_eq!(work.kept(), None);
    work.forge.answer(described(&json!("2020-01-02")));
    work.ask("check", b"").succeeded();
    assert_eq!(work.kept().as_deref(), Some(GITLAB));
}

#[test]
fn no_expiry_at_the_forge_counts_more_than_a_lifetime() {
    let settings = "[lookup]\nenabled = false\n";
    let work = Work::with_settings(Speaks::GitLab, settings, "lifetime = \"90d\"\n");
    work.forge.issue(Token::new("first", GITLAB));
    let said = login(&work, "", GITLAB).succeeded().text();
    assert!(
        said.contains("it never expires") && !said.contains("expires https"),
        "{said}"
    );
    assert_eq!(work.only_one()["expires_at"], Value::Null);
    // Nor does git bring the lifetime back.
    work.store("alice", GITLAB);
    assert_eq!(work.only_one()["expires_at"], Value::Null);
    let checked = work.ask("check", b"").succeeded().text();
    assert!(checked.contains("never expires"), "{checked}");
}

#[test]
fn the_hint_is_rotate_where_the_forge_can_rotate() {
    for (scopes, word) in [(["api"], "rotate"), (["write_repository"], "login")] {
        let token = Token::new("first", GITLAB).ends(midnight_in_days(5));
        let work = Work::keeping(Speaks::GitLab, token.scopes(&scopes));
        work.ask("check", b"");
        let said = work.get().succeeded().stderr;
        let hint = format!("create a new one with 'git credential-pat {word} https://alice@");
        assert!(said.contains(&hint), "{said}");
    }
}

#[test]
fn a_revoked_token_gets_no_word_about_its_scopes() {
    let token = Token::new("classic", CLASSIC).scopes(&["read:org"]);
    let work = Work::keeping(Speaks::GitHub, token);
    let lacks = || work.ask("check", b"").stderr.contains("lacks the scope");
    assert!(lacks());
    work.forge
        .change("classic", |token| token.fate = Fate::Revoked);
    assert!(!lacks());
}

#[test]
fn a_duration_is_shown_as_it_was_given() {
    let work = Work::keeping(Speaks::Gitea, Token::new("plain", "made-up-plain-token"));
    let url = work.forge.url();
    for (given, shown) in [
        ("5d", "5 days"),
        ("1w", "7 days"),
        ("1mo", "30 days"),
        ("1y", "365 days"),
    ] {
        work.ask(&format!("expires {url} {given}"), b"").succeeded();
        let listed = work.ask("list", b"").succeeded().text();
        assert!(listed.contains(shown), "{given}: {listed}");
    }
    let refused = work.ask(&format!("expires {url} 0d"), b"");
    assert!(refused.stderr.contains("longer than zero"), "{refused:?}");
    for command in ["login", "rotate", "expires"] {
        let help = work
            .ask(&format!("{command} --help"), b"")
            .succeeded()
            .text();
        assert!(help.contains("DATE|DURATION|never"), "{command}: {help}");
    }
}

/// The forge has replaced the token, and its answer is lost: git must not be given the dead one again.
#[test]
fn the_dead_token_of_a_lost_rotation_is_removed_at_once() {
    let work = Work::keeping(
        Speaks::GitLab,
        Token::new("first", GITLAB).ends(midnight_in_days(90)),
    );
    work.ask("check", b"").succeeded();
    work.forge
        .answer(Manner::ToRotations(Box::new(Manner::Rude)));
    let url = work.forge.url();
    let output = work.ask(&format!("rotate {url}"), b"");
    assert!(
        output.stderr.contains("the stored token is invalid now"),
        "{output:?}"
    );
    assert_eq!(work.kept(), None);
    assert_eq!(work.listed().len(), 0);
    let next = work.ask(&format!("rotate {url}"), b"");
    assert!(
        next.stderr
            .contains("save a token with 'git credential-pat login"),
        "{next:?}"
    );
    assert_eq!(work.rotations(), 1, "never repeated");
}

/// A process that was killed leaves its mark only: the next one finds the token dead, and removes it.
#[test]
fn the_dead_token_of_a_killed_rotation_is_removed_when_it_is_found() {
    let work = Work::keeping(Speaks::GitLab, Token::new("first", GITLAB));
    work.forge.answer(Manner::Held);
    let url = work.forge.url();
    thread::scope(|scope| {
        let mut command = work.command(&format!("rotate {url}"));
        let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
        work.forge.wait_until_asked(1);
        work.forge
            .answer(Manner::Late(std::time::Duration::from_secs(1)));
        work.forge.wait_until_asked(2);
        child.kill().unwrap();
        scope.spawn(move || child.wait());
    });
    work.forge.answer(Manner::Honest);
    assert!(crate::process::until(
        || work.forge.tokens()[0].fate == Fate::Revoked
    ));
    let output = work.ask(&format!("rotate {url}"), b"");
    assert!(
        output.stderr.contains("an earlier rotation was cut off"),
        "{output:?}"
    );
    assert_eq!((work.kept(), work.listed().len()), (None, 0));
}

/// Writes the rules for the forge's host anew.
fn rule(work: &Work, rules: &str) {
    let path = work.sandbox.path("config/git-credential-pat/config.toml");
    fs::write(path, format!("[lookup]\nenabled = false\n{rules}")).unwrap();
}

#[test]
fn a_forge_below_a_path_is_asked_there() {
    let work = Work::without_lookups(Speaks::GitLab);
    work.forge.set(|state| state.base = "/gitlab".to_owned());
    let url = work.forge.url();
    rule(
        &work,
        &format!("[[host]]\nurl = \"{url}/gitlab\"\nforge = \"gitlab\"\n"),
    );
    work.forge
        .issue(Token::new("first", GITLAB).ends(midnight_in_days(50)));
    login(&work, "", GITLAB).succeeded();
    assert_eq!(work.only_one()["expires_from"], "forge");
    work.ask("check", b"").succeeded();
    work.ask(&format!("rotate {url}"), b"").succeeded();
    let asked = work.forge.asked();
    assert!(
        asked
            .iter()
            .all(|(_, path, _)| path.starts_with("/gitlab/api/v4/")),
        "{asked:?}"
    );
    assert_eq!(work.forge.tokens()[1].fate, Fate::Good);
}

/// Another program may be at the root of the host: it is asked without the token first.
#[test]
fn without_a_rule_no_token_goes_where_the_forge_is_not() {
    let work = Work::without_lookups(Speaks::GitLab);
    work.forge.set(|state| state.base = "/gitlab".to_owned());
    rule(&work, "");
    work.forge.issue(Token::new("first", GITLAB));
    let said = login(&work, "", GITLAB).succeeded();
    assert!(said.stderr.contains("not sent"), "{said:?}");
    let checked = work.ask("check", b"");
    assert_eq!(checked.status.code(), Some(5), "{checked:?}");
    assert!(checked.stderr.contains("[[host]] url ="), "{checked:?}");
    let url = work.forge.url();
    assert_eq!(
        work.ask(&format!("rotate {url}"), b"").status.code(),
        Some(1)
    );
    let asked = work.forge.asked();
    assert!(
        !asked.is_empty() && asked.iter().all(|(_, _, token)| token == "nobody"),
        "{asked:?}"
    );
    // At the root it is asked as before.
    work.forge.set(|state| state.base = String::new());
    work.ask("check", b"").succeeded();
    assert!(
        work.forge
            .asked()
            .iter()
            .any(|(_, _, token)| token == "first")
    );
}

/// A remote names a repository, although the URL on the command line names only its host.
#[test]
fn git_is_asked_at_the_remote_if_the_url_names_no_repository() {
    const GOOD: &str = "made-up-good-token";
    let work = Work::keeping(Speaks::Gitea, Token::new("good", GOOD));
    let (url, host) = (work.forge.url(), work.forge.host());
    work.git(&["init", "--quiet"]).succeeded();
    let repository = work.forge.repository();
    work.git(&["remote", "add", "origin", &repository])
        .succeeded();
    let login = format!("login --with-token https://alice@{host}");
    let said = work.ask(&login, b"made-up-wrong-token");
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    assert!(said.stderr.contains("nothing was changed"), "{said:?}");
    assert_eq!(work.kept().as_deref(), Some(GOOD));
    let check = || work.ask(&format!("check {url}"), b"").status.code();
    assert_eq!(check(), Some(0));
    work.forge
        .change("good", |token| token.fate = Fate::Revoked);
    assert_eq!(check(), Some(4));
}

/// Where the forge cannot be asked, git's endpoint of a repository is: of the URL, or of a remote.
#[test]
fn a_wrong_token_at_a_forge_that_cannot_be_asked_is_told_where_a_repository_is_known() {
    const PLAIN: &str = "made-up-plain-token";
    for is_known in [true, false] {
        let work = Work::without_lookups(Speaks::Gitea);
        if !is_known {
            rule(&work, "");
        }
        let (url, repository) = (work.forge.url(), work.forge.repository());
        let check = |words: &str| work.ask(&format!("check {words}"), b"").status.code();
        let login = |url: &str| {
            let words = format!("login --with-token --username alice {url}");
            work.ask(&words, PLAIN.as_bytes()).status.code()
        };
        assert_eq!(login(&repository), Some(1), "a wrong token is not saved");
        assert_eq!(work.listed().len(), 0);
        work.store("alice", PLAIN);
        assert_eq!((check(""), check(&url)), (Some(5), Some(5)));
        assert_eq!(check(&repository), Some(4));
        work.forge.issue(Token::new("plain", PLAIN));
        assert_eq!((check(&repository), login(&repository)), (Some(0), Some(0)));
        assert_eq!(
            check(&url),
            Some(5),
            "nothing is known without a repository"
        );
        work.git(&["init", "--quiet"]).succeeded();
        work.git(&["remote", "add", "origin", &repository])
            .succeeded();
        assert_eq!(check(""), Some(0));
        work.forge
            .change("plain", |token| token.fate = Fate::Revoked);
        assert_eq!(check(""), Some(4));
        // An owner's path is no repository, and the journal has the mark of the last check.
        assert_eq!(check(&format!("{url}/acme")), Some(4));
    }
}
