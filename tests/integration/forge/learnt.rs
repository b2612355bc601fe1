//! What is learnt of a token behind git's back: its end and scopes, soon after it was typed, and git none the slower.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::work::{DAY, HOUR, PATIENCE, STORAGE, Work, in_days, midnight_in_days};
use super::{Certificates, Dates, Event, Fate, Manner, Proxy, Speaks, Token, now};
use crate::alone::{alone, children};
use crate::attributes::{Answer, lines};
use crate::process::{self, Output};
use crate::sandbox::{PROGRAM, Sandbox};
use crate::terminal::Session;
use crate::tool;

const CLASSIC: &str = "ghp_classic0123456789";
const FINE_GRAINED: &str = "github_pat_fine0123456789";
const GITLAB: &str = "glpat-first.0123456789";
const PLAIN: &str = "0123456789abcdef0123456789abcdef01234567";

/// The person types at git's own prompt, and is not kept waiting.
fn clone_at_terminal(work: &Work, secret: &str) {
    let mut clone = work.trusting(work.sandbox.git(&["clone", &work.forge.repository(), "r"]));
    clone
        .env_remove("GIT_ASKPASS")
        .env("GIT_TERMINAL_PROMPT", "1");
    let mut session = Session::start(&clone);
    session.answer("Username for", "alice");
    session.answer("Password for", secret);
    let (status, shown) = session.finish();
    work.forge.note(&work.forge.tokens()[0].name);
    assert!(status.success(), "{shown}");
    assert!(!shown.contains(secret), "the token was shown: {shown}");
    assert!(!shown.contains("warning"), "{shown}");
}

#[track_caller]
fn warns(work: &Work, days: u64) {
    let fetch = work.git(&["-C", "r", "fetch"]).succeeded();
    let start = format!(
        "warning: the token for alice at {} expires in {days} days",
        work.forge.url()
    );
    assert!(fetch.stderr.contains(&start), "{fetch:?}");
    assert!(fetch.stderr.contains("hint: "), "{fetch:?}");
}

fn learns(speaks: Speaks, token: Token, kind: &str, prepare: impl FnOnce(&Work)) {
    let work = Work::with(speaks);
    prepare(&work);
    let Token {
        name,
        secret,
        ends,
        scopes,
        ..
    } = token.clone();
    let ends = ends.unwrap();
    work.forge.issue(token);
    work.forge.answer(Manner::Late(Duration::from_secs(2)));
    clone_at_terminal(&work, &secret);
    work.forge.lead(&name);
    let listed = work.wait_for_end(ends);
    let scopes = if kind == "fine-grained" {
        Value::Null
    } else {
        json!(scopes)
    };
    assert_eq!(listed["scopes"], scopes, "{listed:#}");
    assert_eq!(listed["forge"], speaks.name(), "{listed:#}");
    assert_eq!(listed["kind"], kind, "{listed:#}");
    assert_eq!(listed["expires_from"], "forge", "{listed:#}");
    assert!(!listed.to_string().contains(&secret));
    // Rounded to the hour, then down.
    warns(&work, (ends - now() + 1800) / 3600 * 3600 / DAY);
    assert_eq!(work.forge.asked().len(), 1, "{:#?}", work.forge.record());
}

#[test]
fn github_at_the_terminal() {
    let token = Token::new("classic", CLASSIC).ends(in_days(5));
    learns(Speaks::GitHub, token, "classic", |_| {});
}

#[test]
fn github_with_an_offset_at_the_terminal() {
    let token = Token::new("fine", FINE_GRAINED).ends(in_days(5));
    learns(Speaks::GitHub, token, "fine-grained", |work| {
        work.forge.set(|state| state.dates = Dates::Offset);
    });
}

#[test]
fn gitlab_at_the_terminal() {
    let token = Token::new("first", GITLAB).ends(midnight_in_days(6));
    learns(Speaks::GitLab, token, "access", |_| {});
}

