//! The operating system behind one face: nothing above this room asks which system it runs on.

#[cfg(not(unix))]
compile_error!("git-credential-pat does not run on this system yet: see docs/architecture.md");

pub mod arena;
mod heap;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use self::unix::*;
