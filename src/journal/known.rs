//! What is known of one token, beside what its storage keeps.

use std::fmt::Display;
use std::time::Duration;

use serde::Deserialize;

use crate::credential::expiry::{Expiry, ExpirySource};
use crate::credential::scopes::checked_scopes;
use crate::credential::token::TokenKind;
use crate::credential::word::from_word;
use crate::forge::ForgeKind;
use crate::secret::Buffer;

/// How often a forge is asked about one token in the background.
pub const EVERY: Duration = Duration::from_secs(86_400);
/// GitHub's limits last for an hour at most.
const SOON: Duration = Duration::from_secs(3600);

/// GitHub removes a token that goes unused for a year (its documentation, "Token expiration and revocation"). Such a token is
/// named after ten months.
const UNUSED: u64 = 300 * 86_400;

/// What is known of one token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Who issued it.
    pub forge: Option<ForgeKind>,
    /// What sort of token it is.
    pub token: Option<TokenKind>,
    /// What it may do.
    pub scopes: Option<Vec<String>>,
    /// When it ends, and who told so. The storage's date holds; this one tells where it is from if it is the same.
    pub end: Option<(Expiry, ExpirySource)>,
    /// Whether its forge says that it never expires.
    pub is_endless: bool,
    /// When it was first stored, in Unix seconds.
    pub since: Option<u64>,
    /// When git first confirmed it, in Unix seconds. A `login` or an import does not count.
    pub accepted: Option<u64>,
    /// When git last confirmed it, in Unix seconds. Noted once a day. Version 0.1.0 did not note it.
    pub used: Option<u64>,
    /// When its forge was last asked, in Unix seconds.
    pub asked: Option<u64>,
    /// What came of that.
    pub outcome: Option<LookupOutcome>,
}

impl Known {
    /// Who told `expiry`.
    pub fn source_of(&self, expiry: Expiry) -> ExpirySource {
        match self.end {
            Some((end, source)) if end == expiry => source,
            _ => ExpirySource::Unknown,
        }
    }

    /// Whether a forge's answer would be better than what is known of `expiry`, the token's own.
    pub fn wants_lookup(&self, expiry: Option<Expiry>) -> bool {
        let source = expiry.map(|expiry| self.source_of(expiry));
        matches!(
            source,
            None | Some(ExpirySource::Lifetime | ExpirySource::Token | ExpirySource::Unknown)
        )
    }

    /// Whether the forge was asked within `every` before `unix_now`. An answer that told nothing is tried again sooner.
    pub fn was_asked(&self, every: Duration, unix_now: u64) -> bool {
        let pause = match self.outcome {
            Some(LookupOutcome::Limited | LookupOutcome::Unclear | LookupOutcome::Failed) => {
                every.min(SOON)
            }
            _ => every,
        };
        is_within(self.asked, pause, unix_now)
    }

    /// Since when a token of GitHub has gone unused, if that is ten months and more. `None` if its last use is unknown.
    pub fn unused_since(&self, unix_now: u64) -> Option<u64> {
        let is_github = self.forge == Some(ForgeKind::GitHub);
        let used = self.used.filter(|_| is_github)?;
        (unix_now.saturating_sub(used) >= UNUSED).then_some(used)
    }

    /// Whether git has confirmed it on the UTC day of `unix_now`.
    pub fn was_used_today(&self, unix_now: u64) -> bool {
        self.used
            .is_some_and(|used| used / 86_400 == unix_now / 86_400)
    }

    /// An end that git has outlived was wrong. A forge may be asked for a better one, unless it was its own.
    pub fn forget_past_end(&mut self, unix_now: u64) {
        let past = self.end.take_if(|(end, _)| end.is_past(unix_now));
        if past.is_some_and(|(_, source)| source != ExpirySource::Forge) {
            self.asked = None;
        }
    }
}

/// A date in the future was written before the clock was set back.
pub(super) fn is_within(moment: Option<u64>, every: Duration, unix_now: u64) -> bool {
    moment.is_some_and(|moment| moment <= unix_now && unix_now - moment < every.as_secs())
}

