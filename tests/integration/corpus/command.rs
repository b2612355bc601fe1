//! The corpus against command lines, by its own runner.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::case;
use crate::process::{self, DEADLINE, Output};
use crate::sandbox::{PROGRAM, Sandbox};
use crate::tool;

fn run(arguments: &[&str]) -> Output {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command(tool::need("python3"));
    command.arg(case::folder().join("run")).args(arguments);
    // Its homes go where ours are.
    command.env("TMPDIR", std::env::temp_dir());
    process::run_within(10 * DEADLINE, &mut command, b"")
}

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:#?}"))
}

#[track_caller]
fn assert_all_pass(storage: &str) {
    let output = run(&["--json", PROGRAM, "--storage", storage]);
    let report = report(&output);
    let failed = report["cases"].as_array().unwrap().iter();
    let failed: Vec<_> = failed
        .filter(|case| !case["failures"].as_array().unwrap().is_empty())
        .map(|case| format!("{}: {}", case["name"], case["failures"]))
        .collect();
    assert!(failed.is_empty() && output.status.success(), "{failed:#?}");
    assert!(report["passed"].as_u64().unwrap() > 600, "{report}");
}

#[test]
fn memory_passes_every_case() {
    assert_all_pass("memory");
}

#[test]
fn file_passes_every_case() {
    assert_all_pass("file");
}

#[test]
fn keychain_passes_every_case() {
    for program in ["dbus-daemon", "dbus-send", "gnome-keyring-daemon"] {
        tool::need(program);
    }
    assert_all_pass("keychain");
}

/// Runs one case by a helper that ends the keyring daemon in as many of its first `get`s.
fn with_a_dying_keyring(times: u32) -> Output {
    for program in ["dbus-daemon", "dbus-send", "gnome-keyring-daemon"] {
        tool::need(program);
    }
    let folder = tempfile::tempdir().unwrap();
    let (helper, count) = (folder.path().join("helper"), folder.path().join("count"));
    let bus = "org.freedesktop.DBus";
    let script = format!(
        "count=$(cat '{count}' 2>&-)\n\
         if [ \"$3\" = get ] && [ \"${{count:-0}}\" -lt {times} ]; then\n\
         echo $((${{count:-0}} + 1)) >'{count}'\n\
         set -- \"$@\" $(dbus-send --session --print-reply=literal --dest={bus} / \
         {bus}.GetConnectionUnixProcessID string:org.freedesktop.secrets)\n\
         kill -9 \"$5\"\n\
         fi\n\
         exec '{PROGRAM}' \"$1\" \"$2\" \"$3\"\n",
        count = count.display(),
    );
    fs::write(&helper, script).unwrap();
    let helper = helper.to_str().unwrap();
    let only = ["--only", "plain-get"];
    run(&[&only[..], &["sh", helper, "--storage", "keychain"]].concat())
}

#[test]
fn a_keyring_that_dies_is_started_again() {
    let output = with_a_dying_keyring(1);
    assert_eq!(
        output.text(),
        "1 passed, 0 failed, 0 not run\n",
        "{output:#?}"
    );
    assert_eq!(
        output.stderr, "the keyring has died in plain-get, and was started again\n",
        "{output:#?}"
    );
}

#[test]
fn a_case_that_kills_the_keyring_each_time_fails() {
    let output = with_a_dying_keyring(99);
    assert_eq!(output.status.code(), Some(1), "{output:#?}");
    assert!(
        output
            .text()
            .contains("the keyring died, or did not answer, each of 3 times"),
        "{output:#?}"
    );
}

/// Of each case: its name, and whether a helper fails it. Those that git's helpers fail show what the guard in git
/// itself is for; those that they pass show that the runner does not fail everything.
const GITS_CACHE_AND_STORE: [(&str, bool); 27] = [
    ("blank-get-empty", true),
    ("blank-get-line", true),
    ("blank-get-protocol-only", true),
    ("blank-get-host-only", true),
    ("blank-get-user-only", true),
    ("blank-erase-protocol-only", true),
    ("blank-erase-host-only", true),
    ("nul-in-host", true),
    ("nul-after-right-host", true),
    ("nul-in-protocol", true),
    ("nul-erase-host", true),
    ("nul-store-password", true),
    ("twice-get-host", true),
    ("twice-host-right-last", true),
    ("twice-erase-username", true),
    ("twice-store-username", true),
    ("plain-get", false),
    ("plain-miss", false),
    ("end-crlf", false),
    ("end-no-final-lf", false),
    ("twice-host-right-first", false),
    ("long-1024", false),
    ("port-default", false),
    ("host-other-suffix", false),
    ("erase-wrong-password", false),
    ("users-erase-all", false),
    ("username-empty", false),
];

#[test]
fn gits_own_helpers_fail_where_they_are_known_to() {
    for helper in ["credential-cache", "credential-store"] {
        let mut arguments = vec!["--json"];
        for (name, _) in GITS_CACHE_AND_STORE {
            arguments.extend(["--only", name]);
        }
        arguments.extend(["git", helper]);
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(1), "{output:#?}");
        let report = report(&output);
        for (name, fails) in GITS_CACHE_AND_STORE {
            let mut cases = report["cases"].as_array().unwrap().iter();
            let case = cases.find(|case| case["name"] == name).unwrap();
            let has_failed = !case["failures"].as_array().unwrap().is_empty();
            assert!(
                case["not_run"].is_null() && has_failed == fails,
                "{helper}: {case}"
            );
        }
    }
}

#[test]
fn the_runner_sees_each_kind_of_failure() {
    let folder = tempfile::tempdir().unwrap();
    let good = fs::read_to_string(case::folder().join("plain-get.case")).unwrap();
    let refused = fs::read_to_string(case::folder().join("blank-get-host-only.case")).unwrap();
    let stored = fs::read_to_string(case::folder().join("store-new-password.case")).unwrap();
    let wrong = [
        (
            "stdout",
            good.replace("stdout: password=topsecret", "stdout: password=topsecres"),
        ),
        (
            "no-answer",
            good.replace("host=victim.test\\n\n", "host=other.test\\n\n"),
        ),
        ("exit", refused.replace("exit: nonzero", "exit: 0")),
        (
            "storage",
            stored.replace("storage: stored", "storage: unchanged"),
        ),
        (
            "then",
            stored.replace("gives: password=new-secret", "gives: password=old-secret"),
        ),
        (
            "secret",
            refused.replace("where:", "secret: protocol\nwhere:"),
        ),
        (
            "limit",
            good.replace("where:", "limit-mebibytes: 1\nwhere:"),
        ),
    ];
    let write = |name: &str, text: &str| {
        fs::write(Path::new(folder.path()).join(format!("{name}.case")), text).unwrap();
    };
    write("right", &good);
    for (name, text) in &wrong {
        assert!(
            ![&good, &refused, &stored].contains(&text),
            "{name} is wrong"
        );
        write(name, text);
    }
    let cases = folder.path().to_str().unwrap();
    let output = run(&["--cases", cases, PROGRAM, "--storage", "file"]);
    assert_eq!(output.status.code(), Some(1), "{output:#?}");
    let said = output.text();
    for (name, _) in wrong {
        assert!(said.contains(&format!("FAILED {name}:")), "{name}: {said}");
    }
    assert!(said.ends_with("1 passed, 7 failed, 0 not run\n"), "{said}");
}
