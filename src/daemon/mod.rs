//! The memory daemon: credentials that live for a while in a process of their own.

pub mod client;
pub mod condition;
pub mod connect;
mod connection;
pub mod message;
mod place;
pub mod server;
