//! Why git fails for a URL: the forge is asked about the token, and git's own endpoint about the repository.

use std::fmt::Write as _;

use super::diagnosis::{Case, text};
use super::finding::{Finding, Outcome};
use super::query::Question;
use crate::config::account::Account;
use crate::credential::Credential;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::credential::token::TokenKind;
use crate::credential::username::Username;
use crate::forge::http::{self, Obstacle};
use crate::forge::{self, ForgeKind, ForgeSite, TokenFacts, TokenVerdict};
use crate::git::Git;
use crate::git::http_path::HttpPaths;
use crate::helper::Helper;
use crate::helper::issuer::{Evidence, issuer};
use crate::helper::lookup::endpoint;
use crate::helper::lookup::request::Asked;
use crate::storage::Error;
use crate::time::{Now, in_words};

const TITLE: &str = "token";

impl Helper {
    /// Why git fails for `url`, if it does. `question`: what git asks for it; `kept`: what answers, or why nobody knows. Writes
    /// nothing down.
    pub fn why(
        &self,
        url: &Query,
        question: &Question,
        kept: Result<Option<&Credential>, &Error>,
        git: Option<&Git>,
        now: Now,
    ) -> Vec<Finding> {
        let Some(key) = url.key() else {
            return Vec::new();
        };
        let Some(site) = self.site(&key) else {
            let says = format!(
                "{} is not HTTPS: no token is sent to it from here",
                text(&key.url())
            );
            return vec![Finding::note(TITLE, says, None)];
        };
        if let Some(found) = of_question(question) {
            return vec![found];
        }
        let credential = match kept {
            Ok(Some(credential)) => credential,
            Ok(None) => {
                let found = unresolved(&site).or_else(|| self.nothing_kept(question));
                return found.into_iter().collect();
            }
            Err(error) => {
                // What is the matter with the storage is told with it.
                let says = format!("not looked at, and git is given none: {error}");
                return vec![Finding::note(TITLE, says, None)];
            }
        };
        // What is kept is replaced under its own key.
        let login = login(&credential.key);
        if let Some(end) = credential.expiry.filter(|end| end.is_past(now.unix)) {
            let says = format!("the kept token ended on {}: git is not given it", end.day());
            return vec![Finding::problem(TITLE, says, login)];
        }
        let (issuer, asked) = self.ask(credential, now);
        let case = Case {
            credential,
            issuer,
            site,
            asked,
            question,
            git,
            login,
        };
        match case.of_token(now) {
            // A dead token explains everything that follows.
            Err(found) => vec![found],
            Ok(found) => case.with_repository(found, &key),
        }
    }

    /// Why nothing answers, and what would.
    fn nothing_kept(&self, question: &Question) -> Option<Finding> {
        let wanted = question.wanted.key()?;
        let others = self.kept_at_host_of(&question.wanted);
        let of_anybody = Query {
            username: None,
            ..question.wanted.duplicate()
        };
        let of_host = Query {
            path: None,
            is_pathless: true,
            ..question.wanted.duplicate()
        };
        let url = text(&wanted.url());
        let other = others.iter().find(|key| of_anybody.matches(key));
        let says = match (&wanted.username, other) {
            (Some(user), Some(other)) => {
                let user = user.shown();
                let other = other.username.as_ref();
                let other = other.map(Username::shown).unwrap_or_default();
                let who = if question.is_named_by_git {
                    ", whom git asks for by credential.username"
                } else {
                    ""
                };
                format!("nothing is kept for the user '{user}' at {url}{who}, only for '{other}'")
            }
            _ if wanted.path.is_some() && others.iter().any(|key| of_host.matches(key)) => {
                format!(
                    "git asks with the path, and what is kept is for the whole host: nothing is kept for {url}"
                )
            }
            (Some(user), None) => {
                let places = self.places();
                format!(
                    "nothing is kept for the user '{}' at {url} in {places}",
                    user.shown()
                )
            }
            _ => format!("nothing is kept for {url} in {}", self.places()),
        };
        Some(Finding::problem(TITLE, says, login(&wanted)))
    }

    /// That a remote names a user of whom nothing is kept, while something is of another.
    pub fn of_remotes_user(&self, question: &Question, remote: &str) -> Option<Finding> {
        let named = |found: Finding| Finding {
            title: "remote",
            says: format!("the remote {remote}: {}", found.says),
            ..found
        };
        if let Some(found) = of_question(question) {
            return Some(named(found));
        }
        let of_anybody = Query {
            username: None,
            ..question.wanted.duplicate()
        };
        let others = self.kept_at_host_of(&question.wanted);
        let is_kept = others.iter().any(|key| question.wanted.matches(key));
        if is_kept || !others.iter().any(|key| of_anybody.matches(key)) {
            return None;
        }
        self.nothing_kept(question).map(named)
    }
}

