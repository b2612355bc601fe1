//! Which program the keyring service is: the interface alone does not tell the effect of a call.
#![cfg(all(unix, not(target_os = "macos")))]

use super::calls::ServiceCalls;

/// A program that is known to behave in a way of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    /// A search never prompts.
    GnomeKeyring,
    /// While no database is open, a search itself asks for the password, and answers when it has been given. Each prompt
    /// may show a dialog, depending on settings that no client can read.
    KeePassXc,
    /// A wallet that another client has opened, or PAM, counts as locked until the prompt of `Unlock` was run. That shows no
    /// dialog then. Holds the object that tells of wallets.
    KWallet(&'static str),
    /// Unknown.
    Other,
}

/// The name that each owns on the bus besides that of the service.
const NAMES: [(&str, Program); 4] = [
    ("org.gnome.keyring", Program::GnomeKeyring),
    ("org.keepassxc.KeePassXC.MainWindow", Program::KeePassXc),
    ("org.kde.kwalletd6", Program::KWallet("/modules/kwalletd6")),
    ("org.kde.kwalletd5", Program::KWallet("/modules/kwalletd5")),
];

/// The program that answers `calls`.
pub(super) fn of(calls: &ServiceCalls) -> Program {
    for (name, program) in NAMES {
        if calls.is_also(name) {
            return program;
        }
    }
    Program::Other
}
