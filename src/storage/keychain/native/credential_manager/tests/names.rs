//! Target names: every shape is found, and no entry takes the name of another user.

use super::*;
use crate::storage::keychain::attributes::Schema;
use crate::storage::keychain::items::ItemStore;
use crate::storage::keychain::native::credential_manager::generic::ErrorCode;

/// Target, user, and the URL that finds it.
const SHAPES: [(&str, &str, &str); 12] = [
    ("git:https://one.test", "me", "https://me@one.test"),
    ("git:https://one.test/", "me", "https://me@one.test"),
    ("git:https://me@one.test", "me", "https://me@one.test"),
    (
        "git:https://me_corp@one.test",
        "me@corp",
        "https://me@corp@one.test",
    ),
    (
        "git:https://me@corp@one.test",
        "me@corp",
        "https://me@corp@one.test",
    ),
    (
        "git:https://one.test:8443",
        "me",
        "https://me@one.test:8443",
    ),
    (
        "git:https://one.test/acme",
        "me",
        "https://me@one.test/acme",
    ),
    (
        "git:https://one.test/my%20team",
        "me",
        "https://me@one.test/my team",
    ),
    ("git:https://ONE.test", "me", "https://me@one.test"),
    (
        "git:https://one.test",
        "Personal Access Token",
        "https://Personal Access Token@one.test",
    ),
    ("git:https://other@one.test", "me", "https://me@one.test"),
    (
        "LegacyGeneric:target=git:https://one.test",
        "me",
        "https://me@one.test",
    ),
];

#[test]
fn items_of_gcm_are_found_updated_and_erased_in_every_shape() {
    for (target, user, url) in SHAPES {
        let store = FakeStore::default();
        let kept = target.trim_start_matches("LegacyGeneric:target=");
        store.write(&gcm(kept, user, "tok-old")).unwrap();
        // Only listings have the prefix.
        let asks = || over(CredentialManager(Prefixed(store.clone(), kept != target)));
        for asked in [
            query(url),
            Query {
                username: None,
                ..query(url)
            },
        ] {
            let found = asks().get(&asked).unwrap();
            let found = found.unwrap_or_else(|| panic!("{target}"));
            assert_eq!(text(found.key.username.unwrap().expose()), user);
            assert_eq!(text(found.password.unwrap().expose()), "tok-old");
        }
        asks().store(&credential(url, "tok-new")).unwrap();
        assert_eq!(store.targets(), [kept], "no second entry of one user");
        assert!(*store.kept(kept).blob == *utf16("tok-new"));
        assert_eq!(store.kept(kept).comment, None);
        assert_eq!(asks().erase(&rejected(url, "tok-old")).unwrap(), 0);
        assert_eq!(asks().erase(&rejected(url, "tok-new")).unwrap(), 1);
        assert!(store.targets().is_empty());
    }
}

/// Lists targets as Windows shows them to a program that asks for all.
struct Prefixed(FakeStore, bool);

impl GenericStore for Prefixed {
    fn list(&self, prefix: &str) -> Result<Vec<GenericCredential>, ErrorCode> {
        let mut listed = self.0.list(prefix)?;
        for credential in &mut listed {
            if self.1 {
                credential.target.insert_str(0, "LegacyGeneric:target=");
            }
        }
        Ok(listed)
    }

    fn read(&self, target: &str) -> Result<GenericCredential, ErrorCode> {
        self.0.read(target)
    }

    fn write(&self, credential: &GenericCredential) -> Result<(), ErrorCode> {
        self.0.write(credential)
    }

    fn delete(&self, target: &str) -> Result<(), ErrorCode> {
        self.0.delete(target)
    }

    fn most_lasting(&self) -> Result<u32, ErrorCode> {
        self.0.most_lasting()
    }
}

#[test]
fn a_path_with_an_at_sign_is_no_user() {
    let store = FakeStore::default();
    let url = "https://one.test/o/@s/r";
    let wanted = Query {
        path: Some(b"o/@s/r".to_vec()),
        username: Some("me".into()),
        password: Some(Secret::new(b"tok")),
        ..query("https://one.test")
    };
    keychain(&store)
        .store(&Credential::complete(wanted.duplicate()).unwrap())
        .unwrap();
    assert_eq!(store.targets(), ["git:https://me@one.test/o/@s/r"]);
    assert!(keychain(&store).get(&wanted).unwrap().is_some());
    let store = of([gcm(&format!("git:{url}"), "me", "tok")]);
    assert!(keychain(&store).get(&wanted).unwrap().is_some());
}

#[test]
fn port_and_path_match_exactly() {
    let store = of([
        wincred("git:https://me@one.test:8443", "me", "tok-port", None),
        wincred("git:https://me@two.test/acme", "me", "tok-path", None),
    ]);
    assert_eq!(answer(&store, "https://one.test"), "nothing");
    assert_eq!(answer(&store, "https://one.test:844"), "nothing");
    assert_eq!(answer(&store, "https://one.test:8443"), "me tok-port");
    assert_eq!(answer(&store, "https://two.test/acm"), "nothing");
    assert_eq!(answer(&store, "https://two.test/acme"), "me tok-path");
}

