//! The end-to-end tests: the program itself, behind real gits, with real servers and keyrings. `tests/run` runs them all.
#![allow(clippy::unwrap_used, clippy::print_stderr, unreachable_pub)]

// What the tests stand on.
mod alone;
mod askpass;
mod attributes;
mod flow;
mod git;
mod https;
mod keyring;
mod marks;
mod process;
mod sandbox;
mod scene;
mod script;
mod terminal;
mod tool;

// The tests.
mod accounts;
mod bounds;
mod callers;
mod commands;
mod completions;
mod conflicts;
mod conformance;
mod corpus;
mod fallback;
mod faults;
mod file_faults;
mod file_owners;
mod foreign_bus;
mod forge;
mod git_flow;
mod import_law;
mod import_sources;
mod install;
mod keychain;
mod last_use;
mod logout;
mod lookups;
mod manual;
mod nameless;
mod neighbours;
mod notifications;
mod odd_keyrings;
mod password_managers;
mod pasted;
mod pasting;
mod pictures;
mod protocol_corpus;
mod races;
mod refreshes;
mod second_chances;
mod setup;
mod shown;
mod silence;
mod single_flight;
mod slow_commands;
mod slow_git;
mod stateful;
mod token;
mod token_as_user;
mod transcripts;
mod usage;
mod warnings;
mod whereabouts;
