//! The errors of calls to the keyring service, and what they tell a user.

use crate::desktop::bus::BusError;
use crate::storage::keychain::failure::StoreTexts;
use crate::storage::{Advice, Lack};

pub(crate) const TEXTS: StoreTexts = StoreTexts {
    opened: "connected to the keyring service",
    not_opened: "cannot connect to the keyring service",
    locked: (
        "the keyring is locked",
        "unlock it in the desktop's password manager, or sign in to the desktop again",
    ),
    still_locked: (
        "the keyring is still locked after its prompt",
        "run the command again, or unlock it in the desktop's password manager",
    ),
    silent: ("the keyring service does not answer", RESTART),
    cut_off: (
        "the session bus does not answer",
        "run 'unset DBUS_SESSION_BUS_ADDRESS' in this shell, or sign in to the desktop again",
    ),
};

const RESTART: &str = "restart it, or choose another storage with '--storage'";

pub(super) type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Error {
    /// There is no bus, no process listens at its socket, or no such service is on it.
    Absent,
    /// The bus belongs to another user, or does not let this user connect.
    ForeignBus,
    /// The bus closed the connection at once.
    ClosedBus,
    /// The service does not answer, or stopped meanwhile.
    Mute,
    Locked,
    /// The user did not agree at a prompt, or not in time.
    Declined,
    /// The service wants the user to confirm this access to an open keyring, and no prompt is allowed.
    Unconfirmed,
    /// There is no default collection.
    NoDefault,
    /// The object of the call no longer exists.
    NoObject,
    /// The answer has an unexpected form.
    Odd,
    /// The name of another error. Its text is left out: it may repeat the request.
    Refused(String),
}

impl From<dbus::Error> for Error {
    fn from(error: dbus::Error) -> Self {
        match error.name().unwrap_or_default() {
            "org.freedesktop.Secret.Error.IsLocked" => Self::Locked,
            "org.freedesktop.DBus.Error.NoServer"
            | "org.freedesktop.DBus.Error.FileNotFound"
            | "org.freedesktop.DBus.Error.ServiceUnknown"
            | "org.freedesktop.DBus.Error.NameHasNoOwner"
            | "org.freedesktop.DBus.Error.Spawn.ServiceNotFound" => Self::Absent,
            "org.freedesktop.DBus.Error.NoReply"
            | "org.freedesktop.DBus.Error.Timeout"
            | "org.freedesktop.DBus.Error.TimedOut"
            | "org.freedesktop.DBus.Error.Disconnected" => Self::Mute,
            name => Self::Refused(name.to_owned()),
        }
    }
}

impl From<BusError> for Error {
    fn from(error: BusError) -> Self {
        match error {
            BusError::Absent => Self::Absent,
            BusError::Foreign => Self::ForeignBus,
            BusError::Closed => Self::ClosedBus,
            BusError::Library(error) => error.into(),
        }
    }
}

impl Error {
    /// Replaces the error for an unknown service, object or method by `meaning`.
    pub(super) fn unknown_is(self, meaning: Self) -> Self {
        match self {
            Self::Refused(name)
                if matches!(
                    &name[..],
                    "org.freedesktop.Secret.Error.NoSuchObject"
                        | "org.freedesktop.DBus.Error.UnknownObject"
                        | "org.freedesktop.DBus.Error.UnknownInterface"
                        | "org.freedesktop.DBus.Error.UnknownMethod"
                ) =>
            {
                meaning
            }
            error => error,
        }
    }
}

impl From<Error> for keyring::Error {
    fn from(error: Error) -> Self {
        let (message, hint, lack) = match error {
            Error::NoObject => return Self::NoEntry,
            Error::Refused(name) => return refused(&name),
            Error::Unconfirmed => (
                "the keyring asks for confirmation, and no prompt is allowed here",
                "run the command in a desktop session, or switch the confirmation off in the password manager",
                Lack::Locked,
            ),
            Error::Declined => (
                "the access to the keyring was not confirmed",
                "run the command again, and confirm it",
                Lack::Locked,
            ),
            Error::Locked => (TEXTS.locked.0, TEXTS.locked.1, Lack::Locked),
            Error::NoDefault => (
                "the keyring service has no default keyring",
                "create one in the desktop's password manager, or open a database there that shows a group to clients",
                Lack::Absent,
            ),
            Error::Absent => (
                "no keyring service answers on the user's message bus",
                "start one, such as gnome-keyring, or choose another storage with '--storage'",
                Lack::Absent,
            ),
            Error::ForeignBus => (
                "the session bus belongs to another user",
                "run 'unset DBUS_SESSION_BUS_ADDRESS' in this shell, or choose another storage with '--storage'",
                Lack::OwnBus,
            ),
            Error::ClosedBus => (
                "the session bus closed the connection",
                "sign in to the desktop again, or choose another storage with '--storage'",
                Lack::Use,
            ),
            Error::Mute => (TEXTS.silent.0, TEXTS.silent.1, Lack::Use),
            Error::Odd => (
                "the keyring service gave an answer that does not read",
                RESTART,
                Lack::Use,
            ),
        };
        Self::NoStorageAccess(Box::new(Advice::new(message, hint, lack)))
    }
}

/// `name`: the error's name on the bus. With an error of the bus itself, the service never got the call.
fn refused(name: &str) -> keyring::Error {
    let is_of_bus = name.starts_with("org.freedesktop.DBus.Error.")
        && !name.ends_with(".InvalidArgs")
        && !name.ends_with(".Failed");
    let advice = |message: String| Advice::new(message, RESTART, Lack::Use);
    if is_of_bus {
        let message = format!("the keyring service cannot be asked: {name}");
        return keyring::Error::NoStorageAccess(Box::new(advice(message)));
    }
    let message = format!("the keyring service answered {name}");
    keyring::Error::PlatformFailure(advice(message).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_an_error_is_left_out() {
        for name in [
            "org.freedesktop.Secret.Error.IsLocked",
            "org.freedesktop.DBus.Error.NoReply",
            "org.freedesktop.DBus.Error.InvalidArgs",
            "org.freedesktop.DBus.Error.AccessDenied",
        ] {
            let error = Error::from(dbus::Error::new_custom(name, "made-up"));
            let failure = keyring::Error::from(error);
            assert!(!format!("{failure:?}").contains("made-up"), "{name}");
        }
    }
}
