//! Checks without the network: git, storages, the daemon, the environment.

use std::env;
use std::ffi::OsString;
use std::path::Path;

use super::finding::Finding;
use crate::config::Settings;
use crate::config::choice::Choice;
use crate::credential::Credential;
use crate::credential::query::Query;
use crate::credential::url;
use crate::credential::username::Username;
use crate::forge::{self, TokenVerdict};
use crate::git::chain::{HelperChain, helper_lines};
use crate::git::failure::{self, UNREADABLE};
use crate::git::{Git, command};
use crate::helper::Helper;
use crate::helper::lookup::Lookup;
use crate::helper::lookup::request::Asked;
use crate::helper::open;
use crate::helper::storages::Storages;
use crate::secret::Secret;
use crate::storage::{Lack, StorageKind};
use crate::terminal::escape::shell_word;
use crate::terminal::with_causes;
use crate::time::Now;

/// Programs that read these variables use them instead of the stored token.
const VARIABLES: [(&str, forge::ForgeKind); 5] = [
    ("GITHUB_TOKEN", forge::ForgeKind::GitHub),
    ("GH_TOKEN", forge::ForgeKind::GitHub),
    ("GITHUB_ENTERPRISE_TOKEN", forge::ForgeKind::GitHub),
    ("GH_ENTERPRISE_TOKEN", forge::ForgeKind::GitHub),
    ("GITLAB_TOKEN", forge::ForgeKind::GitLab),
];

/// Finds git and its version. Returns no git if it cannot read its own configuration: each command of it would fail.
pub fn git() -> (Option<Git>, Finding) {
    let (git, version) = match Git::find().and_then(|git| Ok((git.version()?, git))) {
        Ok((version, git)) => (git, version),
        Err(error) => {
            let install = "install git, and put its folder on PATH";
            let remedy = error.hint().unwrap_or(install);
            return (None, Finding::problem("git", error.to_string(), remedy));
        }
    };
    match helper_lines(&git) {
        Ok(_) => (Some(git), Finding::ok("git", version)),
        Err(error) => {
            let says = format!("git cannot read its own configuration: {error}");
            let remedy =
                "correct the lines that git names, until 'git config --list' shows no error";
            let remedy = error.hint().unwrap_or(remedy);
            (None, Finding::problem("git", says, remedy))
        }
    }
}

/// A problem if git did not answer in time about its settings.
pub fn unanswered() -> Option<Finding> {
    let says = failure::Error::TooSlow(command::unanswered()?.to_owned()).to_string();
    Some(Finding::problem("git", says, UNREADABLE))
}

/// Tokens in variables of the environment. A helper of `git` may read them, too. `helper` asks the forge at `url` about those that
/// may be for it.
pub fn environment(
    git: Option<&Git>,
    url: Option<&Query>,
    helper: Option<&Helper>,
    now: Now,
) -> Vec<Finding> {
    let lines = git.and_then(|git| helper_lines(git).ok());
    let chain = HelperChain::of(&lines.unwrap_or_default(), url).helpers;
    let reads = |word: &str| {
        let mut helpers = chain.iter();
        helpers.any(|setting| setting.value.to_string_lossy().contains(word))
    };
    let mut findings = Vec::new();
    for (name, kind) in VARIABLES {
        let Some(value) = env::var_os(name).filter(|value| !value.is_empty()) else {
            continue;
        };
        let is_read = reads(if kind == forge::ForgeKind::GitLab {
            "glab"
        } else {
            "gh auth"
        });
        let asked = helper.zip(url).and_then(|(helper, url)| {
            let is_meant = is_meant_for(name, url.host.as_deref().unwrap_or_default());
            is_meant.then(|| ask_variable(helper, kind, value.as_encoded_bytes(), url, now))?
        });
        let state = match &asked {
            Some(Asked::Told(TokenVerdict::Good(_))) => {
                format!(", and {kind} accepts the token in it")
            }
            Some(Asked::Told(verdict)) if verdict.is_rejection() => {
                format!(", and {kind} rejects the token in it")
            }
            Some(_) => format!(", and {kind} does not tell whether the token in it works"),
            None => String::new(),
        };
        let remedy = if url.is_some() {
            format!("unset {name}")
        } else {
            format!("unset {name}; 'git credential-pat doctor URL' asks whether it works")
        };
        let says = format!("{name} is set{state}");
        findings.push(if is_read {
            let says = format!(
                "{says}: a helper that git asks answers with it, not with the stored token"
            );
            Finding::problem("environment", says, remedy)
        } else {
            let says = format!("{says}: gh, glab and others use it instead of the stored token");
            Finding::note("environment", says, remedy)
        });
    }
    findings
}