/// git tells `get` alone what the server calls itself: no rule, and a token that begins like none.
#[test]
fn a_forge_that_names_itself_at_the_terminal() {
    let token = Token::new("first", "corp-0123456789").scopes(&["api"]);
    let token = token.ends(midnight_in_days(6));
    let work = Work::with(Speaks::GitLab);
    let config = work.sandbox.path("config/git-credential-pat/config.toml");
    fs::write(config, "").unwrap();
    let ends = token.ends.unwrap();
    work.forge.issue(token);
    clone_at_terminal(&work, "corp-0123456789");
    let listed = work.wait_for_end(ends);
    assert_eq!(listed["forge"], "gitlab", "{listed:#}");
}

/// Where the forge cannot tell, the person can.
fn is_told(speaks: Speaks) {
    let work = Work::with(speaks);
    work.forge
        .issue(Token::new("plain", PLAIN).scopes(&["write:repository"]));
    clone_at_terminal(&work, PLAIN);
    assert_eq!(work.only_one()["expires_at"], Value::Null);
    work.ask(&format!("expires {} 5d2h", work.forge.url()), b"")
        .succeeded();
    let listed = work.only_one();
    let ends = listed["expires_at_unix"].as_u64().unwrap();
    assert!(
        ends.abs_diff(now() + 5 * DAY + 2 * HOUR) < 120,
        "{listed:#}"
    );
    assert_eq!(listed["forge"], speaks.name(), "{listed:#}");
    assert_eq!(listed["expires_from"], "person", "{listed:#}");
    warns(&work, 5);
    assert_eq!(work.forge.asked(), [], "none of these tells anything");
}

#[test]
fn gitea_at_the_terminal() {
    is_told(Speaks::Gitea);
}

#[test]
fn bitbucket_at_the_terminal() {
    is_told(Speaks::Bitbucket);
}

#[test]
fn azure_at_the_terminal() {
    is_told(Speaks::Azure);
}

#[test]
fn a_rule_tells_how_long_tokens_live() {
    let work = Work::with_settings(Speaks::Gitea, "", "lifetime = \"90d\"\n");
    work.store("alice", PLAIN);
    let is_known = process::until_within(PATIENCE, || !work.only_one()["expires_at"].is_null());
    let listed = work.only_one();
    assert!(is_known, "{listed:#}");
    assert!(
        listed["expires_at_unix"]
            .as_u64()
            .unwrap()
            .abs_diff(now() + 90 * DAY)
            < 120,
        "{listed:#}"
    );
    assert_eq!(listed["expires_from"], "lifetime", "{listed:#}");
}

/// Before git has used it.
#[test]
fn login_notes_the_end_that_is_guessed() {
    // {"alg":"HS256"} and {"exp":4070908799}
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjQwNzA5MDg3OTl9.c2ln";
    let ninety = |ends: u64| ends.abs_diff(now() + 90 * DAY) < 120;
    let own = |ends: u64| ends == 4_070_908_799;
    let cases: [(_, _, _, &dyn Fn(u64) -> bool); 2] = [
        ("lifetime = \"90d\"\n", PLAIN, "lifetime", &ninety),
        ("", jwt, "token", &own),
    ];
    for (rule, secret, from, is_end) in cases {
        let work = Work::with_settings(Speaks::Gitea, "", rule);
        let login = format!("login --with-token --username alice {}", work.forge.url());
        let said = work.ask(&login, secret.as_bytes()).succeeded();
        assert!(said.text().contains("until it expires on "), "{said:?}");
        let listed = work.only_one();
        assert!(
            is_end(listed["expires_at_unix"].as_u64().unwrap()),
            "{listed:#}"
        );
        assert_eq!(listed["expires_from"], from, "{listed:#}");
        // git's own word changes nothing, nor does the same token once more.
        work.store("alice", secret);
        work.ask(&login, secret.as_bytes()).succeeded();
        assert_eq!(
            work.only_one()["expires_at_unix"],
            listed["expires_at_unix"]
        );
        // A person knows better.
        let said = format!("{login} --expires 2097-12-31");
        work.ask(&said, secret.as_bytes()).succeeded();
        assert_eq!(work.only_one()["expires_from"], "person");
        let said = format!("{login} --expires never");
        work.ask(&said, b"another-token").succeeded();
        assert_eq!(work.only_one()["expires_at_unix"], Value::Null);
    }
}

