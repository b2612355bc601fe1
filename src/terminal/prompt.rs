//! Questions at the terminal, answered by one line with or without echo.

use std::io::{self, Write};

use crate::platform::{EchoOff, LINE_LIMIT};
use crate::secret::Buffer;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no terminal to ask at")]
    NoTerminal(#[source] io::Error),
    #[error("a terminal passes on at most {} bytes of a line", LINE_LIMIT - 1)]
    TooLong,
    /// End of input, or a closed terminal.
    #[error("interrupted")]
    Interrupted,
}

/// A series of questions. Until it is dropped the terminal echoes nothing but the answers of [`Dialogue::shown_line`].
pub struct Dialogue(EchoOff);

impl Dialogue {
    pub fn open() -> Result<Self, Error> {
        Ok(Self(EchoOff::begin().map_err(Error::NoTerminal)?))
    }

    /// Asks, and reads a line without echo into locked memory. Earlier input is discarded.
    pub fn hidden_line(&mut self, question: &str) -> Result<Buffer, Error> {
        let line = self.line(question, false);
        let _ = self.0.terminal().write_all(b"\n");
        line
    }

    /// Asks, and reads a line that is shown while it is typed. Earlier and later input is discarded.
    pub fn shown_line(&mut self, question: &str) -> Result<Buffer, Error> {
        let line = self.line(question, true);
        let _ = self.0.show_input(false);
        line
    }

    /// Asks until the answer is yes or no; an empty one means no. The terminal does not show what is typed, since it may be a token
    /// that was pasted too early, but how it was understood.
    pub fn confirm(&mut self, question: &str) -> Result<bool, Error> {
        loop {
            let line = self.line(&format!("{question} [y/N] "), false)?;
            let answer = line.as_slice().trim_ascii().to_ascii_lowercase();
            let (is_agreed, echo) = match &answer[..] {
                b"y" | b"yes" => (Some(true), "yes\n"),
                b"" | b"n" | b"no" => (Some(false), "no\n"),
                _ => (None, "\nanswer y or n\n"),
            };
            let _ = self.0.terminal().write_all(echo.as_bytes());
            if let Some(is_agreed) = is_agreed {
                return Ok(is_agreed);
            }
        }
    }

    fn line(&mut self, question: &str, is_shown: bool) -> Result<Buffer, Error> {
        let gone = |_| Error::Interrupted;
        self.0.show_input(is_shown).map_err(gone)?;
        let mut terminal = self.0.terminal();
        terminal.write_all(question.as_bytes()).map_err(gone)?;
        let mut line = Buffer::with_capacity(LINE_LIMIT + 1);
        while !line.as_slice().ends_with(b"\n") {
            match line.read_from(&mut terminal, LINE_LIMIT + 1) {
                Ok(0) => return Err(Error::Interrupted),
                // The system drops the bytes beyond the limit.
                Ok(_) if line.as_slice().len() > LINE_LIMIT => return Err(Error::TooLong),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(gone(error)),
            }
        }
        line.truncate(line.as_slice().len() - 1);
        Ok(line)
    }
}
