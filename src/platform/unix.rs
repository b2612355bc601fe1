//! Unix: memory that is kept from swap and cores, clocks, peers, inherited descriptors, signals.
#![allow(unsafe_code)]

use std::ffi::OsString;
use std::fmt::Write;
use std::fs::File;
use std::io::{self, PipeReader, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::ptr::{self, NonNull};
use std::time::Duration;
use std::{env, fs};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::mm::{MapFlags, ProtFlags, mlock, mmap_anonymous, munmap};
use rustix::process::{
    Pid, Resource, Rlimit, Signal, geteuid, kill_process_group, set_parent_process_death_signal,
    setrlimit,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Memory straight from the system: locked where the limits allow it, and in no core file.
pub struct Pages {
    start: NonNull<u8>,
    len: usize,
    locked: bool,
}

// SAFETY: the mapping belongs to this value alone and is not tied to a thread.
unsafe impl Send for Pages {}

impl Pages {
    /// Maps at least `bytes` zero bytes, in whole pages.
    ///
    /// # Panics
    /// If the system gives no memory.
    pub fn new(bytes: usize) -> Self {
        let len = bytes.next_multiple_of(rustix::param::page_size());
        // SAFETY: a new anonymous mapping at an address of the system's choice touches nothing that exists.
        let start = unsafe {
            mmap_anonymous(
                ptr::null_mut(),
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE,
            )
        };
        let start = start
            .ok()
            .and_then(|start| NonNull::new(start.cast::<u8>()))
            .expect("no memory");
        // SAFETY: the range is the mapping just made.
        let locked = unsafe { mlock(start.as_ptr().cast(), len) }.is_ok();
        #[cfg(target_os = "linux")]
        for advice in [
            rustix::mm::Advice::LinuxDontDump,
            rustix::mm::Advice::LinuxDontFork,
        ] {
            // SAFETY: the range is the mapping just made, and neither advice changes its bytes. An older kernel that
            // does not know one leaves the pages as they are; PR_SET_DUMPABLE still holds.
            let _ = unsafe { rustix::mm::madvise(start.as_ptr().cast(), len, advice) };
        }
        Self { start, len, locked }
    }

    /// The first byte.
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// Bytes, a multiple of the page size.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the system agreed to keep them out of swap (`RLIMIT_MEMLOCK` may forbid it).
    pub fn is_locked(&self) -> bool {
        self.locked
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, whole, and nobody holds a reference into it: `Locked` keeps its block alive.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// Time since the machine started, suspended time included, so that eight hours of sleep count as eight hours.
pub fn monotonic_now() -> Duration {
    #[cfg(target_os = "linux")]
    const CLOCK: libc::clockid_t = libc::CLOCK_BOOTTIME;
    // On macOS this clock goes on while the machine sleeps (clock_gettime(3)).
    #[cfg(not(target_os = "linux"))]
    const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC;
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is a valid place for the answer. By libc and not by a bare system call, so that a test can
    // put a clock of its own in front.
    unsafe { libc::clock_gettime(CLOCK, &raw mut now) };
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or(0),
        u32::try_from(now.tv_nsec).unwrap_or(0),
    )
}

/// No core file, no tracing, no reading of our memory by other processes of the same user.
pub fn harden() {
    let _ = setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    );
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    #[cfg(target_os = "macos")]
    // SAFETY: PT_DENY_ATTACH takes no pointer.
    unsafe {
        libc::ptrace(libc::PT_DENY_ATTACH, 0, ptr::null_mut(), 0);
    }
}

/// Closes every descriptor above standard error: a daemon that kept a caller's pipe would hang that caller.
pub fn close_inherited() {
    #[cfg(target_os = "linux")]
    // SAFETY: called first thing in the daemon, before it has opened anything of its own.
    let done = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) } == 0;
    #[cfg(not(target_os = "linux"))]
    let done = false;
    if !done {
        let limit = rustix::process::getrlimit(Resource::Nofile)
            .current
            .unwrap_or(4096)
            .min(65_536);
        for descriptor in 3..i32::try_from(limit).unwrap_or(4096) {
            // SAFETY: as above.
            unsafe { libc::close(descriptor) };
        }
    }
}

/// Makes a write beyond the limit on a file's size an error like any other (setrlimit(2), `RLIMIT_FSIZE`), not the end of
/// this process with half a file on the disk. By a handler: to ignore the signal would be inherited by git and all it runs.
pub fn survive_file_limit() {
    extern "C" fn nothing(_: libc::c_int) {}
    let handler = nothing as extern "C" fn(libc::c_int);
    // SAFETY: the handler does nothing, so it may run at any moment.
    unsafe { libc::signal(libc::SIGXFSZ, handler as libc::sighandler_t) };
}

/// Whoever starts us hands on which signals it blocks and ignores. With SIGCHLD ignored we would hear nothing of our
/// children's end (wait(2)), with SIGALRM or SIGTERM blocked nothing would end us.
pub fn reset_signals() {
    let mut none = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `none` is a valid place for a set, and is read only once it is made; no handler is set.
    unsafe {
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut());
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
    }
}

/// Ends this process after so many seconds, whatever it is doing then.
pub fn end_after(seconds: u32) {
    // SAFETY: neither call takes a pointer that is read. The caller may have ignored the signal or blocked it; a handler
    // there is none.
    unsafe {
        libc::signal(libc::SIGALRM, libc::SIG_DFL);
        libc::signal(libc::SIGTERM, libc::SIG_DFL);
        libc::alarm(seconds);
    }
}

