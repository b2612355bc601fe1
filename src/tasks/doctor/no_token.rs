//! Why no stored token answers a query: a token in the place of the username, a path that git does not send, another user, another
//! path, or nothing at all.

use super::finding::Finding;
use super::query::{Question, kept_at_host_of};
use super::token_check::TITLE;
use crate::config::account::Account;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::credential::username::Username;
use crate::forge::ForgeSite;
use crate::forge::http::{Error, Obstacle};
use crate::git::Git;
use crate::git::http_path::HttpPaths;
use crate::helper::Helper;
use crate::helper::lookup::endpoint;

/// A problem of the query itself, which no stored token can solve.
pub(super) fn of_query(question: &Question) -> Option<Finding> {
    let user = question.asked.username.as_ref();
    let says = match user {
        Some(user) if user.may_be_token() && question.is_named_by_git => {
            "credential.username holds a token in the place of the user: each program that reads git's configuration has it"
        }
        Some(user) if user.may_be_token() => {
            "the URL holds a token in the place of the user: each reader of the URL has the token"
        }
        _ => return question.untold.as_ref().map(path_not_sent),
    };
    let place = if question.is_named_by_git {
        "git's configuration"
    } else {
        "the URL"
    };
    let remedy = format!("take it out of {place}, and revoke it at its forge");
    Some(Finding::problem(TITLE, says, remedy))
}

/// The first `[[account]]` with a path that git does not send.
pub(super) fn of_accounts(git: &Git, accounts: &[Account]) -> Option<Finding> {
    let paths = HttpPaths::of(git);
    for account in accounts {
        let url = Query {
            username: None,
            ..Query::of(&account.key)
        };
        if url.path.is_some() && !paths.are_told(&url) {
            return Some(path_not_sent(account));
        }
    }
    None
}

fn path_not_sent(account: &Account) -> Finding {
    let says = format!(
        "git does not send the path that the [[account]] for {} needs: its token is not found",
        String::from_utf8_lossy(&account.key.url())
    );
    Finding::problem(TITLE, says, "git credential-pat setup")
}

/// The host's name cannot be resolved, so git gets there with no token. Sends no credential.
pub(super) fn unresolved(site: &ForgeSite) -> Option<Finding> {
    let error = endpoint::visit(site).err()?;
    if error != Error::Unreachable(Obstacle::Name) {
        return None;
    }
    let host = site.host();
    let says = format!("{host} cannot be reached: {}", Obstacle::Name);
    let hint = format!("check the URL and the network: {}", error.hint(host));
    Some(Finding::problem("host", says, hint))
}

/// No stored token answers `question`. Names the nearest stored entry, if there is one.
pub(super) fn nothing_stored(helper: &Helper, question: &Question) -> Option<Finding> {
    let wanted = question.wanted.key()?;
    let url = wanted.url();
    let url = String::from_utf8_lossy(&url);
    let stored = kept_at_host_of(helper.storages(), &question.wanted);
    let whole_host = Query {
        path: None,
        is_pathless: true,
        ..question.wanted.duplicate()
    };
    let user = wanted.username.as_ref();
    let says = match (user, of_another_user(&stored, question)) {
        (Some(user), Some(other)) => {
            let source = if question.is_named_by_git {
                " (named by credential.username)"
            } else {
                ""
            };
            let other = other.username.as_ref().map(Username::shown);
            format!(
                "nothing is kept for the user '{}'{source} at {url}, only for '{}'",
                user.shown(),
                other.unwrap_or_default()
            )
        }
        _ if wanted.path.is_some() && stored.iter().any(|key| whole_host.matches(key)) => format!(
            "git asks with the path, but the kept token is for the whole host: nothing is kept for {url}"
        ),
        (Some(user), None) => format!(
            "nothing is kept for the user '{}' at {url} in {}",
            user.shown(),
            helper.storages().places()
        ),
        (None, _) => format!(
            "nothing is kept for {url} in {}",
            helper.storages().places()
        ),
    };
    Some(Finding::problem(TITLE, says, login(&wanted)))
}

/// A remote whose URL names a user without a stored token, although another user of the host has one.
pub(super) fn of_remote_user(
    helper: &Helper,
    question: &Question,
    remote: &str,
) -> Option<Finding> {
    let found = if let Some(found) = of_query(question) {
        found
    } else {
        let stored = kept_at_host_of(helper.storages(), &question.wanted);
        let is_stored = stored.iter().any(|key| question.wanted.matches(key));
        of_another_user(&stored, question).filter(|_| !is_stored)?;
        nothing_stored(helper, question)?
    };
    Some(Finding {
        title: "remote",
        says: format!("the remote {remote}: {}", found.says),
        ..found
    })
}

/// The first stored entry that matches the query but for its user.
fn of_another_user<'a>(stored: &'a [Key], question: &Question) -> Option<&'a Key> {
    let any_user = Query {
        username: None,
        ..question.wanted.duplicate()
    };
    stored.iter().find(|key| any_user.matches(key))
}

/// The command that stores a token under `key`.
pub(super) fn login(key: &Key) -> String {
    format!("git credential-pat login {}", key.argument())
}
