//! Questions at the terminal. From the first to the last it shows nothing but what is meant to be seen: whatever is typed
//! before a question is there may be a token.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::termios::{SpecialCodeIndex, Termios};
use unicode_width::UnicodeWidthChar;

use super::monotonic_now;
use super::quiet::Quiet;
use crate::secret::Buffer;

/// Longer than any token.
const LONGEST: usize = 64 * 1024;
/// Longer than any name.
const LONGEST_SHOWN: usize = 1024;
const ESCAPE: u8 = 0x1b;
/// For how long at most what nobody asked for is thrown away.
const PATIENCE: Duration = Duration::from_secs(2);
/// As a shell has it for SIGHUP, SIGINT and SIGQUIT.
const HUNG_UP: u8 = 129;
const INTERRUPTED: u8 = 130;
const QUIT: u8 = 131;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody is there to be asked.
    #[error("there is no terminal to ask at")]
    NoTerminal(#[source] io::Error),
    /// More was typed than any answer has.
    #[error("this is far too long")]
    TooLong,
    /// The person thought better of it, or is gone: the exit status that tells so.
    #[error("interrupted")]
    Interrupted(u8),
}

/// Questions one after the other. Until it is dropped the terminal shows nothing by itself; then it is as it was, and what
/// was typed and not read is gone. A signal that ends the program puts it back as well. It cannot be suspended by Ctrl-Z.
pub struct Dialogue {
    quiet: Quiet,
    keys: Keys,
}

impl Dialogue {
    /// At the terminal of the session; without one at standard input, if that is a terminal.
    pub fn open() -> Result<Self, Error> {
        let mut options = OpenOptions::new();
        let terminal = options
            .read(true)
            .write(true)
            .open("/dev/tty")
            .or_else(|cause| {
                let input = io::stdin();
                if input.is_terminal() {
                    Ok(File::from(input.as_fd().try_clone_to_owned()?))
                } else {
                    Err(cause)
                }
            });
        let quiet = terminal.and_then(Quiet::new).map_err(Error::NoTerminal)?;
        let keys = Keys::of(quiet.before());
        Ok(Self { quiet, keys })
    }

    /// Asks, and reads a line into locked memory. What was typed before counts.
    pub fn hidden_line(&mut self, question: &str) -> Result<Buffer, Error> {
        self.line(question, Hidden(Buffer::with_capacity(LONGEST)))
            .map(|line| line.0)
    }

    /// Asks, and reads a line that is shown as it is typed; of other characters than `may_show` takes nothing is. What was
    /// typed before the question was there is thrown away: it was not meant for it.
    pub fn line_shown(
        &mut self,
        question: &str,
        may_show: fn(char) -> bool,
    ) -> Result<String, Error> {
        self.drain();
        let line = Shown {
            text: String::new(),
            begun: Vec::new(),
            may_show,
        };
        self.line(question, line).map(|line| line.text)
    }

    fn line<L: Line>(&mut self, question: &str, mut line: L) -> Result<L, Error> {
        // Whoever has hung up is not asked.
        let gone = |_| Error::Interrupted(HUNG_UP);
        self.quiet.ask(true).map_err(gone)?;
        let mut terminal = self.quiet.terminal();
        let mut byte = Buffer::with_capacity(1);
        let mut place = Place::Text;
        terminal.write_all(question.as_bytes()).map_err(gone)?;
        let outcome = loop {
            byte.truncate(0);
            match byte.read_from(&mut terminal, 1) {
                Ok(0) => break Err(Error::Interrupted(HUNG_UP)),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    let again = format!("\r\n{question}{}", line.shown());
                    terminal.write_all(again.as_bytes()).map_err(gone)?;
                    continue;
                }
                Err(_) => break Err(Error::Interrupted(HUNG_UP)),
            }
            let Some(key) = place.key(byte.as_slice()[0], &self.keys) else {
                continue;
            };
            let mut echo = String::new();
            match key {
                Key::Enter => break Ok(line),
                Key::Stop(status) => break Err(Error::Interrupted(status)),
                Key::End if line.is_empty() => break Err(Error::Interrupted(INTERRUPTED)),
                Key::End => {}
                Key::Back => line.back(&mut echo),
                Key::Kill => {
                    while !line.is_empty() {
                        line.back(&mut echo);
                    }
                }
                Key::Text => {
                    if !line.push(byte.as_slice(), &mut echo) {
                        break Err(Error::TooLong);
                    }
                }
            }
            terminal.write_all(echo.as_bytes()).map_err(gone)?;
        };
        let _ = terminal.write_all(b"\n");
        let _ = self.quiet.ask(false);
        outcome
    }

    fn drain(&self) {
        let until = monotonic_now().saturating_add(PATIENCE);
        let mut taken = Buffer::with_capacity(4096);
        self.quiet.drain(|mut terminal| {
            taken.truncate(0);
            let is_more = match taken.read_from(&mut terminal, 4096) {
                Ok(read) => read > 0,
                Err(error) => error.kind() == io::ErrorKind::Interrupted,
            };
            is_more && monotonic_now() < until
        });
    }
}

