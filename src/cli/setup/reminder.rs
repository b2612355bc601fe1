//! Prints what `setup --reminder` does and takes back.

use crate::cli::failure::CliResult;
use crate::cli::streams::Streams;
use crate::cli::ui;
use crate::config::Flags;
use crate::tasks::setup::reminder::{Reminder, ReminderSteps};
use crate::terminal::escape;

/// Installs the daily timer.
pub(super) fn install(flags: &Flags, is_dry: bool, streams: &mut Streams) -> CliResult<()> {
    let steps = Reminder::new(flags)?.install(is_dry)?;
    for unit in &steps.units {
        let path = escape::safe(unit.path.as_os_str().as_encoded_bytes());
        // A dry run shows a file as `systemctl cat` does.
        let text = if is_dry {
            format!("# {path}\n{}\n", unit.text)
        } else {
            format!("{path}: written\n")
        };
        ui::change(streams, &text, is_dry)?;
    }
    print_commands(&steps, is_dry, streams)
}

/// Takes the timer back. Returns whether there was one.
pub(super) fn remove(is_dry: bool, streams: &mut Streams) -> CliResult<bool> {
    let steps = Reminder::remove(is_dry)?;
    print_commands(&steps, is_dry, streams)?;
    let is_found = !steps.units.is_empty() || !steps.warnings.is_empty();
    super::warn(streams, steps.warnings);
    Ok(is_found)
}

fn print_commands(steps: &ReminderSteps, is_dry: bool, streams: &mut Streams) -> CliResult<()> {
    for command in &steps.commands {
        ui::change(streams, &format!("{command}\n"), is_dry)?;
    }
    Ok(())
}
