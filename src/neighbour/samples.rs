//! Files as other programs write them, or as people are known to keep them, with the entries that must come out: see
//! `tests/neighbours/README.md`.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use keyring::{CredentialStore, mock};

use super::gcm::Gcm;
use super::gh::Gh;
use super::git_store::GitStore;
use super::glab::Glab;
use super::netrc::Netrc;
use super::{Error, Found, Neighbour, Reading};
use crate::credential::expiry::Expiry;
use crate::storage::keychain::Keychain;

/// Reads each sample of `name` through the neighbour that `open` makes of a copy of it, at `place` below a folder.
fn each(name: &str, place: &str, open: impl Fn(PathBuf, &Path) -> Box<dyn Neighbour>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/neighbours")
        .join(name);
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let sample = entry.unwrap().path();
        if sample
            .extension()
            .is_some_and(|extension| extension == "expected")
        {
            continue;
        }
        count += 1;
        let home = tempfile::tempdir().unwrap();
        let copy = home.path().join(place);
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(&sample, &copy).unwrap();
        let reading = open(copy.clone(), home.path()).read();
        let expected = fs::read_to_string(sample.with_extension("expected")).unwrap();
        assert_eq!(shown(&reading, &copy), expected, "{}", sample.display());
    }
    assert!(count >= 12, "{count} samples of {name}");
}

fn shown(reading: &Reading, copy: &Path) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let row = |found: &Found| {
        let key = &found.credential.key;
        let user = text(key.username.as_ref().unwrap().expose());
        let secret = text(found.secret().unwrap().expose());
        let expiry = found.credential.expiry.map(Expiry::unix);
        let expiry = expiry.map_or_else(String::new, |at| format!(" | {at}"));
        format!("{} | {user} | {secret}{expiry}\n", text(&key.url()))
    };
    let mut rows: Vec<String> = reading.found.iter().map(row).collect();
    if reading.skipped.count > 0 {
        let skipped = reading.skipped.to_string();
        let lines = skipped.strip_prefix(&copy.display().to_string()).unwrap();
        rows.push(format!("skipped{}\n", lines.trim_start_matches(',')));
    }
    for trouble in &reading.troubles {
        if let Error::Wording { cause, .. } = trouble {
            rows.push(format!("refused {cause}\n"));
        }
    }
    rows.concat()
}

fn keychain() -> Rc<Keychain> {
    let store = mock::Store::new().unwrap() as Arc<CredentialStore>;
    Rc::new(Keychain::over(&store))
}

#[test]
fn files_of_gh_are_read_as_gh_reads_them() {
    each("gh", "hosts.yml", |file, _| {
        Box::new(Gh::at(file, keychain()))
    });
}

#[test]
fn files_of_glab_are_read_as_glab_reads_them() {
    each("glab", "config.yml", |file, _| {
        Box::new(Glab::at(file, keychain()))
    });
}

#[test]
fn files_of_git_credential_store_are_read_as_git_reads_them() {
    each("git-store", "credentials", |file, _| {
        Box::new(GitStore::over(vec![file]))
    });
}

#[test]
fn files_of_netrc_are_read_as_libcurl_reads_them() {
    each("netrc", ".netrc", |file, _| Box::new(Netrc::at(file)));
}

#[test]
fn files_of_gcm_are_read_as_gcm_reads_them() {
    each("gcm", "git/https/host/user.credential", |_, folder| {
        Box::new(Gcm::at(vec![folder.to_path_buf()], keychain()))
    });
}
