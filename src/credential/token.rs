//! Kinds of tokens.

/// The kind of a token. Its prefix tells it; length and letters never do, since forges change them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// GitHub's older personal access token, with scopes.
    Classic,
    /// GitHub's newer personal access token, with permissions for repositories.
    FineGrained,
    /// Issued to an OAuth application.
    OAuth,
    /// Issued to a GitHub App for a user.
    App,
    /// Issued to the installation of a GitHub App; expires after an hour.
    Installation,
    /// Renews another token; git cannot use it.
    Refresh,
    /// Personal, project or group access token.
    Access,
    Deploy,
    /// Issued to a CI job.
    Job,
    /// Not for git: runners, feeds, triggers, agents.
    Service,
    /// Bitbucket's app password, removed in 2026.
    AppPassword,
    /// Atlassian's API token.
    Api,
}

impl TokenKind {
    /// The words in messages, JSON and the journal.
    const WORDS: [(Self, &str); 12] = [
        (Self::Classic, "classic"),
        (Self::FineGrained, "fine-grained"),
        (Self::OAuth, "oauth"),
        (Self::App, "app"),
        (Self::Installation, "installation"),
        (Self::Refresh, "refresh"),
        (Self::Access, "access"),
        (Self::Deploy, "deploy"),
        (Self::Job, "job"),
        (Self::Service, "service"),
        (Self::AppPassword, "app-password"),
        (Self::Api, "api"),
    ];

    pub fn word(self) -> &'static str {
        let mut words = Self::WORDS.into_iter();
        words.find(|row| row.0 == self).map_or("", |row| row.1)
    }

    pub fn from_word(word: &str) -> Option<Self> {
        let mut words = Self::WORDS.into_iter();
        words.find(|row| row.1 == word).map(|row| row.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back() {
        for (kind, word) in TokenKind::WORDS {
            assert_eq!(kind.word(), word);
            assert_eq!(TokenKind::from_word(word), Some(kind));
        }
        assert_eq!(TokenKind::from_word(""), None);
    }
}
