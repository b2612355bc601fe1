//! The desktop notifications of `check --notify`.

use crate::cli::messages::owner_of;
use crate::cli::streams::Streams;
use crate::cli::ui;
use crate::desktop;
use crate::desktop::notification::Notification;
use crate::helper::Helper;
use crate::helper::lookup::Report;
use crate::helper::token_state::TokenState;
use crate::tasks::reminder::{self, DueToken};
use crate::time::in_words;

/// With more tokens, one notification stands for all of them.
const MOST: usize = 3;

/// Shows a notification for each token that the user should replace. A desktop that cannot be reached is a warning: the next run
/// tries again.
pub(super) fn notify(
    streams: &mut Streams,
    helper: &Helper,
    states: &[(&Report, TokenState)],
    unix_now: u64,
) {
    let due = reminder::due(helper, states, unix_now);
    if due.is_empty() {
        return;
    }
    let notifications = if due.len() > MOST {
        vec![summed_up(due.len())]
    } else {
        let each = due.iter().map(|reminder| of_token(reminder, unix_now));
        each.collect()
    };
    match desktop::notify(notifications) {
        Ok(()) => reminder::note(helper, &due, unix_now),
        Err(error) => {
            let what = "cannot show a desktop notification";
            ui::warn_of(streams, what, &error.to_string(), error.hint());
        }
    }
}

fn of_token(reminder: &DueToken, unix_now: u64) -> Notification {
    let DueToken {
        report,
        state,
        can_rotate,
    } = reminder;
    let key = &report.credential.key;
    let expiry = report.end.map(|(expiry, _)| expiry);
    let happens = match (state, expiry) {
        (TokenState::Rejected | TokenState::Revoked, _) => "was rejected".to_owned(),
        (TokenState::ExpiresSoon, Some(expiry)) => {
            format!("expires in {}", in_words(expiry.left(unix_now)))
        }
        (_, Some(expiry)) => format!("expired on {}", expiry.day()),
        (_, None) => "has expired".to_owned(),
    };
    let command = if *can_rotate { "rotate" } else { "login" };
    Notification {
        summary: format!("Token {} {happens}", owner_of(key)),
        body: format!(
            "To replace it, run: git credential-pat {command} {}",
            key.argument()
        ),
    }
}

fn summed_up(count: usize) -> Notification {
    Notification {
        summary: format!("{count} tokens expire soon or no longer work"),
        body: "To list them, run: git credential-pat check".to_owned(),
    }
}
