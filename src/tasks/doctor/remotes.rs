//! Remotes of the repository that one is in: where git goes by them, and whether a token serves there.

use super::finding::Finding;
use super::removal::removal;
use super::ssh::Ssh;
use crate::credential::host::split_port;
use crate::credential::query::Query;
use crate::credential::url::{self, without_secrets};
use crate::git::Git;
use crate::git::setting::Setting;
use crate::terminal::escape::shell_word;

const TITLE: &str = "remote";
const OVER_SSH: &str = "is reached over SSH: git asks no helper there, tokens serve HTTPS only";

/// How git rewrites URLs: `url.BASE.insteadOf` (git-config(1)).
#[derive(Debug, Default)]
pub struct Rewriting(Vec<Setting>);

/// A URL as it is written, and where git goes by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// May hold a password.
    pub url: String,
    /// Why it is not what is written.
    pub rule: Option<Setting>,
}

/// A remote of the repository that one is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// As git has it.
    pub name: String,
    /// Where it leads, which may be anything.
    pub way: Way,
    /// Where git pushes, if that is elsewhere.
    pub is_for_push: bool,
}

impl Rewriting {
    /// The rules that hold where one is.
    pub fn of(git: &Git) -> Self {
        let settings = git.settings(r"^url\..*\.insteadof$");
        Self(settings.unwrap_or_default())
    }

    /// Of several rules the longest counts, of equally long ones the first.
    pub fn way(&self, written: &str) -> Way {
        let mut best: Option<(&Setting, &str, String)> = None;
        for setting in &self.0 {
            let key = setting.key.to_str();
            let base = key.and_then(|key| key.strip_prefix("url.")?.strip_suffix(".insteadof"));
            let value = setting.value.to_str();
            let (Some(base), Some(value)) = (base, value.filter(|value| !value.is_empty())) else {
                continue;
            };
            let is_longer = best
                .as_ref()
                .is_none_or(|(_, known, _)| known.len() < value.len());
            if let (Some(rest), true) = (written.strip_prefix(value), is_longer) {
                best = Some((setting, value, format!("{base}{rest}")));
            }
        }
        match best {
            Some((rule, _, url)) => Way {
                url,
                rule: Some(rule.clone()),
            },
            None => Way {
                url: written.to_owned(),
                rule: None,
            },
        }
    }
}

impl Way {
    /// Where it leads over SSH, if it does.
    pub fn ssh(&self) -> Option<Ssh> {
        Ssh::parse(&self.url)
    }

    /// Whether the URL has a password in it, so that git asks no helper.
    pub fn holds_password(&self) -> bool {
        matches!(url::parse(self.url.as_bytes()), Err(url::Error::Password))
    }

    /// That tokens are of no use there. `named`: what leads there; `used`: what to use another URL for.
    fn over_ssh(
        &self,
        ssh: &Ssh,
        rewriting: &Rewriting,
        named: &str,
        used: impl Fn(&str) -> String,
    ) -> Finding {
        let says = format!("{named} {OVER_SSH}");
        let https = ssh.https();
        // The other URL would be led back by it.
        let back = https.as_deref().map(|https| rewriting.way(https));
        let back = back.filter(|way| way.ssh().is_some());
        let rule = self.rule.clone().or(back.and_then(|way| way.rule));
        let remedy = match (rule, https) {
            (Some(rule), _) => without(&rule),
            (None, Some(https)) => used(&https),
            (None, None) => {
                "have it lead to the HTTPS address that the repository's page at its forge shows: SSH's own configuration alone knows this host"
                    .to_owned()
            }
        };
        Finding::problem(TITLE, says, remedy)
    }

    /// That git is given a password. `named`: what leads there.
    fn with_password(&self, named: &str, used: impl Fn(&str) -> String) -> Finding {
        let says = format!(
            "the URL of {named} holds a password: git asks no helper, and whoever reads it has the password"
        );
        let remedy = match &self.rule {
            Some(rule) => without(rule),
            None => used(&without_user(&self.url)),
        };
        Finding::problem(TITLE, says, remedy)
    }

    /// What keeps tokens from serving where a URL leads that somebody typed.
    pub fn finding(&self, rewriting: &Rewriting, remotes: &[Remote]) -> Option<Finding> {
        if let Some(ssh) = self.ssh() {
            let leads_there = |remote: &&Remote| {
                remote
                    .way
                    .ssh()
                    .is_some_and(|other| other.is_same_place(&ssh))
            };
            let remote = remotes.iter().filter(|remote| !remote.is_for_push);
            if let Some(remote) = remote.into_iter().find(leads_there) {
                return remote.finding(rewriting);
            }
            let used = |url: &str| format!("use {} in its place", shell_word(url.as_bytes()));
            return Some(self.over_ssh(&ssh, rewriting, &ssh.host, used));
        }
        if !self.holds_password() {
            return None;
        }
        if let Some(remote) = remotes.iter().find(|remote| remote.way == *self) {
            return remote.finding(rewriting);
        }
        // What was typed is refused with the rest of what is no URL of a repository.
        self.rule.as_ref()?;
        Some(self.with_password("that place", str::to_owned))
    }
}

impl Remote {
    /// What keeps tokens from serving there.
    pub fn finding(&self, rewriting: &Rewriting) -> Option<Finding> {
        let option = if self.is_for_push { "--push " } else { "" };
        let rest = if self.name.starts_with('-') {
            "-- "
        } else {
            ""
        };
        let name = shell_word(self.name.as_bytes());
        let used = |url: &str| {
            let url = shell_word(url.as_bytes());
            format!("git remote set-url {option}{rest}{name} {url}")
        };
        if let Some(ssh) = self.way.ssh() {
            return Some(self.way.over_ssh(&ssh, rewriting, &self.name, used));
        }
        let named = format!("the remote {}", self.name);
        let holds_password = self.way.holds_password();
        holds_password.then(|| self.way.with_password(&named, used))
    }

