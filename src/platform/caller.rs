//! Which command we serve: git tells a helper nothing of it.

use std::time::Duration;

/// git's transport and its large files' ask a helper once for a command and hand its outcome back at the end: one process all
/// the time. As the system tells their names, cut off after 15 bytes (proc(5)).
#[cfg(target_os = "linux")]
const COMMANDS: [&[u8]; 2] = [b"git-remote-http", b"git-lfs"];

/// Between such a process and us stand at most a shell, git, and another helper that runs us.
#[cfg(target_os = "linux")]
const ANCESTORS: usize = 8;

/// When the git command that runs us began, on the clock of [`monotonic_now`](super::monotonic_now). `None`: no git command runs us, or
/// this system does not tell.
#[cfg(target_os = "linux")]
pub fn command_began() -> Option<Duration> {
    let ticks = u32::try_from(rustix::param::clock_ticks_per_second()).ok()?;
    let mut pid = rustix::process::getppid()?.as_raw_nonzero().get();
    for _ in 0..ANCESTORS {
        let process = Process::read(&stat_of(pid)?)?;
        if COMMANDS.contains(&&process.name[..]) {
            let began = Duration::from_secs(process.began / u64::from(ticks));
            let part = u32::try_from(process.began % u64::from(ticks)).ok()?;
            return Some(began + Duration::from_secs(1) * part / ticks);
        }
        pid = process.parent;
    }
    None
}

/// macOS and others have no such file, and no other way without a library of their own.
#[cfg(not(target_os = "linux"))]
pub fn command_began() -> Option<Duration> {
    None
}

#[cfg(target_os = "linux")]
fn stat_of(pid: i32) -> Option<Vec<u8>> {
    use std::io::Read;
    const LONGEST: u64 = 4096;
    let file = std::fs::File::open(format!("/proc/{pid}/stat")).ok()?;
    let mut text = Vec::with_capacity(512);
    file.take(LONGEST).read_to_end(&mut text).ok()?;
    Some(text)
}

/// What `/proc/PID/stat` tells.
#[cfg(target_os = "linux")]
#[derive(Debug, PartialEq, Eq)]
struct Process {
    name: Vec<u8>,
    parent: i32,
    /// In the system's ticks since it started.
    began: u64,
}

#[cfg(target_os = "linux")]
impl Process {
    /// The name stands in brackets, and may hold brackets and blanks itself.
    fn read(text: &[u8]) -> Option<Self> {
        let open = text.iter().position(|&byte| byte == b'(')?;
        let close = text.iter().rposition(|&byte| byte == b')')?;
        let name = text.get(open + 1..close)?.to_vec();
        let rest = str::from_utf8(text.get(close + 1..)?).ok()?;
        // By proc_pid_stat(5) the state is field 3, the parent 4 and the beginning 22.
        let mut fields = rest.split_ascii_whitespace().skip(1);
        let parent = fields.next()?.parse().ok().filter(|&parent| parent > 0)?;
        let began = fields.nth(17)?.parse().ok()?;
        Some(Self {
            name,
            parent,
            began,
        })
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    const REST: &str = "S 11 12 12 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2 3";

    #[test]
    fn a_name_may_look_like_more() {
        for name in ["git-remote-http", "a b", "a) S 1 (b", ""] {
            let text = format!("4711 ({name}) {REST}\n");
            let process = Process {
                name: name.as_bytes().to_vec(),
                parent: 11,
                began: 987_654,
            };
            assert_eq!(Process::read(text.as_bytes()), Some(process), "{name}");
        }
    }

    #[test]
    fn what_does_not_read_is_no_process() {
        for text in [
            "",
            "1",
            "1 (a",
            "1 a)",
            ")(",
            "1 (a) S",
            "1 (a) S 11 12",
            "1 (a) S x 12 12 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1",
            "1 (a) S 0 0 0 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1",
        ] {
            assert_eq!(Process::read(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn we_are_a_process_and_no_command() {
        let own = i32::try_from(std::process::id()).unwrap();
        let process = Process::read(&stat_of(own).unwrap()).unwrap();
        assert!(process.began > 0);
        let parent = rustix::process::getppid().unwrap();
        assert_eq!(process.parent, parent.as_raw_nonzero().get());
        assert_eq!(command_began(), None);
    }
}
