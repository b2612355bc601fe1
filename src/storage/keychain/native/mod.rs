//! The keychain of this system.

#[cfg(not(all(unix, not(target_os = "macos"))))]
mod absent;
#[cfg(all(unix, not(target_os = "macos")))]
mod secret_service;

#[cfg(not(all(unix, not(target_os = "macos"))))]
pub(super) use self::absent::{is_running, open};
#[cfg(all(unix, not(target_os = "macos")))]
pub(super) use self::secret_service::{is_running, open};
