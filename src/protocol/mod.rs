//! git's attribute lines: the language on the pipe, on the daemon's socket, in the plaintext file and in keychain bodies.
//!
//! `key=value`, a line feed after each, a blank line or the end after the last (git-credential(1), INPUT/OUTPUT FORMAT).

pub mod read;
pub mod write;

/// The most that one request may hold. A server's headers come in as `wwwauth[]`, so the sender may be an attacker.
pub const LIMIT: usize = 1024 * 1024;

/// What git asks of a helper (gitcredentials(7)), and the question which capabilities it has (git 2.46).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Which credential fits?
    Get,
    /// This one was accepted.
    Store,
    /// This one was refused.
    Erase,
    /// Which capabilities are there?
    Capability,
}

impl Operation {
    /// By git's word for it; any other word is one of a later git, to be ignored.
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

/// What git says that it understands beyond names and passwords (git-credential(1), CAPABILITIES).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// `authtype` and `credential`.
    pub authtype: bool,
    /// `state[]` comes back, and `continue` is understood.
    pub state: bool,
}

/// Why a request, or an entry, was refused. Names the line and the attribute, never what they hold.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The pipe failed.
    #[error("cannot read the request")]
    Read(#[source] std::io::Error),
    /// More than [`LIMIT`].
    #[error("the request is larger than {LIMIT} bytes")]
    TooLarge,
    /// Nobody wrote on.
    #[error("the request did not end in time")]
    TooSlow,
    /// Not `key=value`.
    #[error("line {line} of the request has no '=' ({length} bytes)")]
    NoSeparator {
        /// From 1.
        line: usize,
        /// In bytes.
        length: usize,
    },
    /// NUL anywhere, or a carriage return elsewhere than before a line feed.
    #[error("line {line} of the request holds a character that no attribute may hold")]
    Control {
        /// From 1.
        line: usize,
    },
    /// An attribute that has one value came again: git never writes that.
    #[error("line {line} of the request repeats {key}")]
    Repeated {
        /// From 1.
        line: usize,
        /// The attribute.
        key: &'static str,
    },
    /// A value that the attribute cannot have.
    #[error("line {line} of the request: {key} is not well-formed")]
    Malformed {
        /// From 1.
        line: usize,
        /// The attribute.
        key: &'static str,
    },
    /// `url` says one thing, another attribute another.
    #[error("the request's url disagrees with its {key}")]
    Disagrees {
        /// The attribute.
        key: &'static str,
    },
    /// Protocol or host are not there: such a request would fit everything.
    #[error("the request names no {key}")]
    Missing {
        /// The attribute.
        key: &'static str,
    },
    /// Something kept holds a line end or a NUL, and would become another attribute if it were written.
    #[error("{key} holds a character that cannot be written")]
    Unwritable {
        /// The attribute.
        key: &'static str,
    },
}
