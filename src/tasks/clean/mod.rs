//! Finding what is of no use any more, in every storage of ours and at the neighbours', and removing it: exactly what was
//! found, and only while it is still the same.

pub mod inventory;

use std::collections::HashMap;
use std::time::Duration;

use self::inventory::{Kept, everything, remove_behind, remove_from, what_is_locked};
use crate::config::Settings;
use crate::config::choice::Choice;
use crate::credential::Credential;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::helper::issuer::is_retired;
use crate::helper::notice::{Notice, Outcome};
use crate::helper::open::{open_all, open_rest};
use crate::journal::Journal;
use crate::journal::mark::Mark;
use crate::journal::snapshot::Snapshot;
use crate::neighbour;
use crate::neighbour::configured::kinds_in_git_config;
use crate::neighbour::registry::{Copied, Harvest, Neighbours};
use crate::storage::{Budget, Error, Storage, StorageKind};
use crate::time::Now;

/// Everything of ours, whether or not it is in use.
#[derive(Debug)]
pub struct Cleaner {
    storages: Vec<Box<dyn Storage>>,
    in_use: Vec<StorageKind>,
    /// Those of them that are asked in this order.
    listed: usize,
    journal: Journal,
    /// Read once.
    dead: Snapshot,
}

/// Something of no use any more.
#[derive(Debug)]
pub struct Stale {
    /// As it was found.
    pub credential: Credential,
    /// Where.
    pub owner: Owner,
    /// Why it is of no use.
    pub why: Why,
    /// When it came to that, in Unix seconds.
    pub since: Option<u64>,
    /// Tells it from another secret of the same user; `None`: its secret is gone already, or nothing could tell.
    pub mark: Option<String>,
    /// When it was stored, as far as that is known, in Unix seconds.
    pub stored: Option<u64>,
    /// How many items keep it there: all of them go.
    pub items: usize,
    /// Whether the same secret is kept elsewhere, and alive there.
    lives_elsewhere: bool,
}

/// Why something is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// By what became of it.
    Fate(Mark),
    /// Its forge takes nothing of its sort any more.
    Untaken(&'static str),
    /// A newer one is kept under its key in the same storage, and answers in its place.
    Behind,
}

impl Why {
    /// For machines.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fate(fate) => fate.word(),
            Self::Untaken(_) => "not-taken",
            Self::Behind => Mark::Superseded.word(),
        }
    }
}

/// Who keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A storage of ours.
    Storage(StorageKind),
    /// A neighbour: which of the harvest's copies.
    Neighbour(usize),
}

/// What was found of ours.
#[derive(Debug, Default)]
pub struct Ours {
    /// Of no use any more.
    pub stale: Vec<Stale>,
    /// The others.
    alive: Vec<Kept>,
    /// How many have ended and can be renewed: they stay.
    pub renewable: usize,
}

/// Why something was not removed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// From a storage of ours.
    #[error(transparent)]
    Storage(#[from] Error),
    /// From a neighbour.
    #[error(transparent)]
    Neighbour(#[from] neighbour::Error),
}

impl Failure {
    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Storage(error) => error.hint(),
            Self::Neighbour(error) => error.hint(),
        }
    }
}

impl Cleaner {
    /// Over the storages that `settings` name first, then over all the others.
    pub fn open(settings: &Settings, prompt_patience: Duration) -> Self {
        let mut storages = open_all(settings, prompt_patience, &Budget::default());
        let mut in_use: Vec<StorageKind> = storages.iter().map(|storage| storage.kind()).collect();
        if settings.storage == Choice::Auto {
            in_use = vec![StorageKind::Memory, StorageKind::Keychain];
        }
        let listed = in_use.len();
        storages.extend(open_rest(settings, prompt_patience));
        in_use.extend(kinds_in_git_config());
        let journal = Journal::in_folder(&settings.places.state);
        // A journal that cannot be read knows of nobody.
        let dead = journal.snapshot().unwrap_or_default();
        Self {
            storages,
            in_use,
            listed,
            journal,
            dead,
        }
    }

