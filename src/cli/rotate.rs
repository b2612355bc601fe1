//! `rotate`: replaces a token with a new one, which the forge or the user creates.

use super::exit_code::ExitCode;
use super::failure::{CliResult, Failure, nothing_known, nothing_stored};
use super::page::PageArguments;
use super::streams::Streams;
use super::{guide, open, page, ui};
use crate::config::Flags;
use crate::credential::Credential;
use crate::credential::expiry::{Expiry, StatedExpiry};
use crate::credential::key::Key;
use crate::forge::Renewal;
use crate::platform::DeferredSignals;
use crate::tasks::rotation::failure::Error;
use crate::tasks::rotation::outcome::Rotated;
use crate::tasks::rotation::plan::{Plan, Rotation};
use crate::tasks::rotation::{RotationRequest, RotationStep};
use crate::tasks::{location, login, target};
use crate::terminal::escape;
use crate::time;

/// Replace a token with a new one, and revoke the old one
///
/// GitLab replaces the token itself. For other forges, the command shows the page that creates a token, reads the new token,
/// and offers to revoke the old one.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// A URL such as https://gitlab.com or https://octocat@gitlab.com
    url: String,
    /// When the new token expires: its last day (2026-11-26), a time, or a duration from now [default: 90d]
    #[arg(long, value_name = "DATE|DURATION|never", value_parser = StatedExpiry::parse)]
    expires: Option<StatedExpiry>,
    #[command(flatten)]
    page: PageArguments,
}

pub(super) fn run(arguments: &Arguments, flags: Flags, streams: &mut Streams) -> CliResult {
    let wanted = target::parse(&arguments.url)?;
    let (settings, helper) = open(flags, Some(&wanted))?;
    let wanted = target::stored(&settings.accounts, &helper, wanted)?;
    let now = time::now();
    let Some(old) = helper
        .storages()
        .kept_for(&wanted)?
        .filter(Credential::is_complete)
    else {
        let listed = helper.storages().list_all()?;
        if listed.is_whole() {
            return Err(nothing_stored(&wanted));
        }
        ui::notices(streams, &listed.notices, now.unix);
        return Err(nothing_known());
    };
    let rotation = Rotation {
        helper: &helper,
        state: &settings.places.state,
        now,
    };
    let Some(plan) = rotation.plan(&old) else {
        return Err(Failure::new(
            "the forge of this token is unknown",
            "name it in a [[host]] rule in config.toml",
        ));
    };
    let expiry = plan.expiry(arguments.expires, now);
    let hint = "give another one, such as '--expires 90d'";
    let expiry = expiry.map_err(|what| Failure::new(what, hint))?;
    let Renewal::InPlace { call, needs } = &plan.renewal else {
        return by_hand(streams, &rotation, &old, &plan, expiry, arguments);
    };
    let request = RotationRequest {
        call,
        needs,
        expiry,
    };
    in_place(streams, &rotation, &old, &request)
}

fn in_place(
    streams: &mut Streams,
    rotation: &Rotation<'_>,
    old: &Credential,
    request: &RotationRequest<'_>,
) -> CliResult {
    let url = old.key.argument();
    let login = format!("create a new one with 'git credential-pat login {url}'");
    let shown = escape::safe(&old.key.url());
    // Until the new token is saved and the outcome is printed.
    let mut deferred = None;
    let result = rotation.rotate(old, request, &mut |step| match step {
        RotationStep::Asks(unasked) => {
            ui::notices(streams, unasked, rotation.now.unix);
            let what = format!(
                "the token for {shown} is being replaced: if this is cut off, the stored one may be invalid"
            );
            ui::warn(streams, &what, Some(&login));
            deferred = Some(DeferredSignals::begin());
        }
        RotationStep::Waits(cause) => {
            let what = format!("{cause} yet: another process holds it");
            let hint = "the new token waits for a minute: let this go on";
            ui::warn(streams, &what, Some(hint));
        }
    });
    let again = format!("'git credential-pat rotate {url}' puts the new one there");
    report(streams, rotation, result.as_ref(), &old.key, &again)
}

fn by_hand(
    streams: &mut Streams,
    rotation: &Rotation<'_>,
    old: &Credential,
    plan: &Plan,
    expiry: Expiry,
    arguments: &Arguments,
) -> CliResult {
    let now = rotation.now;
    let mut dialogue = guide::dialogue(streams)?;
    if let Renewal::ByHand { page, how } = &plan.renewal {
        let text = format!("either {how}:\n  {}\nor:\n", escape::whole(page));
        ui::print(streams, &text)?;
    }
    let pages = plan.pages(&page::wish(Some(expiry), now.unix));
    page::show(streams, &pages, &arguments.page)?;
    let token = guide::typed_token(streams, &mut dialogue, false)?;
    let Some(before) = old.token().filter(|before| **before != token) else {
        let what = "this is the token that is stored already: nothing was changed";
        return Err(Failure::new(what, None));
    };
    // A person may have been at the forge's page for a while.
    let rotation = Rotation {
        now: time::now(),
        ..*rotation
    };
    let given = arguments.expires.and_then(|end| end.expiry(now.unix));
    let new = old.with_token(&token, given);
    let mut repository = target::parse(&arguments.url)?;
    repository.path = repository.path.or_else(|| old.key.path.clone());
    let (helper, now) = (rotation.helper, rotation.now);
    let (issuer, asked) = login::vet(helper, &new, &repository, false, now)?;
    guide::warn_if_unsure(streams, &asked, issuer, &new.key);
    drop(dialogue);
    let result = rotation.replace_by_hand(old, &new, &asked);
    let url = old.key.argument();
    let again = format!("'git credential-pat login {url}' puts the new one there");
    let code = report(streams, &rotation, result.as_ref(), &old.key, &again)?;
    if result.is_err() {
        return Ok(code);
    }
    guide::warn_of_scopes(streams, issuer, asked.scopes());
    let text = match plan.consent(asked.is_good()) {
        Err(text) => text,
        Ok(question) if ui::confirm(streams, &question)? => plan.revoke(before),
        Ok(_) => "the old token stays good".to_owned(),
    };
    ui::done(streams, &format!("{text}\n"))?;
    Ok(code)
}

/// Says where the new token is, and warns of each entry that does not have it. `again`: the command that puts it there.
fn report(
    streams: &mut Streams,
    rotation: &Rotation<'_>,
    result: Result<&Rotated, &Error>,
    old: &Key,
    again: &str,
) -> CliResult {
    let rotated = match result {
        Ok(rotated) => rotated,
        Err(error) => {
            ui::error(streams, error, error.hint(old).as_deref());
            return Ok(ExitCode::FAILURE);
        }
    };
    for left in &rotated.left {
        ui::error(streams, &left.cause, left.cause.hint());
    }
    for (what, hint) in rotated.warnings(again) {
        ui::warn(streams, &what, Some(&hint));
    }
    if let Some(Credential { key, .. }) = rotated.saved.first() {
        let entries = location::entries(rotation.helper, key)?;
        let lifetime = rotation.helper.lifetime();
        let place = location::in_sentence(&entries, lifetime, time::now().unix);
        ui::done(streams, &rotated.summary(key, &place))?;
    }
    Ok(ExitCode::from(u8::from(!rotated.is_everywhere())))
}
