//! Starts one process by `vfork` and `execve`, waits for it, and returns its time and its page faults.
//!
//! `std::process` and `posix_spawn` are not used for what is measured: they cost as much as the helpers do, and `std::process` does
//! not return the page faults.
#![allow(unsafe_code)]

use std::ffi::{CString, OsStr, OsString, c_int};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::ptr;
use std::time::{Duration, Instant};

const NULL: &str = "/dev/null";

/// A process to start, as often as needed: its input comes from a file, and its output goes to `/dev/null`.
pub struct Spawn {
    words: Vec<CString>,
    environment: Vec<CString>,
    input: CString,
}

#[derive(Clone, Copy)]
pub struct Measured {
    /// From before the start until the process has been waited for.
    pub time: Duration,
    /// Page faults that needed no reading from disk (`ru_minflt`).
    pub faults: u64,
}

impl Spawn {
    /// `words` begins with the absolute path of the program.
    pub fn new(words: &[OsString], environment: &[(String, PathBuf)], input: &Path) -> Self {
        let variable = |(name, value): &(String, PathBuf)| {
            let mut pair = OsString::from(name);
            pair.push("=");
            pair.push(value);
            text(&pair)
        };
        Self {
            words: words.iter().map(|word| text(word)).collect(),
            environment: environment.iter().map(variable).collect(),
            input: text(input.as_os_str()),
        }
    }

    /// Runs it once and measures it. Panics if it fails.
    pub fn measure(&self) -> Measured {
        Prepared::new(self).measure()
    }

    /// As `measure`, with the kernel's address randomisation off: the number of page faults is then stable.
    pub fn measure_at_fixed_addresses(&self) -> Measured {
        const QUERY: libc::c_ulong = 0xffff_ffff;
        // SAFETY: both calls change one flag of this thread, which only programs that it starts later can see.
        let before = unsafe { libc::personality(QUERY) };
        let before = libc::c_ulong::try_from(before).unwrap();
        let fixed = before | libc::c_ulong::try_from(libc::ADDR_NO_RANDOMIZE).unwrap();
        // SAFETY: as above. A container may forbid the call: the least of many runs is then a little less stable.
        unsafe { libc::personality(fixed) };
        let measured = self.measure();
        // SAFETY: as above.
        unsafe { libc::personality(before) };
        measured
    }

    /// Has so many clients, each a process of its own, run it again and again, `each` times. Returns the time of all together, and
    /// that of each run. Threads of one process would wait for each other: starting a process changes the memory map of all.
    pub fn crowd(&self, clients: usize, each: usize) -> (Duration, Vec<Duration>) {
        let (mut start_line, mut whistle) = io::pipe().unwrap();
        let mut results = Vec::new();
        for _ in 0..clients {
            let (result, mut report) = io::pipe().unwrap();
            // SAFETY: this process has one thread, so its copy may do whatever it may.
            match unsafe { libc::fork() } {
                -1 => panic!("cannot start a client"),
                0 => {
                    // The first run causes copies of pages that this process shares with the harness: it is not counted.
                    let mut prepared = Prepared::new(self);
                    prepared.measure();
                    report.write_all(&[0]).unwrap();
                    start_line.read_exact(&mut [0]).unwrap();
                    let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap();
                    let mut times = Vec::with_capacity(each);
                    for _ in 0..each {
                        times.push(nanoseconds(prepared.measure().time).to_le_bytes());
                    }
                    report.write_all(&times.concat()).unwrap();
                    // SAFETY: nothing of the copy is needed any more, and no destructor of the original's values may run.
                    unsafe { libc::_exit(0) }
                }
                _ => results.push(result),
            }
        }
        for result in &mut results {
            result.read_exact(&mut [0]).expect("a client failed");
        }
        let start = Instant::now();
        whistle.write_all(&vec![0; clients]).unwrap();
        let mut times = Vec::new();
        for mut result in results {
            let mut bytes = Vec::new();
            result.read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes.len(), each * 8, "a client failed");
            let (chunks, _) = bytes.as_chunks::<8>();
            times.extend(
                chunks
                    .iter()
                    .map(|&time| Duration::from_nanos(u64::from_le_bytes(time))),
            );
        }
        let took = start.elapsed();
        for _ in 0..clients {
            // SAFETY: no status is asked for.
            unsafe { libc::wait(ptr::null_mut()) };
        }
        (took, times)
    }

    /// The same process for `std::process`, started by the program and words of `before` if there are any.
    pub fn command(&self, before: &[&str]) -> Command {
        let own = self
            .words
            .iter()
            .map(|word| OsStr::from_bytes(word.as_bytes()));
        let mut words = before.iter().map(OsStr::new).chain(own);
        let mut command = Command::new(words.next().unwrap());
        command.args(words).env_clear();
        for pair in &self.environment {
            let mut parts = pair.as_bytes().splitn(2, |&byte| byte == b'=');
            let [name, value] = [(); 2].map(|()| OsStr::from_bytes(parts.next().unwrap()));
            command.env(name, value);
        }
        let input = Path::new(OsStr::from_bytes(self.input.as_bytes()));
        command.stdin(std::fs::File::open(input).unwrap());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

/// A process whose start is prepared once: among many clients, the harness shares the processors with what it measures.
struct Prepared<'a> {
    spawn: &'a Spawn,
    arguments: Vec<*mut libc::c_char>,
    environment: Vec<*mut libc::c_char>,
    input: File,
    null: File,
    stack: Vec<u128>,
}