#[test]
fn a_token_without_end_has_scopes_all_the_same() {
    let work = Work::with(Speaks::GitHub);
    work.forge.issue(Token::new("endless", CLASSIC));
    work.store("alice", CLASSIC);
    let is_known = process::until_within(PATIENCE, || {
        work.only_one()["scopes"] == json!(["repo", "workflow"])
    });
    assert!(
        is_known,
        "{:#}\n{:#?}",
        work.only_one(),
        work.forge.record()
    );
    assert_eq!(work.only_one()["expires_at"], Value::Null);
}

#[test]
fn git_is_none_the_slower() {
    const ROUNDS: usize = 9;
    let works = [
        Work::with(Speaks::GitHub),
        Work::without_lookups(Speaks::GitHub),
    ];
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        // Side by side: whatever else the machine does, it does to both.
        for (work, times) in works.iter().zip(&mut times) {
            let secret = format!("ghp_round{round}");
            let name = format!("r{round}");
            work.forge
                .issue(Token::new(&name, &secret).ends(in_days(100)));
            work.forge.answer(Manner::Late(Duration::from_secs(2)));
            work.askpass.answers("alice", &secret);
            let started = Instant::now();
            work.git(&["clone", "--quiet", &work.forge.repository(), &name])
                .succeeded();
            times.push(started.elapsed());
            work.forge.note(&name);
            // The next round types again.
            let host = work.forge.host();
            let unwanted = lines(&[("protocol", "https"), ("host", &host)]);
            work.ask("erase", &unwanted).succeeded();
        }
    }
    let [with, without] = &works;
    with.forge.wait_until_asked(ROUNDS);
    assert_eq!(without.forge.asked(), []);
    let leads = (0..ROUNDS).map(|round| with.forge.lead(&format!("r{round}")));
    let least = leads.flatten().min();
    for times in &mut times {
        times.sort();
    }
    eprintln!(
        "a clone, the token typed, the forge's answer 2 s late: median {:?} with look-ups, {:?} without ({ROUNDS} each); \
         done {:?} or more before the answer",
        times[0][ROUNDS / 2],
        times[1][ROUNDS / 2],
        least.unwrap_or_default()
    );
}

/// Nobody is left who could ask.
#[track_caller]
fn is_quiet() {
    let is_quiet = process::until_within(PATIENCE, || children().is_empty());
    assert!(is_quiet, "still there: {:?}", children());
}

#[test]
fn without_lookups_nobody_asks() {
    alone("forge::learnt::without_lookups_nobody_asks", || {
        let work = Work::without_lookups(Speaks::GitHub);
        work.forge
            .issue(Token::new("classic", CLASSIC).ends(in_days(5)));
        work.askpass.answers("alice", CLASSIC);
        work.git(&["clone", "--quiet", &work.forge.repository(), "r"])
            .succeeded();
        assert_eq!(children(), []);
        work.store("bob", CLASSIC);
        work.git(&["-C", "r", "fetch"]).succeeded();
        assert_eq!(children(), []);
        assert_eq!(work.forge.asked(), []);
        assert!(
            work.listed()
                .iter()
                .all(|listed| listed["expires_at"].is_null())
        );
    });
}

#[test]
fn get_never_asks() {
    alone("forge::learnt::get_never_asks", || {
        let work = Work::without_lookups(Speaks::GitHub);
        work.forge
            .issue(Token::new("classic", CLASSIC).ends(in_days(5)));
        work.store("alice", CLASSIC);
        work.look_up(true);
        for _ in 0..3 {
            assert_eq!(work.kept().as_deref(), Some(CLASSIC));
            assert_eq!(children(), []);
        }
        work.listed();
        assert_eq!(children(), []);
        assert_eq!(work.forge.asked(), []);
    });
}

