//! Password items as the system itself keeps them, seen through one narrow trait.

use zeroize::Zeroizing;

/// A result code of Keychain Services (Security framework, `SecBase.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OsStatus(pub(super) i32);

pub(super) type RawResult<T> = Result<T, OsStatus>;

/// The attributes that identify an item. git-credential-osxkeychain names all of them but the security domain.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum PasswordFields {
    /// An internet password: items of git, docker and browsers.
    Internet {
        server: String,
        /// 0: none.
        port: u16,
        /// Empty: none.
        path: String,
        /// Empty: none.
        account: String,
        /// Four characters, such as `htps`.
        protocol: String,
        /// Four characters, such as `dflt`.
        authentication: String,
        /// git's items have none.
        domain: String,
    },
    /// A generic password: items of gh and Git Credential Manager, and our own that git's helper must not see.
    Generic {
        service: String,
        /// Empty: none.
        account: String,
    },
}

/// A search. An attribute that it leaves out matches anything.
#[derive(Clone, Copy)]
pub(super) enum PasswordQuery<'a> {
    /// Internet passwords with the authentication type `dflt`.
    Internet {
        server: Option<&'a str>,
    },
    Generic {
        service: Option<&'a str>,
    },
}

/// An item without its secret.
pub(super) struct PasswordItem {
    /// The system's persistent reference.
    pub(super) reference: Vec<u8>,
    pub(super) fields: PasswordFields,
    pub(super) label: String,
    /// In Unix seconds.
    pub(super) modified: u64,
    /// In Unix seconds.
    pub(super) created: u64,
}

/// The user's keychains. Each method is one call to the system, which may show a prompt if prompts are allowed.
pub(super) trait PasswordItems: Send {
    /// Finds all items that match. Reads no secret: the system refuses to return those of several items.
    fn list(&self, query: PasswordQuery<'_>) -> RawResult<Vec<PasswordItem>>;

    fn secret(&self, item: &PasswordItem) -> RawResult<Zeroizing<Vec<u8>>>;

    /// Adds an item to the default keychain, with every attribute of `fields`.
    fn add(&self, fields: &PasswordFields, label: &str, secret: &[u8]) -> RawResult<()>;

    /// Changes the secret of this one item.
    fn update(&self, item: &PasswordItem, secret: &[u8]) -> RawResult<()>;

    fn delete(&self, item: &PasswordItem) -> RawResult<()>;

    /// Whether the default keychain is unlocked.
    fn is_unlocked(&self) -> RawResult<bool>;
}

/// The bits of a port as git's helper passes them: a signed number of 16 bits.
pub(super) fn signed(port: u16) -> i16 {
    i16::from_ne_bytes(port.to_ne_bytes())
}

/// Reads a port. The system returns one over 32767 as a negative number or with high bits set.
pub(super) fn unsigned(number: i64) -> u16 {
    let [low, high, ..] = number.to_le_bytes();
    u16::from_le_bytes([low, high])
}
