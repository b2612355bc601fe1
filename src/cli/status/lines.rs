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
        Some(hint) if hint.contains(&doctor) => hint,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::url;
    use crate::helper::token_state::TokenState;
    use crate::storage::StorageKind;
    use crate::tasks::status::tokens::TokenStatus;

    const NOW: u64 = 1_700_000_000;

    #[test]
    fn a_storage_tells_its_health_and_cause() {
        for (health, words) in [
            (Health::Works, "works"),
            (
                Health::NotRunning,
                "works; the daemon starts with the first token",
            ),
            (Health::ReadOnly, "is read-only: made up"),
            (Health::Absent, "is not there: made up"),
            (Health::Locked, "cannot be used: made up"),
            (Health::Unreachable, "cannot be used: made up"),
            (Health::Failed, "cannot be used: made up"),
        ] {
            let line = storage(&StorageStatus {
                kind: StorageKind::Memory,
                health,
                level: Level::Note,
                cause: Some("made up".to_owned()),
                hint: Some("do this".to_owned()),
            });
            assert_eq!(line.says, format!("memory {words}"), "{health:?}");
            let rest = (line.title, line.level, line.hint.as_deref());
            assert_eq!(rest, ("storages", Level::Note, Some("do this")));
        }
    }

    #[test]
    fn git_is_a_failure_where_it_does_not_call_the_helper() {
        for (calls, words) in [
            (GitCalls::NotSetUp, "does not call this helper"),
            (
                GitCalls::Dropped("global gitconfig".to_owned()),
                "does not call this helper: an empty value drops it (global gitconfig)",
            ),
            (
                GitCalls::Missing("/nowhere/pat".into()),
                "calls /nowhere/pat, which is no program",
            ),
        ] {
            let lines = git(&calls, false);
            assert_eq!(
                (&lines[0].says[..], lines[0].level),
                (words, Level::Failure)
            );
            assert!(lines[0].hint.is_some(), "{words}");
        }
        let chain = Chain {
            only: vec!["https://one.test".to_owned()],
            not_for: vec!["https://two.test".to_owned()],
            before: vec!["store".to_owned()],
            after: vec!["cache".to_owned()],
        };
        let lines = git(&GitCalls::Called(chain), false);
        let lines = lines.iter();
        let lines: Vec<(Level, &str)> = lines.map(|line| (line.level, &line.says[..])).collect();
        assert_eq!(
            lines,
            [
                (Level::Good, "calls this helper for https://one.test only"),
                (Level::Note, "calls 'store' first: its answer counts"),
                (
                    Level::Note,
                    "also calls 'cache': it gets a copy of every token"
                ),
                (
                    Level::Note,
                    "does not call this helper for https://two.test: an empty value drops it"
                ),
            ]
        );
    }

    #[test]
    fn an_unused_token_and_a_broken_journal_are_notes() {
        let key = url::parse(b"https://octocat@github.com").unwrap().key();
        let status = StatusScreen {
            calls: GitCalls::Called(Chain::default()),
            storages: Vec::new(),
            journal: Some("made up".to_owned()),
            tokens: vec![TokenStatus {
                key: key.unwrap(),
                storage: StorageKind::File,
                state: TokenState::Good,
                expiry: None,
                last_used: Some(NOW),
                unused_since: Some(NOW),
            }],
            accounts: 1,
            unmatched_rule: None,
            has_url: false,
        };
        let lines = lines(&status, None, NOW);
        let titles: Vec<(&str, Level)> =
            lines.iter().map(|line| (line.title, line.level)).collect();
        assert_eq!(
            titles,
            [
                ("git", Level::Good),
                ("journal", Level::Note),
                ("tokens", Level::Good),
                ("accounts", Level::Good),
                ("unused", Level::Note),
            ]
        );
        let start = "octocat at https://github.com is unused since 14 Nov 2023; ";
        assert!(lines[4].says.starts_with(start), "{}", lines[4].says);
        let hint = hint(&lines, None).unwrap();
        assert!(hint.contains("logout https://octocat@github.com"), "{hint}");
    }

    #[test]
    fn doctor_is_named_for_a_failure_and_for_what_is_unknown() {
        let line = |level| StatusLine::new("git", level, "made up");
        let doctor = "'git credential-pat doctor'";
        for (level, hinted, alone) in [
            (Level::Good, Some("do this".to_owned()), None),
            (Level::Note, Some("do this".to_owned()), None),
            (Level::ExpiresSoon, Some("do this".to_owned()), None),
            (Level::Invalid, Some("do this".to_owned()), None),
            (
                Level::Unknown,
                Some(format!("do this; {doctor} tells more")),
                Some(format!("{doctor} finds the cause")),
            ),
            (
                Level::Failure,
                Some(format!("do this; {doctor} tells more")),
                Some(format!("{doctor} finds the cause")),
            ),
        ] {
            assert_eq!(
                hint(&[line(level).hinting("do this")], None),
                hinted,
                "{level:?}"
            );
            assert_eq!(hint(&[line(level)], None), alone, "{level:?}");
        }
        let url = hint(&[line(Level::Failure)], Some("https://one.test"));
        let expected = "'git credential-pat doctor https://one.test' finds the cause";
        assert_eq!(url.as_deref(), Some(expected));
    }

    #[test]
    fn doctor_is_named_once() {
        let hint_of = "'git credential-pat doctor' names the line".to_owned();
        let line = StatusLine::new("git", Level::Failure, "made up").hinting(hint_of.clone());
        assert_eq!(hint(&[line], None), Some(hint_of));
    }
}
