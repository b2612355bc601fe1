//! Placing what is to be kept in the storages, where no newer one may be lost for it.

use super::notice::{Notice, Outcome};
use super::{Helper, is_good};
use crate::credential::Credential;
use crate::credential::query::Query;
use crate::journal::Topic;
use crate::journal::mark::Mark;
use crate::platform::caller;
use crate::storage::{Error, Lack, Storage, StorageKind};
use crate::time::Now;

/// Whose word it is that a secret is to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// git thanks for what we have answered in this command: that it was accepted at the command's beginning says nothing of
    /// its end, and nothing of its age.
    Answered,
    /// The same, and git hands back all that we answered: the keychain has it, and is not asked again. It may want a person to
    /// confirm each access.
    Returned,
    /// git thanks for what somebody answered, and cannot tell who it was.
    Accepted,
    /// git thanks for what somebody gave who was asked when we had nothing, at this moment in milliseconds since 1970.
    Typed(u64),
    /// A person hands it over, and nobody has signed in with it.
    Handed,
}

impl Word {
    /// Whether somebody was let in with it just now, for all that we know.
    fn tells_success(self) -> bool {
        matches!(self, Self::Accepted | Self::Typed(_))
    }

    /// Whether `storage` needs not be asked.
    fn is_settled_in(self, storage: &dyn Storage) -> bool {
        self == Self::Returned && storage.kind() == StorageKind::Keychain
    }
}

/// What is to be kept, and on whose word.
#[derive(Clone, Copy)]
struct Arrival<'a> {
    credential: &'a Credential,
    word: Word,
    /// What was thought of it before it came: to be kept anywhere revives it.
    fate: Option<Mark>,
}

/// So often others may store under the same key meanwhile: each of them is nearer to the last word than a thanks.
const TRIES: usize = 4;

/// In milliseconds: two processes may see the clocks in another order.
const SOON: u64 = 1000;

/// What became of it in one storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// It was there already.
    Already,
    /// The same secret was there, and something else was known of it.
    Completed,
    /// It is there now; another one is not any more.
    New,
    /// Another one stays in its place.
    Not,
}

impl Kept {
    fn is_written(self) -> bool {
        matches!(self, Self::Completed | Self::New)
    }
}

impl Helper {
    /// Returns whether anything was written.
    pub(crate) fn keep_in_storages(
        &self,
        credential: &Credential,
        word: Word,
        now: Now,
    ) -> Result<Outcome<bool>, Error> {
        let mut notices = Vec::new();
        let arrival = Arrival {
            credential,
            word,
            fate: self.mark_of(credential),
        };
        if self.storages.is_auto() {
            return self.keep_somewhere(arrival, now);
        }
        let key = Query::exact(&credential.key);
        let has_newer = |storage: &dyn Storage| {
            let kept = || storage.get(&key).ok().flatten();
            !word.is_settled_in(storage)
                && kept().is_some_and(|kept| self.stays(&kept, arrival, now))
        };
        if self.storages.len() > 1 && self.storages.iter().any(|it| has_newer(&**it)) {
            return Ok(Outcome {
                value: false,
                notices,
            });
        }
        let mut unreached = None;
        let mut failure = None;
        let (mut is_kept, mut is_written) = (false, false);
        for storage in &self.storages {
            if word.is_settled_in(&**storage) {
                self.confirm(credential, now);
                is_kept = true;
                continue;
            }
            match self.keep_in(&**storage, arrival, now) {
                Ok(kept) => {
                    is_kept = true;
                    is_written |= kept.is_written();
                }
                Err(cause @ Error::Unavailable { .. }) => {
                    notices.extend(
                        unreached
                            .replace(cause)
                            .map(|cause| Notice::PassedOver { cause }),
                    );
                }
                // The others still get it: a list is there so that one may fail.
                Err(cause @ Error::Failed { .. }) => failure = Some(cause),
            }
        }
        if let Some(cause) = failure {
            return Err(cause);
        }
        match unreached {
            Some(cause) if !is_kept => return Err(cause),
            unreached => notices.extend(unreached.map(|cause| Notice::PassedOver { cause })),
        }
        Ok(Outcome {
            value: is_written,
            notices,
        })
    }

