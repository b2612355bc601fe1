//! The state of a token: by its forge's answer, or without a network, by what is stored.

use std::cell::OnceCell;
use std::collections::HashMap;

use serde::Serialize;

use crate::config::Warn;
use crate::credential::Credential;
use crate::credential::expiry::Expiry;
use crate::credential::key::Key;
use crate::forge::TokenVerdict;
use crate::helper::Helper;
use crate::helper::lookup::Report;
use crate::helper::lookup::request::Asked;
use crate::journal::known::{Known, LookupOutcome};
use crate::journal::mark::Mark;
use crate::journal::snapshot::{MarkedAt, Snapshot};
use crate::storage::{Listed, Storage, StorageKind};

/// The exit status if a forge or a storage gives no clear answer.
pub(crate) const UNKNOWN: u8 = 5;

/// The state of a token, from good to worst: a certain state comes after an uncertain one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TokenState {
    /// It expires later than soon, or never.
    Good,
    /// The forge cannot be asked, and no expiry is known.
    Unknown,
    /// The forge limits requests for now.
    Limited,
    /// The forge did not answer, or its answer says nothing about the token.
    Failed,
    /// The token is good, but the forge blocks its account or address.
    Blocked,
    ExpiresSoon,
    Expired,
    Rejected,
    Revoked,
}

impl TokenState {
    /// The state by the expiry alone.
    pub(crate) fn by_date(expiry: Option<Expiry>, warn: Warn, unix_now: u64) -> Self {
        match expiry {
            None => Self::Unknown,
            Some(expiry) if expiry.is_past(unix_now) => Self::Expired,
            Some(expiry) if expiry.left(unix_now) <= warn.before.as_secs() => Self::ExpiresSoon,
            Some(_) => Self::Good,
        }
    }

    /// The state by the forge's answer. Where the forge could not tell, what is stored counts as in `list`.
    pub(crate) fn of(report: &Report, warn: Warn, unix_now: u64) -> Self {
        let by_date = Self::by_date(report.end.map(|(expiry, _)| expiry), warn, unix_now);
        // An earlier answer does not make an unknown token a good one.
        let stored = by_date.max(Self::stored(&report.known, report.mark, by_date));
        let verdict = match &report.asked {
            Asked::Told(verdict) => verdict,
            Asked::CannotTell | Asked::NoForge | Asked::NotHttps => return stored,
            Asked::Failed(_) | Asked::NotThere(_) => return stored.max(Self::Failed),
        };
        match verdict {
            TokenVerdict::Good(_) if by_date == Self::Unknown => Self::Good,
            TokenVerdict::Good(_) => by_date,
            TokenVerdict::Ended => Self::Expired,
            TokenVerdict::Revoked => Self::Revoked,
            // The forge gives no reason; a date that has passed is one.
            TokenVerdict::Rejected | TokenVerdict::Blocked { .. } if by_date == Self::Expired => {
                by_date
            }
            TokenVerdict::Rejected => Self::Rejected,
            TokenVerdict::Blocked { .. } => Self::Blocked,
            TokenVerdict::Limited { .. } => stored.max(Self::Limited),
            TokenVerdict::Unclear { .. } => stored.max(Self::Failed),
        }
    }

    /// The state without a network, by the mark of the journal, the last answer of the forge, and the expiry.
    fn stored(known: &Known, mark: Option<Mark>, by_date: Self) -> Self {
        // git confirmed the token after the forge's answer, which may have been about its API alone.
        let is_outdated = known.used > known.asked;
        let outcome = known.outcome.filter(|_| !is_outdated);
        match (mark, outcome) {
            _ if by_date == Self::Expired => by_date,
            (_, Some(LookupOutcome::Revoked)) => Self::Revoked,
            (_, Some(LookupOutcome::Ended)) | (Some(Mark::Expired), _) => Self::Expired,
            (Some(Mark::Rejected), _) | (_, Some(LookupOutcome::Rejected)) => Self::Rejected,
            (_, Some(LookupOutcome::Blocked)) => by_date.max(Self::Blocked),
            (_, Some(LookupOutcome::Good)) if by_date == Self::Unknown => Self::Good,
            _ => by_date,
        }
    }

    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Unknown | Self::Limited | Self::Failed | Self::Blocked => UNKNOWN,
            Self::ExpiresSoon => 3,
            Self::Expired | Self::Rejected | Self::Revoked => 4,
        }
    }
}

/// What is known of the stored tokens without a network, for `list` and `status`.
pub(crate) struct StoredTokens<'a> {
    helper: &'a Helper,
    /// The journal, read once. Without one, the expiry alone counts.
    snapshot: Snapshot,
    /// The entries of the plaintext file, read once: each look at one entry would read the whole file.
    file: OnceCell<HashMap<Key, Credential>>,
    unix_now: u64,
}

