//! Git Credential Manager: items of the system's keychain, and its store of plaintext files (git-ecosystem/
//! git-credential-manager: `SecretServiceCollection.cs`, `WindowsCredentialManager.cs`, `PlaintextCredentialStore.cs`).
//!
//! On Windows its items without a namespace of their own are git's: the keychain lists them as entries.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::{Error, Found, MOST, Neighbour, Place, Reading};
use crate::credential::host::split_at;
use crate::credential::query::Query;
use crate::credential::url;
use crate::files::external::{self, Sort};
use crate::platform::os_str;
use crate::secret::Secret;
use crate::storage::keychain::Keychain;

const SCHEMA: (&str, &str) = ("xdg:schema", "com.microsoft.GitCredentialManager");
/// The prefix of the URL in a service's name, before a colon, unless `credential.namespace` is set. Some entries have no prefix.
const NAMESPACE: &str = "git";
/// `NAMESPACE/protocol/host/path…/account.credential`.
const SUFFIX: &[u8] = b".credential";
const DEEPEST: usize = 8;

/// GCM's items and folders.
#[derive(Debug)]
pub struct Gcm {
    folders: Vec<PathBuf>,
    keychain: Rc<Keychain>,
    namespaces: Vec<Vec<u8>>,
    /// Its stores of encrypted files, which are not read.
    pub(super) encrypted: Vec<EncryptedStore>,
}

/// Files with the layout of the plaintext store, encrypted.
#[derive(Debug)]
pub(super) struct EncryptedStore {
    folder: PathBuf,
    problem: &'static str,
    hint: &'static str,
}

impl EncryptedStore {
    pub(super) fn gpg(folder: PathBuf) -> Self {
        Self {
            folder,
            problem: "Git Credential Manager encrypts its files with gpg",
            hint: "the first line that 'pass show' prints of an entry is its token: give that to 'git credential-pat login'",
        }
    }

    /// The data protection of Windows (`DpapiCredentialStore.cs`).
    pub(super) fn dpapi(folder: PathBuf) -> Self {
        Self {
            folder,
            problem: "Git Credential Manager encrypts its files with DPAPI",
            hint: "'git credential-manager get' prints the token of a URL: give that to 'git credential-pat login'",
        }
    }
}

impl Gcm {
    /// With `folders` for its plaintext store: which one it reads may depend on the URL.
    /// `namespaces`: those that were set, the one that counts first.
    pub fn at(folders: Vec<PathBuf>, keychain: Rc<Keychain>, mut namespaces: Vec<Vec<u8>>) -> Self {
        namespaces.push(NAMESPACE.into());
        Self {
            folders,
            keychain,
            namespaces,
            encrypted: Vec::new(),
        }
    }

    /// The folders of encrypted files that are there: `STORE/NAMESPACE/https`, and for `http`.
    fn encrypted(&self) -> Vec<Error> {
        let mut found = Vec::new();
        for store in &self.encrypted {
            for namespace in &self.namespaces {
                let below = store.folder.join(os_str(namespace));
                let folders = ["https", "http"].map(|protocol| below.join(protocol));
                for path in folders.into_iter().filter(|folder| folder.is_dir()) {
                    let (problem, hint) = (store.problem, store.hint);
                    found.push(Error::Encrypted {
                        path,
                        problem,
                        hint,
                    });
                }
            }
        }
        found
    }

    fn read_folder(&self, folder: &Path, depth: usize, left: &mut usize, reading: &mut Reading) {
        let names = external::names(folder, *left).unwrap_or_else(|error| {
            reading.troubles.push(error.into());
            Vec::new()
        });
        for (name, sort) in names {
            let path = folder.join(&name);
            *left = left.saturating_sub(1);
            let is_credential = name.as_encoded_bytes().ends_with(SUFFIX);
            match sort {
                Sort::Folder if depth < DEEPEST => {
                    self.read_folder(&path, depth + 1, left, reading);
                }
                // If it is no plain file, the error tells that.
                Sort::File | Sort::Other if is_credential => {
                    if let Some(bytes) = reading.open(&path) {
                        let said = said(bytes.as_slice(), &self.namespaces);
                        take(said, &Place::File(path), reading);
                    }
                }
                Sort::File => {}
                Sort::Folder | Sort::Other => reading.skipped.add(&Place::File(path), None),
            }
        }
    }
}

