//! What people ask for. The tasks do not know each other.

pub mod accounts;
pub mod calls;
pub mod clean;
pub mod doctor;
pub mod import;
pub mod location;
pub mod login;
pub mod reminder;
pub mod rotation;
pub mod setup;
pub mod status;
pub mod target;