impl<'a> Prepared<'a> {
    fn new(spawn: &'a Spawn) -> Self {
        Self {
            spawn,
            arguments: pointers(&spawn.words),
            environment: pointers(&spawn.environment),
            input: File::open(OsStr::from_bytes(spawn.input.as_bytes())).unwrap(),
            null: File::options().write(true).open(NULL).unwrap(),
            stack: vec![0; 1024],
        }
    }

    /// Runs the process once and measures it. Panics if it fails.
    fn measure(&mut self) -> Measured {
        self.input.rewind().unwrap();
        let mut call = Call {
            arguments: &self.arguments,
            environment: &self.environment,
            input: self.input.as_raw_fd(),
            null: self.null.as_raw_fd(),
        };
        let words = &self.spawn.words;
        let mut status = 0;
        let mut usage = MaybeUninit::<libc::rusage>::zeroed();
        let start = Instant::now();
        // SAFETY: as vfork(2), with a stack of its own for the new process: it shares the memory, and this thread waits until it
        // has called `execve`. A stack begins at its end.
        let process = unsafe {
            libc::clone(
                execute,
                self.stack.as_mut_ptr_range().end.cast(),
                libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD,
                (&raw mut call).cast(),
            )
        };
        assert!(process > 0, "cannot start {:?}", words[0]);
        // SAFETY: the status and the usage are written to variables of their types.
        let ended = unsafe { libc::wait4(process, &raw mut status, 0, usage.as_mut_ptr()) };
        let time = start.elapsed();
        assert_eq!(ended, process, "cannot wait for {:?}", words[0]);
        assert_eq!(status, 0, "{words:?} failed");
        // SAFETY: all zero bits are a valid `rusage`, and wait4 has written one.
        let usage = unsafe { usage.assume_init() };
        Measured {
            time,
            faults: u64::try_from(usage.ru_minflt).unwrap(),
        }
    }
}

/// What the new process executes.
struct Call<'a> {
    arguments: &'a [*mut libc::c_char],
    environment: &'a [*mut libc::c_char],
    input: c_int,
    null: c_int,
}

/// The new process until its program begins. Returns only if that fails.
extern "C" fn execute(call: *mut libc::c_void) -> c_int {
    // SAFETY: `Prepared::measure` passes a call, whose lists end with null pointers and which lives until `execve`. Only system calls are
    // made. SIGPIPE is reset, since Rust ignores it in this process.
    unsafe {
        let call = &*call.cast::<Call<'_>>();
        libc::dup2(call.input, 0);
        libc::dup2(call.null, 1);
        libc::dup2(call.null, 2);
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        libc::execve(
            call.arguments[0],
            call.arguments.as_ptr().cast(),
            call.environment.as_ptr().cast(),
        );
    }
    127
}

fn text(text: &OsStr) -> CString {
    CString::new(text.as_bytes()).unwrap()
}

/// The strings as C takes them. It does not change them, whatever the type says.
fn pointers(texts: &[CString]) -> Vec<*mut libc::c_char> {
    let texts = texts.iter().map(|text| text.as_ptr().cast_mut());
    texts.chain([ptr::null_mut()]).collect()
}
