//! `setup --reminder`: the systemd timer of the user, with a `systemctl` of the test's own.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;

use crate::process::{self, Output};
use crate::sandbox::{PROGRAM, Sandbox};
use crate::tool;

const SERVICE: &str = "config/systemd/user/git-credential-pat-reminder.service";
const TIMER: &str = "config/systemd/user/git-credential-pat-reminder.timer";
const RELOAD: &str = "--user daemon-reload";
const ENABLE: &str = "--user enable --now git-credential-pat-reminder.timer";
const DISABLE: &str = "--user disable --now git-credential-pat-reminder.timer";

/// A home with a `systemctl` that notes its arguments and then runs `code`.
struct Home(Sandbox);

impl Home {
    fn with(code: &str) -> Self {
        let home = Self(Sandbox::new());
        fs::create_dir(home.0.path("bin")).unwrap();
        home.let_systemctl(code);
        home
    }

    fn let_systemctl(&self, code: &str) {
        let program = self.0.path("bin/systemctl");
        let text = format!("#!/bin/sh\necho \"$@\" >>\"$HOME/calls\"\n{code}\n");
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    }

    fn command(&self, words: &str) -> Command {
        let mut command = self.0.helper(words);
        let path = std::env::var("PATH").unwrap();
        let own = self.0.path("bin");
        command.env("PATH", format!("{}:{path}", own.display()));
        command
    }

    /// A copy of the program in `folder`, with this home's `systemctl`.
    fn copied_to(&self, folder: &str) -> Command {
        let folder = self.0.path(folder);
        fs::create_dir(&folder).unwrap();
        let program = folder.join("git-credential-pat");
        fs::copy(PROGRAM, &program).unwrap();
        let mut command = self.0.command(program);
        let ours = self.command("");
        let mut variables = ours.get_envs();
        let path = variables.find_map(|(name, value)| value.filter(|_| name == "PATH"));
        command.env("PATH", path.unwrap());
        command
    }

    fn run(&self, words: &str) -> Output {
        process::run(&mut self.command(words), b"")
    }

    /// The arguments of each `systemctl` since the last time.
    fn calls(&self) -> Vec<String> {
        let path = self.0.path("home/calls");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        text.lines().map(str::to_owned).collect()
    }

    fn units(&self) -> [Option<String>; 2] {
        [SERVICE, TIMER].map(|unit| fs::read_to_string(self.0.path(unit)).ok())
    }
}

#[test]
fn the_timer_is_installed_and_taken_back() {
    let home = Home::with("");
    let output = home.run("setup --reminder").succeeded();
    assert_eq!(home.calls(), [RELOAD, ENABLE]);
    assert!(
        output.text().contains("systemctl --user enable"),
        "{output:?}"
    );
    let [Some(service), Some(timer)] = home.units() else {
        panic!("{output:?}")
    };
    let start = format!("\nExecStart={PROGRAM} check --notify\n");
    assert!(service.contains(&start), "{service}");
    assert!(service.contains("\nSuccessExitStatus=3 4 5\n"), "{service}");
    assert!(
        timer.contains("\nOnCalendar=daily\nPersistent=true\n"),
        "{timer}"
    );
    let configuration = fs::read_to_string(home.0.path("gitconfig")).unwrap();
    assert!(!configuration.contains("helper"), "only the reminder");

    let again = home.run("setup --reminder").succeeded();
    assert!(!again.text().contains("written"), "{again:?}");
    assert_eq!(home.calls(), [RELOAD, ENABLE], "it may have been disabled");
    assert_eq!(home.units(), [Some(service), Some(timer)]);

    home.run("setup").succeeded();
    home.run("setup --undo --reminder").succeeded();
    assert_eq!(home.units(), [None, None]);
    assert_eq!(home.calls(), [DISABLE, RELOAD]);
    let configuration = fs::read_to_string(home.0.path("gitconfig")).unwrap();
    assert!(configuration.contains("helper"), "only the reminder");
    let again = home.run("setup --undo --reminder").succeeded();
    assert_eq!(again.text(), "nothing to undo: there is no reminder\n");
    assert_eq!(home.calls(), [""; 0]);
}

