//! Shows a notification on macOS by `osascript`. The system names "Script Editor" as its sender.

use std::process::{Command, Stdio};

use super::notification::{Notification, NotifyError};

/// The texts are arguments, so that none of them is read as code.
const SCRIPT: [&str; 3] = [
    "on run argv",
    "display notification (item 2 of argv) with title (item 1 of argv)",
    "end run",
];

pub(super) fn send(notifications: &[Notification]) -> Result<(), NotifyError> {
    for Notification { summary, body } in notifications {
        let mut command = Command::new("/usr/bin/osascript");
        for line in SCRIPT {
            command.args(["-e", line]);
        }
        command.args(["--", summary, body]).stdin(Stdio::null());
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        let status = status.map_err(|_| NotifyError::NotStarted("osascript"))?;
        if !status.success() {
            return Err(NotifyError::Refused("an error of osascript".to_owned()));
        }
    }
    Ok(())
}
