//! The `[[account]]` rules: several tokens on one host, each for the repositories of one owner.
//!
//! git tells the path only where `credential.useHttpPath` is set for it (gitcredentials(7)); `setup` sets that for every
//! rule. What is kept is kept under the rule's own path, once for the account and not once for every repository.

use serde::Deserialize;
use serde::de::Error as _;

use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::credential::url::{self, is_at_or_below};
use crate::credential::username::Username;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Under which the account's token is stored. Without a path the rule is for the whole host, without a user for any.
    pub key: Key,
}

impl Account {
    /// The rule for a URL with its user.
    pub(crate) fn new(url: &Query) -> Result<Self, &'static str> {
        if url.path.as_deref().is_some_and(|path| !is_plain(path)) {
            return Err("the path of an account has no '.', '..' or empty part");
        }
        let key = url.key().ok_or("an account needs a URL with a host")?;
        Ok(Self { key })
    }

    /// Returns every URL that needs `credential.useHttpPath`, as a key of git's configuration has it. For git, `acme/two` does not cover `acme/two.git` (git-config(1),
    /// `http.<url>.*`). A path with one segment belongs to an owner.
    pub fn urls(&self) -> Vec<Vec<u8>> {
        let bare = Key {
            username: None,
            ..self.key.clone()
        };
        let url = bare.context();
        let path = self.key.path.as_deref().unwrap_or_default();
        if path.ends_with(b".git") {
            vec![url[..url.len() - b".git".len()].to_vec(), url]
        } else if path.contains(&b'/') {
            vec![url.clone(), [&url[..], b".git"].concat()]
        } else {
            vec![url]
        }
    }

    /// Whether the rule is for this host, with any path.
    fn is_at(&self, said: &Query) -> bool {
        said.protocol.as_ref() == Some(&self.key.protocol)
            && said.host.as_ref() == Some(&self.key.host)
    }

    /// Whether the rule covers `said`. Compares paths by whole segments. A path with `.` or `..` belongs to no account: the
    /// request to the server has another path.
    pub fn covers(&self, said: &Query) -> bool {
        let users = self.key.username.as_ref().zip(said.username.as_ref());
        let is_same_user = users.is_none_or(|(rule, said)| rule == said);
        let covers_path = match (&self.key.path, &said.path) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(rule), Some(said)) => {
                let said = said.strip_suffix(b"/").unwrap_or(said);
                is_plain(said) && is_within(said, rule)
            }
        };
        is_same_user && self.is_at(said) && covers_path
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenAccount {
    url: String,
    username: Option<String>,
}

impl<'de> Deserialize<'de> for Account {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let WrittenAccount { url, username } = WrittenAccount::deserialize(deserializer)?;
        let mut said = url::parse(url.as_bytes()).map_err(D::Error::custom)?;
        said.username = username.map(Username::from).or(said.username);
        Self::new(&said).map_err(D::Error::custom)
    }
}

/// Replaces the repository's path by the account's, and adds its user if none is given. Of all rules that cover `said`, the one
/// with the longest path decides.
pub fn apply(accounts: &[Account], said: &mut Query) {
    let covering = accounts.iter().filter(|account| account.covers(said));
    let length = |account: &&Account| account.key.path.as_ref().map_or(0, Vec::len);
    // Of two paths with the same length, the first in the file decides.
    let account = covering.rev().max_by_key(length);
    // A query without a path matches no account: the entries of an account are for its paths only.
    let is_pathless = said.path.is_none();
    let has_path = |account: &Account| account.key.path.is_some() && account.is_at(said);
    said.is_pathless = is_pathless && accounts.iter().any(has_path);
    let Some(Account { key }) = account else {
        return;
    };
    said.path.clone_from(&key.path);
    if said.username.is_none() {
        said.username.clone_from(&key.username);
    }
}

fn is_plain(path: &[u8]) -> bool {
    !path.contains(&b'\\')
        && path
            .split(|&byte| byte == b'/')
            .all(|segment| !matches!(segment, b"" | b"." | b".."))
}

