//! The Credential Manager of Windows itself, and git-credential-wincred beside it.
//!
//! Each test has a host of its own below `.invalid`, and removes its items. The store of a person is left alone: on Windows itself
//! `TEST_SYSTEM_KEYCHAIN` must be set. `GIT_CREDENTIAL_WINCRED` names git's program; else it is looked for beside git. Wine drops
//! the attributes of credentials, so there the expiry is left out.

use std::env;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::*;
use crate::storage::Error;
use crate::storage::keychain::native::credential_manager::api::Api;
use crate::storage::keychain::native::credential_manager::generic::ErrorCode;

/// One test at a time: wine lists credentials in two passes, and a change between them damages its memory.
static TURN: Mutex<()> = Mutex::new(());

/// A host, whose items go with it.
struct Host(
    String,
    #[allow(dead_code, reason = "held")] MutexGuard<'static, ()>,
);

impl Host {
    /// `None`: the tests may not write to this store.
    fn new(name: &str) -> Option<Self> {
        if !is_wine() && env::var_os("TEST_SYSTEM_KEYCHAIN").is_none() {
            assert!(
                env::var_os("CI").is_none(),
                "CI tests the keychain of the system"
            );
            eprintln!("NOT TESTED: the Credential Manager, since TEST_SYSTEM_KEYCHAIN is not set");
            return None;
        }
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("{name}-{}.pat.invalid", std::process::id());
        Some(Self(name, turn))
    }

    fn url(&self, user: &str) -> String {
        format!("https://{user}@{}", self.0)
    }

