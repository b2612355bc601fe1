//! git's attribute lines: on the pipe, on the daemon's socket, in the plaintext file and in keychain items.
//!
//! Each line is `key=value` and a line feed. A blank line or the end of input follows the last one (git-credential(1),
//! INPUT/OUTPUT FORMAT).

pub mod read;
pub mod write;

/// The largest request, in bytes. A server's headers arrive as `wwwauth[]`, so an attacker may choose the content.
pub const LIMIT: usize = 1024 * 1024;

/// An operation of git (gitcredentials(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Asks for a credential.
    Get,
    /// Confirms a credential.
    Store,
    /// Rejects a credential.
    Erase,
    /// Asks for the helper's capabilities (git 2.46).
    Capability,
}

impl Operation {
    /// Reads git's word. Any other word belongs to a later git and must be ignored.
    pub fn from_word(word: &[u8]) -> Option<Self> {
        match word {
            b"get" => Some(Self::Get),
            b"store" => Some(Self::Store),
            b"erase" => Some(Self::Erase),
            b"capability" => Some(Self::Capability),
            _ => None,
        }
    }
}

/// git's capabilities (git-credential(1), CAPABILITIES).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// git understands `authtype` and `credential`.
    pub authtype: bool,
    /// git returns `state[]` and understands `continue`.
    pub state: bool,
}

/// The reason why a request or an entry is invalid. Names the line (from 1) and the attribute, never a value.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read the request")]
    Read(#[source] std::io::Error),
    #[error("the request is larger than {LIMIT} bytes")]
    TooLarge,
    #[error("the request did not end in time")]
    TooSlow,
    #[error("line {line} of the request has no '=' ({length} bytes)")]
    NoSeparator { line: usize, length: usize },
    /// NUL anywhere, or a carriage return that is not before a line feed.
    #[error("line {line} of the request holds a character that no attribute may hold")]
    Control { line: usize },
    /// git never repeats an attribute with one value.
    #[error("line {line} of the request repeats {key}")]
    Repeated { line: usize, key: &'static str },
    #[error("line {line} of the request: {key} is not well-formed")]
    Malformed { line: usize, key: &'static str },
    #[error("the request's url disagrees with its {key}")]
    Disagrees { key: &'static str },
    /// A request without protocol or host would match every entry.
    #[error("the request names no {key}")]
    Missing { key: &'static str },
    /// A stored value with a line end or a NUL would become another attribute.
    #[error("{key} holds a character that cannot be written")]
    Unwritable { key: &'static str },
}
