//! Why git fails for a URL: the forge is asked about the token, and git's own endpoint about the repository.

use std::fmt::Write as _;

use super::finding::Finding;
use super::forges::{Clues, Issuer, issuer};
use super::lookup::Asked;
use super::{Helper, endpoint};
use crate::credential::Credential;
use crate::credential::description::Description;
use crate::credential::key::Key;
use crate::credential::token::TokenKind;
use crate::forge::lookup;
use crate::forge::{self, Answer, Found, Kind, Renewal, Site, Verdict, Wish};
use crate::time::{Now, in_words};

const TOKEN: &str = "token";
const GIT: &str = "git endpoint";

/// All there is to go by.
struct Case<'a> {
    credential: &'a Credential,
    issuer: Option<Issuer>,
    site: Site,
    asked: Asked,
}

impl Helper {
    /// Why git fails for `url`, if it does. Writes nothing down.
    pub fn why(&self, url: &Description, kept: Option<&Credential>, now: Now) -> Vec<Finding> {
        let Some(key) = url.key() else {
            return Vec::new();
        };
        let shown = text(&key.url());
        // What is kept is replaced under its own key.
        let meant = kept.map_or_else(|| without_path(&key), |kept| kept.key.clone());
        let login = format!("git credential-pat login {}", text(&meant.url_of_user()));
        let Some(site) = Site::of(&key) else {
            let says = format!("{shown} is not HTTPS: no token is sent to it from here");
            return vec![Finding::note(TOKEN, says, None)];
        };
        let Some(credential) = kept else {
            let says = format!("nothing is kept for {shown}");
            return vec![Finding::problem(TOKEN, says, login)];
        };
        if let Some(end) = credential.expiry.filter(|end| end.is_past(now.wall)) {
            let says = format!("the kept token ended on {}: git is not given it", end.day());
            return vec![Finding::problem(TOKEN, says, login)];
        }
        let (issuer, asked) = self.ask(credential, now);
        let case = Case {
            credential,
            issuer,
            site,
            asked,
        };
        let mut findings = Vec::new();
        match case.of_token(&login, now) {
            // A dead token explains everything that follows.
            Err(found) => findings.push(found),
            Ok(found) => {
                findings.push(found);
                findings.extend(case.of_repository(&key, &login));
            }
        }
        findings
    }
}

