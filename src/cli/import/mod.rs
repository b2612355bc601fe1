//! `import`: takes over the credentials of other helpers. Shows them first.

pub(super) mod arguments;
mod json;
mod table;
mod warnings;
mod work;

use self::arguments::Arguments;
use self::work::Work;
use super::failure::{CliResult, Failure};
use super::streams::Streams;
use super::{open, status_of, ui};
use crate::config::Flags;
use crate::git::may_prompt::prompt_patience;
use crate::helper::open::kinds;
use crate::neighbour::registry::{Neighbours, Source};
use crate::tasks::calls::Calls;
use crate::tasks::import::Import;
use crate::tasks::import::offer::{Offer, Verdict};
use crate::tasks::import::sources::{cache_queries, username_of};
use crate::tasks::target;
use crate::time;

pub(super) fn run(arguments: &Arguments, flags: &Flags, streams: &mut Streams) -> CliResult {
    let wanted = arguments.url.as_deref().map(target::parse).transpose()?;
    let names_variable = |source: &Source| matches!(source, Source::Variable(_));
    if wanted.is_none() && arguments.from.iter().any(names_variable) {
        return Err(Failure::new(
            "what is the token in the variable for?",
            "give --url, such as --url https://octocat@github.com",
        ));
    }
    let (settings, helper) = open(flags.clone(), wanted.as_ref())?;
    let now = time::now();
    let username_of = |variable: &str| username_of(helper.issuers(), wanted.as_ref(), variable);
    let mut neighbours = Neighbours::open(
        &arguments.from,
        wanted.as_ref(),
        &username_of,
        prompt_patience(),
    )?;
    let harvest = neighbours.read(cache_queries(helper.storages(), wanted.as_ref()));
    warnings::unread(streams, &harvest);
    let (storages, journal) = (helper.storages(), helper.journal());
    let import = Import::begin(storages, journal, helper.issuers(), now)?;
    ui::notices(streams, &import.notices, now.unix);
    let import = import.value;
    let offers = import.preview(&harvest, wanted.as_ref(), &settings.accounts);

    let is_unknown = |offer: &Offer| offer.verdict == Verdict::Unknown;
    let mut work = Work {
        arguments,
        settings: &settings,
        neighbours: &neighbours,
        harvest: &harvest,
        removed: vec![false; harvest.copies.len()],
        has_failed: (!arguments.from.is_empty() && !harvest.troubles.is_empty())
            || offers.iter().any(is_unknown),
        offers,
    };
    work.show(streams)?;
    let wanted = work.offers.iter().filter(|offer| work.is_wanted(offer));
    let wanted: Vec<&Offer> = wanted.collect();
    warnings::unmatched(streams, &wanted, &settings.accounts);
    let calls = Calls::read();
    if !arguments.dry_run {
        let obstacle = |offer: &&Offer| {
            let key = &offer.credential.key;
            calls.obstacle(key, kinds(&settings), &settings, flags)
        };
        if let Some((what, hint)) = wanted.iter().find_map(obstacle) {
            ui::warn(streams, &what, Some(&hint));
        }
    }
    let is_answered = work.store_wanted(&import, streams)?;
    if is_answered && arguments.remove_source {
        work.remove_sources(&import, &calls, streams)?;
    }
    if arguments.json {
        ui::print_json(streams, &json::shown(&work))?;
    }
    Ok(status_of(is_answered && !work.has_failed))
}
