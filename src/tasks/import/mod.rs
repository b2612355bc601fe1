//! Takes over the credentials of other programs: previews what would happen with each, and stores the chosen ones.
//!
//! An import goes to one storage: the last one of the list that lasts, or memory if nothing else is listed. For `auto` that is
//! the keychain; if it cannot be reached, nothing is imported.
//!
//! An import changes no answer unless `--replace` says so. Memory and the file insert a new entry behind all others. A
//! keychain cannot, since its newest item answers: an offer that would take over an answer there is shown as `shadows`.

pub mod offer;
pub mod paths;
pub mod removal;
pub mod sources;
mod store;
mod view;

use std::collections::HashMap;

use self::offer::{InvalidReason, Offer, Verdict, merged};
use self::view::StorageView;
use crate::config::account::Account;
use crate::credential::Credential;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::helper::candidate::is_good;
use crate::helper::issuer::{Issuers, is_retired};
use crate::helper::notice::{Notice, Outcome};
use crate::helper::precedence::{Precedence, queries};
use crate::helper::storages::Storages;
use crate::journal::Journal;
use crate::journal::snapshot::Snapshot;
use crate::neighbour::registry::Harvest;
use crate::storage::{Error, Storage, StorageKind, if_reached};
use crate::time::Now;

/// An import, with the contents of the storages before it.
pub struct Import<'a> {
    /// In the order of the list. Never empty.
    storages: Vec<(&'a dyn Storage, StorageView)>,
    journal: &'a Journal,
    issuers: &'a Issuers,
    marks: Snapshot,
    /// The index of the storage that gets the credentials.
    target: usize,
    precedence: Precedence,
    now: Now,
}

impl<'a> Import<'a> {
    /// Reads the storages.
    pub fn begin(
        list: &'a Storages,
        journal: &'a Journal,
        issuers: &'a Issuers,
        now: Now,
    ) -> Result<Outcome<Self>, Error> {
        let lasting = list
            .all()
            .iter()
            .rposition(|storage| storage.kind().lasts());
        let target = lasting.unwrap_or(list.all().len().saturating_sub(1));
        let mut notices = Vec::new();
        let mut storages = Vec::new();
        for (index, storage) in list.all().iter().enumerate() {
            let view = match StorageView::read(&**storage) {
                Ok(view) => view,
                Err(cause @ Error::Unavailable { .. }) => {
                    let view = StorageView {
                        is_silent: index == target || !cause.is_absence(),
                        ..StorageView::default()
                    };
                    if index == target {
                        notices.push(Notice::PassedOver { cause });
                    } else {
                        notices.extend(list.passed_over(cause));
                    }
                    view
                }
                Err(cause) => return Err(cause),
            };
            storages.push((&**storage, view));
        }
        let lists = storages.iter().map(|(_, view)| &view.listed);
        let precedence = Precedence::of(lists, now.unix);
        let value = Self {
            storages,
            journal,
            issuers,
            // A journal that cannot be read marks nothing.
            marks: journal.snapshot().unwrap_or_default(),
            target,
            precedence,
            now,
        };
        Ok(Outcome { value, notices })
    }

