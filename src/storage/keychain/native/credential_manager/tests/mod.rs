//! The storage over a fake Credential Manager, with items written field by field as other programs write them.

mod conformance;
mod fields;
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