    fn keep_somewhere(&self, arrival: Arrival<'_>, now: Now) -> Result<Outcome<bool>, Error> {
        let Arrival {
            credential, word, ..
        } = arrival;
        let mut outcome = Outcome {
            value: false,
            notices: Vec::new(),
        };
        let of_kind = |kind| self.storages.iter().find(|storage| storage.kind() == kind);
        let (Some(memory), Some(keychain)) =
            (of_kind(StorageKind::Memory), of_kind(StorageKind::Keychain))
        else {
            return Ok(outcome);
        };
        let key = Query::exact(&credential.key);
        // For memory the question itself counts as a use.
        let in_memory = match memory.get(&key) {
            Err(Error::Unavailable { .. }) => None,
            found => found?,
        };
        if let Some(found) = &in_memory {
            let credential = recalled(credential, found, word, now);
            if found.is_same(&credential) {
                self.confirm(&credential, now);
                return Ok(outcome);
            }
            if self.stays(found, arrival, now) {
                return Ok(outcome);
            }
        }
        if word.is_settled_in(&**keychain) {
            self.confirm(credential, now);
            return Ok(outcome);
        }
        match self.keep_in(&**keychain, arrival, now) {
            Ok(kept) => {
                outcome.value = kept.is_written();
                // One whose end has passed answers nothing in the other's place.
                let answers = || keychain.get(&key).ok().flatten();
                if let Some(found) = in_memory
                    && answers().is_some_and(|kept| is_good(&kept, now))
                {
                    self.clear_memory(&**memory, &found, arrival, kept, now)?;
                }
                Ok(outcome)
            }
            Err(cause @ Error::Unavailable { .. }) => {
                let kept = self.keep_in(&**memory, arrival, now)?;
                outcome.value = kept.is_written();
                // A bus of another user is told each time: another reason of the same day must not hide it.
                let is_foreign = cause.lack() == Some(Lack::OwnBus);
                if is_foreign || self.is_news(Topic::Fallback, now) {
                    outcome.notices.push(Notice::FellBack {
                        cause,
                        timeout: self.lifetime.timeout,
                    });
                }
                Ok(outcome)
            }
            Err(cause) => Err(cause),
        }
    }

    /// An older secret that memory took in while the keychain was away would be answered first. It is the older one if the
    /// keychain has got another just now, or somebody chose that; where git only thanks for what the keychain has had all the
    /// time, memory's may be the newer one.
    fn clear_memory(
        &self,
        memory: &dyn Storage,
        found: &Credential,
        arrival: Arrival<'_>,
        kept: Kept,
        now: Now,
    ) -> Result<(), Error> {
        let is_other = found.is_complete() && !found.has_same_secrets(arrival.credential);
        let is_chosen = matches!(arrival.word, Word::Typed(_) | Word::Handed);
        let is_older = kept == Kept::New || is_chosen;
        if is_other && !is_older && self.is_alive(found, now) {
            return Ok(());
        }
        // Before it goes: see `keep_in`.
        if is_other && is_older {
            self.supersede(found, arrival, now);
        }
        // Compared: a newer one may have come meanwhile.
        match memory.erase(&found.as_rejected()) {
            Ok(_) | Err(Error::Unavailable { .. }) => Ok(()),
            Err(cause) => Err(cause),
        }
    }

    /// Stores it, with what the storage knows of the same secret and git left out; not at all if nothing would change.
    fn keep_in(
        &self,
        storage: &dyn Storage,
        arrival: Arrival<'_>,
        now: Now,
    ) -> Result<Kept, Error> {
        let word = arrival.word;
        for round in 1.. {
            let mut credential = arrival.credential.duplicate();
            let known = storage.get(&Query::exact(&credential.key))?;
            if let Some(known) = &known {
                credential = recalled(&credential, known, word, now);
                if known.is_same(&credential) {
                    // It may have been refused where another storage was asked.
                    self.confirm(&credential, now);
                    return Ok(Kept::Already);
                }
                if self.stays(known, arrival, now) {
                    return Ok(Kept::Not);
                }
            }
            if known.is_none() && self.is_unwanted(arrival, now) {
                return Ok(Kept::Not);
            }
            let other = known.as_ref().filter(|known| known.is_complete());
            let other = other.filter(|known| !known.has_same_secrets(&credential));
            // Before it is replaced: whoever thanks for it from now on, with an older command, comes too late.
            let is_buried = other.is_some_and(|other| self.supersede(other, arrival, now));
            // Somebody may store a newer one between the look and the store.
            let may_wait = match word {
                Word::Answered | Word::Returned => true,
                Word::Typed(_) | Word::Accepted => round < TRIES,
                Word::Handed => false,
            };
            let stored = if may_wait {
                storage.replace(known.as_ref(), &credential)
            } else {
                storage.store(&credential).map(|()| true)
            };
            match stored {
                Ok(true) => {
                    // Whoever has begun since, and was given the other one, is too late as well.
                    if let Some(other) = other {
                        self.note_gone(&[other.duplicate()], now);
                    }
                    self.revive(&credential, now);
                    let is_same = known.is_some_and(|known| known.has_same_secrets(&credential));
                    return Ok(if is_same { Kept::Completed } else { Kept::New });
                }
                Ok(false) if round >= TRIES => break,
                Ok(false) => {}
                Err(cause) => {
                    if let Some(other) = other.filter(|_| is_buried) {
                        self.revive(other, now);
                    }
                    return Err(cause);
                }
            }
        }
        Ok(Kept::Not)
    }

