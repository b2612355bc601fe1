//! The streams of a run: those of the process, or of a test.

use std::cell::LazyCell;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::time::Duration;

use crate::platform::{self, StandardStream, monotonic_now};

/// git writes its request and reads the answer at once. A caller that stops in between is not waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// A command that writes the input may wait for its user, such as a password manager that asks to be unlocked.
const PIPED_PATIENCE: Duration = Duration::from_secs(300);
/// A client that does not read the messages still gets the answer.
const MESSAGE_PATIENCE: Duration = Duration::from_secs(1);

/// The three streams.
pub struct Streams {
    /// Requests, or a token.
    pub input: Box<dyn Read>,
    /// Answers.
    pub output: Box<dyn Write>,
    /// Messages for people.
    pub error: Box<dyn Write>,
    /// Found out at the first use: most calls of git need none of it.
    pub terminals: LazyCell<Terminals>,
    /// Warnings, hints and confirmations are left out.
    pub is_quiet: bool,
}

/// The terminals behind the streams.
pub struct Terminals {
    /// A person types the input.
    pub input_is_terminal: bool,
    /// The output may be coloured.
    pub colours_output: bool,
    /// A person reads the output at a terminal.
    pub output_is_terminal: bool,
    /// How wide the terminal of the output is; `None`: the output is no terminal.
    pub columns: Option<usize>,
    /// Messages may be coloured.
    pub colours_error: bool,
    /// A person reads the messages at a terminal.
    pub error_is_terminal: bool,
    /// A line of messages may be written over.
    pub redraws_error: bool,
}

/// Standard error with a bounded wait, for a client that does not read it.
pub(super) fn bounded_error() -> impl Write + Send + 'static {
    Patient::new(platform::stderr(), MESSAGE_PATIENCE)
}

impl Streams {
    /// The streams of the process. `is_for_git`: each wait is bounded. A user's pager may
    /// take its time.
    pub fn of_process(is_for_git: bool) -> Self {
        let (input, output) = (platform::stdin(), platform::stdout());
        let terminals = LazyCell::new(Terminals::of_process as fn() -> Terminals);
        if is_for_git {
            return Self {
                input: Box::new(Patient::new(input, PATIENCE)),
                output: Box::new(Patient::new(output, PATIENCE)),
                error: Box::new(bounded_error()),
                terminals,
                is_quiet: false,
            };
        }
        Self {
            input: Box::new(Patient::new(input, PIPED_PATIENCE)),
            output: Box::new(output),
            error: Box::new(io::stderr()),
            terminals,
            is_quiet: false,
        }
    }

    /// Reads the process's standard input from now on for at most `patience`.
    pub fn limit_input(&mut self, patience: Duration) {
        self.input = Box::new(Patient::new(platform::stdin(), patience));
    }
}

impl Terminals {
    fn of_process() -> Self {
        let moves_cursor = std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let colours = colours(|name| std::env::var_os(name));
        let output_is_terminal = platform::stdout().is_terminal();
        let error_is_terminal = platform::stderr().is_terminal();
        Self {
            input_is_terminal: platform::stdin().is_terminal(),
            output_is_terminal,
            error_is_terminal,
            columns: output_is_terminal.then(columns).flatten(),
            colours_output: colours.unwrap_or(output_is_terminal),
            colours_error: colours.unwrap_or(error_is_terminal),
            redraws_error: moves_cursor && error_is_terminal,
        }
    }
}

/// Whether the environment wants colours, by <https://no-color.org> and <https://bixense.com/clicolors>. `None`: at a terminal.
fn colours(variable: impl Fn(&str) -> Option<OsString>) -> Option<bool> {
    let is_set = |name| variable(name).is_some_and(|value| !value.is_empty());
    let is_zero = variable("CLICOLOR_FORCE").is_some_and(|value| value == "0");
    let is_forced = is_set("CLICOLOR_FORCE") && !is_zero;
    let is_dumb = variable("TERM").is_some_and(|term| term == "dumb");
    match (is_set("NO_COLOR"), is_forced, is_dumb) {
        (false, true, _) => Some(true),
        (true, _, _) | (false, false, true) => Some(false),
        (false, false, false) => None,
    }
}

/// `COLUMNS` as a shell exports it, else the size that the terminal of standard output tells.
fn columns() -> Option<usize> {
    let told = std::env::var("COLUMNS").ok();
    let told = told.and_then(|columns| columns.parse().ok());
    let told = told.filter(|columns| *columns > 0);
    told.or_else(|| Some(platform::window_size()?.0))
}

/// A pipe with a bounded wait. A person at a terminal may take all time.
struct Patient {
    stream: StandardStream,
    /// The remaining time for all reads or writes together.
    left: Duration,
}

type Wait = fn(&StandardStream, Duration) -> io::Result<bool>;

impl Patient {
    fn new(stream: StandardStream, patience: Duration) -> Self {
        Self {
            stream,
            left: patience,
        }
    }

    fn wait(&mut self, until_ready: Wait) -> io::Result<()> {
        let began = monotonic_now();
        let is_ready = until_ready(&self.stream, began + self.left)?;
        let waited = monotonic_now().saturating_sub(began);
        self.left = self.left.saturating_sub(waited);
        if is_ready {
            Ok(())
        } else {
            self.left = Duration::ZERO;
            Err(io::ErrorKind::TimedOut.into())
        }
    }
}

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let is_ready = platform::wait_readable(&self.stream, Duration::ZERO)?;
        if !is_ready && !self.stream.is_terminal() {
            self.wait(platform::wait_readable)?;
        }
        self.stream.read(buffer)
    }
}

impl Write for Patient {
    /// Writes at most 4,096 bytes: a writable pipe takes them without blocking (pipe(7), `PIPE_BUF`).
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !platform::wait_writable(&self.stream, Duration::ZERO)? {
            self.wait(platform::wait_writable)?;
        }
        self.stream.write(&bytes[..bytes.len().min(4096)])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_color_wins_over_clicolor_force_which_wins_over_a_dumb_terminal() {
        let dumb = ("TERM", "dumb");
        let forced = ("CLICOLOR_FORCE", "1");
        for (variables, expected) in [
            (&[][..], None),
            (&[("TERM", "xterm")], None),
            (&[dumb], Some(false)),
            (&[("NO_COLOR", "0")], Some(false)),
            (&[("NO_COLOR", "")], None),
            (&[forced], Some(true)),
            (&[("CLICOLOR_FORCE", "yes")], Some(true)),
            (&[("CLICOLOR_FORCE", "0")], None),
            (&[("CLICOLOR_FORCE", "")], None),
            (&[forced, dumb], Some(true)),
            (&[("CLICOLOR_FORCE", "0"), dumb], Some(false)),
            (&[("NO_COLOR", "1"), forced], Some(false)),
            (&[("NO_COLOR", ""), forced], Some(true)),
        ] {
            let variable = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| OsString::from(value))
            };
            assert_eq!(colours(variable), expected, "{variables:?}");
        }
    }

    // A pipe on Windows does not tell whether it takes bytes.
    #[cfg(unix)]
    #[test]
    fn a_reader_is_waited_for_no_longer_because_it_reads_a_little() {
        let (mut reader, writer) = io::pipe().unwrap();
        let patience = Duration::from_millis(300);
        let mut patient = Patient::new(StandardStream::of(Box::leak(Box::new(writer))), patience);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(1..) = reader.read(&mut bytes) {
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        let answer = vec![b'x'; 1024 * 1024];
        let error = patient.write_all(&answer).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
