//! A terminal that does not echo what is typed, restored also when a signal ends or stops the process.
#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use rustix::io::retry_on_intr;
use rustix::process::getpgrp;
use rustix::termios::{InputModes, LocalModes, OptionalActions, QueueSelector, Termios};
use rustix::termios::{tcflush, tcgetattr, tcgetpgrp, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::low_level::{emulate_default_handler, register};

/// The longest line that the system assembles, in bytes without the newline (`n_tty.c` of Linux, `MAX_CANON` of macOS).
pub const LINE_LIMIT: usize = if cfg!(target_os = "linux") {
    4095
} else {
    1023
};

const BEFORE: u8 = 0;
const HIDDEN: u8 = 1;
const SHOWN: u8 = 2;

struct Modes {
    terminal: File,
    all: [Termios; 3],
    /// The index of the modes that are set now.
    now: AtomicU8,
}

fn session_terminal() -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open("/dev/tty")
}

/// Returns whether the session has a terminal that can be opened.
pub fn has_terminal() -> bool {
    session_terminal().is_ok()
}

/// Keeps the echo of the terminal off until it is dropped. The terminal assembles lines, and Ctrl-C sends its signal.
pub struct EchoOff(Arc<Modes>);

impl EchoOff {
    /// Turns the echo off at the terminal of the session, or at standard input if that is a terminal.
    pub fn begin() -> io::Result<Self> {
        let terminal = session_terminal().or_else(|cause| match io::stdin() {
            input if input.is_terminal() => Ok(File::from(input.as_fd().try_clone_to_owned()?)),
            _ => Err(cause),
        })?;
        let before = tcgetattr(&terminal)?;
        let mut hidden = before.clone();
        // A program that crashed may have left a terminal without lines or Enter.
        hidden.local_modes |= LocalModes::ICANON | LocalModes::ISIG;
        hidden.local_modes -= LocalModes::ECHO | LocalModes::ECHONL;
        hidden.input_modes |= InputModes::ICRNL;
        hidden.input_modes -= InputModes::IGNCR | InputModes::INLCR;
        let mut shown = hidden.clone();
        shown.local_modes |= LocalModes::ECHO;
        let all = [before, hidden, shown];
        let now = AtomicU8::new(BEFORE);
        let modes = Arc::new(Modes { terminal, all, now });
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP] {
            let modes = Arc::clone(&modes);
            // SAFETY: the action makes only system calls that are async-signal-safe.
            unsafe { register(signal, move || modes.pass_on(signal)) }?;
        }
        modes.set(HIDDEN)?;
        Ok(Self(modes))
    }

    /// Turns the echo on or off, and discards the input so far.
    pub fn show_input(&self, is_shown: bool) -> io::Result<()> {
        self.0.set(if is_shown { SHOWN } else { HIDDEN })
    }

    pub fn terminal(&self) -> &File {
        &self.0.terminal
    }
}

impl Drop for EchoOff {
    fn drop(&mut self) {
        self.0.restore();
    }
}

impl Modes {
    fn set(&self, wanted: u8) -> io::Result<()> {
        self.now.store(wanted, Ordering::SeqCst);
        // `OptionalActions::Flush` would wait for output that Ctrl-S holds back.
        let modes = &self.all[usize::from(wanted)];
        retry_on_intr(|| tcsetattr(&self.terminal, OptionalActions::Now, modes))?;
        Ok(tcflush(&self.terminal, QueueSelector::IFlush)?)
    }

    /// Sets the modes as they were before, unless the terminal belongs to another job: SIGTTOU would stop this one.
    fn restore(&self) {
        if tcgetpgrp(&self.terminal).is_ok_and(|group| group == getpgrp()) {
            let _ = self.set(BEFORE);
        }
    }

    /// Restores the terminal, and ends or stops the process as the signal would have. Returns once it continues.
    fn pass_on(&self, signal: i32) {
        let wanted = self.now.load(Ordering::SeqCst);
        if wanted != BEFORE {
            self.restore();
        }
        let _ = emulate_default_handler(signal);
        if wanted != BEFORE {
            let _ = self.set(wanted);
        }
    }
}
