//! git's chain of helpers: whom it asks, in which order, and whose answer counts.

use std::ffi::OsStr;
use std::path::Path;

use super::finding::Finding;
use super::query::Question;
use super::removal::by_hand;
use crate::credential::Credential;
use crate::credential::query::Query;
use crate::credential::url::{self, without_secrets};
use crate::git::context::{applies, context_of, example};
use crate::git::helper_line::{KEYS, PROGRAM, is_ours, named, words};
use crate::git::setting::Setting;
use crate::git::{Error, Git};
use crate::protocol::read::{self, AttributeLines};
use crate::protocol::write;
use crate::secret::Buffer;
use crate::terminal::escape::shell_word;

const TITLE: &str = "helper chain";
const REPLACE: &str = " --replace";

/// Whom git asks about `url`, or about everything, the first asked first: an empty value forgets those before it.
pub fn chain(git: &Git, url: Option<&Query>) -> Vec<Setting> {
    among(&lines(git), url)
}

/// Every `credential.helper`, for all URLs and for some.
pub fn lines(git: &Git) -> Vec<Setting> {
    git.settings(KEYS).unwrap_or_default()
}

/// As [`chain`], of `lines` that were read before.
pub fn among(lines: &[Setting], url: Option<&Query>) -> Vec<Setting> {
    walk(lines.to_vec(), url).0
}

/// The helpers that git asks about `url`; and the empty value that has it forget this one, with the line that it forgets.
fn walk(settings: Vec<Setting>, url: Option<&Query>) -> (Vec<Setting>, Option<[Setting; 2]>) {
    let mut chain: Vec<Setting> = Vec::new();
    let mut forgets = None;
    for setting in settings {
        if !applies(&setting.key, url) {
            continue;
        }
        if setting.value.is_empty() {
            let ours = chain.drain(..).rfind(|known| is_ours(&known.value));
            forgets = ours.map(|ours| [setting, ours]).or(forgets);
        } else {
            chain.push(setting);
        }
    }
    (chain, forgets)
}

/// Why git does not ask this helper about `url`, or about everything; `None`: it does. `counts`: which settings are looked at.
pub fn bar(
    git: &Git,
    url: Option<&Query>,
    counts: impl Fn(&Setting) -> bool,
) -> Result<Option<Finding>, Error> {
    let mut settings = git.settings(KEYS)?;
    settings.retain(counts);
    let (chain, forgets) = walk(settings, url);
    let is_asked = chain.iter().any(|setting| is_ours(&setting.value));
    Ok((!is_asked).then(|| not_asked(git, forgets.as_ref())))
}

/// The URLs with settings of their own by which git forgets this helper, though it asks it elsewhere.
pub fn barred_urls(git: &Git) -> Vec<Finding> {
    let settings = git.settings(KEYS).unwrap_or_default();
    let mut found: Vec<Finding> = Vec::new();
    for setting in settings.iter().filter(|setting| setting.value.is_empty()) {
        let Some(url) = context_of(&setting.key).and_then(example) else {
            continue;
        };
        let (chain, forgets) = walk(settings.clone(), Some(&url));
        let is_asked = chain.iter().any(|setting| is_ours(&setting.value));
        if is_asked || forgets.is_none() {
            continue;
        }
        let reason = not_asked(git, forgets.as_ref());
        let key = without_secrets(&setting.key);
        let says = format!("{} ({})", reason.says, key.to_string_lossy());
        if !found.iter().any(|other| other.says == says) {
            found.push(Finding { says, ..reason });
        }
    }
    found
}

