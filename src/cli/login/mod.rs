//! `login`: reads a new token, saves it, and says where and for how long.

mod path;

use clap::builder::NonEmptyStringValueParser;

use self::path::{as_git_will_ask, offered_rule};
use super::exit_code::ExitCode;
use super::failure::{CliResult, Failure};
use super::page::PageArguments;
use super::streams::Streams;
use super::usage::MISUSE;
use super::{guide, open, page, rule, ui};
use crate::config::{Flags, Settings};
use crate::credential::Credential;
use crate::credential::expiry::{Expiry, StatedExpiry};
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::credential::username::Username;
use crate::helper::Helper;
use crate::journal::known::Known;
use crate::secret::Secret;
use crate::storage::StorageKind;
use crate::tasks::calls::Calls;
use crate::tasks::login;
use crate::tasks::{location, target};
use crate::terminal::escape;
use crate::terminal::prompt::Dialogue;
use crate::time;

/// Save a new token for a URL; it replaces the stored one
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// A URL such as https://github.com or https://octocat@github.com; in a repository by default the URL of its remote
    url: Option<String>,
    /// The username, if it is not in the URL; asked for if the forge needs one
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    username: Option<String>,
    /// Read the token from standard input instead of asking for it; the URL must be given
    #[arg(long)]
    with_token: bool,
    /// When the token expires: its last day (2026-11-26), a time, or a duration from now (90d)
    #[arg(long, value_name = "DATE|DURATION|never", value_parser = StatedExpiry::parse)]
    expires: Option<StatedExpiry>,
    #[command(flatten)]
    page: PageArguments,
    /// Save the token even if the forge rejects it, or if it does not look like a token
    #[arg(long)]
    force: bool,
}

pub(super) fn run(arguments: &Arguments, flags: &Flags, streams: &mut Streams) -> CliResult {
    let typed = arguments.url.as_deref().map(target::parse).transpose()?;
    let is_dialogue = !arguments.with_token;
    let mut dialogue = is_dialogue.then(|| guide::dialogue(streams)).transpose()?;
    let is_typed = typed.is_some();
    let target = match typed {
        // Without a dialogue the user does not see where a repository sends the token.
        None if is_dialogue => from_remote(streams)?,
        typed => typed,
    };
    let Some(mut query) = target else {
        let hint = "give its URL, such as 'git credential-pat login https://github.com'";
        ui::complain(streams, "which host is the token for?", Some(hint));
        return Ok(ExitCode::from(MISUSE));
    };
    if query.protocol.as_deref() == Some(b"http") {
        let what = "git sends a token for http:// unencrypted";
        ui::warn(streams, what, Some("use the https:// URL if there is one"));
    }
    let (mut settings, helper) = open(flags.clone(), Some(&query))?;
    query.username.take_if(|name| name.is_empty());
    if let Some(name) = &arguments.username {
        query.username = Some(Username::from(&name[..]));
    }
    let given = query.duplicate();
    let asking = dialogue.as_mut().filter(|_| is_typed);
    let rule = offered_rule(&given, &settings, asking)?;
    settings.accounts.extend(rule.clone());
    let mut query = as_git_will_ask(query, &settings, (is_typed, rule.is_some()), streams);
    let piped = arguments
        .with_token
        .then(|| guide::piped_token(streams, arguments.force));
    let piped = piped.transpose()?;
    if query.username.is_none() {
        let known = login::known_username(&helper, &query, piped.as_ref())?;
        query.username = Some(match known {
            Ok(known) => known,
            Err(several) => typed_username(&query, dialogue.as_mut(), &several)?,
        });
    }
    let source = (piped, dialogue.as_mut());
    let credential = with_token(arguments, query, &helper, source, streams)?;
    // The user may have spent a while at the forge's page.
    let now = time::now();
    let (issuer, asked) = login::vet(&helper, &credential, &given, arguments.force, now)?;
    guide::warn_if_unsure(streams, &asked, issuer, &credential.key);
    if let Some(rule) = &rule {
        rule::add(&settings, rule, false, streams)?;
    }
    let outcome = login::save(&helper, &credential, issuer, &asked, arguments.expires, now)?;
    ui::notices(streams, &outcome.notices, now.unix);
    let saved = outcome.value?;
    guide::warn_of_scopes(streams, issuer, saved.scopes.as_deref());
    drop(dialogue);
    let key = &credential.key;
    let more = expiry_advice(&saved, arguments.expires, key);
    report(streams, &helper, key, &more, (&settings, flags))?;
    Ok(ExitCode::SUCCESS)
}

