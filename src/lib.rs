//! git-credential-pat: a Git credential helper for people who use personal access tokens.
//!
//! The house, from the roof down. A file imports only from the floors below its own (`docs/architecture.md`).
#![cfg_attr(test, allow(clippy::unwrap_used))]

// What people see.
pub mod cli;

// Policy.
pub mod helper;

// Sources of knowledge.
pub mod cache;
pub mod config;
pub mod journal;
pub mod neighbour;
pub mod places;
pub mod traces;

// Where credentials are kept, and who issues them.
pub mod forge;
pub mod storage;

// The wire.
pub mod protocol;

// The words.
pub mod credential;

// The ground.
pub mod foreign;
pub mod git;
pub mod helper_line;
pub mod network;
pub mod plain;
pub mod platform;
pub mod private;
pub mod secret;
pub mod time;
pub mod yaml;
