//! Reads enums from their words in the journal and in the configuration.

use serde::Deserialize;
use serde::de::value::{Error, StrDeserializer};

/// Returns the variant of this name, or `None`.
pub fn from_word<'a, T: Deserialize<'a>>(word: &'a str) -> Option<T> {
    T::deserialize(StrDeserializer::<Error>::new(word)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::expiry::ExpirySource;
    use crate::credential::token::TokenKind;

    #[test]
    fn words_are_read_back() {
        for word in [
            "classic",
            "fine-grained",
            "oauth",
            "app",
            "installation",
            "refresh",
            "access",
            "deploy",
            "job",
            "service",
            "app-password",
            "api",
        ] {
            assert_eq!(from_word(word).map(TokenKind::word), Some(word));
        }
        for word in ["git", "forge", "person", "lifetime", "token", "unknown"] {
            assert_eq!(from_word(word).map(ExpirySource::word), Some(word));
        }
        for word in ["", "Classic", "FineGrained", "fine_grained"] {
            assert_eq!(from_word::<TokenKind>(word), None);
        }
    }
}
