//! The terminal: questions, and text made safe to show.

pub mod escape;
pub mod prompt;

use std::error::Error;

/// An error and its causes in one line.
pub fn with_causes(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", with_causes(cause)),
        None => error.to_string(),
    }
}
