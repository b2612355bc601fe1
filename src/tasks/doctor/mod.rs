//! Why git gets no token, and what to do: [`Doctor`] has the order of the checks.

pub mod certificates;
pub mod chain;
pub mod diagnosis;
pub mod finding;
pub mod forbidden;
pub mod header;
pub mod local_checks;
pub mod netrc;
pub mod no_token;
pub mod query;
pub mod remotes;
mod removal;
pub mod repository_check;
pub mod token_check;

use self::diagnosis::Diagnosis;
use self::finding::Finding;
use self::query::{Question, answer_to};
use self::token_check::TITLE;
use crate::config::{self, Settings};
use crate::credential::Credential;
use crate::credential::host::split_port;
use crate::credential::query::Query;
use crate::credential::url;
use crate::git::Git;
use crate::git::remotes::{Remote, Remotes, Target};
use crate::git::ssh::Ssh;
use crate::helper::Helper;
use crate::helper::lookup::Lookup;
use crate::storage::Error;
use crate::time::Now;

/// git and the remotes of the current repository, read once.
pub(crate) struct Surroundings {
    git: Option<Git>,
    git_finding: Finding,
    remotes: Remotes,
}

impl Surroundings {
    pub(crate) fn read() -> Self {
        let (git, git_finding) = local_checks::git();
        let remotes = git.as_ref().map(Remotes::read).unwrap_or_default();
        Self {
            git,
            git_finding,
            remotes,
        }
    }

    /// The URL that git uses for `typed`, which is the name of a remote or a URL.
    pub(crate) fn target(&self, typed: &str) -> Target {
        if let Some(remote) = self.remotes.named(typed) {
            return remote.target.clone();
        }
        if is_bare_host(typed) {
            return self.remotes.rewrite(&format!("https://{typed}"));
        }
        self.remotes.rewrite(typed)
    }

    /// The findings for a URL to which git sends no token, such as one over SSH. `None`: git asks its helpers for the URL.
    pub(crate) fn without_token(&self, target: &Target) -> Option<Vec<Finding>> {
        let found = remotes::of_target(target, &self.remotes)?;
        Some(self.report(vec![found]))
    }

    pub(crate) fn remote_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .remotes
            .all
            .iter()
            .map(|remote| &remote.name[..])
            .collect();
        names.dedup();
        names
    }

    /// The findings about git, and then `rest`.
    fn report(&self, rest: Vec<Finding>) -> Vec<Finding> {
        let mut findings = vec![self.git_finding.clone()];
        // Without git's answer, each later finding about its settings is incomplete.
        findings.extend(local_checks::unanswered().filter(|_| self.git.is_some()));
        findings.extend(rest);
        findings
    }
}

/// Whether `typed` is `HOST[:PORT][/PATH]`. git takes `one.test:8443/r` for the folder `8443/r` over SSH; a user means a port.
fn is_bare_host(typed: &str) -> bool {
    let Some(ssh) = Ssh::parse(typed).filter(|_| !typed.contains("://") && !typed.contains('@'))
    else {
        return false;
    };
    let port = ssh.path.split('/').next().unwrap_or_default();
    port.bytes().all(|byte| byte.is_ascii_digit())
}

/// The helper's query for the URL, and the credential that answers it.
type UrlAnswer = (Question, Result<Option<Credential>, Error>);

/// Examines git, the helper and, for a URL, the token and the repository behind it.
pub(crate) struct Doctor<'a> {
    pub(crate) surroundings: &'a Surroundings,
    /// `None`: only the checks that need no URL.
    pub(crate) url: Option<&'a Query>,
    pub(crate) opened: &'a Result<(Settings, Helper), config::failure::Error>,
    pub(crate) now: Now,
}