    /// What of ours is of no use any more, as far as it fits `wanted`. What is alive is all of it: a copy of it is, too.
    pub fn find(&self, wanted: Option<&Query>, now: Now) -> Outcome<Ours> {
        let (mut notices, mut rest) = (Vec::new(), Vec::<Kept>::new());
        let mut ours = Ours::default();
        for storage in &self.storages {
            let (all, trouble) = match everything(&**storage) {
                Ok(all) => (all, what_is_locked(&**storage)),
                Err(cause) => (Vec::new(), Some(cause)),
            };
            rest.extend(all);
            let trouble = trouble.filter(|cause| !cause.is_absence());
            notices.extend(trouble.map(|cause| Notice::PassedOver { cause }));
        }
        let is_meant =
            |kept: &Kept| wanted.is_none_or(|wanted| wanted.matches(&kept.credential.key));
        rest.retain(|kept| {
            let credential = &kept.credential;
            let found = match credential.expiry.filter(|end| end.is_past(now.unix)) {
                Some(_) if credential.refresh_token.is_some() => {
                    ours.renewable += usize::from(is_meant(kept));
                    return false;
                }
                Some(end) => Some((Why::Fate(Mark::Expired), Some(end.unix()))),
                None => match self.dead.mark_of(credential) {
                    Some((fate @ (Mark::Rejected | Mark::Expired), at)) => {
                        Some((Why::Fate(fate), Some(at)))
                    }
                    _ => self.untaken(credential).map(|why| (why, None)),
                },
            };
            let Some((why, since)) = found else {
                return true;
            };
            if is_meant(kept) {
                ours.stale.push(self.stale_of_ours(kept, why, since));
            }
            false
        });
        // What is left is good, as far as we know. Of two under one key the one that lost may go.
        let mut by_key: HashMap<&Key, Vec<&Kept>> = HashMap::new();
        for kept in &rest {
            by_key.entry(&kept.credential.key).or_default().push(kept);
        }
        let lost = |kept: &Kept| self.lost(kept, &by_key[&kept.credential.key]);
        let lost: Vec<Option<(Why, Option<u64>)>> = rest.iter().map(lost).collect();
        for (kept, lost) in rest.into_iter().zip(lost) {
            if let Some((why, since)) = lost {
                if is_meant(&kept) {
                    ours.stale.push(self.stale_of_ours(&kept, why, since));
                }
            } else {
                ours.alive.push(kept);
            }
        }
        let is_ended = |stale: &&mut Stale| stale.why == Why::Fate(Mark::Expired);
        for stale in ours.stale.iter_mut().filter(is_ended) {
            let mut alive = ours.alive.iter();
            stale.lives_elsewhere = alive.any(|kept| is_copy(&kept.credential, &stale.credential));
        }
        Outcome {
            value: ours,
            notices,
        }
    }

    fn stale(&self, credential: &Credential, owner: Owner, why: Why, since: Option<u64>) -> Stale {
        let known = self.dead.known(credential);
        Stale {
            mark: None,
            stored: known.and_then(|known| known.since),
            credential: credential.duplicate(),
            owner,
            why,
            since,
            items: 1,
            lives_elsewhere: false,
        }
    }

    fn stale_of_ours(&self, kept: &Kept, why: Why, since: Option<u64>) -> Stale {
        let stale = self.stale(&kept.credential, Owner::Storage(kept.kind), why, since);
        Stale {
            stored: kept.written.or(stale.stored),
            items: kept.items,
            ..stale
        }
    }

    /// Gives each its mark. Where it would be another one the next time, there is none.
    pub fn mark(&self, stale: &mut [Stale], now: Now) {
        if stale.is_empty() {
            return;
        }
        let marked = self.journal.marked(now.unix).ok();
        for stale in stale {
            stale.mark = marked
                .as_ref()
                .and_then(|dead| dead.mark(&stale.credential));
        }
    }

    /// What its forge surely takes no more. What was kept by this program, or found good by anybody, is not doubted.
    fn untaken(&self, credential: &Credential) -> Option<Why> {
        is_retired(credential, &self.dead).map(Why::Untaken)
    }

    /// Whether and when another secret under the same key took the place of `kept`. In the same storage the newer one
    /// answers. Of two storages the journal must know it: that the other was stored over it, or that git found the other good
    /// after `kept` was written. Which of these is the older is not guessed at.
    fn lost(&self, kept: &Kept, of_key: &[&Kept]) -> Option<(Why, Option<u64>)> {
        let fate = self.dead.mark_of(&kept.credential);
        if let Some(newer) = self.newer_than(kept, of_key) {
            return Some((Why::Behind, newer.written));
        }
        let since = |winner: &&Kept| {
            let is_rival = winner.kind != kept.kind
                // Memory forgets: then nothing would be left.
                && winner.kind != StorageKind::Memory
                && self.in_use.contains(&winner.kind)
                && !self.is_asked_before(kept.kind, winner.kind)
                && !winner.credential.has_same_secrets(&kept.credential)
                && self.dead.mark_of(&winner.credential).is_none();
            if !is_rival {
                return None;
            }
            if let Some((_, at)) = fate {
                return Some(at);
            }
            let known = self.dead.known(&winner.credential);
            let accepted = known?.accepted?;
            let is_newer = accepted > kept.written?;
            (is_newer && !self.dead.was_good(&kept.credential)).then_some(accepted)
        };
        let since = of_key.iter().find_map(since)?;
        Some((Why::Fate(Mark::Superseded), Some(since)))
    }

