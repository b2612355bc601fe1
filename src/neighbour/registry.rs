//! From the name of a neighbour to the neighbour: the one file that names them all.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::str::FromStr;
use std::time::Duration;

use super::configured::configured;
use super::environment::Environment;
use super::gcm::{EncryptedStore, Gcm};
use super::gh::Gh;
use super::git_cache::GitCache;
use super::git_store::GitStore;
use super::glab::Glab;
use super::netrc::Netrc;
use super::{Error, Found, Neighbour, Reading, SkippedEntries, locate};
use crate::credential::host::consists_of;
use crate::credential::query::Query;
use crate::credential::url;
use crate::credential::username::Username;
use crate::files::places::{Foreign, NoHome};
use crate::storage::keychain::Keychain;
use crate::trace::{self, counted};

/// The well-known forges. git's cache does not list its entries, so it is asked for these.
const FORGES: [&str; 5] = [
    "https://github.com",
    "https://gitlab.com",
    "https://bitbucket.org",
    "https://codeberg.org",
    "https://dev.azure.com",
];
/// The most queries to git's cache.
const MOST_KNOWN: usize = 200;

/// A neighbour by its name on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// `git-store`, or `git-store:PATH`.
    GitStore(Option<PathBuf>),
    /// `netrc`, or `netrc:PATH`.
    Netrc(Option<PathBuf>),
    /// `gh`.
    Gh,
    /// `glab`.
    Glab,
    /// `gcm`.
    Gcm,
    /// `git-cache`.
    GitCache,
    /// `env:NAME`.
    Variable(String),
}

impl Source {
    /// The sources of an import that names none.
    const ALL: [Self; 6] = [
        Self::Gcm,
        Self::Gh,
        Self::Glab,
        Self::GitStore(None),
        Self::Netrc(None),
        Self::GitCache,
    ];
}

/// A word that names no source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "write git-store, git-store:PATH, netrc, netrc:PATH, gh, glab, gcm, git-cache or env:NAME; paths are absolute"
)]
pub struct SourceError;

impl FromStr for Source {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        let (name, detail) = match text.split_once(':') {
            Some((name, detail)) => (name, Some(detail)),
            None => (text, None),
        };
        let file = detail.map(PathBuf::from);
        let is_place = file.as_ref().is_none_or(|file| file.is_absolute());
        match (name, detail) {
            ("git-store", _) if is_place => Ok(Self::GitStore(file)),
            ("netrc", _) if is_place => Ok(Self::Netrc(file)),
            ("gh", None) => Ok(Self::Gh),
            ("glab", None) => Ok(Self::Glab),
            ("gcm", None) => Ok(Self::Gcm),
            ("git-cache", None) => Ok(Self::GitCache),
            ("env", Some(variable)) if consists_of(variable.as_bytes(), b"_") => {
                Ok(Self::Variable(variable.to_owned()))
            }
            _ => Err(SourceError),
        }
    }
}

/// The neighbours that are looked at.
#[derive(Debug)]
pub struct Neighbours {
    all: Vec<Box<dyn Neighbour>>,
    /// git's cache, and its place among the others.
    cache: Option<(PathBuf, usize)>,
    /// Helpers of git's whose files are unknown, as they may be shown.
    untold: Vec<String>,
    /// Files that the user named and that do not exist.
    missing: Vec<PathBuf>,
}

/// A credential of a neighbour's.
#[derive(Debug)]
pub struct Copied {
    pub found: Found,
    /// Its index in [`Neighbours`].
    owner: usize,
}

