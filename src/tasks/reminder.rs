//! Which tokens a desktop notification is about, at most once a day each.

use std::time::Duration;

use crate::helper::Helper;
use crate::helper::lookup::Report;
use crate::helper::token_state::TokenState;

/// Less than a day: a daily timer may run some hours earlier than the day before.
const EVERY: Duration = Duration::from_secs(20 * 3600);

/// A token that the user should replace.
#[derive(Debug)]
pub(crate) struct DueToken<'a> {
    pub(crate) report: &'a Report,
    pub(crate) state: TokenState,
    /// Whether `rotate` can replace it without the user.
    pub(crate) can_rotate: bool,
}

/// Returns the tokens that expire soon, have expired or were rejected, and of which the user was not notified today. A journal
/// that cannot be read silences nothing.
pub(crate) fn due<'a>(
    helper: &Helper,
    states: &[(&'a Report, TokenState)],
    unix_now: u64,
) -> Vec<DueToken<'a>> {
    let journal = helper.journal();
    let mut due = Vec::new();
    for (report, state) in states.iter().copied() {
        if !is_meant(state) {
            continue;
        }
        let credential = &report.credential;
        let was_notified = journal.was_notified(credential, EVERY, unix_now);
        if was_notified.unwrap_or(false) {
            continue;
        }
        let known = journal.known(credential).ok().flatten();
        let can_rotate = helper.issuers().can_rotate(credential, known.as_ref());
        due.push(DueToken {
            report,
            state,
            // A rejected token cannot renew itself.
            can_rotate: can_rotate && state == TokenState::ExpiresSoon,
        });
    }
    due
}

/// Whether the user should replace a token in this state.
fn is_meant(state: TokenState) -> bool {
    match state {
        TokenState::ExpiresSoon
        | TokenState::Expired
        | TokenState::Rejected
        | TokenState::Revoked => true,
        TokenState::Good
        | TokenState::Unknown
        | TokenState::Limited
        | TokenState::Failed
        | TokenState::Blocked => false,
    }
}

/// Notes that the notifications were shown. If the journal cannot be written, they are shown again next time.
pub(crate) fn note(helper: &Helper, shown: &[DueToken], unix_now: u64) {
    let credentials = shown.iter().map(|shown| &shown.report.credential);
    let credentials: Vec<_> = credentials.collect();
    let _ = helper.journal().note_notified(&credentials, unix_now);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_should_be_replaced_is_meant() {
        use TokenState::{Blocked, Expired, ExpiresSoon, Failed, Good, Limited, Rejected, Revoked};
        for state in [ExpiresSoon, Expired, Rejected, Revoked] {
            assert!(is_meant(state), "{state:?}");
        }
        for state in [Good, TokenState::Unknown, Limited, Failed, Blocked] {
            assert!(!is_meant(state), "{state:?}");
        }
    }
}