impl<'a> StoredTokens<'a> {
    pub(crate) fn read(helper: &'a Helper, unix_now: u64) -> Self {
        Self {
            helper,
            snapshot: helper.journal().snapshot().unwrap_or_default().for_many(),
            file: OnceCell::new(),
            unix_now,
        }
    }

    /// What is known of the token of `listed`, which a storage of `kind` keeps, and its state. No keyring is unlocked. A mark does
    /// not count for an entry that was written after it.
    pub(crate) fn token(&self, kind: StorageKind, listed: &Listed) -> (Known, TokenState) {
        let found = self.snapshot.stored(&listed.key, listed.expiry);
        let (mut known, mut mark) =
            found.map_or_else(Default::default, |(known, mark)| (known.clone(), mark));
        if mark.is_some()
            || known
                .outcome
                .is_some_and(|said| said != LookupOutcome::Good)
        {
            (known, mark) = self.certain(kind, listed, known);
        }
        let issuer = self.helper.issuers().issuer(&listed.key, None, None);
        known.forge = known.forge.or(issuer.map(|issuer| issuer.forge.kind()));
        let is_marked = |at| listed.written.is_none_or(|written| written <= at);
        let mark = mark.filter(|(_, at)| is_marked(*at)).map(|(mark, _)| mark);
        let by_date = TokenState::by_date(listed.expiry, self.helper.warn(), self.unix_now);
        let state = TokenState::stored(&known, mark, by_date);
        (known, state)
    }

    /// The knowledge of the very secret that is stored, and its mark. The user's `latest` may be about another secret, such as a
    /// mistyped one. If the stored secret cannot be read, nothing counts against it.
    fn certain(
        &self,
        kind: StorageKind,
        listed: &Listed,
        latest: Known,
    ) -> (Known, Option<MarkedAt>) {
        let storage = self.helper.storages().of_kind(kind);
        let peeked;
        let stored = if kind == StorageKind::File {
            self.in_file(storage).get(&listed.key)
        } else {
            peeked = storage.and_then(|storage| storage.peek(&listed.key).ok().flatten());
            peeked.as_ref()
        };
        let Some(stored) = stored.filter(|stored| stored.is_complete()) else {
            let outcome = None;
            return (Known { outcome, ..latest }, None);
        };
        let known = self.snapshot.known(stored).cloned();
        (known.unwrap_or_default(), self.snapshot.mark_of(stored))
    }

    fn in_file(&self, file: Option<&dyn Storage>) -> &HashMap<Key, Credential> {
        self.file.get_or_init(|| {
            let all = file.and_then(|file| file.all().ok()).unwrap_or_default();
            all.into_iter()
                .map(|(listed, credential)| (listed.key, credential))
                .collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_state_follows_the_expiry_the_mark_and_the_last_answer() {
        use TokenState::{Blocked, Expired, ExpiresSoon, Good, Rejected, Revoked, Unknown};
        let rejected = Some(Mark::Rejected);
        for (by_date, mark, outcome, expected) in [
            (Unknown, None, None, Unknown),
            (Unknown, None, Some(LookupOutcome::Good), Good),
            (Unknown, None, Some(LookupOutcome::Failed), Unknown),
            (ExpiresSoon, None, Some(LookupOutcome::Good), ExpiresSoon),
            (Good, rejected, Some(LookupOutcome::Good), Rejected),
            (Expired, rejected, None, Expired),
            (Good, Some(Mark::Superseded), None, Good),
            (Good, Some(Mark::Expired), None, Expired),
            (Good, rejected, Some(LookupOutcome::Revoked), Revoked),
            (Good, None, Some(LookupOutcome::Rejected), Rejected),
            (Good, None, Some(LookupOutcome::Blocked), Blocked),
            (ExpiresSoon, None, Some(LookupOutcome::Blocked), ExpiresSoon),
        ] {
            let known = Known {
                asked: Some(1000),
                outcome,
                ..Known::default()
            };
            let state = TokenState::stored(&known, mark, by_date);
            assert_eq!(state, expected, "{by_date:?} {mark:?} {outcome:?}");
        }
    }

    #[test]
    fn a_confirmation_after_the_forges_answer_counts() {
        let known = |used| Known {
            asked: Some(1000),
            outcome: Some(LookupOutcome::Rejected),
            used,
            ..Known::default()
        };
        let state = |used| TokenState::stored(&known(used), None, TokenState::Good);
        assert_eq!(state(Some(999)), TokenState::Rejected);
        assert_eq!(state(Some(1001)), TokenState::Good);
    }
}
