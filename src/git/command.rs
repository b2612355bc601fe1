//! Running git: never for longer than its deadline, never more of its output than fits, and with all that it started.

use std::io::{self, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use super::failure::Error;
use crate::platform::{end_group, monotonic_now, own_group, wait_readable};
use crate::secret::Buffer;

/// `git config` reads and writes a small file.
const PATIENCE: Duration = Duration::from_secs(5);
/// Larger than any real configuration.
const MOST: u64 = 16 * 1024 * 1024;
/// A credential and all that may come with it.
const MOST_ANSWER: usize = 1024 * 1024;

/// The first query of settings that got no answer in time. Its cause, such as a pipe among the included files, stops all
/// queries. So no other is made, and a command waits once and not for each.
static SILENT: OnceLock<String> = OnceLock::new();

/// The question to which git gave no answer in time, such as `git config --get-regexp`; `None`: it gave all.
pub fn unanswered() -> Option<&'static str> {
    SILENT.get().map(String::as_str)
}

/// Runs git. Returns its status, what it printed, and its complaints.
pub(crate) fn run(command: &mut Command) -> Result<(ExitStatus, Vec<u8>, Vec<u8>), Error> {
    let question = shown(command);
    if let Some(silent) = unanswered() {
        return Err(Error::TooSlow(silent.to_owned()));
    }
    let (stdin, stdout) = (Stdio::null(), Stdio::piped());
    command.stdin(stdin).stdout(stdout).stderr(Stdio::piped());
    let mut child = own_group(command).spawn().map_err(Error::Run)?;
    let answer = wait_for(&mut child, &question);
    if let Err(error) = &answer {
        end_group(&mut child);
        if matches!(error, Error::TooSlow(_)) {
            let _ = SILENT.set(question);
        }
    }
    answer
}

fn wait_for(child: &mut Child, question: &str) -> Result<(ExitStatus, Vec<u8>, Vec<u8>), Error> {
    let until = monotonic_now().saturating_add(PATIENCE);
    let output = read_aside(child.stdout.take()).map_err(Error::Run)?;
    let complaint = read_aside(child.stderr.take()).map_err(Error::Run)?;
    let late = || Error::TooSlow(question.to_owned());
    // Programs that it left running may hold the pipes open for ever.
    let rest = |aside: mpsc::Receiver<Vec<u8>>| {
        let left = until.saturating_sub(monotonic_now());
        aside.recv_timeout(left).map_err(|_| late())
    };
    let output = rest(output)?;
    if output.len() as u64 > MOST {
        return Err(Error::TooMuch(question.to_owned()));
    }
    let complaint = rest(complaint)?;
    Ok((end_of(child, until).ok_or_else(late)?, output, complaint))
}

fn read_aside(pipe: Option<impl Read + Send + 'static>) -> io::Result<mpsc::Receiver<Vec<u8>>> {
    let (say, said) = mpsc::channel();
    thread::Builder::new().spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            let _ = pipe.take(MOST + 1).read_to_end(&mut bytes);
        }
        say.send(bytes)
    })?;
    Ok(said)
}

/// Its status; `None`: it goes on after `until`.
fn end_of(child: &mut Child, until: Duration) -> Option<ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if monotonic_now() < until => thread::sleep(Duration::from_millis(2)),
            Ok(None) | Err(_) => return None,
        }
    }
}

/// As [`run`], with `input`; the answer may hold a secret, and complaints are not read. `None`: it failed.
pub(crate) fn ask(command: &mut Command, input: &[u8]) -> Result<Option<Buffer>, Error> {
    if let Some(silent) = unanswered() {
        return Err(Error::TooSlow(silent.to_owned()));
    }
    let (stdin, stdout) = (Stdio::piped(), Stdio::piped());
    command.stdin(stdin).stdout(stdout).stderr(Stdio::null());
    let mut child = own_group(command).spawn().map_err(Error::Run)?;
    let answer = hear(&mut child, input, &shown(command));
    if answer.is_err() {
        end_group(&mut child);
    }
    answer
}

fn hear(child: &mut Child, input: &[u8], question: &str) -> Result<Option<Buffer>, Error> {
    let late = || Error::TooSlow(question.to_owned());
    if let Some(mut told) = child.stdin.take() {
        // A git that does not read it has no answer either.
        let _ = told.write_all(input);
    }
    let until = monotonic_now().saturating_add(PATIENCE);
    let mut answer = Buffer::with_capacity(64 * 1024);
    if let Some(mut output) = child.stdout.take() {
        loop {
            let left = until.saturating_sub(monotonic_now());
            if !wait_readable(&output, left).map_err(Error::Run)? {
                return Err(late());
            }
            let read = answer.read_from(&mut output, 64 * 1024);
            if read.map_err(Error::Run)? == 0 {
                break;
            }
            if answer.as_slice().len() > MOST_ANSWER {
                return Err(Error::TooMuch(question.to_owned()));
            }
        }
    }
    let status = end_of(child, until).ok_or_else(late)?;
    Ok(status.success().then_some(answer))
}

/// The command by its first words and options: a key, a value or a URL may hold a password.
fn shown(command: &Command) -> String {
    let words: Vec<String> = command
        .get_args()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let mut shown = vec!["git".to_owned()];
    let mut words = words.iter().peekable();
    while words.next_if(|word| *word == "-c").is_some() {
        words.next();
    }
    for (at, word) in words.enumerate() {
        let name = word.split('=').next().unwrap_or_default();
        if at == 0 || name.starts_with("--") && name.len() > 2 {
            shown.push(name.to_owned());
        }
    }
    shown.join(" ")
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
