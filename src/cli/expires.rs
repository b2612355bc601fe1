//! `expires`: sets the expiry of a token.

use super::exit_code::ExitCode;
use super::failure::{CliResult, nothing_known, nothing_stored};
use super::messages::token_of;
use super::streams::Streams;
use super::{open, status_of, ui};
use crate::config::Flags;
use crate::credential::expiry::StatedExpiry;
use crate::credential::query::Query;
use crate::helper::Helper;
use crate::helper::expiry::set_expiry;
use crate::helper::notice::Notice;
use crate::tasks::target;
use crate::time::now;

/// Set the expiry of a token
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// A URL such as https://gitea.example.com or https://octocat@gitea.example.com
    url: String,
    /// The last day on which the token works (2026-11-26, in UTC), a time (2026-11-26T12:00:00Z), a duration from now (90d), or
    /// never
    #[arg(value_name = "DATE|DURATION|never", value_parser = StatedExpiry::parse)]
    end: StatedExpiry,
}

pub(super) fn run(arguments: &Arguments, flags: Flags, streams: &mut Streams) -> CliResult {
    let wanted = target::parse(&arguments.url)?;
    let (settings, helper) = open(flags, Some(&wanted))?;
    let mut wanted = target::stored(&settings.accounts, &helper, wanted)?;
    only_of_host(&helper, &mut wanted)?;
    let now = now();
    let unix_now = now.unix;
    let expiry = arguments.end.expiry(unix_now);
    let outcome = set_expiry(&helper, &wanted, expiry, now)?;
    ui::notices(streams, &outcome.notices, unix_now);
    let is_whole = outcome.is_whole();
    let is_wiped = |notice| matches!(notice, &Notice::Gone { .. });
    if outcome.value.is_empty() && outcome.notices.iter().any(is_wiped) {
        return Ok(ExitCode::FAILURE);
    }
    if outcome.value.is_empty() && !is_whole {
        return Err(nothing_known());
    }
    if outcome.value.is_empty() {
        return Err(nothing_stored(&wanted));
    }
    for key in outcome.value {
        let says = match expiry {
            None => "has no known expiry".to_owned(),
            Some(expiry) if expiry.is_past(unix_now) => format!("expired on {}", expiry.day()),
            Some(expiry) => format!("expires on {}", expiry.day()),
        };
        ui::done(streams, &format!("{} {says}\n", token_of(&key)))?;
    }
    Ok(status_of(is_whole))
}

/// A URL without a path means the tokens of the whole host, if there are any, and no token for a path.
fn only_of_host(helper: &Helper, wanted: &mut Query) -> CliResult<()> {
    let listed = helper.storages().list_all()?.value;
    let is_there = listed
        .iter()
        .any(|(_, listed)| listed.key.path.is_none() && wanted.matches(&listed.key));
    wanted.is_pathless = wanted.path.is_none() && is_there;
    Ok(())
}
