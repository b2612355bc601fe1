//! The `[[host]]` rules: forge and lifetime of tokens at one host.

use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use toml::Spanned;

use super::span::Span;
use crate::credential::host::consists_of;
use crate::credential::key::Key;
use crate::credential::url::{self, is_at_or_below};
use crate::credential::word::from_word;
use crate::forge::ForgeKind;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRule {
    pub url: HostUrl,
    pub forge: Option<ForgeKind>,
    /// The lifetime of a token with unknown expiry, from the day when it is first stored.
    pub lifetime: Option<Duration>,
}

impl HostRule {
    /// Returns the rule with the longest path among those that cover `key`.
    ///
    /// A key without a path belongs to the rule for the whole host, or to the host's only rule.
    pub fn find<'a>(rules: &'a [Self], key: &Key) -> Option<&'a Self> {
        let mut covering: Vec<&Self> = Vec::new();
        for rule in rules {
            let url = &rule.url;
            let covers_path = match (&url.path, &key.path) {
                (Some(base), Some(path)) => is_at_or_below(path, base.as_bytes()),
                _ => true,
            };
            if url.protocol == key.protocol && url.host == key.host && covers_path {
                covering.push(rule);
            }
        }
        covering.sort_by_key(|rule| rule.url.path.as_ref().map(String::len));
        match &covering[..] {
            [whole, _, ..] if key.path.is_none() => {
                Some(whole).filter(|rule| rule.url.path.is_none())
            }
            covering => covering.last(),
        }
        .copied()
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenHost {
    /// With its position in the file.
    pub(super) url: Spanned<HostUrl>,
    #[serde(default, deserialize_with = "forge_kind")]
    forge: Option<ForgeKind>,
    lifetime: Option<Span>,
}

impl WrittenHost {
    pub(super) fn into_rule(self) -> HostRule {
        HostRule {
            url: self.url.into_inner(),
            forge: self.forge,
            lifetime: self.lifetime.map(|span| span.0),
        }
    }
}

/// The URL of a host, or of a forge below a path of the host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostUrl {
    /// Such as `https`.
    pub protocol: Vec<u8>,
    /// With its port, except the default one.
    pub host: Vec<u8>,
    /// The path of the forge, such as `gitlab`, without a slash at either end.
    pub path: Option<String>,
}

impl<'de> Deserialize<'de> for HostUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let said = url::parse(String::deserialize(deserializer)?.as_bytes());
        let said = said.map_err(D::Error::custom)?;
        let path = base(said.path.as_deref().unwrap_or_default());
        match (said.protocol, said.host, path, said.username) {
            (Some(protocol), Some(host), Some(path), None) => Ok(Self {
                protocol,
                host,
                path: (!path.is_empty()).then_some(path),
            }),
            _ => Err(D::Error::custom(
                "the URL of a host has no user, and at most a plain path, such as https://git.example.com/gitlab",
            )),
        }
    }
}

/// Returns the path of a forge without a slash at its end, empty for the whole host; `None` if no request may use the path.
fn base(path: &[u8]) -> Option<String> {
    let path = str::from_utf8(path).ok()?.trim_end_matches('/');
    let is_plain =
        |part: &str| !matches!(part, "." | "..") && consists_of(part.as_bytes(), b"-._~");
    let is_base = path.is_empty() || path.split('/').all(is_plain);
    is_base.then(|| path.to_owned())
}

fn forge_kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ForgeKind>, D::Error> {
    let kind = from_word(&String::deserialize(deserializer)?);
    let unknown = "not a forge: write github, gitlab, gitea, bitbucket or azure";
    kind.map(Some).ok_or_else(|| D::Error::custom(unknown))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(path: Option<&str>) -> HostRule {
        HostRule {
            url: HostUrl {
                protocol: b"https".to_vec(),
                host: b"one.test".to_vec(),
                path: path.map(str::to_owned),
            },
            forge: None,
            lifetime: None,
        }
    }

    fn found(paths: &[Option<&str>], path: Option<&str>) -> Option<String> {
        let rules: Vec<_> = paths.iter().map(|path| rule(*path)).collect();
        let key = Key {
            protocol: b"https".to_vec(),
            host: b"one.test".to_vec(),
            path: path.map(|path| path.as_bytes().to_vec()),
            username: None,
        };
        let rule = HostRule::find(&rules, &key)?;
        Some(rule.url.path.clone().unwrap_or_default())
    }

    #[test]
    fn the_longest_path_that_covers_a_key_decides() {
        let (git, lab) = (Some("git"), Some("git/lab"));
        assert_eq!(
            found(&[None, git, lab], Some("git/lab/acme/r")),
            Some("git/lab".to_owned())
        );
        assert_eq!(
            found(&[None, git, lab], Some("git/labs/acme")),
            Some("git".to_owned())
        );
        assert_eq!(
            found(&[None, git], Some("github/acme")),
            Some(String::new())
        );
        assert_eq!(found(&[git], Some("other/acme")), None);
    }

    #[test]
    fn a_key_without_a_path_is_of_the_host_or_of_the_only_rule() {
        let (git, lab) = (Some("git"), Some("lab"));
        assert_eq!(found(&[git, None], None), Some(String::new()));
        assert_eq!(found(&[git], None), Some("git".to_owned()));
        assert_eq!(found(&[git, lab], None), None);
    }

    #[test]
    fn only_a_plain_path_is_a_forges() {
        for (path, is) in [
            ("gitlab/", Some("gitlab")),
            ("a/b-c_d.e~f", Some("a/b-c_d.e~f")),
            ("/", Some("")),
            ("a/../b", None),
            ("a//b", None),
            ("a?b", None),
            ("a b", None),
            ("a%2e", None),
        ] {
            assert_eq!(base(path.as_bytes()).as_deref(), is, "{path}");
        }
    }
}
