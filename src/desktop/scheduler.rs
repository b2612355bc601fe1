//! The program of this system that runs a command once a day for the user.

/// The program, and what only the system knows of it. Each system makes one of these.
#[allow(dead_code, reason = "each system makes one of them")]
#[derive(Debug)]
pub(crate) enum Scheduler {
    /// systemd's manager of the user.
    Systemd,
    /// launchd, with the user's domain target (launchctl(1)), such as `gui/501`.
    Launchd(String),
    /// The Task Scheduler of Windows, with the user's SID.
    Tasks(String),
}

#[cfg(all(unix, not(target_os = "macos")))]
pub(crate) fn scheduler() -> Scheduler {
    Scheduler::Systemd
}

#[cfg(target_os = "macos")]
pub(crate) fn scheduler() -> Scheduler {
    Scheduler::Launchd(format!("gui/{}", crate::platform::effective_uid()))
}

#[cfg(windows)]
pub(crate) fn scheduler() -> Scheduler {
    let user = crate::platform::user::User::of_process();
    Scheduler::Tasks(user.and_then(|user| user.name()).unwrap_or_default())
}
