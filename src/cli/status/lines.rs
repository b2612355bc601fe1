//! All lines of the screen in words, and the hint below them.

use super::screen::StatusLine;
use super::tokens::{named, tokens, tokens_of_url};
use crate::cli::messages::{counted, unused};
use crate::config::account::Account;
use crate::tasks::status::StatusScreen;
use crate::tasks::status::calls::{Chain, GitCalls};
use crate::tasks::status::level::Level;
use crate::tasks::status::storages::{Health, StorageStatus};
use crate::terminal::escape;

/// All lines, in the order of the screen. `url`: as a word for a shell.
pub(super) fn lines(status: &StatusScreen, url: Option<&str>, unix_now: u64) -> Vec<StatusLine> {
    let mut lines = git(&status.calls, status.has_url);
    lines.extend(status.storages.iter().map(storage));
    if let Some(problem) = &status.journal {
        let says = format!("no warning and no rejection is remembered: {problem}");
        lines.push(StatusLine::new("journal", Level::Note, says));
    }
    if let Some(url) = url {
        lines.extend(tokens_of_url(status, url, unix_now));
        lines.extend(status.unmatched_rule.as_ref().map(unmatched_rule));
    } else {
        lines.extend(tokens(status, unix_now));
        if status.accounts > 0 {
            let says = counted(
                status.accounts,
                "rule in config.toml",
                "rules in config.toml",
            );
            lines.push(StatusLine::new("accounts", Level::Good, says));
        }
    }
    for token in &status.tokens {
        if let Some(since) = token.unused_since {
            let says = format!("{} is {}", named(&token.key), unused(since));
            let remove = format!(
                "remove it with 'git credential-pat logout {}' if you no longer need it",
                token.key.argument()
            );
            lines.push(StatusLine::new("unused", Level::Note, says).hinting(remove));
        }
    }
    lines
}

/// The hint of the first line among the most serious ones. `doctor` finds what this screen does not tell.
pub(super) fn hint(lines: &[StatusLine], url: Option<&str>) -> Option<String> {
    let worst = lines.iter().map(|line| line.level).max()?;
    let mut serious = lines.iter().filter(|line| line.level == worst);
    let hint = serious.find_map(|line| line.hint.clone());
    if !matches!(worst, Level::Failure | Level::Unknown) {
        return hint;
    }
    let url = url.map_or_else(String::new, |url| format!(" {url}"));
    let doctor = format!("'git credential-pat doctor{url}'");
    Some(match hint {
        Some(hint) => format!("{hint}; {doctor} tells more"),
        None => format!("{doctor} finds the cause"),
    })
}

fn git(calls: &GitCalls, has_url: bool) -> Vec<StatusLine> {
    let failure = |says: String| StatusLine::new("git", Level::Failure, says);
    let setup = "run 'git credential-pat setup'";
    match calls {
        GitCalls::Called(chain) => called(chain, has_url),
        GitCalls::Dropped(place) => vec![
            failure(format!(
                "does not call this helper: an empty value drops it ({place})"
            ))
            .hinting("'git credential-pat doctor' names the line, and how to remove it"),
        ],
        GitCalls::NotSetUp => vec![failure("does not call this helper".to_owned()).hinting(setup)],
        GitCalls::Missing(program) => {
            vec![failure(format!("calls {program}, which is no program")).hinting(setup)]
        }
        GitCalls::Failed(error) => {
            let line = failure(error.to_string());
            vec![match error.hint() {
                Some(hint) => line.hinting(hint),
                None => line,
            }]
        }
    }
}

fn called(chain: &Chain, has_url: bool) -> Vec<StatusLine> {
    let note = |says: String| StatusLine::new("git", Level::Note, says);
    let replace = "run 'git credential-pat setup --replace' to have git call this helper alone";
    let says = match &chain.only[..] {
        _ if has_url => "calls this helper for this URL".to_owned(),
        [] => "calls this helper for every URL".to_owned(),
        only => format!("calls this helper for {} only", only.join(", ")),
    };
    let mut lines = vec![StatusLine::new("git", Level::Good, says)];
    if !chain.before.is_empty() {
        let says = format!("calls {} first: its answer counts", quoted(&chain.before));
        lines.push(note(says).hinting(replace));
    }
    if !chain.after.is_empty() {
        let says = format!(
            "also calls {}: it gets a copy of every token",
            quoted(&chain.after)
        );
        lines.push(note(says).hinting(replace));
    }
    if !chain.not_for.is_empty() {
        let says = format!(
            "does not call this helper for {}: an empty value drops it",
            chain.not_for.join(", ")
        );
        lines.push(note(says).hinting("'git credential-pat doctor' names the line"));
    }
    lines
}

/// git does not send the path of the rule, so another token answers, or none.
fn unmatched_rule(rule: &Account) -> StatusLine {
    let url = escape::safe(&rule.key.url());
    let says = format!("git does not send the path of the rule for {url}: the rule has no effect");
    StatusLine::new("accounts", Level::Note, says).hinting("run 'git credential-pat setup'")
}

fn quoted(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    quoted.join(", ")
}

fn storage(storage: &StorageStatus) -> StatusLine {
    let cause = storage.cause.as_deref().unwrap_or_default();
    let words = match storage.health {
        Health::Works => "works".to_owned(),
        Health::NotRunning => "works; the daemon starts with the first token".to_owned(),
        Health::ReadOnly => format!("is read-only: {cause}"),
        Health::Absent => format!("is not there: {cause}"),
        Health::Locked | Health::Unreachable | Health::Failed => {
            format!("cannot be used: {cause}")
        }
    };
    let says = format!("{} {words}", storage.kind);
    StatusLine {
        hint: storage.hint.clone(),
        ..StatusLine::new("storages", storage.level, says)
    }
}
