//! The lines of the screen, in words.

use crate::cli::messages::{counted, token_of, unused};
use crate::credential::expiry::Expiry;
use crate::credential::key::Key;
use crate::helper::token_state::TokenState;
use crate::tasks::status::StatusScreen;
use crate::tasks::status::calls::{Chain, GitCalls};
use crate::tasks::status::level::Level;
use crate::tasks::status::storages::{Health, StorageStatus};
use crate::tasks::status::tokens::TokenStatus;
use crate::time::in_words;

/// So many tokens with a problem have a line of their own.
const MOST: usize = 3;

pub(super) struct StatusLine {
    pub(super) title: &'static str,
    pub(super) level: Level,
    pub(super) says: String,
    pub(super) hint: Option<String>,
}

impl StatusLine {
    fn new(title: &'static str, level: Level, says: impl Into<String>) -> Self {
        Self {
            title,
            level,
            says: says.into(),
            hint: None,
        }
    }

    fn hinting(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }
}

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

/// Each state in words, in the order in which they are counted.
const STATES: [(TokenState, &str); 7] = [
    (TokenState::Good, "good"),
    (TokenState::Unknown, "without a known expiry"),
    (TokenState::ExpiresSoon, "expires soon"),
    (TokenState::Blocked, "blocked"),
    (TokenState::Expired, "expired"),
    (TokenState::Rejected, "rejected"),
    (TokenState::Revoked, "revoked"),
];

fn tokens(status: &StatusScreen, unix_now: u64) -> Vec<StatusLine> {
    let all = &status.tokens;
    let level = status.tokens_level();
    if all.is_empty() && !status.is_whole() {
        let says = "none in the storages that could be read";
        return vec![StatusLine::new("tokens", level, says)];
    }
    if all.is_empty() {
        let line = StatusLine::new("tokens", level, "none is kept");
        let hint = "save one with 'git credential-pat login URL', or enter it where git asks";
        return vec![line.hinting(hint)];
    }
    let mut counts = Vec::new();
    for (state, word) in STATES {
        let count = all.iter().filter(|token| token.state == state).count();
        if count > 0 {
            counts.push(format!("{count} {word}"));
        }
    }
    let counts = match &counts[..] {
        [one] => one.clone(),
        several => format!("{}: {}", all.len(), several.join(", ")),
    };
    let mut lines = vec![StatusLine::new("tokens", level, counts)];
    let mut problems = Vec::new();
    for token in all {
        let level = Level::of(token.state);
        if matches!(level, Level::Invalid | Level::Unknown) {
            problems.push(renewing("tokens", token, unix_now));
        }
    }
    let more = problems.len().saturating_sub(MOST);
    problems.truncate(MOST);
    lines.append(&mut problems);
    if more > 0 {
        let says = format!("and {more} more: see 'git credential-pat list'");
        lines.push(StatusLine::new("tokens", level, says));
    }
    let next = all
        .iter()
        .filter(|token| Level::of(token.state) < Level::Invalid);
    let next = next.filter(|token| token.expiry.is_some());
    if let Some(next) = next.min_by_key(|token| token.expiry.map(Expiry::unix)) {
        lines.push(renewing("next", next, unix_now));
    }
    lines
}

fn tokens_of_url(status: &StatusScreen, url: &str, unix_now: u64) -> Vec<StatusLine> {
    if status.tokens.is_empty() {
        let says = if status.is_whole() {
            "none is kept for this URL"
        } else {
            "none for this URL in the storages that could be read"
        };
        let line = StatusLine::new("token", status.tokens_level(), says);
        let hint = format!("save one with 'git credential-pat login {url}'");
        return vec![line.hinting(hint)];
    }
    let tokens = status.tokens.iter();
    let tokens = tokens.map(|token| {
        let line = renewing("token", token, unix_now);
        let says = format!("{}; it is in {}", line.says, token.storage.place());
        StatusLine { says, ..line }
    });
    tokens.collect()
}

/// A token in its state, and the command that renews it.
fn renewing(title: &'static str, token: &TokenStatus, unix_now: u64) -> StatusLine {
    let date = token.expiry.map(|expiry| {
        let day = expiry.day();
        if expiry.is_past(unix_now) {
            let ago = in_words(unix_now.saturating_sub(expiry.unix()));
            format!("expired {ago} ago ({day})")
        } else {
            format!("expires in {} ({day})", in_words(expiry.left(unix_now)))
        }
    });
    let words = match token.state {
        TokenState::Rejected => "was rejected".to_owned(),
        TokenState::Revoked => "was revoked".to_owned(),
        TokenState::Blocked => "is blocked by its forge".to_owned(),
        TokenState::Expired => date.unwrap_or_else(|| "has expired".to_owned()),
        _ => date.unwrap_or_else(|| "has no known expiry".to_owned()),
    };
    let level = Level::of(token.state);
    let line = StatusLine::new(title, level, format!("{} {words}", named(&token.key)));
    let command = match level {
        Level::Good | Level::Note => return line,
        Level::Unknown => "check",
        Level::ExpiresSoon | Level::Invalid | Level::Failure => "login",
    };
    let what = if command == "check" {
        "ask it with"
    } else {
        "create a new one with"
    };
    let key = token.key.argument();
    line.hinting(format!("{what} 'git credential-pat {command} {key}'"))
}

/// `octocat at https://github.com`.
fn named(key: &Key) -> String {
    let token = token_of(key);
    token
        .strip_prefix("the token for ")
        .unwrap_or(&token)
        .to_owned()
}
