//! Items without a user, as people make them by hand: `list` shows them, and `get` answers what git's own helper does.

use std::process::Command;

use crate::askpass::Askpass;
use crate::attributes::Answer;
use crate::keychain::helper_folder;
use crate::process;
use crate::sandbox::{PROGRAM, Sandbox};
use crate::tool;

const QUESTION: &[u8] = b"protocol=https\nhost=one.test\n\n";

/// A home in which git asks this helper, with an item without a user.
fn home() -> (Sandbox, Askpass) {
    let mut sandbox = Sandbox::new();
    sandbox.start_keyring();
    sandbox.configure_git(&format!(
        "[credential]\n\thelper = {PROGRAM} --storage keychain\n"
    ));
    let mut make = sandbox.command(tool::need("secret-tool"));
    make.args(["store", "--label=Git: https://one.test/"]);
    make.args(["xdg:schema", "org.git.Password"]);
    make.args(["protocol", "https", "server", "one.test"]);
    process::run(&mut make, b"tok-nameless").succeeded();
    let askpass = Askpass::new(&sandbox.path("askpass"));
    askpass.answers("alice", "tok-typed");
    (sandbox, askpass)
}

fn git(sandbox: &Sandbox, askpass: &Askpass, word: &str) -> Command {
    let mut git = sandbox.git(&["credential", word]);
    git.env("GIT_ASKPASS", askpass.program());
    git
}

#[test]
fn an_item_without_a_user_is_answered_as_gits_own_helper_does() {
    let (sandbox, _askpass) = home();
    let listed = sandbox
        .ask("--storage keychain list", b"")
        .succeeded()
        .text();
    assert!(listed.contains("https://one.test"), "{listed}");
    let answer = sandbox
        .ask("--storage keychain get", QUESTION)
        .succeeded()
        .text();
    assert_eq!(answer, "password=tok-nameless\n");
    if let Some(folder) = helper_folder() {
        let mut theirs = sandbox.command(folder.join("git-credential-libsecret"));
        let theirs = process::run(theirs.arg("get"), QUESTION).succeeded().text();
        assert_eq!(answer, theirs);
    }
    // It is not of this user, as far as is known.
    let of_bob = b"protocol=https\nhost=one.test\nusername=bob\n\n";
    let answer = sandbox.ask("--storage keychain get", of_bob).succeeded();
    assert_eq!(answer.text(), "");
}

#[test]
fn git_asks_for_the_name_once_and_keeps_it() {
    let (sandbox, askpass) = home();
    for _ in 0..2 {
        let filled = process::run(&mut git(&sandbox, &askpass, "fill"), QUESTION).succeeded();
        let answer = Answer::read(&filled.stdout);
        assert_eq!(answer.get("username"), Some("alice"));
        assert_eq!(answer.get("password"), Some("tok-nameless"));
        process::run(&mut git(&sandbox, &askpass, "approve"), &filled.stdout).succeeded();
    }
    assert_eq!(askpass.questions(), ["Username for 'https://one.test': "]);
}

#[test]
fn a_rejected_password_without_a_user_goes() {
    let (sandbox, askpass) = home();
    let filled = process::run(&mut git(&sandbox, &askpass, "fill"), QUESTION).succeeded();
    // Another password, of the same name, takes nothing away.
    let other = b"protocol=https\nhost=one.test\nusername=alice\npassword=tok-other\n\n";
    process::run(&mut git(&sandbox, &askpass, "reject"), other).succeeded();
    let kept = sandbox.ask("--storage keychain get", QUESTION).succeeded();
    assert_eq!(kept.text(), "password=tok-nameless\n");
    process::run(&mut git(&sandbox, &askpass, "reject"), &filled.stdout).succeeded();
    let kept = sandbox.ask("--storage keychain get", QUESTION).succeeded();
    assert_eq!(kept.text(), "");
    let listed = sandbox.ask("--storage keychain list", b"").succeeded();
    assert!(!listed.text().contains("one.test"), "{listed:?}");
}

/// A storage further down may have one that needs no question.
#[test]
fn one_with_a_user_is_answered_first() {
    let (sandbox, _askpass) = home();
    let alice = b"protocol=https\nhost=one.test\nusername=alice\npassword=tok-alice\n\n";
    sandbox.ask("--storage file store", alice).succeeded();
    let answer = sandbox
        .ask("--storage keychain,file get", QUESTION)
        .succeeded();
    assert_eq!(
        Answer::read(&answer.stdout).get("password"),
        Some("tok-alice")
    );
}