/// The URL of the usual remote, which is printed: the author of the repository chose it.
fn from_remote(streams: &mut Streams) -> CliResult<Option<Query>> {
    let Some((name, query)) = login::usual_remote()? else {
        return Ok(None);
    };
    let url = query.key().map(|key| key.url()).unwrap_or_default();
    let url = escape::safe(&url);
    ui::print(streams, &format!("the remote {name} leads to {url}\n"))?;
    Ok(Some(query))
}

/// `several`: the users whose tokens are stored.
fn typed_username(
    query: &Query,
    dialogue: Option<&mut Dialogue>,
    several: &[Username],
) -> CliResult<Username> {
    let Some(dialogue) = dialogue else {
        let names: Vec<String> = several.iter().map(Username::shown).collect();
        let what = match &names[..] {
            [] => "cannot tell the username of this token".to_owned(),
            names => format!(
                "cannot tell whose token this is: tokens of {} are stored",
                names.join(" and ")
            ),
        };
        let hint = "give --username, or the user in the URL";
        return Err(Failure::new(what, hint));
    };
    guide::typed_username(dialogue, query)
}

fn expiry_advice(saved: &Known, stated: Option<StatedExpiry>, key: &Key) -> String {
    match (saved.end, stated) {
        (None, None) if saved.is_endless => "; it never expires".to_owned(),
        (None, None) => {
            let url = key.argument();
            format!("; set its expiry with 'git credential-pat expires {url} DATE'")
        }
        _ => String::new(),
    }
}

/// Adds the piped token to `query`. At a terminal, shows the page that creates a token, and asks for it.
fn with_token(
    arguments: &Arguments,
    mut query: Query,
    helper: &Helper,
    (piped, dialogue): (Option<Secret>, Option<&mut Dialogue>),
    streams: &mut Streams,
) -> CliResult<Credential> {
    let now = time::now();
    let expiry = arguments.expires.and_then(|stated| stated.expiry(now.unix));
    if expiry.is_some_and(|expiry| expiry.is_past(now.unix)) {
        let day = expiry.map_or_else(String::new, Expiry::day);
        let what = format!("{day} is in the past");
        return Err(Failure::new(
            what,
            "give the day on which the token will expire",
        ));
    }
    query.password = match dialogue {
        None => piped,
        Some(dialogue) => {
            let wish = page::wish(expiry, now.unix);
            let pages = login::creation_pages(helper, &query, &wish);
            page::show(streams, &pages, &arguments.page)?;
            Some(guide::typed_token(streams, dialogue, arguments.force)?)
        }
    };
    query.expiry = expiry;
    Credential::complete(query).ok_or_else(|| Failure::new("a token needs a user and a host", None))
}

/// Prints where the token is and for how long, and warns if git does not look there.
fn report(
    streams: &mut Streams,
    helper: &Helper,
    key: &Key,
    more: &str,
    (settings, flags): (&Settings, &Flags),
) -> CliResult<()> {
    let entries = location::entries(helper, key)?;
    let place = location::in_sentence(&entries, settings.lifetime, time::now().unix);
    let url = escape::safe(&key.url());
    ui::done(
        streams,
        &format!("the token for {url} is kept {place}{more}\n"),
    )?;
    let kinds: Vec<StorageKind> = entries.iter().map(|(kind, _)| *kind).collect();
    if let Some((what, hint)) = Calls::read().obstacle(key, &kinds, settings, flags) {
        ui::warn(streams, &what, Some(&hint));
    }
    Ok(())
}
