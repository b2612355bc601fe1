//! Ctrl-C and the like, and how to defer them.
#![allow(unsafe_code)]

use std::io;
use std::marker::PhantomData;
use std::process;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, CTRL_C_EVENT, SetConsoleCtrlHandler};
use windows_sys::core::BOOL;

/// The status of a program that Ctrl-C ends (`STATUS_CONTROL_C_EXIT`).
const ENDED_BY_CTRL_C: i32 = 0xC000_013A_u32.cast_signed();

/// The longest wait of the handler. The system itself ends the process after about 5 s (`HandlerRoutine`, "Timeouts").
const HANDLER_LIMIT: Duration = Duration::from_secs(20);
const HANDLER_STEP: Duration = Duration::from_millis(10);

/// How many values of [`DeferredSignals`] exist.
static DEFERRING: AtomicUsize = AtomicUsize::new(0);
static CAME: AtomicBool = AtomicBool::new(false);

/// Until it is dropped, no Ctrl-C and no Ctrl-Break ends the process. Then the first that came does. The end of the console and
/// of the logon session are deferred for about 5 s, which is the system's limit.
pub struct DeferredSignals {
    _thread: PhantomData<*const ()>,
}

impl DeferredSignals {
    pub fn begin() -> Self {
        if DEFERRING.fetch_add(1, Ordering::SeqCst) == 0 {
            // SAFETY: the handler only uses atomic numbers and sleeps, so it may run on the thread that the system starts for it.
            unsafe { SetConsoleCtrlHandler(Some(note), 1) };
        }
        Self {
            _thread: PhantomData,
        }
    }
}

impl Drop for DeferredSignals {
    fn drop(&mut self) {
        if DEFERRING.fetch_sub(1, Ordering::SeqCst) == 1 {
            // SAFETY: as it was when this began.
            unsafe { SetConsoleCtrlHandler(Some(note), 0) };
            if CAME.swap(false, Ordering::SeqCst) {
                #[allow(clippy::exit, reason = "as the system would have ended it")]
                process::exit(ENDED_BY_CTRL_C);
            }
        }
    }
}

/// Returns true: the event is dealt with. For a closed console, a sign-out and a shutdown, the system ends the process as soon as
/// this returns, so these wait.
unsafe extern "system" fn note(event: u32) -> BOOL {
    CAME.store(true, Ordering::SeqCst);
    if !matches!(event, CTRL_C_EVENT | CTRL_BREAK_EVENT) {
        let mut waited = Duration::ZERO;
        while DEFERRING.load(Ordering::SeqCst) > 0 && waited < HANDLER_LIMIT {
            thread::sleep(HANDLER_STEP);
            waited += HANDLER_STEP;
        }
    }
    1
}

/// Ends this process after so many seconds, even in the middle of a call.
pub fn end_after(seconds: u32) {
    let limit = Duration::from_secs(u64::from(seconds));
    thread::spawn(move || {
        thread::sleep(limit);
        process::abort();
    });
}

/// Requests to stop from outside. Windows has none for a process without a console: the system ends the daemon when the user
/// signs out, and `cache stop` asks over the pipe.
pub struct Signals(());

impl Signals {
    /// Starts to listen.
    #[allow(clippy::unnecessary_wraps, reason = "the face of Unix")]
    pub fn new() -> io::Result<Self> {
        Ok(Self(()))
    }

    /// Takes the request.
    #[allow(
        clippy::unnecessary_wraps,
        clippy::unused_self,
        reason = "the face of Unix"
    )]
    pub fn take(&mut self) -> io::Result<()> {
        Ok(())
    }
}