/// Whether git would ask us, and before the others. `kept`: what git asks, and what we would answer.
pub fn examine(
    git: &Git,
    url: Option<&Query>,
    kept: Option<(&Question, &Credential)>,
) -> Vec<Finding> {
    let (chain, forgets) = walk(git.settings(KEYS).unwrap_or_default(), url);
    let Some(at) = chain.iter().position(|setting| is_ours(&setting.value)) else {
        return vec![not_asked(git, forgets.as_ref())];
    };
    let ours = &chain[at];
    let mut findings = if url.is_none() {
        barred_urls(git)
    } else {
        Vec::new()
    };
    if let Some(program) = missing(&ours.value) {
        let says = format!("{program} in {} is no program", place(ours));
        findings.push(Finding::problem(TITLE, says, remedy("", ours, ours)));
    }
    match chain[..at].first() {
        None => {
            let says = format!("git asks this helper first ({})", place(ours));
            findings.push(Finding::ok(TITLE, says));
        }
        Some(other) => {
            // A repository's helpers are not run: it may be somebody else's work. Nor would we be asked from outside.
            let kept = kept.filter(|_| !chain[..=at].iter().any(is_repositorys));
            let answer = kept.map(|(question, kept)| answer(git, question, kept));
            findings.push(of_first(other, ours, answer.as_ref()));
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
        findings.push(Finding::note(TITLE, says, remedy(REPLACE, other, ours)));
    }
    findings
}

/// That git does not ask us. `forgets`: the empty value that has it forget this helper, and the line that it forgets.
fn not_asked(git: &Git, forgets: Option<&[Setting; 2]>) -> Finding {
    let says = "git does not ask this helper";
    let Some([empty, ours]) = forgets else {
        return Finding::problem(TITLE, says, "git credential-pat setup");
    };
    let says = format!(
        "{says}: an empty value has it forget those before ({})",
        place(empty)
    );
    // `setup` writes behind the empty value only in the file where that stands.
    let scope = format!("--{}", empty.scope);
    let files = matches!(&empty.scope[..], "global" | "system")
        .then(|| git.config_files(&scope).ok().flatten());
    let is_included = files.flatten().is_some_and(|files| {
        let origin = Path::new(&empty.origin);
        files.iter().all(|file| file != origin)
    });
    let remedy = if is_included {
        by_hand(empty)
    } else {
        remedy("", empty, ours)
    };
    Finding::problem(TITLE, says, remedy)
}

/// What comes of a helper that git asks before this one. `answer`: what git gets; `None`: nobody asked.
fn of_first(other: &Setting, ours: &Setting, answer: Option<&Answer>) -> Finding {
    let name = format!("'{}' ({})", named(&other.value), place(other));
    let says = match answer {
        Some(Answer::Kept) => {
            let says =
                format!("git asks {name} before this helper; git gets the kept token all the same");
            return Finding::note(TITLE, says, None);
        }
        Some(Answer::Another) => {
            format!("{name} answers before this helper, with another secret")
        }
        Some(Answer::Nothing) => {
            format!(
                "git asks {name} before this helper, and gets no answer at all: it fails, or has git ask nobody else"
            )
        }
        Some(Answer::Late) => {
            format!("git asks {name} before this helper, and gets no answer in time")
        }
        Some(Answer::Unknown) | None => {
            let says = format!("git asks {name} before this helper: what it answers counts");
            return Finding::note(TITLE, says, remedy(REPLACE, other, ours));
        }
    };
    Finding::problem(TITLE, says, remedy(REPLACE, other, ours))
}

/// `setup`, done like `how`, in the scope and for the URL where `setting` stands: elsewhere it would come before, and not help. With
/// the options of `ours`: with others it would keep tokens elsewhere.
fn remedy(how: &str, setting: &Setting, ours: &Setting) -> String {
    // Without its secret a command would not mean this setting.
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

/// What git gets.
enum Answer {
    /// What is kept here.
    Kept,
    /// Another secret.
    Another,
    /// It fails.
    Nothing,
    /// It waits.
    Late,
    /// It could not be asked, or its answer not be read.
    Unknown,
}

fn is_repositorys(setting: &Setting) -> bool {
    matches!(&setting.scope[..], "local" | "worktree")
}

/// What git itself gets for `question`, asked as for a fetch outside of any repository.
fn answer(git: &Git, question: &Question, kept: &Credential) -> Answer {
    let mut text = Buffer::with_capacity(1024);
    if write::query(&question.asked, &mut text).is_err() {
        return Answer::Unknown;
    }
    text.push(b"\n");
    let answer = match git.fill(text.as_slice()) {
        Ok(Some(answer)) => answer,
        Ok(None) => return Answer::Nothing,
        Err(Error::TooSlow(_)) => return Answer::Late,
        Err(_) => return Answer::Unknown,
    };
    let Ok(answer) = read::entry(AttributeLines::new(answer.as_slice())) else {
        return Answer::Unknown;
    };
    match (&answer.password, &kept.password) {
        (Some(answered), Some(kept)) if answered.is_same(kept) => Answer::Kept,
        (Some(_), Some(_)) => Answer::Another,
        _ => Answer::Unknown,
    }
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
    fn a_remedy_is_for_where_the_setting_stands() {
        let of = |scope: &str, key: &str| {
            let setting = Setting {
                scope: scope.to_owned(),
                origin: "/f".to_owned(),
                key: key.into(),
                value: "".into(),
                is_bare: false,
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
