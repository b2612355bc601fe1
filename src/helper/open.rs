//! From the name of a storage to the storage: the one file that names them all.

use std::time::Duration;

use crate::config::Settings;
use crate::config::choice::Choice;
use crate::credential::key::Key;
use crate::daemon::client::Cache;
use crate::daemon::connect::Socket;
use crate::storage::budget::Budget;
use crate::storage::keychain::Keychain;
use crate::storage::traced::Traced;
use crate::storage::{Storage, StorageKind};
use crate::trace;

/// The storages of `choice`, in the order in which they are asked. For `auto` memory comes first: asking it costs
/// nothing where no daemon runs.
///
/// `prompt_patience`: how long a user may take to unlock the keychain; zero where no user would see the prompt. `lost`: the
/// time that git has waited already.
pub fn open_all(
    settings: &Settings,
    prompt_patience: Duration,
    lost: &Budget,
) -> Vec<Box<dyn Storage>> {
    kinds(settings)
        .iter()
        .map(|kind| open(*kind, settings, prompt_patience, lost))
        .collect()
}

/// The storages that the list leaves out. git asks none of them, but they may still have entries.
pub fn open_rest(settings: &Settings, prompt_patience: Duration) -> Vec<Box<dyn Storage>> {
    let lost = Budget::default();
    [
        StorageKind::Memory,
        StorageKind::Keychain,
        StorageKind::File,
    ]
    .into_iter()
    .filter(|kind| !kinds(settings).contains(kind))
    .map(|kind| open(kind, settings, prompt_patience, &lost))
    .collect()
}

/// The storages that `settings` choose, in the order in which they are asked.
pub fn kinds(settings: &Settings) -> &[StorageKind] {
    match &settings.storage {
        Choice::Auto => &[StorageKind::Memory, StorageKind::Keychain],
        Choice::These(kinds) => kinds,
        Choice::All => &[
            StorageKind::Memory,
            StorageKind::Keychain,
            StorageKind::File,
        ],
    }
}

fn open(
    kind: StorageKind,
    settings: &Settings,
    prompt_patience: Duration,
    lost: &Budget,
) -> Box<dyn Storage> {
    let storage: Box<dyn Storage> = match kind {
        StorageKind::Memory => Box::new(cache(settings, lost)),
        StorageKind::Keychain => {
            let keychain = Keychain::open(prompt_patience).after(lost);
            Box::new(keychain.taking_turns_in(&settings.places.state))
        }
        StorageKind::File => Box::new(settings.file.clone()),
    };
    if trace::is_on() {
        Box::new(Traced(storage))
    } else {
        storage
    }
}

/// Hands the keys of each storage in use to `take`, the fastest storage first. Starts no daemon, unlocks nothing and reads
/// no secret of the keychain. A storage that cannot be read is left out.
pub fn keys_at_hand(settings: &Settings, mut take: impl FnMut(Vec<Key>)) {
    for kind in kinds(settings) {
        let listed = match kind {
            StorageKind::Memory => memory(settings).list(),
            StorageKind::File => settings.file.list(),
            StorageKind::Keychain => {
                let keychain = Keychain::open(Duration::ZERO);
                take(keychain.keys_at_hand(Duration::from_millis(200)));
                continue;
            }
        };
        take(
            listed
                .unwrap_or_default()
                .into_iter()
                .map(|listed| listed.key)
                .collect(),
        );
    }
}

/// Whether this storage could be used now, be it in use or not.
pub fn can_use(kind: StorageKind, settings: &Settings, prompt_patience: Duration) -> bool {
    let storage = open(kind, settings, prompt_patience, &Budget::default());
    storage.check().is_ok()
}

/// The memory daemon's client, for what only it can do.
pub fn memory(settings: &Settings) -> Cache {
    cache(settings, &Budget::default())
}

fn cache(settings: &Settings, lost: &Budget) -> Cache {
    Cache::new(Socket::at(&settings.socket), settings.lifetime, lost)
}
