//! Prompts of the keyring service: objects that finish an operation, with or without a dialog.

use std::time::Duration;

use dbus::channel::Channel;
use dbus::message::MatchRule;
use dbus::strings::{BusName, Path};

use super::calls::{BUS, ServiceCalls};
use super::failure::{Error, Result};
use crate::platform::monotonic_now;

const PROMPT: &str = "org.freedesktop.Secret.Prompt";

/// A started prompt.
pub(super) struct Running<'a> {
    channel: &'a Channel,
    owner: &'a BusName<'static>,
    completed: MatchRule<'a>,
    gone: MatchRule<'a>,
}

pub(super) fn start<'a>(calls: &'a ServiceCalls, prompt: &'a Path<'static>) -> Result<Running<'a>> {
    let owner = calls.owner().ok_or(Error::Odd)?;
    let completed = MatchRule::new_signal(PROMPT, "Completed")
        .with_path(prompt.clone())
        .with_strict_sender(owner.clone());
    let gone = MatchRule::new_signal(BUS, "NameOwnerChanged").with_strict_sender(BUS);
    let gone_rule = format!("{},arg0='{owner}'", gone.match_str());
    let connection = calls.connection();
    for rule in [completed.match_str(), gone_rule] {
        connection.add_match_no_cb(&rule)?;
    }
    let no_window = "";
    let () = calls.call(prompt, PROMPT, "Prompt", (no_window,))?;
    Ok(Running {
        channel: connection.channel(),
        owner,
        completed,
        gone,
    })
}

impl Running<'_> {
    /// Waits until the prompt is done. `None`: not within `patience`.
    ///
    /// Never dismisses the prompt: it closes with this connection. gnome-keyring 42.1 crashes if a client dismisses a prompt and
    /// disconnects.
    pub(super) fn wait(&self, patience: Duration) -> Result<Option<()>> {
        let began = monotonic_now();
        loop {
            let waited = monotonic_now().saturating_sub(began);
            let left = patience.saturating_sub(waited);
            if left.is_zero() {
                return Ok(None);
            }
            let message = self.channel.blocking_pop_message(left);
            let Some(message) = message.map_err(|_| Error::Mute)? else {
                continue;
            };
            if self.completed.matches(&message) {
                return match message.get1::<bool>() {
                    Some(false) => Ok(Some(())),
                    _ => Err(Error::Declined),
                };
            }
            if self.gone.matches(&message) && message.get1::<&str>() == Some(&**self.owner) {
                return Err(Error::Mute);
            }
        }
    }
}
