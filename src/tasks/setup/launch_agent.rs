//! The reminder as a launch agent of macOS (launchd.plist(5)): its property list, and the commands that start and stop it.

use std::ffi::OsStr;
use std::path::Path;

use super::failure::Error;
use super::schedule::{Schedule, SchedulerStep, xml};
use super::unit::{Unit, UnitMark};
use crate::terminal::escape::{is_plain, shell_word};

const LABEL: &str = "git-credential-pat.reminder";

const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
"#;

/// Without a session that shows windows there is no notification, and the keychain is locked: so only in one. A time that the
/// machine slept through is made up for when it wakes.
const TEXT: &str = "\
<dict>
\t<key>Label</key>
\t<string>git-credential-pat.reminder</string>
\t<key>ProgramArguments</key>
\t<array>
@COMMAND@\t</array>
\t<key>EnvironmentVariables</key>
\t<dict>
\t\t<key>GIT_TERMINAL_PROMPT</key>
\t\t<string>0</string>
\t</dict>
\t<key>StartCalendarInterval</key>
\t<dict>
\t\t<key>Hour</key>
\t\t<integer>9</integer>
\t\t<key>Minute</key>
\t\t<integer>0</integer>
\t</dict>
\t<key>LimitLoadToSessionType</key>
\t<string>Aqua</string>
\t<key>ProcessType</key>
\t<string>Background</string>
\t<key>Umask</key>
\t<integer>63</integer>
</dict>
</plist>
";

/// `domain`: the user's, such as `gui/501`.
pub(super) fn schedule(home: &Path, domain: &str) -> Schedule {
    let path = home
        .join("Library/LaunchAgents")
        .join(format!("{LABEL}.plist"));
    let target = format!("{domain}/{LABEL}");
    // launchd refuses to load an agent twice.
    let unload = || SchedulerStep::of(&["bootout", &target]).that_may_fail();
    let load = [OsStr::new("bootstrap"), domain.as_ref(), path.as_ref()];
    Schedule {
        program: "launchctl",
        kind: "an agent of launchd",
        missing: "add the folder /bin to PATH".to_owned(),
        not_started: "sign in at the screen of this computer, and run this again",
        still_runs: "it ends when you sign out",
        start: vec![unload(), SchedulerStep::of(&load)],
        stop: vec![unload()],
        forget: Vec::new(),
        word: shell_word,
        leftover: None,
        paths: vec![path],
    }
}

/// Returns the file of [`schedule`].
pub(super) fn units(schedule: &Schedule, command: &[&OsStr]) -> Result<Vec<Unit>, Error> {
    let mut words = String::new();
    for word in command {
        let word = word.to_str().filter(|text| text.chars().all(is_plain));
        let word = xml(word.ok_or(Error::Invisible)?);
        words.extend(["\t\t<string>", &word, "</string>\n"]);
    }
    let text = TEXT.replace("@COMMAND@", &words);
    let paths = schedule.paths.iter();
    Ok(paths
        .map(|path| Unit::new(path, UnitMark::Xml, HEAD, &text))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(command: &[&str]) -> Result<String, Error> {
        let schedule = schedule("/Users/octocat".as_ref(), "gui/501");
        let command: Vec<&OsStr> = command.iter().map(OsStr::new).collect();
        Ok(units(&schedule, &command)?.remove(0).text)
    }

    // Paths of Windows are joined with another sign.
    #[cfg(unix)]
    #[test]
    fn the_agent_is_loaded_from_its_file_and_unloaded_by_its_name() {
        let schedule = schedule("/Users/octo cat".as_ref(), "gui/501");
        let shown = |steps: &[SchedulerStep]| {
            let steps = steps.iter().map(|step| schedule.shown(step));
            steps.collect::<Vec<_>>()
        };
        let unload = "launchctl bootout gui/501/git-credential-pat.reminder";
        let load = r"launchctl bootstrap gui/501 /Users/octo\ cat/Library/LaunchAgents/git-credential-pat.reminder.plist";
        assert_eq!(shown(&schedule.start), [unload, load]);
        assert_eq!(shown(&schedule.stop), [unload]);
        assert!(schedule.start[0].may_fail && !schedule.start[1].may_fail);
    }

    #[test]
    fn each_word_is_a_string_of_the_list() {
        let text = written(&["/opt/a & b/<ü>", "check", "--notify"]).unwrap();
        let expected = "\t<array>\n\t\t<string>/opt/a &amp; b/&lt;&#252;&gt;</string>\n\
            \t\t<string>check</string>\n\t\t<string>--notify</string>\n\t</array>\n";
        assert!(text.contains(expected), "{text}");
        assert!(text.starts_with("<?xml version"), "{text}");
        assert!(text.is_ascii() && !text.contains('@'), "{text}");
        assert!(
            text.contains(&format!("<string>{LABEL}</string>")),
            "{text}"
        );
        // A comment of XML holds no `--`.
        let comment = text.split("<!--").nth(1).unwrap();
        assert!(!comment.split("-->").next().unwrap().contains("--"));
        assert!(matches!(written(&["/a\nb"]), Err(Error::Invisible)));
    }
}
