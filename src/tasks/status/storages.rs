//! Whether each storage of the list can be used now, and its entries.

use super::level::Level;
use crate::config::Settings;
use crate::config::choice::Choice;
use crate::helper::open;
use crate::helper::storages::Storages;
use crate::platform;
use crate::storage::{Error, Lack, Listed, Storage, StorageKind};
use crate::terminal::with_causes;

/// Whether a storage can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    Works,
    /// Memory works: its daemon starts when something is stored.
    NotRunning,
    /// Its tokens are given, and no new one can be kept.
    ReadOnly,
    Locked,
    /// This system has none.
    Absent,
    Unreachable,
    Failed,
}

impl Health {
    /// The word in JSON.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::NotRunning => "not-running",
            Self::ReadOnly => "read-only",
            Self::Locked => "locked",
            Self::Absent => "absent",
            Self::Unreachable => "unreachable",
            Self::Failed => "failed",
        }
    }
}

pub(crate) struct StorageStatus {
    pub(crate) kind: StorageKind,
    pub(crate) health: Health,
    pub(crate) level: Level,
    /// The cause if it does not work.
    pub(crate) cause: Option<String>,
    pub(crate) hint: Option<String>,
}

impl StorageStatus {
    /// Whether its entries are known.
    pub(super) fn is_read(&self) -> bool {
        !matches!(
            self.health,
            Health::Locked | Health::Unreachable | Health::Failed
        )
    }

    fn of(kind: StorageKind, health: Health) -> Self {
        Self {
            kind,
            health,
            level: Level::Good,
            cause: None,
            hint: None,
        }
    }

    fn failed(kind: StorageKind, error: &Error, is_auto: bool) -> Self {
        let (health, level) = match (error, error.lack()) {
            (Error::Failed { .. }, _) => (Health::Failed, Level::Failure),
            (_, Some(Lack::Absent)) => (Health::Absent, Level::Note),
            (_, Some(Lack::OwnBus)) => (Health::Unreachable, Level::Note),
            (_, Some(Lack::Locked)) => (Health::Locked, Level::Unknown),
            (_, Some(Lack::Use) | None) => (Health::Unreachable, Level::Unknown),
        };
        let cause = std::error::Error::source(error).map(with_causes);
        // With `auto`, a system without a keychain lacks nothing.
        let is_usual = is_auto && health == Health::Absent;
        Self {
            level,
            cause,
            hint: error.hint().filter(|_| !is_usual).map(str::to_owned),
            ..Self::of(kind, health)
        }
    }
}

/// The entries of a storage, without secrets, the oldest first.
pub(super) type StorageEntries = (StorageKind, Vec<Listed>);

/// The state of each storage, and its entries. A storage that cannot be read has none.
pub(super) fn read(
    settings: &Settings,
    storages: &Storages,
) -> (Vec<StorageStatus>, Vec<StorageEntries>) {
    let is_auto = settings.storage == Choice::Auto;
    let (mut states, mut lists) = (Vec::new(), Vec::new());
    for storage in storages.all() {
        let kind = storage.kind();
        let state = match storage.check() {
            Ok(()) => working(settings, &**storage),
            Err(error) => StorageStatus::failed(kind, &error, is_auto),
        };
        // A locked keyring may tell the names of its entries.
        let (state, list) = match storage.list() {
            Ok(list) => (state, list),
            Err(error) if state.is_read() && state.health != Health::Absent => {
                (StorageStatus::failed(kind, &error, is_auto), Vec::new())
            }
            Err(_) => (state, Vec::new()),
        };
        states.push(state);
        lists.push((kind, list));
    }
    fail_without_any(&mut states);
    (states, lists)
}

/// Makes each storage a failure if none can be used: one is enough for git, unless another one fails and stops it.
fn fail_without_any(all: &mut [StorageStatus]) {
    let is_usable = |storage: &StorageStatus| {
        !matches!(
            storage.health,
            Health::Absent | Health::Unreachable | Health::Failed
        )
    };
    if all.iter().any(is_usable) {
        return;
    }
    for storage in all {
        storage.level = Level::Failure;
    }
}