#[test]
fn a_known_end_is_not_looked_up() {
    alone("forge::learnt::a_known_end_is_not_looked_up", || {
        let work = Work::with(Speaks::GitHub);
        work.forge
            .issue(Token::new("classic", CLASSIC).ends(in_days(5)));
        let mut credential = work.credential("alice", CLASSIC);
        let ends = in_days(50);
        credential.truncate(credential.len() - 1);
        credential.extend_from_slice(format!("password_expiry_utc={ends}\n\n").as_bytes());
        work.ask("store", &credential).succeeded();
        is_quiet();
        assert_eq!(work.forge.asked(), []);
        assert_eq!(work.only_one()["expires_at_unix"], ends);
    });
}

#[test]
fn asks_once_a_day() {
    alone("forge::learnt::asks_once_a_day", || {
        let work = Work::with(Speaks::GitHub);
        work.forge
            .issue(Token::new("classic", CLASSIC).ends(in_days(5)));
        work.forge
            .issue(Token::new("other", "ghp_other").ends(in_days(6)));
        work.forge.answer(Manner::Status(500));
        work.askpass.answers("alice", CLASSIC);
        work.git(&["clone", "--quiet", &work.forge.repository(), "r"])
            .succeeded();
        is_quiet();
        assert_eq!(work.forge.asked().len(), 1);
        for _ in 0..3 {
            work.git(&["-C", "r", "fetch"]).succeeded();
            work.store("alice", CLASSIC);
            is_quiet();
        }
        assert_eq!(work.forge.asked().len(), 1, "more than once a day");
        assert_eq!(work.only_one()["expires_at"], Value::Null);
        // Another token's day is its own.
        work.store("bob", "ghp_other");
        is_quiet();
        assert_eq!(work.forge.asked().len(), 2);
        // And tomorrow is another day.
        a_day_passes(&work);
        work.forge.answer(Manner::Honest);
        work.store("alice", CLASSIC);
        is_quiet();
        assert_eq!(work.forge.asked().len(), 3, "never again");
        let listed = work.listed();
        assert!(
            listed
                .iter()
                .any(|listed| listed["username"] == "alice" && !listed["expires_at"].is_null()),
            "{listed:#?}"
        );
    });
}

/// What is written down happened a day earlier than it says.
fn a_day_passes(work: &Work) {
    let journal = work.sandbox.path("state/git-credential-pat/journal");
    let text = fs::read_to_string(&journal).unwrap();
    let earlier = |line: &str| match line.split_once('=') {
        Some((name, value)) if value.len() == 10 && value.parse::<u64>().is_ok() => {
            format!("{name}={}\n", value.parse::<u64>().unwrap() - DAY - 60)
        }
        _ => format!("{line}\n"),
    };
    let changed: String = text.lines().map(earlier).collect();
    assert_ne!(changed, text, "no moment in the journal");
    fs::write(&journal, changed).unwrap();
}

#[test]
fn a_token_that_was_replaced_meanwhile_stays() {
    alone(
        "forge::learnt::a_token_that_was_replaced_meanwhile_stays",
        || {
            let work = Work::with(Speaks::GitHub);
            work.forge
                .issue(Token::new("old", CLASSIC).ends(in_days(5)));
            work.forge.answer(Manner::Held);
            work.store("alice", CLASSIC);
            work.forge.wait_until_asked(1);
            // The forge does not know it: nobody can tell its end.
            work.store("alice", "ghp_new");
            work.forge.answer(Manner::Honest);
            is_quiet();
            assert_eq!(work.kept().as_deref(), Some("ghp_new"));
            assert_eq!(
                work.only_one()["expires_at"],
                Value::Null,
                "the old one's end"
            );
        },
    );
}

