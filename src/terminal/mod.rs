//! The terminal: questions, and text made safe to show.

pub mod escape;
pub mod prompt;
