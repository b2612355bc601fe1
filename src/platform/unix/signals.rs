//! Signals that end or stop a process, and how to defer them.
#![allow(unsafe_code)]

use std::io::{self, PipeReader, Read};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

use libc::{
    SIGABRT, SIGALRM, SIGHUP, SIGINT, SIGPROF, SIGQUIT, SIGSYS, SIGTERM, SIGTRAP, SIGTSTP, SIGTTIN,
    SIGTTOU, SIGUSR1, SIGUSR2, SIGVTALRM, SIGXCPU, SIGXFSZ, c_int,
};

/// The signals of users, shells, supervisors and clocks. Not SIGPIPE, which is ignored, and not those of the processor: after
/// a fault nothing can be trusted.
const COMMON: [c_int; 14] = [
    SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGXCPU,
    SIGXFSZ, SIGSYS, SIGTRAP, SIGABRT,
];

/// The signals that stop a process. A forge's answer does not wait until it continues.
const STOPPING: [c_int; 3] = [SIGTSTP, SIGTTIN, SIGTTOU];

/// All signals that end a process on this system.
pub(super) fn signals() -> Vec<c_int> {
    #[cfg(target_os = "linux")]
    {
        let mut all = COMMON.to_vec();
        all.extend([libc::SIGIO, libc::SIGPWR, libc::SIGSTKFLT]);
        all.extend(libc::SIGRTMIN()..=libc::SIGRTMAX());
        all
    }
    #[cfg(not(target_os = "linux"))]
    COMMON.to_vec()
}

/// The first deferred signal that ends the process and that another thread received.
static CAME: AtomicI32 = AtomicI32::new(0);
/// The first that stops it. One that ends it takes precedence, even if it comes later.
static STOPPED: AtomicI32 = AtomicI32::new(0);

/// Until it is dropped, no signal that can wait ends or stops the process. Then the first that came does.
pub struct DeferredSignals {
    before: libc::sigset_t,
    handlers: Vec<(c_int, libc::sigaction)>,
    // The mask is a thread's.
    _thread: PhantomData<*const ()>,
}

impl DeferredSignals {
    pub fn begin() -> Self {
        let mut waiting = MaybeUninit::<libc::sigset_t>::uninit();
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        let signals = signals().into_iter();
        // An abort is a fault of our own.
        let signals = signals.filter(|&signal| signal != SIGABRT);
        let signals: Vec<c_int> = signals.chain(STOPPING).collect();
        // SAFETY: both are valid places for a set; the first is made before it is read, the second written by the last call.
        let before = unsafe {
            libc::sigemptyset(waiting.as_mut_ptr());
            for &signal in &signals {
                libc::sigaddset(waiting.as_mut_ptr(), signal);
            }
            libc::pthread_sigmask(libc::SIG_BLOCK, waiting.as_ptr(), before.as_mut_ptr());
            before.assume_init()
        };
        // The mask is this thread's: another one may hang in a storage.
        let mut handlers = Vec::new();
        for signal in signals {
            // SAFETY: all zeros are a value of its type: no flags, an empty mask.
            let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
            action.sa_sigaction = note as *const () as libc::sighandler_t;
            action.sa_flags = libc::SA_RESTART;
            let mut was = MaybeUninit::<libc::sigaction>::zeroed();
            // SAFETY: `was` is a valid place for the answer; `action` is whole, and its handler stores a number.
            unsafe {
                if libc::sigaction(signal, ptr::null(), was.as_mut_ptr()) != 0 {
                    continue;
                }
                let was = was.assume_init();
                if was.sa_sigaction == libc::SIG_DFL
                    && libc::sigaction(signal, &raw const action, ptr::null_mut()) == 0
                {
                    handlers.push((signal, was));
                }
            }
        }
        Self {
            before,
            handlers,
            _thread: PhantomData,
        }
    }
}

impl Drop for DeferredSignals {
    fn drop(&mut self) {
        for (signal, was) in &self.handlers {
            // SAFETY: as it was when this began.
            unsafe { libc::sigaction(*signal, was, ptr::null_mut()) };
        }
        let stopped = STOPPED.swap(0, Ordering::SeqCst);
        let came = match CAME.swap(0, Ordering::SeqCst) {
            0 => stopped,
            came => came,
        };
        // SAFETY: `before` is a whole set. What is raised waits, as what came to this thread does, until the mask goes.
        unsafe {
            if came != 0 {
                libc::raise(came);
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, ptr::null_mut());
        }
    }
}

extern "C" fn note(signal: c_int) {
    let first = if STOPPING.contains(&signal) {
        &STOPPED
    } else {
        &CAME
    };
    let _ = first.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst);
}

/// Makes a write beyond the limit on a file's size an error like any other (setrlimit(2), `RLIMIT_FSIZE`), not the end of
/// this process with half a file on the disk. By a handler: to ignore the signal would be inherited by git and all it runs.
pub(super) fn survive_file_limit() {
    extern "C" fn nothing(_: libc::c_int) {}
    let handler = nothing as extern "C" fn(libc::c_int);
    // SAFETY: the handler does nothing, so it may run at any moment.
    unsafe { libc::signal(libc::SIGXFSZ, handler as libc::sighandler_t) };
}

/// Resets the signals that the parent process blocked or ignored. With SIGCHLD ignored, waiting for a child fails (wait(2));
/// with SIGALRM or SIGTERM blocked, the alarm and `kill` have no effect. Ignores SIGPIPE: a write to a closed pipe fails instead.
pub(super) fn reset_signals() {
    let mut none = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `none` is a valid place for a set, and is read only once it is made; no handler is set.
    unsafe {
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut());
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
    }
}

/// Ends this process after so many seconds, even in the middle of a call.
pub fn end_after(seconds: u32) {
    // SAFETY: neither call takes a pointer that is read. The caller may have ignored the signal or blocked it; a handler
    // there is none.
    unsafe {
        libc::signal(libc::SIGALRM, libc::SIG_DFL);
        libc::signal(libc::SIGTERM, libc::SIG_DFL);
        libc::alarm(seconds);
    }
}

/// Requests to stop (SIGTERM, SIGINT) as something that can be polled. SIGHUP is swallowed: a terminal that closes does
/// not end the daemon.
pub struct Signals {
    stop: PipeReader,
}

impl Signals {
    /// Starts to listen.
    pub fn new() -> io::Result<Self> {
        let (stop, raised) = io::pipe()?;
        for signal in [SIGTERM, SIGINT] {
            signal_hook::low_level::pipe::register(signal, OwnedFd::from(raised.try_clone()?))?;
        }
        let ignored = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        signal_hook::flag::register(SIGHUP, ignored)?;
        Ok(Self { stop })
    }

    /// Readable once a request has come.
    pub fn source(&self) -> BorrowedFd<'_> {
        self.stop.as_fd()
    }

    /// Takes the request.
    pub fn take(&mut self) -> io::Result<()> {
        self.stop.read_exact(&mut [0])
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustix::process::{Signal, getpid, kill_process};

    use super::*;

    /// Those of the tests are such: without a handler one of them would end them all.
    #[test]
    fn threads_that_began_before_wait_too() {
        let waiting = DeferredSignals::begin();
        kill_process(getpid(), Signal::USR1).unwrap();
        let mut pauses = 0;
        while CAME.load(Ordering::SeqCst) == 0 && pauses < 1000 {
            std::thread::sleep(Duration::from_millis(10));
            pauses += 1;
        }
        // It is not to end the tests now.
        assert_eq!(CAME.swap(0, Ordering::SeqCst), SIGUSR1);
        drop(waiting);
    }
}