#[test]
fn undo_of_everything_takes_the_reminder_too() {
    let home = Home::with("");
    home.run("setup").succeeded();
    home.run("setup --reminder").succeeded();
    home.calls();
    for other in ["setup --undo --local", "setup --undo https://one.test"] {
        home.run(other);
        assert_eq!(home.calls(), [""; 0], "{other}");
    }
    let dry = home.run("setup --undo --dry-run").succeeded();
    assert!(dry.text().contains("systemctl --user disable"), "{dry:?}");
    assert!(
        home.units()[0].is_some() && home.calls().is_empty(),
        "{dry:?}"
    );
    home.run("setup --undo").succeeded();
    assert_eq!(home.units(), [None, None]);
    assert_eq!(home.calls(), [DISABLE, RELOAD]);
    let again = home.run("setup --undo").succeeded();
    assert!(again.text().starts_with("nothing to undo"), "{again:?}");
    assert_eq!(home.calls(), [""; 0]);
}

#[test]
fn a_dry_run_shows_the_files_and_the_commands() {
    let home = Home::with("");
    let output = home.run("setup --reminder --dry-run").succeeded();
    let text = output.text();
    for part in [SERVICE, TIMER, "ExecStart=", "OnCalendar=daily", ENABLE] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(home.units(), [None, None]);
    assert_eq!(home.calls(), [""; 0]);
}

#[test]
fn a_file_that_was_changed_is_not_overwritten_and_not_removed() {
    let home = Home::with("");
    home.run("setup --reminder").succeeded();
    let path = home.0.path(TIMER);
    let weekly = fs::read_to_string(&path)
        .unwrap()
        .replace("daily", "weekly");
    fs::write(&path, &weekly).unwrap();
    home.calls();
    let output = home.run("setup --reminder");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let says = format!("{} is not as setup wrote it", path.display());
    assert!(output.stderr.contains(&says), "{output:?}");
    assert_eq!(home.calls(), [""; 0]);

    let undone = home.run("setup --undo --reminder").succeeded();
    assert!(undone.stderr.contains(&says), "{undone:?}");
    assert_eq!(home.units(), [None, Some(weekly)]);
}

/// Two ways to mask a unit (systemd.unit(5)): an empty file, and a link to /dev/null.
#[test]
fn a_unit_that_the_user_masked_stays() {
    for is_link in [false, true] {
        let home = Home::with("");
        home.run("setup --reminder").succeeded();
        let timer = home.0.path(TIMER);
        fs::remove_file(&timer).unwrap();
        if is_link {
            symlink("/dev/null", &timer).unwrap();
        } else {
            fs::write(&timer, "").unwrap();
        }
        home.calls();
        let says = format!("{} is not as setup wrote it", timer.display());
        let output = home.run("setup --reminder");
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(output.stderr.contains(&says), "{output:?}");
        assert!(output.stderr.contains("\nhint: "), "{output:?}");
        assert_eq!(home.calls(), [""; 0]);
        let undone = home.run("setup --undo --reminder").succeeded();
        assert!(undone.stderr.contains(&says), "{undone:?}");
        assert!(undone.stderr.contains("\nhint: "), "{undone:?}");
        assert!(home.units()[0].is_none(), "{undone:?}");
        assert!(fs::symlink_metadata(&timer).is_ok(), "{undone:?}");
    }
}

#[test]
fn with_quiet_the_reminder_comes_and_goes_without_a_word() {
    let home = Home::with("");
    for (words, is_there) in [
        ("setup --reminder", true),
        ("setup --reminder --undo", false),
    ] {
        let output = home.run(&format!("-q {words}")).succeeded();
        assert_eq!((output.text(), &output.stderr[..]), (String::new(), ""));
        assert_eq!(
            home.units().iter().all(Option::is_some),
            is_there,
            "{words}"
        );
    }
}

