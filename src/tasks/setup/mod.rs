//! Tells git to call this helper, and takes that back.

pub mod change;
mod draft;
pub mod failure;
pub mod install;
pub mod others;
pub mod paths;
mod record;
pub mod reminder;
pub mod scope;
mod systemctl;
pub mod undo;
mod unit;
