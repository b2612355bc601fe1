//! The plaintext file, whatever stands in it: what is stored is found, what is erased is gone, and every paragraph that
//! is not meant stays as it is, byte for byte and in its order.
#![no_main]

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use git_credential_pat::credential::Credential;
use git_credential_pat::credential::query::Query;
use git_credential_pat::secret::Secret;
use git_credential_pat::storage::Storage;
use git_credential_pat::storage::file::PlaintextFile;
use libfuzzer_sys::fuzz_target;
use naive::Said;

/// In memory where there is such a place: every store waits for the disk.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let shared = Path::new("/dev/shm");
    let parent = if shared.is_dir() {
        shared.to_path_buf()
    } else {
        std::env::temp_dir()
    };
    let folder = parent.join(format!("git-credential-pat-fuzz-{}", std::process::id()));
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .expect("a folder");
    folder.join("credentials")
});

const CHANGED: [[Option<&str>; 4]; 4] = [
    [Some("https"), Some("victim.test"), None, Some("alice")],
    [
        Some("https"),
        Some("victim.test"),
        Some("a.git"),
        Some("alice"),
    ],
    [Some("https"), Some("new.test"), None, Some("")],
    [Some("cert"), Some(""), Some("/key.pem"), Some("")],
];

fn described(values: &[Option<&str>; 4]) -> (Query, Said) {
    let [protocol, host, path, username] =
        values.map(|value| value.map(|value| value.as_bytes().to_vec()));
    let names = ["protocol", "host", "path", "username"].into_iter();
    let parts = names.zip([&protocol, &host, &path, &username]);
    let said = parts
        .filter_map(|(name, value)| Some((name, value.clone()?)))
        .collect();
    let query = Query {
        protocol,
        host,
        path,
        username: username.map(Into::into),
        ..Query::default()
    };
    (query, said)
}

/// As an entry, by the naive reading.
fn entry(paragraph: &[u8]) -> Option<Said> {
    naive::said(paragraph, false).filter(naive::is_complete)
}

fn has_key(said: &Said, key: &Said) -> bool {
    ["protocol", "host", "path", "username"]
        .iter()
        .all(|name| said.get(name) == key.get(name))
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, contents)) = data.split_first() else {
        return;
    };
    let (described, key) = described(&CHANGED[usize::from(*choice) % CHANGED.len()]);
    fs::write(&*FILE, contents).expect("written");
    fs::set_permissions(&*FILE, fs::Permissions::from_mode(0o600)).expect("closed");
    let file = PlaintextFile::at(&FILE).expect("a file's path");
    let old = naive::paragraphs(contents);

    // The strict reading takes nothing that the naive one refuses, and finds the last that fits.
    let listed = file.list().expect("listed");
    let entries: Vec<&Vec<u8>> = old
        .iter()
        .filter(|paragraph| entry(paragraph).is_some())
        .collect();
    assert!(
        listed.len() <= entries.len(),
        "more entries than by the naive reading"
    );
    file.count_unreadable().expect("counted");
    file.check().expect("checked");
    if let Some(found) = file.get(&described).expect("looked") {
        let password = found
            .password
            .as_ref()
            .map(|password| password.expose().to_vec());
        let is_there = old
            .iter()
            .filter_map(|paragraph| entry(paragraph))
            .any(|said| {
                naive::matches(&key, &said)
                    && (!said.contains_key("username") || said.get("password") == password.as_ref())
            });
        assert!(is_there, "answered what is not there");
    }

    let question = || Query {
        is_exact: true,
        ..described.duplicate()
    };
    let known = file.get(&question()).expect("looked");
    let credential = Credential::complete(Query {
        password: Some(Secret::new(b"made-up-new")),
        ..described.duplicate()
    });
    let credential = credential.expect("complete");
    file.store(&credential).expect("stored");
    let found = file
        .get(&question())
        .expect("looked")
        .expect("what was stored is found");
    assert_eq!(found, credential);
    let after_store = fs::read(&*FILE).expect("read");
    // Without a username a password is nothing; the others of its key went, or it was there already.
    let stays = |paragraph: &&Vec<u8>| !entry(paragraph).is_some_and(|said| has_key(&said, &key));
    let kept: Vec<u8> = old.iter().filter(stays).flatten().copied().collect();
    if known.as_ref() == Some(&credential) {
        assert_eq!(after_store, contents, "written anew without a change");
    } else {
        let is_kept = after_store.starts_with(&kept);
        assert!(is_kept, "what is not meant was changed by store");
    }

    let gone = file.erase(&question()).expect("erased");
    assert!(gone >= 1);
    assert!(
        file.get(&question()).expect("looked").is_none(),
        "what was erased is found"
    );
    let after_erase = fs::read(&*FILE).expect("read");
    assert!(
        after_erase.starts_with(&kept),
        "what is not meant was changed by erase"
    );
    let rest: Vec<u8> = after_erase[kept.len()..].to_vec();
    let is_ours = |byte: &u8| *byte == b'\n';
    assert!(
        rest.iter().all(is_ours) || kept.is_empty() && rest.starts_with(b"# Credentials kept"),
        "something was added"
    );
});
