//! This process, the processes that it starts, and the clock.
#![allow(unsafe_code)]

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use std::{env, io};

#[cfg(target_os = "linux")]
use rustix::process::set_parent_process_death_signal;
use rustix::process::{Pid, Resource, Signal, geteuid, getrlimit, kill_process_group, setsid};

/// Whether names of variables that differ only in case are one name.
pub const FOLDS_NAMES: bool = false;

/// Time since the machine started, suspended time included, so that eight hours of sleep count as eight hours.
pub fn monotonic_now() -> Duration {
    #[cfg(target_os = "linux")]
    const CLOCK: libc::clockid_t = libc::CLOCK_BOOTTIME;
    // It goes on while the machine sleeps, and no change of the wall clock moves it (clock_gettime(3) of macOS).
    #[cfg(target_os = "macos")]
    const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC_RAW;
    #[cfg(not(any(target_os = "linux", target_os = "macos")))]
    const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC;
    read_clock(CLOCK)
}

/// Time since 1970 in UTC.
pub fn unix_now() -> Duration {
    read_clock(libc::CLOCK_REALTIME)
}

fn read_clock(clock: libc::clockid_t) -> Duration {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // A static program reads a clock a few times. To find the kernel's function for it (vdso(7)), the C library would touch
    // four more pages.
    #[cfg(all(
        target_os = "linux",
        target_feature = "crt-static",
        target_pointer_width = "64"
    ))]
    // SAFETY: `now` is a valid place for the answer.
    unsafe {
        libc::syscall(libc::SYS_clock_gettime, clock, &raw mut now)
    };
    // By libc and not by a bare system call, so that a test can put a clock of its own in front.
    #[cfg(not(all(
        target_os = "linux",
        target_feature = "crt-static",
        target_pointer_width = "64"
    )))]
    // SAFETY: as above.
    unsafe {
        libc::clock_gettime(clock, &raw mut now)
    };
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or(0),
        u32::try_from(now.tv_nsec).unwrap_or(0),
    )
}

/// Closes every descriptor above standard error: a daemon that kept a caller's pipe would hang that caller.
pub fn close_inherited() {
    #[cfg(target_os = "linux")]
    // SAFETY: called first thing in the daemon, before it has opened anything of its own.
    let done = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) } == 0;
    #[cfg(not(target_os = "linux"))]
    let done = false;
    if !done {
        let limit = descriptor_limit().min(65_536);
        for descriptor in 3..i32::try_from(limit).unwrap_or(4096) {
            // SAFETY: as above.
            unsafe { libc::close(descriptor) };
        }
    }
}

/// Has a program lead a process group of its own, in which all that it starts is ended with it ([`end_group`]), and be told to
/// end when this process ends: what a person types, such as Ctrl-C, does not reach that group.
pub fn own_group(command: &mut Command) -> &mut Command {
    command.process_group(0);
    #[cfg(target_os = "linux")]
    // SAFETY: between fork and exec there is one system call, which takes no pointer and no lock.
    unsafe {
        command.pre_exec(|| {
            set_parent_process_death_signal(Some(Signal::TERM))?;
            Ok(())
        });
    }
    command
}

/// Ends a program that leads its own group, and all in that group.
pub fn end_group(child: &mut Child) {
    let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
    let _ = child.wait();
}

/// Whether this process runs as root, who may open the files of all users.
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// The user that files and peers must belong to.
pub fn effective_uid() -> u32 {
    geteuid().as_raw()
}

/// The running program itself, still right when the file on disk was replaced by an upgrade.
fn own_program() -> io::Result<PathBuf> {
    let image = PathBuf::from("/proc/self/exe");
    if image.exists() {
        Ok(image)
    } else {
        env::current_exe()
    }
}

/// This host's name, to keep apart two hosts that share one home folder.
pub fn host_name() -> OsString {
    OsString::from_vec(rustix::system::uname().nodename().to_bytes().to_vec())
}

/// Starts a process of this program that may outlive this one, and does not wait for it. A caller's variables may hold secrets and
/// would stay readable: the process gets only `variables`. Its standard input is `input`, and its output goes nowhere.
pub fn start_own(
    input: impl Into<OwnedFd>,
    arguments: &[OsString],
    variables: Vec<(OsString, OsString)>,
) -> io::Result<()> {
    let mut command = Command::new(own_program()?);
    command
        .arg0("git-credential-pat")
        .args(arguments)
        .env_clear()
        .envs(variables)
        .current_dir("/")
        .stdin(input.into())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().map(drop)
}

/// Leaves the caller's session and terminal. Does nothing for the leader of a process group.
pub fn leave_session() {
    let _ = setsid();
}

/// Returns how many descriptors this process may have.
pub fn descriptor_limit() -> usize {
    let limit = getrlimit(Resource::Nofile).current;
    limit.map_or(usize::MAX, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    })
}

/// Returns the signal that ended a process; 0 if none did.
pub fn signal_of(status: ExitStatus) -> i32 {
    status.signal().unwrap_or_default()
}
