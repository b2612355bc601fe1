//! The storages that the user chose, in order of precedence.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::credential::word::from_word;
use crate::storage::StorageKind;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// The keychain if it can be reached, else memory; never plaintext.
    Auto,
    /// A list without repetitions.
    These(Vec<StorageKind>),
    /// Every storage, whether git uses it or not. Only a flag of `list` can say so.
    All,
}

impl Choice {
    /// Parses the flag `--storage`.
    pub fn of_flag(text: &str) -> Result<Self, ChoiceError> {
        if text == "all" {
            Ok(Self::All)
        } else {
            text.parse()
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a storage: use auto, or a list of memory, keychain and file with commas between")]
pub struct ChoiceError;

impl FromStr for Choice {
    type Err = ChoiceError;

    fn from_str(text: &str) -> Result<Self, ChoiceError> {
        if text.trim() == "auto" {
            return Ok(Self::Auto);
        }
        let mut kinds = Vec::new();
        for word in text.split(',').map(str::trim) {
            let kind = from_word(word).filter(|kind| !kinds.contains(kind));
            kinds.push(kind.ok_or(ChoiceError)?);
        }
        Ok(Self::These(kinds))
    }
}

/// The text that [`Choice::from_str`] reads.
impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::All => f.write_str("all"),
            Self::These(kinds) => {
                let words: Vec<String> = kinds.iter().map(StorageKind::to_string).collect();
                f.write_str(&words.join(","))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Choice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a storage, or a list of storages")]
        enum OneOrMore {
            One(String),
            More(Vec<String>),
        }
        let choice = match OneOrMore::deserialize(deserializer)? {
            OneOrMore::One(word) => word.parse(),
            OneOrMore::More(words) => words.join(",").parse(),
        };
        choice.map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices() {
        assert_eq!("auto".parse(), Ok(Choice::Auto));
        assert_eq!(
            "memory, file".parse(),
            Ok(Choice::These(vec![StorageKind::Memory, StorageKind::File]))
        );
        for wrong in [
            "",
            "all",
            "auto,file",
            "file,file",
            "disk",
            "memory,",
            "Memory",
        ] {
            assert_eq!(wrong.parse::<Choice>(), Err(ChoiceError), "{wrong}");
        }
    }
}
