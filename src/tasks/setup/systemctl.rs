//! Runs `systemctl --user` within a deadline.

use std::env;
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

/// The hint if the timer was not started.
pub(super) const NOT_STARTED: &str = "in a session of yours, run 'systemctl --user daemon-reload', and then \
    'systemctl --user enable --now git-credential-pat-reminder.timer'";

/// Why the user's systemd did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum SystemctlError {
    #[error("cannot run systemctl")]
    Run(#[from] io::Error),
    #[error("systemctl: {0}")]
    Failed(String),
    #[error("systemctl did not answer within {} seconds", PATIENCE.as_secs())]
    Late,
}

/// The program, on PATH.
pub(super) struct Systemctl(PathBuf);

impl Systemctl {
    pub(super) fn find() -> Option<Self> {
        let path = env::var_os("PATH")?;
        let folders = env::split_paths(&path).filter(|folder| folder.is_absolute());
        let mut programs = folders.map(|folder| folder.join("systemctl"));
        programs.find(|program| program.is_file()).map(Self)
    }

    /// Runs `systemctl --user` with `words`.
    pub(super) fn run(&self, words: &[&str]) -> Result<(), SystemctlError> {
        let mut command = Command::new(&self.0);
        command.arg("--user").args(words);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = own_group(command.stderr(Stdio::piped())).spawn()?;
        let done = wait_for(&mut child);
        if done.is_err() {
            end_group(&mut child);
        }
        done
    }
}

fn wait_for(child: &mut Child) -> Result<(), SystemctlError> {
    let until = monotonic_now().saturating_add(PATIENCE);
    let complaint = read_aside(child)?;
    loop {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(_) => break,
            None if monotonic_now() < until => thread::sleep(Duration::from_millis(5)),
            None => return Err(SystemctlError::Late),
        }
    }
    // A program that it left running may hold the pipe open.
    let text = complaint.recv_timeout(LAST_WORDS).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let first = text.lines().next().unwrap_or("it failed without a reason");
    Err(SystemctlError::Failed(safe(first.as_bytes())))
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