/// Between the last look at what is kept and the writing of the date.
#[test]
fn a_token_that_is_replaced_at_the_last_moment_stays() {
    let work = Work::with(Speaks::GitHub);
    work.forge
        .issue(Token::new("old", CLASSIC).ends(in_days(5)));
    let store = work.command("store");
    let mut slow = work.sandbox.command(tool::need("strace"));
    // Whoever looks up takes its locks late.
    slow.args([
        "-f",
        "-e",
        "trace=flock",
        "-e",
        "inject=flock:delay_enter=2000000",
        "-o",
        "/dev/null",
    ]);
    slow.arg(store.get_program()).args(store.get_args());
    slow.envs(
        store
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let credential = work.credential("alice", CLASSIC);
    let slow = thread::spawn(move || process::run(&mut slow, &credential));
    work.forge
        .wait_until(|event| matches!(event, Event::Answered { .. }));
    // It has looked, and waits for its lock.
    thread::sleep(Duration::from_millis(700));
    work.store("alice", "ghp_new");
    slow.join().unwrap().succeeded();
    assert_eq!(
        work.kept().as_deref(),
        Some("ghp_new"),
        "the old one is back"
    );
    assert_eq!(
        work.only_one()["expires_at"],
        Value::Null,
        "the old one's end"
    );
}

#[test]
fn a_token_that_was_erased_meanwhile_stays_away() {
    alone(
        "forge::learnt::a_token_that_was_erased_meanwhile_stays_away",
        || {
            let work = Work::with(Speaks::GitHub);
            work.forge
                .issue(Token::new("classic", CLASSIC).ends(in_days(5)));
            work.forge.answer(Manner::Held);
            work.store("alice", CLASSIC);
            work.forge.wait_until_asked(1);
            let host = work.forge.host();
            work.ask("erase", &lines(&[("protocol", "https"), ("host", &host)]))
                .succeeded();
            work.forge.answer(Manner::Honest);
            is_quiet();
            assert_eq!(work.listed(), [Value::Null; 0]);
        },
    );
}

#[test]
fn whoever_looks_up_holds_nothing_and_ends() {
    alone(
        "forge::learnt::whoever_looks_up_holds_nothing_and_ends",
        || {
            for manner in [Manner::Silent, Manner::Mute, Manner::Drip] {
                let work = Work::with(Speaks::GitHub);
                work.forge
                    .issue(Token::new("classic", CLASSIC).ends(in_days(5)));
                work.forge.answer(manner.clone());
                // Git's pipes, under numbers that nobody expects, too: this waits until all of them are let go.
                let store = work.command("store");
                let mut shell = work.sandbox.command(tool::need("sh"));
                shell.args(["-c", "exec \"$0\" \"$@\" 7>&1 8>&2 9<&0"]);
                shell.arg(store.get_program()).args(store.get_args());
                shell.envs(
                    store
                        .get_envs()
                        .filter_map(|(name, value)| Some((name, value?))),
                );
                let started = Instant::now();
                let stored =
                    process::run(&mut shell, &work.credential("alice", CLASSIC)).succeeded();
                assert_eq!((&stored.text()[..], &stored.stderr[..]), ("", ""));
                let left = children();
                assert_eq!(
                    left.len(),
                    1,
                    "git waited, or nobody looks up: {manner:?}: {left:?}"
                );
                let (pid, _) = &left[0];
                let pid = pid.as_raw_nonzero().get();
                let session = || {
                    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
                    let (_, fields) = stat.rsplit_once(')')?;
                    fields.split_whitespace().nth(3).map(str::to_owned)
                };
                let is_apart = process::until_within(PATIENCE, || {
                    session().is_none_or(|session| session == pid.to_string())
                });
                assert!(is_apart, "not in a session of its own: {:?}", session());
                if let Ok(folder) = fs::read_link(format!("/proc/{pid}/cwd")) {
                    assert_eq!(folder.to_str(), Some("/"), "it keeps a folder in use");
                }
                let is_over =
                    process::until_within(Duration::from_secs(30), || children().is_empty());
                assert!(is_over, "{manner:?}: still looking");
                eprintln!("{manner:?}: over after {:?}", started.elapsed());
                assert!(
                    started.elapsed() < Duration::from_secs(11),
                    "{manner:?}: {:?}",
                    started.elapsed()
                );
                assert_eq!(work.kept().as_deref(), Some(CLASSIC));
            }
        },
    );
}

#[test]
fn no_process_is_told_the_token() {
    let work = Work::with(Speaks::GitHub);
    work.forge
        .issue(Token::new("classic", CLASSIC).ends(in_days(100)));
    let traced = |command: Command, input: &[u8]| -> (Output, String) {
        let log = work.sandbox.path("trace");
        let mut strace = work.sandbox.command(tool::need("strace"));
        // Every program that is started by anybody, with all it is told.
        strace.args([
            "-f",
            "-v",
            "-s",
            "100000",
            "-e",
            "trace=execve,execveat",
            "-o",
        ]);
        strace
            .arg(&log)
            .arg(command.get_program())
            .args(command.get_args());
        strace.envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        let output = process::run(&mut strace, input).succeeded();
        (output, fs::read_to_string(log).unwrap())
    };
    let (_, trace) = traced(work.command("store"), &work.credential("alice", CLASSIC));
    work.wait_for_end(work.forge.tokens()[0].ends.unwrap());
    assert!(
        trace.contains(PROGRAM) && trace.contains("HOME="),
        "{trace}"
    );
    assert!(!trace.contains(CLASSIC), "{trace}");
    let (_, trace) = traced(work.command("check"), b"");
    assert!(
        trace.contains(PROGRAM) && !trace.contains(CLASSIC),
        "{trace}"
    );
    assert_eq!(work.forge.asked().len(), 2, "both have asked");
    for (path, contents) in work.sandbox.files("state") {
        let has_it = contents
            .windows(CLASSIC.len())
            .any(|window| window == CLASSIC.as_bytes());
        assert!(!has_it, "the token is in {}", path.display());
    }
}

#[test]
fn the_trap_of_fine_grained_tokens() {
    alone("forge::learnt::the_trap_of_fine_grained_tokens", || {
        let work = Work::with(Speaks::GitHub);
        work.forge
            .issue(Token::new("fine", FINE_GRAINED).ends(in_days(5)));
        work.forge.set(|state| state.dates = Dates::OfTheRequest);
        work.store("alice", FINE_GRAINED);
        is_quiet();
        assert_eq!(work.forge.asked().len(), 1);
        assert_eq!(work.only_one()["expires_at"], Value::Null);
        assert_eq!(work.kept().as_deref(), Some(FINE_GRAINED));
        // The person knows better, and nobody takes it back.
        work.ask(&format!("expires {} 5d", work.forge.url()), b"")
            .succeeded();
        work.ask("check", b"");
        let ends = work.only_one()["expires_at_unix"].as_u64().unwrap();
        assert!(ends.abs_diff(now() + 5 * DAY) < 120);
    });
}

/// What the forge refuses stays: git is the one to say that it is dead.
#[test]
fn a_refused_token_stays() {
    alone("forge::learnt::a_refused_token_stays", || {
        for (speaks, secret, fate) in [
            (Speaks::GitHub, CLASSIC, Fate::Revoked),
            (Speaks::GitHub, CLASSIC, Fate::NeedsSso),
            (Speaks::GitHub, CLASSIC, Fate::LivesTooLong),
            (Speaks::GitLab, GITLAB, Fate::Revoked),
            (Speaks::GitLab, GITLAB, Fate::OtherKind),
        ] {
            let work = Work::with(speaks);
            work.forge.issue(Token::new("token", secret).fate(fate));
            work.store("alice", secret);
            is_quiet();
            assert_eq!(work.forge.asked().len(), 1);
            assert_eq!(work.kept().as_deref(), Some(secret), "{fate:?}");
            assert_eq!(work.only_one()["expires_at"], Value::Null, "{fate:?}");
        }
    });
}

/// All the ways to name an authority, behind git's back and in front of the person.
#[test]
fn trusts_whom_git_trusts() {
    alone("forge::learnt::trusts_whom_git_trusts", || {
        for way in [
            "GIT_SSL_CAINFO",
            "SSL_CERT_FILE",
            "http.sslCAInfo",
            "http.<url>.sslCAInfo",
            "",
        ] {
            let work = Work::with(Speaks::GitHub);
            work.forge
                .issue(Token::new("classic", CLASSIC).ends(in_days(100)));
            let authority = work.forge.authority();
            let line = format!("sslCAInfo = {}\n", authority.display());
            match way {
                "http.sslCAInfo" => work.sandbox.configure_git(&format!("[http]\n\t{line}")),
                "http.<url>.sslCAInfo" => {
                    work.sandbox
                        .configure_git(&format!("[http \"{}\"]\n\t{line}", work.forge.url()));
                }
                _ => {}
            }
            let command = |words: &str| {
                let mut command = work.sandbox.helper(&format!("{STORAGE} {words}"));
                if way.starts_with(char::is_uppercase) {
                    command.env(way, &authority);
                }
                command
            };
            process::run(&mut command("store"), &work.credential("alice", CLASSIC)).succeeded();
            is_quiet();
            let asked = work.forge.asked().len();
            let checked = process::run(&mut command("check"), b"");
            let is_trusted = !way.is_empty();
            assert_eq!(asked, usize::from(is_trusted), "{way}: the look-up");
            assert_eq!(
                checked.status.code(),
                Some(if is_trusted { 0 } else { 5 }),
                "{way}: {checked:?}"
            );
            assert_eq!(
                work.only_one()["expires_at"].is_null(),
                !is_trusted,
                "{way}"
            );
        }
    });
}

/// Those in a folder besides those of the system, as git has it, whatever else lies there.
#[test]
fn trusts_whom_git_finds_in_a_folder() {
    let stranger = Sandbox::new();
    let stranger = Certificates::new(&stranger).other_authority(&stranger);
    for (name, setting, is_of_system, is_trusted) in [
        ("known.pem", "[http]\n\tsslCAPath = FOLDER\n", false, true),
        (
            "01234567.0",
            "[http \"URL\"]\n\tsslCAPath = FOLDER\n",
            false,
            true,
        ),
        ("known.pem", "", false, true),
        ("", "[http]\n\tsslCAPath = FOLDER\n", false, false),
        ("", "[http]\n\tsslCAPath = FOLDER\n", true, true),
        ("", "[http]\n\tsslCAPath = /nowhere\n", true, true),
    ] {
        let work = Work::without_lookups(Speaks::GitHub);
        work.forge
            .issue(Token::new("classic", CLASSIC).ends(in_days(100)));
        work.store("alice", CLASSIC);
        let folder = work.sandbox.path("trusted");
        fs::create_dir(&folder).unwrap();
        fs::copy(&stranger, folder.join("stranger.pem")).unwrap();
        fs::write(folder.join("garbage"), b"-----BEGIN CERTIFICATE-----\n\xff").unwrap();
        fs::create_dir(folder.join("below")).unwrap();
        let mut pipe = work.sandbox.command(tool::need("mkfifo"));
        process::run(pipe.arg(folder.join("pipe")), b"").succeeded();
        let authority = work.forge.authority();
        if !name.is_empty() {
            symlink(&authority, folder.join(name)).unwrap();
        }
        let named = setting.replace("FOLDER", folder.to_str().unwrap());
        let named = named.replace("URL", &work.forge.url());
        work.sandbox.configure_git(&named);
        let mut check = work.sandbox.helper(&format!("{STORAGE} check"));
        if setting.is_empty() {
            check.env("GIT_SSL_CAPATH", &folder);
        }
        if is_of_system {
            check.env("SSL_CERT_FILE", &authority);
        }
        let checked = process::run(&mut check, b"");
        let code = if is_trusted { 0 } else { 5 };
        assert_eq!(checked.status.code(), Some(code), "{setting}: {checked:?}");
    }
}

/// Where the only way out is a proxy; it reads nothing of what goes by.
#[test]
fn goes_through_the_proxy() {
    alone("forge::learnt::goes_through_the_proxy", || {
        for way in [
            "https_proxy",
            "HTTPS_PROXY",
            "http.proxy",
            "http.<url>.proxy",
        ] {
            let work = Work::with(Speaks::GitHub);
            let proxy = Proxy::start();
            work.forge
                .issue(Token::new("classic", CLASSIC).ends(in_days(100)));
            let line = format!("proxy = {}\n", proxy.url());
            match way {
                "http.proxy" => work.sandbox.configure_git(&format!("[http]\n\t{line}")),
                "http.<url>.proxy" => {
                    work.sandbox
                        .configure_git(&format!("[http \"{}\"]\n\t{line}", work.forge.url()));
                }
                _ => {}
            }
            let with_proxy = |mut command: Command| {
                if !way.contains('.') {
                    command.env(way, proxy.url());
                }
                command
            };
            let mut store = with_proxy(work.command("store"));
            process::run(&mut store, &work.credential("alice", CLASSIC)).succeeded();
            is_quiet();
            // Behind git's back its settings need not be known.
            let before = proxy.asked().len();
            assert!(
                before == 1 || way.contains('.'),
                "{way}: the look-up asked {before} times"
            );
            process::run(&mut with_proxy(work.command("check")), b"").succeeded();
            let asked = proxy.asked();
            assert_eq!(asked.len(), before + 1, "{way}: check went past it");
            let is_connect = |head: &String| {
                head.starts_with(&format!("CONNECT {} ", work.forge.host()))
                    && !head.contains("Authorization:")
            };
            assert!(asked.iter().all(is_connect), "{way}: {asked:?}");
            assert_eq!(work.forge.asked().len(), 2);
        }
    });
}

/// Who finds out where the host is, is the proxy or this side, as git has it (curl's `CURLOPT_PROXY`).
#[test]
fn goes_through_a_socks_proxy() {
    for (scheme, expected) in [
        ("socks4", "4 address 127.0.0.1"),
        ("socks", "4 address 127.0.0.1"),
        ("socks4a", "4 name localhost"),
        ("socks5", "5 address "),
        ("socks5h", "5 name localhost"),
    ] {
        let work = Work::without_lookups(Speaks::GitHub);
        // It leads there whichever of the name's addresses was found here.
        let proxy = Proxy::leading_to(Some(work.forge.host()));
        work.forge
            .issue(Token::new("classic", CLASSIC).ends(in_days(100)));
        let mut login = work.command(&format!(
            "login --with-token --username alice {}",
            work.forge.url()
        ));
        let login = login.env("ALL_PROXY", proxy.url_as(scheme));
        let output = process::run(login, format!("{CLASSIC}\n").as_bytes()).succeeded();
        assert_eq!(output.stderr, "", "{scheme}");
        let asked = proxy.asked();
        assert!(
            asked.len() == 1 && asked[0].starts_with(expected),
            "{scheme}: {asked:?}"
        );
        assert!(!work.only_one()["expires_at"].is_null(), "{scheme}");
    }
}

/// What somebody has typed is not lost for a proxy that is of no use.
#[test]
fn login_keeps_the_token_whatever_the_proxy_is() {
    let work = Work::without_lookups(Speaks::GitHub);
    for (number, proxy) in [
        "socks5h://127.0.0.1:1",
        "socks5h://localhost/tmp/socket",
        "nonsense://127.0.0.1:1",
        "://",
    ]
    .into_iter()
    .enumerate()
    {
        let mut login = work.command(&format!(
            "login --with-token --username user{number} {}",
            work.forge.url()
        ));
        let login = login.env("https_proxy", proxy);
        let output = process::run(login, format!("{CLASSIC}\n").as_bytes()).succeeded();
        let told = "cannot tell whether the token works\ncause: cannot go through the proxy";
        assert!(output.stderr.contains(told), "{proxy}: {output:?}");
        assert_eq!(work.listed().len(), number + 1, "{proxy}");
    }
    assert_eq!(work.forge.asked().len(), 0);
}

/// What memory keeps is in the daemon: whoever looks up must find it there.
#[test]
fn learns_of_what_memory_keeps() {
    let work = Work::with(Speaks::GitHub);
    let ends = in_days(5);
    work.forge.issue(Token::new("classic", CLASSIC).ends(ends));
    let ask = |words: &str, input: &[u8]| {
        let command = work.sandbox.helper(&format!("--storage memory {words}"));
        process::run(&mut work.trusting(command), input).succeeded()
    };
    ask("store", &work.credential("alice", CLASSIC));
    let host = work.forge.host();
    let question = lines(&[("protocol", "https"), ("host", &host)]);
    let is_known = process::until_within(PATIENCE, || {
        let answer = Answer::read(&ask("get", &question).stdout);
        answer.get("password_expiry_utc") == Some(&ends.to_string())
    });
    assert!(is_known, "{:#?}", work.forge.record());
}
