//! Other helpers and programs that store credentials for git: the contract for reading and removing their entries.
//!
//! A neighbour does not prompt, print or decide, and does not know other neighbours. Its files are foreign: a malformed entry
//! is skipped and counted, and never repeated in a message.

pub mod configured;
pub mod failure;
pub mod registry;
pub mod yaml;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use self::failure::Error;
use self::yaml::document::{Document, Leaf};
use crate::credential::Credential;
use crate::credential::host::{is_host, is_path, is_protocol};
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::credential::username::HIDDEN;
use crate::files::external;
use crate::secret::{Buffer, Secret};
use crate::storage::keychain::Keychain;

pub mod environment;
pub mod gcm;
pub mod gh;
pub mod git_cache;
pub mod git_store;
pub mod glab;
mod locate;
pub mod netrc;

/// The most entries that are read from one neighbour, unless it says otherwise. The rest are counted.
const MOST: usize = 10_000;
/// Longer than any name or token.
const LONGEST: usize = 16 * 1024;
/// The most skipped entries that are named.
const MOST_NAMED: usize = 10;

/// Another program that stores credentials.
pub trait Neighbour: fmt::Debug {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// Reads all its entries. A place that fails does not stop the others.
    fn read(&self) -> Reading;

    /// Removes every copy of `found` from its place, if it still has the same secret (compared in constant time). Nothing else
    /// changes. Returns the number of removed copies. Fails for a neighbour that is only read.
    fn remove(&self, _: &Found) -> Result<usize, Error> {
        Err(Error::ReadOnly(self.name()))
    }
}

/// The place of a neighbour's credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A file, in plaintext.
    File(PathBuf),
    /// The system's keychain, as an item with these attributes (empty: any).
    Keychain(HashMap<String, String>),
    /// The memory of a daemon behind this socket.
    Daemon(PathBuf),
    /// A variable of the environment.
    Variable(String),
}

impl Place {
    /// Whether every program that can read the user's files or processes can read it.
    pub fn is_plaintext(&self) -> bool {
        matches!(self, Self::File(_) | Self::Variable(_))
    }
}

/// May hold bytes of a file's name: make it safe before a terminal sees it.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Keychain(_) => f.write_str("keychain"),
            Self::Daemon(_) => f.write_str("memory"),
            Self::Variable(name) => write!(f, "${name}"),
        }
    }
}

/// A credential of a neighbour's.
#[derive(Debug)]
pub struct Found {
    pub credential: Credential,
    pub place: Place,
}

impl Found {
    /// The credential in `said`, if it is complete and well-formed: with the host grammar of git's protocol, and without a
    /// character that would begin another line.
    pub fn new(mut said: Query, place: Place) -> Option<Self> {
        let host = said.host.as_mut()?;
        host.make_ascii_lowercase();
        let is_line = |text: &[u8]| text.len() <= LONGEST && is_path(text);
        let password = said.password.as_ref()?.expose();
        let is_sound = is_protocol(said.protocol.as_deref()?)
            && is_host(host)
            && said.path.as_deref().is_none_or(is_line)
            && is_line(said.username.as_ref()?.expose())
            && is_line(password)
            && !password.is_empty();
        let credential = Credential::complete(said).filter(|_| is_sound)?;
        Some(Self { credential, place })
    }

    /// Whether `said`, read in the same place, is this credential.
    fn is_in(&self, said: Option<Query>) -> bool {
        let found = said.and_then(|said| Self::new(said, self.place.clone()));
        found.is_some_and(|found| found.is_same(self))
    }

    /// Whether both have the same key and the same secret.
    pub fn is_same(&self, other: &Self) -> bool {
        self.credential.key == other.credential.key
            && self.credential.has_same_secrets(&other.credential)
    }

    /// Its place as it may be shown. A program may name a file after the user, which may be a token.
    pub fn shown_place(&self) -> String {
        let place = self.place.to_string();
        match &self.credential.key.username {
            Some(name) if name.may_be_token() => {
                place.replace(&*String::from_utf8_lossy(name.expose()), HIDDEN)
            }
            _ => place,
        }
    }

    pub fn secret(&self) -> Option<&Secret> {
        self.credential.password.as_ref()
    }
}

/// The entries of a neighbour.
#[derive(Debug)]
pub struct Reading {
    /// The usable entries, in the order in which the neighbour would answer.
    pub found: Vec<Found>,
    /// Entries that cannot be used.
    pub skipped: SkippedEntries,
    /// The number of entries beyond the most that are read.
    pub surplus: usize,
    /// Places that could not be read.
    pub troubles: Vec<Error>,
    /// The indices in `found` by key.
    by_key: HashMap<Key, Vec<usize>>,
    most: usize,
}

impl Default for Reading {
    fn default() -> Self {
        Self::of_at_most(MOST)
    }
}

impl Reading {
    /// Has no entries yet, and takes at most so many.
    fn of_at_most(most: usize) -> Self {
        Self {
            found: Vec::new(),
            skipped: SkippedEntries::default(),
            surplus: 0,
            troubles: Vec::new(),
            by_key: HashMap::new(),
            most,
        }
    }

    /// Adds the credential in `said`, or counts the entry in `line` of `place` as skipped.
    pub fn take(&mut self, said: Option<Query>, place: &Place, line: Option<usize>) {
        let Some(found) = said.and_then(|said| Found::new(said, place.clone())) else {
            self.skipped.add(place, line);
            return;
        };
        self.add(found);
    }