impl Doctor<'_> {
    /// Runs the checks in the order of the causes: git, the helper, git's configuration, the environment, certificates, and last
    /// the forge and git's endpoint. `typed`: the user's word for the URL. Returns `None` if it is neither the name of a remote nor a
    /// host with a stored token.
    pub(crate) fn examine(&self, typed: Option<&str>) -> Option<Vec<Finding>> {
        let answer = self.answer();
        let has_no_token = matches!(&answer, Some((_, Ok(None))));
        if has_no_token && typed.is_some_and(|typed| self.is_unknown_name(typed)) {
            return None;
        }
        let git = self.git();
        let helper = self.helper();
        let mut findings = self.of_helper();
        if let Some(git) = git {
            findings.extend(self.of_git(git, answer.as_ref()));
        }
        findings.extend(local_checks::environment(git, self.url, helper, self.now));
        findings.extend(certificates::examine(git, self.url));
        if let (Some(helper), Some(url), Some(answer)) = (helper, self.url, &answer) {
            findings.extend(self.of_url(helper, url, answer));
        }
        Some(self.surroundings.report(findings))
    }

    fn git(&self) -> Option<&Git> {
        self.surroundings.git.as_ref()
    }

    fn helper(&self) -> Option<&Helper> {
        self.opened.as_ref().ok().map(|(_, helper)| helper)
    }

    fn answer(&self) -> Option<UrlAnswer> {
        let (settings, helper) = self.opened.as_ref().ok()?;
        let question = Question::of(self.git(), &settings.accounts, self.url?);
        let kept = answer_to(helper.storages(), &question.wanted, self.now);
        Some((question, kept))
    }

    /// Whether `typed` looks like the name of a remote and is none. A host may look the same.
    fn is_unknown_name(&self, typed: &str) -> bool {
        let is_name = typed
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        is_name
            && !typed.eq_ignore_ascii_case("localhost")
            && self.surroundings.remotes.named(typed).is_none()
    }

    /// Checks config.toml and each storage.
    fn of_helper(&self) -> Vec<Finding> {
        const TITLE: &str = "configuration";
        match self.opened {
            Ok((settings, helper)) => {
                let says = "config.toml can be read, or is not there";
                let mut findings = vec![Finding::ok(TITLE, says)];
                findings.extend(local_checks::examine_storages(helper.storages(), settings));
                findings
            }
            Err(error) => vec![Finding::problem(TITLE, error.to_string(), error.hint())],
        }
    }

    /// Checks git's helpers and each setting that signs in without them, and then the remotes.
    fn of_git(&self, git: &Git, answer: Option<&UrlAnswer>) -> Vec<Finding> {
        let stored = answer.and_then(|(question, kept)| {
            let kept = kept.as_ref().ok()?.as_ref()?;
            // An expired credential is not given to git.
            (!kept.is_expired(self.now.unix)).then_some((question, kept))
        });
        let mut findings = chain::examine(git, self.url, stored);
        findings.extend(header::examine(git, self.url));
        findings.extend(netrc::examine(self.url, stored.map(|(_, kept)| kept)));
        if let (Ok((settings, _)), None) = (self.opened, self.url) {
            findings.extend(no_token::of_accounts(git, &settings.accounts));
        }
        for remote in &self.surroundings.remotes.all {
            findings.extend(self.of_remote(git, remote));
        }
        findings
    }

    /// Checks whether git finds a token for a remote. With a URL, only the remotes at its host are examined.
    fn of_remote(&self, git: &Git, remote: &Remote) -> Option<Finding> {
        if let Some(host) = self.url.and_then(|url| url.host.as_deref()) {
            let remotes = remote.host();
            if remotes.as_deref().map(str::as_bytes) != Some(split_port(host).0) {
                return None;
            }
        }
        if let Some(found) = remotes::of_remote(remote, &self.surroundings.remotes) {
            return Some(found);
        }
        let leads_to = url::parse(remote.target.url.as_bytes()).ok()?;
        // The user of the URL itself is examined with its token.
        let is_examined = self
            .url
            .is_some_and(|url| url.username == leads_to.username);
        if leads_to.username.is_none() || is_examined {
            return None;
        }
        let (settings, helper) = self.opened.as_ref().ok()?;
        let question = Question::of(Some(git), &settings.accounts, &leads_to);
        no_token::of_remote_user(helper, &question, &remote.name)
    }

    /// Checks the query, the token and the repository. The first finding that explains the rest ends the checks.
    fn of_url(&self, helper: &Helper, url: &Query, (question, kept): &UrlAnswer) -> Vec<Finding> {
        let Some(key) = url.key() else {
            return Vec::new();
        };
        let Some(site) = helper.issuers().site(&key) else {
            let url = key.url();
            let url = String::from_utf8_lossy(&url);
            let says = format!("{url} is not HTTPS: this program sends no token there");
            return vec![Finding::note(TITLE, says, None)];
        };
        if let Some(found) = no_token::of_query(question) {
            return vec![found];
        }
        let credential = match kept {
            Ok(Some(credential)) => credential,
            Ok(None) => {
                let found = no_token::unresolved(&site);
                let found = found.or_else(|| no_token::nothing_stored(helper, question));
                return found.into_iter().collect();
            }
            // The finding about the storage has the hint.
            Err(error) => {
                let says = format!("not checked, and git gets none: {error}");
                return vec![Finding::note(TITLE, says, None)];
            }
        };
        let login = no_token::login(&credential.key);
        let expiry = credential.expiry;
        if let Some(expiry) = expiry.filter(|expiry| expiry.is_past(self.now.unix)) {
            let day = expiry.day();
            let says = format!("the kept token expired on {day}: git does not get it");
            return vec![Finding::problem(TITLE, says, login)];
        }
        let (issuer, asked) = Lookup(helper).ask(credential, self.now);
        let diagnosis = Diagnosis {
            credential,
            issuer,
            site,
            asked,
            question,
            git: self.git(),
            login,
        };
        diagnosis.examine(&key, self.now)
    }
}
