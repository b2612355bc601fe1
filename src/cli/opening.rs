//! What a command opens before its work: the trace, the settings, and the helper over them.

use super::failure::{CliResult, Failure};
use super::streams::Streams;
use super::tracing;
use crate::config::{Flags, Settings, Verbosity};
use crate::credential::query::Query;
use crate::git::may_prompt::prompt_patience;
use crate::helper::Helper;
use crate::tasks::calls::gits_flags;
use crate::{platform, trace};

/// Applies `verbosity`, and starts the trace if one is asked for.
pub(super) fn begin(
    verbosity: Verbosity,
    flags: &Flags,
    name: impl FnOnce() -> String,
    streams: &mut Streams,
) {
    streams.is_quiet = verbosity.quiet;
    let problem = tracing::start(verbosity.verbose);
    tracing::warn(streams, problem);
    trace::tell("start", || {
        let mut text = format!(
            "git-credential-pat {} {}",
            env!("CARGO_PKG_VERSION"),
            name()
        );
        for word in flags.arguments() {
            text.push(' ');
            text.push_str(&word.to_string_lossy());
        }
        text
    });
}

/// Settings and the helper over them, for a command.
pub(super) fn open(flags: Flags, url: Option<&Query>) -> CliResult<(Settings, Helper)> {
    let settings = settings(flags, url)?;
    let helper = Helper::new(&settings, prompt_patience());
    Ok((settings, helper))
}

/// Settings for a command. Without flags, those in git's configuration count. Fails if git cannot read it.
pub(super) fn settings(flags: Flags, url: Option<&Query>) -> CliResult<Settings> {
    platform::harden();
    let flags = if flags == Flags::default() {
        let flags = gits_flags(url).map_err(Failure::of_gits_flags)?;
        tell_gits(&flags);
        flags
    } else {
        flags
    };
    Ok(Settings::load(flags)?)
}

/// Tells the trace the options that a command takes from git's configuration.
fn tell_gits(flags: &Flags) {
    if *flags != Flags::default() {
        trace::tell("settings", || {
            let words = flags.arguments();
            let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
            format!(
                "git calls this helper with {}: these options count here",
                words.join(" ")
            )
        });
    }
}

/// The same for a command that reports the state of git's configuration itself: if git cannot read it, no flags count.
pub(super) fn settings_anyway(flags: Flags, url: Option<&Query>) -> CliResult<Settings> {
    match settings(flags.clone(), url) {
        Err(Failure::GitsFlags { .. }) => Ok(Settings::load(flags)?),
        settings => settings,
    }
}

/// As [`open`], with [`settings_anyway`].
pub(super) fn open_anyway(flags: Flags, url: Option<&Query>) -> CliResult<(Settings, Helper)> {
    let settings = settings_anyway(flags, url)?;
    let helper = Helper::new(&settings, prompt_patience());
    Ok((settings, helper))
}
