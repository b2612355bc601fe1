//! The program behind the keyring service: the effects of some calls depend on it.

use super::calls::ServiceCalls;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    /// A search never prompts.
    GnomeKeyring,
    /// Without an open database, a search asks for the password and answers after that. Each prompt may show a dialog,
    /// depending on settings that no client can read.
    KeePassXc,
    /// A wallet that PAM or another client has opened counts as locked until the prompt of `Unlock` runs, which then shows no
    /// dialog. Holds the path of the object for wallets.
    KWallet(&'static str),
    Other,
}

/// The second name of each program on the bus.
const NAMES: [(&str, Program); 4] = [
    ("org.gnome.keyring", Program::GnomeKeyring),
    ("org.keepassxc.KeePassXC.MainWindow", Program::KeePassXc),
    ("org.kde.kwalletd6", Program::KWallet("/modules/kwalletd6")),
    ("org.kde.kwalletd5", Program::KWallet("/modules/kwalletd5")),
];

pub(super) fn of(calls: &ServiceCalls) -> Program {
    for (name, program) in NAMES {
        if calls.is_also(name) {
            return program;
        }
    }
    Program::Other
}