/// That the host's name cannot be resolved: git cannot get there with any token. The server is sent no credential.
fn unresolved(site: &ForgeSite) -> Option<Finding> {
    let host = site.host();
    let error = endpoint::visit(site).err()?;
    if error != http::Error::Unreachable(Obstacle::Name) {
        return None;
    }
    let says = format!("{host} cannot be reached: {}", Obstacle::Name);
    let hint = format!("check the URL and the network: {}", error.hint(host));
    Some(Finding::problem("host", says, hint))
}

/// What is wrong with the question itself.
fn of_question(question: &Question) -> Option<Finding> {
    let user = question.asked.username.as_ref();
    let is_token = user.is_some_and(Username::may_be_token);
    if is_token && question.is_named_by_git {
        return Some(Finding::problem(
            TITLE,
            "credential.username holds a token in the place of the user: every program that reads git's configuration has it",
            "take it out of git's configuration, and revoke it at its forge",
        ));
    }
    if is_token {
        return Some(Finding::problem(
            TITLE,
            "the URL holds a token in the place of the user: whoever reads it has the token",
            "take it out of the URL, and revoke it at its forge",
        ));
    }
    question.untold.as_ref().map(of_untold)
}

/// The first of the rules whose path git does not tell.
pub fn of_accounts(git: &Git, accounts: &[Account]) -> Option<Finding> {
    let paths = HttpPaths::of(git);
    let is_untold = |account: &&Account| {
        let url = Query {
            protocol: Some(account.protocol.clone()),
            host: Some(account.host.clone()),
            path: account.path.clone(),
            ..Query::default()
        };
        account.path.is_some() && !paths.are_told(&url)
    };
    accounts.iter().find(is_untold).map(of_untold)
}

fn of_untold(rule: &Account) -> Finding {
    let says = format!(
        "git does not tell the path, by which the [[account]] of {} goes: its token is not found",
        text(&rule.url())
    );
    Finding::problem(TITLE, says, "git credential-pat setup")
}

fn nowhere() -> Key {
    Key {
        protocol: Vec::new(),
        host: Vec::new(),
        path: None,
        username: None,
    }
}

fn login(key: &Key) -> String {
    format!("git credential-pat login {}", key.argument())
}