/// Whether `path` is `folder`, the repository of that name with or without `.git`, or below one of them.
fn is_within(path: &[u8], folder: &[u8]) -> bool {
    let folder = folder.strip_suffix(b".git").unwrap_or(folder);
    is_at_or_below(path, folder) || is_at_or_below(path, &[folder, b".git"].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts() -> Vec<Account> {
        [
            ("https://one.test/acme", Some("work")),
            ("https://one.test/acme/secret", None),
            ("https://one.test/me", Some("home")),
            ("https://two.test", Some("only")),
        ]
        .into_iter()
        .map(|(rule, name)| {
            let mut said = url::parse(rule.as_bytes()).unwrap();
            said.username = name.map(Username::from);
            Account {
                key: said.key().unwrap(),
            }
        })
        .collect()
    }

    fn applied(url: &str) -> (Option<String>, Option<String>) {
        let mut said = url::parse(url.as_bytes()).unwrap();
        apply(&accounts(), &mut said);
        let text = |bytes: Option<Vec<u8>>| bytes.map(|bytes| String::from_utf8(bytes).unwrap());
        (
            text(said.path),
            text(said.username.map(|name| name.expose().to_vec())),
        )
    }

    fn some(path: &str, username: &str) -> (Option<String>, Option<String>) {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        (some(path), some(username))
    }

    #[test]
    fn the_longest_path_decides() {
        assert_eq!(
            applied("https://one.test/acme/app.git"),
            some("acme", "work")
        );
        assert_eq!(applied("https://one.test/acme"), some("acme", "work"));
        assert_eq!(
            applied("https://one.test/acme/secret/x.git"),
            some("acme/secret", "")
        );
        assert_eq!(applied("https://one.test/me/x"), some("me", "home"));
        assert_eq!(applied("https://two.test/any/thing"), some("", "only"));
        assert_eq!(applied("https://two.test"), some("", "only"));
    }

    #[test]
    fn a_repository_is_the_same_with_and_without_its_ending() {
        let covers = |rule: &str, path: &str| {
            let rule = format!("https://one.test/{rule}");
            let key = url::parse(rule.as_bytes()).unwrap().key().unwrap();
            let account = Account { key };
            let mut said = url::parse(b"https://one.test").unwrap();
            said.path = Some(path.as_bytes().to_vec());
            account.covers(&said)
        };
        for (rule, path) in [
            ("acme/two", "acme/two.git"),
            ("acme/two", "acme/two/"),
            ("acme/two/", "acme/two.git/"),
            ("acme/two.git", "acme/two"),
            ("acme/two.git/", "acme/two.git"),
            ("acme/two", "acme/two.git/info/lfs"),
            ("acme/two.git", "acme/two/info/lfs"),
            ("acme", "acme/two.git"),
            ("acme/", "acme"),
        ] {
            assert!(covers(rule, path), "{rule} {path}");
        }
        for (rule, path) in [
            ("acme", "acmecorp"),
            ("acme", "acmecorp/two.git"),
            ("acme/two", "acme/two.gitx"),
            ("acme/two", "acme/two.github"),
            ("acme/two", "acme/twofold.git"),
            ("acme/two.git", "acme/two.git.git"),
            ("acme/two", "acme//two.git"),
            ("acme/two", "acme/two.git/../x"),
            ("acme/two", "acme"),
        ] {
            assert!(!covers(rule, path), "{rule} {path}");
        }
    }

    #[test]
    fn what_no_rule_covers_stays_as_it_is() {
        for (url, path, name) in [
            ("https://one.test", "", ""),
            ("https://one.test/acmevil/app.git", "acmevil/app.git", ""),
            ("https://one.test/ACME/app.git", "ACME/app.git", ""),
            ("http://one.test/acme/app.git", "acme/app.git", ""),
            ("https://one.test:444/acme/app.git", "acme/app.git", ""),
            (
                "https://one.test.evil.test/acme/app.git",
                "acme/app.git",
                "",
            ),
            (
                "https://other@one.test/acme/app.git",
                "acme/app.git",
                "other",
            ),
        ] {
            assert_eq!(applied(url), some(path, name), "{url}");
        }
        assert_eq!(
            applied("https://work@one.test/acme/app.git"),
            some("acme", "work")
        );
    }

    #[test]
    fn a_path_that_leads_elsewhere_belongs_to_nobody() {
        for path in [
            "acme/../evil/x.git",
            "acme/./x.git",
            "acme//x.git",
            "acme/..",
            "acme/a%5c..%5cx",
            "./acme/x",
            "acme/%2e%2e/evil",
        ] {
            let url = format!("https://one.test/{path}");
            let before = url::parse(url.as_bytes()).unwrap().path;
            let mut said = url::parse(url.as_bytes()).unwrap();
            apply(&accounts(), &mut said);
            assert_eq!((said.path, said.username), (before, None), "{path}");
        }
    }

    #[test]
    fn debug_shows_no_value() {
        assert!(!format!("{:?}", accounts()).contains("acme"));
    }
}
