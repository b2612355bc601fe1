//! Taking over what neighbours keep: what would happen with each credential of theirs.

use std::collections::HashMap;

use crate::config::account::{self, Account};
use crate::credential::Credential;
use crate::credential::expiry::ExpirySource;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::helper::Helper;
use crate::helper::issuer::is_retired;
use crate::helper::notice::Outcome;
use crate::journal::mark::Mark;
use crate::neighbour::registry::Harvest;
use crate::storage::{Error, Storage, StorageKind};
use crate::time::Now;

/// More than a person has.
const MANY: usize = 100;

/// What a credential of a neighbour's is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is kept under its key, or only something that has ended.
    New,
    /// It is kept already.
    Same,
    /// It is kept already, but without its end.
    End,
    /// Another secret is kept under its key.
    Different,
    /// A storage that may keep something under its key does not answer.
    Unknown,
    /// Another neighbour, or another place of the same, has another secret for the same key, and comes first.
    Second,
    /// Its time is over, by its own word or by what is known of the same secret here.
    Ended,
    /// Its secret is known to be invalid.
    Dead {
        /// Why.
        why: Invalid,
        /// Another secret is kept under its key.
        is_different: bool,
        /// Another secret for the same key comes first, alive or not.
        is_second: bool,
    },
}

impl Verdict {
    /// For machines.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Same => "same",
            Self::End => "same-with-end",
            Self::Different => "different",
            Self::Unknown => "unknown",
            Self::Second => "second",
            Self::Ended => "ended",
            Self::Dead { why, .. } => why.word(),
        }
    }
}

/// Why a secret is known to be invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invalid {
    /// By the journal: what became of it, and when, in Unix seconds.
    Fate(Mark, u64),
    /// Its forge accepts no secret of its kind any more.
    Untaken(&'static str),
}

impl Invalid {
    /// For machines.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fate(fate, _) => fate.word(),
            Self::Untaken(_) => "not-taken",
        }
    }
}

/// Why a storage says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    /// This system has none.
    Absent,
    /// It is locked, or does not answer.
    Silent,
}

/// A credential that could be taken over: once, however many copies there are of it.
#[derive(Debug)]
pub struct Offer {
    /// With its end, if one of the copies tells it.
    pub credential: Credential,
    /// Which of the harvest's copies hold this secret.
    pub copies: Vec<usize>,
    /// What it is to us.
    pub verdict: Verdict,
}

impl Offer {
    /// Whether it would be stored. `replaces`: in the place of another secret that is kept; `insists`: even if it is dead.
    pub fn is_wanted(&self, replaces: bool, insists: bool) -> bool {
        match self.verdict {
            Verdict::New | Verdict::End => true,
            Verdict::Different => replaces,
            Verdict::Dead {
                is_different,
                is_second,
                ..
            } => insists && !is_second && (replaces || !is_different),
            Verdict::Same | Verdict::Second | Verdict::Ended | Verdict::Unknown => false,
        }
    }
}

impl Helper {
    /// Keeps the offers. Whoever answered a question before answers it afterwards; where nobody did, the first of the offers
    /// does, as it did where it comes from, and one for all paths rather than one for a single path: here the one stored last
    /// answers. `comes_to`: the number of the one that is next, and how many there are.
    pub fn take_over(
        &self,
        offers: &[&Offer],
        comes_to: &mut dyn FnMut(usize, usize),
        now: Now,
    ) -> Result<Outcome<()>, Error> {
        let keys: Vec<&Key> = offers.iter().map(|offer| &offer.credential.key).collect();
        let before = self.standings(&keys, now);
        let (with_path, without): (Vec<&Offer>, Vec<&Offer>) = offers
            .iter()
            .rev()
            .partition(|offer| offer.credential.key.path.is_some());
        let mut notices = Vec::new();
        let mut result = Ok(());
        for (number, offer) in (1..).zip(with_path.into_iter().chain(without)) {
            comes_to(number, offers.len());
            match self.keep(&offer.credential, ExpirySource::Git, now) {
                Ok(outcome) => notices.extend(outcome.notices),
                Err(cause) => {
                    // One storage of a list may have it all the same.
                    result = Err(cause);
                    break;
                }
            }
        }
        result.and(self.restore(&before, now))?;
        Ok(Outcome { value: (), notices })
    }

