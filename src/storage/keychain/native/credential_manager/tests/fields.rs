//! The fields of an item: what a new one has, and what an update keeps.

use super::*;

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
