//! The table of faults, `tests/faults/run`: no line of ours may fail.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::process::run_within;
use crate::sandbox::PROGRAM;
use crate::tool;

#[test]
fn no_line_of_the_table_fails() {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/run");
    let mut command = Command::new(tool::need("python3"));
    command.arg(table).arg(PROGRAM).arg("--no-git");
    let output = run_within(Duration::from_secs(900), &mut command, b"");
    assert!(
        output.status.success(),
        "{}{}",
        output.text(),
        output.stderr
    );
    // What was left out, and why.
    for line in output.text().lines().filter(|line| line.ends_with("skip")) {
        eprintln!("{line}");
    }
}
