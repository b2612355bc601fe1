//! The repository check: asks git's endpoint whether git may fetch and push, and explains a denial by its status.

use super::diagnosis::Diagnosis;
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
const ONLY_FETCH: &str = "git may fetch but not push: ";

impl Diagnosis<'_> {
    /// Asks the endpoint of the repository at `key`. Sends at most four requests; each has a deadline.
    pub(crate) fn of_repository(&self, key: &Key) -> Finding {
        let Some(path) = &key.path else {
            let says = "not asked: give the whole URL of a repository";
            return Finding::note(TITLE, says, None);
        };
        let ask = |service| endpoint::ask(&self.site, self.credential, path, service);
        let host = self.site.host();
        match ask("git-upload-pack") {
            Ok(answer) if reply::is_gits(&answer, "git-upload-pack") => {}
            Ok(answer) if reply::is_dumb(&answer) => {
                let says = "git may fetch; the server has files only (the dumb protocol), so git cannot push";
                return Finding::note(TITLE, says, None);
            }
            Ok(answer) => return self.denial(&answer, path, ""),
            Err(error) if self.git_reaches(&endpoint::address(&self.site, path), error) => {
                let says = format!("git reaches {host}, but this program does not: {error}");
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
                    || reply::asks_to_sign_in(&answer)
                    || reply::page(&answer).is_some() =>
            {
                self.denial(&answer, path, ONLY_FETCH)
            }
            Ok(answer) => {
                let status = answer.status;
                let says =
                    format!("git may fetch; status {status} does not tell whether it may push");
                Finding::note(TITLE, says, None)
            }
            Err(error) => {
                let says = format!("git may fetch; cannot tell whether it may push: {error}");
                Finding::note(TITLE, says, error.hint(host))
            }
        }
    }

    /// Explains an answer that denies access. `before`: [`ONLY_FETCH`], or empty if git may not even fetch.
    fn denial(&self, answer: &HttpAnswer, path: &[u8], before: &str) -> Finding {
        let status = answer.status;
        if reply::asks_to_sign_in(answer) {
            let forge = self.forge();
            let says = format!("{status}: {before}{forge} asks to sign in: it rejects the token");
            return Finding::problem(TITLE, says, self.login.clone());
        }
        if let Some(page) = reply::page(answer) {
            return self.of_page(page, answer, path, before);
        }
        match status {
            401 => self.unauthorized(path, before),
            403 => self.forbidden(TITLE, answer, path, before),
            404 => self.not_found(path, before),
            410 => self.retired(answer, path, before),
            300..=399 => Finding::problem(
                TITLE,
                format!(
                    "{status}: the repository has moved, and the token is not sent to another place"
                ),
                format!(
                    "have git use the address that the repository's page shows; visit: {}",
                    endpoint::address(&self.site, path)
                ),
            ),
            _ => Finding::problem(
                TITLE,
                format!("{status}: a problem of the server, not of the token"),
                format!("visit: {}", endpoint::address(&self.site, path)),
            ),
        }
    }

    /// A web page from a proxy, a network or the forge's site in the place of git's answer. No token helps there.
    fn of_page(
        &self,
        page: &'static str,
        answer: &HttpAnswer,
        path: &[u8],
        before: &str,
    ) -> Finding {
        let location = answer.header("location").unwrap_or_default();
        let host = location.split_once("://").map_or("", |(_, rest)| rest);
        let host = host.split(['/', '?', '#']).next().unwrap_or_default();
        let at = match host.rsplit('@').next() {
            None | Some("") => String::new(),
            Some(host) => format!(" (at {host})"),
        };
        let says = format!(
            "{}: {before}{page}{at} answers in the place of git's server; this says nothing about the token",
            answer.status
        );
        let address = endpoint::address(&self.site, path);
        let url = format!("{address}/info/refs?service=git-upload-pack");
        let remedy = format!("curl -v {}", shell_word(url.as_bytes()));
        Finding::problem(TITLE, says, remedy)
    }

    /// 401: the server rejects the credential.
    fn unauthorized(&self, path: &[u8], before: &str) -> Finding {
        let forge = self.forge();
        let name = self
            .issuer
            .and_then(|issuer| issuer.forge.username(issuer.token));
        let own = self.credential.key.username.as_ref().map(Username::expose);
        if let Some(name) = name.filter(|name| own != Some(name.as_bytes())) {
            return self.wrong_username(name, path, before);
        }
        let says = if matches!(self.asked, Asked::Told(TokenVerdict::Good(_))) {
            format!("401: {before}{forge} knows the token, but git gets no access with it")
        } else {
            format!("401: {before}{forge} rejects it: invalid, of the wrong kind, or a password")
        };
        Finding::problem(TITLE, says, self.login.clone())
    }

    /// 401 for a token that is stored under another username than `name`, which the forge requires.
    fn wrong_username(&self, name: &str, path: &[u8], before: &str) -> Finding {
        let key = Key {
            username: None,
            ..self.credential.key.clone()
        };
        let own = self.own_name();
        let is_access = self.kind() == Some(TokenKind::Access);
        let (says, remedy) = match &self.question.asked.username {
            // git asks for this user, so a token under another username would not be found.
            Some(_) if !is_access => (
                format!(
                    "the token is invalid, or '{own}' is not the Bitbucket username (nor is the e-mail)"
                ),
                self.login.clone(),
            ),
            Some(_) => {
                let site = self.site.host();
                let address = endpoint::address(&self.site, path);
                let address = address.replacen(site, &format!("{name}@{site}"), 1);
                (
                    format!(
                        "the username for an access token is '{name}', but git asks for '{own}'"
                    ),
                    format!("have git use {address}, and run 'git credential-pat login' for it"),
                )
            }
            None => (
                format!("the token is invalid, or its username is not '{name}'"),
                format!(
                    "git credential-pat login --username {name} {}",
                    key.argument()
                ),
            ),
        };
        let says = format!("401: {before}{} rejects it: {says}", self.forge());
        Finding::problem(TITLE, says, remedy)
    }

    /// 404: the forge hides that a repository exists, or the repository does not exist.
    fn not_found(&self, path: &[u8], before: &str) -> Finding {
        let page = format!("visit: {}", self.page());
        if !before.is_empty() {
            let says = format!("404: {before}the token, or its owner, may not write there");
            return Finding::problem(TITLE, says, page);
        }
        if self.kind() == Some(TokenKind::FineGrained) {
            let says = "404: this fine-grained token has no access to the repository, or no repository has this name";
            return Finding::problem(TITLE, says, page);
        }
        // A user who is signed in sees which of the two it is. Another token would not help.
        let says = "404: there is no such repository, or the token's owner may not see it";
        let remedy = format!(
            "fix the URL, or ask for access; signed in as {}, visit: {}",
            self.own_name(),
            self.repository_page(path)
        );
        Finding::problem(TITLE, says, remedy)
    }

    /// 410: git does not tell its helpers to erase the credential, so the user must replace it.
    fn retired(&self, answer: &HttpAnswer, path: &[u8], before: &str) -> Finding {
        let may_be_password = matches!(self.kind(), None | Some(TokenKind::AppPassword));
        if !may_be_password {
            let said = self.quoted(answer);
            let says = format!(
                "410: {before}{} says that the repository is gone for good; this says nothing about the token{said}",
                self.forge()
            );
            let remedy = format!("visit: {}", endpoint::address(&self.site, path));
            return Finding::problem(TITLE, says, remedy);
        }
        let what = if self.is(ForgeKind::Bitbucket) {
            "app passwords were removed on 28 July 2026, and git never removes one by itself"
        } else {
            "this way to sign in was removed, and git never removes it by itself"
        };
        Finding::problem(TITLE, format!("410: {before}{what}"), self.login.clone())
    }

    /// The server's own words, to be appended to a message.
    pub(crate) fn quoted(&self, answer: &HttpAnswer) -> String {
        let words = reply::words(answer, self.credential.token());
        words.map_or_else(String::new, |words| format!("; it says: \"{words}\""))
    }

    /// The username of the stored token, hidden if it may be a token.
    fn own_name(&self) -> String {
        let name = self.credential.key.username.as_ref();
        name.map(Username::shown).unwrap_or_default()
    }
}
