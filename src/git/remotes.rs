//! The remotes of the current repository, and where git goes for a URL: `url.BASE.insteadOf` rewrites it (git-config(1)).

use super::Git;
use super::setting::Setting;
use super::ssh::Ssh;
use crate::credential::host::split_port;
use crate::credential::query::Query;
use crate::credential::url;

/// The remotes of the current repository, and the rules that rewrite URLs there.
#[derive(Debug, Default)]
pub struct Remotes {
    /// As git has them. A remote has one entry for fetching, and one for each URL that only pushes use.
    pub all: Vec<Remote>,
    rules: Vec<Setting>,
}

/// The URL that git uses for a written one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// May hold a password.
    pub url: String,
    /// The rule that changed the written URL, if one did.
    pub rule: Option<Setting>,
}

/// A remote of the current repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    pub name: String,
    pub target: Target,
    /// Whether only pushes use the URL.
    pub is_for_push: bool,
}

impl Remotes {
    /// Reads both. Of several URLs of a remote git fetches from the first. Where git fails, there are none.
    pub fn read(git: &Git) -> Self {
        let mut remotes = Self {
            all: Vec::new(),
            rules: git.settings(r"^url\..*\.insteadof$").unwrap_or_default(),
        };
        let settings = git.settings(r"^remote\..*\.(push)?url$");
        for setting in settings.unwrap_or_default() {
            let key = setting.key.to_string_lossy();
            let named = key.strip_prefix("remote.");
            let named = named.and_then(|rest| rest.rsplit_once('.'));
            let (Some((name, kind)), Some(url)) = (named, setting.value.to_str()) else {
                continue;
            };
            let is_for_push = kind == "pushurl";
            let mut known = remotes.all.iter();
            if !is_for_push && known.any(|known| !known.is_for_push && known.name == name) {
                continue;
            }
            let target = remotes.rewrite(url);
            remotes.all.push(Remote {
                name: name.to_owned(),
                target,
                is_for_push,
            });
        }
        remotes
    }

    /// Returns the URL that git uses for `written`. The longest matching rule counts, of equally long ones the first.
    pub fn rewrite(&self, written: &str) -> Target {
        let mut target = Target {
            url: written.to_owned(),
            rule: None,
        };
        let mut longest = 0;
        for rule in &self.rules {
            let key = rule.key.to_str();
            let base = key.and_then(|key| key.strip_prefix("url.")?.strip_suffix(".insteadof"));
            let (Some(base), Some(prefix)) = (base, rule.value.to_str()) else {
                continue;
            };
            if prefix.len() <= longest {
                continue;
            }
            if let Some(rest) = written.strip_prefix(prefix) {
                longest = prefix.len();
                target.url = format!("{base}{rest}");
                target.rule = Some(rule.clone());
            }
        }
        target
    }

    /// The remote of that name, for fetching if it has two entries.
    pub fn named(&self, name: &str) -> Option<&Remote> {
        self.all.iter().find(|remote| remote.name == name)
    }

    /// The remote that git fetches from by default: the branch's, else `origin`, else the only one.
    pub fn usual(&self, git: &Git) -> Option<&Remote> {
        git.local_config().ok()??;
        let fetched = || self.all.iter().filter(|remote| !remote.is_for_push);
        let named = |name: &str| fetched().find(|remote| remote.name == name);
        let of_branch = || {
            let key = format!("branch.{}.remote", git.branch().ok()??);
            let set = git.config_values(&["-z", "--get", &key]).ok()?;
            named(set.first()?.to_str()?)
        };
        let only = || fetched().next().filter(|_| fetched().count() == 1);
        of_branch().or_else(|| named("origin")).or_else(only)
    }
}

impl Target {
    /// Returns the place that git reaches over SSH.
    pub fn ssh(&self) -> Option<Ssh> {
        Ssh::parse(&self.url)
    }

    /// Whether the URL holds a password: git then asks no helper.
    pub fn holds_password(&self) -> bool {
        matches!(url::parse(self.url.as_bytes()), Err(url::Error::Password))
    }
}

impl Remote {
    /// Returns the host that a token would be for, without its port.
    pub fn host(&self) -> Option<String> {
        if let Some(ssh) = self.target.ssh() {
            return ssh.web_host();
        }
        let url = without_user(&self.target.url);
        let host = url::parse(url.as_bytes()).ok()?.host?;
        String::from_utf8(split_port(&host).0.to_vec()).ok()
    }
}

/// Returns a URL without its user and password.
pub fn without_user(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let end = rest.find('/').unwrap_or(rest.len());
    let start = rest[..end].rfind('@').map_or(0, |at| at + 1);
    format!("{scheme}://{}", &rest[start..])
}

/// Repositories whose git endpoint can check a token: the `given` URL if it has a path, else the remotes over HTTPS.
pub fn repositories(given: Option<&Query>) -> Vec<Query> {
    if let Some(url) = given.filter(|url| url.path.is_some()) {
        return vec![url.duplicate()];
    }
    let remotes = Git::find()
        .map(|git| Remotes::read(&git))
        .unwrap_or_default();
    let mut urls = Vec::new();
    for remote in remotes.all {
        let url = url::parse(remote.target.url.as_bytes()).ok();
        urls.extend(url.filter(|url| url.protocol.as_deref() == Some(b"https")));
    }
    urls
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(base: &str, value: &str) -> Setting {
        Setting::global(&format!("url.{base}.insteadof"), value)
    }

    #[test]
    fn the_longest_rule_counts() {
        let rules = vec![
            rule("https://one.test/", "one:"),
            rule("git@one.test:", "https://one.test/"),
            rule("https://two.test/", "https://one.test/acme/"),
            rule("https://three.test/", "https://one.test/acme/"),
        ];
        let all = Vec::new();
        let remotes = Remotes { all, rules };
        for (written, url) in [
            ("one:a/b", "https://one.test/a/b"),
            ("https://one.test/a/b", "git@one.test:a/b"),
            ("https://one.test/acme/b", "https://two.test/b"),
            ("https://four.test/b", "https://four.test/b"),
        ] {
            assert_eq!(remotes.rewrite(written).url, url);
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
