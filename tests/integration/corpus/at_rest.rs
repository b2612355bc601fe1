//! The corpus inside the plaintext file: what does not read stays as it is, and its neighbours are read.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::thread;

use git_credential_pat::credential::Credential;
use git_credential_pat::credential::query::Query;
use git_credential_pat::credential::username::Username;
use git_credential_pat::secret::Secret;
use git_credential_pat::storage::Storage;
use git_credential_pat::storage::file::PlaintextFile;

use super::case::{Case, all_at};

fn credential(host: &str) -> Credential {
    Credential::complete(Query {
        protocol: Some(b"https".to_vec()),
        host: Some(host.as_bytes().to_vec()),
        username: Some("neighbour".into()),
        password: Some(Secret::new(b"neighbours-secret")),
        ..Query::default()
    })
    .unwrap()
}

fn check(case: &Case) {
    let name = &case.name;
    let home = tempfile::tempdir().unwrap();
    let storage = PlaintextFile::in_folder(&home.path().join("data"));
    let (before, after) = (
        credential("before.neighbour"),
        credential("after.neighbour"),
    );
    storage.store(&before).unwrap();
    // More would only take its time; nothing depends on it here.
    let mut request = case.request();
    request.truncate(4 << 20);
    let mut file = OpenOptions::new()
        .append(true)
        .open(storage.path())
        .unwrap();
    file.write_all(&request).unwrap();
    drop(file);

    let is_there = |wanted: &Credential| {
        let found = storage.get(&Query::of(&wanted.key)).unwrap();
        found.as_ref() == Some(wanted)
    };
    let is_kept = || {
        let file = fs::read(storage.path()).unwrap();
        request.is_empty() || file.windows(request.len()).any(|window| window == request)
    };
    assert!(is_there(&before), "{name}: the entry before it is read");
    storage.store(&after).unwrap();
    assert!(is_kept(), "{name}: a store leaves it as it is");
    assert!(is_there(&before) && is_there(&after), "{name}");
    let listed = storage.list().unwrap();
    for entry in &listed {
        let key = &entry.key;
        let parts = [
            Some(&key.protocol[..]),
            Some(&key.host),
            key.path.as_deref(),
            key.username.as_ref().map(Username::expose),
        ];
        let mut bytes = parts.into_iter().flatten().flatten();
        assert!(
            !bytes.any(|byte| b"\r\n\0".contains(byte)),
            "{name}: {key:?}"
        );
        assert!(
            !key.host.is_empty() || key.protocol == b"cert",
            "{name}: a blank entry"
        );
    }
    for erased in [&before, &after] {
        assert_eq!(storage.erase(&Query::of(&erased.key)).unwrap(), 1, "{name}");
    }
    assert!(is_kept(), "{name}: an erase leaves it as it is");
    assert_eq!(storage.list().unwrap().len() + 2, listed.len(), "{name}");
}

#[test]
fn what_does_not_read_harms_no_neighbour() {
    let cases = all_at("file");
    // A case waits for the disk more than it computes.
    thread::scope(|scope| {
        for some in cases.chunks(cases.len().div_ceil(8)) {
            scope.spawn(|| some.iter().for_each(check));
        }
    });
}
