//! The result of one check, as a value: the user interface prints it.

use serde::Serialize;

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The subject, in a word or two.
    pub title: &'static str,
    pub outcome: FindingState,
    /// The result. May hold text from outside.
    pub says: String,
    /// The fix: one command, or one page. May hold text from outside.
    pub remedy: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingState {
    Ok,
    /// Git works, but the user should know.
    Note,
    /// Git fails, or a token is at risk.
    Problem,
}

impl FindingState {
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Problem => "problem",
        }
    }
}

impl Finding {
    pub fn ok(title: &'static str, says: impl Into<String>) -> Self {
        Self {
            outcome: FindingState::Ok,
            ..Self::note(title, says, None)
        }
    }

    pub fn note(
        title: &'static str,
        says: impl Into<String>,
        remedy: impl Into<Option<String>>,
    ) -> Self {
        Self {
            title,
            outcome: FindingState::Note,
            says: says.into(),
            remedy: remedy.into(),
        }
    }

    pub fn problem(
        title: &'static str,
        says: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            outcome: FindingState::Problem,
            ..Self::note(title, says, Some(remedy.into()))
        }
    }
}