impl Case<'_> {
    /// What the forge said, and then git's endpoint. Where the forge could not be asked, only that can tell the cause.
    fn with_repository(&self, of_token: Finding, key: &Key) -> Vec<Finding> {
        let of_repository = self.of_repository(key);
        let Asked::Failed(error) = &self.asked else {
            return vec![of_token, of_repository];
        };
        if key.path.is_none() && !self.git_reaches(&self.site.url("/"), *error) {
            let of_token = Finding {
                outcome: Outcome::Problem,
                ..of_token
            };
            return vec![of_token, of_repository];
        }
        // Who is silent at both is told of once.
        let is_one = self.api_host() == self.site.host()
            && of_repository.remedy == of_token.remedy
            && of_repository.says.ends_with(&error.to_string());
        if is_one {
            return vec![of_repository];
        }
        vec![of_token, of_repository]
    }

    /// The host that is asked about the token.
    fn api_host(&self) -> String {
        let issuer = self.issuer;
        let call = issuer.and_then(|issuer| issuer.forge.token_request(&self.site, issuer.token));
        let host = call.and_then(|call| {
            let rest = call.url.strip_prefix("https://")?;
            rest.split('/').next().map(str::to_owned)
        });
        host.unwrap_or_else(|| self.site.host().to_owned())
    }

    /// What the forge says of the token: `Err` where that is the cause of everything.
    fn of_token(&self, now: Now) -> Result<Finding, Finding> {
        let forge = self.forge();
        let login = &self.login[..];
        if let Some(wrong) = self.wrong_kind() {
            return Err(Finding::problem(TITLE, wrong, login));
        }
        match &self.asked {
            Asked::Told(TokenVerdict::Good(found)) => self.of_good(found, now),
            Asked::Told(TokenVerdict::Ended) => Err(Finding::problem(
                TITLE,
                format!("{forge} says that the token has ended"),
                login,
            )),
            Asked::Told(TokenVerdict::Revoked) => Err(Finding::problem(
                TITLE,
                format!("{forge} says that the token was revoked"),
                login,
            )),
            // No token holds what no header can.
            Asked::Told(TokenVerdict::Rejected) | Asked::Failed(http::Error::Token) => {
                Err(Finding::problem(TITLE, self.rejected(), login))
            }
            Asked::Told(TokenVerdict::Blocked {
                authorize: Some(link),
                ..
            }) => Err(self.sso(TITLE, Some(link))),
            Asked::Told(TokenVerdict::Blocked { words, .. }) => {
                let words = words.as_deref().unwrap_or("no reason given");
                let says = format!("{forge} knows the token and blocks it: {words}");
                Ok(Finding::note(TITLE, says, None))
            }
            Asked::Told(TokenVerdict::Limited { status, .. }) => {
                let says = format!(
                    "{forge} answers {status}: it limits requests for now, and says nothing about the token"
                );
                Ok(Finding::note(TITLE, says, None))
            }
            Asked::Told(TokenVerdict::Unclear { status }) => Ok(Finding::note(
                TITLE,
                format!("{forge} answers {status} when asked about the token, which tells nothing"),
                None,
            )),
            Asked::Failed(error) => {
                let host = self.api_host();
                let says = format!("{host}: {error}");
                Ok(Finding::note(TITLE, says, error.hint(&host)))
            }
            Asked::CannotTell => Ok(Finding::note(
                TITLE,
                format!("{forge} tells nothing about a token"),
                None,
            )),
            Asked::NoForge => {
                let says =
                    "nobody knows which forge this is: a [[host]] rule in config.toml can tell";
                Ok(Finding::note(TITLE, says, None))
            }
            Asked::NotThere(kind) => {
                let site = &self.site;
                let says = format!(
                    "{} is not the address of {kind}: the token was not sent; a [[host]] rule with the forge's URL in config.toml can tell where it is",
                    site.url("/")
                );
                Ok(Finding::note(TITLE, says, None))
            }
            Asked::NotHttps => Ok(Finding::note(
                TITLE,
                "no token is sent over anything but HTTPS",
                None,
            )),
        }
    }

    fn of_good(&self, found: &TokenFacts, now: Now) -> Result<Finding, Finding> {
        let forge = self.forge();
        let (scopes, kind) = (found.scopes.as_deref(), self.kind());
        let lack = scopes.and_then(|scopes| self.issuer?.forge.missing_scope(kind, scopes));
        if let Some(lack) = lack {
            let says = format!(
                "the token lacks the scope '{}': {}",
                lack.scope, lack.consequence
            );
            return Err(Finding::problem(
                TITLE,
                says,
                format!("visit: {}", self.page()),
            ));
        }
        let mut says = format!("{forge} takes it");
        if let forge::ForgeExpiry::At(end) = found.end {
            let _ = write!(
                says,
                "; it ends in {} ({})",
                in_words(end.left(now.unix)),
                end.day()
            );
        }
        let may_change_workflows =
            |scopes: &[String]| scopes.iter().any(|scope| scope == "workflow");
        if kind == Some(TokenKind::Classic) && !scopes.is_none_or(may_change_workflows) {
            says.push_str(
                "; without the scope 'workflow' a push that changes .github/workflows is refused",
            );
            return Ok(Finding::note(
                TITLE,
                says,
                format!("visit: {}", self.page()),
            ));
        }
        Ok(Finding::ok(TITLE, says))
    }

    /// Kinds that git cannot use here at all.
    fn wrong_kind(&self) -> Option<String> {
        let secret = self.credential.token()?.expose();
        let what = match self.kind() {
            Some(TokenKind::Refresh) => "a refresh token, which only renews another",
            Some(TokenKind::Service) => "a token for runners, feeds or agents",
            Some(TokenKind::AppPassword) => {
                "an app password: Bitbucket took the last on 28 July 2026"
            }
            Some(_) => return None,
            None => {
                // By its beginning it is another forge's.
                let clues = Evidence {
                    token: Some(secret),
                    ..Evidence::default()
                };
                let other = issuer(&nowhere(), clues)?.forge.kind();
                let own = self.issuer?.forge.kind();
                return (other != own)
                    .then(|| format!("the kept token is of {other}, and this is {own}"));
            }
        };
        Some(format!("the kept token is of the wrong kind: {what}"))
    }

    /// A token that is not taken, and nobody says why.
    fn rejected(&self) -> String {
        let forge = self.forge();
        if self.kind().is_some() {
            format!("{forge} does not take the token: it has ended, was revoked, or was never good")
        } else if self.is(ForgeKind::GitHub) {
            "GitHub does not take this: it begins like none of its tokens, and account passwords are not taken since 2021"
                .to_owned()
        } else {
            format!(
                "{forge} does not take this: it begins like none of its tokens; a password, or dead"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forge::ForgeSite;

    use crate::forge::http::Error;
    use crate::secret::Secret;

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
        let case = Case {
            site: ForgeSite::of(&credential.key).unwrap(),
            issuer: issuer(&credential.key, Evidence::default()),
            asked: Asked::Failed(Error::Unreachable(http::Obstacle::Refused)),
            question: &question,
            git: None,
            login: login(&credential.key),
            credential: &credential,
        };
        let now = Now {
            unix: 0,
            fraction: 0,
            monotonic: std::time::Duration::ZERO,
        };
        let found = case.of_token(now).unwrap();
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