/// The credentials of all neighbours.
#[derive(Debug, Default)]
pub struct Harvest {
    /// In the order in which the neighbours were named. Within a neighbour, its first answer comes first.
    pub copies: Vec<Copied>,
    /// The skipped entries by neighbour.
    pub skipped: Vec<(&'static str, SkippedEntries)>,
    /// The number of unread entries by neighbour.
    pub surplus: Vec<(&'static str, usize, usize)>,
    /// Sources that could not be read.
    pub troubles: Vec<Error>,
}

/// The file that the user named for `source`, if it does not exist.
fn missing_file(source: &Source) -> Option<PathBuf> {
    match source {
        Source::GitStore(Some(file)) | Source::Netrc(Some(file)) if !file.exists() => {
            Some(file.clone())
        }
        _ => None,
    }
}

impl Neighbours {
    /// Opens the `chosen` sources, or all but variables. `wanted`: the query of a variable's token. `username_of`: the username
    /// for a variable's token if `wanted` has none. `prompt_patience`: how long a user may take to unlock the keychain.
    pub fn open(
        chosen: &[Source],
        wanted: Option<&Query>,
        username_of: &dyn Fn(&str) -> Option<&'static str>,
        prompt_patience: Duration,
    ) -> Result<Self, NoHome> {
        let folders = Foreign::find()?;
        let home = &folders.home;
        let keychain = Rc::new(Keychain::open(prompt_patience));
        let mut neighbours = Self {
            all: Vec::new(),
            cache: None,
            untold: Vec::new(),
            missing: chosen.iter().filter_map(missing_file).collect(),
        };
        let named = Some(chosen).filter(|chosen| !chosen.is_empty());
        for source in named.unwrap_or(&Source::ALL) {
            let keychain = Rc::clone(&keychain);
            let neighbour: Box<dyn Neighbour> = match source {
                Source::GitStore(file) => {
                    let files = file.clone().map(|file| vec![file]);
                    let files = files.unwrap_or_else(|| {
                        let told = configured("store", "--file", home, &mut neighbours.untold);
                        locate::git_store(&folders, told)
                    });
                    Box::new(GitStore::of(files))
                }
                Source::Netrc(file) => {
                    let file = file.clone().unwrap_or_else(|| locate::netrc(&folders));
                    Box::new(Netrc { file })
                }
                Source::Gh => {
                    let file = locate::gh(&folders);
                    Box::new(Gh { file, keychain })
                }
                Source::Glab => {
                    let file = locate::glab(&folders);
                    Box::new(Glab { file, keychain })
                }
                Source::Gcm => Box::new(gcm(home, keychain)),
                Source::GitCache => {
                    let told = configured("cache", "--socket", home, &mut neighbours.untold);
                    let socket = locate::git_cache(&folders, told);
                    neighbours.cache = Some((socket, neighbours.all.len()));
                    continue;
                }
                Source::Variable(variable) => {
                    let wanted = wanted.map(Query::duplicate).unwrap_or_default();
                    Box::new(environment(variable, wanted, username_of))
                }
            };
            neighbours.all.push(neighbour);
        }
        Ok(neighbours)
    }

    /// Reads all neighbours. git's cache is asked for `known`, for the keys of the other neighbours and for known forges.
    pub fn read(&mut self, known: Vec<Query>) -> Harvest {
        let mut harvest = Harvest::default();
        for helper in std::mem::take(&mut self.untold) {
            harvest.troubles.push(Error::Untold { helper });
        }
        let missing = std::mem::take(&mut self.missing);
        harvest
            .troubles
            .extend(missing.into_iter().map(Error::NoFile));
        for (owner, neighbour) in self.all.iter().enumerate() {
            harvest.add(owner, &**neighbour);
        }
        if let Some((socket, place)) = self.cache.take() {
            let forges = FORGES.map(|url| url::parse(url.as_bytes()).ok());
            let copies = harvest.copies.iter();
            let others = copies.map(|copied| Query::of(&copied.found.credential.key));
            let mut asked = HashSet::new();
            let mut questions: Vec<Query> = known
                .into_iter()
                .chain(forges.into_iter().flatten())
                .chain(others)
                .filter(|question| asked.insert(question.key()))
                .collect();
            questions.truncate(MOST_KNOWN);
            let cache = GitCache {
                socket,
                known: questions,
            };
            let count = harvest.copies.len();
            harvest.add(self.all.len(), &cache);
            self.all.push(Box::new(cache));
            // The cache is asked last, and takes its place among the others.
            let is_after = |copied: &Copied| copied.owner >= place;
            let at = harvest.copies.iter().position(is_after).unwrap_or(count);
            harvest.copies[at..].rotate_left(count - at);
        }
        harvest
    }

    /// The name of the neighbour that has `copied`.
    pub fn name_of(&self, copied: &Copied) -> &'static str {
        self.all[copied.owner].name()
    }

    /// Removes `copied` at its neighbour if its secret is still the same. Returns the number of removed entries.
    pub fn remove(&self, copied: &Copied) -> Result<usize, Error> {
        self.all[copied.owner].remove(&copied.found)
    }

    /// Whether entries of its neighbour can be removed.
    pub fn can_remove(&self, copied: &Copied) -> bool {
        !["netrc", "env"].contains(&self.name_of(copied))
    }
}

/// Git Credential Manager, with the stores that it is set to use.
fn gcm(home: &Path, keychain: Rc<Keychain>) -> Gcm {
    let mut gcm = Gcm::at(locate::gcm(home), keychain, locate::gcm_namespaces());
    let gpg = locate::gcm_gpg(home).map(EncryptedStore::gpg);
    let dpapi = locate::gcm_dpapi(home).map(EncryptedStore::dpapi);
    gcm.encrypted = gpg.into_iter().chain(dpapi).collect();
    gcm
}

/// The token of `wanted` in a variable, under the usual username if `wanted` has none.
fn environment(
    variable: &str,
    mut wanted: Query,
    username_of: &dyn Fn(&str) -> Option<&'static str>,
) -> Environment {
    if wanted.username.as_ref().is_none_or(Username::is_empty) {
        wanted.username = username_of(variable).map(Username::from);
    }
    let variable = variable.to_owned();
    Environment { variable, wanted }
}

impl Harvest {
    /// Whether every place was read to its end. Skipped entries do not count: git cannot use them either.
    pub fn is_whole(&self) -> bool {
        self.troubles.is_empty() && self.surplus.is_empty()
    }

