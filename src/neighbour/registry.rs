//! From the name of a neighbour to the neighbour: the one file that names them all.

use std::path::PathBuf;
use std::rc::Rc;
use std::str::FromStr;
use std::time::Duration;

use super::configured::{Configured, configured};
use super::environment::Environment;
use super::gcm::Gcm;
use super::gh::Gh;
use super::git_cache::GitCache;
use super::git_store::GitStore;
use super::glab::Glab;
use super::netrc::Netrc;
use super::{Error, Found, Neighbour, Skipped, locate};
use crate::credential::query::Query;
use crate::credential::url;
use crate::credential::username::Username;
use crate::files::places::{Foreign, NoHome};
use crate::storage::keychain::Keychain;

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
        let path = |path: &str| {
            let path = PathBuf::from(path);
            path.is_absolute().then_some(path).ok_or(SourceError)
        };
        match text.split_once(':') {
            None => Ok(match text {
                "git-store" => Self::GitStore(None),
                "netrc" => Self::Netrc(None),
                "gh" => Self::Gh,
                "glab" => Self::Glab,
                "gcm" => Self::Gcm,
                "git-cache" => Self::GitCache,
                _ => return Err(SourceError),
            }),
            Some(("git-store", file)) => Ok(Self::GitStore(Some(path(file)?))),
            Some(("netrc", file)) => Ok(Self::Netrc(Some(path(file)?))),
            Some(("env", name)) => {
                let is_name = !name.is_empty()
                    && name
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
                is_name
                    .then(|| Self::Variable(name.to_owned()))
                    .ok_or(SourceError)
            }
            Some(_) => Err(SourceError),
        }
    }
}

/// The neighbours that are looked at.
#[derive(Debug)]
pub struct Neighbours {
    all: Vec<Box<dyn Neighbour>>,
    /// git's cache, and its place among the others.
    cache: Option<(PathBuf, usize)>,
    /// Helpers of git's whose files are unknown.
    untold: Vec<Error>,
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
    pub skipped: Vec<(&'static str, Skipped)>,
    /// The number of unread entries by neighbour.
    pub surplus: Vec<(&'static str, usize)>,
    /// Sources that could not be read.
    pub troubles: Vec<Error>,
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
        };
        let chosen = if chosen.is_empty() {
            &Source::ALL
        } else {
            chosen
        };
        for source in chosen {
            let keychain = Rc::clone(&keychain);
            let neighbour: Box<dyn Neighbour> = match source {
                Source::GitStore(Some(file)) => Box::new(GitStore::over(vec![file.clone()])),
                Source::GitStore(None) => {
                    let told = neighbours.told(configured("store", "--file", home));
                    Box::new(GitStore::over(locate::git_store(&folders, told)))
                }
                Source::Netrc(Some(file)) => Box::new(Netrc::at(file.clone())),
                Source::Netrc(None) => Box::new(Netrc::at(locate::netrc(&folders))),
                Source::Gh => Box::new(Gh::at(locate::gh(&folders), keychain)),
                Source::Glab => Box::new(Glab::at(locate::glab(&folders), keychain)),
                Source::Gcm => Box::new(
                    Gcm::at(locate::gcm(home), keychain)
                        .with_namespaces(locate::gcm_namespaces())
                        .with_gpg(locate::gcm_gpg(home)),
                ),
                Source::GitCache => {
                    let told = neighbours.told(configured("cache", "--socket", home));
                    let socket = locate::git_cache(&folders, told);
                    neighbours.cache = Some((socket, neighbours.all.len()));
                    continue;
                }
                Source::Variable(name) => {
                    let mut wanted = wanted.map(Query::duplicate).unwrap_or_default();
                    let is_named = |user: &Username| !user.expose().is_empty();
                    wanted.username = wanted
                        .username
                        .filter(is_named)
                        .or_else(|| username_of(name).map(Username::from));
                    Box::new(Environment::variable(name.clone(), wanted))
                }
            };
            neighbours.all.push(neighbour);
        }
        Ok(neighbours)
    }

    /// The paths of a helper of git's. Notes the helpers whose path is unknown.
    fn told(&mut self, configured: Configured) -> Vec<PathBuf> {
        for helper in configured.untold {
            self.untold.push(Error::Untold { helper });
        }
        configured.paths
    }

    /// Reads all neighbours. git's cache is asked for `known`, for the keys of the other neighbours and for known forges.
    pub fn read(&mut self, known: Vec<Query>) -> Harvest {
        let mut harvest = Harvest {
            troubles: std::mem::take(&mut self.untold),
            ..Harvest::default()
        };
        for (owner, neighbour) in self.all.iter().enumerate() {
            harvest.add(owner, &**neighbour);
        }
        if let Some((socket, place)) = self.cache.take() {
            let mut questions: Vec<Query> = Vec::new();
            let forges = FORGES
                .iter()
                .filter_map(|url| url::parse(url.as_bytes()).ok());
            let others = harvest
                .copies
                .iter()
                .map(|copied| Query::of(&copied.found.credential.key));
            for question in known.into_iter().chain(forges).chain(others) {
                if questions.len() < MOST_KNOWN
                    && !questions.iter().any(|asked| asked.key() == question.key())
                {
                    questions.push(question);
                }
            }
            let cache = GitCache::behind(socket, questions);
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

impl Harvest {
    /// Whether every place was read to its end. Skipped entries do not count: git cannot use them either.
    pub fn is_whole(&self) -> bool {
        self.troubles.is_empty() && self.surplus.is_empty()
    }

    /// Adds the entries of a neighbour. An absent keychain is no trouble, and a locked one is named once.
    fn add(&mut self, owner: usize, neighbour: &dyn Neighbour) {
        let reading = neighbour.read();
        let copies = reading.found.into_iter();
        self.copies
            .extend(copies.map(|found| Copied { found, owner }));
        if reading.skipped.count > 0 {
            self.skipped.push((neighbour.name(), reading.skipped));
        }
        if reading.surplus > 0 {
            self.surplus.push((neighbour.name(), reading.surplus));
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

    #[test]
    fn sources_have_words() {
        for (text, source) in [
            ("gh", Source::Gh),
            ("git-store", Source::GitStore(None)),
            ("git-store:/a:b", Source::GitStore(Some("/a:b".into()))),
            ("netrc:/n", Source::Netrc(Some("/n".into()))),
            ("env:GITHUB_TOKEN", Source::Variable("GITHUB_TOKEN".into())),
        ] {
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
