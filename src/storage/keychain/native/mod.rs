//! The keychain of this system.

#[cfg(not(any(windows, unix)))]
mod absent;
#[cfg(any(windows, test))]
pub(super) mod credential_manager;
#[cfg(any(target_os = "macos", test))]
mod internet_passwords;
#[cfg(all(unix, not(target_os = "macos")))]
mod secret_service;

#[cfg(not(any(windows, unix)))]
pub(super) use self::absent::{TEXTS, is_running, open};
#[cfg(windows)]
pub(super) use self::credential_manager::{failure::TEXTS, is_running, open};
#[cfg(target_os = "macos")]
pub(super) use self::internet_passwords::{failure::TEXTS, is_running, open};
#[cfg(all(unix, not(target_os = "macos")))]
pub(super) use self::secret_service::{failure::TEXTS, is_running, open};
