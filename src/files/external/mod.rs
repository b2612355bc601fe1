//! Files of other programs: read within bounds, never those of another user, and changed under the lock that git itself takes.
//! A link of this user is followed, as git and gh follow it; the file at its end is the one that is checked and rewritten.

mod change;
mod file;
mod lock;

pub use self::change::{cut, remove, replace};
pub use self::file::{Sort, followed, names, read, read_as_its_reader};
pub use self::lock::GitLock;
