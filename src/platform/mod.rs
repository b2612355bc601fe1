//! The operating system behind one face: nothing above this room asks which system it runs on.

pub mod arena;
mod heap;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub use self::unix::*;
#[cfg(windows)]
pub use self::windows::*;