    fn clear(&self) {
        for credential in Api.list("").unwrap_or_default() {
            if credential.target.contains(&self.0) {
                let _ = Api.delete(&credential.target);
            }
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.clear();
    }
}

fn real() -> Keychain {
    over(CredentialManager(Api))
}

fn real_answer(url: &str) -> String {
    answer_of(&real(), url)
}

fn is_wine() -> bool {
    env::var_os("WINEPREFIX").is_some()
}

/// Whether this is Windows itself, which keeps what wine drops.
fn is_windows_itself() -> bool {
    if is_wine() {
        eprintln!("LEFT OUT: wine keeps no attributes and knows no limits");
    }
    !is_wine()
}

/// git-credential-wincred; `None`: it is not here.
fn wincred_program() -> Option<PathBuf> {
    let named = env::var_os("GIT_CREDENTIAL_WINCRED").map(PathBuf::from);
    let beside_git = || {
        let output = Command::new("git").arg("--exec-path").output().ok()?;
        let folder = String::from_utf8(output.stdout).ok()?;
        Some(PathBuf::from(folder.trim()).join("git-credential-wincred.exe"))
    };
    let found = named.or_else(beside_git).filter(|path| path.is_file());
    if found.is_none() {
        let must_be_here = env::var("CI").as_deref() == Ok("true") && !is_wine();
        assert!(!must_be_here, "git-credential-wincred is missing");
        eprintln!("LEFT OUT: git-credential-wincred is not here");
    }
    found
}

/// Runs git-credential-wincred, and returns its output.
fn ask_wincred(operation: &str, lines: &str) -> String {
    let mut child = Command::new(wincred_program().unwrap())
        .arg(operation)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(format!("{lines}\n").as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{operation}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn lines(host: &Host, more: &[&str]) -> String {
    let mut lines = format!("protocol=https\nhost={}\n", host.0);
    for line in more {
        lines.push_str(line);
        lines.push('\n');
    }
    lines
}

#[test]
fn an_item_is_kept_field_by_field() {
    let Some(host) = Host::new("fields") else {
        return;
    };
    let mut new = credential(&host.url("me"), "tok-pass\u{e9}\u{1F511}");
    new.expiry = Expiry::from_unix(9_000_000_000);
    new.refresh_token = Some(Secret::new(b"tok-fresh"));
    real().store(&new).unwrap();
    let kept = Api.read(&format!("git:{}", host.url("me"))).ok().unwrap();
    assert_eq!(kept.user.as_deref(), Some("me"));
    let secret = "tok-pass\u{e9}\u{1F511}\r\noauth_refresh_token=tok-fresh";
    assert!(*kept.blob == *utf16(secret));
    assert_eq!(kept.comment, Some(wide("saved by git-credential-pat")));
    assert_eq!((kept.persist, kept.flags), (LOCAL_MACHINE, 0));
    let mut found = "me tok-pass\u{e9}\u{1F511} tok-fresh".to_owned();
    if is_windows_itself() {
        assert_eq!(kept.attributes, [attribute(EXPIRY, &utf16("9000000000"))]);
        found = found.replace(" tok-fresh", " 9000000000 tok-fresh");
    }
    assert_eq!(real_answer(&host.url("me")), found);
    let listed = real().list().unwrap();
    let mine = listed
        .iter()
        .find(|one| text(&one.key.host) == host.0)
        .unwrap();
    assert!(mine.written.unwrap() > 1_700_000_000, "{:?}", mine.written);
}

#[test]
fn entries_are_updated_kept_apart_and_erased() {
    let Some(host) = Host::new("apart") else {
        return;
    };
    Api.write(&gcm(&format!("git:https://{}", host.0), "me", "tok-1"))
        .unwrap();
    real()
        .store(&credential(&host.url("you"), "tok-2"))
        .unwrap();
    real().store(&credential(&host.url("me"), "tok-3")).unwrap();
    assert_eq!(real_answer(&host.url("me")), "me tok-3");
    assert_eq!(real_answer(&host.url("you")), "you tok-2");
    let bare = Api.read(&format!("git:https://{}", host.0)).ok().unwrap();
    assert!(*bare.blob == *utf16("tok-3"), "no second entry of one user");
    assert_eq!(
        Api.read(&format!("git:{}", host.url("me"))).err(),
        Some(ErrorCode::NOT_FOUND)
    );
    // Windows takes these two names for one.
    real()
        .store(&credential(&host.url("YOU"), "tok-4"))
        .unwrap_err();
    assert_eq!(real_answer(&host.url("you")), "you tok-2");
    assert_eq!(
        real().erase(&rejected(&host.url("you"), "tok-1")).unwrap(),
        0
    );
    assert_eq!(
        real().erase(&rejected(&host.url("you"), "tok-2")).unwrap(),
        1
    );
    assert_eq!(real_answer(&host.url("you")), "nothing");
    assert_eq!(real_answer(&host.url("me")), "me tok-3");
}

#[test]
fn an_authorization_and_an_item_of_gh_are_kept_too() {
    let Some(host) = Host::new("others") else {
        return;
    };
    let bearer = Query {
        authtype: Some(b"Bearer".to_vec()),
        credential: Some(Secret::new(b"tok-bearer")),
        ..query(&host.url("me"))
    };
    real()
        .store(&Credential::complete(bearer).unwrap())
        .unwrap();
    let found = real().get(&query(&host.url("me"))).unwrap().unwrap();
    assert_eq!(
        found.authorization.unwrap().parameters.expose(),
        b"tok-bearer"
    );
    assert!(wincred_program().is_none() || ask_wincred("get", &lines(&host, &[])).is_empty());

    Api.write(&blank(&format!("gh:{}:me", host.0), "me", b"tok-gh"))
        .unwrap();
    let items = real()
        .external(vec![("service", format!("gh:{}", host.0))])
        .unwrap();
    assert_eq!(items.len(), 1);
    assert_eq!(items[0].secret.expose(), b"tok-gh");
    let removed = real().remove_external(&items[0].attributes, &items[0].secret);
    assert_eq!(removed.unwrap(), 1);
}

#[test]
fn the_limit_is_that_of_windows() {
    let Some(host) = Host::new("limit") else {
        return;
    };
    real()
        .store(&credential(&host.url("me"), &"x".repeat(1280)))
        .unwrap();
    let error = real().store(&credential(&host.url("me"), &"x".repeat(1281)));
    assert!(matches!(error.unwrap_err(), Error::Unavailable { .. }));
    assert_eq!(
        real_answer(&host.url("me")),
        format!("me {}", "x".repeat(1280))
    );
    if is_windows_itself() {
        let target = format!("git:{}", host.url("me"));
        let longer = blank(&target, "me", &[b'x'; 2562]);
        assert_eq!(Api.write(&longer), Err(ErrorCode::TOO_LONG));
    }
}

#[test]
fn an_item_of_wincred_is_found_updated_and_erased() {
    if wincred_program().is_none() {
        return;
    }
    let Some(host) = Host::new("theirs") else {
        return;
    };
    for user in ["me", "me@corp"] {
        let named = format!("username={user}");
        let stored = lines(
            &host,
            &[
                &named,
                "password=tok-1",
                "password_expiry_utc=9000000000",
                "oauth_refresh_token=tok-fresh",
            ],
        );
        ask_wincred("store", &stored);
        let expiry = if is_windows_itself() {
            " 9000000000"
        } else {
            ""
        };
        assert_eq!(
            real_answer(&host.url(user)),
            format!("{user} tok-1{expiry} tok-fresh")
        );

        let mut new = real().get(&query(&host.url(user))).unwrap().unwrap();
        new.password = Some(Secret::new(b"tok-2"));
        real().store(&new).unwrap();
        let said = ask_wincred("get", &lines(&host, &[&named]));
        assert!(
            said.contains(&named) && said.contains("password=tok-2\n"),
            "{said}"
        );
        assert!(said.contains("oauth_refresh_token=tok-fresh\n"), "{said}");
        if is_windows_itself() {
            assert!(said.contains("password_expiry_utc=9000000000\n"), "{said}");
        }

        // git-credential-wincred compares the refresh token too, and keeps the item.
        ask_wincred("erase", &lines(&host, &[&named, "password=tok-2"]));
        assert!(!ask_wincred("get", &lines(&host, &[&named])).is_empty());
        assert_eq!(
            real().erase(&rejected(&host.url(user), "tok-2")).unwrap(),
            1
        );
        assert!(ask_wincred("get", &lines(&host, &[&named])).is_empty());
    }
}

#[test]
fn wincred_finds_and_erases_an_item_of_this_program() {
    if wincred_program().is_none() {
        return;
    }
    let Some(host) = Host::new("ours") else {
        return;
    };
    for (url, more) in [
        (host.url("me"), vec!["username=me"]),
        (host.url("me@corp"), vec!["username=me@corp"]),
        (
            format!("{}/acme/a.git", host.url("path")),
            vec!["username=path", "path=acme/a.git"],
        ),
    ] {
        real().store(&credential(&url, "tok-\u{e9}")).unwrap();
        let said = ask_wincred("get", &lines(&host, &more));
        assert_eq!(said, format!("{}\npassword=tok-\u{e9}\n", more[0]));
        let stale = [&more[..], &["password=tok-stale"]].concat();
        ask_wincred("erase", &lines(&host, &stale));
        assert_ne!(real_answer(&url), "nothing");
        let meant = [&more[..], &["password=tok-\u{e9}"]].concat();
        ask_wincred("erase", &lines(&host, &meant));
        assert_eq!(real_answer(&url), "nothing", "{url}");
    }
    // Without a user, as git asks first.
    real().store(&credential(&host.url("me"), "tok")).unwrap();
    assert_eq!(
        ask_wincred("get", &lines(&host, &[])),
        "username=me\npassword=tok\n"
    );
}
