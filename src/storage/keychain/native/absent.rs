//! A system whose keychain is not supported yet.

use std::sync::Arc;
use std::time::Duration;

use crate::storage::keychain::deadline::Prompts;
use crate::storage::keychain::items::{ItemResult, ItemStore};
use crate::storage::{Advice, Lack};

pub(crate) fn open(_patience: Duration, _prompts: &Arc<Prompts>) -> ItemResult<Box<dyn ItemStore>> {
    let message = "there is no keychain for this system yet";
    let hint = "choose another storage with '--storage'";
    let advice = Advice::new(message, hint, Lack::Absent);
    Err(keyring::Error::NoStorageAccess(Box::new(advice)))
}

pub(crate) fn is_running(_patience: Duration) -> bool {
    false
}