impl Drop for Dialogue {
    fn drop(&mut self) {
        self.drain();
    }
}

/// The keys that mean something, as the person has them.
struct Keys {
    interrupt: [u8; 2],
    quit: [u8; 2],
    end: [u8; 2],
    suspend: [u8; 2],
    back: [u8; 3],
    kill: [u8; 2],
}

impl Keys {
    fn of(before: &Termios) -> Self {
        // A key that is a letter, as on teleprinters, would be missing in tokens.
        let set = |code, usual: u8| {
            let key = before.special_codes[code];
            let is_key = matches!(key, 1..=0x1f | 0x7f) && !b"\r\n\x1b".contains(&key);
            if is_key { key } else { usual }
        };
        Self {
            interrupt: [0x03, set(SpecialCodeIndex::VINTR, 0x03)],
            quit: [0x1c, set(SpecialCodeIndex::VQUIT, 0x1c)],
            end: [0x04, set(SpecialCodeIndex::VEOF, 0x04)],
            suspend: [0x1a, set(SpecialCodeIndex::VSUSP, 0x1a)],
            back: [0x08, 0x7f, set(SpecialCodeIndex::VERASE, 0x7f)],
            kill: [0x15, set(SpecialCodeIndex::VKILL, 0x15)],
        }
    }
}

enum Key {
    Enter,
    Stop(u8),
    End,
    Back,
    Kill,
    Text,
}

/// Where in what a terminal sends the next byte stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Text,
    /// After ESC.
    Escape,
    /// In what an arrow key sends, or in the marks around a bracketed paste (ECMA-48, 5.4; xterm, Bracketed Paste Mode).
    Sequence,
    /// In what F1 and, after `tput smkx`, an arrow key sends: one byte more.
    Single,
}

impl Place {
    /// What the byte means; `None`: nothing.
    fn key(&mut self, byte: u8, keys: &Keys) -> Option<Key> {
        *self = match (*self, byte) {
            (_, ESCAPE) => Self::Escape,
            (Self::Escape, b'[') => Self::Sequence,
            (Self::Escape, b'O') => Self::Single,
            (Self::Sequence, 0x20..=0x3f) => return None,
            (Self::Sequence, 0x40..=0x7e) | (Self::Single, 0x20..=0x7e) => {
                *self = Self::Text;
                return None;
            }
            _ => Self::Text,
        };
        if *self != Self::Text {
            return None;
        }
        Some(match byte {
            b'\r' | b'\n' => Key::Enter,
            _ if keys.interrupt.contains(&byte) => Key::Stop(INTERRUPTED),
            _ if keys.quit.contains(&byte) => Key::Stop(QUIT),
            _ if keys.end.contains(&byte) => Key::End,
            _ if keys.suspend.contains(&byte) => return None,
            _ if keys.back.contains(&byte) => Key::Back,
            _ if keys.kill.contains(&byte) => Key::Kill,
            _ => Key::Text,
        })
    }
}

/// A line while it is typed. What is to be shown is appended to `echo`.
trait Line {
    fn is_empty(&self) -> bool;
    /// False: no more fits.
    fn push(&mut self, byte: &[u8], echo: &mut String) -> bool;
    fn back(&mut self, echo: &mut String);
    /// All of it that is shown.
    fn shown(&self) -> &str;
}

/// Takes every byte, so that who judges the token sees what does not belong there.
struct Hidden(Buffer);

impl Line for Hidden {
    fn is_empty(&self) -> bool {
        self.0.as_slice().is_empty()
    }

    fn push(&mut self, byte: &[u8], _: &mut String) -> bool {
        if self.0.as_slice().len() >= LONGEST {
            return false;
        }
        self.0.push(byte);
        true
    }

    fn back(&mut self, _: &mut String) {
        self.0.truncate(self.0.as_slice().len().saturating_sub(1));
    }

    fn shown(&self) -> &'static str {
        ""
    }
}

/// Takes what it shows, and nothing else.
struct Shown {
    text: String,
    /// The bytes of a character that is not whole yet.
    begun: Vec<u8>,
    may_show: fn(char) -> bool,
}

