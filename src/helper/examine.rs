//! What can be looked at without asking anybody: git, storages, the daemon, remotes, the environment.

use std::env;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::Helper;
use super::finding::Finding;
use super::open;
use crate::config::{Choice, Settings};
use crate::credential::description::Description;
use crate::git::Git;
use crate::helper_line::quoted;
use crate::storage::{Error, Kind};

/// Programs that read these use them in the place of what is kept here.
const VARIABLES: [&str; 3] = ["GITHUB_TOKEN", "GH_TOKEN", "GITLAB_TOKEN"];

/// Where an SSH remote leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssh {
    /// Without user and port: they are SSH's.
    pub host: String,
    /// Without the first `/`.
    pub path: String,
}

impl Ssh {
    /// Reads `ssh://[USER@]HOST[:PORT]/PATH` and `USER@HOST:PATH`.
    pub fn parse(url: &str) -> Option<Self> {
        let (authority, path) = if let Some((scheme, rest)) = url.split_once("://") {
            if !["ssh", "git+ssh", "ssh+git"].contains(&scheme) {
                return None;
            }
            let (authority, path) = rest.split_once('/')?;
            (authority.split(':').next()?, path)
        } else {
            let (authority, path) = url.split_once(':')?;
            let is_scp_like = authority.contains('@') && !authority.contains('/');
            is_scp_like.then_some((authority, path))?
        };
        let host = authority.rsplit('@').next()?.to_ascii_lowercase();
        let path = path.trim_matches('/').to_owned();
        (!host.is_empty() && !path.is_empty()).then_some(Self { host, path })
    }

    fn is_same_place(&self, other: &Self) -> bool {
        let path = |ssh: &Self| ssh.path.trim_end_matches(".git").to_owned();
        self.host == other.host && path(self) == path(other)
    }

    /// The same repository over HTTPS, as forges have it.
    pub fn https(&self) -> String {
        format!("https://{}/{}", self.host, self.path)
    }

    /// That tokens are of no use here, and how to change it.
    pub fn finding(&self, remote: &str, option: &str) -> Finding {
        let says = format!("{remote} {OVER_SSH}");
        let (remote, url) = (quoted(remote.as_ref()), quoted(self.https().as_ref()));
        Finding::problem(
            "remote",
            says,
            format!("git remote set-url {option}{remote} {url}"),
        )
    }

    /// The same, where no remote leads there.
    pub fn finding_without_remote(&self) -> Finding {
        let says = format!("{} {OVER_SSH}", self.host);
        let remedy = format!("use {} in its place", quoted(self.https().as_ref()));
        Finding::problem("remote", says, remedy)
    }
}

const OVER_SSH: &str = "is reached over SSH: git asks no helper there, tokens serve HTTPS only";

/// A remote of the repository that one is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// As git has it.
    pub name: String,
    /// Where it leads, which may be anything.
    pub url: String,
}

/// git itself: there, and which.
pub fn git() -> (Option<Git>, Finding) {
    match Git::find().and_then(|git| Ok((git.version()?, git))) {
        Ok((version, git)) => (Some(git), Finding::ok("git", version)),
        Err(error) => {
            let remedy = "install git, and have its folder on PATH";
            (None, Finding::problem("git", error.to_string(), remedy))
        }
    }
}

/// Remotes of the repository that one is in which no token serves; with `host`, only those that lead there.
pub fn remotes(git: &Git, host: Option<&str>) -> Vec<Finding> {
    let settings = git
        .settings(r"^remote\..*\.(push)?url$")
        .unwrap_or_default();
    let mut findings = Vec::new();
    for setting in settings {
        let key = setting.key.to_string_lossy().into_owned();
        let Some((name, kind)) = key
            .strip_prefix("remote.")
            .and_then(|rest| rest.rsplit_once('.'))
        else {
            continue;
        };
        let Some(ssh) = setting.value.to_str().and_then(Ssh::parse) else {
            continue;
        };
        let option = if kind == "pushurl" { "--push " } else { "" };
        let is_asked = host.is_none_or(|host| host.split(':').next() == Some(&ssh.host));
        if is_asked {
            findings.push(ssh.finding(name, option));
        }
    }
    findings
}

/// Which remote of the repository that one is in leads there, however its URL is written.
pub fn remote_of(git: &Git, ssh: &Ssh) -> Option<String> {
    let leads_there =
        |remote: &Remote| Ssh::parse(&remote.url).is_some_and(|found| found.is_same_place(ssh));
    remotes_by_name(git)
        .into_iter()
        .find(leads_there)
        .map(|remote| remote.name)
}

/// The remote that git would fetch from here: the branch's, else `origin`, else the only one.
pub fn usual_remote(git: &Git) -> Option<Remote> {
    git.local_config().ok()??;
    let remotes = remotes_by_name(git);
    let named = |name: &str| remotes.iter().find(|remote| remote.name == name);
    let of_branch = || {
        let key = format!("branch.{}.remote", git.branch().ok()??);
        let set = git.config_values(&["-z", "--get", &key]).ok()?;
        named(set.first()?.to_str()?)
    };
    let only = || match &remotes[..] {
        [only] => Some(only),
        _ => None,
    };
    let Remote { name, url } = of_branch().or_else(|| named("origin")).or_else(only)?;
    let name = name.clone();
    // As git rewrites it.
    let url = git.url_of(&name).ok().flatten().unwrap_or(url.clone());
    Some(Remote { name, url })
}

