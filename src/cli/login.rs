//! `login`: a person hands over a token.

use std::process::ExitCode;

use clap::builder::NonEmptyStringValueParser;

use super::failure::Failure;
use super::guide::IfUnfit;
use super::streams::Streams;
use super::usage::MISUSE;
use super::whereabouts::{self, Calls};
use super::{guide, open, ui};
use crate::config::{Flags, Settings, account};
use crate::credential::Credential;
use crate::credential::expiry::{ExpirySource, StatedExpiry};
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::credential::url;
use crate::credential::username::Username;
use crate::git::Git;
use crate::git::http_path::HttpPaths;
use crate::git::remotes::Remotes;
use crate::helper::Helper;
use crate::helper::issuer::DefaultUsername;
use crate::secret::Secret;
use crate::storage::StorageKind;
use crate::tasks::doctor::finding::Finding;
use crate::tasks::doctor::remotes::of_remote;
use crate::tasks::target::{self, TargetError};
use crate::terminal::escape;
use crate::terminal::prompt::Dialogue;
use crate::time;

/// Take a new token for a URL, in the place of an old one
#[derive(clap::Args)]
// The text is shown to people as it stands; a switch of the command line each.
#[allow(clippy::doc_markdown, clippy::struct_excessive_bools)]
pub(super) struct Arguments {
    /// Such as https://github.com or https://octocat@github.com; in a repository by default the URL of its remote
    url: Option<String>,
    /// The username, if it is not in the URL; asked for where the forge needs one
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    username: Option<String>,
    /// Read the token from standard input instead of asking for it; the URL must be given
    #[arg(long)]
    with_token: bool,
    /// When it ends: the last day it is good (2026-11-26), a moment, or how long from now (90d)
    #[arg(long, value_name = "DATE|DURATION|never", value_parser = StatedExpiry::parse)]
    expires: Option<StatedExpiry>,
    /// Show the page that creates the token, and open no browser
    #[arg(long)]
    no_browser: bool,
    /// Show the page's address as a QR code, too
    #[arg(long)]
    qr: bool,
    /// Save it even if the forge does not accept it, or if it does not look like a token
    #[arg(long)]
    force: bool,
}

pub(super) fn run(
    arguments: &Arguments,
    flags: &Flags,
    streams: &mut Streams,
) -> Result<ExitCode, Failure> {
    let given = arguments.url.as_deref().map(target::parse).transpose()?;
    if given.is_none() && arguments.with_token {
        return Ok(nowhere(streams));
    }
    let mut dialogue = if arguments.with_token {
        None
    } else {
        Some(guide::dialogue(streams)?)
    };
    let is_typed = given.is_some();
    let mut query = match given {
        Some(given) => given,
        None => match from_remote(streams)? {
            Some(found) => found,
            None => return Ok(nowhere(streams)),
        },
    };
    if query.protocol.as_deref() == Some(b"http") {
        ui::warn(
            streams,
            "git sends a token for http:// unencrypted",
            Some("use the https:// URL if there is one"),
        );
    }
    let (settings, helper) = open(flags.clone(), Some(&query))?;
    query.username.take_if(|name| name.is_empty());
    if let Some(name) = &arguments.username {
        query.username = Some(Username::from(&name[..]));
    }
    let given = query.duplicate();
    query = as_git_will_ask(query, &settings, is_typed, streams);
    let piped = match dialogue {
        Some(_) => None,
        None => Some(guide::piped_token(streams, if_unfit(arguments))?),
    };
    if query.username.is_none() {
        query.username = Some(known_or_asked_username(
            &helper,
            &query,
            piped.as_ref(),
            dialogue.as_mut(),
        )?);
    }
    let source = (piped, dialogue.as_mut());
    let credential = with_token(arguments, query, &helper, source, streams)?;
    // A person may have been at the forge's page for a while.
    let now = time::now();
    let if_unfit = if_unfit(arguments);
    let guide::Kept { end, is_endless } =
        guide::keep(streams, &helper, &credential, &given, if_unfit, now)?;
    drop(dialogue);
    // Takes back an expiry that this person gave before, and none that a forge gave.
    let is_held = matches!(end, Some((_, source)) if !ExpirySource::Forge.outranks(source));
    if arguments.expires == Some(StatedExpiry::Never) && !is_held {
        helper.tell_end(&Query::exact(&credential.key), None, now)?;
    }
    let more = match (end, arguments.expires) {
        (None, None) if is_endless => "; it never expires".to_owned(),
        (None, None) => {
            let whose = credential.key.argument();
            format!("; set its expiry with 'git credential-pat expires {whose} DATE'")
        }
        _ => String::new(),
    };
    tell(streams, &helper, &credential.key, &more, (&settings, flags))?;
    Ok(ExitCode::SUCCESS)
}

