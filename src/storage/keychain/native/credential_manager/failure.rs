//! The errors of the Credential Manager, what they tell a user, and the limits that are checked before a call.

use super::generic::{ErrorCode, GenericCredential};
use super::target::ItemOwner;
#[cfg(windows)]
use crate::storage::keychain::failure::StoreTexts;
use crate::storage::keychain::items::ItemResult;
use crate::storage::{Advice, Lack};

const ELSEWHERE: &str = "choose another storage with '--storage'";
/// A network logon (SSH), a service, or a policy that forbids to store passwords.
const NO_SESSION: &str = "over SSH and in services Windows gives no access to it: choose another storage with '--storage'";
#[cfg(windows)]
const RESTART: &str = "sign in to Windows again, or choose another storage with '--storage'";
#[cfg(windows)]
const SILENT: (&str, &str) = ("the Credential Manager does not answer", RESTART);
#[cfg(windows)]
const LOCKED: (&str, &str) = ("the Credential Manager is locked", RESTART);

#[cfg(windows)]
pub(crate) const TEXTS: StoreTexts = StoreTexts {
    opened: "opened the Credential Manager",
    not_opened: "cannot open the Credential Manager",
    locked: LOCKED,
    still_locked: LOCKED,
    silent: SILENT,
    cut_off: SILENT,
};

/// `CRED_MAX_CREDENTIAL_BLOB_SIZE`, in bytes: 5 × 512. Old headers have 512.
const LONGEST_BLOB: usize = 2560;
/// `CRED_MAX_USERNAME_LENGTH` and `CRED_MAX_GENERIC_TARGET_NAME_LENGTH`, in UTF-16 units.
const LONGEST_USER: usize = 513;
const LONGEST_TARGET: usize = 32_767;

impl From<ErrorCode> for keyring::Error {
    /// Only the number counts: texts change with the language of the system.
    fn from(code: ErrorCode) -> Self {
        match code {
            ErrorCode::NOT_FOUND => Self::NoEntry,
            ErrorCode::NO_SESSION => unavailable(
                "the Credential Manager cannot be used in this session",
                NO_SESSION,
            ),
            ErrorCode::TOO_LONG => {
                unavailable("the entry is longer than Windows allows", ELSEWHERE)
            }
            ErrorCode::FULL => failed(
                "the Credential Manager is full",
                "remove entries that you do not need: 'cmdkey /list' shows them",
            ),
            ErrorCode(number) => failed(
                &format!("the Credential Manager failed with error {number}"),
                ELSEWHERE,
            ),
        }
    }
}

/// Another storage can keep the entry.
fn unavailable(message: &str, hint: &str) -> keyring::Error {
    keyring::Error::NoStorageAccess(Box::new(Advice::new(message, hint, Lack::Use)))
}

fn failed(message: &str, hint: &str) -> keyring::Error {
    keyring::Error::PlatformFailure(Advice::new(message, hint, Lack::Use).into())
}

/// Nothing that is written in this session outlives it.
pub(super) fn not_lasting() -> keyring::Error {
    unavailable(
        "the Credential Manager keeps nothing in this session",
        NO_SESSION,
    )
}

/// The names that the item could have belong to other users or programs. The message has no name: a user may be a token.
pub(super) fn occupied() -> keyring::Error {
    failed(
        "another entry has the name that Windows would give to this one",
        "'cmdkey /list' shows it, and 'cmdkey /delete:NAME' removes it",
    )
}

pub(super) fn not_text() -> keyring::Error {
    failed(
        "the Credential Manager holds only text, and the entry is not valid UTF-8",
        ELSEWHERE,
    )
}

/// Fails if Windows would not take the credential. Its own error names no limit.
pub(super) fn check_limits(credential: &GenericCredential, owner: ItemOwner) -> ItemResult<()> {
    let units = |text: &str| text.encode_utf16().count();
    let user = credential.user.as_deref().unwrap_or_default();
    let bytes = credential.blob.len();
    let secret = match owner {
        ItemOwner::Git => ("secret", bytes / 2, LONGEST_BLOB / 2, "characters"),
        _ => ("secret", bytes, LONGEST_BLOB, "bytes"),
    };
    let measured = [
        secret,
        ("username", units(user), LONGEST_USER, "characters"),
        (
            "name",
            units(&credential.target),
            LONGEST_TARGET,
            "characters",
        ),
    ];
    for (part, size, most, unit) in measured {
        if size > most {
            let message = format!("the {part} has {size} {unit}, and Windows keeps at most {most}");
            return Err(unavailable(&message, ELSEWHERE));
        }
    }
    Ok(())
}
