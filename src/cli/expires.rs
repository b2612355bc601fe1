//! `expires`: a person tells when a token ends.

use std::process::ExitCode;

use super::streams::Streams;
use super::{Failure, described, meant, nothing_kept, nothing_known, open, status_of, ui};
use crate::config::Flags;
use crate::credential::expiry::StatedExpiry;
use crate::credential::query::Query;
use crate::helper::Helper;
use crate::terminal::escape;
use crate::time::now;

/// Tell when a token ends, where nobody else does
#[derive(clap::Args)]
// The text is shown to people as it stands.
#[allow(clippy::doc_markdown)]
pub(super) struct Arguments {
    /// Such as https://gitea.example.com or https://octocat@gitea.example.com
    url: String,
    /// The last day the token is good (2026-11-26, in UTC), a moment (2026-11-26T12:00:00Z), how long from now (90d), or
    /// never
    #[arg(value_name = "DATE|DURATION|never", value_parser = StatedExpiry::parse)]
    end: StatedExpiry,
}

pub(super) fn run(
    arguments: &Arguments,
    flags: Flags,
    streams: &mut Streams,
) -> Result<ExitCode, Failure> {
    let wanted = described(&arguments.url)?;
    let (settings, helper) = open(flags, Some(&wanted))?;
    let mut wanted = meant(&settings, &helper, wanted)?;
    only_of_host(&helper, &mut wanted)?;
    let now = now();
    let unix_now = now.unix;
    let expiry = arguments.end.expiry(unix_now);
    let outcome = helper.tell_end(&wanted, expiry, now)?;
    ui::notices(streams, &outcome.notices, unix_now);
    let is_whole = outcome.is_whole();
    if outcome.value.is_empty() && !is_whole {
        return Err(nothing_known());
    }
    if outcome.value.is_empty() {
        return Err(nothing_kept(&wanted));
    }
    for key in outcome.value {
        let name = key
            .username
            .as_ref()
            .map_or_else(String::new, |name| format!(" of {}", name.shown()));
        let url = escape::safe(&key.url());
        let end = match expiry {
            None => "has no known end".to_owned(),
            Some(expiry) if expiry.is_past(unix_now) => format!("ended on {}", expiry.day()),
            Some(expiry) => format!("ends on {}", expiry.day()),
        };
        ui::print(streams, &format!("the token{name} for {url} {end}\n"))?;
    }
    Ok(status_of(is_whole))
}

/// A URL without a path means the tokens of the whole host, if there are any, and none that is for a path.
fn only_of_host(helper: &Helper, wanted: &mut Query) -> Result<(), Failure> {
    let listed = helper.list()?.value;
    let is_there = listed
        .iter()
        .any(|(_, listed)| listed.key.path.is_none() && wanted.matches(&listed.key));
    wanted.is_pathless = wanted.path.is_none() && is_there;
    Ok(())
}