    /// Adds the entries of a neighbour. An absent keychain is no trouble, and a locked one is named once.
    fn add(&mut self, owner: usize, neighbour: &dyn Neighbour) {
        let read = || neighbour.read();
        let reading = trace::timed("source", read, |reading: &Reading| {
            let (name, count) = (neighbour.name(), reading.found.len());
            let credentials = counted(count, "credential", "credentials");
            let troubles = reading.troubles.iter();
            let count = troubles.filter(|trouble| !trouble.is_absence()).count();
            let problems = counted(count, "problem", "problems");
            format!("read {name}: {credentials}, {problems}")
        });
        let read = reading.found.len();
        let copies = reading.found.into_iter();
        self.copies
            .extend(copies.map(|found| Copied { found, owner }));
        if reading.skipped.count > 0 {
            self.skipped.push((neighbour.name(), reading.skipped));
        }
        if reading.surplus > 0 {
            self.surplus.push((neighbour.name(), reading.surplus, read));
        }
        for trouble in reading.troubles {
            let said = trouble.to_string();
            let is_known = self.troubles.iter().any(|known| known.to_string() == said);
            if !trouble.is_absence() && !is_known {
                self.troubles.push(trouble);
            }
        }
    }
}

#[cfg(test)]
impl Copied {
    /// As the first neighbour has it.
    pub(crate) fn of(found: Found) -> Self {
        Self { found, owner: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::testing::DRIVE;

    #[test]
    fn sources_have_words() {
        let path = |path: &str| PathBuf::from(format!("{DRIVE}{path}"));
        for (text, source) in [
            ("gh", Source::Gh),
            ("git-store", Source::GitStore(None)),
            ("git-store:/a:b", Source::GitStore(Some(path("/a:b")))),
            ("netrc:/n", Source::Netrc(Some(path("/n")))),
            ("env:GITHUB_TOKEN", Source::Variable("GITHUB_TOKEN".into())),
        ] {
            let text = text.replace('/', &format!("{DRIVE}/"));
            assert_eq!(text.parse(), Ok(source), "{text}");
        }
        for text in [
            "",
            "store",
            "gh:x",
            "env:",
            "env:A=b",
            "netrc:relative",
            "git-store:",
        ] {
            assert_eq!(text.parse::<Source>(), Err(SourceError), "{text}");
        }
    }
}
