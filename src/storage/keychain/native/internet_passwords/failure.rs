//! The status codes of the keychain, and what they tell a user. Only the number counts: Apple changes the texts.

use super::raw::{OsStatus, PasswordFields};
#[cfg(target_os = "macos")]
use crate::storage::keychain::failure::StoreTexts;
use crate::storage::{Advice, Lack};

const ELSEWHERE: &str = "choose another storage with '--storage'";
const LOCKED: (&str, &str) = (
    "the keychain is locked for this session, or an item needs your permission",
    "run 'security unlock-keychain' in this session, or run the command in a window of the desktop",
);
#[cfg(target_os = "macos")]
const SILENT: (&str, &str) = ("the keychain does not answer", ELSEWHERE);

#[cfg(target_os = "macos")]
pub(crate) const TEXTS: StoreTexts = StoreTexts {
    opened: "opened the keychain",
    not_opened: "cannot open the keychain",
    locked: LOCKED,
    still_locked: NOT_ALLOWED,
    silent: SILENT,
    cut_off: SILENT,
};

const NOT_ALLOWED: (&str, &str) = (
    "the access to the keychain was not allowed",
    "run the command again, and allow it",
);

/// An item with this key exists, or another process adds it now.
pub(super) const DUPLICATE: OsStatus = OsStatus(-25299);
pub(super) const NOT_FOUND: OsStatus = OsStatus(-25300);
/// The user pressed "Deny" or "Cancel".
pub(super) const CANCELED: OsStatus = OsStatus(-128);
/// The keychain is locked, or an item asks for permission, and this session may show no window.
pub(super) const NO_INTERACTION: OsStatus = OsStatus(-25308);
/// The item or the keychain denies access.
pub(super) const DENIED: OsStatus = OsStatus(-25293);

/// Returns the error for `status` of a call about `item`, or about all of them.
pub(super) fn error(status: OsStatus, item: Option<&PasswordFields>) -> keyring::Error {
    let (message, hint, lack) = match status.0 {
        -25300 => return keyring::Error::NoEntry,
        -25308 | -25315 => (LOCKED.0.to_owned(), LOCKED.1, Lack::Locked),
        -25293 => (
            format!(
                "the keychain denies access to {}",
                item.map_or_else(|| "its items".to_owned(), name)
            ),
            "in Keychain Access, allow git-credential-pat under the item's access control, or remove the item",
            Lack::Locked,
        ),
        -128 => (NOT_ALLOWED.0.to_owned(), NOT_ALLOWED.1, Lack::Locked),
        // No such keychain, invalid, no default one, not available; a sandbox adds EPERM or EACCES to 100000.
        -25294 | -25295 | -25307 | -25291 | 100_001 | 100_013 => (
            format!("the keychain is not available here (status {})", status.0),
            "check the login keychain in Keychain Access, or choose another storage with '--storage'",
            Lack::Use,
        ),
        -25292 | -61 => ("the keychain is read-only".to_owned(), ELSEWHERE, Lack::Use),
        other => {
            let message = format!("the keychain failed with status {other}");
            let hint = "run 'security error' with that number for its meaning";
            return keyring::Error::PlatformFailure(Advice::new(message, hint, Lack::Use).into());
        }
    };
    keyring::Error::NoStorageAccess(Box::new(Advice::new(message, hint, lack)))
}

/// An item of another program has the place of ours.
pub(super) fn occupied(item: &PasswordFields) -> keyring::Error {
    let message = format!("another program keeps {} in the keychain", name(item));
    let hint = "remove it in Keychain Access, or choose another storage with '--storage'";
    keyring::Error::NoStorageAccess(Box::new(Advice::new(message, hint, Lack::Use)))
}

/// The credential has no form as an item that git's helper could read.
pub(super) fn unsupported() -> keyring::Error {
    let message = "the keychain holds only credentials of web, mail and file transfer servers";
    let hint = "choose another storage with '--storage'";
    keyring::Error::NoStorageAccess(Box::new(Advice::new(message, hint, Lack::Use)))
}

/// The item without its account, which may be a token.
fn name(item: &PasswordFields) -> String {
    let name = match item {
        PasswordFields::Internet { server, .. } => server,
        PasswordFields::Generic { service, .. } => service,
    };
    if name.chars().all(|letter| letter.is_ascii_graphic()) {
        format!("the item '{name}'")
    } else {
        "an item".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item() -> PasswordFields {
        PasswordFields::Generic {
            service: "gh:one.test".to_owned(),
            account: "made-up-token".to_owned(),
        }
    }

    fn advice(status: i32) -> Advice {
        match error(OsStatus(status), Some(&item())) {
            keyring::Error::NoStorageAccess(cause) => *cause.downcast::<Advice>().unwrap(),
            other => panic!("{status}: {other}"),
        }
    }

    #[test]
    fn each_number_has_its_meaning() {
        for (status, lack) in [
            (-25308, Lack::Locked),
            (-25315, Lack::Locked),
            (-25293, Lack::Locked),
            (-128, Lack::Locked),
            (-25294, Lack::Use),
            (-25295, Lack::Use),
            (-25307, Lack::Use),
            (-25291, Lack::Use),
            (100_001, Lack::Use),
            (100_013, Lack::Use),
            (-25292, Lack::Use),
            (-61, Lack::Use),
        ] {
            assert_eq!(advice(status).lack, lack, "{status}");
        }
        let none = error(NOT_FOUND, None);
        assert!(matches!(none, keyring::Error::NoEntry));
        for status in [-50, -34018, 1] {
            let other = error(OsStatus(status), None);
            let keyring::Error::PlatformFailure(cause) = other else {
                panic!("{status}");
            };
            assert!(cause.to_string().contains(&status.to_string()));
        }
    }

    #[test]
    fn a_locked_session_is_told_how_to_unlock_the_keychain() {
        let advice = advice(NO_INTERACTION.0);
        assert!(advice.message.contains("locked for this session"));
        assert!(advice.hint.contains("security unlock-keychain"));
    }

    #[test]
    fn a_denial_names_the_item_and_not_its_account() {
        let message = advice(DENIED.0).message;
        assert!(message.contains("gh:one.test"), "{message}");
        assert!(!message.contains("made-up-token"), "{message}");
        let strange = PasswordFields::Generic {
            service: "a\x1b[2Jb".to_owned(),
            account: String::new(),
        };
        assert!(!error(DENIED, Some(&strange)).to_string().contains('\x1b'));
    }
}
