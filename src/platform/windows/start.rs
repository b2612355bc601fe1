//! The first steps of the program.

use super::console::show_colours;

/// Prepares the process. Rust's standard library has done the rest before `main`.
pub fn begin() {
    show_colours();
}
