//! A Credential Manager for tests: it keeps, orders and limits as Windows does (Win32 API, `CREDENTIALW`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use super::generic::{ErrorCode, GenericCredential, GenericStore, LOCAL_MACHINE};

/// 29 November 2026, as a `FILETIME`.
const START: u64 = 134_403_840_000_000_000;

/// A store that several openers share.
#[derive(Clone, Default)]
pub(super) struct FakeStore(Arc<Mutex<FakeState>>);

#[derive(Default)]
struct FakeState {
    /// By target in lower case: the order of a listing.
    kept: BTreeMap<String, GenericCredential>,
    /// Fails every call.
    failure: Option<ErrorCode>,
    /// Fails every write.
    write_failure: Option<ErrorCode>,
    is_session_only: bool,
    clock: u64,
    writes: usize,
}

impl FakeStore {
    fn state(&self) -> MutexGuard<'_, FakeState> {
        self.0.lock().unwrap()
    }

    pub(super) fn fail(&self, code: Option<ErrorCode>) {
        self.state().failure = code;
    }

    pub(super) fn fail_writes(&self, code: Option<ErrorCode>) {
        self.state().write_failure = code;
    }

    pub(super) fn keep_for_session_only(&self) {
        self.state().is_session_only = true;
    }

    /// Lets the clock go on by `seconds`.
    pub(super) fn wait(&self, seconds: u64) {
        self.state().clock += seconds * 10_000_000;
    }

    /// Every target, in the order of a listing.
    pub(super) fn targets(&self) -> Vec<String> {
        let state = self.state();
        state
            .kept
            .values()
            .map(|kept| kept.target.clone())
            .collect()
    }

    pub(super) fn writes(&self) -> usize {
        self.state().writes
    }

    /// Reads without a failure.
    pub(super) fn kept(&self, target: &str) -> GenericCredential {
        let state = self.state();
        let found = state.kept.get(&target.to_lowercase());
        copied(found.unwrap_or_else(|| panic!("no {target}")))
    }
}

fn copied(kept: &GenericCredential) -> GenericCredential {
    GenericCredential {
        target: kept.target.clone(),
        user: kept.user.clone(),
        blob: kept.blob.clone(),
        attributes: kept.attributes.clone(),
        comment: kept.comment.clone(),
        alias: kept.alias.clone(),
        ..*kept
    }
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

impl GenericStore for FakeStore {
    fn list(&self, prefix: &str) -> Result<Vec<GenericCredential>, ErrorCode> {
        let state = self.state();
        state.failure.map_or(Ok(()), Err)?;
        let kept = state.kept.iter();
        let begins = kept.filter(|(name, _)| name.starts_with(&prefix.to_lowercase()));
        let found: Vec<_> = begins.map(|(_, kept)| copied(kept)).collect();
        if found.is_empty() {
            return Err(ErrorCode::NOT_FOUND);
        }
        Ok(found)
    }

    fn read(&self, target: &str) -> Result<GenericCredential, ErrorCode> {
        let state = self.state();
        state.failure.map_or(Ok(()), Err)?;
        let found = state.kept.get(&target.to_lowercase());
        found.map(copied).ok_or(ErrorCode::NOT_FOUND)
    }

    fn write(&self, new: &GenericCredential) -> Result<(), ErrorCode> {
        let mut state = self.state();
        state.failure.or(state.write_failure).map_or(Ok(()), Err)?;
        if new.blob.len() > 2560 {
            return Err(ErrorCode::TOO_LONG);
        }
        let user = new.user.as_deref().unwrap_or_default();
        let attributes = new.attributes.iter();
        let is_short = units(user) <= 513
            && (1..=32_767).contains(&units(&new.target))
            && new.attributes.len() <= 64
            && attributes
                .clone()
                .all(|one| one.value.len() <= 256 && one.keyword.len() <= 256)
            && new
                .comment
                .as_ref()
                .is_none_or(|comment| comment.len() <= 256);
        if !is_short || !(1..=3).contains(&new.persist) {
            return Err(ErrorCode(87));
        }
        if state.is_session_only && new.persist >= LOCAL_MACHINE {
            return Err(ErrorCode::NO_SESSION);
        }
        state.clock += 1;
        state.writes += 1;
        let mut kept = copied(new);
        kept.written = START + state.clock;
        // Windows returns no empty user.
        kept.user = kept.user.filter(|user| !user.is_empty());
        state.kept.insert(new.target.to_lowercase(), kept);
        Ok(())
    }

    fn delete(&self, target: &str) -> Result<(), ErrorCode> {
        let mut state = self.state();
        state.failure.or(state.write_failure).map_or(Ok(()), Err)?;
        let removed = state.kept.remove(&target.to_lowercase());
        removed.map(drop).ok_or(ErrorCode::NOT_FOUND)
    }

    fn most_lasting(&self) -> Result<u32, ErrorCode> {
        let state = self.state();
        state.failure.map_or(Ok(()), Err)?;
        Ok(if state.is_session_only { 1 } else { 3 })
    }
}
