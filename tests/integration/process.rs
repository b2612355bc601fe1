//! Runs a program to its end: input given, output taken, never for longer than the deadline.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::tool;

/// Guards against hangs; no test measures time.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// What a program left behind.
#[derive(Debug, Clone)]
pub struct Output {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Output {
    /// Exit code 0, or the test ends here with what the program said.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert!(self.status.success(), "{self:#?}");
        self
    }

    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// Runs `command` with `input`. Waits for its end *and* for everybody who holds its output to let go of it, as git does.
#[track_caller]
pub fn run(command: &mut Command, input: &[u8]) -> Output {
    run_within(DEADLINE, command, input)
}

/// As [`run`], with another deadline.
#[track_caller]
pub fn run_within(deadline: Duration, command: &mut Command, input: &[u8]) -> Output {
    let shown = shown(command);
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0);
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {shown}: {error}"));
    let pid = Pid::from_child(&child);

    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A program that does not read all of its input closes the pipe on us; that is its right.
    let writer = thread::spawn(move || drop(stdin.write_all(&input)));
    let stdout = collect(child.stdout.take().unwrap());
    let stderr = collect(child.stderr.take().unwrap());

    let started = Instant::now();
    let wait = |output: mpsc::Receiver<Vec<u8>>| match output
        .recv_timeout(deadline.saturating_sub(started.elapsed()))
    {
        Ok(bytes) => bytes,
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            let _ = kill_process_group(pid, Signal::KILL);
            panic!("not done, or its output still held open, after {deadline:?}: {shown}");
        }
    };
    let stdout = wait(stdout);
    let stderr = wait(stderr);
    let status = wait_for(&mut child, &shown);
    drop(writer);
    Output {
        status,
        stdout,
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

/// `command`, which ignores no signal: whoever runs the tests may, as nohup(1) does.
pub fn heeding_signals(command: &Command) -> Command {
    let mut heeding = Command::new(tool::need("env"));
    heeding.arg("--default-signal");
    heeding.arg(command.get_program()).args(command.get_args());
    heeding.env_clear();
    let set = |(key, value): (_, Option<_>)| Some((key, value?));
    heeding.envs(command.get_envs().filter_map(set));
    if let Some(folder) = command.get_current_dir() {
        heeding.current_dir(folder);
    }
    heeding
}

/// The exit status of `child`, within the deadline.
#[track_caller]
pub fn wait_for(child: &mut Child, shown: &str) -> ExitStatus {
    let mut status = None;
    let ended = until(|| {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    if !ended {
        let _ = child.kill();
        panic!("still running after {DEADLINE:?}: {shown}");
    }
    status.unwrap()
}

/// Asks until `is_so`, or the deadline passes: then `false`.
pub fn until(is_so: impl FnMut() -> bool) -> bool {
    until_within(DEADLINE, is_so)
}

/// As [`until`], with another deadline.
pub fn until_within(deadline: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    let mut pause = Duration::from_millis(1);
    while !is_so() {
        if started.elapsed() > deadline {
            return false;
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
    true
}

/// A program that runs until it is dropped.
#[derive(Debug)]
pub struct Guard(pub Child);

impl Drop for Guard {
    fn drop(&mut self) {
        if !matches!(self.0.try_wait(), Ok(None)) {
            return;
        }
        // Its own group: what it has started goes with it. A stopped one hears nothing until it goes on.
        let pid = Pid::from_child(&self.0);
        let _ = kill_process_group(pid, Signal::CONT);
        let _ = kill_process_group(pid, Signal::TERM);
        let _ = kill_process(pid, Signal::TERM);
        if !until(|| !matches!(self.0.try_wait(), Ok(None))) {
            let _ = kill_process_group(pid, Signal::KILL);
            let _ = self.0.wait();
        }
    }
}

fn collect(mut output: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = output.read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    });
    receiver
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}
