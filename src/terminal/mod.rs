//! The terminal: text made safe to show.

pub mod escape;