/// Returns the address of the user's message bus: `DBUS_SESSION_BUS_ADDRESS`, or else the socket `bus` of this user in
/// `XDG_RUNTIME_DIR` or `/run/user/UID` (cron, ssh and `sudo -u` set no address). A value and not a variable of the
/// environment: other threads may read the environment at any time, and `set_var` races with them.
pub fn session_bus() -> Option<OsString> {
    let named = env::var_os("DBUS_SESSION_BUS_ADDRESS").filter(|address| !address.is_empty());
    if named.is_some() {
        return named;
    }
    let user = geteuid().as_raw();
    let folders = [
        env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from),
        Some(PathBuf::from(format!("/run/user/{user}"))),
    ];
    for folder in folders.into_iter().flatten() {
        let bus = folder.join("bus");
        let is_ours = bus.is_absolute()
            && fs::symlink_metadata(&bus)
                .is_ok_and(|found| found.file_type().is_socket() && found.uid() == user);
        if is_ours {
            return Some(bus_address(&bus).into());
        }
    }
    None
}

/// In a path's name anything may stand, in an address only some characters (D-Bus specification, "Server Addresses").
fn bus_address(socket: &Path) -> String {
    let mut address = String::from("unix:path=");
    for &byte in socket.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'/' | b'.' => {
                address.push(char::from(byte));
            }
            _ => {
                let _ = write!(address, "%{byte:02x}");
            }
        }
    }
    address
}

/// Has a program lead a process group of its own, in which all that it starts is ended with it ([`end_group`]), and be told to
/// end when this process ends: what a person types, such as Ctrl-C, does not reach that group.
pub fn own_group(command: &mut Command) -> &mut Command {
    use std::os::unix::process::CommandExt;
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

/// The user that files and peers must belong to.
pub fn effective_uid() -> u32 {
    geteuid().as_raw()
}

/// The user at the other end of a local socket, told by the kernel.
pub fn peer_uid(socket: impl AsFd) -> io::Result<u32> {
    use std::os::fd::AsRawFd;
    let socket = socket.as_fd();
    #[cfg(target_os = "linux")]
    {
        let mut peer = libc::ucred {
            pid: 0,
            uid: u32::MAX,
            gid: u32::MAX,
        };
        let mut len = libc::socklen_t::try_from(size_of_val(&peer)).map_err(io::Error::other)?;
        // SAFETY: both pointers are valid places for the answer, and `len` says how long the first one is. Not by
        // rustix: it takes a peer in another process namespace, which has no number here, for a failure.
        let status = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERCRED,
                (&raw mut peer).cast(),
                &raw mut len,
            )
        };
        if status == 0 {
            Ok(peer.uid)
        } else {
            Err(io::Error::last_os_error())
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let (mut user, mut group) = (0, 0);
        // SAFETY: both pointers are valid places for the answer.
        let status = unsafe { libc::getpeereid(socket.as_raw_fd(), &raw mut user, &raw mut group) };
        if status == 0 {
            Ok(user)
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

/// The running program itself, still right when the file on disk was replaced by an upgrade.
pub fn own_program() -> io::Result<PathBuf> {
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

/// Standard input without the standard library's buffer, which nobody wipes.
pub fn stdin() -> io::Result<File> {
    Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
}

/// Columns and lines of the terminal of standard output; `None` if it is no terminal, or does not know its size.
pub fn window_size() -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout()).ok()?;
    let (columns, lines) = (usize::from(size.ws_col), usize::from(size.ws_row));
    (columns > 0 && lines > 0).then_some((columns, lines))
}

/// Standard output without the standard library's buffer, which nobody wipes.
pub fn stdout() -> io::Result<File> {
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

/// Standard error, to be written to with a look whether it takes anything.
pub fn stderr() -> io::Result<File> {
    Ok(File::from(io::stderr().as_fd().try_clone_to_owned()?))
}

/// Waits until `source` has bytes or an end; false if `patience` ran out first.
pub fn wait_readable(source: BorrowedFd<'_>, patience: Duration) -> io::Result<bool> {
    wait(source, PollFlags::IN, patience)
}

/// Waits until `sink` takes bytes, or nobody reads them any more; false if `patience` ran out first.
pub fn wait_writable(sink: BorrowedFd<'_>, patience: Duration) -> io::Result<bool> {
    wait(sink, PollFlags::OUT, patience)
}

fn wait(file: BorrowedFd<'_>, event: PollFlags, patience: Duration) -> io::Result<bool> {
    let until = monotonic_now() + patience;
    loop {
        let left = until.saturating_sub(monotonic_now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut [PollFd::from_borrowed_fd(file, event)], Some(&left)) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
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
    use super::*;

    #[test]
    fn a_folders_name_adds_nothing_to_an_address() {
        for (socket, address) in [
            (&b"/run/user/1000/bus"[..], "unix:path=/run/user/1000/bus"),
            (
                b"/a;unixexec:path=/b/bus",
                "unix:path=/a%3bunixexec%3apath%3d/b/bus",
            ),
            (b"/a,b%20/\xFF/bus", "unix:path=/a%2cb%2520/%ff/bus"),
        ] {
            let socket = Path::new(std::ffi::OsStr::from_bytes(socket));
            assert_eq!(bus_address(socket), address);
        }
    }
}