fn if_unfit(arguments: &Arguments) -> IfUnfit {
    if arguments.force {
        IfUnfit::Keep
    } else {
        IfUnfit::MayForce
    }
}

/// With the token that was piped; else shows where one is created, and asks for it.
fn with_token(
    arguments: &Arguments,
    mut query: Query,
    helper: &Helper,
    (piped, dialogue): (Option<Secret>, Option<&mut Dialogue>),
    streams: &mut Streams,
) -> Result<Credential, Failure> {
    let now = time::now();
    let end = arguments.expires.and_then(|end| end.expiry(now.unix));
    if end.is_some_and(|end| end.is_past(now.unix)) {
        return Err(Failure::new(
            "this token has ended already",
            "create a new one, and give its own end",
        ));
    }
    let token = if let Some(piped) = piped {
        piped
    } else if let Some(dialogue) = dialogue {
        let key = query.key();
        let issuer = key.as_ref().and_then(|key| helper.issuer(key, None));
        if let Some((issuer, site)) = issuer.zip(key.as_ref().and_then(|key| helper.site(key))) {
            let wish = guide::wish(end, now.unix);
            let pages = issuer.forge.creation_pages(&site, &wish);
            let how = guide::How {
                may_open: !arguments.no_browser,
                wants_code: arguments.qr,
            };
            guide::show(streams, &pages, how)?;
        }
        guide::typed_token(streams, dialogue, if_unfit(arguments))?
    } else {
        guide::piped_token(streams, if_unfit(arguments))?
    };
    query.password = Some(token);
    query.expiry = end;
    Credential::complete(query).ok_or_else(|| Failure::new("a token needs a user and a host", None))
}

/// Says where the token is and for how long, and warns if git does not look there.
fn tell(
    streams: &mut Streams,
    helper: &Helper,
    key: &Key,
    more: &str,
    (settings, flags): (&Settings, &Flags),
) -> Result<(), Failure> {
    let entries = whereabouts::entries(helper, key)?;
    let place = whereabouts::told(&entries, settings.lifetime, time::now().unix);
    let url = escape::safe(&key.url());
    ui::print(
        streams,
        &format!("the token for {url} is kept {place}{more}\n"),
    )?;
    let kinds: Vec<StorageKind> = entries.iter().map(|(kind, _)| *kind).collect();
    let calls = Calls::of(Some(&Query::of(key)));
    calls.check(streams, Some(key), &kinds, (settings, flags));
    Ok(())
}

/// Leaves out the path if git does not tell it, and names the account that the path belongs to. `is_typed`: the user typed
/// the path, and so may have meant it.
fn as_git_will_ask(
    mut query: Query,
    settings: &Settings,
    is_typed: bool,
    streams: &mut Streams,
) -> Query {
    let is_ruled = is_ruled(settings, &query);
    let is_told = git_tells_path(&query);
    if is_ruled && !is_told {
        ui::warn(
            streams,
            "git does not tell the path, by which the [[account]] for it goes: this token will not be found",
            Some("run 'git credential-pat setup' after adding a rule"),
        );
    }
    if !is_ruled && !is_told {
        if is_typed && query.path.is_some() {
            warn_of_path(streams, &query, settings);
        }
        query.path = None;
    }
    account::apply(&settings.accounts, &mut query);
    query
}

/// Warns that the path is left out, and shows the rule that would keep a token for it.
fn warn_of_path(streams: &mut Streams, said: &Query, settings: &Settings) {
    let mut whole = said.duplicate();
    let path = whole.path.take().unwrap_or_default();
    let url = |said: &Query| escape::safe(&said.key().map(|key| key.url()).unwrap_or_default());
    let what = format!(
        "git does not tell the path '{}': the token is for all of {}",
        escape::safe(&path),
        url(&whole)
    );
    let file = settings.places.config.join("config.toml");
    let file = escape::safe(file.as_os_str().as_encoded_bytes());
    let hint =
        format!("for a token of its own, add this to {file} and run 'git credential-pat setup':");
    ui::warn(streams, &what, Some(&hint));
    for line in account::rule(said) {
        ui::show(streams, &format!("  {line}"));
    }
}

