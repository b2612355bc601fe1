//! What git's own endpoint says of a repository: whether git may fetch and push, and why not.

use super::diagnosis::Case;
use super::finding::Finding;
use crate::credential::key::Key;
use crate::credential::token::TokenKind;
use crate::credential::username::Username;
use crate::forge::answer::HttpAnswer;
use crate::forge::{ForgeKind, TokenVerdict};
use crate::helper::lookup::endpoint;
use crate::helper::lookup::reply;
use crate::helper::lookup::request::Asked;
use crate::terminal::escape::shell_word;

const TITLE: &str = "git endpoint";
const ONLY_FETCH: &str = "git may fetch and not push: ";

impl Case<'_> {
    /// For the URL of a repository. At most four questions, each of them bounded in time.
    pub(crate) fn of_repository(&self, key: &Key) -> Finding {
        let Some(path) = &key.path else {
            let says = "not asked: give the whole URL of a repository to have it asked";
            return Finding::note(TITLE, says, None);
        };
        let ask = |service| endpoint::ask(&self.site, self.credential, path, service);
        let host = self.site.host();
        match ask("git-upload-pack") {
            Ok(answer) if reply::is_gits(&answer, "git-upload-pack") => {}
            Ok(answer) if reply::is_dumb(&answer) => {
                let says = "git may fetch; the server has files only (the dumb protocol), and git cannot push there";
                return Finding::note(TITLE, says, None);
            }
            Ok(answer) => return self.cause(&answer, path, ""),
            Err(error) if self.git_reaches(&endpoint::address(&self.site, path), error) => {
                let says = format!("git reaches {host}, and this program does not: {error}");
                return Finding::note(TITLE, says, error.hint(host));
            }
            Err(error) => {
                return Finding::problem(TITLE, format!("{host}: {error}"), error.hint(host));
            }
        }
        match ask("git-receive-pack") {
            Ok(answer) if reply::is_gits(&answer, "git-receive-pack") => {
                Finding::ok(TITLE, "git may fetch and push")
            }
            Ok(answer)
                if matches!(answer.status, 401 | 403 | 404 | 410)
                    || asks_to_sign_in(&answer)
                    || reply::page(&answer).is_some() =>
            {
                self.cause(&answer, path, ONLY_FETCH)
            }
            Ok(answer) => {
                let says = format!(
                    "git may fetch; whether it may push, {} does not tell",
                    answer.status
                );
                Finding::note(TITLE, says, None)
            }
            Err(error) => {
                let says = format!("git may fetch; whether it may push, nobody told: {error}");
                Finding::note(TITLE, says, error.hint(host))
            }
        }
    }

    /// Why git is let in not at all, or only to fetch: what `before` says.
    fn cause(&self, answer: &HttpAnswer, path: &[u8], before: &str) -> Finding {
        if asks_to_sign_in(answer) {
            let says = format!(
                "{}: {before}{} asks to sign in: it does not take the token",
                answer.status,
                self.forge()
            );
            return Finding::problem(TITLE, says, self.login.clone());
        }
        if let Some(page) = reply::page(answer) {
            return self.of_page(page, answer, path, before);
        }
        match answer.status {
            401 => self.unauthorized(path, before),
            403 => self.forbidden(answer, path, before),
            404 => self.not_found(path, before),
            410 => self.retired(answer, path, before),
            status @ 300..=399 => Finding::problem(
                TITLE,
                format!("{status}: the repository is elsewhere, and no token follows"),
                format!(
                    "have git use the address that its page shows; visit: {}",
                    endpoint::address(&self.site, path)
                ),
            ),
            status => {
                let remedy = format!("visit: {}", endpoint::address(&self.site, path));
                Finding::problem(
                    TITLE,
                    format!("{status}: the server, not the token"),
                    remedy,
                )
            }
        }
    }

    /// Something between here and the forge, or the forge's web site, answers: no token helps there.
    fn of_page(
        &self,
        page: &'static str,
        answer: &HttpAnswer,
        path: &[u8],
        before: &str,
    ) -> Finding {
        let place = answer.header("location").unwrap_or_default();
        let place = place.split_once("://").map_or("", |(_, rest)| rest);
        let place = place.split(['/', '?', '#']).next().unwrap_or_default();
        let place = place.rsplit('@').next().unwrap_or_default();
        let leads = if place.is_empty() {
            String::new()
        } else {
            format!(" (at {place})")
        };
        let says = format!(
            "{}: {before}{page}{leads} answers in the place of git's server, which says nothing about the token",
            answer.status
        );
        let url = format!(
            "{}/info/refs?service=git-upload-pack",
            endpoint::address(&self.site, path)
        );
        Finding::problem(
            TITLE,
            says,
            format!("curl -v {}", shell_word(url.as_bytes())),
        )
    }

    /// 410, of which git forgets no credential.
    fn retired(&self, answer: &HttpAnswer, path: &[u8], before: &str) -> Finding {
        let may_be_password = matches!(self.kind(), None | Some(TokenKind::AppPassword));
        if !may_be_password {
            let said = self.quoted(answer);
            let says = format!(
                "410: {before}{} says that this is gone for good, and not that the token is wrong{said}",
                self.forge()
            );
            let remedy = format!("visit: {}", endpoint::address(&self.site, path));
            return Finding::problem(TITLE, says, remedy);
        }
        let what = if self.is(ForgeKind::Bitbucket) {
            "app passwords were removed on 28 July 2026, and git never forgets one by itself"
        } else {
            "this way to sign in was removed, and git never forgets it by itself"
        };
        Finding::problem(TITLE, format!("410: {before}{what}"), self.login.clone())
    }

    /// The server's words, to stand behind ours.
    fn quoted(&self, answer: &HttpAnswer) -> String {
        let said = reply::words(answer, self.credential.token());
        said.map_or_else(String::new, |said| format!("; it says: \"{said}\""))
    }

    fn unauthorized(&self, path: &[u8], before: &str) -> Finding {
        let forge = self.forge();
        let name = self
            .issuer
            .and_then(|issuer| issuer.forge.username(issuer.token));
        let own = self.credential.key.username.as_ref().map(Username::expose);
        if let Some(name) = name.filter(|name| own != Some(name.as_bytes())) {
            return self.of_another_name(name, path, before);
        }
        let says = if matches!(self.asked, Asked::Told(TokenVerdict::Good(_))) {
            format!("401: {before}{forge} knows the token, and git is not let in with it")
        } else {
            format!("401: {before}{forge} does not take it: dead, of the wrong kind, or a password")
        };
        Finding::problem(TITLE, says, self.login.clone())
    }

    /// The forge wants `name` with such a token, and another one is kept with it.
    fn of_another_name(&self, name: &str, path: &[u8], before: &str) -> Finding {
        let key = Key {
            username: None,
            ..self.credential.key.clone()
        };
        let own = self.own_name();
        let is_access = self.kind() == Some(TokenKind::Access);
        let (says, remedy) = match &self.question.asked.username {
            // Git would not be given what is kept for another one.
            Some(_) if !is_access => (
                format!(
                    "the token is dead, or '{own}' is not the Bitbucket username (nor is the e-mail)"
                ),
                self.login.clone(),
            ),
            Some(_) => {
                let site = self.site.host();
                let address = endpoint::address(&self.site, path);
                let address = address.replacen(site, &format!("{name}@{site}"), 1);
                (
                    format!(
                        "the username for an access token is '{name}', and git asks for '{own}'"
                    ),
                    format!("have git use {address}, and run 'git credential-pat login' for it"),
                )
            }
            None => (
                format!("the token is dead, or the username is not the one for it ('{name}')"),
                format!(
                    "git credential-pat login --username {name} {}",
                    key.argument()
                ),
            ),
        };
        let says = format!("401: {before}{} does not take it: {says}", self.forge());
        Finding::problem(TITLE, says, remedy)
    }

    /// As it may be shown.
    fn own_name(&self) -> String {
        let name = self.credential.key.username.as_ref();
        name.map(Username::shown).unwrap_or_default()
    }

    fn forbidden(&self, answer: &HttpAnswer, path: &[u8], before: &str) -> Finding {
        let said = String::from_utf8_lossy(answer.body.as_slice()).to_ascii_lowercase();
        let link = self
            .issuer
            .and_then(|issuer| issuer.forge.authorization(&self.site, answer));
        if link.is_some() || said.contains("saml") || said.contains("single sign") {
            return self.sso(TITLE, link.as_deref());
        }
        let page = format!("visit: {}", self.page());
        if said.contains("lifetime") {
            let says = "403: the organization blocks tokens that live as long as this one; it is not revoked";
            return Finding::problem(TITLE, says, page);
        }
        if let Some(refusal) = reply::refusal(answer) {
            let says = format!("403: {before}{}{}", refusal.says, self.quoted(answer));
            return Finding::problem(TITLE, says, refusal.remedy);
        }
        let before = if before.is_empty() {
            "git is not let in: "
        } else {
            before
        };
        // Roles come beside scopes, and a 403 says not which is meant. Scopes that lack something are told before this.
        let are_scopes_known =
            matches!(&self.asked, Asked::Told(TokenVerdict::Good(found)) if found.scopes.is_some());
        if are_scopes_known && self.is(ForgeKind::GitLab) {
            let says = format!(
                "403: {before}the token's scopes suffice, and its owner lacks the role (Developer pushes, Maintainer to protected branches)"
            );
            let remedy =
                "ask a Maintainer or Owner of the project for it; project tokens have their own";
            return Finding::problem(TITLE, says, remedy.to_owned());
        }
        let said = self.quoted(answer);
        if are_scopes_known && self.is(ForgeKind::GitHub) {
            let says = format!(
                "403: {before}the token has the scope 'repo', and its owner may not do this there{said}"
            );
            let repository = path.strip_suffix(b".git").unwrap_or(path);
            let repository = endpoint::address(&self.site, repository);
            let remedy = format!("ask an owner of the repository for access; visit: {repository}");
            return Finding::problem(TITLE, says, remedy);
        }
        let right = match self.issuer.map(|issuer| issuer.forge.kind()) {
            Some(ForgeKind::GitHub) if self.kind() == Some(TokenKind::FineGrained) => {
                "the permission 'Contents: read and write' for this repository"
            }
            Some(ForgeKind::GitHub) => "the scope 'repo', or you lack the right to write",
            Some(ForgeKind::GitLab) => "the scope 'write_repository'",
            _ => "a right to the repository",
        };
        let says = format!("403: {before}the token lacks {right}{said}");
        Finding::problem(TITLE, says, page)
    }

    fn not_found(&self, path: &[u8], before: &str) -> Finding {
        if !before.is_empty() {
            let says = format!("404: {before}the token, or its owner, may not write there");
            return Finding::problem(TITLE, says, format!("visit: {}", self.page()));
        }
        if self.kind() == Some(TokenKind::FineGrained) {
            let says = "404: this fine-grained token was not given the repository, or there is none of that name";
            return Finding::problem(TITLE, says, format!("visit: {}", self.page()));
        }
        // Which of the two it is, a person sees who signs in there; another token would not help.
        let says = "404: there is no such repository, or the token's owner may not see it";
        let page = path.strip_suffix(b".git").unwrap_or(path);
        let page = endpoint::address(&self.site, page);
        let owner = self.own_name();
        let remedy =
            format!("mend the URL, or ask for access; signed in as {owner}, visit: {page}");
        Finding::problem(TITLE, says, remedy)
    }
}

