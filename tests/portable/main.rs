//! The end-to-end tests that run on every system, and under wine. `tests/integration` holds those for Unix.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "../integration/attributes.rs"]
mod attributes;
mod bench;
#[path = "../integration/conformance/cases.rs"]
mod cases;
mod command_line;
mod conformance;
#[cfg(windows)]
mod handles;
mod races;
mod sandbox;
