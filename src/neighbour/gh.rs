//! gh, GitHub's command line: `hosts.yml`, and items of the keychain (cli/cli: `internal/config`, `internal/keyring`).

use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;

use super::{Error, Found, Neighbour, Place, Reading};
use crate::credential::host::is_host;
use crate::credential::key::Key;
use crate::foreign;
use crate::secret::Buffer;
use crate::storage::keychain::Keychain;
use crate::yaml::{self, Leaf};

/// Where gh signs in if it is not told otherwise, and where it may keep an item without a word of it in its file.
const GITHUB: &[u8] = b"github.com";
/// More than anybody has, and each costs a question to the keychain.
const MOST_HOSTS: usize = 20;

/// Its file, and its items.
#[derive(Debug)]
pub struct Gh {
    file: PathBuf,
    keychain: Rc<Keychain>,
}

impl Gh {
    /// With `file` for its `hosts.yml`.
    pub fn at(file: PathBuf, keychain: Rc<Keychain>) -> Self {
        Self { file, keychain }
    }

    /// A token may stand twice: with its user, and with the host for the one who is active (gh 2.40).
    fn read_file(&self, leaves: &[Leaf], reading: &mut Reading) {
        for leaf in leaves.iter().filter(|leaf| is_token(leaf)) {
            let host = &leaf.path[0];
            let user = match &leaf.path[..] {
                [_, _, user, _] => Some(user.as_slice()),
                _ => active(leaves, host),
            };
            let place = Place::File(self.file.clone());
            let found = user.and_then(|user| Found::for_host(host, user, &leaf.value, None, place));
            reading.take(found);
        }
    }

    /// The item of the one who is active is there twice: with the name, and without.
    fn read_items(
        &self,
        host: &[u8],
        active: Option<&[u8]>,
        reading: &mut Reading,
    ) -> Result<(), Error> {
        let Ok(name) = std::str::from_utf8(host) else {
            return Ok(());
        };
        let items = self
            .keychain
            .others(vec![("service", format!("gh:{name}"))])?;
        let (unnamed, named): (Vec<_>, Vec<_>) = items
            .into_iter()
            .partition(|item| item.attributes.get("username").is_none_or(String::is_empty));
        for item in named.into_iter().chain(unnamed) {
            let user = item.attributes.get("username").map(String::as_bytes);
            let user = user.filter(|user| !user.is_empty()).or(active);
            let place = Place::Keychain(item.attributes.clone());
            let secret = item.secret.expose();
            reading.take(user.and_then(|user| Found::for_host(host, user, secret, None, place)));
        }
        Ok(())
    }
}

impl Neighbour for Gh {
    fn name(&self) -> &'static str {
        "gh"
    }

    fn places(&self) -> Vec<Place> {
        vec![
            Place::File(self.file.clone()),
            Place::Keychain(HashMap::new()),
        ]
    }

    fn read(&self) -> Reading {
        let mut reading = Reading::default();
        let leaves = foreign::read(&self.file)
            .map_err(Error::from)
            .and_then(|bytes| {
                yaml::leaves(bytes.as_ref().map_or(&b""[..], Buffer::as_slice)).map_err(|cause| {
                    Error::Wording {
                        path: self.file.clone(),
                        cause,
                    }
                })
            });
        let leaves = leaves.unwrap_or_else(|error| {
            reading.troubles.push(error);
            Vec::new()
        });
        self.read_file(&leaves, &mut reading);
        let mut hosts: Vec<&[u8]> = leaves
            .iter()
            .filter(|leaf| leaf.path.len() == 1 && is_host(&leaf.path[0]))
            .map(|leaf| &leaf.path[0][..])
            .collect();
        if !hosts.contains(&GITHUB) {
            hosts.push(GITHUB);
        }
        for host in hosts.into_iter().take(MOST_HOSTS) {
            let active = active(&leaves, host);
            if let Err(error) = self.read_items(host, active, &mut reading) {
                reading.troubles.push(error);
                break;
            }
        }
        // Whom gh itself signs in comes first.
        let is_same_host =
            |one: &Found, two: &Found| one.credential.key.host == two.credential.key.host;
        for of_host in reading.found.chunk_by_mut(is_same_host) {
            of_host.sort_by_key(|found| {
                let Key { host, username, .. } = &found.credential.key;
                active(&leaves, host) != username.as_deref()
            });
        }
        reading
    }

    fn remove(&self, found: &Found) -> Result<usize, Error> {
        let Some(secret) = found.secret() else {
            return Ok(0);
        };
        match &found.place {
            Place::Keychain(attributes) => Ok(self.keychain.remove_other(attributes, secret)?),
            Place::File(path) => Ok(foreign::cut(path, |bytes| {
                let leaves = yaml::leaves(bytes).unwrap_or_default();
                let is_meant = |leaf: &&Leaf| {
                    let user = match &leaf.path[..] {
                        [_, _, user, _] => Some(user.as_slice()),
                        [host, ..] => active(&leaves, host),
                        [] => None,
                    };
                    user.and_then(|user| {
                        let place = found.place.clone();
                        Found::for_host(&leaf.path[0], user, &leaf.value, None, place)
                    })
                    .is_some_and(|kept| kept.is_same(found))
                };
                let tokens = leaves.iter().filter(|leaf| is_token(leaf));
                tokens
                    .filter(is_meant)
                    .map(|leaf| leaf.line.clone())
                    .collect()
            })?),
            _ => Ok(0),
        }
    }
}

