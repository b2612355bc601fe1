//! `[[host]]`: what a person says of one host.

use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use toml::Spanned;

use super::span::Span;
use crate::credential::key::Key;
use crate::credential::url;
use crate::forge;

/// What a person says of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRule {
    /// Such as `https`.
    pub protocol: Vec<u8>,
    /// With its port, if it has one of its own.
    pub host: Vec<u8>,
    /// Which forge it is.
    pub forge: Option<forge::Kind>,
    /// How long its tokens live from the day they are first stored, where nobody tells their end.
    pub lifetime: Option<Duration>,
}

impl HostRule {
    /// Whether it is about the host of `key`.
    pub fn fits(&self, key: &Key) -> bool {
        self.protocol == key.protocol && self.host == key.host
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenHost {
    /// With its place in the file.
    pub(super) url: Spanned<HostUrl>,
    forge: Option<ForgeWord>,
    lifetime: Option<Span>,
}

impl WrittenHost {
    pub(super) fn into_rule(self) -> HostRule {
        let HostUrl { protocol, host } = self.url.into_inner();
        HostRule {
            protocol,
            host,
            forge: self.forge.map(|word| word.0),
            lifetime: self.lifetime.map(|span| span.0),
        }
    }
}

/// The URL of a whole host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct HostUrl {
    protocol: Vec<u8>,
    host: Vec<u8>,
}

impl<'de> Deserialize<'de> for HostUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let said = url::parse(String::deserialize(deserializer)?.as_bytes());
        let said = said.map_err(D::Error::custom)?;
        match (said.protocol, said.host, said.path, said.username) {
            (Some(protocol), Some(host), None, None) => Ok(Self { protocol, host }),
            _ => Err(D::Error::custom(
                "the URL of a host has no user and no path, such as https://git.example.com",
            )),
        }
    }
}

/// The name of a forge.
#[derive(Debug, Clone, Copy)]
struct ForgeWord(forge::Kind);

impl<'de> Deserialize<'de> for ForgeWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        forge::Kind::from_word(&word).map(Self).ok_or_else(|| {
            D::Error::custom("not a forge: write github, gitlab, gitea, bitbucket or azure")
        })
    }
}
