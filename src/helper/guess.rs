//! The expiry that is assumed for a token that comes without one.

use std::time::Duration;

use super::Helper;
use super::issuer::Issuers;
use crate::credential::Credential;
use crate::credential::expiry::{Expiry, ExpirySource};
use crate::credential::jwt;
use crate::journal::known::Known;
use crate::secret::Secret;
use crate::time::Now;

/// The expiry that is assumed for a token that is new at `now`, and comes without one.
pub fn guessed_expiry(
    helper: &Helper,
    credential: &Credential,
    now: Now,
) -> Option<(Expiry, ExpirySource)> {
    Guess::about(helper.issuers(), credential)?.expiry(&Known::default(), now.unix)
}

/// When a token may expire.
#[derive(Debug, Clone, Copy)]
pub(super) enum Guess {
    /// So long after it was first stored: `lifetime` of a `[[host]]` rule.
    After(Duration),
    /// At the time that the token itself states: the `exp` of a JWT.
    At(Expiry),
}

impl Guess {
    pub(super) fn about(issuers: &Issuers, credential: &Credential) -> Option<Self> {
        let rule = issuers.rule(&credential.key);
        if let Some(lifetime) = rule.and_then(|rule| rule.lifetime) {
            return Some(Self::After(lifetime));
        }
        let token = credential.token().map(Secret::expose)?;
        jwt::end_of(token).map(Self::At)
    }

    /// The expiry, unless it has passed: git has just used the token, so the guess was wrong. A forge's statement that the
    /// token never expires counts more than any guess.
    pub(super) fn expiry(self, known: &Known, unix_now: u64) -> Option<(Expiry, ExpirySource)> {
        let (expiry, source) = match self {
            Self::At(expiry) => (expiry, ExpirySource::Token),
            Self::After(lifetime) => {
                let since = known.since.unwrap_or(unix_now);
                let expiry = Expiry::from_unix(since.saturating_add(lifetime.as_secs()))?;
                (expiry, ExpirySource::Lifetime)
            }
        };
        (!known.is_endless && !expiry.is_past(unix_now)).then_some((expiry, source))
    }
}
