//! The storage over a fake Credential Manager, with items written field by field as other programs write them.

mod conformance;
mod limits;
mod names;
mod programs;
#[cfg(windows)]
mod real;

use zeroize::Zeroizing;

use super::CredentialManager;
use super::fake::FakeStore;
use super::generic::{CredentialAttribute, GenericCredential, GenericStore, LOCAL_MACHINE, wide};
use crate::credential::Credential;
use crate::credential::expiry::Expiry;
use crate::credential::query::Query;
use crate::secret::Secret;
use crate::storage::Storage;
use crate::storage::keychain::Keychain;
use crate::storage::keychain::tests::over;

const EXPIRY: &str = "git_password_expiry_utc";

fn keychain(store: &FakeStore) -> Keychain {
    over(CredentialManager(store.clone()))
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn attribute(keyword: &str, value: &[u8]) -> CredentialAttribute {
    CredentialAttribute {
        keyword: wide(keyword),
        flags: 0,
        value: value.to_vec(),
    }
}

/// A credential as `CREDENTIALW` has it before any program sets a field.
fn blank(target: &str, user: &str, blob: &[u8]) -> GenericCredential {
    GenericCredential {
        target: target.to_owned(),
        user: Some(user.to_owned()),
        blob: Zeroizing::new(blob.to_vec()),
        persist: LOCAL_MACHINE,
        attributes: Vec::new(),
        comment: None,
        alias: None,
        flags: 0,
        written: 0,
    }
}

/// As git-credential-wincred stores it: `rest` is a refresh token, below the password.
fn wincred(target: &str, user: &str, secret: &str, expiry: Option<&str>) -> GenericCredential {
    let attributes = expiry.map(|digits| attribute(EXPIRY, &utf16(digits)));
    GenericCredential {
        attributes: attributes.into_iter().collect(),
        comment: Some(wide("saved by git-credential-wincred")),
        ..blank(target, user, &utf16(secret))
    }
}

/// As GCM stores it.
fn gcm(target: &str, user: &str, password: &str) -> GenericCredential {
    blank(target, user, &utf16(password))
}

fn of(items: impl IntoIterator<Item = GenericCredential>) -> FakeStore {
    let store = FakeStore::default();
    for item in items {
        store.write(&item).unwrap();
    }
    store
}

/// A Credential Manager with items of gh and GCM: target, user, and secret in UTF-8 or UTF-16.
pub(in crate::storage::keychain) fn with(utf8: &[[&str; 3]], wide: &[[&str; 3]]) -> Keychain {
    let utf8 = utf8
        .iter()
        .map(|[target, user, secret]| blank(target, user, secret.as_bytes()));
    let wide = wide
        .iter()
        .map(|[target, user, secret]| gcm(target, user, secret));
    keychain(&of(utf8.chain(wide)))
}

/// `URL` with a user: `https://me@one.test:1/a`.
fn query(url: &str) -> Query {
    let (protocol, rest) = url.split_once("://").unwrap();
    let (user, rest) = match rest.rsplit_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, rest),
    };
    let (host, path) = match rest.split_once('/') {
        Some((host, path)) => (host, Some(path.as_bytes().to_vec())),
        None => (rest, None),
    };
    Query {
        protocol: Some(protocol.into()),
        host: Some(host.into()),
        path,
        username: user.map(Into::into),
        ..Query::default()
    }
}

fn rejected(url: &str, password: &str) -> Query {
    Query {
        password: Some(Secret::new(password.as_bytes())),
        ..query(url)
    }
}

