//! The cases that git holds every helper to, over each storage of this system. `tests/integration/conformance` proves them on
//! git's own helpers.

use std::env;
use std::io::Write;

use crate::bench::{Bench, Subject};
use crate::cases;

/// Wine 8 keeps no attributes of an item, and the expiry is one.
const FAILS_UNDER_WINE: [&str; 2] = ["returns_the_expiry", "a_new_expiry_replaces_the_old"];

fn is_wine() -> bool {
    cfg!(windows) && env::var_os("WINEPREFIX").is_some()
}

/// A failure that is not listed is an error, and so is a listed one that passes.
fn check_all(subject: Subject) {
    let bench = Bench::new(subject);
    let mut wrong = Vec::new();
    for case in cases::ALL {
        let is_listed =
            subject == Subject::Keychain && is_wine() && FAILS_UNDER_WINE.contains(&case.name);
        match (case.check)(&bench) {
            Ok(()) if is_listed => wrong.push(format!("{} passes, but is listed", case.name)),
            Err(what) if !is_listed => wrong.push(format!("{}: {what}", case.name)),
            _ => {}
        }
    }
    bench.clear();
    assert!(wrong.is_empty(), "{subject:?}:\n{}", wrong.join("\n"));
}

#[test]
fn memory() {
    check_all(Subject::Memory);
}

#[test]
fn file() {
    check_all(Subject::File);
}

/// Only where the variable says that the keychain of this user may be written to: that of a person is left alone.
#[test]
fn keychain() {
    if env::var_os("TEST_SYSTEM_KEYCHAIN").is_none() {
        assert!(
            env::var_os("CI").is_none() || cfg!(target_os = "linux"),
            "CI tests the keychain of the system"
        );
        let _ = writeln!(
            std::io::stderr(),
            "NOT TESTED: the keychain of this system, since TEST_SYSTEM_KEYCHAIN is not set"
        );
        return;
    }
    check_all(Subject::Keychain);
}
