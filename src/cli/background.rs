//! The background look-up that `store` starts: one request about one token, without a message.

use std::process::ExitCode;
use std::time::Duration;

use crate::config::{Flags, Settings};
use crate::helper::Helper;
use crate::helper::lookup::Lookup;
use crate::protocol::read::{self, AttributeLines};
use crate::{platform, time};

/// The process ends after this many seconds, even if a call hangs.
const LIFE: u32 = 10;

/// Leaves the caller behind. Runs before any file is opened: all inherited descriptors are closed.
pub(super) fn detach() {
    platform::close_inherited();
    platform::end_after(LIFE);
    platform::harden();
    platform::leave_session();
}

/// Asks about the entry that standard input names.
pub(super) fn run(flags: Flags) -> ExitCode {
    if look_up(flags).is_some() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn look_up(flags: Flags) -> Option<()> {
    let mut input = platform::stdin().ok()?;
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
