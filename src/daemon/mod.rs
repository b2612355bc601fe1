//! The memory daemon: credentials that live for a while in a process of their own.

pub(crate) mod client;
pub(crate) mod condition;
pub(crate) mod connect;
mod connection;
pub(crate) mod exchange;
pub mod header;
mod insertions;
pub mod message;
mod place;
pub(crate) mod server;
pub(crate) mod transport;
