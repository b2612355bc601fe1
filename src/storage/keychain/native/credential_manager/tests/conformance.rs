//! What git expects of every helper (the cases of `tests/integration/conformance`), over the fake.

use super::*;

fn stored(entries: &[(&str, &str)]) -> FakeStore {
    let store = FakeStore::default();
    for (url, password) in entries {
        keychain(&store).store(&credential(url, password)).unwrap();
    }
    store
}

#[test]
fn an_empty_store_answers_nothing() {
    let store = FakeStore::default();
    assert_eq!(answer(&store, "https://one.test"), "nothing");
    assert!(keychain(&store).list().unwrap().is_empty());
    assert_eq!(
        keychain(&store).erase(&query("https://one.test")).unwrap(),
        0
    );
}

#[test]
fn protocol_host_user_and_path_must_match() {
    let store = stored(&[("https://alice@one.test/one.git", "token")]);
    for (url, found) in [
        ("https://one.test", "alice token"),
        ("https://alice@one.test", "alice token"),
        ("https://one.test/one.git", "alice token"),
        ("http://one.test", "nothing"),
        ("https://two.test", "nothing"),
        ("https://one.test:8443", "nothing"),
        ("https://bob@one.test", "nothing"),
        ("https://one.test/two.git", "nothing"),
    ] {
        assert_eq!(answer(&store, url), found, "{url}");
    }
}

#[test]
fn a_new_password_replaces_the_old() {
    let store = stored(&[
        ("https://alice@one.test", "one"),
        ("https://alice@one.test", "two"),
    ]);
    assert_eq!(answer(&store, "https://one.test"), "alice two");
    assert_eq!(store.targets().len(), 1);
}

#[test]
fn several_users_are_kept_and_removed_one_by_one() {
    let store = stored(&[
        ("https://alice@one.test", "a"),
        ("https://bob@one.test", "b"),
    ]);
    assert_eq!(answer(&store, "https://alice@one.test"), "alice a");
    assert_eq!(answer(&store, "https://bob@one.test"), "bob b");
    let erase = |url, password| keychain(&store).erase(&rejected(url, password)).unwrap();
    assert_eq!(erase("https://alice@one.test", "stale"), 0);
    assert_eq!(erase("https://alice@one.test", "a"), 1);
    assert_eq!(answer(&store, "https://one.test"), "bob b");
}

#[test]
fn a_host_is_forgotten_with_all_its_entries_and_no_other() {
    let store = stored(&[
        ("https://alice@one.test", "a"),
        ("https://bob@one.test/x", "b"),
        ("https://alice@two.test", "c"),
    ]);
    assert_eq!(
        keychain(&store).erase(&query("https://one.test")).unwrap(),
        2
    );
    assert_eq!(answer(&store, "https://one.test"), "nothing");
    assert_eq!(answer(&store, "https://two.test"), "alice c");
}

#[test]
fn empty_username_and_password_are_values() {
    let store = stored(&[("https://@one.test", "")]);
    assert_eq!(store.targets(), ["git:https://@one.test"]);
    let found = keychain(&store)
        .get(&query("https://one.test"))
        .unwrap()
        .unwrap();
    assert_eq!(found.key.username, Some("".into()));
    assert!(found.password.unwrap().expose().is_empty());
}

#[test]
fn a_lost_swap_stores_nothing() {
    let store = stored(&[("https://alice@one.test", "newer")]);
    let known = credential("https://alice@one.test", "older");
    let new = credential("https://alice@one.test", "mine");
    assert!(!keychain(&store).replace(Some(&known), &new).unwrap());
    assert_eq!(answer(&store, "https://one.test"), "alice newer");
    let known = credential("https://alice@one.test", "newer");
    assert!(keychain(&store).replace(Some(&known), &new).unwrap());
    assert_eq!(answer(&store, "https://one.test"), "alice mine");
}

#[test]
fn a_list_tells_every_entry_the_oldest_first() {
    let store = stored(&[("https://b@one.test", "b"), ("https://a@one.test/x", "a")]);
    let listed = keychain(&store).list().unwrap();
    let users: Vec<_> = listed
        .iter()
        .map(|one| one.key.username.clone().unwrap())
        .collect();
    assert_eq!(users, ["b".into(), "a".into()]);
    assert_eq!(keychain(&store).all().unwrap().len(), 2);
}
