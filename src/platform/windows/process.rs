//! This process, the programs that it runs, and the clock.
#![allow(unsafe_code)]

use std::ffi::OsString;
use std::os::windows::ffi::OsStringExt;
use std::os::windows::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use windows_sys::Win32::System::SystemInformation::{
    ComputerNamePhysicalNetBIOS, GetComputerNameExW, GetTickCount64,
};
use windows_sys::Win32::System::Threading::{CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW};

/// Whether names of variables that differ only in case are one name.
pub const FOLDS_NAMES: bool = true;

/// In units, with room to spare: a `NetBIOS` name has at most 15.
const LONGEST_NAME: usize = 64;

/// Time since the machine started, suspended time included, so that eight hours of sleep count as eight hours. It counts in
/// steps of 10 to 16 ms.
pub fn monotonic_now() -> Duration {
    // SAFETY: the call takes nothing.
    Duration::from_millis(unsafe { GetTickCount64() })
}

/// Time since 1970 in UTC.
pub fn unix_now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// Does nothing: a process of this program inherits only its standard streams, see [`super::start_own`].
pub fn close_inherited() {}

/// Has a program lead a process group of its own, which Ctrl-C does not reach, without a window.
pub fn own_group(command: &mut Command) -> &mut Command {
    command.creation_flags(CREATE_NEW_PROCESS_GROUP | CREATE_NO_WINDOW)
}

/// Ends a program. Programs that it started go on: their output is read by a thread that this process leaves behind.
pub fn end_group(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// Whether this process runs as root. False: Windows has no such user.
pub fn is_root() -> bool {
    false
}

/// This host's name, to keep apart two hosts that share one home folder. `COMPUTERNAME` holds the same name, but a process may
/// be started without that variable.
pub fn host_name() -> OsString {
    let mut name = [0; LONGEST_NAME];
    let mut length = u32::try_from(name.len()).unwrap_or_default();
    // SAFETY: `name` has room for `length` units. On success, the call sets `length` to their number without the final zero.
    let is_told = unsafe {
        GetComputerNameExW(
            ComputerNamePhysicalNetBIOS,
            name.as_mut_ptr(),
            &raw mut length,
        )
    };
    let count = usize::try_from(length).unwrap_or_default();
    match name.get(..count) {
        Some(name) if is_told != 0 => OsString::from_wide(name),
        _ => OsString::new(),
    }
}

/// Does nothing: the process was started without a console of its caller.
pub fn leave_session() {}

/// Returns the signal that ended a process: 0, since Windows has none.
pub fn signal_of(_: ExitStatus) -> i32 {
    0
}
