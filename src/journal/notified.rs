//! Remembers which tokens a desktop notification was about.

use std::time::Duration;

use super::known::is_within;
use super::{Error, Journal};
use crate::credential::Credential;

impl Journal {
    /// Whether a notification about this secret was shown within `every` before `unix_now`.
    pub fn was_notified(
        &self,
        credential: &Credential,
        every: Duration,
        unix_now: u64,
    ) -> Result<bool, Error> {
        let Some(contents) = self.contents()? else {
            return Ok(false);
        };
        let about = Some(contents.about_secret(credential));
        let entry = contents.entries.iter().find(|entry| entry.about == about);
        let notified = entry.and_then(|entry| entry.notified);
        Ok(is_within(notified, every, unix_now))
    }

    /// Notes that notifications about these secrets were shown.
    pub fn note_notified(&self, credentials: &[&Credential], unix_now: u64) -> Result<(), Error> {
        let noted = self.change(unix_now, |contents| {
            for credential in credentials {
                let about = contents.about_secret(credential);
                contents.entry(Some(about)).notified = Some(unix_now);
            }
            !credentials.is_empty()
        });
        noted.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use crate::journal::Topic;
    use crate::journal::tests::{DAY, journal, token};

    #[test]
    fn warnings_and_notifications_do_not_silence_each_other() {
        let (_home, journal) = journal();
        let (alice, bob) = (token("alice", "one"), token("bob", "two"));
        let was = |credential: &_, now| journal.was_notified(credential, DAY, now).unwrap();
        assert!(!was(&alice, 1_000_000));
        assert!(
            journal
                .is_news(Topic::ExpiresSoon(&alice), DAY, 1_000_000)
                .unwrap()
        );
        assert!(!was(&alice, 1_000_001), "after a warning");
        journal.note_notified(&[&alice, &bob], 1_000_002).unwrap();
        assert!(was(&alice, 1_000_003) && was(&bob, 1_000_003));
        assert!(!was(&token("alice", "renewed"), 1_000_003));
        assert!(!was(&alice, 1_000_002 + DAY.as_secs()));
        assert!(
            !journal
                .is_news(Topic::ExpiresSoon(&alice), DAY, 1_000_004)
                .unwrap(),
            "the warning is still known"
        );
        assert!(
            journal
                .is_news(Topic::ExpiresSoon(&bob), DAY, 1_000_004)
                .unwrap(),
            "a notification is no warning"
        );
    }
}
