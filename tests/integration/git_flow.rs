//! What people do all day: clone, fetch and push over HTTPS, with the token typed once.

use crate::attributes::lines;
use crate::flow::{BEARER, Flow, NEW_TOKEN, TOKEN, ours};
use crate::git::{self, Git};
use crate::process;
use crate::terminal::Session;

fn works_all_day(flow: &Flow) {
    flow.git(&["clone", "--quiet", &flow.server.url("basic"), "r"])
        .succeeded();
    assert_eq!(
        flow.askpass.questions().len(),
        2,
        "a username and a password, once"
    );
    assert_eq!(flow.kept().as_deref(), Some(TOKEN));
    flow.askpass.forget();
    flow.fetch_and_push();
    assert_eq!(
        flow.askpass.questions(),
        [""; 0],
        "asked again for what is kept"
    );
}

fn replaces_a_dead_token(flow: &Flow) {
    flow.server.takes(&flow.sandbox, NEW_TOKEN);
    let refused = flow.git(&["-C", "r", "fetch"]);
    assert!(!refused.status.success(), "{refused:?}");
    assert_eq!(flow.kept(), None, "the dead token is still kept");
    flow.askpass.forget();
    flow.askpass.answers("alice", NEW_TOKEN);
    flow.fetch_and_push();
    assert_eq!(flow.passwords_asked(), 1);
    assert_eq!(flow.kept().as_deref(), Some(NEW_TOKEN));
}

fn check(helper: &str, needs_keyring: bool) {
    for git in git::all() {
        let flow = Flow::new(helper, needs_keyring, git);
        works_all_day(&flow);
        replaces_a_dead_token(&flow);
    }
}

/// Git asks at the terminal itself, where nobody answers for the person.
fn check_at_terminal(helper: &str, git: &Git) {
    let flow = Flow::new(helper, false, git);
    let mut clone = flow.sandbox.git(&["clone", &flow.server.url("basic"), "r"]);
    clone.env("GIT_SSL_CAINFO", flow.server.certificate());
    clone.env("GIT_TERMINAL_PROMPT", "1");
    let mut session = Session::start(&clone);
    session.answer("Username for", "alice");
    session.answer("Password for", TOKEN);
    let (status, shown) = session.finish();
    assert!(status.success(), "{shown}");
    assert!(!shown.contains(TOKEN), "the token was shown: {shown}");
    assert_eq!(flow.kept().as_deref(), Some(TOKEN));
    flow.fetch_and_push();
    assert_eq!(flow.askpass.questions(), [""; 0]);
}

#[test]
fn git_cache() {
    check("cache", false);
}

#[test]
fn git_store() {
    check("store", false);
}

/// Not with git's cache, which ends with the terminal: that ours does not is part of what is tested.
#[test]
fn git_store_at_the_terminal() {
    check_at_terminal("store", &Git::new());
}

#[test]
fn memory() {
    check(&ours("memory"), false);
}

#[test]
fn file() {
    check(&ours("file"), false);
}

#[test]
fn keychain() {
    check(&ours("keychain"), true);
}

#[test]
fn memory_at_the_terminal() {
    for git in git::all() {
        check_at_terminal(&ours("memory"), git);
    }
}

/// A credential with a scheme of its own is kept and sent. Only gits since 2.46 know how.
fn sends_a_bearer_token(helper: &str) {
    let git = Git::new();
    if git.version < (2, 46) {
        eprintln!("git {:?} knows no authtype", git.version);
        return;
    }
    let flow = Flow::new(helper, false, &git);
    let host = flow.server.host();
    let credential = [
        ("capability[]", "authtype"),
        ("protocol", "https"),
        ("host", &host),
        ("authtype", "Bearer"),
        ("credential", BEARER),
    ];
    let mut approve = flow.sandbox.git(&["credential", "approve"]);
    process::run(&mut approve, &lines(&credential)).succeeded();
    flow.git(&["clone", "--quiet", &flow.server.url("bearer"), "r"])
        .succeeded();
    flow.fetch_and_push();
    assert_eq!(flow.askpass.questions(), [""; 0]);
}

#[test]
fn git_cache_sends_a_bearer_token() {
    sends_a_bearer_token("cache");
}

#[test]
fn memory_sends_a_bearer_token() {
    sends_a_bearer_token(&ours("memory"));
}
