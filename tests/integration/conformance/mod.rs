//! The cases that git holds every helper to: on git's own helpers first, which proves the cases right, then on ours.
//!
//! What git's helpers are known to fail is listed here case by case. A failure that is not listed is an error, and so is a
//! listed one that passes: the lists cannot rot.

mod bench;
mod cases;

use std::thread;

use self::bench::{Bench, Subject, Way};
use crate::git::{self, Git};

/// A case that fails, for whom, and why.
struct KnownFailure {
    case: &'static str,
    fails: fn(Subject, Way, &Git) -> bool,
    why: &'static str,
}

const KNOWN_FAILURES: &[KnownFailure] = &[
    KnownFailure {
        case: "keeps_what_has_another_password",
        fails: |subject, _, git| subject.is_git() && git.version < (2, 42),
        why: "before 2.42 git's helpers do not compare the password",
    },
    KnownFailure {
        case: "forgets_all_that_match",
        fails: |subject, _, git| subject == Subject::GitCache && git.version < (2, 42),
        why: "before 2.42 git's cache erases the first match only",
    },
    KnownFailure {
        case: "a_long_line_is_not_read_as_two",
        fails: |_, way, git| way == Way::ThroughGit && git.version < (2, 41),
        why: "before 2.41 git drops wwwauth[]",
    },
    KnownFailure {
        case: "returns_the_expiry",
        fails: drops_expiry,
        why: DROPS_EXPIRY,
    },
    KnownFailure {
        case: "a_new_expiry_replaces_the_old",
        fails: drops_expiry,
        why: DROPS_EXPIRY,
    },
    KnownFailure {
        case: "returns_the_refresh_token",
        fails: |subject, way, git| drops(subject, way, git, (2, 41)),
        why: "git's store never keeps oauth_refresh_token, git itself drops it before 2.41",
    },
    KnownFailure {
        case: "returns_the_authorization",
        fails: drops_authtype,
        why: DROPS_AUTHTYPE,
    },
    KnownFailure {
        case: "returns_the_authorization_of_a_user",
        fails: drops_authtype,
        why: DROPS_AUTHTYPE,
    },
    KnownFailure {
        case: "keeps_no_ephemeral_password",
        fails: drops_authtype,
        why: "git's store keeps it all the same, git itself drops ephemeral before 2.46",
    },
    KnownFailure {
        case: "returns_no_authorization_unasked",
        fails: |subject, _, git| {
            subject == Subject::GitCache && ((2, 46)..(2, 49)).contains(&git.version)
        },
        why: "from 2.46 to 2.48 git's cache does not heed the capability of who asks",
    },
];

const DROPS_EXPIRY: &str =
    "git's store never keeps password_expiry_utc, git itself drops it before 2.40";
const DROPS_AUTHTYPE: &str =
    "git's store never keeps authtype and credential, git itself drops them before 2.46";

fn drops_expiry(subject: Subject, way: Way, git: &Git) -> bool {
    drops(subject, way, git, (2, 40))
}

fn drops_authtype(subject: Subject, way: Way, git: &Git) -> bool {
    drops(subject, way, git, (2, 46))
}

/// Whether an attribute that git knows since a version is lost on the way.
fn drops(subject: Subject, way: Way, git: &Git, since: (u32, u32)) -> bool {
    let speaks_git = subject.is_git() || way == Way::ThroughGit;
    subject == Subject::GitStore || (speaks_git && git.version < since)
}

/// What is wrong with `subject`: one line for each case.
fn check(subject: Subject, way: Way, git: &Git) -> Vec<String> {
    let bench = Bench::new(subject, way, git);
    let mut wrong = Vec::new();
    for case in cases::ALL {
        let is_listed =
            |known: &&KnownFailure| known.case == case.name && (known.fails)(subject, way, git);
        let known = KNOWN_FAILURES.iter().find(is_listed);
        let what = match ((case.check)(&bench), known) {
            (Ok(()), None) | (Err(_), Some(_)) => continue,
            (Err(what), None) => what,
            (Ok(()), Some(known)) => format!("passes, but is listed as failing: {}", known.why),
        };
        wrong.push(format!(
            "{way:?}, git {:?}: {}: {what}",
            git.version, case.name
        ));
    }
    wrong
}

/// Git's helpers know what their git knows, ours does not come with a git.
fn check_all(subject: Subject) {
    let mut pairs = Vec::new();
    for git in git::all() {
        if subject.is_git() || *git == Git::new() {
            pairs.push((Way::Direct, git));
        }
        pairs.push((Way::ThroughGit, git));
    }
    // Each has its own sandbox; where the helper forgets, that is waited for in all of them at once.
    let lanes = if subject.forgets() { pairs.len() } else { 1 };
    let mut wrong = Vec::new();
    for some in pairs.chunks(lanes) {
        thread::scope(|scope| {
            let run = |&(way, git)| scope.spawn(move || check(subject, way, git));
            let running: Vec<_> = some.iter().map(run).collect();
            for one in running {
                wrong.extend(one.join().unwrap());
            }
        });
    }
    assert!(wrong.is_empty(), "{subject:?}:\n{}", wrong.join("\n"));
}

#[test]
fn git_cache() {
    check_all(Subject::GitCache);
}

#[test]
fn git_store() {
    check_all(Subject::GitStore);
}

#[test]
fn memory() {
    check_all(Subject::Memory);
}

#[test]
fn file() {
    check_all(Subject::File);
}

#[test]
fn keychain() {
    check_all(Subject::Keychain);
}

#[test]
fn every_listed_failure_names_a_case() {
    for known in KNOWN_FAILURES {
        assert!(
            cases::ALL.iter().any(|case| case.name == known.case),
            "{}",
            known.case
        );
    }
}
