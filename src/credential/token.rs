//! Kinds of tokens.

use serde::Deserialize;

/// The kind of a token. Its prefix tells it; length and letters never do, since forges change them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenKind {
    /// GitHub's older personal access token, with scopes.
    Classic,
    /// GitHub's newer personal access token, with permissions for repositories.
    FineGrained,
    /// Issued to an OAuth application.
    #[serde(rename = "oauth")]
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
    /// The word in messages, JSON and the journal.
    pub fn word(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::FineGrained => "fine-grained",
            Self::OAuth => "oauth",
            Self::App => "app",
            Self::Installation => "installation",
            Self::Refresh => "refresh",
            Self::Access => "access",
            Self::Deploy => "deploy",
            Self::Job => "job",
            Self::Service => "service",
            Self::AppPassword => "app-password",
            Self::Api => "api",
        }
    }
}
