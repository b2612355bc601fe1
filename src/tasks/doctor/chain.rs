//! Findings about git's helpers: whether git calls this one, and which helper's answer counts.

use std::path::Path;

use super::finding::Finding;
use super::query::Question;
use super::removal::by_hand;
use crate::credential::Credential;
use crate::credential::query::Query;
use crate::credential::url::{self, without_secrets};
use crate::git::Git;
use crate::git::chain::{self, HelperChain, helper_lines, missing_program};
use crate::git::context::context_of;
use crate::git::failure::Error;
use crate::git::helper_line::{is_ours, named, words};
use crate::git::setting::Setting;
use crate::protocol::read::{self, AttributeLines};
use crate::protocol::write;
use crate::secret::Buffer;
use crate::terminal::escape::shell_word;

const TITLE: &str = "helper chain";
const REPLACE: &str = " --replace";

/// A problem if git does not call this helper for `url`, or for every URL. `counts`: whether a setting counts.
pub fn not_called(
    git: &Git,
    url: Option<&Query>,
    counts: impl Fn(&Setting) -> bool,
) -> Result<Option<Finding>, Error> {
    let mut lines = helper_lines(git)?;
    lines.retain(counts);
    let chain = HelperChain::of(&lines, url);
    let is_called = chain.position_of_ours().is_some();
    Ok((!is_called).then(|| not_called_by(git, &chain)))
}

/// The contexts in which an empty value drops this helper, though git calls it elsewhere.
pub fn contexts_without_ours(git: &Git) -> Vec<Finding> {
    let lines = helper_lines(git).unwrap_or_default();
    let mut found: Vec<Finding> = Vec::new();
    for (line, chain) in chain::contexts_without_ours(&lines) {
        let reason = not_called_by(git, &chain);
        let key = without_secrets(&line.key);
        let says = format!("{} ({})", reason.says, key.to_string_lossy());
        if !found.iter().any(|other| other.says == says) {
            found.push(Finding { says, ..reason });
        }
    }
    found
}

/// Examines whether git calls this helper, and before the others. `kept`: git's query, and the credential that answers it.
pub fn examine(
    git: &Git,
    url: Option<&Query>,
    kept: Option<(&Question, &Credential)>,
) -> Vec<Finding> {
    let chain = HelperChain::of(&helper_lines(git).unwrap_or_default(), url);
    let Some(at) = chain.position_of_ours() else {
        return vec![not_called_by(git, &chain)];
    };
    let helpers = &chain.helpers;
    let ours = &helpers[at];
    let mut findings = match url {
        None => contexts_without_ours(git),
        Some(_) => Vec::new(),
    };
    if let Some(program) = missing_program(&ours.value) {
        let says = format!("{program} in {} is no program", place(ours));
        findings.push(Finding::problem(TITLE, says, remedy("", ours, ours)));
    }
    match helpers[..at].first() {
        None => {
            let says = format!("git asks this helper first ({})", place(ours));
            findings.push(Finding::ok(TITLE, says));
        }
        Some(other) => {
            // A repository's helpers are not run: another person may have written them. Outside of it, git does not call them.
            let kept = kept.filter(|_| !helpers[..=at].iter().any(is_repositorys));
            let answer = kept.and_then(|(question, kept)| answer(git, question, kept));
            findings.push(of_first(other, ours, answer));
        }
    }
    for (index, other) in helpers.iter().enumerate().skip(1) {
        if index == at || is_ours(&other.value) {
            continue;
        }
        let says = format!(
            "git asks '{}' ({}) too: it keeps a copy of every token",
            named(&other.value),
            place(other)
        );
        findings.push(Finding::note(TITLE, says, remedy(REPLACE, other, ours)));
    }
    findings
}

/// The problem that git does not call this helper. Names the empty value that drops it, if there is one.
fn not_called_by(git: &Git, chain: &HelperChain) -> Finding {
    let says = "git does not ask this helper";
    let Some([empty, ours]) = &chain.dropped else {
        return Finding::problem(TITLE, says, "git credential-pat setup");
    };
    let says = format!(
        "{says}: an empty value drops the helpers before it ({})",
        place(empty)
    );
    let remedy = if is_included(git, empty) {
        by_hand(empty)
    } else {
        remedy("", empty, ours)
    };
    Finding::problem(TITLE, says, remedy)
}