    /// What an import would do with each credential of `harvest` that matches `wanted`. `accounts` give it its key, as for
    /// `store`.
    pub fn preview(
        &self,
        harvest: &Harvest,
        wanted: Option<&Query>,
        accounts: &[Account],
    ) -> Vec<Offer> {
        let mut offers = merged(harvest, wanted, accounts);
        let invalid = offers
            .iter()
            .map(|offer| self.invalid_reason(&offer.credential));
        let invalid: Vec<_> = invalid.collect();
        // An invalid secret takes no place from a valid one.
        let mut order: Vec<usize> = (0..offers.len()).collect();
        order.sort_by_key(|&index| invalid[index].is_some());
        let mut taken = HashMap::new();
        for index in order {
            let offer = &mut offers[index];
            let key = &offer.credential.key;
            if offer.credential.is_expired(self.now.unix) {
                offer.verdict = Verdict::Expired;
                continue;
            }
            let is_second = *taken.entry(key.clone()).or_insert(index) != index;
            if is_second && invalid[index].is_none() {
                offer.verdict = Verdict::Second;
                continue;
            }
            let mut found = self.compare(&offer.credential);
            if matches!(found, Verdict::New | Verdict::Different) {
                offer.shadowed = self.shadowed(key);
            }
            if found == Verdict::New && offer.shadowed.is_some() {
                found = Verdict::Shadows;
            }
            offer.verdict = match (found, invalid[index]) {
                (found, None) => found,
                (Verdict::Same | Verdict::SameWithExpiry, Some(_)) if !is_second => found,
                (found, Some(why)) => Verdict::Invalid {
                    why,
                    needs_replace: matches!(
                        found,
                        Verdict::Different | Verdict::Shadows | Verdict::Unknown
                    ),
                    is_second,
                },
            };
        }
        offers
    }

