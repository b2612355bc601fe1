//! The background look-up that `store` starts: one request about one token, without a message.

use std::ffi::OsString;
use std::time::Duration;

use super::exit_code::ExitCode;
use super::tracing;
use crate::config::{Flags, Settings};
use crate::helper::Helper;
use crate::helper::lookup::Lookup;
use crate::helper::lookup::background::COMMAND;
use crate::protocol::read::{self, AttributeLines};
use crate::tasks::calls::gits_call;
use crate::{platform, time};

/// The process ends after this many seconds, even if a call hangs.
const LIFE: u32 = 10;

/// Makes the look-up, if `arguments` ask for one.
pub(super) fn answer(arguments: &[OsString]) -> Option<ExitCode> {
    (arguments.last()? == COMMAND).then(|| run(arguments))
}

/// Makes the look-up. Closes all inherited descriptors before it opens a file, so that the caller need not wait.
///
/// Not inlined: its stack and its code would cost git's calls page faults.
#[inline(never)]
fn run(arguments: &[OsString]) -> ExitCode {
    platform::close_inherited();
    platform::end_after(LIFE);
    platform::harden();
    platform::leave_session();
    // No user reads a message of this process.
    let _ = tracing::start(false);
    let is_done = gits_call(arguments).and_then(|call| look_up(call.flags));
    is_done.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

/// Asks about the entry that standard input names.
fn look_up(flags: Flags) -> Option<()> {
    let mut input = platform::stdin();
    let bytes = read::receive(&mut input).ok()?;
    let key = read::entry(AttributeLines::new(bytes.as_slice()))
        .ok()?
        .key()?;
    let settings = Settings::load(flags).ok()?;
    if !settings.looks_up {
        return None;
    }
    // No user would see a prompt of the keychain.
    let helper = Helper::new(&settings, Duration::ZERO);
    Lookup(&helper).look_up(&key, time::now()).ok()
}