/// The outcome of a look-up at a forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LookupOutcome {
    /// The token is good.
    Good,
    /// It has expired.
    Ended,
    /// It was revoked.
    Revoked,
    /// The forge rejects it.
    Rejected,
    /// It is good, but the forge does not let it be used.
    Blocked,
    /// The forge limits requests for now.
    Limited,
    /// The forge said nothing about it.
    Unclear,
    /// There was no answer.
    Failed,
    /// A process is asking, or was stopped while asking.
    Pending,
}

impl LookupOutcome {
    /// For the journal and machines.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Ended => "ended",
            Self::Revoked => "revoked",
            Self::Rejected => "rejected",
            Self::Blocked => "blocked",
            Self::Limited => "limited",
            Self::Unclear => "unclear",
            Self::Failed => "failed",
            Self::Pending => "pending",
        }
    }
}

impl Known {
    /// Takes over what one line says; what another version wrote, and we cannot read, is not known.
    pub(super) fn read(&mut self, key: &[u8], text: &str) {
        match key {
            b"forge" => self.forge = from_word(text),
            b"kind" => self.token = from_word(text),
            b"scopes" => {
                let words = text.split(',').filter(|word| !word.is_empty());
                self.scopes = checked_scopes(words.map(str::to_owned).collect());
            }
            b"end" => {
                self.end = text.split_once(' ').and_then(|(end, source)| {
                    Some((Expiry::parse(end.as_bytes())?, from_word(source)?))
                });
            }
            b"endless" => self.is_endless = text == "forge",
            b"since" => self.since = text.parse().ok(),
            b"accepted" => self.accepted = text.parse().ok(),
            b"used" => self.used = text.parse().ok(),
            b"asked" => self.asked = text.parse().ok(),
            b"outcome" => self.outcome = from_word(text),
            _ => {}
        }
    }

    /// Writes the lines.
    pub(super) fn write(&self, out: &mut Buffer) {
        let scopes = self.scopes.as_ref().map(|scopes| scopes.join(","));
        let end = self.end;
        push(out, "forge", self.forge.map(ForgeKind::word));
        push(out, "kind", self.token.map(TokenKind::word));
        push(out, "scopes", scopes);
        push(
            out,
            "end",
            end.map(|(end, source)| format!("{end} {}", source.word())),
        );
        push(out, "endless", self.is_endless.then_some("forge"));
        push(out, "since", self.since);
        push(out, "accepted", self.accepted);
        push(out, "used", self.used);
        push(out, "asked", self.asked);
        push(out, "outcome", self.outcome.map(LookupOutcome::word));
    }
}

/// Writes a line of the journal if there is a value.
pub(super) fn push(out: &mut Buffer, key: &str, value: Option<impl Display>) {
    if let Some(value) = value {
        out.push(format!("{key}={value}\n").as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::word::from_word;

    #[test]
    fn outcomes_are_read_back_by_their_words() {
        for word in [
            "good", "ended", "revoked", "rejected", "blocked", "limited", "unclear", "failed",
            "pending",
        ] {
            assert_eq!(from_word(word).map(LookupOutcome::word), Some(word));
        }
    }

    #[test]
    fn a_github_token_without_use_for_ten_months_is_named() {
        let used = |forge, used| {
            let known = Known {
                forge,
                used,
                ..Known::default()
            };
            known.unused_since(1000 + UNUSED)
        };
        let github = Some(ForgeKind::GitHub);
        assert_eq!(used(github, Some(1000)), Some(1000));
        assert_eq!(used(github, Some(1001)), None);
        assert_eq!(used(github, None), None, "unknown");
        assert_eq!(used(Some(ForgeKind::GitLab), Some(1000)), None);
        assert_eq!(
            used(github, Some(2 * UNUSED)),
            None,
            "the clock was set back"
        );
    }

    #[test]
    fn an_outlived_end_is_asked_for_again_unless_it_was_the_forges() {
        for (source, end, is_gone, is_asked_again) in [
            (ExpirySource::Person, 100, true, true),
            (ExpirySource::Lifetime, 100, true, true),
            (ExpirySource::Forge, 100, true, false),
            (ExpirySource::Person, 300, false, false),
        ] {
            let mut known = Known {
                end: Expiry::from_unix(end).map(|end| (end, source)),
                asked: Some(50),
                ..Known::default()
            };
            known.forget_past_end(200);
            assert_eq!(known.end.is_none(), is_gone, "{source:?} {end}");
            assert_eq!(known.asked.is_none(), is_asked_again, "{source:?} {end}");
        }
    }
}
