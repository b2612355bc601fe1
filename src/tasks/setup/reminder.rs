//! The reminder: a timer of the user that runs `check --notify` once a day, by the scheduler of the system.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;

use super::change::Warning;
use super::draft::Draft;
use super::failure::Error;
use super::install::program;
use super::schedule::{Schedule, SchedulerStep};
use super::scheduler::{SchedulerError, SchedulerProgram};
use super::unit::{FoundUnit, Unit, UnitState};
use super::{launch_agent, scheduled_task, systemd};
use crate::config::Flags;
use crate::desktop::scheduler::{Scheduler, scheduler};
use crate::files::places::{Foreign, Places};
use crate::files::system;
use crate::platform::stranger_above;
use crate::terminal::escape::{safe, shell_word};

/// The reminder as it should be.
pub struct Reminder {
    schedule: Schedule,
    units: Vec<Unit>,
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
        let schedule = schedule()?;
        let mut words = vec![program()?.into_os_string()];
        words.extend(flags.arguments());
        words.extend(["check", "--notify"].map(OsString::from));
        let words: Vec<&OsStr> = words.iter().map(OsString::as_os_str).collect();
        let units = units(&schedule, &words)?;
        Ok(Self { schedule, units })
    }

    /// Writes the files and starts the timer. In a dry run nothing is changed.
    pub fn install(self, is_dry: bool) -> Result<ReminderSteps, Error> {
        let Self { schedule, units } = self;
        let Some(program) = SchedulerProgram::find(schedule.program) else {
            return Err(Error::NoScheduler {
                program: schedule.program,
                kind: schedule.kind,
                hint: schedule.missing,
            });
        };
        let commands = schedule.start.iter().map(|step| schedule.shown(step));
        let mut steps = ReminderSteps {
            commands: commands.collect(),
            ..ReminderSteps::default()
        };
        for unit in units {
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
        let hint = schedule.not_started;
        let started = run(&program, &schedule.start);
        started.map_err(|cause| Error::NotStarted { cause, hint })?;
        Ok(steps)
    }

    /// Stops the timer and removes the files, as far as they are as [`Reminder::install`] wrote them. In a dry run nothing is
    /// changed.
    pub fn remove(is_dry: bool) -> Result<ReminderSteps, Error> {
        let schedule = schedule()?;
        let mut steps = ReminderSteps::default();
        for path in &schedule.paths {
            match FoundUnit::at(path)? {
                FoundUnit::Absent => {}
                FoundUnit::Written(text) => steps.units.push(Unit {
                    path: path.clone(),
                    text,
                }),
                FoundUnit::Foreign => steps.warnings.push(stays(&schedule, path)),
            }
        }
        if steps.units.is_empty() {
            return Ok(steps);
        }
        let shown = |step: &SchedulerStep| schedule.shown(step);
        steps.commands.extend(schedule.stop.iter().map(shown));
        let removals = steps.units.iter().map(|unit| removal(&unit.path));
        steps.commands.extend(removals);
        steps.commands.extend(schedule.forget.iter().map(shown));
        if is_dry {
            return Ok(steps);
        }
        let program = SchedulerProgram::find(schedule.program);
        let stopped = program.as_ref().map(|program| run(program, &schedule.stop));
        for unit in &steps.units {
            fs::remove_file(&unit.path).map_err(|cause| system("remove", &unit.path, cause))?;
        }
        match (stopped, program) {
            (Some(Ok(())), Some(program)) => {
                let _ = run(&program, &schedule.forget);
            }
            (stopped, _) => {
                let leftover = schedule.leftover.as_ref();
                if let Some(link) = leftover.filter(|link| link.read_link().is_ok()) {
                    let _ = fs::remove_file(link);
                }
                let failed = stopped.and_then(Result::err);
                let warning = failed.map(|error| not_stopped(&schedule, &error));
                steps.warnings.extend(warning);
            }
        }
        Ok(steps)
    }
}

/// The schedule in the words of this system.
fn schedule() -> Result<Schedule, Error> {
    Ok(match scheduler() {
        Scheduler::Systemd => systemd::schedule(&Foreign::find()?.config, cron_line()),
        Scheduler::Launchd(domain) => launch_agent::schedule(&Foreign::find()?.home, &domain),
        Scheduler::Tasks(user) => scheduled_task::schedule(&Places::find()?.data, &user),
    })
}

/// The files of `schedule` for `command`, in the order of its paths.
fn units(schedule: &Schedule, command: &[&OsStr]) -> Result<Vec<Unit>, Error> {
    match scheduler() {
        Scheduler::Systemd => systemd::units(schedule, command),
        Scheduler::Launchd(_) => launch_agent::units(schedule, command),
        Scheduler::Tasks(_) => scheduled_task::units(schedule, command),
    }
}

fn run(program: &SchedulerProgram, steps: &[SchedulerStep]) -> Result<(), SchedulerError> {
    for step in steps {
        match program.run(&step.words) {
            Err(_) if step.may_fail => {}
            done => done?,
        }
    }
    Ok(())
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

fn removal(path: &Path) -> String {
    format!("rm {}", shell_word(path.as_os_str().as_encoded_bytes()))
}

/// The hint of [`Error::NoScheduler`]: a line of crontab(5). cron knows no runtime folder.
fn cron_line() -> String {
    let program = program().unwrap_or_else(|_| "git-credential-pat".into());
    let program = shell_word(program.as_os_str().as_encoded_bytes());
    // A % ends the command.
    let program = program.replace('%', "\\%");
    format!(
        "for cron, add this line with 'crontab -e': 0 9 * * * XDG_RUNTIME_DIR=/run/user/$(id -u) {program} check --notify"
    )
}

fn stays(schedule: &Schedule, path: &Path) -> Warning {
    let name = safe(path.as_os_str().as_encoded_bytes());
    let stop: Vec<String> = schedule
        .stop
        .iter()
        .map(|step| schedule.shown(step))
        .collect();
    Warning::new(
        format!("{name} is not as setup wrote it: it stays"),
        format!(
            "if you need it no more, run '{}', and then '{}'",
            stop.join("; "),
            removal(path)
        ),
    )
}

fn not_stopped(schedule: &Schedule, error: &SchedulerError) -> Warning {
    Warning::new(
        format!("the timer was not stopped: {error}"),
        schedule.still_runs,
    )
}
