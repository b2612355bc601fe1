//! Findings about the remotes of the current repository: whether git asks a helper for their URLs.

use super::finding::Finding;
use super::removal::removal;
use crate::credential::url::without_secrets;
use crate::git::remotes::{Remote, Remotes, Target, without_user};
use crate::git::setting::Setting;
use crate::git::ssh::Ssh;
use crate::terminal::escape::shell_word;

const TITLE: &str = "remote";

/// The reason why git asks no helper for `target`, the URL that a user typed.
pub fn of_target(target: &Target, remotes: &Remotes) -> Option<Finding> {
    if let Some(ssh) = target.ssh() {
        for remote in &remotes.all {
            let other = remote.target.ssh().filter(|_| !remote.is_for_push);
            if other.is_some_and(|other| other.is_same_place(&ssh)) {
                return of_remote(remote, remotes);
            }
        }
        let used = |url: &str| format!("use {} in its place", shell_word(url.as_bytes()));
        return Some(over_ssh(target, &ssh, remotes, &ssh.host, used));
    }
    if !target.holds_password() {
        return None;
    }
    if let Some(remote) = remotes.all.iter().find(|remote| remote.target == *target) {
        return of_remote(remote, remotes);
    }
    // A typed URL with a password fails later, with any other text that is no URL of a repository.
    target.rule.as_ref()?;
    Some(with_password(target, "that place", str::to_owned))
}

/// The reason why git asks no helper for `remote`.
pub fn of_remote(remote: &Remote, remotes: &Remotes) -> Option<Finding> {
    let option = if remote.is_for_push { "--push " } else { "" };
    let end = if remote.name.starts_with('-') {
        "-- "
    } else {
        ""
    };
    let name = shell_word(remote.name.as_bytes());
    let used = |url: &str| {
        let url = shell_word(url.as_bytes());
        format!("git remote set-url {option}{end}{name} {url}")
    };
    if let Some(ssh) = remote.target.ssh() {
        return Some(over_ssh(&remote.target, &ssh, remotes, &remote.name, used));
    }
    let named = format!("the remote {}", remote.name);
    let holds_password = remote.target.holds_password();
    holds_password.then(|| with_password(&remote.target, &named, used))
}

/// `named`: the name of the target in a message. `used`: the remedy with another URL.
fn over_ssh(
    target: &Target,
    ssh: &Ssh,
    remotes: &Remotes,
    named: &str,
    used: impl Fn(&str) -> String,
) -> Finding {
    let says = format!(
        "{named} is reached over SSH: git asks no helper there, and tokens work over HTTPS only"
    );
    let https = ssh.https();
    // A rule may lead the HTTPS address back to SSH.
    let back = https.as_deref().map(|https| remotes.rewrite(https));
    let back = back.filter(|target| target.ssh().is_some());
    let rule = target.rule.clone().or(back.and_then(|target| target.rule));
    let remedy = match (rule, https) {
        (Some(rule), _) => without(&rule),
        (None, Some(https)) => used(&https),
        (None, None) => {
            "use the HTTPS address on the repository's page at its forge: only SSH's configuration knows this host"
                .to_owned()
        }
    };
    Finding::problem(TITLE, says, remedy)
}

/// `named` and `used`: as in [`over_ssh`].
fn with_password(target: &Target, named: &str, used: impl Fn(&str) -> String) -> Finding {
    let says = format!(
        "the URL of {named} holds a password: git asks no helper, and everyone who reads the URL has the password"
    );
    let remedy = match &target.rule {
        Some(rule) => without(rule),
        None => used(&without_user(&target.url)),
    };
    Finding::problem(TITLE, says, remedy)
}

/// Tells how to remove a rule that rewrites URLs.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::testing::DRIVE;

    fn rule(base: &str, value: &str) -> Setting {
        Setting::global(&format!("url.{base}.insteadof"), value)
    }

    #[test]
    fn a_rule_is_taken_away_and_no_password_shown() {
        assert_eq!(
            without(&rule("git@one.test:", "https://one.test/")),
            format!(
                "git config --file {} --fixed-value --unset-all url.git@one.test:.insteadof https://one.test/",
                shell_word(format!("{DRIVE}/home/octocat/.gitconfig").as_bytes())
            )
        );
        for base in ["https://u:made-up@one.test/", "https://made-up@one.test/"] {
            let shown = without(&rule(base, "https://one.test/"));
            assert!(!shown.contains("made-up"), "{shown}");
            assert!(shown.ends_with("/home/octocat/.gitconfig"), "{shown}");
        }
    }
}