impl Line for Shown {
    fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    fn push(&mut self, byte: &[u8], echo: &mut String) -> bool {
        self.begun.extend_from_slice(byte);
        match std::str::from_utf8(&self.begun) {
            Ok(text) => {
                let shown: String = text.chars().filter(|&next| (self.may_show)(next)).collect();
                self.text.push_str(&shown);
                echo.push_str(&shown);
                self.begun.clear();
            }
            // It may become one.
            Err(error) if error.error_len().is_none() => {}
            Err(_) => {
                // This byte may begin the next, where it does not end this.
                let is_first = self.begun.len() > 1;
                self.begun.clear();
                if is_first {
                    return self.push(byte, echo);
                }
            }
        }
        self.text.len() <= LONGEST_SHOWN
    }

    fn back(&mut self, echo: &mut String) {
        self.begun.clear();
        // An accent goes with its letter.
        while let Some(last) = self.text.pop() {
            let width = last.width().unwrap_or(0);
            echo.push_str(&"\x08 \x08".repeat(width));
            if width > 0 {
                break;
            }
        }
    }

    fn shown(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys {
            interrupt: [0x03; 2],
            quit: [0x1c; 2],
            end: [0x04; 2],
            suspend: [0x1a; 2],
            back: [0x08, 0x7f, 0x7f],
            kill: [0x15; 2],
        }
    }

    /// What is in the line, and what is on the screen, after these keys.
    fn typed<L: Line>(mut line: L, bytes: &[u8]) -> (L, String) {
        let (mut place, mut echo) = (Place::Text, String::new());
        for &byte in bytes {
            match place.key(byte, &keys()) {
                Some(Key::Text) => assert!(line.push(&[byte], &mut echo)),
                Some(Key::Back) => line.back(&mut echo),
                Some(Key::Enter | Key::Stop(_) | Key::End | Key::Kill) | None => {}
            }
        }
        (line, echo)
    }

    fn shown(bytes: &[u8]) -> (String, String) {
        let line = Shown {
            text: String::new(),
            begun: Vec::new(),
            may_show: |next| !next.is_control(),
        };
        let (line, echo) = typed(line, bytes);
        (line.text, echo)
    }

    #[test]
    fn what_is_shown_is_what_is_taken() {
        for (bytes, name) in [
            (&b"alice"[..], "alice"),
            ("bj\u{f6}rn \u{6f22}".as_bytes(), "bj\u{f6}rn \u{6f22}"),
            (b"al\0i\x07c\te", "alice"),
            // Latin-1, and a character that is broken off by another.
            (b"bj\xf6rn", "bjrn"),
            (b"a\xe6\xbcb", "ab"),
            (b"a\xe6\xc3\xb6", "a\u{f6}"),
            // Arrow keys, F1, the marks of a paste, a key with Alt.
            (b"al\x1b[Di\x1bOPce\x1b[1;5C", "alice"),
            (b"\x1b[200~alice\x1b[201~", "alice"),
            (b"\x1balice\x1b", "alice"),
        ] {
            assert_eq!(shown(bytes), (name.to_owned(), name.to_owned()));
        }
    }

    #[test]
    fn what_is_taken_back_is_gone_from_the_screen() {
        assert_eq!(shown(b"ab\x7f"), ("a".into(), "ab\x08 \x08".into()));
        let wide = "a\u{6f22}\x7f";
        let erased = "a\u{6f22}\x08 \x08\x08 \x08";
        assert_eq!(shown(wide.as_bytes()), ("a".into(), erased.into()));
        let accent = "ae\u{301}\x08";
        assert_eq!(shown(accent.as_bytes()).0, "a");
        assert_eq!(shown(b"\x7f\x7fa").0, "a");
    }

    #[test]
    fn a_token_keeps_what_does_not_belong_there() {
        let line = || Hidden(Buffer::with_capacity(16));
        let (taken, echo) = typed(line(), b"\x1b[200~ghp_a\0b\x1b[201~\x1a");
        assert_eq!(taken.0.as_slice(), b"ghp_a\0b");
        assert_eq!(echo, "");
    }

    #[test]
    fn no_line_is_endless() {
        let mut hidden = Hidden(Buffer::with_capacity(LONGEST));
        let mut echo = String::new();
        assert!((0..LONGEST).all(|_| hidden.push(b"x", &mut echo)));
        assert!(!hidden.push(b"x", &mut echo));
        let mut shown = Shown {
            text: String::new(),
            begun: Vec::new(),
            may_show: |_| true,
        };
        assert!((0..=LONGEST_SHOWN).any(|_| !shown.push(b"x", &mut echo)));
        // Nor is what begins a character and never ends.
        for _ in 0..100 {
            shown.push(b"\xf0", &mut echo);
        }
        assert!(shown.begun.len() < 5);
    }
}
