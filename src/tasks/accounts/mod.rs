//! `account`: checks, adds and removes `[[account]]` rules, and finds the token that answers for each.

pub mod failure;
pub mod overview;

use std::path::Path;

use self::failure::Error;
use crate::config::account::Account;
use crate::config::rules::RuleFile;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::credential::username::{Username, is_token_in_path};
use crate::terminal::escape::is_plain;

/// Give up after 16 lost races with programs that write the file.
const ATTEMPTS: usize = 16;

/// `config.toml`, as a command sees it.
#[derive(Clone, Copy)]
pub struct ConfigToml<'a> {
    pub path: &'a Path,
    /// Whether a flag names the file: then its absence is an error, so the file stays even if it is empty.
    pub is_named: bool,
}

/// Returns the rule that a user asks for: for `url`, without `.git` at its end, and for the user `name` or the one in the URL.
pub fn rule(url: &Query, name: Option<&str>) -> Result<Account, Error> {
    if !matches!(url.protocol.as_deref(), Some(b"https" | b"http")) {
        return Err(Error::NotHttps);
    }
    let mut wanted = url.duplicate();
    wanted.username.take_if(|user| user.is_empty());
    if name.is_some_and(|name| name.contains('/')) {
        return Err(Error::NameIsUrl);
    }
    if let Some(name) = name.map(Username::from) {
        let other = wanted.username.replace(name.clone());
        if other.is_some_and(|other| other != name) {
            return Err(Error::TwoUsers);
        }
    }
    if let Some(path) = &mut wanted.path
        && let Some(bare) = path.strip_suffix(b".git")
    {
        path.truncate(bare.len());
    }
    let path = wanted.path.as_deref().unwrap_or_default();
    if path.split(|&byte| byte == b'/').any(is_token_in_path) {
        return Err(Error::TokenInPath);
    }
    if let Some(user) = &wanted.username {
        let text = str::from_utf8(user.expose()).unwrap_or("\0");
        if user.may_be_token() {
            return Err(Error::Token);
        }
        if !text.chars().all(is_plain) {
            return Err(Error::Invisible);
        }
    }
    if wanted.path.is_none() && wanted.username.is_none() {
        return Err(Error::WholeHost);
    }
    Account::new(&wanted).map_err(Error::Path)
}

/// Adds a rule to the file. Returns false if the file has the rule already. In a dry run, checks and changes nothing.
pub fn add(file: ConfigToml, rule: &Account, is_dry: bool) -> Result<bool, Error> {
    for _ in 0..ATTEMPTS {
        let read = RuleFile::read(file.path)?;
        let mut of_url = read
            .accounts
            .iter()
            .filter(|known| is_same_url(known, rule));
        if let Some(known) = of_url.next() {
            return if known.key.username == rule.key.username {
                Ok(false)
            } else {
                Err(Error::other_user(known))
            };
        }
        let new = read.with(&rule.key)?;
        if is_dry || read.replace(new, !file.is_named)? {
            return Ok(true);
        }
    }
    Err(Error::overtaken(file.path))
}

/// The rules for a URL that `remove` takes, and the others.
pub struct RuleChoice {
    pub removed: Vec<Account>,
    pub others: Vec<Account>,
}

/// Chooses the rules for `url`; with a user in the URL, only that user's.
pub fn choose(accounts: &[Account], url: &Query) -> Result<RuleChoice, Error> {
    let (removed, others) = accounts
        .iter()
        .cloned()
        .partition(|known| is_chosen(known, url));
    let choice = RuleChoice { removed, others };
    if choice.removed.is_empty() {
        return Err(Error::unknown(url));
    }
    Ok(choice)
}

/// Removes the rules for `url` from the file. In a dry run, checks and changes nothing.
pub fn remove(file: ConfigToml, url: &Query, is_dry: bool) -> Result<(), Error> {
    for _ in 0..ATTEMPTS {
        let read = RuleFile::read(file.path)?;
        let new = read.without(|known| is_chosen(known, url))?;
        if is_dry || read.replace(new, !file.is_named)? {
            return Ok(());
        }
    }
    Err(Error::overtaken(file.path))
}

fn is_chosen(known: &Account, url: &Query) -> bool {
    let user = url.username.as_ref().filter(|user| !user.is_empty());
    let is_user = user.is_none_or(|user| known.key.username.as_ref() == Some(user));
    is_user
        && url.protocol.as_ref() == Some(&known.key.protocol)
        && url.host.as_ref() == Some(&known.key.host)
        && without_git(url.path.as_deref()) == without_git(known.key.path.as_deref())
}

fn is_same_url(one: &Account, other: &Account) -> bool {
    let bare = Key {
        username: None,
        ..one.key.clone()
    };
    is_chosen(other, &Query::of(&bare))
}

fn without_git(path: Option<&[u8]>) -> Option<&[u8]> {
    path.map(|path| path.strip_suffix(b".git").unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::url;

    fn of(text: &str, name: Option<&str>) -> Result<String, String> {
        let account = rule(&url::parse(text.as_bytes()).unwrap(), name);
        let account = account.map_err(|error| error.to_string())?;
        Ok(account.key.encoded())
    }

    #[test]
    fn a_rule_has_a_path_or_a_user() {
        for (text, name, shown) in [
            ("https://one.test/acme", None, "https://one.test/acme"),
            (
                "https://One.test/Acme/",
                Some("me"),
                "https://me@one.test/Acme",
            ),
            (
                "https://me@one.test/acme/r.git",
                Some("me"),
                "https://me@one.test/acme/r",
            ),
            ("https://one.test", Some("me"), "https://me@one.test"),
            ("http://@one.test:8080/a", None, "http://one.test:8080/a"),
        ] {
            assert_eq!(of(text, name).as_deref(), Ok(shown), "{text}");
        }
        let token = "ghp_madeup0123456789abcdef0123456789abcd";
        for (text, name, problem) in [
            ("https://one.test", None, "needs a user"),
            ("https://one.test/a/../b", None, "'..'"),
            ("https://one.test/a//b", None, "empty part"),
            ("https://me@one.test/a", Some("you"), "two users"),
            ("https://one.test/a", Some(token), "a token"),
            (
                "https://one.test/ghp_madeup0123456789abcdef0123456789abcd",
                None,
                "a token",
            ),
            (
                "https://one.test/a/ghp_madeup0123456789abcdef0123456789abcd.git",
                None,
                "a token",
            ),
            ("https://one.test/a", Some("a\u{1b}b"), "does not show"),
            ("smtp://one.test/a", Some("me"), "HTTPS"),
        ] {
            let error = of(text, name).unwrap_err();
            assert!(error.contains(problem) && !error.contains(token), "{error}");
        }
    }

    #[test]
    fn a_url_means_the_rules_of_its_path_and_user() {
        let account = |text: &str| rule(&url::parse(text.as_bytes()).unwrap(), None).unwrap();
        let known = [
            account("https://one.test/acme"),
            account("https://me@one.test/acme/r"),
            account("https://you@one.test/acme/r"),
        ];
        let chosen = |text: &str| {
            let choice = choose(&known, &url::parse(text.as_bytes()).unwrap());
            choice.map_or(0, |choice| choice.removed.len())
        };
        for (text, count) in [
            ("https://one.test/acme/", 1),
            ("https://one.test/acme/r.git", 2),
            ("https://you@one.test/acme/r", 1),
            ("https://you@one.test/acme", 0),
            ("https://one.test", 0),
            ("http://one.test/acme", 0),
        ] {
            assert_eq!(chosen(text), count, "{text}");
        }
    }
}
