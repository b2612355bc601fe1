//! Tells git to call this helper, and takes that back.

pub mod change;
mod draft;
pub mod failure;
pub mod install;
mod launch_agent;
pub mod others;
pub mod paths;
mod record;
pub mod reminder;
mod schedule;
mod scheduled_task;
mod scheduler;
pub mod scope;
mod systemd;
pub mod undo;
mod unit;