    /// Whether a storage that lasts has `credential` now.
    pub fn is_kept(&self, credential: &Credential) -> Result<bool, Error> {
        let exact = Query::exact(&credential.key);
        for (storage, _) in &self.storages {
            if !storage.kind().lasts() {
                continue;
            }
            let found = if_reached(storage.get(&exact))?.flatten();
            if found.is_some_and(|found| found.has_same_secrets(credential)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn invalid_reason(&self, credential: &Credential) -> Option<InvalidReason> {
        if let Some((mark, since)) = self.marks.mark_of(credential) {
            return Some(InvalidReason::Marked(mark, since));
        }
        is_retired(credential, &self.marks).map(InvalidReason::Retired)
    }

    /// Compares `offered` with the entries under its key.
    fn compare(&self, offered: &Credential) -> Verdict {
        let mut verdict = Verdict::New;
        for (index, (storage, view)) in self.storages.iter().enumerate() {
            if view.is_silent {
                verdict = Verdict::Unknown;
            }
            let Some(found) = view.entries.get(&offered.key) else {
                continue;
            };
            let is_same = found.has_same_secrets(offered);
            if !is_good(found, self.now) {
                // Stored again without its expiry, it would be no newer.
                if is_same && found.is_complete() && offered.expiry.is_none() {
                    verdict = Verdict::Expired;
                }
                continue;
            }
            if !is_same {
                return Verdict::Different;
            }
            if index == self.target || storage.kind().lasts() {
                return match (found.expiry, offered.expiry) {
                    (None, Some(_)) => Verdict::SameWithExpiry,
                    _ => Verdict::Same,
                };
            }
        }
        verdict
    }

    /// A credential with another key that answers now, and no longer would if `key` were stored in the target.
    fn shadowed(&self, key: &Key) -> Option<(StorageKind, Key)> {
        if !self.precedence.has_host(key) {
            return None;
        }
        // An entry that replaces an expired one takes its place, which may be the first.
        let (target, view) = &self.storages[self.target];
        let replaces_expired = view
            .entries
            .get(key)
            .is_some_and(|found| !is_good(found, self.now));
        let is_newest = target.kind() == StorageKind::Keychain || replaces_expired;
        for query in queries(key) {
            let Some((index, answer)) = self.precedence.answer(&query) else {
                continue;
            };
            let is_after = index > self.target || (index == self.target && is_newest);
            if is_after && answer != key {
                return Some((self.storages[index].0.kind(), answer.clone()));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    //! An import against a model of its storages.

    use std::cell::RefCell;
    use std::time::Duration;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::credential::expiry::Expiry;
    use crate::journal::mark::Mark;
    use crate::neighbour::registry::Copied;
    use crate::neighbour::{Found, Place};
    use crate::secret::Secret;
    use crate::storage::file::PlaintextFile;
    use crate::storage::memory::Memory;
    use crate::storage::{Expected, Listed, Position};

    const NOW: Now = Now {
        monotonic: Duration::from_secs(1000),
        unix: 1_000_000,
        fraction: 0,
    };

    /// A storage whose newest entry answers, as in a keychain.
    #[derive(Debug, Default)]
    struct NewestAnswers(RefCell<Vec<Credential>>);

    impl Storage for NewestAnswers {
        fn kind(&self) -> StorageKind {
            StorageKind::Keychain
        }

        fn get(&self, wanted: &Query) -> Result<Option<Credential>, Error> {
            let kept = self.0.borrow();
            let newest = kept.iter().rev().find(|kept| wanted.matches(&kept.key));
            Ok(newest.map(Credential::duplicate))
        }

        fn put(
            &self,
            credential: &Credential,
            _position: Position,
            expected: Expected<'_>,
        ) -> Result<bool, Error> {
            let kept = self.get(&Query::exact(&credential.key))?;
            if !expected.is_met(kept.as_ref()) {
                return Ok(false);
            }
            let mut kept = self.0.borrow_mut();
            kept.retain(|other| other.key != credential.key);
            kept.push(credential.duplicate());
            Ok(true)
        }

        fn set_expiry(&self, kept: &Credential, end: Option<Expiry>) -> Result<bool, Error> {
            let mut all = self.0.borrow_mut();
            let same = all
                .iter_mut()
                .find(|other| other.key == kept.key && other.has_same_secrets(kept));
            Ok(same.map(|same| same.expiry = end).is_some())
        }

        fn check_writable(&self, _: &Credential) -> Result<bool, Error> {
            Ok(false)
        }

        fn erase(&self, unwanted: &Query) -> Result<usize, Error> {
            let mut kept = self.0.borrow_mut();
            let before = kept.len();
            kept.retain(|kept| !kept.is_named_by(unwanted));
            Ok(before - kept.len())
        }

        fn list(&self) -> Result<Vec<Listed>, Error> {
            Ok(self.0.borrow().iter().map(Listed::of).collect())
        }

        fn check(&self) -> Result<(), Error> {
            Ok(())
        }
    }

    /// User, path, secret, and which of three expiries: none, passed, in the future.
    type Said = (usize, usize, u8, usize);

    fn said() -> impl Strategy<Value = Said> {
        (0..3_usize, 0..3_usize, 0..4_u8, 0..6_usize)
    }

    fn query(user: usize, path: usize) -> Query {
        let user = ["u", "v", "w", ""][user];
        let path = ["", "x.git", "y.git", "other.git", ""][path];
        let some = |text: &str| (!text.is_empty()).then(|| text.as_bytes().to_vec());
        Query {
            protocol: Some(b"https".to_vec()),
            host: Some(b"h.test".to_vec()),
            path: some(path),
            username: some(user).map(Into::into),
            ..Query::default()
        }
    }

    fn credential((user, path, secret, expiry): Said) -> Credential {
        let expiries = [None, None, None, None, Some(999_000), Some(1_999_000)];
        let said = Query {
            password: Some(Secret::new(&[b's', b'0' + secret])),
            expiry: expiries[expiry].and_then(Expiry::from_unix),
            ..query(user, path)
        };
        Credential::complete(said).unwrap()
    }

    fn harvest(offered: impl IntoIterator<Item = Said>) -> Harvest {
        let mut harvest = Harvest::default();
        for said in offered {
            let found = Found {
                credential: credential(said),
                place: Place::Variable("MADE_UP".to_owned()),
            };
            harvest.copies.push(Copied::of(found));
        }
        harvest
    }

    /// The live credential that answers each query that git may send.
    fn answers(storages: &Storages) -> Vec<Option<Credential>> {
        let mut all = Vec::new();
        for user in 0..4 {
            for path in 0..5 {
                let query = Query {
                    is_pathless: path == 4,
                    ..query(user, path)
                };
                all.push(answer(storages, &query));
            }
        }
        all
    }

    fn answer(storages: &Storages, query: &Query) -> Option<Credential> {
        for storage in storages.all() {
            for (listed, kept) in storage.all().unwrap().into_iter().rev() {
                if query.matches(&listed.key) && kept.is_complete() && !kept.is_expired(NOW.unix) {
                    return Some(kept);
                }
            }
        }
        None
    }

    struct Home {
        folder: tempfile::TempDir,
        storages: Storages,
        journal: Journal,
        issuers: Issuers,
    }

    impl Home {
        fn new(kinds: &[StorageKind], kept: impl IntoIterator<Item = (usize, Said)>) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let mut list: Vec<Box<dyn Storage>> = Vec::new();
            for kind in kinds {
                list.push(match kind {
                    StorageKind::Memory => Box::new(Memory::new(|| NOW)),
                    StorageKind::Keychain => Box::new(NewestAnswers::default()),
                    StorageKind::File => {
                        Box::new(PlaintextFile::in_folder(&folder.path().join("data")))
                    }
                });
            }
            for (storage, said) in kept {
                list[storage % kinds.len()]
                    .store(&credential(said))
                    .unwrap();
            }
            Self {
                storages: Storages::of(list, false),
                journal: Journal::in_folder(&folder.path().join("state")),
                issuers: Issuers::new(Vec::new()),
                folder,
            }
        }

        fn begin(&self) -> Import<'_> {
            let import = Import::begin(&self.storages, &self.journal, &self.issuers, NOW);
            import.unwrap().value
        }

        /// Imports with these flags. Returns the pauses.
        fn import(&self, harvest: &Harvest, replace: bool) -> usize {
            let import = self.begin();
            let mut offers = import.preview(harvest, None, &[]);
            let mut wanted: Vec<&mut Offer> = offers
                .iter_mut()
                .filter(|offer| offer.is_wanted(replace, false))
                .collect();
            let mut pauses = 0;
            let stored = import.store(&mut wanted, &mut |_| pauses += 1, &mut |_, _| {});
            stored.unwrap();
            assert!(wanted.iter().all(|offer| offer.is_imported));
            pauses
        }
    }

    fn lists() -> impl Strategy<Value = Vec<StorageKind>> {
        prop_oneof![
            Just(vec![StorageKind::Memory]),
            Just(vec![StorageKind::File]),
            Just(vec![StorageKind::File, StorageKind::Memory]),
            Just(vec![StorageKind::Memory, StorageKind::File]),
            Just(vec![StorageKind::Memory, StorageKind::Keychain]),
            Just(vec![
                StorageKind::Memory,
                StorageKind::Keychain,
                StorageKind::File
            ]),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn an_import_changes_no_answer(
            kinds in lists(),
            kept in vec((0..3_usize, said()), 0..8),
            offered in vec(said(), 1..5),
        ) {
            let home = Home::new(&kinds, kept);
            let before = answers(&home.storages);
            home.import(&harvest(offered), false);
            for (before, after) in before.iter().zip(answers(&home.storages)) {
                let Some(before) = before else { continue };
                let after = after.unwrap();
                prop_assert_eq!(&before.key, &after.key);
                prop_assert!(before.has_same_secrets(&after));
            }
        }

        #[test]
        fn an_import_that_replaces_wins_under_its_keys(
            kinds in lists(),
            kept in vec((0..3_usize, said()), 0..8),
            offered in vec(said(), 1..5),
        ) {
            let home = Home::new(&kinds, kept);
            let harvest = harvest(offered);
            let offers = home.begin().preview(&harvest, None, &[]);
            home.import(&harvest, true);
            for offer in offers.iter().filter(|offer| offer.is_wanted(true, false)) {
                let key = Query::exact(&offer.credential.key);
                let after = answer(&home.storages, &key).unwrap();
                prop_assert!(after.has_same_secrets(&offer.credential));
            }
        }
    }

    const FOUR: [Said; 4] = [(0, 1, 0, 0), (1, 0, 1, 0), (2, 0, 2, 0), (0, 0, 3, 0)];

    #[test]
    fn the_first_offer_for_all_paths_answers_first() {
        for kind in [
            StorageKind::Memory,
            StorageKind::Keychain,
            StorageKind::File,
        ] {
            let home = Home::new(&[kind], []);
            let pauses = home.import(&harvest(FOUR), false);
            assert_eq!(pauses, if kind == StorageKind::Keychain { 3 } else { 0 });
            let first = answer(&home.storages, &query(3, 0)).unwrap();
            assert!(first.has_same_secrets(&credential(FOUR[1])), "{kind}");
            let listed = home.storages.all().iter().next().unwrap().list().unwrap();
            let order: Vec<Key> = listed.into_iter().rev().map(|listed| listed.key).collect();
            let expected = [FOUR[1], FOUR[2], FOUR[3], FOUR[0]].map(|said| credential(said).key);
            assert_eq!(order, expected, "{kind}");
        }
    }

    #[test]
    fn an_offer_that_would_answer_from_a_keychain_needs_replace() {
        let kept = (0, (1, 1, 0, 0));
        let home = Home::new(&[StorageKind::Keychain], [kept]);
        let harvest = harvest([(0, 0, 1, 0)]);
        let offers = home.begin().preview(&harvest, None, &[]);
        assert_eq!(offers[0].verdict, Verdict::Shadows);
        let (kind, key) = offers[0].shadowed.as_ref().unwrap();
        assert_eq!(
            (*kind, key),
            (StorageKind::Keychain, &credential(kept.1).key)
        );
        home.import(&harvest, true);
        let answers = answer(&home.storages, &query(3, 0)).unwrap();
        assert_eq!(answers.key, offers[0].credential.key);
    }

    #[test]
    fn a_secret_that_was_stored_after_the_preview_stays() {
        for kind in [
            StorageKind::Memory,
            StorageKind::Keychain,
            StorageKind::File,
        ] {
            let home = Home::new(&[kind], []);
            let import = home.begin();
            let mut offers = import.preview(&harvest([(0, 0, 1, 0)]), None, &[]);
            let newer = credential((0, 0, 2, 0));
            let storage = home.storages.all().iter().next().unwrap();
            storage.store(&newer).unwrap();
            let stored = import.store(&mut [&mut offers[0]], &mut |_| {}, &mut |_, _| {});
            stored.unwrap();
            assert!(!offers[0].is_imported);
            let kept = storage.get(&Query::exact(&newer.key)).unwrap().unwrap();
            assert!(kept.has_same_secrets(&newer), "{kind}");
        }
    }

    #[test]
    fn a_secret_that_was_rejected_after_the_preview_stays_out() {
        let home = Home::new(&[StorageKind::File], []);
        let import = home.begin();
        let mut offers = import.preview(&harvest([(0, 0, 1, 0)]), None, &[]);
        let rejected = &offers[0].credential;
        home.journal
            .mark(rejected, Mark::Rejected, NOW.unix)
            .unwrap();
        let stored = import.store(&mut [&mut offers[0]], &mut |_| {}, &mut |_, _| {});
        stored.unwrap();
        assert!(!offers[0].is_imported);
        assert!(home.storages.list_all().unwrap().value.is_empty());
    }

    #[test]
    fn a_replaced_secret_is_marked_and_no_longer_answers() {
        let home = Home::new(
            &[StorageKind::Memory, StorageKind::File],
            [(0, (0, 0, 1, 0))],
        );
        let harvest = harvest([(0, 0, 2, 0)]);
        home.import(&harvest, true);
        let answers = answer(&home.storages, &query(0, 0)).unwrap();
        assert!(answers.has_same_secrets(&credential((0, 0, 2, 0))));
        let marks = home.journal.snapshot().unwrap();
        let (mark, _) = marks.mark_of(&credential((0, 0, 1, 0))).unwrap();
        assert_eq!(mark, Mark::Superseded);
        assert!(home.folder.path().join("state").exists());
    }
}
