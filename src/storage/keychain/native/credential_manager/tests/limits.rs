//! Sizes and error numbers.

use super::*;
use crate::storage::Error;
use crate::storage::keychain::native::credential_manager::generic::ErrorCode;

const URL: &str = "https://me@one.test";
const TARGET: &str = "git:https://me@one.test";

fn told(error: &Error) -> String {
    let cause = std::error::Error::source(error).unwrap();
    format!("{cause}: {}", error.hint().unwrap_or_default())
}

#[test]
fn a_secret_has_at_most_1280_units() {
    let store = FakeStore::default();
    keychain(&store)
        .store(&credential(URL, &"x".repeat(1280)))
        .unwrap();
    assert_eq!(store.kept(TARGET).blob.len(), 2560);
    assert_eq!(answer(&store, URL), format!("me {}", "x".repeat(1280)));
    // Each of them takes two units.
    keychain(&store)
        .store(&credential(URL, &"\u{1F511}".repeat(640)))
        .unwrap();
    assert_eq!(store.kept(TARGET).blob.len(), 2560);

    let before = store.writes();
    for secret in ["x".repeat(1281), "\u{1F511}".repeat(641)] {
        let error = keychain(&store)
            .store(&credential(URL, &secret))
            .unwrap_err();
        assert!(
            matches!(error, Error::Unavailable { .. }),
            "another storage can keep it"
        );
        let told = told(&error);
        assert!(
            told.contains("at most 1280") && told.contains("--storage"),
            "{told}"
        );
        assert!(told.contains("1281") || told.contains("1282"), "{told}");
        assert!(!format!("{error:?}").contains("xxx"));
    }
    assert_eq!(store.writes(), before, "told before the call");
}

#[test]
fn a_refresh_token_counts_too() {
    let store = FakeStore::default();
    let mut long = credential(URL, &"x".repeat(1200));
    long.refresh_token = Some(Secret::new("y".repeat(100).as_bytes()));
    let error = keychain(&store).store(&long).unwrap_err();
    assert!(told(&error).contains("1322 characters"), "{}", told(&error));
    assert!(store.targets().is_empty());
}

#[test]
fn a_username_has_at_most_513_units() {
    let store = FakeStore::default();
    for (length, fits) in [(513, true), (514, false)] {
        let url = format!("https://{}@one.test", "u".repeat(length));
        let stored = keychain(&store).store(&credential(&url, "tok"));
        assert_eq!(stored.is_ok(), fits);
        if let Err(error) = stored {
            assert!(told(&error).contains("the username has 514 characters"));
            assert!(!format!("{error:?}").contains("uuu"));
        }
    }
}

#[test]
fn a_name_has_at_most_32767_units() {
    let store = FakeStore::default();
    let url = format!("https://me@one.test/{}", "p".repeat(32_767));
    let error = keychain(&store)
        .store(&credential(&url, "tok"))
        .unwrap_err();
    assert!(told(&error).contains("at most 32767"), "{}", told(&error));
    assert_eq!(store.writes(), 0);
}

#[test]
fn a_bearer_token_has_at_most_2560_bytes() {
    let store = FakeStore::default();
    for (length, fits) in [(2500, true), (2560, false)] {
        let bearer = Query {
            authtype: Some(b"Bearer".to_vec()),
            credential: Some(Secret::new("b".repeat(length).as_bytes())),
            ..query(URL)
        };
        let stored = keychain(&store).store(&Credential::complete(bearer).unwrap());
        assert_eq!(stored.is_ok(), fits, "{length}");
    }
}

#[test]
fn a_blob_that_is_no_utf16_is_neither_read_nor_overwritten() {
    let blobs: [&[u8]; 4] = [b"odd", b"\x00\xD8", b"\x00\xDCa\0", b"a\0\0\0"];
    for blob in blobs {
        let store = of([blank(TARGET, "me", blob)]);
        assert_eq!(answer(&store, URL), "nothing", "{blob:?}");
        assert!(keychain(&store).list().unwrap().is_empty());
        assert_eq!(keychain(&store).erase(&query(URL)).unwrap(), 0);
        keychain(&store).store(&credential(URL, "tok")).unwrap();
        assert!(*store.kept(TARGET).blob == *blob, "it stays");
        assert_eq!(answer(&store, URL), "me tok");
        assert_eq!(store.targets(), [TARGET, "git:https://one.test"]);
    }
}

#[test]
fn an_empty_blob_is_an_empty_password() {
    let store = of([blank(TARGET, "me", b"")]);
    assert_eq!(answer(&store, URL), "me ");
    assert_eq!(keychain(&store).erase(&rejected(URL, "")).unwrap(), 1);
}

#[test]
fn a_password_that_is_no_text_is_not_stored() {
    let store = FakeStore::default();
    let odd = Query {
        password: Some(Secret::new(b"\xFF")),
        ..query(URL)
    };
    let error = keychain(&store)
        .store(&Credential::complete(odd).unwrap())
        .unwrap_err();
    assert!(told(&error).contains("not valid UTF-8"), "{}", told(&error));
    assert!(store.targets().is_empty());
}

#[test]
fn each_error_number_has_its_message() {
    for (number, is_unavailable, words) in [
        (1312, true, "cannot be used in this session: over SSH"),
        (1783, true, "longer than Windows allows"),
        (
            8,
            false,
            "the Credential Manager is full: remove entries that you do not need: 'cmdkey /list'",
        ),
        (5, false, "failed with error 5"),
        (87, false, "failed with error 87"),
    ] {
        let store = of([wincred(TARGET, "me", "tok", None)]);
        store.fail(Some(ErrorCode(number)));
        let keychain = keychain(&store);
        let errors = [
            keychain.get(&query(URL)).map(drop).unwrap_err(),
            keychain.store(&credential(URL, "tok-new")).unwrap_err(),
            keychain.erase(&rejected(URL, "tok")).map(drop).unwrap_err(),
            keychain.list().map(drop).unwrap_err(),
            keychain.check().unwrap_err(),
        ];
        for error in errors {
            assert_eq!(
                matches!(error, Error::Unavailable { .. }),
                is_unavailable,
                "{number}"
            );
            assert!(told(&error).contains(words), "{}", told(&error));
            assert!(!error.is_absence(), "it is there, and cannot be used");
        }
        store.fail(None);
        assert_eq!(answer(&store, URL), "me tok", "nothing was erased");
    }
}

#[test]
fn a_store_that_is_full_still_answers() {
    let store = of([wincred(TARGET, "me", "tok", None)]);
    store.fail_writes(Some(ErrorCode::FULL));
    let error = keychain(&store)
        .store(&credential("https://you@one.test", "tok-2"))
        .unwrap_err();
    assert!(told(&error).contains("cmdkey /list"), "{}", told(&error));
    assert_eq!(answer(&store, URL), "me tok");
}

#[test]
fn a_session_that_keeps_nothing_is_told() {
    let store = FakeStore::default();
    assert!(keychain(&store).check().is_ok());
    store.keep_for_session_only();
    let error = keychain(&store).check().unwrap_err();
    assert!(
        told(&error).contains("keeps nothing in this session"),
        "{}",
        told(&error)
    );
    let error = keychain(&store).store(&credential(URL, "tok")).unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }));
}

#[test]
fn an_item_that_goes_meanwhile_is_no_failure() {
    let store = of([wincred(TARGET, "me", "tok", None)]);
    store.fail_writes(Some(ErrorCode::NOT_FOUND));
    assert_eq!(keychain(&store).erase(&rejected(URL, "tok")).unwrap(), 0);
}
