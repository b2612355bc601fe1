//! Running git: never for longer than its deadline, never more of its output than fits, and with all that it started.

use std::io::{self, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use super::failure::Error;
use crate::platform::{end_group, monotonic_now, own_group};
use crate::secret::Buffer;
use crate::trace;

/// `git config` reads and writes a small file.
const PATIENCE: Duration = Duration::from_secs(5);
/// Larger than any real configuration.
const MOST: usize = 16 * 1024 * 1024;

/// The first query of settings that got no answer in time. Its cause, such as a pipe among the included files, stops all
/// queries. So no other is made, and a command waits once and not for each.
static SILENT: OnceLock<String> = OnceLock::new();

/// The question to which git gave no answer in time, such as `git config --get-regexp`; `None`: it gave all.
pub fn unanswered() -> Option<&'static str> {
    SILENT.get().map(String::as_str)
}

/// Runs git. Returns its status, what it printed, and its complaints.
pub(crate) fn run(command: &mut Command) -> Result<(ExitStatus, Vec<u8>, Vec<u8>), Error> {
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    let answer = exchange(command, b"");
    if let Err(Error::TooSlow(question)) = &answer {
        let _ = SILENT.set(question.clone());
    }
    let (status, output, complaint) = answer?;
    let bytes = |buffer: Buffer| buffer.as_slice().to_vec();
    Ok((status, bytes(output), bytes(complaint)))
}

/// As [`run`], with `input`; the answer may hold a secret, and complaints are not read. `None`: it failed.
pub(crate) fn ask(command: &mut Command, input: &[u8]) -> Result<Option<Buffer>, Error> {
    command.stdin(Stdio::piped()).stderr(Stdio::null());
    let (status, answer, _) = exchange(command, input)?;
    Ok(status.success().then_some(answer))
}

fn exchange(command: &mut Command, input: &[u8]) -> Result<(ExitStatus, Buffer, Buffer), Error> {
    let question = shown(command);
    let exchange = || exchange_untold(command, input, &question);
    trace::timed("git", exchange, |answer| match answer {
        Ok((status, _, _)) => format!("ran '{question}': {status}"),
        Err(_) => format!("'{question}' has no answer"),
    })
}

fn exchange_untold(
    command: &mut Command,
    input: &[u8],
    question: &str,
) -> Result<(ExitStatus, Buffer, Buffer), Error> {
    if let Some(silent) = unanswered() {
        return Err(Error::TooSlow(silent.to_owned()));
    }
    let started = own_group(command.stdout(Stdio::piped())).spawn();
    let mut child = started.map_err(Error::Run)?;
    if let Some(mut told) = child.stdin.take() {
        // A git that does not read it has no answer either.
        let _ = told.write_all(input);
    }
    let answer = wait_for(&mut child, question);
    if answer.is_err() {
        end_group(&mut child);
    }
    answer
}

fn wait_for(child: &mut Child, question: &str) -> Result<(ExitStatus, Buffer, Buffer), Error> {
    let until = monotonic_now().saturating_add(PATIENCE);
    let output = read_aside(child.stdout.take()).map_err(Error::Run)?;
    let complaint = read_aside(child.stderr.take()).map_err(Error::Run)?;
    let late = || Error::TooSlow(question.to_owned());
    // Programs that it left running may hold the pipes open for ever.
    let rest = |aside: mpsc::Receiver<io::Result<Buffer>>| {
        let left = until.saturating_sub(monotonic_now());
        let read = aside.recv_timeout(left).map_err(|_| late())?;
        read.map_err(|cause| match cause.kind() {
            io::ErrorKind::FileTooLarge => Error::TooMuch(question.to_owned()),
            _ => Error::Run(cause),
        })
    };
    let (output, complaint) = (rest(output)?, rest(complaint)?);
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok((status, output, complaint)),
            Ok(None) if monotonic_now() < until => thread::sleep(Duration::from_millis(2)),
            Ok(None) | Err(_) => return Err(late()),
        }
    }
}

fn read_aside(
    pipe: Option<impl Read + Send + 'static>,
) -> io::Result<mpsc::Receiver<io::Result<Buffer>>> {
    let (say, said) = mpsc::channel();
    thread::Builder::new().spawn(move || {
        let mut bytes = Buffer::with_capacity(4096);
        let read = pipe.map_or(Ok(()), |mut pipe| bytes.read_to_end(&mut pipe, MOST));
        say.send(read.map(|()| bytes))
    })?;
    Ok(said)
}

/// The command by its first words and options: a key, a value or a URL may hold a password.
fn shown(command: &Command) -> String {
    let mut shown = "git".to_owned();
    let mut words = command.get_args().peekable();
    while words.next_if(|word| *word == "-c").is_some() {
        words.next();
    }
    for (at, word) in words.enumerate() {
        let word = word.to_string_lossy();
        let name = word.split('=').next().unwrap_or_default();
        if at == 0 || name.starts_with("--") && name.len() > 2 {
            shown.extend([" ", name]);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_shown_without_values() {
        for (words, text) in [
            (&["--version"][..], "git --version"),
            (
                &["config", "-z", "--get-regexp", "made-up"],
                "git config --get-regexp",
            ),
            (
                &[
                    "config",
                    "--type=bool",
                    "--get-urlmatch",
                    "a",
                    "https://made-up",
                ],
                "git config --type --get-urlmatch",
            ),
            (&["-c", "a=made-up", "credential", "fill"], "git credential"),
        ] {
            let mut command = Command::new("/usr/bin/git");
            assert_eq!(shown(command.args(words)), text);
        }
    }
}
