//! Notifications over D-Bus (Desktop Notifications Specification 1.2, `org.freedesktop.Notifications`).

use dbus::arg::{PropMap, Variant};
use dbus::blocking::Connection;

use super::bus::{self, BusError};
use super::notification::{LIMIT, Notification, NotifyError};

const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";
/// From the Icon Naming Specification, which every desktop has.
const ICON: &str = "dialog-warning";
/// The urgency "normal". A critical one would stay in front of everything.
const URGENCY: u8 = 1;
/// The service decides how long a notification stays.
const NO_TIMEOUT: i32 = -1;

/// Sends the notifications to the service on the user's own bus.
pub(super) fn send(notifications: &[Notification]) -> Result<(), NotifyError> {
    let connection = Connection::from(bus::connect()?);
    let service = connection.with_proxy(NAME, PATH, LIMIT);
    for Notification { summary, body } in notifications {
        let mut hints = PropMap::new();
        hints.insert("urgency".to_owned(), Variant(Box::new(URGENCY)));
        let replaced = 0_u32;
        let actions: &[&str] = &[];
        let _: (u32,) = service.method_call(
            NAME,
            "Notify",
            (
                "git-credential-pat",
                replaced,
                ICON,
                &summary[..],
                escaped(body),
                actions,
                hints,
                NO_TIMEOUT,
            ),
        )?;
    }
    Ok(())
}

/// Escapes a body, which may hold markup. A summary never does.
fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;")
}

impl From<BusError> for NotifyError {
    fn from(error: BusError) -> Self {
        match error {
            BusError::Absent | BusError::Closed => Self::NoBus,
            BusError::Foreign => Self::ForeignBus,
            BusError::Library(error) => error.into(),
        }
    }
}

impl From<dbus::Error> for NotifyError {
    fn from(error: dbus::Error) -> Self {
        let name = error.name().unwrap_or("no reply");
        match name.strip_prefix("org.freedesktop.DBus.Error.") {
            Some("ServiceUnknown" | "NameHasNoOwner" | "Spawn.ServiceNotFound") => Self::NoService,
            Some("NoReply" | "Timeout" | "TimedOut" | "Disconnected") => Self::Silent,
            _ => Self::Refused(name.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_escaped() {
        assert_eq!(escaped("a & <b> &lt;"), "a &amp; &lt;b&gt; &amp;lt;");
    }
}
