//! git-credential-pat: a Git credential helper for people who use personal access tokens.
//!
//! The rooms, from the roof down. Each room imports only from the rooms that the law lists (`docs/architecture.md`).
#![cfg_attr(test, allow(clippy::unwrap_used))]

// Arguments in, text out.
pub mod cli;

// What people ask for.
pub mod tasks;

// What git asks for.
pub mod helper;

// Sources of knowledge, and where credentials are kept.
pub mod config;
pub mod daemon;
pub mod forge;
pub mod journal;
pub mod neighbour;
pub mod storage;

// git's attribute lines, and the values in them.
pub mod credential;
pub mod protocol;

// The ground.
pub mod files;
pub mod git;
pub mod platform;
pub mod secret;
pub mod terminal;
pub mod time;
