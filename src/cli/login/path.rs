//! The path of a new token's URL: asks whether it shall have a token of its own, or warns that git does not send it.

use super::super::failure::CliResult;
use super::super::streams::Streams;
use super::super::ui;
use crate::config::Settings;
use crate::config::account::Account;
use crate::credential::query::Query;
use crate::tasks::accounts;
use crate::tasks::login::{self, PathProblem};
use crate::terminal::escape;
use crate::terminal::prompt::Dialogue;

/// Asks whether the path of the URL shall have a token of its own, and returns the rule for it. `None`: git sends the path without
/// a rule, or there is no terminal.
pub(super) fn offered_rule(
    given: &Query,
    settings: &Settings,
    dialogue: Option<&mut Dialogue>,
) -> CliResult<Option<Account>> {
    let (Some(dialogue), Ok(rule)) = (dialogue, accounts::rule(given, None)) else {
        return Ok(None);
    };
    let mut rules = settings.accounts.iter();
    let has_rule = rules.any(|rule| rule.key.path.is_some() && rule.covers(given));
    if given.path.is_none() || has_rule || login::is_path_sent(given) {
        return Ok(None);
    }
    let url = escape::safe(&rule.key.url());
    let host = url_of_host(given);
    let is_agreed = dialogue.confirm(&format!(
        "Use the new token only for {url}? Otherwise it is for all of {host}."
    ))?;
    Ok(is_agreed.then_some(rule))
}

/// Changes `query` to the one that git will ask, and warns if git does not send its path. `is_new`: the rule is added later.
pub(super) fn as_git_will_ask(
    query: Query,
    settings: &Settings,
    (is_typed, is_new): (bool, bool),
    streams: &mut Streams,
) -> Query {
    let given = query.duplicate();
    let (query, problem) = login::as_git_will_ask(query, settings);
    match problem {
        Some(PathProblem::RuleWithoutPath) if !is_new => ui::warn(
            streams,
            "git does not send the path that an [[account]] needs: this token will not be found",
            Some("run 'git credential-pat setup'"),
        ),
        Some(PathProblem::LeftOut) if is_typed => warn_of_path(streams, &given),
        _ => {}
    }
    query
}

/// Warns that the path is left out, and names the command that keeps a token for it.
fn warn_of_path(streams: &mut Streams, given: &Query) {
    let what = format!(
        "git does not send the path '{}': the token is for all of {}",
        escape::safe(given.path.as_deref().unwrap_or_default()),
        url_of_host(given)
    );
    let rule = accounts::rule(given, None).ok();
    let hint = rule.map(|rule| {
        let url = rule.key.argument();
        format!("for a token of its own, run 'git credential-pat account add {url}' first")
    });
    ui::warn(streams, &what, hint.as_deref());
}

/// The URL without its path.
fn url_of_host(given: &Query) -> String {
    let mut whole = given.duplicate();
    whole.path = None;
    let url = whole.key().map(|key| key.url()).unwrap_or_default();
    escape::safe(&url)
}
