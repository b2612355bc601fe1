//! The state of a token by its forge's answer and its expiry.

use serde::Serialize;

use crate::config::Warn;
use crate::credential::expiry::Expiry;
use crate::forge::TokenVerdict;
use crate::helper::lookup::Report;
use crate::helper::lookup::request::Asked;

/// The exit status if a forge or a storage gives no clear answer.
pub(crate) const UNKNOWN: u8 = 5;

/// The state of a token, from good to worst: a certain state comes after an uncertain one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TokenState {
    /// It expires later than soon, or never.
    Good,
    /// The forge cannot be asked, and no expiry is known.
    Unknown,
    /// The forge limits requests for now.
    Limited,
    /// The forge did not answer, or its answer says nothing about the token.
    Failed,
    /// The token is good, but the forge blocks its account or address.
    Blocked,
    ExpiresSoon,
    Expired,
    Rejected,
    Revoked,
}

impl TokenState {
    /// The state by the expiry alone.
    pub(crate) fn by_date(expiry: Option<Expiry>, warn: Warn, unix_now: u64) -> Self {
        match expiry {
            None => Self::Unknown,
            Some(expiry) if expiry.is_past(unix_now) => Self::Expired,
            Some(expiry) if expiry.left(unix_now) <= warn.before.as_secs() => Self::ExpiresSoon,
            Some(_) => Self::Good,
        }
    }

    pub(crate) fn of(report: &Report, warn: Warn, unix_now: u64) -> Self {
        let by_date = Self::by_date(report.end.map(|(expiry, _)| expiry), warn, unix_now);
        let verdict = match &report.asked {
            Asked::Told(verdict) => verdict,
            Asked::CannotTell | Asked::NoForge | Asked::NotHttps => return by_date,
            Asked::Failed(_) | Asked::NotThere(_) => return by_date.max(Self::Failed),
        };
        match verdict {
            TokenVerdict::Good(_) if by_date == Self::Unknown => Self::Good,
            TokenVerdict::Good(_) => by_date,
            TokenVerdict::Ended => Self::Expired,
            TokenVerdict::Revoked => Self::Revoked,
            // The forge gives no reason; a date that has passed is one.
            TokenVerdict::Rejected | TokenVerdict::Blocked { .. } if by_date == Self::Expired => {
                by_date
            }
            TokenVerdict::Rejected => Self::Rejected,
            TokenVerdict::Blocked { .. } => Self::Blocked,
            TokenVerdict::Limited { .. } => by_date.max(Self::Limited),
            TokenVerdict::Unclear { .. } => by_date.max(Self::Failed),
        }
    }

    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Unknown | Self::Limited | Self::Failed | Self::Blocked => UNKNOWN,
            Self::ExpiresSoon => 3,
            Self::Expired | Self::Rejected | Self::Revoked => 4,
        }
    }
}
