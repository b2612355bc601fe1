//! Shows notifications on Windows as toasts, by PowerShell. The system names "Windows PowerShell" as their sender.

use std::env;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use super::notification::{LIMIT, Notification, NotifyError};
use crate::platform::{end_group, monotonic_now, own_group};

/// Below the folder of Windows. PATH does not count: a program of another user may be there.
const POWERSHELL: &str = r"System32\WindowsPowerShell\v1.0\powershell.exe";

/// Reads two lines for each toast. They become text nodes, so that none of them is read as code or as XML. A toast needs the
/// identifier of an installed application, and PowerShell has one.
const SCRIPT: &str = "\
$ErrorActionPreference = 'Stop'; \
$null = [Windows.UI.Notifications.ToastNotificationManager, Windows.UI.Notifications, ContentType = WindowsRuntime]; \
$null = [Windows.UI.Notifications.ToastNotification, Windows.UI.Notifications, ContentType = WindowsRuntime]; \
$manager = [Windows.UI.Notifications.ToastNotificationManager]; \
$sender = '{1AC14E77-02E7-4E5D-B744-2EB1AE5198B7}\\WindowsPowerShell\\v1.0\\powershell.exe'; \
$notifier = $manager::CreateToastNotifier($sender); \
$lines = New-Object IO.StreamReader([Console]::OpenStandardInput(), [Text.Encoding]::UTF8); \
while ($null -ne ($summary = $lines.ReadLine())) { \
$xml = $manager::GetTemplateContent([Windows.UI.Notifications.ToastTemplateType]::ToastText02); \
$texts = $xml.GetElementsByTagName('text'); \
$null = $texts.Item(0).AppendChild($xml.CreateTextNode($summary)); \
$null = $texts.Item(1).AppendChild($xml.CreateTextNode([string] $lines.ReadLine())); \
$notifier.Show([Windows.UI.Notifications.ToastNotification]::new($xml)) }";

const STEP: Duration = Duration::from_millis(20);

pub(super) fn send(notifications: &[Notification]) -> Result<(), NotifyError> {
    let until = monotonic_now() + LIMIT;
    let windows = env::var_os("SYSTEMROOT").map(PathBuf::from);
    let program = windows
        .ok_or(NotifyError::NotStarted("PowerShell"))?
        .join(POWERSHELL);
    let mut command = Command::new(program);
    command.args(["-NoProfile", "-NonInteractive", "-Command", SCRIPT]);
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    let child = own_group(command.stderr(Stdio::null())).spawn();
    let mut child = child.map_err(|_| NotifyError::NotStarted("PowerShell"))?;
    if let Some(mut input) = child.stdin.take() {
        // If it does not read, its exit status says so.
        let _ = input.write_all(lines(notifications).as_bytes());
    }
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(None) if monotonic_now() < until => thread::sleep(STEP),
            Ok(None) => {
                end_group(&mut child);
                return Err(NotifyError::Silent);
            }
            _ => return Err(NotifyError::Refused("an error of PowerShell".to_owned())),
        }
    }
}

/// Two lines for each notification.
fn lines(notifications: &[Notification]) -> String {
    let mut text = String::new();
    for Notification { summary, body } in notifications {
        text.extend([summary, "\n", &body.replace('\n', " "), "\n"]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_is_two_lines() {
        let one = Notification {
            summary: "a".to_owned(),
            body: "b\nc".to_owned(),
        };
        assert_eq!(lines(&[one]), "a\nb c\n");
    }
}
