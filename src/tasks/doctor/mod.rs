//! Findings: why git gets no token, and what to do.

pub mod certificates;
pub mod chain;
pub mod diagnosis;
pub mod finding;
pub mod header;
pub mod local_checks;
pub mod netrc;
pub mod query;
pub mod remotes;
pub mod repository_check;
pub mod ssh;
pub mod token_check;
