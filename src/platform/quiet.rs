//! A terminal that shows nothing of what is typed, and is put back whatever ends the program.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};
use std::time::Duration;

use libc::{SIGCONT, SIGTSTP, c_int};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use rustix::process::getpgrp;
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, tcflush,
    tcgetattr, tcgetpgrp, tcsetattr,
};

use super::{ending, monotonic_now};

/// The one terminal that is not as it was; null: none.
static HELD: AtomicPtr<Held> = AtomicPtr::new(ptr::null_mut());

/// A terminal, and how it was. Never freed: a signal may be looking at it at any time.
struct Held {
    terminal: File,
    before: Termios,
    /// Ctrl-C and the like are signals.
    pausing: Termios,
    /// They are characters: whoever else they would reach is not ended before the terminal is as it was.
    asking: Termios,
    /// The same, and a read that finds nothing ends after a tenth of a second.
    draining: Termios,
    /// Which of the three is wanted now.
    wanted: AtomicU8,
}

const PAUSING: u8 = 0;
const ASKING: u8 = 1;
const DRAINING: u8 = 2;

/// For how long at most a signal that ends the program waits for the rest of a paste.
const PATIENCE: Duration = Duration::from_millis(500);

/// Keeps the terminal quiet until it is dropped.
pub(super) struct Quiet {
    held: &'static Held,
    signals: Vec<(c_int, libc::sigaction)>,
}

impl Held {
    fn quiet(&self) -> &Termios {
        match self.wanted.load(Ordering::SeqCst) {
            ASKING => &self.asking,
            DRAINING => &self.draining,
            _ => &self.pausing,
        }
    }

    fn set(&self, wanted: u8) -> io::Result<()> {
        self.wanted.store(wanted, Ordering::SeqCst);
        // A job in the background is stopped here until it is brought to the front.
        let set = || tcsetattr(&self.terminal, OptionalActions::Now, self.quiet());
        Ok(retry_on_intr(set)?)
    }

    /// Whether the terminal is another job's now, which has set it as that needs it.
    fn is_anothers(&self) -> bool {
        tcgetpgrp(&self.terminal).is_ok_and(|group| group != getpgrp())
    }

    /// By system calls alone, for it is also done in the middle of anything.
    fn put_back(&self) {
        // Before and after: what comes in between is not for the next program either. `OptionalActions::Flush` would wait
        // for a terminal that shows nothing because of Ctrl-S.
        let _ = tcflush(&self.terminal, QueueSelector::IFlush);
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
        let _ = tcflush(&self.terminal, QueueSelector::IFlush);
    }
}