#[test]
fn a_second_user_never_overwrites_the_first() {
    let store = of([gcm("git:https://one.test", "first", "tok-1")]);
    keychain(&store)
        .store(&credential("https://second@one.test", "tok-2"))
        .unwrap();
    assert_eq!(answer(&store, "https://first@one.test"), "first tok-1");
    assert_eq!(answer(&store, "https://second@one.test"), "second tok-2");
    assert_eq!(store.targets().len(), 2);
}

#[test]
fn users_whose_names_windows_takes_for_one_are_kept_apart() {
    for (target, first, second) in [
        ("git:https://Me@one.test", "Me", "me"),
        ("git:https://me_corp@one.test", "me@corp", "me_corp"),
    ] {
        let store = of([gcm(target, first, "tok-1")]);
        let url = format!("https://{second}@one.test");
        keychain(&store).store(&credential(&url, "tok-2")).unwrap();
        assert_eq!(answer(&store, &url), format!("{second} tok-2"));
        let url = format!("https://{first}@one.test");
        assert_eq!(answer(&store, &url), format!("{first} tok-1"));
        assert!(store.targets().contains(&"git:https://one.test".to_owned()));
        assert_eq!(store.targets().len(), 2);
    }
}

#[test]
fn if_both_names_are_taken_the_store_fails_and_changes_nothing() {
    let store = of([
        gcm("git:https://Me@one.test", "Me", "tok-1"),
        gcm("git:https://one.test", "other", "tok-2"),
    ]);
    let before = store.writes();
    let failed = keychain(&store).store(&credential("https://me@one.test", "tok-3"));
    let failed = failed.unwrap_err();
    assert!(
        failed.hint().unwrap().contains("cmdkey /list"),
        "{failed:?}"
    );
    assert!(!format!("{failed:?}").contains("tok-3"));
    assert_eq!(store.writes(), before);
}

#[test]
fn two_entries_of_one_user_become_one() {
    let store = of([
        gcm("git:https://one.test", "me", "tok-1"),
        wincred("git:https://me@one.test", "me", "tok-2", None),
    ]);
    keychain(&store)
        .store(&credential("https://me@one.test", "tok-3"))
        .unwrap();
    assert_eq!(store.targets(), ["git:https://me@one.test"]);
    assert_eq!(answer(&store, "https://one.test"), "me tok-3");
}

#[test]
fn an_item_without_a_user_is_found() {
    let store = of([gcm("git:https://one.test", "", "tok")]);
    assert_eq!(answer(&store, "https://one.test"), "no user tok");
    let store = of([wincred("git:https://@one.test", "", "", None)]);
    assert_eq!(answer(&store, "https://one.test"), " ");
}

#[test]
fn refresh_tokens_of_gcm_are_no_entries() {
    let store = of([
        gcm("git:https://refresh_token.one.test", "me", "tok"),
        gcm("git:https://oauth-refresh-token.one.test", "me", "tok"),
        gcm("git:https://bitbucket.test/refresh_token", "me", "tok"),
    ]);
    assert!(keychain(&store).list().unwrap().is_empty());
    assert_eq!(
        keychain(&store)
            .erase(&query("https://bitbucket.test"))
            .unwrap(),
        0
    );
    // A path that is only called so.
    let store = of([wincred(
        "git:https://me@one.test/a/refresh_token",
        "me",
        "tok",
        None,
    )]);
    assert_eq!(keychain(&store).list().unwrap().len(), 1);
}

#[test]
fn a_target_that_is_no_url_is_no_entry() {
    for target in [
        "git:",
        "git:https",
        "git://",
        "git:https:/one.test",
        "git:https://a b",
        "git:1://one.test",
        "git:https://one.test\u{1}",
        "gitx:https://one.test",
        "LegacyGeneric:target=gh:https://one.test",
    ] {
        let store = of([wincred(target, "me", "tok", None)]);
        assert!(keychain(&store).list().unwrap().is_empty(), "{target}");
    }
}

#[test]
fn an_item_that_another_program_changed_meanwhile_stays() {
    let target = "git:https://me@one.test";
    let wanted = query("https://me@one.test").key().unwrap();
    let wanted = [Schema::Password.attributes(&wanted).unwrap()];
    let store = of([wincred(target, "me", "older", None)]);
    let items = CredentialManager(store.clone());
    let found = items.search(&wanted).unwrap().remove(0).remove(0);
    store.write(&wincred(target, "me", "newer", None)).unwrap();
    let changed = items.set_secret(&found, b"mine");
    assert!(
        matches!(changed, Err(keyring::Error::NoEntry)),
        "{changed:?}"
    );
    let removed = items.delete(&found);
    assert!(
        matches!(removed, Err(keyring::Error::NoEntry)),
        "{removed:?}"
    );
    assert_eq!(answer(&store, "https://one.test"), "me newer");
    let found = items.search(&wanted).unwrap().remove(0).remove(0);
    items.set_secret(&found, b"mine").unwrap();
    items.delete(&found).unwrap();
    assert!(store.targets().is_empty());
}