/// `HOST: oauth_token:`, and since gh 2.40 `HOST: users: NAME: oauth_token:`.
fn is_token(leaf: &Leaf) -> bool {
    let is_there = match &leaf.path[..] {
        [_, name] => name == b"oauth_token",
        [_, users, _, name] => users == b"users" && name == b"oauth_token",
        _ => false,
    };
    is_there && !leaf.value.is_empty()
}

fn active<'a>(leaves: &'a [Leaf], host: &[u8]) -> Option<&'a [u8]> {
    let user = leaves.iter().find(|leaf| leaf.is_at(&[host, b"user"]))?;
    (!user.value.is_empty()).then_some(&user.value[..])
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use keyring::{CredentialStore, mock};

    use super::*;

    const SEVERAL: &str = "github.com:\n    users:\n        alice:\n            oauth_token: tok-alice\n        bob:\n            oauth_token: tok-bob\n    git_protocol: https\n    user: alice\n    oauth_token: tok-alice\nghe.test:\n    user: carol\n    oauth_token: tok-carol\n    git_protocol: ssh\nkeyring.test:\n    users:\n        dave:\n    user: dave\n";

    fn gh(text: &str) -> (tempfile::TempDir, PathBuf, Gh) {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("hosts.yml");
        std::fs::write(&path, text).unwrap();
        let store = mock::Store::new().unwrap() as Arc<CredentialStore>;
        let gh = Gh::at(path.clone(), Rc::new(Keychain::over(&store)));
        (home, path, gh)
    }

    fn shown(reading: &Reading) -> Vec<String> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let row = |found: &Found| {
            let key = &found.credential.key;
            let user = text(key.username.as_deref().unwrap());
            let secret = text(found.secret().unwrap().expose());
            format!("{} {user} {secret}", text(&key.url()))
        };
        reading.found.iter().map(row).collect()
    }

    #[test]
    fn reads_one_user_and_several() {
        let (_home, _, gh) = gh(SEVERAL);
        let reading = gh.read();
        assert_eq!(
            shown(&reading),
            [
                "https://github.com alice tok-alice",
                "https://github.com bob tok-bob",
                "https://ghe.test carol tok-carol",
            ]
        );
        assert_eq!(reading.skipped, 0);
    }

    #[test]
    fn a_token_goes_from_both_its_lines() {
        let (_home, path, gh) = gh(SEVERAL);
        let reading = gh.read();
        assert_eq!(gh.remove(&reading.found[0]).unwrap(), 2);
        let left = std::fs::read_to_string(path).unwrap();
        assert_eq!(
            left,
            SEVERAL
                .replace("            oauth_token: tok-alice\n", "")
                .replace("    oauth_token: tok-alice\n", "")
        );
        assert_eq!(shown(&gh.read()).len(), 2);
    }

    #[test]
    fn what_is_strange_is_refused_or_counted() {
        let (_home, path, strange) = gh("github.com:\n  - oauth_token: tok-a\n");
        assert!(matches!(
            strange.read().troubles[..],
            [Error::Wording { .. }]
        ));
        std::fs::write(&path, "good.test@evil.test:\n    user: a\n    oauth_token: tok-a\nx.test:\n    oauth_token: tok-b\n").unwrap();
        let reading = strange.read();
        assert_eq!((reading.found.len(), reading.skipped), (0, 2));
    }
}