/// Whether this is the way to a page where a person signs in, and not git's endpoint: Azure DevOps leads to `/_signin`, or shows
/// the page with 203.
fn asks_to_sign_in(answer: &HttpAnswer) -> bool {
    let leads_there = || {
        let place = answer.header("location").unwrap_or_default();
        let place = place.split(['?', '#']).next().unwrap_or_default();
        place.ends_with("/_signin")
    };
    let is_page = || {
        let is_html = answer
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("text/html"));
        let said = String::from_utf8_lossy(answer.body.as_slice()).to_ascii_lowercase();
        is_html && (said.contains("sign in") || said.contains("_signin"))
    };
    match answer.status {
        203 => is_page(),
        300..=399 => leads_there(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forge::recorded::answer;

    #[test]
    fn a_page_to_sign_in_is_known_by_its_own_words() {
        let html = ("content-type", "text/html; charset=utf-8");
        let location = |place| ("location", place);
        for (given, is_one) in [
            (
                answer(302, &[location("https://one.test/_signin?realm=x")], ""),
                true,
            ),
            (
                answer(302, &[location("https://one.test/acme/r.git")], ""),
                false,
            ),
            (
                answer(
                    203,
                    &[html],
                    "<title>Azure DevOps Services | Sign In</title>",
                ),
                true,
            ),
            (answer(203, &[html], "<title>Welcome</title>"), false),
            (answer(200, &[html], "Sign In"), false),
            (answer(302, &[], ""), false),
        ] {
            assert_eq!(asks_to_sign_in(&given), is_one, "{given:?}");
        }
    }
}
