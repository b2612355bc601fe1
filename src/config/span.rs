//! Durations in `config.toml`.

use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::time::parse_duration;

/// Text such as `"8h"`, or a number of seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span(pub(super) Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "not a duration: write text such as 8h, or seconds"
        )]
        enum SecondsOrText {
            Seconds(u64),
            Text(String),
        }
        match SecondsOrText::deserialize(deserializer)? {
            SecondsOrText::Seconds(seconds) => Ok(Self(Duration::from_secs(seconds))),
            SecondsOrText::Text(text) => parse_duration(&text).map(Self).map_err(D::Error::custom),
        }
    }
}