impl Neighbour for Gcm {
    fn name(&self) -> &'static str {
        "gcm"
    }

    fn read(&self) -> Reading {
        let mut reading = Reading::default();
        let schema = vec![(SCHEMA.0, SCHEMA.1.to_owned())];
        let items = self.keychain.external(schema).unwrap_or_else(|error| {
            reading.troubles.push(error.into());
            Vec::new()
        });
        for item in items {
            let text = |name: &str| item.attributes.get(name).map(String::as_bytes);
            let (service, account) = (text("service"), text("account"));
            let said = described(service, account, item.secret, &self.namespaces);
            take(said, &Place::Keychain(item.attributes), &mut reading);
        }
        let mut left = MOST;
        for folder in &self.folders {
            self.read_folder(folder, 0, &mut left, &mut reading);
        }
        reading.troubles.extend(self.encrypted());
        reading
    }

    fn remove(&self, found: &Found) -> Result<usize, Error> {
        let Some(secret) = found.secret() else {
            return Ok(0);
        };
        match &found.place {
            Place::Keychain(attributes) => Ok(self.keychain.remove_external(attributes, secret)?),
            Place::File(path) => {
                let is_meant = |bytes: &[u8]| found.is_in(said(bytes, &self.namespaces));
                Ok(usize::from(external::remove(path, is_meant)?))
            }
            _ => Ok(0),
        }
    }
}

/// Takes an item or a file, unless it is a refresh token: GCM keeps one as an entry of its own, and only GCM can use it.
fn take(said: Option<Query>, place: &Place, reading: &mut Reading) {
    if !said.as_ref().is_some_and(is_renewal) {
        reading.take(said, place, None);
    }
}

/// A file: the secret on the first line, `service=` and `account=` on others before a blank one. As for GCM, their case does
/// not matter, and the last of two counts.
fn said(bytes: &[u8], namespaces: &[Vec<u8>]) -> Option<Query> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut lines = bytes
        .split(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let secret = Secret::new(lines.next().unwrap_or_default());
    let (mut service, mut account) = (None, None);
    for line in lines.take_while(|line| !line.trim_ascii().is_empty()) {
        let (name, value) = split_at(line, b'=');
        match &name.to_ascii_lowercase()[..] {
            b"service" => service = value.or(service),
            b"account" => account = value.or(account),
            _ => {}
        }
    }
    described(service, account, secret, namespaces)
}

fn described(
    service: Option<&[u8]>,
    account: Option<&[u8]>,
    secret: Secret,
    namespaces: &[Vec<u8>],
) -> Option<Query> {
    let service = service?;
    let mut namespaces = namespaces.iter();
    let url = namespaces.find_map(|name| service.strip_prefix(&name[..])?.strip_prefix(b":"));
    let said = url::parse(url.unwrap_or(service)).ok()?;
    // Without the namespace, only the URL shows that an entry is git's.
    let is_web = matches!(said.protocol.as_deref(), Some(b"https" | b"http"));
    (url.is_some() || is_web).then_some(())?;
    Some(Query {
        // GCM names the account in its own attribute. A user in the URL is ignored.
        username: Some(account?.into()),
        password: Some(secret),
        ..said
    })
}

