//! The lines about tokens: how many, those with a problem, and the next expiry.

use super::screen::StatusLine;
use crate::cli::messages::token_of;
use crate::credential::expiry::Expiry;
use crate::credential::key::Key;
use crate::helper::token_state::TokenState;
use crate::tasks::status::StatusScreen;
use crate::tasks::status::level::Level;
use crate::tasks::status::tokens::TokenStatus;
use crate::time::in_words;

/// So many tokens with a problem have a line of their own.
const MOST: usize = 3;

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

pub(super) fn tokens(status: &StatusScreen, unix_now: u64) -> Vec<StatusLine> {
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
    let mut lines = vec![StatusLine::new("tokens", level, counts(all))];
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

/// `2 good`, or `3: 2 good, 1 expired`.
fn counts(all: &[TokenStatus]) -> String {
    let mut counts = Vec::new();
    for (state, word) in STATES {
        let count = all.iter().filter(|token| token.state == state).count();
        if count > 0 {
            counts.push(format!("{count} {word}"));
        }
    }
    match &counts[..] {
        [one] => one.clone(),
        several => format!("{}: {}", all.len(), several.join(", ")),
    }
}

pub(super) fn tokens_of_url(status: &StatusScreen, url: &str, unix_now: u64) -> Vec<StatusLine> {
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
    let (what, command) = match level {
        Level::Good | Level::Note => return line,
        Level::Unknown => ("ask it with", "check"),
        Level::ExpiresSoon | Level::Invalid | Level::Failure => ("create a new one with", "login"),
    };
    let key = token.key.argument();
    line.hinting(format!("{what} 'git credential-pat {command} {key}'"))
}

/// `octocat at https://github.com`.
pub(super) fn named(key: &Key) -> String {
    let token = token_of(key);
    token
        .strip_prefix("the token for ")
        .unwrap_or(&token)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::url;
    use crate::storage::StorageKind;
    use crate::tasks::status::calls::{Chain, GitCalls};

    const NOW: u64 = 1_000_000_000;
    const DAY: u64 = 86_400;

    fn token(user: &str, state: TokenState, end: Option<u64>) -> TokenStatus {
        let url = format!("https://{user}@one.test");
        TokenStatus {
            key: url::parse(url.as_bytes()).unwrap().key().unwrap(),
            storage: StorageKind::File,
            state,
            expiry: end.and_then(Expiry::from_unix),
            last_used: None,
            unused_since: None,
        }
    }

    fn screen(tokens: Vec<TokenStatus>) -> StatusScreen {
        StatusScreen {
            calls: GitCalls::Called(Chain::default()),
            storages: Vec::new(),
            journal: None,
            tokens,
            accounts: 0,
            unmatched_rule: None,
            has_url: false,
        }
    }

    #[test]
    fn each_state_has_its_level_words_and_command() {
        use Level::{ExpiresSoon, Good, Invalid, Unknown};
        let (past, soon, later) = (
            Some(NOW - 3 * DAY),
            Some(NOW + 5 * DAY),
            Some(NOW + 90 * DAY),
        );
        for (state, end, level, words, command) in [
            (TokenState::Good, later, Good, "expires in 90 days (", None),
            (TokenState::Unknown, None, Good, "has no known expiry", None),
            (
                TokenState::ExpiresSoon,
                soon,
                ExpiresSoon,
                "expires in 5 days (",
                Some("login"),
            ),
            (
                TokenState::Expired,
                past,
                Invalid,
                "expired 3 days ago (",
                Some("login"),
            ),
            (
                TokenState::Expired,
                None,
                Invalid,
                "has expired",
                Some("login"),
            ),
            (
                TokenState::Rejected,
                later,
                Invalid,
                "was rejected",
                Some("login"),
            ),
            (
                TokenState::Revoked,
                later,
                Invalid,
                "was revoked",
                Some("login"),
            ),
            (
                TokenState::Blocked,
                later,
                Unknown,
                "is blocked by its forge",
                Some("check"),
            ),
        ] {
            let line = renewing("token", &token("alice", state, end), NOW);
            assert_eq!(line.level, level, "{state:?}");
            let start = format!("alice at https://one.test {words}");
            assert!(line.says.starts_with(&start), "{state:?}: {}", line.says);
            let end = command.map(|command| format!("{command} https://alice@one.test'"));
            let hint = line.hint.unwrap_or_default();
            assert!(
                hint.ends_with(&end.unwrap_or_default()),
                "{state:?}: {hint}"
            );
            assert_eq!(hint.is_empty(), command.is_none(), "{state:?}: {hint}");
        }
    }

    #[test]
    fn three_problems_have_a_line_each_and_the_others_are_counted() {
        let users = ["alice", "bob", "carol", "dave", "erin"];
        let all = users.map(|user| token(user, TokenState::Rejected, None));
        let mut all = Vec::from(all);
        let more = all.split_off(3);
        let lines = tokens(&screen(all), NOW);
        let says = |lines: &[StatusLine]| -> Vec<String> {
            lines.iter().map(|line| line.says.clone()).collect()
        };
        let named = |user: &str| format!("{user} at https://one.test was rejected");
        let three = users[..3].iter().map(|user| named(user));
        let three: Vec<String> = three.collect();
        assert_eq!(
            says(&lines),
            [&["3 rejected".to_owned()], &three[..]].concat()
        );
        let mut all: Vec<TokenStatus> = users[..3]
            .iter()
            .map(|user| token(user, TokenState::Rejected, None))
            .collect();
        all.extend(more);
        let lines = tokens(&screen(all), NOW);
        let rest = "and 2 more: see 'git credential-pat list'".to_owned();
        assert_eq!(
            says(&lines),
            [&["5 rejected".to_owned()], &three[..], &[rest]].concat()
        );
        assert!(lines.iter().all(|line| line.level == Level::Invalid));
    }

    #[test]
    fn the_next_expiry_is_the_earliest_of_a_valid_token() {
        let all = vec![
            token("alice", TokenState::Good, Some(NOW + 90 * DAY)),
            token("bob", TokenState::Good, Some(NOW + 60 * DAY)),
            token("carol", TokenState::Rejected, Some(NOW + 30 * DAY)),
        ];
        let lines = tokens(&screen(all), NOW);
        assert_eq!(lines[0].says, "3: 2 good, 1 rejected");
        let last = lines.last().unwrap();
        assert_eq!((last.title, last.level), ("next", Level::Good));
        assert!(last.says.starts_with("bob at"), "{}", last.says);
    }
}
