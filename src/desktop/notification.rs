//! A desktop notification, and why it was not shown.

use std::time::Duration;

/// For all calls together. The first one may have to start the notification service, and on Windows PowerShell, which is slow.
pub(super) const LIMIT: Duration = Duration::from_secs(if cfg!(windows) { 20 } else { 5 });

/// One notification, in plain text without control characters.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Notification {
    /// One line.
    pub(crate) summary: String,
    pub(crate) body: String,
}

/// Why a notification was not shown. Some systems have only some of the reasons.
#[allow(dead_code)]
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotifyError {
    #[error("no desktop answers: there is no session bus")]
    NoBus,
    #[error("the session bus belongs to another user")]
    ForeignBus,
    #[error("no notification service is on the session bus")]
    NoService,
    #[error("the notification service did not answer within {} seconds", LIMIT.as_secs())]
    Silent,
    /// The name of the error. Its text is left out: it may repeat the request.
    #[error("the notification service answered {0}")]
    Refused(String),
    /// The name of the program that shows notifications.
    #[error("cannot start {0}, which shows notifications")]
    NotStarted(&'static str),
}

impl NotifyError {
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoBus => Some(
                "run it in your desktop session; in cron, set DBUS_SESSION_BUS_ADDRESS to the address of that session",
            ),
            Self::ForeignBus => Some("run 'unset DBUS_SESSION_BUS_ADDRESS' in this shell"),
            Self::NoService => Some("start one, such as the one of your desktop, dunst or mako"),
            Self::Silent | Self::Refused(_) | Self::NotStarted(_) => None,
        }
    }
}