/// Nobody says where the token belongs.
fn nowhere(streams: &mut Streams) -> ExitCode {
    ui::complain(
        streams,
        "which host is the token for?",
        Some("give its URL, such as 'git credential-pat login https://github.com'"),
    );
    ExitCode::from(MISUSE)
}

/// Where the usual remote of the repository leads that one is in; `None`: there is none. It is said, for whoever made the
/// repository chose it.
fn from_remote(streams: &mut Streams) -> Result<Option<Query>, Failure> {
    let git = Git::find()?;
    let remotes = Remotes::read(&git);
    let Some(remote) = remotes.usual(&git) else {
        return Ok(None);
    };
    let name = escape::safe(remote.name.as_bytes());
    let is_over_ssh = remote.target.ssh().is_some();
    let over_ssh = of_remote(remote, &remotes).filter(|_| is_over_ssh);
    if let Some(Finding { says, remedy, .. }) = over_ssh {
        return Err(Failure::Plain {
            what: format!("the remote {says}"),
            hint: remedy,
        });
    }
    let leads_to = &remote.target.url;
    let parsed = url::parse(leads_to.as_bytes());
    if matches!(parsed, Err(url::Error::Password)) {
        let what = format!("the URL of the remote {name} holds a password: git asks no helper");
        return Err(Failure::new(
            what,
            "take it out with 'git remote set-url', and end it at its forge",
        ));
    }
    let found = match parsed {
        Err(error) if leads_to.starts_with("https://") => {
            return Err(TargetError::from(error).into());
        }
        parsed => parsed.ok(),
    };
    let found = found.filter(|found| found.protocol.as_deref() == Some(b"https"));
    let Some(found) = found else {
        let what = format!("the remote {name} is not reached over HTTPS: no token serves it");
        return Err(Failure::new(
            what,
            "give the URL that the token is for, such as https://github.com",
        ));
    };
    let shown = found.key().map(|key| key.url()).unwrap_or_default();
    let text = format!("the remote {name} leads to {}\n", escape::safe(&shown));
    ui::print(streams, &text)?;
    Ok(Some(found))
}

/// Whether a rule keeps one token for the path.
fn is_ruled(settings: &Settings, said: &Query) -> bool {
    let mut accounts = settings.accounts.iter();
    accounts.any(|account| account.path.is_some() && account.covers(said))
}

/// Whether git will ask for the token with the path of the repository.
fn git_tells_path(said: &Query) -> bool {
    Git::find().is_ok_and(|git| HttpPaths::of(&git).are_told(said))
}

/// The user whose token is replaced, if there is exactly one. If there is none, the username that the forge of a `piped` token
/// accepts; at a terminal, a prompt asks for it.
fn known_or_asked_username(
    helper: &Helper,
    query: &Query,
    piped: Option<&Secret>,
    dialogue: Option<&mut Dialogue>,
) -> Result<Username, Failure> {
    let mut known: Vec<Username> = helper
        .list()?
        .value
        .into_iter()
        .filter(|(_, listed)| query.matches(&listed.key))
        .filter_map(|(_, listed)| listed.key.username)
        // A token in the place of the name is replaced by a name.
        .filter(|name| !name.may_be_token())
        .collect();
    known.sort_unstable();
    known.dedup();
    if let [one] = &known[..] {
        return Ok(one.clone());
    }
    let key = query.key();
    if known.is_empty()
        && let Some((key, token)) = key.as_ref().zip(piped)
        && let DefaultUsername::Known(name) = helper.username(key, token, None)
    {
        return Ok(Username::from(name));
    }
    let dialogue = dialogue.ok_or_else(|| {
        Failure::new(
            "cannot tell whose token it is",
            "give --username, or the user in the URL",
        )
    })?;
    let url = key.as_ref().map(Key::url).unwrap_or_default();
    let line = dialogue.shown_line(&format!("Username for {}: ", escape::safe(&url)))?;
    let name = str::from_utf8(line.as_slice()).unwrap_or("\0").trim();
    if name.is_empty() {
        return Err(Failure::new("a token needs a user", None));
    }
    // An arrow key, for example, sends an escape sequence.
    if !name.chars().all(escape::is_plain) {
        let what = "the username contains characters that a terminal does not show";
        return Err(Failure::new(what, "type it again, or give --username"));
    }
    let name = Username::from(name);
    if name.may_be_token() {
        // It would stand in every list from now on.
        return Err(Failure::new(
            "this is a token, and no user's name: nothing was changed",
            "it was shown on the terminal: revoke it at its forge",
        ));
    }
    Ok(name)
}
