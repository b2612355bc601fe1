//! An import against a model of its storages.

use std::cell::RefCell;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::credential::expiry::Expiry;
use crate::neighbour::registry::Copied;
use crate::neighbour::{Found, Place};
use crate::storage::file::PlaintextFile;
use crate::storage::memory::Memory;
use crate::storage::{Listed, is_still};

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

    fn store(&self, credential: &Credential) -> Result<(), Error> {
        let mut kept = self.0.borrow_mut();
        kept.retain(|other| other.key != credential.key);
        kept.push(credential.duplicate());
        Ok(())
    }

    fn replace(&self, known: Option<&Credential>, credential: &Credential) -> Result<bool, Error> {
        let kept = self.get(&Query::exact(&credential.key))?;
        if !is_still(kept.as_ref(), known) {
            return Ok(false);
        }
        self.store(credential).map(|()| true)
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
    for storage in storages {
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
        let offers = import.preview(harvest, None, &[]);
        let wanted: Vec<&Offer> = offers
            .iter()
            .filter(|offer| offer.is_wanted(replace, false))
            .collect();
        let mut pauses = 0;
        let stored = import.store(&wanted, &mut |_| pauses += 1, &mut |_, _| {});
        assert!(stored.unwrap().iter().all(|&is_stored| is_stored));
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
        let listed = home.storages.iter().next().unwrap().list().unwrap();
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
        let offers = import.preview(&harvest([(0, 0, 1, 0)]), None, &[]);
        let newer = credential((0, 0, 2, 0));
        let storage = home.storages.iter().next().unwrap();
        storage.store(&newer).unwrap();
        let stored = import.store(&[&offers[0]], &mut |_| {}, &mut |_, _| {});
        assert_eq!(stored.unwrap(), [false]);
        let kept = storage.get(&Query::exact(&newer.key)).unwrap().unwrap();
        assert!(kept.has_same_secrets(&newer), "{kind}");
    }
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
