//! Runs the program of the system's scheduler within a deadline.

use std::env;
use std::ffi::OsString;
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use crate::platform::{end_group, monotonic_now, own_group};
use crate::terminal::escape::safe;

/// The manager reads all units again, which takes less than a second.
const PATIENCE: Duration = Duration::from_secs(10);
/// After it has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Of its complaint, only the first line is shown.
const MOST: u64 = 65_536;

/// Why the scheduler did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum SchedulerError {
    #[error("cannot run {program}")]
    Run {
        program: &'static str,
        #[source]
        cause: io::Error,
    },
    #[error("{program}: {complaint}")]
    Failed {
        program: &'static str,
        complaint: String,
    },
    #[error("{program} did not answer within {} seconds", PATIENCE.as_secs())]
    Late { program: &'static str },
}

/// The program, on PATH.
pub(super) struct SchedulerProgram {
    name: &'static str,
    path: PathBuf,
}

impl SchedulerProgram {
    pub(super) fn find(name: &'static str) -> Option<Self> {
        let path = env::var_os("PATH")?;
        let folders = env::split_paths(&path).filter(|folder| folder.is_absolute());
        let file = format!("{name}{}", env::consts::EXE_SUFFIX);
        let mut programs = folders.map(|folder| folder.join(&file));
        let path = programs.find(|program| program.is_file())?;
        Some(Self { name, path })
    }

    pub(super) fn run(&self, words: &[OsString]) -> Result<(), SchedulerError> {
        let program = self.name;
        let mut command = Command::new(&self.path);
        command.args(words);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let failed = |cause| SchedulerError::Run { program, cause };
        let child = own_group(command.stderr(Stdio::piped())).spawn();
        let mut child = child.map_err(failed)?;
        let done = wait_for(&mut child).map_err(failed);
        if !matches!(done, Ok(Some(_))) {
            end_group(&mut child);
        }
        match done?.ok_or(SchedulerError::Late { program })? {
            complaint if complaint.is_empty() => Ok(()),
            complaint => Err(SchedulerError::Failed { program, complaint }),
        }
    }
}

/// Returns the complaint of a program that failed, or an empty one; `None`: it did not end in time.
fn wait_for(child: &mut Child) -> io::Result<Option<String>> {
    let until = monotonic_now().saturating_add(PATIENCE);
    let complaint = read_aside(child)?;
    loop {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(Some(String::new())),
            Some(_) => break,
            None if monotonic_now() < until => thread::sleep(Duration::from_millis(5)),
            None => return Ok(None),
        }
    }
    // A program that it left running may hold the pipe open.
    let text = complaint.recv_timeout(LAST_WORDS).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let first = text.lines().next().filter(|line| !line.is_empty());
    let first = first.unwrap_or("it failed without a reason");
    Ok(Some(safe(first.as_bytes())))
}

fn read_aside(child: &mut Child) -> io::Result<Receiver<Vec<u8>>> {
    let (say, said) = channel();
    let complaint = child.stderr.take();
    thread::Builder::new().spawn(move || {
        let mut text = Vec::new();
        if let Some(complaint) = complaint {
            let _ = complaint.take(MOST).read_to_end(&mut text);
        }
        say.send(text)
    })?;
    Ok(said)
}