    /// What would happen with each of `harvest` that fits `wanted`, under the key that `accounts` give it, as for `store`.
    pub fn weigh(
        &self,
        harvest: &Harvest,
        wanted: Option<&Query>,
        accounts: &[Account],
        now: Now,
    ) -> Result<Outcome<Vec<Offer>>, Error> {
        let mut offers = merged(harvest, wanted, accounts);
        let mut notices = Vec::new();
        let mut unreached = vec![None; self.storages.len()];
        // A question for each of very many would take long: then everything is read at once.
        let is_much = offers.len() > MANY;
        let everything = |storage: &dyn Storage| {
            let all = is_much.then(|| storage.all().ok())??;
            // What was left out may be locked away.
            let is_whole = storage.list().is_ok_and(|listed| listed.len() <= all.len());
            let all = is_whole.then_some(all)?.into_iter();
            Some(all.map(|(listed, kept)| (listed.key, kept)).collect())
        };
        let all: Vec<Option<HashMap<Key, Credential>>> = self
            .storages
            .iter()
            .map(|storage| everything(&**storage))
            .collect();
        // A journal that cannot be read knows of nobody.
        let dead = self.journal.snapshot().unwrap_or_default();
        let known_invalid = |offer: &Offer| {
            let fate = dead.mark_of(&offer.credential);
            let untaken = || is_retired(&offer.credential, &dead).map(Invalid::Untaken);
            fate.map(|(fate, since)| Invalid::Fate(fate, since))
                .or_else(untaken)
        };
        let invalid: Vec<Option<Invalid>> = offers.iter().map(known_invalid).collect();
        // One that is dead takes no place from one that is not.
        let mut order: Vec<usize> = (0..offers.len()).collect();
        order.sort_by_key(|&at| invalid[at].is_some());
        let mut taken = HashMap::new();
        for at in order {
            let offer = &mut offers[at];
            if offer.credential.is_expired(now.unix) {
                offer.verdict = Verdict::Ended;
                continue;
            }
            let is_second = *taken.entry(offer.credential.key.clone()).or_insert(at) != at;
            if is_second && invalid[at].is_none() {
                offer.verdict = Verdict::Second;
                continue;
            }
            let outcome = self.compare(&offer.credential, &all, &mut unreached, now)?;
            notices.extend(outcome.notices);
            offer.verdict = match (outcome.value, invalid[at]) {
                (verdict @ (Verdict::Same | Verdict::End), Some(_)) if !is_second => verdict,
                (verdict, Some(why)) => Verdict::Dead {
                    why,
                    is_different: matches!(verdict, Verdict::Different | Verdict::Unknown),
                    is_second,
                },
                (verdict, None) => verdict,
            };
        }
        Ok(Outcome {
            value: offers,
            notices,
        })
    }

    /// Held against what is kept under its key. A storage that was not reached once is not asked again; one that this system
    /// does not have keeps nothing.
    fn compare(
        &self,
        offered: &Credential,
        all: &[Option<HashMap<Key, Credential>>],
        unreached: &mut [Option<Missing>],
        now: Now,
    ) -> Result<Outcome<Verdict>, Error> {
        let mut notices = Vec::new();
        let mut value = Verdict::New;
        let exactly = Query::exact(&offered.key);
        let storages = self.storages.iter().zip(unreached).zip(all);
        for ((storage, missing), all) in storages {
            if let Some(missing) = missing {
                if *missing == Missing::Silent {
                    value = Verdict::Unknown;
                }
                continue;
            }
            let found = match all {
                Some(all) => Ok(all.get(&offered.key).map(Credential::duplicate)),
                None => storage.get(&exactly),
            };
            match found {
                Ok(Some(known)) if known.is_complete() && !known.is_expired(now.unix) => {
                    let is_same = known.has_same_secrets(offered);
                    let tells_end = known.expiry.is_none() && offered.expiry.is_some();
                    value = match (is_same, tells_end) {
                        (false, _) => Verdict::Different,
                        (true, true) => Verdict::End,
                        (true, false) => Verdict::Same,
                    };
                    break;
                }
                Ok(Some(known)) if is_same_ended(&known, offered) => value = Verdict::Ended,
                Ok(_) => {}
                Err(cause @ Error::Unavailable { .. }) => {
                    let is_absence = cause.is_absence();
                    *missing = Some(if is_absence {
                        Missing::Absent
                    } else {
                        value = Verdict::Unknown;
                        Missing::Silent
                    });
                    notices.extend(self.passed_over(cause));
                }
                Err(cause) => return Err(cause),
            }
        }
        Ok(Outcome { value, notices })
    }

    /// Whether a storage that forgets nothing has it: only then may its source lose it.
    pub fn keeps_for_good(&self, credential: &Credential) -> Result<bool, Error> {
        let exactly = Query::exact(&credential.key);
        for storage in &self.storages {
            if storage.kind() == StorageKind::Memory {
                continue;
            }
            match storage.get(&exactly) {
                Ok(Some(known)) if known.has_same_secrets(credential) => return Ok(true),
                Ok(_) | Err(Error::Unavailable { .. }) => {}
                Err(cause) => return Err(cause),
            }
        }
        Ok(false)
    }
}

/// What is kept has ended, as far as we know, and the offer knows no better: to store it once more changes nothing.
fn is_same_ended(known: &Credential, offered: &Credential) -> bool {
    known.is_complete() && known.has_same_secrets(offered) && offered.expiry.is_none()
}

fn merged(harvest: &Harvest, wanted: Option<&Query>, accounts: &[Account]) -> Vec<Offer> {
    let mut offers: Vec<Offer> = Vec::new();
    let mut by_key: HashMap<_, Vec<usize>> = HashMap::new();
    for (number, copied) in harvest.copies.iter().enumerate() {
        let theirs = &copied.found.credential;
        let credential = as_kept(theirs, accounts);
        let fits = |wanted: &Query| wanted.matches(&theirs.key) || wanted.matches(&credential.key);
        if !wanted.is_none_or(fits) {
            continue;
        }
        let same_key = by_key.entry(credential.key.clone()).or_default();
        let known = same_key
            .iter()
            .find(|&&at| offers[at].credential.has_same_secrets(&credential));
        if let Some(&known) = known {
            let offer = &mut offers[known];
            offer.copies.push(number);
            offer.credential.expiry = offer.credential.expiry.max(credential.expiry);
        } else {
            same_key.push(offers.len());
            offers.push(Offer {
                credential,
                copies: vec![number],
                verdict: Verdict::New,
            });
        }
    }
    offers
}

/// As `store` would keep it: under the path of the account that its own path belongs to.
fn as_kept(theirs: &Credential, accounts: &[Account]) -> Credential {
    let mut said = Query::of(&theirs.key);
    account::apply(accounts, &mut said);
    let mut kept = theirs.duplicate();
    if let Some(key) = said.key() {
        kept.key = key;
    }
    kept
}