    /// Adds `found`, unless its place is known to hold it.
    fn add(&mut self, found: Found) {
        let key = found.credential.key.clone();
        let same_key = self.by_key.entry(key).or_default();
        let is_known = same_key.iter().any(|&at| {
            let known = &self.found[at];
            known.place == found.place && known.is_same(&found)
        });
        if is_known {
            return;
        }
        if self.found.len() < self.most {
            same_key.push(self.found.len());
            self.found.push(found);
        } else {
            self.surplus += 1;
        }
    }

    /// Returns the bytes of a file; `None`: it does not exist, or it cannot be read, which is noted.
    fn open(&mut self, path: &Path) -> Option<Buffer> {
        external::read(path).unwrap_or_else(|error| {
            self.troubles.push(error.into());
            None
        })
    }

    /// Reads a YAML file, which is empty if it does not exist or cannot be read.
    fn open_yaml(&mut self, path: &Path) -> Document {
        let bytes = self.open(path);
        let bytes = bytes.as_ref().map_or(&b""[..], Buffer::as_slice);
        yaml::read(bytes).unwrap_or_else(|cause| {
            let path = path.to_path_buf();
            self.troubles.push(Error::Wording { path, cause });
            Document::default()
        })
    }
}

/// A query for a token over HTTPS.
fn https(host: &[u8], username: &[u8], secret: &[u8]) -> Query {
    Query {
        protocol: Some(b"https".to_vec()),
        host: Some(host.to_vec()),
        username: Some(username.into()),
        password: Some(Secret::new(secret)),
        ..Query::default()
    }
}

/// The number of skipped entries, and the places of the first ones.
#[derive(Debug, Default)]
pub struct SkippedEntries {
    pub count: usize,
    /// Files, with a line from 1 where a line is an entry.
    named: Vec<(PathBuf, Option<usize>)>,
}

impl SkippedEntries {
    /// Counts the entry in `line` of `place`.
    pub fn add(&mut self, place: &Place, line: Option<usize>) {
        self.count += 1;
        if let Place::File(path) = place
            && self.named.len() < MOST_NAMED
        {
            self.named.push((path.clone(), line));
        }
    }
}

/// Files and lines; empty if no file is named. May hold bytes of a file's name: escape it before a terminal sees it.
impl fmt::Display for SkippedEntries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut files = Vec::new();
        for of_file in self.named.chunk_by(|one, two| one.0 == two.0) {
            let lines: Vec<String> = of_file
                .iter()
                .filter_map(|(_, line)| line.map(|line| line.to_string()))
                .collect();
            let path = of_file[0].0.display();
            files.push(match &lines[..] {
                [] => path.to_string(),
                [line] => format!("{path}, line {line}"),
                lines => format!("{path}, lines {}", lines.join(", ")),
            });
        }
        f.write_str(&files.join("; "))?;
        match self.count - self.named.len() {
            more if more > 0 && !files.is_empty() => write!(f, " and {more} more"),
            _ => Ok(()),
        }
    }
}

/// Removes every copy of `meant`, from the keychain or from a YAML file. `token` reads the token in a leaf.
fn remove_token(
    keychain: &Keychain,
    meant: &Found,
    token: impl Fn(&Document, &Leaf) -> Option<Query>,
) -> Result<usize, Error> {
    match (&meant.place, meant.secret()) {
        (Place::Keychain(attributes), Some(secret)) => {
            Ok(keychain.remove_external(attributes, secret)?)
        }
        (Place::File(path), Some(_)) => {
            let mut is_fixed = false;
            let count = external::cut(path, |bytes| {
                let document = yaml::read(bytes).unwrap_or_default();
                let is_meant = |leaf: &Leaf| meant.is_in(token(&document, leaf));
                let stretches = yaml::stretches(&document, bytes, is_meant);
                is_fixed = stretches.is_none();
                stretches.unwrap_or_default()
            })?;
            let path = path.clone();
            Some(count)
                .filter(|_| !is_fixed)
                .ok_or(Error::Entangled { path })
        }
        _ => Ok(0),
    }
}

/// Reads files as other programs write them, or as people are known to keep them: see `tests/neighbours/README.md`.
#[cfg(test)]
mod samples {
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::rc::Rc;

    use super::gcm::Gcm;
    use super::gh::Gh;
    use super::git_store::GitStore;
    use super::glab::Glab;
    use super::netrc::Netrc;
    use super::{Error, Found, Neighbour, Reading};
    use crate::credential::expiry::Expiry;
    use crate::storage::keychain::Keychain;
    use crate::storage::keychain::tests::empty;

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
            let copy = home.path().join(place.split('/').collect::<PathBuf>());
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
        Rc::new(empty())
    }

    #[test]
    fn files_of_gh_are_read_as_gh_reads_them() {
        each("gh", "hosts.yml", |file, _| {
            let keychain = keychain();
            Box::new(Gh { file, keychain })
        });
    }

    #[test]
    fn files_of_glab_are_read_as_glab_reads_them() {
        each("glab", "config.yml", |file, _| {
            let keychain = keychain();
            Box::new(Glab { file, keychain })
        });
    }

    #[test]
    fn files_of_git_credential_store_are_read_as_git_reads_them() {
        each("git-store", "credentials", |file, _| {
            Box::new(GitStore::of(vec![file]))
        });
    }

    #[test]
    fn files_of_netrc_are_read_as_libcurl_reads_them() {
        each("netrc", ".netrc", |file, _| Box::new(Netrc { file }));
    }

    #[test]
    fn files_of_gcm_are_read_as_gcm_reads_them() {
        each("gcm", "git/https/host/user.credential", |_, folder| {
            Box::new(Gcm::at(vec![folder.to_path_buf()], keychain(), Vec::new()))
        });
    }
}
