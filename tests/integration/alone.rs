//! A test in a process of its own, which inherits what its programs leave behind: so nothing they start can hide.

use std::fs;
use std::process::Command;

use crate::process::{self, DEADLINE};
use rustix::process::{Pid, getpid, set_child_subreaper};

const MARK: &str = "PAT_TEST_ALONE";

/// Runs `test` in a new process of this test binary, which runs only the test called `name`.
#[track_caller]
pub fn alone(name: &str, test: impl FnOnce()) {
    if std::env::var_os(MARK).is_some_and(|marked| marked == name) {
        set_child_subreaper(Some(getpid())).unwrap();
        return test();
    }
    let program = std::env::current_exe().unwrap();
    let mut command = Command::new(program);
    command
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(MARK, name);
    let output = process::run_within(5 * DEADLINE, &mut command, b"");
    let is_run = output.text().contains("1 passed");
    assert!(
        output.status.success() && is_run,
        "{}{}",
        output.text(),
        output.stderr
    );
}

/// The running processes whose parent we are now, with their names, but for git's own: since 2.47 `git maintenance` goes on
/// for a moment when fetch has ended.
pub fn children() -> Vec<(Pid, String)> {
    let own = getpid().as_raw_nonzero().get().to_string();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let child = |pid: i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // pid (name) state parent …; the name may hold anything.
        let (before, after) = stat.rsplit_once(')')?;
        let mut fields = after.split_whitespace();
        let (phase, parent) = (fields.next()?, fields.next()?);
        let name = before.split_once('(')?.1.to_owned();
        let is_running = parent == own && phase != "Z" && name != "git";
        is_running.then_some((Pid::from_raw(pid)?, name))
    };
    processes.filter_map(child).collect()
}