    /// Then it is what git is answered with, whatever the other one has.
    fn is_asked_before(&self, one: StorageKind, other: StorageKind) -> bool {
        let list = &self.in_use[..self.listed];
        let place = |kind| list.iter().position(|listed| *listed == kind);
        place(one)
            .zip(place(other))
            .is_some_and(|(one, other)| one < other)
    }

    /// What answers in the place of `kept` in the same storage, where nothing speaks for `kept`.
    fn newer_than<'a>(&self, kept: &Kept, of_key: &[&'a Kept]) -> Option<&'a Kept> {
        let after = of_key
            .iter()
            .skip_while(|other| !std::ptr::eq(**other, kept));
        let newer = after
            .skip(1)
            .filter(|other| other.kind == kept.kind)
            .last()?;
        let known = self.dead.known(&kept.credential);
        let accepted = known.and_then(|known| known.accepted);
        let is_newer = accepted.is_none_or(|accepted| Some(accepted) <= newer.written);
        (is_newer && self.dead.mark_of(&newer.credential).is_none()).then_some(newer)
    }

    /// Which copies at the neighbours' are as dead as ours: the same secret of the same user at the same host was refused,
    /// superseded, or has ended, and none of ours that is alive has it.
    pub fn find_copies(
        &self,
        harvest: &Harvest,
        ours: &Ours,
        wanted: Option<&Query>,
        now: Now,
    ) -> Vec<Stale> {
        let mut stale = Vec::new();
        for (number, copied) in harvest.copies.iter().enumerate() {
            let copy = &copied.found.credential;
            if wanted.is_some_and(|wanted| !wanted.matches(&copy.key)) {
                continue;
            }
            let end = copy.expiry.filter(|end| end.is_past(now.unix));
            if end.is_some() && copy.refresh_token.is_some() {
                continue;
            }
            let ended = end.map(|end| (Why::Fate(Mark::Expired), Some(end.unix())));
            let found = ended.or_else(|| {
                let mut alive = ours.alive.iter();
                if alive.any(|alive| is_copy(&alive.credential, copy)) {
                    return None;
                }
                // That it is behind another one somewhere says nothing of what others keep.
                let known = ours
                    .stale
                    .iter()
                    .find(|stale| stale.why != Why::Behind && is_copy(&stale.credential, copy));
                known
                    .map(|known| (known.why, known.since))
                    .or_else(|| {
                        let fate = self.dead.mark_of(copy);
                        fate.map(|(fate, at)| (Why::Fate(fate), Some(at)))
                    })
                    .or_else(|| self.untaken(copy).map(|why| (why, None)))
            });
            if let Some((why, since)) = found {
                stale.push(self.stale(copy, Owner::Neighbour(number), why, since));
            }
        }
        stale
    }

    /// Everybody that ours are kept for: what a neighbour that does not tell can be asked about.
    pub fn known(&self, ours: &Ours) -> Vec<Query> {
        let alive = ours.alive.iter().map(|kept| &kept.credential);
        let all = alive.chain(ours.stale.iter().map(|stale| &stale.credential));
        all.map(|kept| Query::of(&kept.key)).collect()
    }

    /// Removes `stale`, if it is still there with the same secret. Returns how many went.
    pub fn remove(
        &self,
        stale: &Stale,
        neighbours: &Neighbours,
        copies: &[Copied],
        now: Now,
    ) -> Result<usize, Failure> {
        // While somebody thought about it git may have found it good.
        let fate = |dead: &Snapshot| dead.mark_of(&stale.credential);
        let has_died = stale.credential.is_complete() && fate(&self.dead).is_some();
        if has_died
            && self
                .journal
                .snapshot()
                .is_ok_and(|now| fate(&now).is_none())
        {
            return Ok(0);
        }
        match stale.owner {
            Owner::Neighbour(number) => Ok(neighbours.remove(&copies[number])?),
            Owner::Storage(kind) => {
                let mut removed = 0;
                for storage in self.storages.iter().filter(|kept| kept.kind() == kind) {
                    removed += match stale.why {
                        Why::Behind => remove_behind(&**storage, &stale.credential)?,
                        _ => remove_from(&**storage, &stale.credential, now)?,
                    };
                }
                // Copies that turn up later are known by this.
                if stale.why == Why::Fate(Mark::Expired)
                    && !stale.lives_elsewhere
                    && stale.credential.is_complete()
                    && removed > 0
                {
                    let _ = self.journal.bury(&stale.credential, Mark::Expired, now);
                }
                Ok(removed)
            }
        }
    }
}

/// The same secret of the same user at the same host. The path does not matter.
fn is_copy(one: &Credential, other: &Credential) -> bool {
    let (a, b) = (&one.key, &other.key);
    let same_user = a.protocol == b.protocol && a.host == b.host && a.username == b.username;
    same_user && one.is_complete() && one.has_same_secrets(other)
}
