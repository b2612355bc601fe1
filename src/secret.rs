//! Values that must not be seen: a secret, and a buffer that secrets pass through.

use std::fmt;
use std::io::{self, Read, Write};

use secrecy::{ExposeSecret, SecretBox};
use subtle::ConstantTimeEq;

use crate::platform::arena::Locked;

/// A password, token or refresh token: bytes, not text, since git passes bytes.
///
/// Lies in the locked arena, is wiped when dropped, prints as `[REDACTED]`, and is not cloned by accident.
pub struct Secret(SecretBox<Locked>);

impl Secret {
    /// Copies `bytes` in; wiping the source is the caller's affair.
    pub fn new(bytes: &[u8]) -> Self {
        let mut kept = Locked::new(bytes.len());
        kept.copy_from_slice(bytes);
        Self(SecretBox::new(Box::new(kept)))
    }

    /// The bytes themselves. Each call is a place where a secret could get out.
    pub fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// Whether `text` contains it. Every text contains an empty one.
    pub fn is_in(&self, text: &[u8]) -> bool {
        let secret = self.expose();
        secret.is_empty() || text.windows(secret.len()).any(|part| part == secret)
    }

    /// A second copy, named so that it is seen.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self::new(self.expose())
    }
}

/// Compares in a time that depends only on the lengths.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose().ct_eq(other.expose()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

/// Bytes on their way in or out, in the locked arena; what is outgrown is wiped.
pub struct Buffer {
    bytes: Locked,
    len: usize,
}

impl Buffer {
    /// An empty buffer with room for `capacity` bytes before it must move.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            bytes: Locked::new(capacity.max(1)),
            len: 0,
        }
    }

    /// What has been written so far.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Appends.
    pub fn push(&mut self, more: &[u8]) {
        self.reserve(more.len());
        self.bytes[self.len..self.len + more.len()].copy_from_slice(more);
        self.len += more.len();
    }

    /// Puts `bytes` in the place of as many that are there from `at` on.
    ///
    /// # Panics
    /// If fewer are there.
    pub fn overwrite(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[..self.len][at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Forgets all but the first `len` bytes, and wipes what it forgets.
    pub fn truncate(&mut self, len: usize) {
        if len < self.len {
            self.bytes[len..self.len].fill(0);
            self.len = len;
        }
    }

    /// Makes room for `more` bytes.
    pub fn reserve(&mut self, more: usize) {
        let wanted = self.len + more;
        if wanted > self.bytes.len() {
            let mut larger = Locked::new(wanted.max(self.bytes.len() * 2));
            larger[..self.len].copy_from_slice(self.as_slice());
            self.bytes = larger;
        }
    }

    /// Reads once, at most `most` bytes, straight into the locked memory; 0 at the end.
    pub fn read_from(&mut self, source: &mut dyn Read, most: usize) -> io::Result<usize> {
        if self.len == self.bytes.len() {
            self.reserve(self.bytes.len().min(most).max(1));
        }
        let end = self.bytes.len().min(self.len + most);
        let read = source.read(&mut self.bytes[self.len..end])?;
        self.len += read;
        Ok(read)
    }

    /// Reads to the end, at most `most` bytes in all: fails with `FileTooLarge` if there are more.
    pub fn read_to_end(&mut self, source: &mut dyn Read, most: usize) -> io::Result<()> {
        loop {
            match self.read_from(source, most + 1 - self.len) {
                Ok(0) => return Ok(()),
                Ok(_) if self.len > most => return Err(io::ErrorKind::FileTooLarge.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Write for Buffer {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        self.push(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} bytes)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_tells_nothing() {
        let secret = Secret::new(b"made-up-token");
        assert_eq!(format!("{secret:?}"), "[REDACTED]");
        let mut buffer = Buffer::with_capacity(4);
        buffer.push(b"made-up-token");
        assert_eq!(format!("{buffer:?}"), "Buffer(13 bytes)");
    }

    #[test]
    fn same_is_by_content_and_length() {
        assert_eq!(Secret::new(b"a\xFFb"), Secret::new(b"a\xFFb"));
        assert_ne!(Secret::new(b"a"), Secret::new(b"ab"));
        assert_ne!(Secret::new(b""), Secret::new(b"a"));
        assert_eq!(Secret::new(b"").duplicate(), Secret::new(b""));
    }

    #[test]
    fn a_buffer_grows_and_reads_in_pieces() {
        let long: Vec<u8> = (0..50_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let mut buffer = Buffer::with_capacity(16);
        let mut source = &long[..];
        while buffer.read_from(&mut source, 1000).unwrap() > 0 {}
        assert_eq!(buffer.as_slice(), &long[..]);
        buffer.truncate(3);
        assert_eq!(buffer.as_slice(), &long[..3]);
        buffer.push(b"end");
        assert_eq!(&buffer.as_slice()[3..], b"end");
    }

    #[test]
    fn a_read_never_takes_more_than_it_may() {
        let mut buffer = Buffer::with_capacity(64);
        assert_eq!(buffer.read_from(&mut &b"abcdef"[..], 2).unwrap(), 2);
        assert_eq!(buffer.as_slice(), b"ab");
    }
}
