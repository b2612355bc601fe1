//! The reminder: a systemd timer of the user that runs `check --notify` once a day.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use super::change::Warning;
use super::draft::Draft;
use super::failure::Error;
use super::install::program;
use super::systemctl::{Systemctl, SystemctlError};
use super::unit::{FoundUnit, Unit, UnitState};
use crate::config::Flags;
use crate::files::places::Foreign;
use crate::files::system;
use crate::platform::stranger_above;
use crate::terminal::escape::{safe, shell_word};

const SERVICE: &str = "git-credential-pat-reminder.service";
const TIMER: &str = "git-credential-pat-reminder.timer";
const RELOAD: &[&str] = &["daemon-reload"];
const ENABLE: &[&str] = &["enable", "--now", TIMER];
const DISABLE: &[&str] = &["disable", "--now", TIMER];

/// The reminder as it should be.
pub struct Reminder {
    units: [Unit; 2],
}

/// What was done, or would be done.
#[derive(Default)]
pub struct ReminderSteps {
    /// The files that are written or removed.
    pub units: Vec<Unit>,
    /// The commands that are run, as a person types them.
    pub commands: Vec<String>,
    pub warnings: Vec<Warning>,
}

impl Reminder {
    /// `flags`: options of the helper. Without any, those in git's configuration count at each run.
    pub fn new(flags: &Flags) -> Result<Self, Error> {
        let folder = folder()?;
        let mut words = vec![program()?.into_os_string()];
        words.extend(flags.arguments());
        words.extend(["check", "--notify"].map(OsString::from));
        let words: Vec<&OsStr> = words.iter().map(OsString::as_os_str).collect();
        Ok(Self {
            units: [
                Unit::service(folder.join(SERVICE), &words)?,
                Unit::timer(folder.join(TIMER)),
            ],
        })
    }

    /// Writes the units and starts the timer. In a dry run nothing is changed.
    pub fn install(self, is_dry: bool) -> Result<ReminderSteps, Error> {
        let systemctl = Systemctl::find();
        let systemctl = systemctl.ok_or_else(|| Error::NoSystemd(cron_line()))?;
        let mut steps = ReminderSteps {
            commands: vec![shown(RELOAD), shown(ENABLE)],
            ..ReminderSteps::default()
        };
        for unit in self.units {
            match unit.state()? {
                UnitState::Foreign => return Err(Error::ForeignUnit(unit.path)),
                UnitState::Current => {}
                UnitState::Absent | UnitState::Outdated => steps.units.push(unit),
            }
        }
        if is_dry {
            return Ok(steps);
        }
        for unit in &steps.units {
            write(unit)?;
        }
        let started = systemctl
            .run(RELOAD)
            .and_then(|()| systemctl.run(ENABLE))
            .map_err(Error::NotStarted);
        started.map(|()| steps)
    }

    /// Stops the timer and removes the units, as far as they are as [`Reminder::install`] wrote them. In a dry run nothing is
    /// changed.
    pub fn remove(is_dry: bool) -> Result<ReminderSteps, Error> {
        let folder = folder()?;
        let mut steps = ReminderSteps::default();
        for name in [SERVICE, TIMER] {
            let path = folder.join(name);
            match FoundUnit::at(&path)? {
                FoundUnit::Absent => {}
                FoundUnit::Written(text) => steps.units.push(Unit { path, text }),
                FoundUnit::Foreign => steps.warnings.push(stays(&path)),
            }
        }
        if steps.units.is_empty() {
            return Ok(steps);
        }
        steps.commands = vec![shown(DISABLE)];
        steps
            .commands
            .extend(steps.units.iter().map(|unit| removal(&unit.path)));
        steps.commands.push(shown(RELOAD));
        if is_dry {
            return Ok(steps);
        }
        let systemctl = Systemctl::find();
        let stopped = systemctl.as_ref().map(|systemctl| systemctl.run(DISABLE));
        for unit in &steps.units {
            fs::remove_file(&unit.path).map_err(|cause| system("remove", &unit.path, cause))?;
        }
        match (stopped, systemctl) {
            (Some(Ok(())), Some(systemctl)) => {
                let _ = systemctl.run(RELOAD);
            }
            (stopped, _) => {
                // The link by which `enable` starts the timer at login.
                let link = folder.join("timers.target.wants").join(TIMER);
                if link.read_link().is_ok() {
                    let _ = fs::remove_file(&link);
                }
                steps.warnings.extend(
                    stopped
                        .and_then(Result::err)
                        .map(|error| not_stopped(&error)),
                );
            }
        }
        Ok(steps)
    }
}

/// The folder of the user's own units (systemd.unit(5)).
fn folder() -> Result<PathBuf, Error> {
    Ok(Foreign::find()?.config.join("systemd/user"))
}

fn write(unit: &Unit) -> Result<(), Error> {
    // Its user could not change a file that root makes there.
    if let Some(folder) = stranger_above(&unit.path) {
        let folder = safe(folder.as_os_str().as_encoded_bytes());
        return Err(Error::OfAnother(folder));
    }
    if let Some(folder) = unit.path.parent() {
        fs::create_dir_all(folder).map_err(|cause| system("create", folder, cause))?;
    }
    let mut draft = Draft::of(&unit.path)?;
    draft.write(unit.text.as_bytes())?;
    draft.put()
}

fn shown(words: &[&str]) -> String {
    format!("systemctl --user {}", words.join(" "))
}

fn removal(path: &Path) -> String {
    format!("rm {}", shell_word(path.as_os_str().as_encoded_bytes()))
}

/// The hint of [`Error::NoSystemd`]: a line of crontab(5). cron knows no runtime folder.
fn cron_line() -> String {
    let program = program().unwrap_or_else(|_| "git-credential-pat".into());
    let program = shell_word(program.as_os_str().as_encoded_bytes());
    // A % ends the command.
    let program = program.replace('%', "\\%");
    format!(
        "for cron, add this line with 'crontab -e': 0 9 * * * XDG_RUNTIME_DIR=/run/user/$(id -u) {program} check --notify"
    )
}

fn stays(path: &Path) -> Warning {
    let name = safe(path.as_os_str().as_encoded_bytes());
    Warning::new(
        format!("{name} is not as setup wrote it: it stays"),
        format!(
            "if you need it no more, run '{}', and then '{}'",
            shown(DISABLE),
            removal(path)
        ),
    )
}

fn not_stopped(error: &SystemctlError) -> Warning {
    Warning::new(
        format!("the timer was not stopped: {error}"),
        format!("if it still runs, stop it with 'systemctl --user stop {TIMER}'"),
    )
}
