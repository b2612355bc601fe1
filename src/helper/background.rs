//! Starting the background look-up: a process of our own that `store` does not wait for.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use crate::config::Flags;
use crate::credential::description::Description;
use crate::credential::key::Key;
use crate::platform::own_program;
use crate::protocol::write;
use crate::secret::Buffer;

/// The word that our own program is started with; not for people.
pub const COMMAND: &str = "look-up-one";
/// A pipe holds this much without a reader (pipe(7)), so that writing never waits. A longer key is not looked up.
const LONGEST: usize = 4096;

/// Starts it for the token of `key`, which is all it is told: the secret it fetches for itself.
pub fn start(flags: &Flags, key: &Key) -> io::Result<()> {
    let mut text = Buffer::with_capacity(LONGEST);
    let written = write::description(&Description::of(key), &mut text);
    if written.is_err() || text.as_slice().len() > LONGEST {
        return Ok(());
    }
    let (input, mut told) = io::pipe()?;
    told.write_all(text.as_slice())?;
    drop(told);
    Command::new(own_program()?)
        .arg0("git-credential-pat")
        .args(flags.arguments())
        .arg(COMMAND)
        .current_dir("/")
        .stdin(Stdio::from(input))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map(drop)
}