fn is_renewal(said: &Query) -> bool {
    let host = said.host.as_deref().unwrap_or_default();
    let path = said.path.as_deref().unwrap_or_default();
    host.starts_with(b"oauth-refresh-token.")
        || host.starts_with(b"refresh_token.")
        || path.ends_with(b"refresh_token")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::testing::{give_away, make_link, make_pipe};
    use crate::storage::keychain::tests::{empty, of_windows};

    fn gcm() -> (tempfile::TempDir, Gcm) {
        let home = tempfile::tempdir().unwrap();
        let folders = vec![home.path().join("store")];
        let gcm = Gcm::at(folders, Rc::new(empty()), Vec::new());
        (home, gcm)
    }

    fn write(gcm: &Gcm, path: &str, text: &str) -> PathBuf {
        let path = gcm.folders[0].join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn reads_the_files_and_removes_one() {
        let (_home, gcm) = gcm();
        let path = write(
            &gcm,
            "git/https/github.com/alice.credential",
            "tok-one\nservice=git:https://github.com\naccount=alice\n",
        );
        write(
            &gcm,
            "git/https/dev.azure.com/acme/bob.credential",
            "tok-two\r\nservice=git:https://dev.azure.com/acme\r\naccount=bob\r\n",
        );
        write(
            &gcm,
            "git/https/bitbucket.org/refresh_token/bob.credential",
            "tok-three\nservice=git:https://bitbucket.org/refresh_token\naccount=bob\n",
        );
        let reading = gcm.read();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let rows: Vec<_> = reading
            .found
            .iter()
            .map(|found| text(&found.credential.key.url()))
            .collect();
        assert_eq!(rows, ["https://dev.azure.com/acme", "https://github.com"]);
        assert_eq!((reading.skipped.count, reading.troubles.len()), (0, 0));
        let one = &reading.found[1];
        std::fs::write(
            &path,
            "tok-new\nservice=git:https://github.com\naccount=alice\n",
        )
        .unwrap();
        assert_eq!(gcm.remove(one).unwrap(), 0);
        std::fs::write(
            &path,
            "tok-one\nservice=git:https://github.com\naccount=alice\n",
        )
        .unwrap();
        assert_eq!(gcm.remove(one).unwrap(), 1);
        assert!(!path.exists());
    }

    #[test]
    fn a_namespace_that_is_set_stands_before_the_url() {
        let (_home, gcm) = gcm();
        let text = "tok-one\nservice=acme:https://one.test\naccount=alice\n";
        write(&gcm, "acme/https/one.test/alice.credential", text);
        assert_eq!(gcm.read().skipped.count, 1);
        let namespaces = vec![b"acme".to_vec()];
        let reading = Gcm::at(gcm.folders, gcm.keychain, namespaces).read();
        assert_eq!(reading.found[0].credential.key.url(), b"https://one.test");
    }

    #[test]
    fn stores_of_encrypted_files_are_named() {
        let (home, mut gcm) = gcm();
        let store = home.path().join("pass");
        std::fs::create_dir_all(store.join("git/notes")).unwrap();
        gcm.encrypted = vec![EncryptedStore::gpg(store.clone())];
        assert!(gcm.read().troubles.is_empty(), "entries of the user's own");
        let folder = store.join("git/https");
        std::fs::create_dir(&folder).unwrap();
        let troubles = gcm.read().troubles;
        let [trouble @ Error::Encrypted { path, .. }] = &troubles[..] else {
            panic!("{troubles:?}");
        };
        assert_eq!(path, &folder);
        assert!(trouble.hint().unwrap().contains("pass show"));
        gcm.encrypted = vec![EncryptedStore::dpapi(store)];
        let trouble = gcm.read().troubles.pop().unwrap();
        assert!(trouble.to_string().ends_with("with DPAPI"), "{trouble}");
    }

    #[test]
    fn a_service_may_stand_without_its_namespace() {
        let (_home, gcm) = gcm();
        let text = "tok-one\nservice=https://one.test/acme\naccount=alice\n";
        let path = write(&gcm, "https/one.test/acme/alice.credential", text);
        let reading = gcm.read();
        let [one] = &reading.found[..] else {
            panic!("{reading:?}");
        };
        assert_eq!(one.credential.key.url(), b"https://one.test/acme");
        assert_eq!(one.credential.key.username, Some("alice".into()));
        let other = text.replace("https:", "git:https:").replace("one", "two");
        std::fs::write(&path, other).unwrap();
        assert_eq!(gcm.remove(one).unwrap(), 0, "another one by now");
        std::fs::write(&path, text).unwrap();
        assert_eq!(gcm.remove(one).unwrap(), 1);
        let renewal = "tok\nservice=https://bitbucket.org/refresh_token\naccount=bob\n";
        write(&gcm, "https/bitbucket.org/bob.credential", renewal);
        let reading = gcm.read();
        assert_eq!((reading.found.len(), reading.skipped.count), (0, 0));
    }

    #[test]
    fn items_of_windows_with_a_namespace_are_read_and_removed() {
        let items = [
            ["work:https://one.test", "alice", "tok-one"],
            ["work:https://bob_corp@one.test", "bob@corp", "tok-two"],
            ["git:https://one.test", "alice", "tok-of-the-keychain"],
            [
                "work:https://refresh_token.one.test",
                "alice",
                "tok-renewal",
            ],
        ];
        let keychain = Rc::new(of_windows(&[], &items));
        let gcm = Gcm::at(Vec::new(), keychain, vec![b"work".to_vec()]);
        let reading = gcm.read();
        assert_eq!((reading.found.len(), reading.skipped.count), (2, 0));
        for found in &reading.found {
            assert_eq!(found.credential.key.url(), b"https://one.test");
            assert_eq!(gcm.remove(found).unwrap(), 1);
        }
        let users = reading
            .found
            .iter()
            .map(|found| found.credential.key.username.clone());
        let users: Vec<_> = users.flatten().collect();
        assert!(users.contains(&"alice".into()) && users.contains(&"bob@corp".into()));
        assert!(gcm.read().found.is_empty());
    }

    #[test]
    #[cfg_attr(
        windows,
        ignore = "real Windows: links need a right, and wine has none"
    )]
    fn what_is_no_plain_file_of_ones_own_is_not_read() {
        let (home, gcm) = gcm();
        let text = "tok-one\nservice=https://one.test\naccount=alice\n";
        let outside = home.path().join("outside");
        std::fs::create_dir_all(&outside).unwrap();
        std::fs::write(outside.join("a.credential"), text).unwrap();
        std::fs::create_dir_all(gcm.folders[0].join("git")).unwrap();
        make_link(&outside, gcm.folders[0].join("git/linked"));
        make_link(
            outside.join("a.credential"),
            gcm.folders[0].join("git/a.credential"),
        );
        let giant = std::fs::File::create(gcm.folders[0].join("git/giant.credential")).unwrap();
        giant.set_len(1 << 30).unwrap();
        let pipe = gcm.folders[0].join("git/pipe.credential");
        let mut troubles = if make_pipe(&pipe) { 2 } else { 1 };
        // Only root gives files away.
        if crate::platform::is_root() {
            let path = write(&gcm, "git/theirs.credential", text);
            assert!(give_away(&path));
            let path = write(&gcm, "theirs/alice.credential", text);
            assert!(give_away(path.parent().unwrap()));
            make_link(
                "theirs.credential",
                gcm.folders[0].join("git/to.credential"),
            );
            troubles += 3;
        }
        let reading = gcm.read();
        assert_eq!(reading.found.len(), 1, "the end of a link of one's own");
        assert_eq!(reading.troubles.len(), troubles, "{:?}", reading.troubles);
        assert_eq!(reading.skipped.count, 1, "the folder behind a link");
    }

    #[test]
    #[cfg_attr(
        windows,
        ignore = "real Windows: links need a right, and wine has none"
    )]
    fn hostile_files_are_counted() {
        let (_home, gcm) = gcm();
        for (number, text) in [
            "",
            "tok-one\n",
            "tok-one\nservice=git:https://one.test\n",
            "tok-one\nservice=other:https://one.test\naccount=a\n",
            "tok-one\nservice=ssh://one.test\naccount=a\n",
            "tok-one\nservice=one.test\naccount=a\n",
            "tok-one\nservice=git:git:https://one.test\naccount=a\n",
            "tok-one\nservice=https://good.test@evil.test@x\naccount=a\n",
            "tok-one\nservice=git:https://good.test@evil.test@x\naccount=a\n",
            "tok-one\n\nservice=git:https://one.test\naccount=a\n",
            "\nservice=git:https://one.test\naccount=a\n",
            "tok\x1bone\nservice=git:https://one.test\naccount=a\n",
        ]
        .iter()
        .enumerate()
        {
            write(&gcm, &format!("git/https/{number}.credential"), text);
        }
        write(&gcm, "git/https/readme.txt", "tok");
        make_link("/", gcm.folders[0].join("root"));
        let reading = gcm.read();
        assert_eq!((reading.found.len(), reading.skipped.count), (0, 13));
    }
}
