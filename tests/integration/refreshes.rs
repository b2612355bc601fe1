//! A token that another helper renews with its refresh token, as git-credential-oauth does, while a slow command still uses the
//! old one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::attributes::{Answer, lines};
use crate::flow::{Flow, NEW_TOKEN, TOKEN, ours};
use crate::git;
use crate::process;
use crate::slow_commands::Slow;

/// The first git that tells a helper the refresh token of the helper before it.
const TELLS_REFRESH_TOKEN: (u32, u32) = (2, 41);
/// The first git that confirms a token with its expiry, and does not confirm one that has expired.
const SENDS_EXPIRY: (u32, u32) = (2, 40);
const LIFETIME: Duration = Duration::from_secs(2);

fn unix_now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// Adds a helper behind ours that answers with the new token. It writes the queries that it gets into a file.
fn add_renewing_helper(flow: &Flow, storage: &str) {
    let [program, queries] = ["renew", "queries"].map(|name| flow.sandbox.path(name));
    let expiry = unix_now().as_secs() + 3600;
    let script = format!(
        "#!/bin/sh\n\
         [ \"$1\" = get ] || exit 0\n\
         cat >> '{}'\n\
         printf 'username=alice\\npassword={NEW_TOKEN}\\npassword_expiry_utc={expiry}\\noauth_refresh_token=second\\n'\n",
        queries.display()
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    flow.sandbox.configure_git(&format!(
        "[credential]\n\thelper =\n\thelper = {}\n\thelper = {}\n",
        ours(storage),
        program.display()
    ));
}

/// `if_confirmed`: the token that is kept in the end if an older git, which has lost the expiry, confirms the old one.
fn a_renewed_token_stays(storage: &str, needs_keyring: bool, if_confirmed: &str) {
    for git in git::all() {
        let flow = Flow::new(&ours(storage), needs_keyring, git);
        add_renewing_helper(&flow, storage);
        let host = flow.server.host();
        let old = [
            ("protocol", "https"),
            ("host", &host[..]),
            ("username", "alice"),
            ("password", TOKEN),
        ];
        let expiry = (unix_now() + LIFETIME).as_secs().to_string();
        let renewable = [
            ("password_expiry_utc", &expiry[..]),
            ("oauth_refresh_token", "first"),
        ];
        let words = format!("--storage {storage}");
        let ask = |operation: &str, pairs: &[(&str, &str)]| {
            let words = format!("{words} {operation}");
            flow.sandbox.ask(&words, &lines(pairs)).succeeded().stdout
        };
        ask("store", &[&old[..], &renewable].concat());
        let (confirmed, stays) = if git.version >= SENDS_EXPIRY {
            ([&old[..], &renewable].concat(), NEW_TOKEN)
        } else {
            (old.to_vec(), if_confirmed)
        };
        let slow = Slow::begin(&flow.sandbox, &words, &lines(&confirmed));
        let kept = || {
            Answer::read(&ask("get", &old[..2]))
                .get("password")
                .map(str::to_owned)
        };
        assert!(process::until(|| kept().is_none()), "it does not expire");

        flow.server.takes(&flow.sandbox, NEW_TOKEN);
        flow.git(&["ls-remote", &flow.server.url("basic")])
            .succeeded();
        let queries = fs::read_to_string(flow.sandbox.path("queries")).unwrap();
        let is_told = queries.contains("oauth_refresh_token=first\n");
        assert_eq!(is_told, git.version >= TELLS_REFRESH_TOKEN, "{queries}");
        assert!(!queries.contains(TOKEN), "an expired secret was answered");
        assert_eq!(kept().as_deref(), Some(NEW_TOKEN), "{git:?}, {storage}");

        slow.confirm();
        assert_eq!(kept().as_deref(), Some(stays), "{git:?}, {storage}");
        assert_eq!(flow.askpass.questions(), [""; 0]);
    }
}

/// Memory wipes a secret when it expires, so no mark can tell that the old token was displaced.
#[test]
fn a_renewed_token_stays_in_memory() {
    a_renewed_token_stays("memory", false, TOKEN);
}

#[test]
fn a_renewed_token_stays_in_a_file() {
    a_renewed_token_stays("file", false, NEW_TOKEN);
}

#[test]
fn a_renewed_token_stays_in_the_keychain() {
    a_renewed_token_stays("keychain", true, NEW_TOKEN);
}