fn credential(url: &str, password: &str) -> Credential {
    Credential::complete(rejected(url, password)).unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// User, password, expiry and refresh token of the answer.
fn answer(store: &FakeStore, url: &str) -> String {
    answer_of(&keychain(store), url)
}

fn answer_of(keychain: &Keychain, url: &str) -> String {
    let found = keychain.get(&query(url)).unwrap();
    let Some(found) = found else {
        return "nothing".to_owned();
    };
    let user = found.key.username.as_ref();
    let mut words = vec![user.map_or("no user".to_owned(), |user| text(user.expose()))];
    words.extend(found.password.map(|password| text(password.expose())));
    words.extend(found.expiry.map(|expiry| expiry.to_string()));
    words.extend(found.refresh_token.map(|token| text(token.expose())));
    words.join(" ")
}

#[test]
fn a_new_item_is_as_wincred_writes_it() {
    let store = FakeStore::default();
    let mut new = credential("https://me@one.test:8443/acme/a.git", "tok-pass\u{e9}");
    new.expiry = Expiry::from_unix(9_000_000_000);
    new.refresh_token = Some(Secret::new(b"tok-fresh"));
    keychain(&store).store(&new).unwrap();
    let kept = store.kept("git:https://me@one.test:8443/acme/a.git");
    let theirs = wincred(
        "git:https://me@one.test:8443/acme/a.git",
        "me",
        "tok-pass\u{e9}\r\noauth_refresh_token=tok-fresh",
        Some("9000000000"),
    );
    assert_eq!(kept.target, theirs.target);
    assert_eq!(kept.user, theirs.user);
    assert!(*kept.blob == *theirs.blob);
    assert_eq!(kept.attributes, theirs.attributes);
    assert_eq!((kept.persist, kept.flags), (theirs.persist, theirs.flags));
    assert_eq!(kept.comment, Some(wide("saved by git-credential-pat")));
    assert_eq!(kept.alias, None);
    assert_eq!(store.targets().len(), 1);
}

#[test]
fn items_of_wincred_are_found_updated_and_erased() {
    for url in [
        "https://me@one.test",
        "https://me@one.test:8443",
        "https://me@one.test/acme/a.git",
        "https://me@corp@one.test",
        "http://me@[::1]:80",
        "https://corp/me@one.test/a",
    ] {
        let user = query(url).username.unwrap();
        let user = text(user.expose());
        let target = format!("git:{url}");
        let old = "tok-old\r\noauth_refresh_token=tok-fresh";
        let mut theirs = wincred(&target, &user, old, Some("9000000000"));
        theirs.attributes.push(attribute("other", b"\x01\x02\x03"));
        theirs.persist = 3;
        theirs.alias = Some(wide("alias"));
        let store = of([theirs]);
        let nameless = Query {
            username: None,
            ..query(url)
        };
        assert!(keychain(&store).get(&nameless).unwrap().is_some(), "{url}");
        let found = answer(&store, url);
        assert_eq!(found, format!("{user} tok-old 9000000000 tok-fresh"));

        let mut new = credential(url, "tok-new");
        new.expiry = Expiry::from_unix(9_000_000_001);
        keychain(&store).store(&new).unwrap();
        assert_eq!(answer(&store, url), format!("{user} tok-new 9000000001"));
        let kept = store.kept(&target);
        assert_eq!(store.targets().len(), 1);
        assert_eq!(kept.comment, Some(wide("saved by git-credential-wincred")));
        assert_eq!((kept.persist, kept.alias), (3, Some(wide("alias"))));
        assert!(
            kept.attributes
                .contains(&attribute("other", b"\x01\x02\x03"))
        );
        assert!(
            kept.attributes
                .contains(&attribute(EXPIRY, &utf16("9000000001")))
        );
        assert_eq!(kept.attributes.len(), 2);

        assert_eq!(
            keychain(&store).erase(&rejected(url, "tok-old")).unwrap(),
            0
        );
        assert_eq!(
            keychain(&store).erase(&rejected(url, "tok-new")).unwrap(),
            1
        );
        assert!(store.targets().is_empty(), "{url}");
    }
}

#[test]
fn an_item_with_a_refresh_token_is_erased_by_its_password() {
    let secret = "tok-dead\r\noauth_refresh_token=tok-fresh";
    for separator in ["\r\n", "\n"] {
        let secret = secret.replace("\r\n", separator);
        let store = of([wincred("git:https://me@one.test", "me", &secret, None)]);
        let erase = |password| keychain(&store).erase(&rejected("https://me@one.test", password));
        assert_eq!(erase("tok-fresh").unwrap(), 0);
        assert_eq!(erase("tok-dead").unwrap(), 1);
        assert!(store.targets().is_empty());
    }
}

#[test]
fn an_expiry_without_a_successor_goes_with_its_token() {
    let store = of([wincred(
        "git:https://me@one.test",
        "me",
        "tok-old",
        Some("9000000000"),
    )]);
    let new = credential("https://me@one.test", "tok-new");
    keychain(&store).store(&new).unwrap();
    assert!(store.kept("git:https://me@one.test").attributes.is_empty());
}

#[test]
fn setting_an_expiry_changes_nothing_else() {
    let secret = "tok\r\noauth_refresh_token=tok-fresh\r\nother=line";
    let store = of([wincred("git:https://me@one.test", "me", secret, None)]);
    let kept = keychain(&store).get(&query("https://one.test")).unwrap();
    let end = Expiry::from_unix(9_000_000_000);
    assert!(keychain(&store).set_expiry(&kept.unwrap(), end).unwrap());
    let kept = store.kept("git:https://me@one.test");
    assert_eq!(kept.attributes, [attribute(EXPIRY, &utf16("9000000000"))]);
    assert_eq!(
        answer(&store, "https://one.test"),
        "me tok 9000000000 tok-fresh"
    );
}

#[test]
fn a_test_write_changes_no_field() {
    let secret = "tok\r\noauth_refresh_token=tok-fresh\r\nother=line";
    let before = wincred("git:https://me@one.test", "me", secret, Some("9000000000"));
    let store = of([before]);
    let before = store.kept("git:https://me@one.test");
    let kept = keychain(&store)
        .get(&query("https://one.test"))
        .unwrap()
        .unwrap();
    assert!(keychain(&store).check_writable(&kept).unwrap());
    let after = store.kept("git:https://me@one.test");
    assert!(*after.blob == *before.blob);
    assert_eq!(after.attributes, before.attributes);
    assert_eq!(after.comment, before.comment);
    assert!(after.written > before.written, "written again");
}

#[test]
fn an_expiry_is_read_with_and_without_a_zero_and_only_if_it_is_a_number() {
    for (value, found) in [
        (utf16("9000000000"), "me tok 9000000000"),
        (utf16("9000000000\0"), "me tok 9000000000"),
        (utf16("soon"), "me tok"),
        (utf16(""), "me tok"),
        (b"9000000000".to_vec(), "me tok"),
        (utf16("1\npassword=evil"), "me tok"),
    ] {
        let mut item = wincred("git:https://me@one.test", "me", "tok", None);
        item.attributes.push(attribute(EXPIRY, &value));
        assert_eq!(answer(&of([item]), "https://one.test"), found, "{value:?}");
    }
}

#[test]
fn the_newest_item_answers_also_within_a_second() {
    let store = of([
        wincred("git:https://b@one.test", "b", "tok-b", None),
        wincred("git:https://a@one.test", "a", "tok-a", None),
    ]);
    assert_eq!(answer(&store, "https://one.test"), "a tok-a");
    keychain(&store)
        .store(&credential("https://b@one.test", "tok-b2"))
        .unwrap();
    assert_eq!(answer(&store, "https://one.test"), "b tok-b2");
    store.wait(60);
    keychain(&store)
        .store(&credential("https://a@one.test", "tok-a2"))
        .unwrap();
    assert_eq!(answer(&store, "https://one.test"), "a tok-a2");
}

#[test]
fn the_time_of_the_last_write_is_told() {
    let store = of([wincred("git:https://me@one.test", "me", "tok", None)]);
    let listed = keychain(&store).list().unwrap();
    // 29 November 2026.
    assert_eq!(listed[0].written, Some(1_795_910_400));
}

#[test]
fn what_is_stored_already_is_not_written() {
    let store = of([wincred(
        "git:https://me@one.test",
        "me",
        "tok",
        Some("9000000000"),
    )]);
    let mut same = credential("https://me@one.test", "tok");
    same.expiry = Expiry::from_unix(9_000_000_000);
    let before = store.writes();
    keychain(&store).store(&same).unwrap();
    assert_eq!(store.writes(), before);
}

#[test]
fn an_authorization_is_invisible_to_gits_own_helpers() {
    let store = FakeStore::default();
    for url in ["https://one.test/a", "https://me@one.test"] {
        let bearer = Query {
            authtype: Some(b"Bearer".to_vec()),
            credential: Some(Secret::new("tok-b\u{e9}arer".as_bytes())),
            ..query(url)
        };
        keychain(&store)
            .store(&Credential::complete(bearer).unwrap())
            .unwrap();
        let found = keychain(&store).get(&query(url)).unwrap().unwrap();
        let authorization = found.authorization.unwrap();
        assert_eq!(text(authorization.parameters.expose()), "tok-b\u{e9}arer");
    }
    assert_eq!(
        store.targets(),
        [
            "git-credential-pat:https://me@one.test",
            "git-credential-pat:https://one.test/a"
        ]
    );
    assert_eq!(
        keychain(&store).erase(&query("https://one.test")).unwrap(),
        2
    );
}
