//! A system whose keychain is not supported yet.

use std::sync::Arc;
use std::time::Duration;

use crate::storage::keychain::deadline::Prompts;
use crate::storage::keychain::failure::StoreTexts;
use crate::storage::keychain::items::{ItemResult, ItemStore};
use crate::storage::{Advice, Lack};

const ELSEWHERE: &str = "choose another storage with '--storage'";

pub(crate) const TEXTS: StoreTexts = StoreTexts {
    opened: "opened the keychain",
    not_opened: "there is no keychain for this system",
    locked: ("the keychain is locked", ELSEWHERE),
    still_locked: ("the keychain is still locked", ELSEWHERE),
    silent: ("the keychain does not answer", ELSEWHERE),
    cut_off: ("the keychain does not answer", ELSEWHERE),
};

pub(crate) fn open(_patience: Duration, _prompts: &Arc<Prompts>) -> ItemResult<Box<dyn ItemStore>> {
    let message = "there is no keychain for this system yet";
    let advice = Advice::new(message, ELSEWHERE, Lack::Absent);
    Err(keyring::Error::NoStorageAccess(Box::new(advice)))
}

pub(crate) fn is_running(_patience: Duration) -> bool {
    false
}
