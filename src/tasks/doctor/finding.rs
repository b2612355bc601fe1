//! What an examination found, as values: the user interface prints.

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, in a word or two.
    pub title: &'static str,
    /// How it is.
    pub outcome: Outcome,
    /// What was found. May hold foreign text.
    pub says: String,
    /// What to do: one command, or one page. May hold foreign text.
    pub remedy: Option<String>,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// In the way.
    Problem,
}

impl Outcome {
    /// For people and machines.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Problem => "problem",
        }
    }
}

impl Finding {
    /// All is well.
    pub fn ok(title: &'static str, says: impl Into<String>) -> Self {
        Self::new(title, Outcome::Ok, says.into(), None)
    }

    /// Worth knowing.
    pub fn note(
        title: &'static str,
        says: impl Into<String>,
        remedy: impl Into<Option<String>>,
    ) -> Self {
        Self::new(title, Outcome::Note, says.into(), remedy.into())
    }

    /// In the way, and what to do about it.
    pub fn problem(
        title: &'static str,
        says: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::new(title, Outcome::Problem, says.into(), Some(remedy.into()))
    }

    fn new(title: &'static str, outcome: Outcome, says: String, remedy: Option<String>) -> Self {
        Self {
            title,
            outcome,
            says,
            remedy,
        }
    }
}
