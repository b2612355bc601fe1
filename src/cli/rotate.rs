//! `rotate`: a new token in the place of an old one, by the forge itself or with a person's help.

use std::fmt::Write as _;
use std::process::ExitCode;

use super::failure::{Failure, nothing_known, nothing_stored};
use super::guide::{IfUnfit, Kept};
use super::streams::Streams;
use super::{guide, open, ui, whereabouts};
use crate::config::{Flags, Settings};
use crate::credential::Credential;
use crate::credential::expiry::{Expiry, ExpirySource, StatedExpiry};
use crate::credential::key::Key;
use crate::credential::token::TokenKind;
use crate::forge::{ForgeExpiry, Renewal, Revocation};
use crate::helper::Helper;
use crate::platform::DeferredSignals;
use crate::storage;
use crate::tasks::rotation::entries::Left;
use crate::tasks::rotation::{Plan, Rotated, Step};
use crate::tasks::target;
use crate::terminal::escape;
use crate::time::{self, Now};

/// How long a new token lives, if nobody says.
const USUAL: u64 = 90 * 86_400;

/// Replace a token by a new one, and end the old one
///
/// GitLab does it by itself. Elsewhere the page that creates a token is shown, the new token read, and on consent the old
/// one revoked.
#[derive(clap::Args)]
// The text is shown to people as it stands.
#[allow(clippy::doc_markdown)]
pub(super) struct Arguments {
    /// Such as https://gitlab.com or https://octocat@gitlab.com
    url: String,
    /// When the new one ends: the last day it is good (2026-11-26), a moment, or how long from now [default: 90d]
    #[arg(long, value_name = "DATE|DURATION|never", value_parser = StatedExpiry::parse)]
    expires: Option<StatedExpiry>,
    /// Show the page that creates the token, and open no browser
    #[arg(long)]
    no_browser: bool,
}

pub(super) fn run(
    arguments: &Arguments,
    flags: Flags,
    streams: &mut Streams,
) -> Result<ExitCode, Failure> {
    let wanted = target::parse(&arguments.url)?;
    let (settings, helper) = open(flags, Some(&wanted))?;
    let wanted = target::stored(&settings.accounts, &helper, wanted)?;
    let now = time::now();
    let Some(old) = helper.kept_for(&wanted)?.filter(Credential::is_complete) else {
        let outcome = helper.list()?;
        if !outcome.is_whole() {
            ui::notices(streams, &outcome.notices, now.unix);
            return Err(nothing_known());
        }
        return Err(nothing_stored(&wanted));
    };
    let Some(plan) = helper.plan(&old) else {
        return Err(Failure::new(
            "nobody knows which forge this is",
            "tell it with a [[host]] rule in config.toml",
        ));
    };
    let is_in_place = matches!(plan.renewal, Renewal::InPlace { .. });
    if is_in_place && matches!(arguments.expires, Some(StatedExpiry::Never)) {
        return Err(Failure::new(
            "a token that the forge replaces by itself gets an end: nothing was done",
            "say when, such as '--expires 365d'",
        ));
    }
    let end = arguments.expires.and_then(|end| end.expiry(now.unix));
    let end = end.or_else(|| Expiry::from_unix(now.unix + USUAL));
    let end = end
        .filter(|end| !end.is_past(now.unix))
        .ok_or_else(|| Failure::new("the new token would have ended already", None))?;
    if let Renewal::InPlace { call, needs } = &plan.renewal {
        in_place(streams, &helper, &settings, &old, (call, needs), end, now)
    } else {
        by_hand(streams, &helper, &old, &plan, end, arguments, now)
    }
}