/// Whether the token in the variable `name` may be for `host`. By `gh help environment`, some variables are for github.com and
/// ghe.com, others for every other GitHub server. GitHub Actions name their server.
fn is_meant_for(name: &str, host: &[u8]) -> bool {
    let is_public = host == b"github.com" || host.ends_with(b".ghe.com");
    let is_server = || {
        let server = env::var_os("GITHUB_SERVER_URL").unwrap_or_default();
        let server = url::parse(server.as_encoded_bytes()).ok();
        server.and_then(|url| url.host).as_deref() == Some(host)
    };
    match name {
        "GITHUB_TOKEN" | "GH_TOKEN" => is_public || is_server(),
        "GITHUB_ENTERPRISE_TOKEN" | "GH_ENTERPRISE_TOKEN" => !is_public,
        _ => true,
    }
}

/// Asks the forge at `url` about a token from the environment. `None`: by the host's name or a `[[host]]` rule, the forge is not of
/// `kind`. The token may be for another host, and is not sent.
fn ask_variable(
    helper: &Helper,
    kind: forge::ForgeKind,
    value: &[u8],
    url: &Query,
    now: Now,
) -> Option<Asked> {
    let described = Query {
        protocol: url.protocol.clone(),
        host: url.host.clone(),
        username: Some(Username::from(b"x-access-token".to_vec())),
        password: Some(Secret::new(value)),
        ..Query::default()
    };
    let credential = Credential::complete(described)?;
    let issuer = helper.issuers().issuer(&credential.key, None, None)?;
    (issuer.forge.kind() == kind).then(|| Lookup(helper).ask(&credential, now).1)
}

/// Whether each storage can be used.
pub(super) fn examine_storages(storages: &Storages, settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    for storage in storages.all() {
        let kind = storage.kind();
        findings.push(match storage.check() {
            Ok(()) => Finding::ok("storage", format!("{kind} can be used")),
            Err(error) => {
                let says = with_causes(&error);
                let hint = error.hint().map(str::to_owned);
                // A keyring that is there and does not answer keeps its tokens from git.
                let may_be_away = settings.storage == Choice::Auto
                    && error.is_absence()
                    && error.lack() != Some(Lack::OwnBus);
                if may_be_away {
                    Finding::note("storage", says, hint)
                } else {
                    let other = "git credential-pat setup --storage memory".to_owned();
                    Finding::problem("storage", says, hint.unwrap_or(other))
                }
            }
        });
        match kind {
            StorageKind::File => findings.extend(plaintext(settings)),
            StorageKind::Memory => findings.push(daemon(settings)),
            StorageKind::Keychain => {}
        }
    }
    findings
}

/// Unreadable parts of the plaintext file, and the risk that it is committed to a repository.
fn plaintext(settings: &Settings) -> Vec<Finding> {
    let file = &settings.file;
    let path = file.path();
    let shown = path.display();
    let mut findings = Vec::new();
    if let Ok(count @ 1..) = file.count_unreadable() {
        let says = format!("{count} paragraphs of {shown} are no entries, and are ignored");
        let remedy = format!("look at {shown}, and fix or remove them");
        findings.push(Finding::problem("plaintext file", says, remedy));
    }
    let tree = path
        .ancestors()
        .skip(1)
        .find(|folder| folder.join(".git").exists());
    if let Some(tree) = tree.filter(|_| path.exists()) {
        let says = format!(
            "{shown} lies in the work tree {}: it may be committed",
            tree.display()
        );
        let exclude = tree.join(".git/info/exclude");
        let inner = path.strip_prefix(tree).unwrap_or(Path::new(""));
        let line = OsString::from(format!("/{}", inner.display()));
        let remedy = format!(
            "printf '%s\\n' {} >> {}",
            shell_word(line.as_encoded_bytes()),
            shell_word(exclude.as_os_str().as_encoded_bytes())
        );
        findings.push(Finding::problem("plaintext file", says, remedy));
    }
    findings
}

fn daemon(settings: &Settings) -> Finding {
    match open::memory(settings).status() {
        Ok(None) => Finding::ok("daemon", "not running: it starts when something is stored"),
        Ok(Some(status)) => {
            let process = format!("running as process {}", status.process);
            if status.locked >= status.mapped {
                return Finding::ok(
                    "daemon",
                    format!("{process}; its memory is not swapped out"),
                );
            }
            let says = format!("{process}; some of its memory can be swapped out");
            let hint = "raise the limit of locked memory ('ulimit -l'), then 'git credential-pat cache stop'";
            Finding::note("daemon", says, hint.to_owned())
        }
        Err(error) => Finding::problem(
            "daemon",
            with_causes(&error),
            "git credential-pat cache stop",
        ),
    }
}
