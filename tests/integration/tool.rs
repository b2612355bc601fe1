//! The programs of others that the tests need.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where `tool` is. A test that needs one that is missing fails, and says how to mend it.
pub fn need(tool: &str) -> PathBuf {
    find(tool).unwrap_or_else(|| {
        panic!("{tool} is not installed: tests/run installs what the tests need, or leaves out the tests that need it")
    })
}

/// The first of that name on `PATH`, or where system daemons are kept.
pub fn find(tool: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(system)
        .map(|folder| folder.join(tool))
        .find(|program| is_executable(program))
}

/// Says past the test's capture that something was not tested, and why. In CI that is a failure.
#[track_caller]
pub fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "not tested: {why}");
    let _ = writeln!(std::io::stderr(), "NOT TESTED: {why}");
}

/// Whether the tests run as root, who can give files away; if not, says so.
#[track_caller]
pub fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        skip("only root can act for two users");
    }
    is_root
}

fn is_executable(program: &Path) -> bool {
    program
        .metadata()
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