impl Case<'_> {
    fn forge(&self) -> String {
        let forge = self.issuer.map(|issuer| issuer.forge.kind());
        forge.map_or_else(|| "the server".to_owned(), |kind| kind.to_string())
    }

    fn kind(&self) -> Option<TokenKind> {
        self.issuer.and_then(|issuer| issuer.token)
    }

    fn is(&self, kind: Kind) -> bool {
        self.issuer
            .is_some_and(|issuer| issuer.forge.kind() == kind)
    }

    /// Where the token's rights are changed.
    fn page(&self) -> String {
        let renewal = self
            .issuer
            .map(|issuer| issuer.forge.renewal(&self.site, issuer.token));
        match renewal {
            Some(Renewal::ByHand { page, .. }) => page,
            // GitLab's tokens keep their scopes: another one is created.
            Some(Renewal::InPlace { .. }) => self.creation(),
            None => self.site.url("/"),
        }
    }

    fn creation(&self) -> String {
        let wish = Wish {
            name: "git".to_owned(),
            days: 90,
            last_day: String::new(),
        };
        let pages = self
            .issuer
            .map(|issuer| issuer.forge.creation(&self.site, &wish));
        pages
            .and_then(|pages| pages.into_iter().next())
            .map_or_else(|| self.site.url("/"), |page| page.url)
    }

    /// What the forge says of the token: `Err` where that is the cause of everything.
    fn of_token(&self, login: &str, now: Now) -> Result<Finding, Finding> {
        let forge = self.forge();
        if let Some(wrong) = self.wrong_kind() {
            return Err(Finding::problem(TOKEN, wrong, login));
        }
        match &self.asked {
            Asked::Told(Verdict::Good(found)) => self.of_good(found, now),
            Asked::Told(Verdict::Ended) => Err(Finding::problem(
                TOKEN,
                format!("{forge} says that the token has ended"),
                login,
            )),
            Asked::Told(Verdict::Revoked) => Err(Finding::problem(
                TOKEN,
                format!("{forge} says that the token was revoked"),
                login,
            )),
            // No token holds what no header can.
            Asked::Told(Verdict::Rejected) | Asked::Failed(lookup::Error::Token) => {
                Err(Finding::problem(TOKEN, self.rejected(), login))
            }
            Asked::Told(Verdict::Blocked {
                authorize: Some(link),
            }) => Err(sso(Some(link.clone()), &self.page())),
            Asked::Told(Verdict::Blocked { authorize: None }) => Ok(Finding::note(
                TOKEN,
                format!("{forge} answers 403: the token is known, and may not be used"),
                None,
            )),
            Asked::Told(Verdict::Unclear { status }) => Ok(Finding::note(
                TOKEN,
                format!("{forge} answers {status} when asked about the token, which tells nothing"),
                None,
            )),
            Asked::Failed(error) => {
                let remedy = format!("curl -v {}", self.site.url("/"));
                Err(Finding::problem(TOKEN, error.to_string(), remedy))
            }
            Asked::CannotTell => Ok(Finding::note(
                TOKEN,
                format!("{forge} tells nothing about a token"),
                None,
            )),
            Asked::NoForge => {
                let says =
                    "nobody knows which forge this is: a [[host]] rule in config.toml can tell";
                Ok(Finding::note(TOKEN, says, None))
            }
            Asked::NotHttps => Ok(Finding::note(
                TOKEN,
                "no token is sent over anything but HTTPS",
                None,
            )),
        }
    }

    fn of_good(&self, found: &Found, now: Now) -> Result<Finding, Finding> {
        let forge = self.forge();
        let (scopes, kind) = (found.scopes.as_deref(), self.kind());
        let lack = scopes.and_then(|scopes| self.issuer?.forge.lacks(kind, scopes));
        if let Some(lack) = lack {
            let says = format!(
                "the token lacks the scope '{}': {}",
                lack.scope, lack.consequence
            );
            return Err(Finding::problem(
                TOKEN,
                says,
                format!("open {}", self.page()),
            ));
        }
        let mut says = format!("{forge} takes it");
        if let forge::Told::At(end) = found.end {
            let _ = write!(
                says,
                "; it ends in {} ({})",
                in_words(end.left(now.wall)),
                end.day()
            );
        }
        let may_change_workflows =
            |scopes: &[String]| scopes.iter().any(|scope| scope == "workflow");
        if kind == Some(TokenKind::Classic) && !scopes.is_none_or(may_change_workflows) {
            says.push_str(
                "; without the scope 'workflow' a push that changes .github/workflows is refused",
            );
            return Ok(Finding::note(TOKEN, says, format!("open {}", self.page())));
        }
        Ok(Finding::ok(TOKEN, says))
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
                let clues = Clues {
                    token: Some(secret),
                    ..Clues::default()
                };
                let nowhere = Key {
                    protocol: Vec::new(),
                    host: Vec::new(),
                    path: None,
                    username: None,
                };
                let other = issuer(&nowhere, clues)?.forge.kind();
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
        } else if self.is(Kind::GitHub) {
            "GitHub does not take this: it begins like none of its tokens, and account passwords are not taken since 2021"
                .to_owned()
        } else {
            format!(
                "{forge} does not take this: it begins like none of its tokens; a password, or dead"
            )
        }
    }

    /// What git's endpoint says, for a URL with a repository.
    fn of_repository(&self, key: &Key, login: &str) -> Vec<Finding> {
        let Some(path) = &key.path else {
            let says = "not asked: give the whole URL of a repository to have it asked";
            return vec![Finding::note(GIT, says, None)];
        };
        let fetch = endpoint::ask(&self.site, self.credential, path, "git-upload-pack");
        let answer = match &fetch {
            Ok(answer) if answer.status == 200 => {
                match endpoint::ask(&self.site, self.credential, path, "git-receive-pack") {
                    Ok(answer) if answer.status == 200 => {
                        return vec![Finding::ok(GIT, "git may fetch and push")];
                    }
                    Ok(answer) if answer.status == 403 => {
                        let why = self.forbidden(&answer, "git may fetch and not push");
                        return vec![why];
                    }
                    _ => return vec![Finding::ok(GIT, "git may fetch")],
                }
            }
            Ok(answer) => answer,
            Err(error) => {
                let remedy = format!("curl -v {}", self.site.url("/"));
                return vec![Finding::problem(GIT, error.to_string(), remedy)];
            }
        };
        vec![match answer.status {
            401 => self.unauthorized(login),
            403 => self.forbidden(answer, "git is refused"),
            404 => self.not_found(path),
            410 => {
                let what = if self.is(Kind::Bitbucket) {
                    "app passwords were removed on 28 July 2026, and git never forgets one by itself"
                } else {
                    "this way to sign in was removed, and git never forgets it by itself"
                };
                Finding::problem(GIT, format!("410: {what}"), login)
            }
            status @ 300..=399 => Finding::problem(
                GIT,
                format!("{status}: the repository is elsewhere, and no token follows"),
                format!(
                    "open {} and copy its address for git",
                    endpoint::address(&self.site, path)
                ),
            ),
            status => {
                let remedy = format!("open {}", endpoint::address(&self.site, path));
                Finding::problem(GIT, format!("{status}: the server, not the token"), remedy)
            }
        }]
    }

    fn unauthorized(&self, login: &str) -> Finding {
        let forge = self.forge();
        let name = self.issuer.and_then(|issuer| {
            let wish = Wish {
                name: String::new(),
                days: 1,
                last_day: String::new(),
            };
            let pages = issuer.forge.creation(&self.site, &wish);
            pages.into_iter().find_map(|page| page.username)
        });
        let says = match name {
            Some(name) => {
                let says = format!(
                    "401: {forge} takes neither; the token is dead, or the username is not the one for it ('{name}')"
                );
                let login = format!(
                    "git credential-pat login --username {name} {}",
                    text(&without_user(&self.credential.key).url_of_user())
                );
                return Finding::problem(GIT, says, login);
            }
            None if matches!(self.asked, Asked::Told(Verdict::Good(_))) => {
                format!("401: {forge} knows the token, and git is not let in with it")
            }
            None => {
                format!("401: {forge} does not take it: dead, of the wrong kind, or a password")
            }
        };
        Finding::problem(GIT, says, login)
    }

    fn forbidden(&self, answer: &Answer, what: &str) -> Finding {
        let said = String::from_utf8_lossy(answer.body.as_slice()).to_ascii_lowercase();
        if said.contains("saml") || said.contains("single sign") {
            return sso(None, &self.page());
        }
        let page = format!("open {}", self.page());
        if said.contains("lifetime") {
            let says = "403: the organization blocks tokens that live as long as this one; it is not revoked";
            return Finding::problem(GIT, says, page);
        }
        // GitLab has roles beside scopes, and a 403 says not which is meant.
        let are_scopes_known =
            matches!(&self.asked, Asked::Told(Verdict::Good(found)) if found.scopes.is_some());
        if are_scopes_known && self.is(Kind::GitLab) {
            let says = format!(
                "403: {what}: the token's scopes suffice, and its owner lacks the role (Developer pushes, Maintainer to protected branches)"
            );
            let remedy =
                "ask a Maintainer or Owner of the project for it; project tokens have their own";
            return Finding::problem(GIT, says, remedy.to_owned());
        }
        let right = match self.issuer.map(|issuer| issuer.forge.kind()) {
            Some(Kind::GitHub) if self.kind() == Some(TokenKind::FineGrained) => {
                "the permission 'Contents: read and write'"
            }
            Some(Kind::GitHub) => "the scope 'repo', or you lack the right to write",
            Some(Kind::GitLab) => "the scope 'write_repository'",
            _ => "a right to the repository",
        };
        Finding::problem(GIT, format!("403: {what}: the token lacks {right}"), page)
    }

    fn not_found(&self, path: &[u8]) -> Finding {
        if self.kind() == Some(TokenKind::FineGrained) {
            let says = "404: this fine-grained token was not given the repository, or there is none of that name";
            return Finding::problem(GIT, says, format!("open {}", self.page()));
        }
        // Which of the two it is, a person sees who signs in there; another token would not help.
        let says = "404: there is no such repository, or the token's owner may not see it";
        let page = path.strip_suffix(b".git").unwrap_or(path);
        let page = endpoint::address(&self.site, page);
        let owner = text(self.credential.key.username.as_deref().unwrap_or_default());
        let remedy =
            format!("open {page} signed in as {owner}, and mend the URL or ask for access");
        Finding::problem(GIT, says, remedy)
    }
}

fn sso(link: Option<String>, page: &str) -> Finding {
    let says = "403: the token must be authorized for the organization's single sign-on";
    let remedy = match link {
        Some(link) => format!("open {link} within the hour"),
        None => format!("open {page}, 'Configure SSO' beside the token"),
    };
    Finding::problem(TOKEN, says, remedy)
}

fn without_path(key: &Key) -> Key {
    Key {
        path: None,
        ..key.clone()
    }
}

fn without_user(key: &Key) -> Key {
    Key {
        username: None,
        ..key.clone()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
