//! What may become of a secret.

use super::known::Outcome;

/// Why a secret is of no use any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// The server did not take it.
    Rejected,
    /// Another one was stored in its place.
    Superseded,
    /// Its time was over.
    Expired,
}

impl Mark {
    const ALL: [Self; 3] = [Self::Rejected, Self::Superseded, Self::Expired];

    /// Whether what died so under the path `died` is dead under the path `kept` as well.
    pub(super) fn reaches(self, died: Option<&[u8]>, kept: Option<&[u8]>) -> bool {
        match (self, died, kept) {
            (Self::Superseded, None, Some(_)) => false,
            (Self::Rejected | Self::Superseded, Some(died), Some(kept)) => died == kept,
            // An end is the token's own, and a refusal without a path may have been for any.
            _ => true,
        }
    }

    /// Its name, in the file and for people and machines.
    pub fn word(self) -> &'static str {
        match self {
            Self::Rejected => "refused",
            Self::Superseded => "superseded",
            Self::Expired => "ended",
        }
    }

    /// By its name.
    pub(super) fn from_word(word: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|fate| fate.word().as_bytes() == word)
    }

    /// What a forge says of the secret itself, and not only of the way in which it was asked.
    pub(super) fn told_by(outcome: Outcome) -> Option<Self> {
        match outcome {
            Outcome::Ended => Some(Self::Expired),
            Outcome::Revoked => Some(Self::Rejected),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_owners_refusal_is_none() {
        let (acme, other) = (Some(&b"acme"[..]), Some(&b"other"[..]));
        for (fate, died, kept, reaches) in [
            (Mark::Rejected, acme, acme, true),
            (Mark::Rejected, acme, other, false),
            (Mark::Rejected, acme, None, true),
            (Mark::Rejected, None, other, true),
            (Mark::Superseded, None, None, true),
            (Mark::Superseded, None, other, false),
            (Mark::Superseded, acme, other, false),
            (Mark::Expired, acme, other, true),
        ] {
            assert_eq!(fate.reaches(died, kept), reaches, "{died:?} {kept:?}");
        }
    }
}
