//! Why a secret is not used any more.

use serde::Deserialize;

use super::known::LookupOutcome;

/// What is known against a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// The server rejected it. Version 0.1.0 wrote `refused`.
    #[serde(alias = "refused")]
    Rejected,
    /// A user put another secret in its place.
    Superseded,
    /// Its expiry passed, and it was cleaned away. Version 0.1.0 wrote `ended`.
    #[serde(alias = "ended")]
    Expired,
    /// A user removed it. That says nothing against the secret itself, so only a conflict counts it.
    Removed,
    /// git confirmed another secret in its place. The order of the two is unknown, so only a conflict counts it, and only
    /// for a time.
    Displaced,
}

impl Mark {
    /// Whether this mark, set under the path `marked`, also counts under the path `kept`.
    pub(super) fn reaches(self, marked: Option<&[u8]>, kept: Option<&[u8]>) -> bool {
        match (self, marked, kept) {
            (Self::Removed | Self::Displaced, _, _) => marked == kept,
            (Self::Superseded, None, Some(_)) => false,
            (Self::Rejected | Self::Superseded, Some(marked), Some(kept)) => marked == kept,
            // An expiry belongs to the token, and a rejection without a path may have been for any path.
            _ => true,
        }
    }

    /// Whether copies of the secret are stale wherever they are, so that `clean` and `import` count this mark.
    pub(super) fn is_of_copies(self) -> bool {
        matches!(self, Self::Rejected | Self::Superseded | Self::Expired)
    }

    /// Whether this mark may replace `former`. A removal or a displacement says less than the other marks.
    pub(super) fn outranks(self, former: Self) -> bool {
        self.is_of_copies() || former == Self::Displaced
    }

    /// The name in the journal's file, in JSON and in messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Superseded => "superseded",
            Self::Expired => "expired",
            Self::Removed => "removed",
            Self::Displaced => "displaced",
        }
    }

    /// The mark that a forge's statement about the secret itself amounts to.
    pub(super) fn told_by(outcome: LookupOutcome) -> Option<Self> {
        match outcome {
            LookupOutcome::Ended => Some(Self::Expired),
            LookupOutcome::Revoked => Some(Self::Rejected),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::word::from_word;

    #[test]
    fn a_mark_counts_only_where_it_is_sure() {
        let (acme, other) = (Some(&b"acme"[..]), Some(&b"other"[..]));
        for (mark, marked, kept, reaches) in [
            (Mark::Rejected, acme, acme, true),
            (Mark::Rejected, acme, other, false),
            (Mark::Rejected, acme, None, true),
            (Mark::Rejected, None, other, true),
            (Mark::Superseded, None, None, true),
            (Mark::Superseded, None, other, false),
            (Mark::Superseded, acme, other, false),
            (Mark::Expired, acme, other, true),
            (Mark::Removed, None, None, true),
            (Mark::Removed, None, acme, false),
            (Mark::Displaced, acme, None, false),
        ] {
            assert_eq!(
                mark.reaches(marked, kept),
                reaches,
                "{mark:?} {marked:?} {kept:?}"
            );
        }
    }

    #[test]
    fn every_key_is_read_back() {
        for (word, written) in [
            ("rejected", "rejected"),
            ("superseded", "superseded"),
            ("expired", "expired"),
            ("removed", "removed"),
            ("displaced", "displaced"),
            ("refused", "rejected"),
            ("ended", "expired"),
        ] {
            assert_eq!(from_word(word).map(Mark::word), Some(written));
        }
        assert_eq!(from_word::<Mark>("died"), None);
    }
}
