//! The user's desktop: the session bus, notifications within a deadline, and the scheduler of daily commands.

#[cfg(all(unix, not(target_os = "macos")))]
pub(crate) mod bus;
#[cfg(all(unix, not(target_os = "macos")))]
mod freedesktop;
pub(crate) mod notification;
#[cfg(target_os = "macos")]
mod osascript;
pub(crate) mod scheduler;
#[cfg(windows)]
mod toast;

use std::sync::mpsc::channel;
use std::thread;

#[cfg(all(unix, not(target_os = "macos")))]
use self::freedesktop::send;
use self::notification::{LIMIT, Notification, NotifyError};
#[cfg(target_os = "macos")]
use self::osascript::send;
#[cfg(windows)]
use self::toast::send;

/// Shows the notifications, in their order. If one fails, the rest are not shown. A thread makes the calls, since a connection
/// to the bus may wait without limit; a thread that hangs ends with the process.
pub(crate) fn notify(notifications: Vec<Notification>) -> Result<(), NotifyError> {
    let (answer, answered) = channel();
    let started = thread::Builder::new()
        .name("notify".to_owned())
        .spawn(move || answer.send(send(&notifications)).is_ok());
    if started.is_err() {
        return Err(NotifyError::Silent);
    }
    answered
        .recv_timeout(LIMIT)
        .unwrap_or(Err(NotifyError::Silent))
}
