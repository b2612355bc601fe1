//! Whether a keyring service runs already.

use std::time::Duration;

use dbus::blocking::Connection;

use super::bus;

/// Asks the bus, which answers by itself: a call to the service would start one.
pub(super) fn is_running(patience: Duration) -> bool {
    let Ok(channel) = bus::connect() else {
        return false;
    };
    let connection = Connection::from(channel);
    let bus = connection.with_proxy("org.freedesktop.DBus", "/org/freedesktop/DBus", patience);
    let answer: Result<(bool,), dbus::Error> = bus.method_call(
        "org.freedesktop.DBus",
        "NameHasOwner",
        ("org.freedesktop.secrets",),
    );
    answer.is_ok_and(|(is_running,)| is_running)
}