    /// The host that a token would be for, without its port.
    pub fn host(&self) -> Option<String> {
        if let Some(ssh) = self.way.ssh() {
            return ssh.web_host();
        }
        let url = without_user(&self.way.url);
        let host = url::parse(url.as_bytes()).ok()?.host?;
        String::from_utf8(split_port(&host).0.to_vec()).ok()
    }
}

/// Takes a rule away.
fn without(rule: &Setting) -> String {
    let key = rule.key.to_string_lossy();
    let place = &rule.origin;
    // A URL with a user here holds a secret.
    let is_web = key.starts_with("url.http");
    if let (true, Some(at)) = (is_web, key.rfind('@')) {
        let rest = &key[at..];
        return format!("take the line url.https://***{rest}, with its password, out of {place}");
    }
    if without_secrets(&rule.value) != rule.value {
        return format!("take the line {key}, with the secret in its value, out of {place}");
    }
    let value = format!(" {}", shell_word(rule.value.as_encoded_bytes()));
    removal(rule, " --fixed-value", &value)
}

/// A URL without what stands before its host.
fn without_user(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let end = rest.find('/').unwrap_or(rest.len());
    let start = rest[..end].rfind('@').map_or(0, |at| at + 1);
    format!("{scheme}://{}", &rest[start..])
}

/// Every remote of the repository that one is in, as git rewrites its URLs; of several URLs git fetches from the first.
pub fn all(git: &Git, rewriting: &Rewriting) -> Vec<Remote> {
    let settings = git.settings(r"^remote\..*\.(push)?url$");
    let mut remotes: Vec<Remote> = Vec::new();
    for setting in settings.unwrap_or_default() {
        let key = setting.key.to_string_lossy().into_owned();
        let named = key.strip_prefix("remote.");
        let named = named.and_then(|rest| rest.rsplit_once('.'));
        let (Some((name, kind)), Some(url)) = (named, setting.value.to_str()) else {
            continue;
        };
        let is_for_push = kind == "pushurl";
        let is_known = |known: &Remote| !is_for_push && !known.is_for_push && known.name == name;
        if !remotes.iter().any(is_known) {
            remotes.push(Remote {
                name: name.to_owned(),
                way: rewriting.way(url),
                is_for_push,
            });
        }
    }
    remotes
}

/// The URLs of the remotes of the repository that one is in, as far as they are reached over HTTPS without a password.
fn urls() -> Vec<Query> {
    let Ok(git) = Git::find() else {
        return Vec::new();
    };
    let remotes = all(&git, &Rewriting::of(&git)).into_iter();
    let urls = remotes.filter_map(|remote| url::parse(remote.way.url.as_bytes()).ok());
    urls.filter(|url| url.protocol.as_deref() == Some(b"https"))
        .collect()
}

/// Repositories at which git's endpoint can be asked about a token: the `given` URL if it has a path, else the remotes of the
/// current repository.
pub fn repositories(given: Option<&Query>) -> Vec<Query> {
    match given {
        Some(url) if url.path.is_some() => vec![url.duplicate()],
        _ => urls(),
    }
}

/// The remote that git would fetch from here: the branch's, else `origin`, else the only one.
pub fn usual(git: &Git, rewriting: &Rewriting) -> Option<Remote> {
    git.local_config().ok()??;
    let mut remotes = all(git, rewriting);
    remotes.retain(|remote| !remote.is_for_push);
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
    let found = of_branch().or_else(|| named("origin")).or_else(only);
    found.cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(base: &str, value: &str) -> Setting {
        Setting {
            scope: "global".to_owned(),
            origin: "/home/octocat/.gitconfig".to_owned(),
            key: format!("url.{base}.insteadof").into(),
            value: value.into(),
            is_bare: false,
        }
    }

    #[test]
    fn the_longest_rule_counts() {
        let rewriting = Rewriting(vec![
            rule("https://one.test/", "one:"),
            rule("git@one.test:", "https://one.test/"),
            rule("https://two.test/", "https://one.test/acme/"),
            rule("https://three.test/", "https://one.test/acme/"),
        ]);
        for (written, url) in [
            ("one:a/b", "https://one.test/a/b"),
            ("https://one.test/a/b", "git@one.test:a/b"),
            ("https://one.test/acme/b", "https://two.test/b"),
            ("https://four.test/b", "https://four.test/b"),
        ] {
            assert_eq!(rewriting.way(written).url, url);
        }
    }

    #[test]
    fn a_rule_is_taken_away_and_no_password_shown() {
        assert_eq!(
            without(&rule("git@one.test:", "https://one.test/")),
            "git config --file /home/octocat/.gitconfig --fixed-value --unset-all url.git@one.test:.insteadof https://one.test/"
        );
        for base in ["https://u:made-up@one.test/", "https://made-up@one.test/"] {
            let shown = without(&rule(base, "https://one.test/"));
            assert!(!shown.contains("made-up"), "{shown}");
            assert!(
                shown.ends_with("out of /home/octocat/.gitconfig"),
                "{shown}"
            );
        }
    }

    #[test]
    fn a_password_is_taken_out_whole() {
        for (url, without) in [
            ("https://a:b@c@one.test/r.git", "https://one.test/r.git"),
            ("https://one.test/a@b", "https://one.test/a@b"),
            ("https://a@one.test", "https://one.test"),
        ] {
            assert_eq!(without_user(url), without);
        }
    }
}
