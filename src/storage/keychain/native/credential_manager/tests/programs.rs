//! Items of gh, GCM with a namespace, Docker and cargo, as `import` sees them.

use super::*;

/// As gh stores a token with go-keyring.
fn gh(target: &str, user: &str, token: &str) -> GenericCredential {
    blank(target, user, token.as_bytes())
}

fn of_many_programs() -> FakeStore {
    let docker = GenericCredential {
        attributes: vec![attribute("label", b"Docker Credentials")],
        ..blank("https://index.docker.test/v1/", "me", b"tok-docker")
    };
    let cargo = GenericCredential {
        user: None,
        comment: Some(wide("Cargo registry token")),
        ..blank("cargo-registry:https://index.test/", "", b"tok-cargo!")
    };
    of([
        gh("gh:github.com:me", "me", "tok-me"),
        gh("gh:github.com:you", "you", "tok-you"),
        gh("gh:github.com:", "", "tok-me"),
        gh("gh:github.com.evil.test:me", "me", "tok-evil"),
        gh("glab:gitlab.com:token:", "", "tok-glab"),
        gcm("work:https://one.test", "me", "tok-work"),
        gcm("work:https://you@one.test", "you", "tok-work-2"),
        gcm("git:https://one.test", "me", "tok-git"),
        docker,
        cargo,
    ])
}

/// Users and secrets of the items with these attributes.
fn found(store: &FakeStore, wanted: &[(&str, &str)]) -> Vec<(String, String)> {
    let wanted = wanted
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    let items = keychain(store).external(wanted.collect()).unwrap();
    let mut all = Vec::new();
    for item in items {
        let named = ["username", "account"];
        let user = named.iter().find_map(|name| item.attributes.get(*name));
        all.push((user.unwrap().clone(), text(item.secret.expose())));
    }
    all
}

fn pair(user: &str, secret: &str) -> (String, String) {
    (user.to_owned(), secret.to_owned())
}

const GCM: [(&str, &str); 1] = [("xdg:schema", "com.microsoft.GitCredentialManager")];

#[test]
fn the_items_of_gh_and_glab_are_found_by_their_service() {
    let store = of_many_programs();
    assert_eq!(
        found(&store, &[("service", "gh:github.com")]),
        [
            pair("", "tok-me"),
            pair("me", "tok-me"),
            pair("you", "tok-you")
        ]
    );
    assert_eq!(
        found(&store, &[("service", "glab:gitlab.com:token")]),
        [pair("", "tok-glab")]
    );
    assert!(found(&store, &[("service", "glab:gitlab.com")]).is_empty());
    assert!(found(&store, &[("service", "gh:github")]).is_empty());
}

#[test]
fn an_item_of_gh_is_removed_by_its_attributes_and_its_secret() {
    let store = of_many_programs();
    let keychain = keychain(&store);
    let items = keychain
        .external(vec![("service", "gh:github.com".to_owned())])
        .unwrap();
    let mine = items
        .iter()
        .find(|item| item.attributes["username"] == "me")
        .unwrap();
    let other = Secret::new(b"tok-newer");
    assert_eq!(
        keychain.remove_external(&mine.attributes, &other).unwrap(),
        0
    );
    assert_eq!(
        keychain
            .remove_external(&mine.attributes, &mine.secret)
            .unwrap(),
        1
    );
    assert!(!store.targets().contains(&"gh:github.com:me".to_owned()));
    assert_eq!(store.targets().len(), 9);
}

#[test]
fn items_of_gcm_with_a_namespace_are_found_and_removed_and_no_others() {
    let store = of_many_programs();
    assert_eq!(
        found(&store, &GCM),
        [pair("me", "tok-work"), pair("you", "tok-work-2")]
    );
    let keychain = keychain(&store);
    let spec = GCM.map(|(name, value)| (name, value.to_owned())).to_vec();
    for item in keychain.external(spec).unwrap() {
        assert_eq!(
            keychain
                .remove_external(&item.attributes, &item.secret)
                .unwrap(),
            1
        );
    }
    assert_eq!(store.targets().len(), 8);
}

#[test]
fn a_refresh_token_below_the_password_of_gcm_is_no_part_of_it() {
    let secret = "tok\noauth_refresh_token=tok-fresh";
    let store = of([gcm("work:https://one.test", "me", secret)]);
    assert_eq!(found(&store, &GCM), [pair("me", "tok")]);
}

#[test]
fn the_items_of_other_programs_are_no_entries() {
    let store = of_many_programs();
    assert_eq!(keychain(&store).list().unwrap().len(), 1, "only git's");
    for url in [
        "https://index.docker.test/v1/",
        "https://github.com",
        "https://index.test/",
    ] {
        assert_eq!(keychain(&store).erase(&query(url)).unwrap(), 0);
        assert_eq!(answer(&store, url), "nothing");
    }
    assert_eq!(store.targets().len(), 10);
}
