//! From the name of a neighbour to the neighbour: the one file that names them all.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::str::FromStr;
use std::time::Duration;

use super::configured::{Configured, configured, gcm_folders_in_git, gcm_settings};
use super::environment::Environment;
use super::gcm::Gcm;
use super::gh::Gh;
use super::git_cache::GitCache;
use super::git_store::GitStore;
use super::glab::Glab;
use super::netrc::Netrc;
use super::{Error, Found, Neighbour, Skipped};
use crate::credential::query::Query;
use crate::credential::url;
use crate::credential::username::Username;
use crate::files::places::{Foreign, NoHome, named_folder};
use crate::storage::keychain::Keychain;

/// Where tokens are for most often: a daemon that does not tell what it has is asked for these.
const FORGES: [&str; 5] = [
    "https://github.com",
    "https://gitlab.com",
    "https://bitbucket.org",
    "https://codeberg.org",
    "https://dev.azure.com",
];
/// A daemon is asked about so many at most.
const MOST_KNOWN: usize = 200;

/// A neighbour, by a person's word for it.
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
    /// Every one that is looked for without being named.
    const ALL: [Self; 6] = [
        Self::Gcm,
        Self::Gh,
        Self::Glab,
        Self::GitStore(None),
        Self::Netrc(None),
        Self::GitCache,
    ];
}

/// Not a neighbour.
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
    /// git's cache, and before which of the others it was named.
    cache: Option<(PathBuf, usize)>,
    /// Where git's helpers keep more, as nobody can tell.
    untold: Vec<Error>,
}

/// A credential of a neighbour's.
#[derive(Debug)]
pub struct Copied {
    /// As it was found.
    pub found: Found,
    /// Which of [`Neighbours`] has it.
    owner: usize,
}

/// What all of them have.
#[derive(Debug, Default)]
pub struct Harvest {
    /// In the order in which the neighbours were named, and in each of them in its own: the first that it would answer with
    /// comes first.
    pub copies: Vec<Copied>,
    /// By neighbour, the entries that were skipped.
    pub skipped: Vec<(&'static str, Skipped)>,
    /// By neighbour, how many entries were more than are read.
    pub surplus: Vec<(&'static str, usize)>,
    /// What could not be read.
    pub troubles: Vec<Error>,
}

impl Neighbours {
    /// Those that are `chosen`; if none is, all that need not be named. `wanted`: what a variable's token is for.
    /// `username_of`: the username for the token in a variable where `wanted` has none. `prompt_patience`: how long a person
    /// may take to unlock the keychain.
    pub fn open(
        chosen: &[Source],
        wanted: Option<&Query>,
        username_of: &dyn Fn(&str) -> Option<&'static str>,
        prompt_patience: Duration,
    ) -> Result<Self, NoHome> {
        let Foreign {
            home,
            config,
            cache,
        } = Foreign::find()?;
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
            let neighbour: Box<dyn Neighbour> = match source {
                Source::GitStore(Some(file)) => Box::new(GitStore::over(vec![file.clone()])),
                Source::GitStore(None) => {
                    let mut files = vec![
                        home.join(".git-credentials"),
                        config.join("git").join("credentials"),
                    ];
                    for file in neighbours.told(configured("store", "--file", &home)) {
                        if !files.contains(&file) {
                            files.push(file);
                        }
                    }
                    Box::new(GitStore::over(files))
                }
                Source::Netrc(Some(file)) => Box::new(Netrc::at(file.clone())),
                Source::Netrc(None) => Box::new(Netrc::at(
                    named_folder("NETRC").unwrap_or_else(|| home.join(".netrc")),
                )),
                Source::Gh => {
                    let folder = named_folder("GH_CONFIG_DIR").unwrap_or_else(|| config.join("gh"));
                    Box::new(Gh::at(folder.join("hosts.yml"), Rc::clone(&keychain)))
                }
                Source::Glab => Box::new(Glab::at(
                    glab_folder(&home, &config).join("config.yml"),
                    Rc::clone(&keychain),
                )),
                Source::Gcm => Box::new(
                    Gcm::at(gcm_folders(&home), Rc::clone(&keychain))
                        .with_namespaces(gcm_namespaces())
                        .with_gpg(gcm_gpg_store(&home)),
                ),
                Source::GitCache => {
                    let old = home.join(".git-credential-cache");
                    let usual = if old.is_dir() {
                        old
                    } else {
                        cache.join("git").join("credential")
                    };
                    let named = neighbours.told(configured("cache", "--socket", &home));
                    let named = named.into_iter().next();
                    let socket = named.unwrap_or_else(|| usual.join("socket"));
                    neighbours.cache = Some((socket, neighbours.all.len()));
                    continue;
                }
                Source::Variable(name) => {
                    let mut wanted = wanted.map(Query::duplicate).unwrap_or_default();
                    wanted
                        .username
                        .take_if(|username| username.expose().is_empty());
                    wanted.username = wanted
                        .username
                        .or_else(|| username_of(name).map(Username::from));
                    Box::new(Environment::variable(name.clone(), wanted))
                }
            };
            neighbours.all.push(neighbour);
        }
        Ok(neighbours)
    }

    fn told(&mut self, configured: Configured) -> Vec<PathBuf> {
        let untold = configured.untold.into_iter();
        self.untold
            .extend(untold.map(|helper| Error::Untold { helper }));
        configured.paths
    }

    /// Reads them all. `known`: what a daemon that does not tell what it has is asked for, besides what the others have.
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
            // Asked last, for it must be asked by name; named when it was named.
            let is_after = |copied: &Copied| copied.owner >= place;
            let at = harvest.copies.iter().position(is_after).unwrap_or(count);
            harvest.copies[at..].rotate_left(count - at);
        }
        harvest
    }

    /// The name of who has it.
    pub fn name_of(&self, copied: &Copied) -> &'static str {
        self.all[copied.owner].name()
    }

    /// Takes it away from who has it, if it is still the same. Returns how many copies went.
    pub fn remove(&self, copied: &Copied) -> Result<usize, Error> {
        self.all[copied.owner].remove(&copied.found)
    }

    /// Whether its owner lets anything be taken away.
    pub fn can_remove(&self, copied: &Copied) -> bool {
        !["netrc", "env"].contains(&self.name_of(copied))
    }
}

