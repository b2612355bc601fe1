//! git-credential-pat: a Git credential helper for people who use personal access tokens.
//!
//! The rooms, from the roof down. Each room imports only from the rooms that the law lists (`docs/architecture.md`).
#![cfg_attr(test, allow(clippy::unwrap_used))]

// Arguments in, text out.
pub mod cli;

// What people ask for.
mod tasks;

// What git asks for.
mod helper;

// Sources of knowledge, and where credentials are kept.
mod config;
pub mod daemon;
mod desktop;
pub mod forge;
mod journal;
mod neighbour;
pub mod storage;

// git's attribute lines, and the values in them.
pub mod credential;
pub mod protocol;

// The ground.
mod files;
mod git;
mod platform;
pub mod secret;
pub mod terminal;
pub mod time;
mod trace;