/// Whether the setting stands in a file that a global or system file includes: `setup` does not write there.
fn is_included(git: &Git, setting: &Setting) -> bool {
    if !matches!(&setting.scope[..], "global" | "system") {
        return false;
    }
    let files = git.config_files(&format!("--{}", setting.scope));
    let origin = Path::new(&setting.origin);
    files.is_ok_and(|files| files.is_some_and(|files| files.iter().all(|file| file != origin)))
}

/// The effect of a helper that git calls before this one. `answer`: `None` if git was not asked.
fn of_first(other: &Setting, ours: &Setting, answer: Option<GitsAnswer>) -> Finding {
    let name = format!("'{}' ({})", named(&other.value), place(other));
    match answer {
        Some(Ok(())) => {
            let says =
                format!("git asks {name} before this helper; git gets the kept token all the same");
            Finding::note(TITLE, says, None)
        }
        Some(Err(problem)) => {
            let says = format!("git asks {name} before this helper, and {problem}");
            Finding::problem(TITLE, says, remedy(REPLACE, other, ours))
        }
        None => {
            let says = format!("git asks {name} before this helper: its answer counts");
            Finding::note(TITLE, says, remedy(REPLACE, other, ours))
        }
    }
}

/// The `setup` command with the flag `how`, for the scope and URL of `setting`: in another place, its line would come too early. It
/// repeats the options of `ours`, so that the storage stays the same.
fn remedy(how: &str, setting: &Setting, ours: &Setting) -> String {
    // A command without the secret would name another setting.
    if without_secrets(&setting.key) != setting.key {
        return by_hand(setting);
    }
    let scope = match &setting.scope[..] {
        "local" => " --local",
        "worktree" | "command" => return by_hand(setting),
        _ => "",
    };
    let context = context_of(&setting.key);
    if context.is_some_and(|context| url::parse(context).is_err()) {
        return by_hand(setting);
    }
    let url = context.map_or_else(String::new, |url| format!(" {}", shell_word(url)));
    let options = words(&ours.value).unwrap_or_default().into_iter().skip(1);
    let options: String = options
        .map(|word| format!(" {}", shell_word(word.as_bytes())))
        .collect();
    format!("git credential-pat setup{options}{scope}{how}{url}")
}

/// Whether git gets the credential that this helper keeps. The error says what git gets instead.
type GitsAnswer = Result<(), &'static str>;

fn is_repositorys(setting: &Setting) -> bool {
    matches!(&setting.scope[..], "local" | "worktree")
}

/// Makes git ask its helpers as for a fetch outside of any repository. `None`: git fails, or its answer cannot be read.
fn answer(git: &Git, question: &Question, kept: &Credential) -> Option<GitsAnswer> {
    let mut text = Buffer::with_capacity(1024);
    write::query(&question.asked, &mut text).ok()?;
    text.push(b"\n");
    let answer = match git.fill(text.as_slice()) {
        Ok(Some(answer)) => answer,
        Ok(None) => {
            let problem = "gets no answer at all: it fails, or stops git from asking other helpers";
            return Some(Err(problem));
        }
        Err(Error::TooSlow(_)) => return Some(Err("gets no answer in time")),
        Err(_) => return None,
    };
    let answer = read::entry(AttributeLines::new(answer.as_slice())).ok()?;
    Some(if answer.password? == *kept.password.as_ref()? {
        Ok(())
    } else {
        Err("gets another secret")
    })
}

fn place(setting: &Setting) -> String {
    format!("{}, {}", setting.scope, setting.origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_is_for_where_the_setting_stands() {
        let of = |scope: &str, key: &str| {
            let setting = Setting {
                scope: scope.to_owned(),
                ..Setting::global(key, "")
            };
            let ours = Setting {
                value: "/opt/git-credential-pat --timeout 8h".into(),
                ..setting.clone()
            };
            remedy(REPLACE, &setting, &ours)
        };
        let setup = "git credential-pat setup --timeout 8h";
        for (scope, key, expected) in [
            ("global", "credential.helper", " --replace"),
            ("system", "credential.helper", " --replace"),
            ("local", "credential.helper", " --local --replace"),
            (
                "global",
                "credential.https://one.test.helper",
                " --replace https://one.test",
            ),
        ] {
            assert_eq!(of(scope, key), format!("{setup}{expected}"));
        }
        for scope in ["worktree", "command"] {
            let shown = of(scope, "credential.https://a:made-up@one.test.helper");
            assert!(shown.starts_with("take credential.https://a:"), "{shown}");
            assert!(!shown.contains("made-up"), "{shown}");
        }
    }
}