impl Harvest {
    /// Whether every place was read to its end. Entries that are not well-formed do not count: git cannot use them either.
    pub fn is_whole(&self) -> bool {
        self.troubles.is_empty() && self.surplus.is_empty()
    }

    /// A system that has no keychain is an ordinary one, and one that is locked is locked for everybody.
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

/// glab's own search: the folder of its first versions comes before the one of the XDG specification.
fn glab_folder(home: &Path, config: &Path) -> PathBuf {
    let usual = home.join(".config").join("glab-cli");
    named_folder("GLAB_CONFIG_DIR").unwrap_or_else(|| {
        if usual.join("config.yml").exists() {
            usual
        } else {
            config.join("glab-cli")
        }
    })
}

/// Where GCM's plaintext store is: the environment decides alone, and git's configuration may for each URL by itself.
fn gcm_folders(home: &Path) -> Vec<PathBuf> {
    if let Some(folder) = named_folder("GCM_PLAINTEXT_STORE_PATH") {
        return vec![folder];
    }
    let mut folders = gcm_folders_in_git("plaintextStorePath", home);
    folders.push(home.join(".gcm").join("store"));
    folders
}

fn gcm_namespaces() -> Vec<Vec<u8>> {
    let names = gcm_settings("GCM_NAMESPACE", "namespace").into_iter();
    let names = names.map(OsString::into_vec);
    names.filter(|name| !name.is_empty()).collect()
}

/// Where GCM keeps files of gpg, if it is set to.
fn gcm_gpg_store(home: &Path) -> Option<PathBuf> {
    let kinds = gcm_settings("GCM_CREDENTIAL_STORE", "credentialStore");
    let is_gpg = kinds.iter().any(|kind| kind.eq_ignore_ascii_case("gpg"));
    is_gpg.then(|| {
        named_folder("PASSWORD_STORE_DIR")
            .or_else(|| {
                gcm_folders_in_git("gpgPassStorePath", home)
                    .into_iter()
                    .next()
            })
            .unwrap_or_else(|| home.join(".password-store"))
    })
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
