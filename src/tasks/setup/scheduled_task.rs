//! The reminder as a scheduled task of Windows (Task Scheduler schema): its XML, and the commands that start and stop it.

use std::ffi::OsStr;
use std::path::Path;

use super::failure::Error;
use super::schedule::{Schedule, SchedulerStep, xml};
use super::unit::{Unit, UnitMark};
use crate::terminal::escape::is_plain;

/// Before the user's SID: all users' tasks without a folder of their own have one list of names.
const NAME: &str = "git-credential-pat-reminder-";

/// The file has only ASCII and names no encoding, so that `schtasks` cannot mistake it. The task runs while its user is signed in,
/// also on battery, and makes up for a time that the machine was off.
const TEXT: &str = r#"<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>Check the personal access tokens of git, and notify of those that expire soon</Description>
  </RegistrationInfo>
  <Triggers>
    <CalendarTrigger>
      <StartBoundary>2026-01-01T09:00:00</StartBoundary>
      <ScheduleByDay>
        <DaysInterval>1</DaysInterval>
      </ScheduleByDay>
    </CalendarTrigger>
  </Triggers>
  <Principals>
    <Principal>
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable>
    <ExecutionTimeLimit>PT5M</ExecutionTimeLimit>
  </Settings>
  <Actions>
    <Exec>
      <Command>@PROGRAM@</Command>
      <Arguments>@ARGUMENTS@</Arguments>
    </Exec>
  </Actions>
</Task>
"#;

/// `data`: this program's own folder. `user`: the user's SID.
pub(super) fn schedule(data: &Path, user: &str) -> Schedule {
    let name = format!("{NAME}{user}");
    let path = data.join("reminder.xml");
    let words = ["/Create", "/F", "/TN", &name, "/XML"].map(OsStr::new);
    let create = [&words[..], &[path.as_ref()]].concat();
    Schedule {
        program: "schtasks",
        kind: "a scheduled task",
        missing: "add the folder System32 of Windows to PATH".to_owned(),
        not_started: "see the Task Scheduler for its reason, and run this again",
        still_runs: "remove it in the Task Scheduler",
        start: vec![SchedulerStep::of(&create)],
        stop: vec![SchedulerStep::of(&["/Delete", "/F", "/TN", &name])],
        forget: Vec::new(),
        leftover: None,
        paths: vec![path],
        // cmd and PowerShell read quotation marks as the program does.
        word: |word| argument(&String::from_utf8_lossy(word)),
    }
}

/// Returns the file of [`schedule`].
pub(super) fn units(schedule: &Schedule, command: &[&OsStr]) -> Result<Vec<Unit>, Error> {
    let mut words = Vec::new();
    for word in command {
        let word = word.to_str().filter(|text| text.chars().all(is_plain));
        words.push(word.ok_or(Error::Invisible)?);
    }
    let (program, arguments) = words.split_first().ok_or(Error::Invisible)?;
    let arguments: Vec<String> = arguments.iter().map(|word| argument(word)).collect();
    let text = TEXT
        .replace("@ARGUMENTS@", &xml(&arguments.join(" ")))
        .replace("@PROGRAM@", &xml(program));
    let paths = schedule.paths.iter();
    Ok(paths
        .map(|path| Unit::new(path, UnitMark::Xml, "", &text))
        .collect())
}

/// Quotes an argument as the C library of Windows reads it (`CommandLineToArgvW`).
fn argument(word: &str) -> String {
    if !word.is_empty() && !word.contains([' ', '\t', '"']) {
        return word.to_owned();
    }
    let mut quoted = String::from("\"");
    let mut backslashes = 0;
    for character in word.chars() {
        match character {
            '\\' => backslashes += 1,
            '"' => {
                quoted.push_str(&"\\".repeat(backslashes + 1));
                backslashes = 0;
            }
            _ => backslashes = 0,
        }
        quoted.push(character);
    }
    // Those before the closing quote.
    quoted.push_str(&"\\".repeat(backslashes));
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_quoted_as_windows_reads_them() {
        for (word, expected) in [
            ("check", "check"),
            (r"C:\tokens", r"C:\tokens"),
            (r"C:\my tokens", r#""C:\my tokens""#),
            (r"C:\my tokens\", r#""C:\my tokens\\""#),
            ("", r#""""#),
            (r#"a"b"#, r#""a\"b""#),
            (r#"a\"b c"#, r#""a\\\"b c""#),
        ] {
            assert_eq!(argument(word), expected, "{word}");
        }
    }

    #[test]
    fn the_task_names_the_program_and_its_arguments() {
        let schedule = schedule(r"C:\Users\o c".as_ref(), "S-1-5-21");
        let command = [r"C:\Program & Files\ü.exe", "--file", r"D:\my t", "check"];
        let command: Vec<&OsStr> = command.iter().map(OsStr::new).collect();
        let text = units(&schedule, &command).unwrap().remove(0).text;
        for part in [
            r"<Command>C:\Program &amp; Files\&#252;.exe</Command>",
            r"<Arguments>--file &quot;D:\my t&quot; check</Arguments>",
            "<LogonType>InteractiveToken</LogonType>",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(text.is_ascii() && !text.contains('@'), "{text}");
        let words: Vec<_> = schedule.start[0].words.iter().collect();
        let name = "git-credential-pat-reminder-S-1-5-21";
        assert_eq!(words[..5], ["/Create", "/F", "/TN", name, "/XML"]);
        let shown = schedule.shown(&schedule.start[0]);
        assert!(shown.contains(r#" "C:\Users\o c"#), "{shown}");
        assert!(words[5].to_string_lossy().ends_with("reminder.xml"));
    }
}