/// By their settings, each once.
fn remotes_by_name(git: &Git) -> Vec<Remote> {
    let settings = git.settings(r"^remote\..*\.url$").unwrap_or_default();
    let mut remotes: Vec<Remote> = Vec::new();
    for setting in settings {
        let key = setting.key.to_string_lossy().into_owned();
        let name = key
            .strip_prefix("remote.")
            .and_then(|rest| rest.strip_suffix(".url"));
        let (Some(name), Some(url)) = (name, setting.value.to_str()) else {
            continue;
        };
        // Of several URLs git fetches from the first.
        if remotes.iter().all(|known| known.name != name) {
            let (name, url) = (name.to_owned(), url.to_owned());
            remotes.push(Remote { name, url });
        }
    }
    remotes
}

/// Tokens in the environment, by the names of their variables. `git`: whether one of its helpers reads them, too.
pub fn environment(git: Option<&Git>, url: Option<&Description>) -> Vec<Finding> {
    let set = VARIABLES
        .into_iter()
        .filter(|name| env::var_os(name).is_some_and(|value| !value.is_empty()));
    let chain = git
        .map(|git| super::chain::chain(git, url))
        .unwrap_or_default();
    let reads = |word: &str| {
        chain.iter().any(|setting| {
            setting
                .value
                .as_bytes()
                .windows(word.len())
                .any(|part| part == word.as_bytes())
        })
    };
    set.map(|name| {
        let is_read = reads(if name == "GITLAB_TOKEN" { "glab" } else { "gh auth" });
        let remedy = format!("unset {name}");
        if is_read {
            let says = format!("{name} is set, and a helper that git asks answers with it in the place of what is kept");
            Finding::problem("environment", says, remedy)
        } else {
            let says = format!("{name} is set: gh, glab and others use it in the place of what is kept, even when it is stale");
            Finding::note("environment", says, remedy)
        }
    })
    .collect()
}

impl Helper {
    /// Every storage, whether it could be used now.
    pub fn examine_storages(&self, settings: &Settings) -> Vec<Finding> {
        let mut findings = Vec::new();
        for storage in &self.storages {
            let kind = storage.kind();
            findings.push(match storage.check() {
                Ok(()) => Finding::ok("storage", format!("{kind} can be used")),
                Err(error) => {
                    let says = causes(&error);
                    let hint = error.hint().map(str::to_owned);
                    let may_be_away = settings.storage == Choice::Auto
                        && matches!(error, Error::Unavailable { .. });
                    if may_be_away {
                        Finding::note("storage", says, hint)
                    } else {
                        let other = "git credential-pat setup --storage memory".to_owned();
                        Finding::problem("storage", says, hint.unwrap_or(other))
                    }
                }
            });
            match kind {
                Kind::File => findings.extend(plaintext(settings)),
                Kind::Memory => findings.push(daemon(settings)),
                Kind::Keychain => {}
            }
        }
        findings
    }
}

/// What the plaintext file holds beside entries, and whether a repository may swallow it.
fn plaintext(settings: &Settings) -> Vec<Finding> {
    let file = &settings.file;
    let path = file.path();
    let shown = path.display();
    let mut findings = Vec::new();
    if let Ok(count @ 1..) = file.count_unreadable() {
        let says = format!("{count} paragraphs of {shown} are no entries, and passed over");
        let remedy = format!("look at {shown}, and mend or remove them");
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
        let remedy = format!("echo {} >> {}", quoted(&line), quoted(exclude.as_os_str()));
        findings.push(Finding::problem("plaintext file", says, remedy));
    }
    findings
}

fn daemon(settings: &Settings) -> Finding {
    match open::cache(settings).status() {
        Ok(None) => Finding::ok("daemon", "not running: it starts when something is stored"),
        Ok(Some(status)) if status.locked < status.mapped => Finding::note(
            "daemon",
            format!(
                "running as process {}; some of its memory can be swapped out",
                status.process
            ),
            "raise the limit of locked memory ('ulimit -l'), then 'git credential-pat cache stop'"
                .to_owned(),
        ),
        Ok(Some(status)) => {
            let says = format!(
                "running as process {}; its memory is not swapped out",
                status.process
            );
            Finding::ok("daemon", says)
        }
        Err(error) => Finding::problem("daemon", causes(&error), "git credential-pat cache stop"),
    }
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssh_remotes() {
        for (url, https) in [
            (
                "git@one.test:acme/r.git",
                Some("https://one.test/acme/r.git"),
            ),
            (
                "ssh://git@One.test:2222/acme/r.git",
                Some("https://one.test/acme/r.git"),
            ),
            ("ssh://one.test/r", Some("https://one.test/r")),
            ("https://one.test/r.git", None),
            ("https://a@one.test:80/r.git", None),
            ("../r.git", None),
            ("git@one.test:", None),
        ] {
            let found = Ssh::parse(url).map(|ssh| ssh.https());
            assert_eq!(found.as_deref(), https, "{url}");
        }
    }
}
