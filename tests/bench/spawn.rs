//! Starts one process by `posix_spawn`, waits for it, and returns its time and its page faults.
//!
//! `std::process` is not used for what is measured: it costs more than the helpers do, and does not return the page faults.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, OsStr, OsString};
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::ptr;
use std::time::{Duration, Instant};

const NULL: &CStr = c"/dev/null";

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
        let arguments = pointers(&self.words);
        let environment = pointers(&self.environment);
        let set_up = SetUp::new(&self.input);
        let (mut process, mut status) = (0, 0);
        let mut usage = MaybeUninit::<libc::rusage>::zeroed();
        let start = Instant::now();
        // SAFETY: the strings, both lists (each ends with a null pointer) and the set-up live until the call returns.
        let error = unsafe {
            libc::posix_spawn(
                &raw mut process,
                arguments[0],
                &raw const set_up.actions,
                &raw const set_up.attributes,
                arguments.as_ptr(),
                environment.as_ptr(),
            )
        };
        assert_eq!(error, 0, "cannot start {:?}", self.words[0]);
        // SAFETY: the status and the usage are written to variables of their types.
        let ended = unsafe { libc::wait4(process, &raw mut status, 0, usage.as_mut_ptr()) };
        let time = start.elapsed();
        assert_eq!(ended, process, "cannot wait for {:?}", self.words[0]);
        assert_eq!(status, 0, "{:?} failed", self.words);
        // SAFETY: all zero bits are a valid `rusage`, and wait4 has written one.
        let usage = unsafe { usage.assume_init() };
        Measured {
            time,
            faults: u64::try_from(usage.ru_minflt).unwrap(),
        }
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
                    start_line.read_exact(&mut [0]).unwrap();
                    let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap();
                    let times = (0..each).map(|_| nanoseconds(self.measure().time).to_le_bytes());
                    report
                        .write_all(&times.collect::<Vec<_>>().concat())
                        .unwrap();
                    // SAFETY: nothing of the copy is needed any more, and no destructor of the original's values may run.
                    unsafe { libc::_exit(0) }
                }
                _ => results.push(result),
            }
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

/// The descriptors and signals of the new process.
struct SetUp {
    actions: libc::posix_spawn_file_actions_t,
    attributes: libc::posix_spawnattr_t,
}

impl SetUp {
    fn new(input: &CStr) -> Self {
        let mut actions = MaybeUninit::uninit();
        let mut attributes = MaybeUninit::uninit();
        let mut signals = MaybeUninit::uninit();
        // SAFETY: each object is initialised by its own call before it is used. The paths live as long as the calls, which
        // copy them. SIGPIPE is reset, since Rust ignores it in this process.
        unsafe {
            assert_eq!(libc::posix_spawn_file_actions_init(actions.as_mut_ptr()), 0);
            let actions = actions.as_mut_ptr();
            for (descriptor, path, flags) in [
                (0, input, libc::O_RDONLY),
                (1, NULL, libc::O_WRONLY),
                (2, NULL, libc::O_WRONLY),
            ] {
                let error = libc::posix_spawn_file_actions_addopen(
                    actions,
                    descriptor,
                    path.as_ptr(),
                    flags,
                    0,
                );
                assert_eq!(error, 0);
            }
            assert_eq!(libc::posix_spawnattr_init(attributes.as_mut_ptr()), 0);
            libc::sigemptyset(signals.as_mut_ptr());
            libc::sigaddset(signals.as_mut_ptr(), libc::SIGPIPE);
            libc::posix_spawnattr_setsigdefault(attributes.as_mut_ptr(), signals.as_ptr());
            let flags = libc::c_short::try_from(libc::POSIX_SPAWN_SETSIGDEF).unwrap();
            libc::posix_spawnattr_setflags(attributes.as_mut_ptr(), flags);
        }
        // SAFETY: both were initialised above.
        unsafe {
            Self {
                actions: actions.assume_init(),
                attributes: attributes.assume_init(),
            }
        }
    }
}

impl Drop for SetUp {
    fn drop(&mut self) {
        // SAFETY: both were initialised in `new`, and are not used again.
        unsafe {
            libc::posix_spawn_file_actions_destroy(&raw mut self.actions);
            libc::posix_spawnattr_destroy(&raw mut self.attributes);
        }
    }
}

fn text(text: &OsStr) -> CString {
    CString::new(text.as_bytes()).unwrap()
}

/// The strings as C takes them. It does not change them, whatever the type says.
fn pointers(texts: &[CString]) -> Vec<*mut libc::c_char> {
    let texts = texts.iter().map(|text| text.as_ptr().cast_mut());
    texts.chain([ptr::null_mut()]).collect()
}
