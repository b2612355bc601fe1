//! git's chain of helpers: whom it asks, in which order, and whose answer counts.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::finding::Finding;
use crate::credential::Credential;
use crate::credential::description::Description;
use crate::credential::url;
use crate::git::{Git, Setting};
use crate::helper_line::{KEYS, PROGRAM, is_ours, named, words};
use crate::protocol::read::{self, Lines};
use crate::protocol::write;
use crate::secret::Buffer;

const TITLE: &str = "helper chain";
const REPLACE: &str = "git credential-pat setup --replace";

/// Whom git asks about `url`, or about everything, the first asked first: an empty value forgets those before it.
pub fn chain(git: &Git, url: Option<&Description>) -> Vec<Setting> {
    let mut chain: Vec<Setting> = Vec::new();
    for setting in git.settings(KEYS).unwrap_or_default() {
        if !holds_for(&setting.key, url) {
            continue;
        }
        if setting.value.is_empty() {
            chain.clear();
        } else {
            chain.push(setting);
        }
    }
    chain
}

/// Whether git would ask us, and before the others. `kept`: what we would answer.
pub fn examine(git: &Git, url: Option<&Description>, kept: Option<&Credential>) -> Vec<Finding> {
    let chain = chain(git, url);
    let Some(at) = chain.iter().position(|setting| is_ours(&setting.value)) else {
        let says = "git does not ask this helper";
        return vec![Finding::problem(TITLE, says, "git credential-pat setup")];
    };
    let ours = &chain[at];
    let mut findings = Vec::new();
    if let Some(program) = missing(&ours.value) {
        let says = format!("{program} in {} is no program", place(ours));
        findings.push(Finding::problem(TITLE, says, "git credential-pat setup"));
    }
    match chain[..at].first() {
        None => {
            let says = format!("git asks this helper first ({})", place(ours));
            findings.push(Finding::ok(TITLE, says));
        }
        Some(other) => {
            let name = format!("'{}' ({})", named(&other.value), place(other));
            // A repository's helpers are not run: it may be somebody else's work.
            let kept = kept.filter(|_| chain[..at].iter().all(|before| !is_repositorys(before)));
            findings.push(match kept.map(|kept| answers_otherwise(git, kept)) {
                Some(true) => Finding::problem(
                    TITLE,
                    format!("{name} answers before this helper, with another secret"),
                    REPLACE,
                ),
                Some(false) => Finding::note(
                    TITLE,
                    format!(
                        "git asks {name} before this helper; git gets the kept token all the same"
                    ),
                    None,
                ),
                None => Finding::note(
                    TITLE,
                    format!("git asks {name} before this helper: what it answers counts"),
                    REPLACE.to_owned(),
                ),
            });
        }
    }
    let before = chain[..at].iter().skip(1);
    let others = before.chain(&chain[at + 1..]);
    for other in others.filter(|setting| !is_ours(&setting.value)) {
        let says = format!(
            "git asks '{}' ({}) too: it keeps a copy of every token",
            named(&other.value),
            place(other)
        );
        findings.push(Finding::note(TITLE, says, REPLACE.to_owned()));
    }
    findings
}

fn is_repositorys(setting: &Setting) -> bool {
    matches!(&setting.scope[..], "local" | "worktree")
}

/// Whether git itself, asked as for a fetch outside of any repository, gets another secret than `kept`.
fn answers_otherwise(git: &Git, kept: &Credential) -> bool {
    let mut question = Buffer::with_capacity(1024);
    let wanted = Description {
        username: None,
        ..Description::of(&kept.key)
    };
    if write::description(&wanted, &mut question).is_err() {
        return false;
    }
    question.push(b"\n");
    let Ok(Some(answer)) = git.fill(question.as_slice()) else {
        return false;
    };
    let Ok(answer) = read::entry(Lines::new(answer.as_slice())) else {
        return false;
    };
    match (&answer.password, &kept.password) {
        (Some(answered), Some(kept)) => !answered.is_same(kept),
        _ => false,
    }
}

/// `credential.helper`, or `credential.URL.helper` of a URL that covers `url` (gitcredentials(7), CREDENTIAL CONTEXTS).
fn holds_for(key: &OsStr, url: Option<&Description>) -> bool {
    let key = key.as_bytes();
    let Some(context) = key
        .strip_prefix(b"credential.")
        .and_then(|rest| rest.strip_suffix(b".helper"))
    else {
        return true;
    };
    let (Some(url), Ok(context)) = (url, url::parse(context)) else {
        return false;
    };
    let covers_path = match (&context.path, &url.path) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(above), Some(path)) => path
            .strip_prefix(&above[..])
            .is_some_and(|rest| rest.is_empty() || rest[0] == b'/'),
    };
    context.protocol == url.protocol
        && context.host == url.host
        && covers_path
        && (context.username.is_none() || context.username == url.username)
}

/// The program of `value`, if it is not where it is said to be.
fn missing(value: &OsStr) -> Option<String> {
    let first = words(value)?.into_iter().next()?;
    let is_there = if first.starts_with('/') {
        Path::new(&first).is_file()
    } else {
        Git::on_path(PROGRAM).is_some()
    };
    (!is_there).then_some(first)
}

fn place(setting: &Setting) -> String {
    format!("{}, {}", setting.scope, setting.origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_are_compared_as_git_does() {
        let url = url::parse(b"https://alice@one.test/acme/r.git").unwrap();
        for (key, holds) in [
            ("credential.helper", true),
            ("credential.https://one.test.helper", true),
            ("credential.https://one.test/acme.helper", true),
            ("credential.https://one.test/ac.helper", false),
            ("credential.https://bob@one.test.helper", false),
            ("credential.https://two.test.helper", false),
            ("credential.http://one.test.helper", false),
        ] {
            assert_eq!(holds_for(key.as_ref(), Some(&url)), holds, "{key}");
        }
        assert!(!holds_for(
            "credential.https://one.test.helper".as_ref(),
            None
        ));
    }
}
