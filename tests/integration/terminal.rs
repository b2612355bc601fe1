//! A real terminal, and somebody who types at it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};

use crate::process::{DEADLINE, Guard, heeding_signals, wait_for};
use crate::tool;

/// A program at a terminal of its own.
pub struct Session {
    keyboard: File,
    screen: mpsc::Receiver<Vec<u8>>,
    shown: String,
    /// How much of it was shown when keys were last pressed: what comes next is asked after that.
    answered: usize,
    child: Guard,
    is_open: Arc<AtomicBool>,
    before: Termios,
}

impl Session {
    /// Starts `command` as the leader of a session whose terminal is ours to type at.
    pub fn start(command: &Command) -> Self {
        Self::start_wide(command, 0)
    }

    /// As [`Session::start`], at a terminal that tells that it is so many columns wide; 0: it does not tell.
    pub fn start_wide(command: &Command, columns: u16) -> Self {
        let terminal =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let open = || {
            let path = std::ffi::OsStr::from_bytes(name.to_bytes());
            File::from(rustix::fs::open(path, flags, Mode::empty()).unwrap())
        };

        let size = Winsize {
            ws_row: if columns == 0 { 0 } else { 40 },
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&terminal, size).unwrap();
        let before = tcgetattr(&terminal).unwrap();
        let command = heeding_signals(command);
        let mut leader = Command::new(tool::need("setsid"));
        leader
            .args(["--ctty", "--wait"])
            .arg(command.get_program())
            .args(command.get_args());
        leader.env_clear();
        leader.env("TERM", "dumb");
        leader.envs(
            command
                .get_envs()
                .filter_map(|(key, value)| Some((key, value?))),
        );
        if let Some(folder) = command.get_current_dir() {
            leader.current_dir(folder);
        }
        leader
            .stdin(Stdio::from(open()))
            .stdout(Stdio::from(open()))
            .stderr(Stdio::from(open()));
        let child = Guard(leader.spawn().unwrap());
        drop(leader);

        let keyboard = File::from(terminal);
        let mut output = keyboard.try_clone().unwrap();
        let (sender, screen) = mpsc::channel();
        let is_open = Arc::new(AtomicBool::new(true));
        let is_wanted = is_open.clone();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            let pause = Timespec::try_from(Duration::from_millis(50)).unwrap();
            while is_wanted.load(Ordering::SeqCst) {
                if poll(&mut [PollFd::new(&output, PollFlags::IN)], Some(&pause)) == Ok(0) {
                    continue;
                }
                // Reading fails once nobody holds the other side.
                let Ok(length @ 1..) = output.read(&mut bytes) else {
                    return;
                };
                let _ = sender.send(bytes[..length].to_vec());
            }
        });
        Self {
            keyboard,
            screen,
            shown: String::new(),
            answered: 0,
            child,
            is_open,
            before,
        }
    }

    /// Waits until `prompt` is shown, then types `answer`.
    #[track_caller]
    pub fn answer(&mut self, prompt: &str, answer: &str) {
        self.press(prompt, format!("{answer}\n").as_bytes());
    }

    /// Presses keys, whatever is shown.
    pub fn type_ahead(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).unwrap();
    }

    /// How the terminal was set when nobody had it.
    pub fn before(&self) -> &Termios {
        &self.before
    }

    /// How the terminal is set.
    pub fn modes(&self) -> Termios {
        tcgetattr(&self.keyboard).unwrap()
    }

    /// Closes the terminal, as when its window is closed, and waits for the end.
    #[track_caller]
    pub fn close(self) -> ExitStatus {
        let Self {
            keyboard,
            screen,
            mut child,
            is_open,
            ..
        } = self;
        drop(keyboard);
        is_open.store(false, Ordering::SeqCst);
        while screen.recv_timeout(DEADLINE).is_ok() {}
        wait_for(&mut child.0, "the program at the closed terminal")
    }

    /// All that was shown up to now, which may be more in a moment.
    pub fn shown(&mut self) -> &str {
        while let Ok(bytes) = self.screen.try_recv() {
            self.shown.push_str(&String::from_utf8_lossy(&bytes));
        }
        &self.shown
    }

    /// Waits until `text` is shown, or was.
    #[track_caller]
    pub fn await_text(&mut self, text: &str) {
        while !self.shown.contains(text) {
            match self.screen.recv_timeout(DEADLINE) {
                Ok(bytes) => self.shown.push_str(&String::from_utf8_lossy(&bytes)),
                Err(mpsc::RecvTimeoutError::Timeout | mpsc::RecvTimeoutError::Disconnected) => {
                    panic!("{text:?} was never shown, only {:?}", self.shown)
                }
            }
        }
    }

    /// Waits until `prompt` is shown, then presses keys.
    #[track_caller]
    pub fn press(&mut self, prompt: &str, keys: &[u8]) {
        while !self.shown[self.answered..].contains(prompt) {
            match self.screen.recv_timeout(DEADLINE) {
                Ok(bytes) => self.shown.push_str(&String::from_utf8_lossy(&bytes)),
                Err(mpsc::RecvTimeoutError::Timeout | mpsc::RecvTimeoutError::Disconnected) => {
                    panic!("{prompt:?} was never shown, only {:?}", self.shown)
                }
            }
        }
        self.answered = self.shown.len();
        self.keyboard.write_all(keys).unwrap();
    }

    /// Waits for the end. Returns how it ended and all that was shown.
    #[track_caller]
    pub fn finish(mut self) -> (ExitStatus, String) {
        let status = wait_for(&mut self.child.0, "the program at the terminal");
        while let Ok(bytes) = self.screen.recv_timeout(DEADLINE) {
            self.shown.push_str(&String::from_utf8_lossy(&bytes));
        }
        (status, std::mem::take(&mut self.shown))
    }
}
