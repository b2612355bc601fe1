//! The reminder as a timer of systemd: its units, and the commands that start and stop it.

use std::ffi::OsStr;
use std::path::Path;

use super::failure::Error;
use super::schedule::{Schedule, SchedulerStep};
use super::unit::{Unit, UnitMark};
use crate::terminal::escape::{is_plain, shell_word};

const SERVICE_TEXT: &str = "\
[Unit]
Description=Check the personal access tokens of git, and notify of those that expire soon

[Service]
Type=oneshot
Environment=GIT_TERMINAL_PROMPT=0
ExecStart=@COMMAND@
SuccessExitStatus=3 4 5
TimeoutStartSec=5min
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
";

/// The random delay also counts when a missed run is made up for at login: by then the desktop is there.
const TIMER_TEXT: &str = "\
[Unit]
Description=Daily check of the personal access tokens of git

[Timer]
OnCalendar=daily
Persistent=true
RandomizedDelaySec=30min

[Install]
WantedBy=timers.target
";

const SERVICE: &str = "git-credential-pat-reminder.service";
const TIMER: &str = "git-credential-pat-reminder.timer";

const NOT_STARTED: &str = "in a session of yours, run 'systemctl --user daemon-reload', and then \
    'systemctl --user enable --now git-credential-pat-reminder.timer'";
const STILL_RUNS: &str =
    "if it still runs, stop it with 'systemctl --user stop git-credential-pat-reminder.timer'";

/// `config`: the folder of the user's configuration. The units lie below it (systemd.unit(5)).
pub(super) fn schedule(config: &Path, missing: String) -> Schedule {
    let folder = config.join("systemd/user");
    let step = |words: &[&str]| SchedulerStep::of(&[&["--user"], words].concat());
    let reload = || step(&["daemon-reload"]);
    Schedule {
        program: "systemctl",
        kind: "a timer of systemd",
        missing,
        not_started: NOT_STARTED,
        still_runs: STILL_RUNS,
        paths: vec![folder.join(SERVICE), folder.join(TIMER)],
        start: vec![reload(), step(&["enable", "--now", TIMER])],
        stop: vec![step(&["disable", "--now", TIMER])],
        forget: vec![reload()],
        // The link by which `enable` starts the timer at login.
        word: shell_word,
        leftover: Some(folder.join("timers.target.wants").join(TIMER)),
    }
}

/// Returns the files of [`schedule`].
pub(super) fn units(schedule: &Schedule, command: &[&OsStr]) -> Result<Vec<Unit>, Error> {
    // systemd takes none of these in the path of a program (`string_is_safe` in its basic/string-util.c).
    let is_special = |byte: &u8| b"\"'\\".contains(byte);
    let program = command
        .first()
        .map_or(&b""[..], |path| path.as_encoded_bytes());
    if program.iter().any(is_special) {
        return Err(Error::UnitProgram);
    }
    let command = command_line(command).ok_or(Error::Invisible)?;
    let service = SERVICE_TEXT.replace("@COMMAND@", &command);
    let mut units = Vec::new();
    for (path, text) in schedule.paths.iter().zip([&*service, TIMER_TEXT]) {
        units.push(Unit::new(path, UnitMark::Hash, "", text));
    }
    Ok(units)
}

/// Writes a command as systemd reads it (systemd.service(5), "Command lines"; systemd.syntax(7), "Quoting"). `None`: a word is
/// not UTF-8, or holds a character that would not be visible in the file.
fn command_line(words: &[&OsStr]) -> Option<String> {
    let mut line = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let word = word.to_str().filter(|text| text.chars().all(is_plain))?;
        let mut quoted = String::new();
        for character in word.chars() {
            match character {
                '"' | '\\' => quoted.extend(['\\', character]),
                '%' => quoted.push_str("%%"),
                // In the path of the program, no variable is replaced.
                '$' if at > 0 => quoted.push_str("$$"),
                _ => quoted.push(character),
            }
        }
        let is_bare = |character: char| {
            character.is_ascii_alphanumeric() || "-_./:,+=@%$".contains(character)
        };
        let is_quoted = word.is_empty() || !quoted.chars().all(is_bare);
        line.push(if is_quoted {
            format!("\"{quoted}\"")
        } else {
            quoted
        });
    }
    Some(line.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_written_as_systemd_reads_them() {
        for (words, expected) in [
            (&["/usr/bin/x", "check"][..], Some("/usr/bin/x check")),
            (&["/a b/x"], Some("\"/a b/x\"")),
            (&["/a'b;#/x"], Some("\"/a'b;#/x\"")),
            (&["/a\"\\b/x"], Some("\"/a\\\"\\\\b/x\"")),
            (&["/100%/$HOME/x"], Some("/100%%/$HOME/x")),
            (&["/x", "${HOME}", ""], Some("/x \"$${HOME}\" \"\"")),
            (&["/é/x"], Some("\"/é/x\"")),
            (&["/a\nExecStartPre=/b"], None),
            (&["/x", "a\u{7f}"], None),
            (&["/x", "a\u{202e}"], None),
        ] {
            let words: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
            assert_eq!(command_line(&words).as_deref(), expected, "{words:?}");
        }
    }
}
