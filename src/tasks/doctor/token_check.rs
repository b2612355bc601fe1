//! The token check: what the forge says about the stored token, and whether git can use a token of this kind.

use super::diagnosis::Diagnosis;
use super::finding::{Finding, FindingState};
use crate::credential::key::Key;
use crate::credential::token::TokenKind;
use crate::forge::http;
use crate::forge::{ForgeExpiry, ForgeKind, TokenFacts, TokenVerdict};
use crate::helper::issuer::by_prefix;
use crate::helper::lookup::request::Asked;
use crate::time::{Now, in_words};

/// The title of each finding about the token.
pub(super) const TITLE: &str = "token";

/// `Err`: this finding explains each later one, so the checks end.
type TokenFinding = Result<Finding, Finding>;

impl Diagnosis<'_> {
    /// Checks the token, and then the repository at `key`.
    pub(super) fn examine(&self, key: &Key, now: Now) -> Vec<Finding> {
        let of_token = match self.of_token(now) {
            Ok(found) => found,
            Err(cause) => return vec![cause],
        };
        let of_repository = self.of_repository(key);
        let Asked::Failed(error) = &self.asked else {
            return vec![of_token, of_repository];
        };
        // Without a repository, only the forge can tell whether git gets through.
        if key.path.is_none() && !self.git_reaches(&self.site.url("/"), *error) {
            let of_token = Finding {
                outcome: FindingState::Problem,
                ..of_token
            };
            return vec![of_token, of_repository];
        }
        // One finding is enough for a server that answers neither request.
        let is_same_failure = self.api_host() == self.site.host()
            && of_repository.remedy == of_token.remedy
            && of_repository.says.ends_with(&error.to_string());
        if is_same_failure {
            vec![of_repository]
        } else {
            vec![of_token, of_repository]
        }
    }

    fn of_token(&self, now: Now) -> TokenFinding {
        if let Some(wrong) = self.wrong_kind() {
            return Err(self.invalid(wrong));
        }
        let forge = self.forge();
        let invalid = match &self.asked {
            Asked::Told(TokenVerdict::Good(found)) => return self.of_good(found, now),
            Asked::Told(TokenVerdict::Ended) => format!("{forge} says that the token has expired"),
            Asked::Told(TokenVerdict::Revoked) => {
                format!("{forge} says that the token was revoked")
            }
            // No token has characters that a header cannot hold.
            Asked::Told(TokenVerdict::Rejected) | Asked::Failed(http::Error::Token) => {
                self.rejected()
            }
            Asked::Told(TokenVerdict::Blocked {
                authorize: Some(link),
                ..
            }) => return Err(self.sso(TITLE, Some(link))),
            Asked::Failed(error) => {
                let host = self.api_host();
                let says = format!("{host}: {error}");
                return Ok(Finding::note(TITLE, says, error.hint(&host)));
            }
            asked => {
                let says = asked.unclear(&forge).unwrap_or_default();
                return Ok(Finding::note(TITLE, says, asked.setting_hint()));
            }
        };
        Err(self.invalid(invalid))
    }

    /// A token that the forge accepts: its scopes and its expiry.
    fn of_good(&self, found: &TokenFacts, now: Now) -> TokenFinding {
        let (scopes, kind) = (found.scopes.as_deref(), self.kind());
        let page = format!("visit: {}", self.page());
        let lack = scopes.and_then(|scopes| self.issuer?.forge.missing_scope(kind, scopes));
        if let Some(lack) = lack {
            return Err(Finding::problem(TITLE, lack.to_string(), page));
        }
        let mut says = format!("{} accepts it", self.forge());
        if let ForgeExpiry::At(expiry) = found.end {
            let left = in_words(expiry.left(now.unix));
            says = format!("{says}; it expires in {left} ({})", expiry.day());
        }
        let lacks_workflow =
            scopes.is_some_and(|scopes| !scopes.iter().any(|scope| scope == "workflow"));
        if kind == Some(TokenKind::Classic) && lacks_workflow {
            says.push_str(
                "; without the scope 'workflow', GitHub rejects a push that changes .github/workflows",
            );
            return Ok(Finding::note(TITLE, says, page));
        }
        Ok(Finding::ok(TITLE, says))
    }

    fn invalid(&self, says: String) -> Finding {
        Finding::problem(TITLE, says, self.login.clone())
    }

    /// A kind of token that git cannot use, or a token of another forge.
    fn wrong_kind(&self) -> Option<String> {
        let kind = match self.kind() {
            Some(TokenKind::Refresh) => "a refresh token, which only renews another",
            Some(TokenKind::Service) => "a token for runners, feeds or agents",
            Some(TokenKind::AppPassword) => {
                "an app password, which Bitbucket accepts no longer since 28 July 2026"
            }
            Some(_) => return None,
            None => {
                let own = self.issuer?.forge.kind();
                let other = by_prefix(self.credential.token()?.expose())?.kind();
                return (other != own)
                    .then(|| format!("the kept token is of {other}, but this is {own}"));
            }
        };
        Some(format!("the kept token is of the wrong kind: {kind}"))
    }

    /// A token that the forge rejects without a reason.
    fn rejected(&self) -> String {
        let forge = self.forge();
        if self.kind().is_some() {
            format!("{forge} rejects the token: it has expired, was revoked, or was never valid")
        } else if self.is(ForgeKind::GitHub) {
            "GitHub rejects it: it begins like none of GitHub's tokens, and GitHub accepts no account passwords since 2021"
                .to_owned()
        } else {
            format!("{forge} rejects it: it begins like none of its tokens; a password, or invalid")
        }
    }

    /// The host that answers requests about the token.
    fn api_host(&self) -> String {
        let call = self
            .issuer
            .and_then(|issuer| issuer.forge.token_request(&self.site, issuer.token));
        let host = call.and_then(|call| {
            let rest = call.url.strip_prefix("https://")?;
            rest.split('/').next().map(str::to_owned)
        });
        host.unwrap_or_else(|| self.site.host().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::Credential;
    use crate::credential::query::Query;
    use crate::forge::ForgeSite;
    use crate::helper::issuer::Issuers;
    use crate::secret::Secret;
    use crate::tasks::doctor::query::Question;

    #[test]
    fn the_host_that_is_silent_is_named() {
        let described = Query {
            protocol: Some(b"https".to_vec()),
            host: Some(b"github.com".to_vec()),
            username: Some(b"octocat".to_vec().into()),
            password: Some(Secret::new(b"ghp_made-up")),
            ..Query::default()
        };
        let question = Question::of(None, &[], &described);
        let credential = Credential::complete(described).unwrap();
        let diagnosis = Diagnosis {
            site: ForgeSite::of(&credential.key).unwrap(),
            issuer: Issuers::new(Vec::new()).issuer_of(&credential, None),
            asked: Asked::Failed(http::Error::Unreachable(http::Obstacle::Refused)),
            question: &question,
            git: None,
            login: String::new(),
            credential: &credential,
        };
        let now = Now {
            unix: 0,
            fraction: 0,
            monotonic: std::time::Duration::ZERO,
        };
        let found = diagnosis.of_token(now).unwrap();
        assert_eq!(
            found.remedy.as_deref(),
            Some("curl -v https://api.github.com/")
        );
        assert!(found.says.starts_with("api.github.com: "), "{}", found.says);
        assert!(
            found.says.contains("connection is refused"),
            "{}",
            found.says
        );
    }
}