    /// Copies of `other` may lie elsewhere. Where one comes back that was dead, or another helper's in the place of a person's,
    /// nobody knows which is the older: then it is noted only that it goes. Returns whether it counts as dead for that.
    fn supersede(&self, other: &Credential, arrival: Arrival<'_>, now: Now) -> bool {
        let may_be_older = arrival.word == Word::Accepted && self.brought(other).is_some();
        let is_buried = arrival.fate.is_none() && !may_be_older && self.mark_of(other).is_none();
        if is_buried {
            self.bury(other, Mark::Superseded, now);
        } else {
            self.note_gone(&[other.duplicate()], now);
        }
        is_buried
    }

    /// Whether `kept` is another secret than what arrives, nothing ill is known of it, and it may be the newer one: then it is
    /// what is left if the other is refused.
    fn stays(&self, kept: &Credential, arrival: Arrival<'_>, now: Now) -> bool {
        let may_be_newer = match arrival.word {
            Word::Answered | Word::Returned => true,
            // Who was asked later has the later word.
            Word::Typed(asked) => self.brought(kept) > Some(asked),
            // That a person has replaced it a slow command does not know, nor another helper.
            Word::Accepted => {
                arrival.fate == Some(Mark::Superseded) && self.brought(kept).is_some()
                    || self.has_died_meanwhile(arrival.credential, now)
            }
            Word::Handed => false,
        };
        let is_other = !kept.has_same_secrets(arrival.credential);
        may_be_newer && is_other && self.is_alive(kept, now)
    }

    /// Whether it was replaced, refused or taken away after the command had begun that thanks for it now: going back to it on
    /// purpose takes another command.
    fn has_died_meanwhile(&self, credential: &Credential, now: Now) -> bool {
        let Some(began) = caller::command_began() else {
            return false;
        };
        let now = now.fresh();
        let lasts =
            u64::try_from(now.monotonic.saturating_sub(began).as_millis()).unwrap_or(u64::MAX);
        let began = now.milliseconds().saturating_sub(lasts);
        // What lies in the future was written before the clock was set back.
        let until = now.milliseconds().saturating_add(SOON);
        let dead = self.journal.snapshot().unwrap_or_default();
        dead.died_within(credential, began..=until)
    }

    /// Whether a person took it away while the command ran that thanks for it now.
    fn is_unwanted(&self, arrival: Arrival<'_>, now: Now) -> bool {
        let credential = arrival.credential;
        matches!(
            arrival.word,
            Word::Accepted | Word::Answered | Word::Returned
        ) && self.mark_of(credential).is_none()
            && self.has_died_meanwhile(credential, now)
    }

    /// Whether it can be used, as far as anybody knows.
    fn is_alive(&self, kept: &Credential, now: Now) -> bool {
        kept.is_complete() && !kept.is_expired(now.unix) && self.mark_of(kept).is_none()
    }

    /// When the command began that brought it.
    fn brought(&self, kept: &Credential) -> Option<u64> {
        self.journal.known(kept).ok()??.brought
    }

    fn mark_of(&self, credential: &Credential) -> Option<Mark> {
        let dead = self.journal.snapshot().ok()?;
        dead.mark_of(credential).map(|(fate, _)| fate)
    }

    /// What is kept already is alive if git was let in with it; not if it is being replaced while a command ends.
    fn confirm(&self, credential: &Credential, now: Now) {
        if self.mark_of(credential).is_some() && !self.has_died_meanwhile(credential, now) {
            self.revive(credential, now);
        }
    }

    /// What is stored is alive, whatever was thought of it. A journal that cannot be kept stops nothing.
    fn revive(&self, credential: &Credential, now: Now) {
        let _ = self.journal.revive(credential, now.unix);
    }
}

/// With what is `known` of the same secret and git left out. An end that was over when git was let in was wrong.
fn recalled(credential: &Credential, known: &Credential, word: Word, now: Now) -> Credential {
    let mut recalled = credential.duplicate();
    recalled.recall(known);
    if credential.expiry.is_none() && word.tells_success() && recalled.is_expired(now.unix) {
        recalled.expiry = None;
    }
    recalled
}