impl Quiet {
    /// From now on nothing that is typed at `terminal` shows. One at a time.
    pub(super) fn new(terminal: File) -> io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut pausing = before.clone();
        let shown = LocalModes::ECHO | LocalModes::ECHONL;
        pausing.local_modes -= shown | LocalModes::ICANON | LocalModes::IEXTEN;
        pausing.local_modes |= LocalModes::ISIG;
        // A terminal that somebody left without them has no Enter.
        pausing.input_modes -= InputModes::IGNCR | InputModes::INLCR;
        pausing.special_codes[SpecialCodeIndex::VMIN] = 1;
        pausing.special_codes[SpecialCodeIndex::VTIME] = 0;
        let mut asking = pausing.clone();
        asking.local_modes -= LocalModes::ISIG;
        let mut draining = asking.clone();
        draining.special_codes[SpecialCodeIndex::VMIN] = 0;
        draining.special_codes[SpecialCodeIndex::VTIME] = 1;
        let held: &'static Held = Box::leak(Box::new(Held {
            terminal,
            before,
            pausing,
            asking,
            draining,
            wanted: AtomicU8::new(PAUSING),
        }));
        let ours = ptr::from_ref(held).cast_mut();
        HELD.compare_exchange(ptr::null_mut(), ours, Ordering::SeqCst, Ordering::SeqCst)
            .map_err(|_| io::ErrorKind::ResourceBusy)?;
        let mut quiet = Self {
            held,
            signals: Vec::new(),
        };
        for signal in ending::signals() {
            quiet.handle(signal, put_back_and_end);
        }
        quiet.handle(SIGTSTP, stay);
        quiet.handle(SIGCONT, quieten_again);
        quiet.ask(false)?;
        Ok(quiet)
    }

    /// What is read from and written to.
    pub(super) fn terminal(&self) -> &'static File {
        &self.held.terminal
    }

    /// How it was.
    pub(super) fn before(&self) -> &'static Termios {
        &self.held.before
    }

    /// From now on Ctrl-C and the like are characters, or signals again.
    pub(super) fn ask(&self, is_asking: bool) -> io::Result<()> {
        self.held.set(if is_asking { ASKING } else { PAUSING })
    }

    /// Has `read` take what was typed already, or is still on its way as the rest of a long paste is: the system holds
    /// back what does not fit, and hands it on after any flush. `read` returns false when it has seen enough.
    pub(super) fn drain(&self, mut read: impl FnMut(&File) -> bool) {
        if self.held.is_anothers() {
            return;
        }
        if self.held.set(DRAINING).is_ok() {
            while read(&self.held.terminal) {}
        }
        let _ = self.held.set(PAUSING);
    }

    /// Who was told to ignore a signal goes on doing so.
    fn handle(&mut self, signal: c_int, handler: extern "C" fn(c_int)) {
        let mut before = MaybeUninit::zeroed();
        // SAFETY: asks only; `before` is a valid place for the answer, and all zeros are a value of its type.
        let before = unsafe {
            libc::sigaction(signal, ptr::null(), before.as_mut_ptr());
            before.assume_init()
        };
        if before.sa_sigaction == libc::SIG_IGN && ![SIGTSTP, SIGCONT].contains(&signal) {
            return;
        }
        // SAFETY: all zeros are a value of its type: no flags, an empty mask.
        let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
        action.sa_sigaction = handler as *const () as libc::sighandler_t;
        // SIGCONT breaks off the read, so that the question is shown again. What ends the process is not held back until its
        // handler returns.
        action.sa_flags = match signal {
            SIGCONT => 0,
            SIGTSTP => libc::SA_RESTART,
            _ => libc::SA_NODEFER,
        };
        // SAFETY: `action` is whole, and its handler makes system calls only.
        if unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) } == 0 {
            self.signals.push((signal, before));
        }
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if !self.held.is_anothers() {
            self.held.put_back();
        }
        for (signal, before) in &self.signals {
            // SAFETY: as it was when this began.
            unsafe { libc::sigaction(*signal, before, ptr::null_mut()) };
        }
        HELD.store(ptr::null_mut(), Ordering::SeqCst);
    }
}

fn held() -> Option<&'static Held> {
    // SAFETY: null, or what `Quiet::new` leaked.
    unsafe { HELD.load(Ordering::SeqCst).as_ref() }
}

extern "C" fn put_back_and_end(signal: c_int) {
    if let Some(held) = held()
        && !held.is_anothers()
    {
        if held.set(DRAINING).is_ok() {
            let until = monotonic_now().saturating_add(PATIENCE);
            let mut rest = [0; 4096];
            while rustix::io::read(&held.terminal, &mut rest).is_ok_and(|read| read > 0)
                && monotonic_now() < until
            {}
        }
        held.put_back();
        // After Ctrl-S a write would wait for Ctrl-Q.
        let at_once = Timespec::default();
        let mut sinks = [PollFd::new(&held.terminal, PollFlags::OUT)];
        if poll(&mut sinks, Some(&at_once)) == Ok(1) && sinks[0].revents() == PollFlags::OUT {
            let _ = rustix::io::write(&held.terminal, b"\n");
        }
    }
    // SAFETY: all three may be called in a handler. The signal ends the process as it would have done without us, for
    // whoever waits for it to see; but for the first process of a container, which no signal of its own ends.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
        libc::_exit(128 + signal);
    }
}

/// The shell would get the terminal while a token is being typed.
extern "C" fn stay(_: c_int) {}

/// Who was stopped all the same finds the terminal as another has left it.
extern "C" fn quieten_again(_: c_int) {
    if let Some(held) = held()
        && !held.is_anothers()
    {
        let _ = tcsetattr(&held.terminal, OptionalActions::Now, held.quiet());
    }
}
