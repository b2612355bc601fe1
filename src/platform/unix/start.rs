//! What the program does before all else.

use super::memory::seal_tables;
use super::signals::{reset_signals, survive_file_limit};
use super::streams::open_missing_streams;

/// Prepares the process. The start of Rust's standard library, which this program leaves out, does a part of this.
pub fn begin() {
    seal_tables();
    open_missing_streams();
    reset_signals();
    survive_file_limit();
}
