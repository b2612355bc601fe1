//! The streams of a run: those of the process, or of a test.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::time::Duration;

use crate::platform::{self, monotonic_now};

/// git writes its request and reads the answer at once. A caller that stops in between is not waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// A command that writes the input may wait for its user, such as a password manager that asks to be unlocked.
const PIPED_PATIENCE: Duration = Duration::from_secs(300);
/// A client that does not read the messages still gets the answer.
const MESSAGE_PATIENCE: Duration = Duration::from_secs(1);

/// The three streams, and their capabilities.
pub struct Streams {
    /// Requests, or a token.
    pub input: Box<dyn Read>,
    /// Answers.
    pub output: Box<dyn Write>,
    /// Messages for people.
    pub error: Box<dyn Write>,
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
    /// Warnings, hints and confirmations are left out.
    pub is_quiet: bool,
}

/// Standard error with a bounded wait, for a client that does not read it.
pub(super) fn bounded_error() -> io::Result<impl Write + Send + 'static> {
    Ok(Patient::new(platform::stderr()?, MESSAGE_PATIENCE))
}

impl Streams {
    /// The streams of the process. `is_for_git`: each wait is bounded. A user's pager may
    /// take its time.
    pub fn of_process(is_for_git: bool) -> io::Result<Self> {
        let moves_cursor = std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let colours = colours(|name| std::env::var_os(name));
        let input = platform::stdin()?;
        let input_is_terminal = input.is_terminal();
        Ok(Self {
            input: if input_is_terminal {
                Box::new(input)
            } else if is_for_git {
                Box::new(Patient::new(input, PATIENCE))
            } else {
                Box::new(Patient::new(input, PIPED_PATIENCE))
            },
            output: if is_for_git {
                Box::new(Patient::new(platform::stdout()?, PATIENCE))
            } else {
                Box::new(platform::stdout()?)
            },
            error: if is_for_git {
                Box::new(Patient::new(platform::stderr()?, MESSAGE_PATIENCE))
            } else {
                Box::new(io::stderr())
            },
            input_is_terminal,
            error_is_terminal: io::stderr().is_terminal(),
            output_is_terminal: io::stdout().is_terminal(),
            columns: columns(),
            colours_output: colours.unwrap_or_else(|| io::stdout().is_terminal()),
            colours_error: colours.unwrap_or_else(|| io::stderr().is_terminal()),
            redraws_error: moves_cursor && io::stderr().is_terminal(),
            is_quiet: false,
        })
    }

    /// Reads the process's standard input from now on for at most `patience`.
    pub fn limit_input(&mut self, patience: Duration) -> io::Result<()> {
        self.input = Box::new(Patient::new(platform::stdin()?, patience));
        Ok(())
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

/// `COLUMNS` as a shell exports it, else the size that the terminal tells.
fn columns() -> Option<usize> {
    let told = std::env::var("COLUMNS").ok();
    let told = told.and_then(|columns| columns.parse().ok());
    let told = told.filter(|columns| *columns > 0);
    io::stdout()
        .is_terminal()
        .then(|| told.or_else(|| Some(platform::window_size()?.0)))?
}

/// A pipe with a bounded wait.
struct Patient {
    source: File,
    /// The remaining time for all reads or writes together.
    left: Duration,
}

impl Patient {
    fn new(source: File, patience: Duration) -> Self {
        Self {
            source,
            left: patience,
        }
    }

    fn wait(&mut self, until_ready: fn(&File, Duration) -> io::Result<bool>) -> io::Result<()> {
        let began = monotonic_now();
        let is_ready = until_ready(&self.source, self.left)?;
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
        self.wait(platform::wait_readable)?;
        self.source.read(buffer)
    }
}

impl Write for Patient {
    /// Writes at most 4,096 bytes: a writable pipe takes them without blocking (pipe(7), `PIPE_BUF`).
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.wait(platform::wait_writable)?;
        self.source.write(&bytes[..bytes.len().min(4096)])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;
    use std::thread;

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

    #[test]
    fn a_reader_is_waited_for_no_longer_because_it_reads_a_little() {
        let (mut reader, writer) = io::pipe().unwrap();
        let patience = Duration::from_millis(300);
        let mut patient = Patient::new(File::from(OwnedFd::from(writer)), patience);
        let sleepy = thread::spawn(move || {
            let mut bytes = [0; 4096];
            let mut taken = 0;
            while let Ok(read @ 1..) = reader.read(&mut bytes) {
                taken += read;
                thread::sleep(Duration::from_millis(100));
            }
            taken
        });
        let answer = vec![b'x'; 1024 * 1024];
        let error = patient.write_all(&answer).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(patient);
        assert!(sleepy.join().unwrap() < answer.len());
    }
}