fn in_place(
    streams: &mut Streams,
    helper: &Helper,
    settings: &Settings,
    old: &Credential,
    how: (&crate::forge::Call, &[&str]),
    end: Expiry,
    now: Now,
) -> Result<ExitCode, Failure> {
    let url = escape::safe(&old.key.url());
    let whose = old.key.argument();
    let login = format!("create a new one with 'git credential-pat login {whose}'");
    let state = &settings.places.state;
    // What comes with the forge's answer is kept before a signal ends us, and what came of it is said.
    let mut waiting = None;
    let mut announce = |step: Step<'_>| {
        let unasked = match step {
            Step::Asks(unasked) => unasked,
            Step::Waits(cause) => {
                let what = format!("{cause} yet: another process holds it");
                let hint = "the new token waits for a minute: let this go on";
                return ui::warn(streams, &what, Some(hint));
            }
        };
        ui::notices(streams, unasked, now.unix);
        if !unasked.is_empty() {
            let what = "if this token is kept there, too, it stays there, and is dead";
            let clean = "'git credential-pat clean' finds it when the storage can be reached";
            ui::warn(streams, what, Some(clean));
        }
        let what = format!(
            "the token for {url} is being replaced: if this is cut off, the kept one may be dead"
        );
        ui::warn(streams, &what, Some(&login));
        waiting = Some(DeferredSignals::begin());
    };
    let result = helper.rotate(old, how, end, state, &mut announce, now);
    match result {
        Ok(rotated) => {
            let place = place_of(helper, &rotated.new.key)?;
            told(streams, &rotated, &place, &login)?;
            let Rotated {
                left,
                displaced,
                is_whole,
                ..
            } = &rotated;
            let is_everywhere = left.is_empty() && displaced.is_empty() && *is_whole;
            Ok(ExitCode::from(u8::from(!is_everywhere)))
        }
        Err(error) => {
            ui::error(streams, &error, error.hint(&old.key).as_deref());
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Where the new token is, and where it is not.
fn told(streams: &mut Streams, rotated: &Rotated, place: &str, login: &str) -> Result<(), Failure> {
    let Rotated {
        new,
        others,
        left,
        displaced,
        is_whole,
        is_settled,
        is_late,
        end,
    } = rotated;
    let url = escape::safe(&new.key.url());
    let mut text = if *is_late {
        format!(
            "an earlier rotation of the token for {url} was cut off: the new token is kept {place} and replaces the old one\n"
        )
    } else {
        format!("the new token for {url} is kept {place}; the old one no longer works\n")
    };
    if *end == ForgeExpiry::Never {
        text.push_str("the new token never expires\n");
    }
    for key in others {
        let _ = writeln!(text, "it is also in the old one's place in {}", named(key));
    }
    let whose = new.key.argument();
    let again = format!("'git credential-pat rotate {whose}'");
    warn_of_left(streams, left, &again);
    for (kind, key) in displaced {
        let entry = named(key);
        let what = format!(
            "the {kind} storage was given another token for {entry} meanwhile: that one stays"
        );
        let check = format!("'git credential-pat check {whose}' tells whether it is good");
        ui::warn(streams, &what, Some(&check));
    }
    if !is_whole {
        let what = "a storage could not be asked, and may still have the old, dead token";
        let again = format!("when it can be reached, {again} puts the new one there");
        ui::warn(streams, what, Some(&again));
    }
    if !is_settled {
        let what = format!("only memory has the new token for {url}, and it forgets");
        let is_erased = left.iter().all(|left| left.is_erased);
        let lasting = is_erased.then(|| format!("when the storage can be written, {login}"));
        ui::warn(streams, &what, lasting.as_deref());
    }
    Ok(ui::print(streams, &text)?)
}

/// Warns of the storages that could not take the new token. `again`: the command that tries once more.
fn warn_of_left(streams: &mut Streams, left: &[Left], again: &str) {
    for left in left {
        let Left {
            key,
            kind,
            cause,
            is_erased,
        } = left;
        ui::error(streams, cause, cause.hint());
        let entry = named(key);
        if *is_erased {
            let what = format!("the {kind} storage keeps no token for {entry} any more");
            let next = "what git uses next is kept there again, when it can be written";
            ui::warn(streams, &what, Some(next));
        } else {
            let has = if matches!(cause, storage::Error::Unavailable { .. }) {
                "may still have"
            } else {
                "still has"
            };
            let what = format!("the {kind} storage {has} the old, dead token for {entry}");
            let again = format!("when it can be written, {again} puts the new one there");
            ui::warn(streams, &what, Some(&again));
        }
    }
}

/// Where a new token is and for how long.
fn place_of(helper: &Helper, key: &Key) -> Result<String, Failure> {
    let entries = whereabouts::entries(helper, key)?;
    Ok(whereabouts::told(
        &entries,
        helper.lifetime(),
        time::now().unix,
    ))
}

fn named(key: &Key) -> String {
    let url = escape::safe(&key.url());
    match &key.username {
        Some(user) => format!("{} at {url}", user.shown()),
        None => url,
    }
}

fn by_hand(
    streams: &mut Streams,
    helper: &Helper,
    old: &Credential,
    plan: &Plan,
    end: Expiry,
    arguments: &Arguments,
    now: Now,
) -> Result<ExitCode, Failure> {
    let url = escape::safe(&old.key.url());
    let mut dialogue = guide::dialogue(streams)?;
    if let Renewal::ByHand { page, how } = &plan.renewal {
        let text = format!("{how}:\n  {}\n", escape::whole(page));
        ui::print(streams, &format!("either {text}or "))?;
    }
    show_pages(streams, plan, end, arguments, now)?;
    let token = guide::typed_token(streams, &mut dialogue, IfUnfit::Refuse)?;
    let Some(before) = old.token().map(crate::secret::Secret::duplicate) else {
        return Err(Failure::new("nothing is kept for this URL", None));
    };
    if token.is_same(&before) {
        return Err(Failure::new(
            "this is the token that is kept already: nothing was changed",
            None,
        ));
    }
    let mut new = old.duplicate();
    new.password = Some(token);
    new.authorization = None;
    new.refresh_token = None;
    new.expiry = None;
    let mut given = target::parse(&arguments.url)?;
    given.path = given.path.or_else(|| old.key.path.clone());
    let Kept {
        end: kept,
        is_endless,
        is_good,
    } = guide::keep(streams, helper, &new, &given, IfUnfit::Refuse, time::now())?;
    drop(dialogue);
    let is_everywhere = match new.token() {
        Some(token) => follow(streams, helper, old, token, (kept, is_endless))?,
        None => true,
    };
    let place = place_of(helper, &new.key)?;
    let more = if is_endless { "; it never expires" } else { "" };
    let text = format!("the new token for {url} is kept {place}{more}\n");
    ui::print(streams, &text)?;
    revoke(streams, helper, plan, &before, is_good)?;
    Ok(ExitCode::from(u8::from(!is_everywhere)))
}

/// Shows where the new token is created; the page for the kind of the old token comes first.
fn show_pages(
    streams: &mut Streams,
    plan: &Plan,
    end: Expiry,
    arguments: &Arguments,
    now: Now,
) -> Result<(), Failure> {
    let wish = guide::wish(Some(end), now.unix);
    let mut pages = plan.issuer.forge.creation_pages(&plan.site, &wish);
    let kind = plan.issuer.token.map(TokenKind::word);
    pages.sort_by_key(|page| !kind.is_some_and(|kind| page.title.starts_with(kind)));
    let how = guide::How {
        may_open: !arguments.no_browser,
        wants_code: false,
    };
    guide::show(streams, &pages, how)
}

/// The other entries with the old token are told before anybody is asked to revoke it. Returns whether all have the new one.
fn follow(
    streams: &mut Streams,
    helper: &Helper,
    old: &Credential,
    token: &crate::secret::Secret,
    end: (Option<(Expiry, ExpirySource)>, bool),
) -> Result<bool, Failure> {
    let now = time::now();
    let followed = helper.follow(old, token, end, now)?;
    ui::notices(streams, &followed.unasked, now.unix);
    if !followed.unasked.is_empty() {
        ui::warn(
            streams,
            "if the old token is kept there, it stays there",
            None,
        );
    }
    let is_everywhere = followed.left.is_empty();
    for left in followed.left {
        ui::error(streams, &left.cause, left.cause.hint());
        let (kind, entry) = (left.kind, named(&left.key));
        let what = if left.is_erased {
            format!("the {kind} storage keeps no token for {entry} any more")
        } else {
            format!("the {kind} storage still has the old token for {entry}")
        };
        ui::warn(streams, &what, None);
    }
    let others = followed.kept.iter().filter(|key| **key != old.key);
    let text: String = others
        .map(|key| {
            format!(
                "the new token is also in the old one's place in {}\n",
                named(key)
            )
        })
        .collect();
    ui::print(streams, &text)?;
    Ok(is_everywhere)
}

/// The old one goes on consent only, for somebody else may use it, too; and only if the new one is known to be good.
fn revoke(
    streams: &mut Streams,
    helper: &Helper,
    plan: &Plan,
    before: &crate::secret::Secret,
    is_new_good: bool,
) -> Result<(), Failure> {
    let forge = plan.issuer.forge.kind();
    if let Revocation::ByHand(page) = &plan.revocation {
        let text = format!("remove the old one there: {}\n", escape::whole(page));
        return Ok(ui::print(streams, &text)?);
    }
    if !is_new_good {
        let text = "the old token stays good: nobody knows yet whether the new one works\n";
        return Ok(ui::print(streams, text)?);
    }
    let question = format!("Have {forge} revoke the old token, for everybody who uses it? [y/N] ");
    let answer = ui::ask(streams, &question)?;
    if !matches!(&answer.to_ascii_lowercase()[..], "y" | "yes") {
        return Ok(ui::print(streams, "the old token stays good\n")?);
    }
    match helper.revoke(before, plan) {
        Ok(true) => ui::print(streams, "the old token is revoked\n")?,
        Ok(false) => {
            let what = format!("{forge} did not revoke the old token: it may still be good");
            ui::warn(streams, &what, None);
        }
        Err(error) => {
            let what = format!("the old token may still be good: {error}");
            ui::warn(streams, &what, None);
        }
    }
    Ok(())
}
