//! gh, GitHub's command line: `hosts.yml`, and items of the keychain (cli/cli: `internal/config`, `internal/keyring`).

use std::path::PathBuf;
use std::rc::Rc;

use super::yaml::document::{Document, Leaf};
use super::{Error, Found, Neighbour, Place, Reading, https, remove_token};
use crate::credential::host::is_host;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::credential::username::Username;
use crate::storage::keychain::Keychain;
use crate::storage::keychain::external::ExternalItem;

/// gh's default host. It may have an item for this host that its file does not name.
const GITHUB: &[u8] = b"github.com";
/// The most hosts that are looked up in the keychain.
const MOST_HOSTS: usize = 20;

/// The user that gh's credential helper answers if its file names none (cli/cli: `gitcredential/helper.go`).
const DEFAULT_USER: &[u8] = b"x-access-token";

/// gh's file and items.
#[derive(Debug)]
pub struct Gh {
    /// Its `hosts.yml`.
    pub(super) file: PathBuf,
    pub(super) keychain: Rc<Keychain>,
}

impl Gh {
    /// The item of the active user is there twice, with and without the name.
    fn read_items(&self, host: &[u8], active: &[u8], reading: &mut Reading) -> Result<(), Error> {
        let Ok(name) = std::str::from_utf8(host) else {
            return Ok(());
        };
        let service = vec![("service", format!("gh:{name}"))];
        let mut items = self.keychain.external(service)?;
        let is_unnamed =
            |item: &ExternalItem| item.attributes.get("username").is_none_or(String::is_empty);
        items.sort_by_key(is_unnamed);
        for item in items {
            let user = match item.attributes.get("username") {
                Some(user) if !user.is_empty() => user.as_bytes(),
                _ => active,
            };
            let said = https(host, user, item.secret.expose());
            reading.take(Some(said), &Place::Keychain(item.attributes), None);
        }
        Ok(())
    }
}

impl Neighbour for Gh {
    fn name(&self) -> &'static str {
        "gh"
    }

    fn read(&self) -> Reading {
        let mut reading = Reading::default();
        let document = reading.open_yaml(&self.file);
        let place = Place::File(self.file.clone());
        let mut hosts: Vec<&[u8]> = Vec::new();
        for leaf in &document.leaves {
            if is_token(leaf) {
                // The active user's token may be there twice: below its user and below the host (gh 2.40).
                reading.take(said(&document, leaf), &place, Some(leaf.line));
            }
            if leaf.path.len() == 1 && is_host(&leaf.path[0]) {
                hosts.push(&leaf.path[0]);
            }
        }
        if !hosts.contains(&GITHUB) {
            hosts.push(GITHUB);
        }
        for host in hosts.into_iter().take(MOST_HOSTS) {
            if let Err(error) = self.read_items(host, active(&document, host), &mut reading) {
                reading.troubles.push(error);
                break;
            }
        }
        // gh answers with the token of the active user.
        let is_same_host =
            |one: &Found, two: &Found| one.credential.key.host == two.credential.key.host;
        for of_host in reading.found.chunk_by_mut(is_same_host) {
            of_host.sort_by_key(|found| {
                let Key { host, username, .. } = &found.credential.key;
                Some(active(&document, host)) != username.as_ref().map(Username::expose)
            });
        }
        reading
    }

    fn remove(&self, meant: &Found) -> Result<usize, Error> {
        remove_token(&self.keychain, meant, |document, leaf| {
            said(document, Some(leaf).filter(|leaf| is_token(leaf))?)
        })
    }
}

/// `HOST: oauth_token:`, and since gh 2.40 `HOST: users: NAME: oauth_token:`. An alias is counted as skipped.
fn is_token(leaf: &Leaf) -> bool {
    let is_there = match &leaf.path[..] {
        [_, name] => name == b"oauth_token",
        [_, users, _, name] => users == b"users" && name == b"oauth_token",
        _ => false,
    };
    is_there && (leaf.is_alias || !leaf.value.is_empty())
}

fn said(document: &Document, token: &Leaf) -> Option<Query> {
    let host = token.path.first()?;
    let user = match &token.path[..] {
        [_, _, user, _] => user,
        _ => active(document, host),
    };
    Some(https(host, user, &token.value))
}

/// The user whose token gh itself answers with.
fn active<'a>(document: &'a Document, host: &[u8]) -> &'a [u8] {
    document.value(&[host, b"user"]).unwrap_or(DEFAULT_USER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::keychain::tests::{empty, of_windows};

    const SEVERAL: &str = "github.com:\n    users:\n        alice:\n            oauth_token: tok-alice\n        bob:\n            oauth_token: tok-bob\n    git_protocol: https\n    user: alice\n    oauth_token: tok-alice\nghe.test:\n    user: carol\n    oauth_token: tok-carol\n    git_protocol: ssh\nkeyring.test:\n    users:\n        dave:\n    user: dave\n";

    fn gh(text: &str) -> (tempfile::TempDir, PathBuf, Gh) {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("hosts.yml");
        std::fs::write(&path, text).unwrap();
        let gh = Gh {
            file: path.clone(),
            keychain: Rc::new(empty()),
        };
        (home, path, gh)
    }

    fn shown(reading: &Reading) -> Vec<String> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let row = |found: &Found| {
            let key = &found.credential.key;
            let user = text(key.username.as_ref().unwrap().expose());
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
        assert_eq!(reading.skipped.count, 0);
    }

    /// On Windows an item's name ends with the user, and the item of the active user has none.
    #[test]
    fn items_of_windows_are_read_and_removed() {
        let (_home, _, mut gh) =
            gh("github.com:\n    user: alice\n    users:\n        alice:\n        bob:\n");
        let items = [
            ["gh:github.com:", "", "tok-alice"],
            ["gh:github.com:alice", "alice", "tok-alice"],
            ["gh:github.com:bob", "bob", "tok-bob"],
        ];
        gh.keychain = Rc::new(of_windows(&items, &[]));
        let reading = gh.read();
        let [alice, same, bob] = &reading.found[..] else {
            panic!("{reading:?}");
        };
        assert!(alice.is_same(same), "twice, as two items");
        assert_eq!(bob.credential.key.username, Some("bob".into()));
        assert_eq!(bob.secret().unwrap().expose(), b"tok-bob");
        for found in [alice, same, bob] {
            assert_eq!(gh.remove(found).unwrap(), 1);
            assert_eq!(gh.remove(found).unwrap(), 0, "gone");
        }
        assert!(gh.read().found.is_empty());
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
        let (_home, path, strange) = gh("github.com:\n  oauth_token: tok-a: b\n");
        assert!(matches!(
            strange.read().troubles[..],
            [Error::Wording { .. }]
        ));
        std::fs::write(&path, "good.test@evil.test:\n    user: a\n    oauth_token: tok-a\na.test: &t\n    x: &u tok\nx.test:\n    oauth_token: *u\n").unwrap();
        let reading = strange.read();
        assert_eq!((reading.found.len(), reading.skipped.count), (0, 2));
    }
}