#[test]
fn a_moved_program_replaces_the_file_of_the_old_one() {
    let home = Home::with("");
    let moved = home.0.path("bin/git-credential-pat");
    symlink(PROGRAM, &moved).unwrap();
    home.run("setup --reminder").succeeded();
    let start = format!("ExecStart={} check", moved.display());
    assert!(home.units()[0].as_ref().unwrap().contains(&start));
    fs::remove_file(moved).unwrap();
    home.run("setup --reminder --storage file").succeeded();
    let start = format!("ExecStart={PROGRAM} --storage file check");
    assert!(home.units()[0].as_ref().unwrap().contains(&start));
}

#[test]
fn without_a_user_manager_the_files_are_written_and_the_command_is_named() {
    let home = Home::with("echo 'Failed to connect to bus: No medium found' >&2; exit 1");
    let output = home.run("setup --reminder");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(home.units().iter().all(Option::is_some), "{output:?}");
    let told = "cause: systemctl: Failed to connect to bus: No medium found\nhint: ";
    assert!(output.stderr.contains(told), "{output:?}");
    assert!(output.stderr.contains(ENABLE), "{output:?}");

    // As `enable` leaves it, if the manager has gone since.
    let wants: PathBuf = home.0.path("config/systemd/user/timers.target.wants");
    fs::create_dir(&wants).unwrap();
    let link = wants.join("git-credential-pat-reminder.timer");
    symlink(home.0.path(TIMER), &link).unwrap();
    let undone = home.run("setup --undo --reminder").succeeded();
    assert_eq!(home.units(), [None, None]);
    assert!(link.read_link().is_err(), "{undone:?}");
    assert!(undone.stderr.contains("was not stopped"), "{undone:?}");
}

#[test]
fn a_systemctl_that_hangs_is_ended() {
    let home = Home::with("sleep 600 & wait");
    let output = home.run("setup --reminder");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = "cause: systemctl did not answer within 10 seconds\n";
    assert!(output.stderr.contains(told), "{output:?}");
}

#[test]
fn without_systemd_the_hint_is_a_line_for_cron() {
    let home = Home::with("");
    fs::remove_file(home.0.path("bin/systemctl")).unwrap();
    symlink(tool::need("git"), home.0.path("bin/git")).unwrap();
    let mut command = home.command("setup --reminder");
    let output = process::run(command.env("PATH", home.0.path("bin")), b"");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let line = format!("0 9 * * * XDG_RUNTIME_DIR=/run/user/$(id -u) {PROGRAM} check --notify\n");
    assert!(output.stderr.ends_with(&line), "{output:?}");
    assert_eq!(home.units(), [None, None]);
}

#[test]
fn a_program_that_systemd_cannot_start_is_refused() {
    let home = Home::with("");
    let mut command = home.copied_to("a\"b");
    let output = process::run(command.args(["setup", "--reminder"]), b"");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        output.stderr.contains("a quote or a backslash"),
        "{output:?}"
    );
    assert_eq!(home.units(), [None, None]);
}

/// `systemd-analyze` reads the units as the user's manager does.
#[test]
fn systemd_accepts_the_units() {
    let Some(analyze) = tool::find("systemd-analyze") else {
        return tool::skip("systemd-analyze is not installed");
    };
    let home = Home::with("");
    let mut command = home.copied_to("a b%h$HOME;&");
    command.args([
        "--file",
        "/a \"$HOME\" ${HOME} %h\\'",
        "setup",
        "--reminder",
    ]);
    process::run(&mut command, b"").succeeded();
    let mut verify = home.0.command(analyze);
    verify.args(["verify", "--user"]).arg(home.0.path(TIMER));
    let output = process::run(&mut verify, b"").succeeded();
    assert_eq!(output.stderr, "", "{output:?}");
}
