//! The start of a message between client and daemon: magic, version, word and length.

use crate::protocol::{Error, LIMIT};
use crate::secret::Buffer;

/// Goes up with every change that an older program would read wrongly.
pub const VERSION: u8 = 1;
/// Magic, version, word, two zero bytes, length of the lines (little endian).
pub const HEADER: usize = 12;
const MAGIC: &[u8; 4] = b"gcpt";
/// The limit of a request: git's own lines, and lines of ours. git's `url` becomes two lines.
pub const REQUEST_LIMIT: usize = LIMIT + 1024;
/// The limit of an answer: a list of very many entries.
pub const ANSWER_LIMIT: usize = 64 * 1024 * 1024;

/// A request of a client, or the result in the daemon's answer, with its code on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Word {
    Get = 1,
    Store = 2,
    Erase = 3,
    List = 4,
    Clear = 5,
    Status = 6,
    /// Understood from every version, so that a newer program can replace an older daemon.
    Stop = 7,
    SetExpiry = 8,
    /// Answer: done; the lines hold the result.
    Done = 128,
    /// Answer: the request could not be read.
    Refused = 129,
    /// Answer: the request is of another version.
    OtherVersion = 130,
    /// Answer: too many requests at once; ask later.
    Busy = 131,
}

impl Word {
    const ALL: [Self; 12] = [
        Self::Get,
        Self::Store,
        Self::Erase,
        Self::List,
        Self::Clear,
        Self::Status,
        Self::Stop,
        Self::SetExpiry,
        Self::Done,
        Self::Refused,
        Self::OtherVersion,
        Self::Busy,
    ];
}

/// The start of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// `None`: the message is of another version.
    pub word: Option<Word>,
    /// How many bytes follow.
    pub length: usize,
}

impl Header {
    /// Reads one; `None` if it is none of ours, or announces more than `limit`.
    pub fn parse(bytes: &[u8; HEADER], limit: usize) -> Option<Self> {
        let [m0, m1, m2, m3, version, code, 0, 0, l0, l1, l2, l3] = *bytes else {
            return None;
        };
        let length = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).ok()?;
        if [m0, m1, m2, m3] != *MAGIC || length > limit {
            return None;
        }
        let word = Word::ALL.into_iter().find(|word| *word as u8 == code);
        if version == VERSION || word == Some(Word::Stop) {
            Some(Self {
                word: Some(word?),
                length,
            })
        } else {
            Some(Self { word: None, length })
        }
    }
}

/// Composes a whole message; `lines` adds what follows the header.
pub fn compose(
    word: Word,
    lines: impl FnOnce(&mut Buffer) -> Result<(), Error>,
) -> Result<Buffer, Error> {
    let mut message = Buffer::with_capacity(512);
    message.push(&[
        MAGIC[0], MAGIC[1], MAGIC[2], MAGIC[3], VERSION, word as u8, 0, 0, 0, 0, 0, 0,
    ]);
    lines(&mut message)?;
    let length = message.as_slice().len() - HEADER;
    let length = u32::try_from(length).map_err(|_| Error::TooLarge)?;
    message.overwrite(HEADER - 4, &length.to_le_bytes());
    Ok(message)
}

/// Composes a message that is a word alone.
pub fn compose_word(word: Word) -> Result<Buffer, Error> {
    compose(word, |_| Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(bytes: &[u8]) -> Option<Header> {
        Header::parse(bytes[..HEADER].try_into().unwrap(), 4096)
    }

    #[test]
    fn headers_that_are_not_ours() {
        let good = compose_word(Word::Get).unwrap().as_slice().to_vec();
        let with = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            header(&bytes)
        };
        assert!(header(&good).is_some());
        assert_eq!(with(0, b'x'), None);
        assert_eq!(with(5, 99), None, "unknown word");
        assert_eq!(
            with(6, 1),
            None,
            "what a later version may mean by it is not known"
        );
        assert_eq!(with(11, 255), None, "length");
        assert_eq!(
            with(4, VERSION + 1),
            Some(Header {
                word: None,
                length: 0
            })
        );
    }

    #[test]
    fn stop_is_understood_from_every_version() {
        let mut bytes = compose_word(Word::Stop).unwrap().as_slice().to_vec();
        bytes[4] = VERSION.wrapping_add(1);
        assert_eq!(header(&bytes).unwrap().word, Some(Word::Stop));
    }
}
