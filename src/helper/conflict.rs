//! Which secret wins when a credential is to be stored under a key that may have another one.

use self::Decision::{Ignore, Store, Update};
use self::Incoming::{Answered, Confirmed, Entered};
use self::Situation::{AnotherIsLive, Free, Same, Unwanted};
use crate::credential::Credential;
use crate::journal::mark::Mark;
use crate::journal::snapshot::Snapshot;

/// How a credential comes to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// A user gave it.
    Entered,
    /// git confirms the secret that we answered in the same command: our `state[]` says so.
    Answered,
    /// git confirms it, and does not say where it is from.
    Confirmed,
}

/// What the storages and the journal say of it. The first that applies decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Situation {
    /// We would answer the same secret.
    Same,
    /// It is invalid, or was displaced a short time ago.
    Unwanted {
        /// Whether another live secret is stored under its key.
        is_another_live: bool,
    },
    /// Another live secret is stored under its key.
    AnotherIsLive,
    /// None of these.
    Free,
}

/// What to do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Complete the entries that have it, and store it where nothing is.
    Update,
    /// Store it in the place of any other.
    Store,
    /// Change nothing.
    Ignore,
}

/// The table.
#[rustfmt::skip]
#[expect(clippy::match_same_arms, reason = "one arm for each cell of the table")]
pub(crate) fn decide(incoming: Incoming, situation: Situation) -> Decision {
    match (incoming, situation) {
        (Entered,   Same)             => Update,
        (Entered,   Unwanted { .. })  => Store,
        (Entered,   AnotherIsLive)    => Store,
        (Entered,   Free)             => Store,

        (Answered,  Same)             => Update,
        (Answered,  Unwanted { .. })  => Ignore,
        (Answered,  AnotherIsLive)    => Ignore,
        (Answered,  Free)             => Store,

        (Confirmed, Same)             => Update,
        (Confirmed, Unwanted { is_another_live: true })  => Ignore,
        (Confirmed, Unwanted { is_another_live: false }) => Store,
        (Confirmed, AnotherIsLive)    => Store,
        (Confirmed, Free)             => Store,
    }
}

impl Incoming {
    /// The mark of the other live secrets that give way to it. `None`: it takes no other's place.
    pub(crate) fn mark_of_others(self) -> Option<Mark> {
        match self {
            Entered => Some(Mark::Superseded),
            Answered => None,
            // The order of the two secrets is unknown.
            Confirmed => Some(Mark::Displaced),
        }
    }

    /// The only mark of its own that it clears; `None`: all of them.
    pub(crate) fn clears_only(self) -> Option<Mark> {
        // We answered it, so the command says nothing about a newer secret; but the server accepted it.
        (self == Answered).then_some(Mark::Rejected)
    }
}

impl Incoming {
    /// The clause of the trace.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Entered => "a user entered it",
            Answered => "git confirms the secret that we answered in this command",
            Confirmed => "git confirms it, and its source is unknown",
        }
    }
}

impl Decision {
    /// The clause of the trace.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Update => "entries that have it are completed, and it is stored where no entry is",
            Store => "it is stored in the place of any other",
            Ignore => "nothing changes",
        }
    }
}

impl Situation {
    /// The clause of the trace.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Same => "we would answer the same secret",
            Unwanted {
                is_another_live: true,
            } => "it is invalid or displaced, and another valid secret is stored",
            Unwanted {
                is_another_live: false,
            } => "it is invalid or displaced, and no other valid secret is stored",
            AnotherIsLive => "another valid secret is stored",
            Free => "no other valid secret is stored",
        }
    }

    /// `kept`: the entries under the key of `credential`, in the order in which they answer. `is_unwanted`: whether the
    /// journal says, or said at an earlier try, that it is invalid or displaced.
    pub(crate) fn of<'a>(
        credential: &Credential,
        kept: impl Iterator<Item = &'a Credential>,
        is_unwanted: bool,
        snapshot: &Snapshot,
        unix_now: u64,
    ) -> Self {
        let (mut answer, mut has_same, mut is_another_live) = (None, false, false);
        for kept in kept.filter(|kept| kept.is_complete()) {
            let is_same = kept.has_same_secrets(credential);
            has_same |= is_same;
            if !kept.is_expired(unix_now) {
                answer = answer.or(Some(is_same));
                is_another_live |= !is_same && !snapshot.is_invalid(kept);
            }
        }
        // Where nothing is answered, git may have outlived the expiry of the same secret.
        if answer.unwrap_or(has_same) {
            Same
        } else if is_unwanted {
            Unwanted { is_another_live }
        } else if is_another_live {
            AnotherIsLive
        } else {
            Free
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::query::Query;
    use crate::journal::Journal;
    use crate::secret::Secret;

    const LIVE: Situation = Unwanted {
        is_another_live: true,
    };
    const ALONE: Situation = Unwanted {
        is_another_live: false,
    };

    fn token(secret: &str) -> Credential {
        Credential::complete(Query {
            protocol: Some(b"https".to_vec()),
            host: Some(b"one.test".to_vec()),
            username: Some("alice".into()),
            password: Some(Secret::new(secret.as_bytes())),
            ..Query::default()
        })
        .unwrap()
    }

    #[test]
    fn a_rejected_secret_is_not_live() {
        let home = tempfile::tempdir().unwrap();
        let journal = Journal::in_folder(&home.path().join("state"));
        let (old, kept) = (token("A"), token("B"));
        journal.mark(&old, Mark::Displaced, 1000).unwrap();
        let decision = || {
            let snapshot = journal.snapshot().unwrap();
            let is_unwanted = snapshot.is_invalid_or_displaced(&old, 1000);
            let kept = [&kept].into_iter();
            let situation = Situation::of(&old, kept, is_unwanted, &snapshot, 1000);
            decide(Confirmed, situation)
        };
        assert_eq!(decision(), Ignore);
        journal.mark(&kept, Mark::Rejected, 1000).unwrap();
        assert_eq!(decision(), Store);
    }

    /// docs/architecture.md, "Which secret wins".
    #[test]
    fn the_table() {
        for (incoming, same, live, alone, another, free) in [
            (Entered, Update, Store, Store, Store, Store),
            (Answered, Update, Ignore, Ignore, Ignore, Store),
            (Confirmed, Update, Ignore, Store, Store, Store),
        ] {
            let decisions = [Same, LIVE, ALONE, AnotherIsLive, Free];
            let decisions = decisions.map(|situation| decide(incoming, situation));
            assert_eq!(
                decisions,
                [same, live, alone, another, free],
                "{incoming:?}"
            );
        }
    }
}
