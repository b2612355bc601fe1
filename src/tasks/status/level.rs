//! How serious each line of `status` is, and the exit status of all.

use crate::helper::token_state::TokenState;

/// How serious a line is, from good to worst. The worst one is the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Good,
    /// git works, but the user should know.
    Note,
    /// A storage or a forge could not tell.
    Unknown,
    ExpiresSoon,
    /// A token has expired or was rejected.
    Invalid,
    /// git does not call this helper, or no storage can be used.
    Failure,
}

impl Level {
    pub(crate) fn of(state: TokenState) -> Self {
        match state {
            // An unknown expiry is usual: only the forge, or the user, can tell it.
            TokenState::Good | TokenState::Unknown => Self::Good,
            TokenState::Limited | TokenState::Failed | TokenState::Blocked => Self::Unknown,
            TokenState::ExpiresSoon => Self::ExpiresSoon,
            TokenState::Expired | TokenState::Rejected | TokenState::Revoked => Self::Invalid,
        }
    }

    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Good | Self::Note => 0,
            Self::Failure => 1,
            Self::ExpiresSoon => 3,
            Self::Invalid => 4,
            Self::Unknown => 5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_comes_first_and_then_as_for_check() {
        use Level::{ExpiresSoon, Failure, Good, Invalid, Note, Unknown};
        let worst = |levels: &[Level]| levels.iter().max().unwrap().exit_code();
        assert_eq!(worst(&[Good, Note]), 0);
        assert_eq!(worst(&[Note, Unknown]), 5);
        assert_eq!(worst(&[Unknown, ExpiresSoon]), 3);
        assert_eq!(worst(&[ExpiresSoon, Invalid, Unknown]), 4);
        assert_eq!(worst(&[Invalid, Failure, Good]), 1);
    }
}