/// The level of all storages.
pub(super) fn level(all: &[StorageStatus]) -> Level {
    let levels = all.iter().map(|storage| storage.level);
    levels.max().unwrap_or(Level::Failure)
}

/// The state of a storage that answers: its daemon may not run, and its folder may be read-only.
fn working(settings: &Settings, storage: &dyn Storage) -> StorageStatus {
    let kind = storage.kind();
    let path = match kind {
        StorageKind::Keychain => return StorageStatus::of(kind, Health::Works),
        StorageKind::File => settings.file.path(),
        StorageKind::Memory => match open::memory(settings).status() {
            Ok(Some(_)) => return StorageStatus::of(kind, Health::Works),
            _ => settings.socket.clone(),
        },
    };
    let folder = path.parent().unwrap_or(&path);
    let writable = platform::check_writable(folder);
    match (kind, writable) {
        (StorageKind::Memory, Ok(())) => StorageStatus::of(kind, Health::NotRunning),
        (_, Ok(())) => StorageStatus::of(kind, Health::Works),
        (kind, Err(error)) => {
            let cause = Some(format!("cannot write in {}: {error}", folder.display()));
            let (health, level, flag) = match kind {
                // The daemon cannot be started.
                StorageKind::Memory => (Health::Failed, Level::Note, "--socket"),
                _ => (Health::ReadOnly, Level::Note, "--file"),
            };
            let hint = Some(format!("choose another place with '{flag}'"));
            StorageStatus {
                level,
                cause,
                hint,
                ..StorageStatus::of(kind, health)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Advice, Cause};

    #[test]
    fn each_error_has_its_health_and_level() {
        use Level::{Failure, Note, Unknown};
        let kind = StorageKind::Keychain;
        for (lack, health, level) in [
            (Some(Lack::Absent), Health::Absent, Note),
            (Some(Lack::OwnBus), Health::Unreachable, Note),
            (Some(Lack::Locked), Health::Locked, Unknown),
            (Some(Lack::Use), Health::Unreachable, Unknown),
            (None, Health::Unreachable, Unknown),
        ] {
            let advice = |lack| Cause::from(Advice::new("made up", "do this", lack));
            let cause = lack.map_or_else(|| "made up".into(), advice);
            let error = Error::Unavailable { kind, cause };
            let state = StorageStatus::failed(kind, &error, false);
            assert_eq!((state.health, state.level), (health, level), "{lack:?}");
            assert_eq!(state.hint.is_some(), lack.is_some(), "{lack:?}");
            // With `auto`, a missing keychain is no lack.
            let usual = StorageStatus::failed(kind, &error, true);
            let has_hint = lack.is_some_and(|lack| lack != Lack::Absent);
            assert_eq!(usual.hint.is_some(), has_hint, "{lack:?}");
        }
        let error = Error::Failed {
            operation: "look",
            kind,
            cause: "made up".into(),
        };
        let state = StorageStatus::failed(kind, &error, false);
        assert_eq!((state.health, state.level), (Health::Failed, Failure));
    }

    #[test]
    fn one_storage_that_can_be_used_is_enough() {
        use Health::{Absent, Failed, Locked, NotRunning, ReadOnly, Unreachable, Works};
        use Level::{Failure, Good, Note, Unknown};
        for (states, expected) in [
            (&[(Works, Good)][..], Good),
            (&[(NotRunning, Good)], Good),
            (&[(ReadOnly, Note)], Note),
            (&[(Locked, Unknown)], Unknown),
            (&[(Absent, Note)], Failure),
            (&[(Failed, Note)], Failure),
            (&[(Unreachable, Note)], Failure),
            (&[(Absent, Note), (Unreachable, Unknown)], Failure),
            (&[(Absent, Note), (Works, Good)], Note),
            (&[(Failed, Note), (Works, Good)], Note),
            (&[(Failed, Failure), (Works, Good)], Failure),
        ] {
            let of = |&(health, level): &(Health, Level)| StorageStatus {
                level,
                ..StorageStatus::of(StorageKind::File, health)
            };
            let mut all: Vec<StorageStatus> = states.iter().map(of).collect();
            fail_without_any(&mut all);
            assert_eq!(level(&all), expected, "{states:?}");
        }
    }
}
