//! The corpus of bad input, everywhere it can come in: the command line, the daemon's socket, the plaintext file.

mod at_rest;
mod case;
mod command;
mod socket;
