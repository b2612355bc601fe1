//! The query that `import` puts to its sources, and the warnings about parts that they could not read.

use super::super::streams::Streams;
use super::super::ui;
use crate::credential::query::Query;
use crate::helper::Helper;
use crate::helper::issuer::DefaultUsername;
use crate::neighbour::registry::Harvest;
use crate::neighbour::{MOST, environment};
use crate::terminal::escape;

/// For a token of a forge that is not known. GitHub, GitLab, Gitea and Azure DevOps take any.
const ANY_USER: &str = "x-access-token";

/// The username for the token in `variable`, as far as the forge of `wanted` takes one that is not told.
pub(super) fn username_of(
    helper: &Helper,
    wanted: Option<&Query>,
    variable: &str,
) -> Option<&'static str> {
    let token = environment::token(variable).ok()?;
    match helper.username(&wanted?.key()?, &token, Some(variable)) {
        DefaultUsername::Known(name) => Some(name),
        DefaultUsername::Own => None,
        DefaultUsername::Unknown => Some(ANY_USER),
    }
}

/// What git's cache is asked for.
pub(super) fn known(helper: &Helper, wanted: Option<&Query>) -> Vec<Query> {
    let kept = helper.list().map(|outcome| outcome.value);
    let kept = kept.unwrap_or_default().into_iter();
    let kept = kept.map(|(_, listed)| Query::of(&listed.key));
    wanted
        .map(Query::duplicate)
        .into_iter()
        .chain(kept)
        .collect()
}

/// Shows the readable entries even if others cannot be read.
pub(super) fn say_troubles(streams: &mut Streams, harvest: &Harvest) {
    for trouble in &harvest.troubles {
        ui::trouble(streams, trouble, trouble.hint());
    }
    for (name, skipped) in &harvest.skipped {
        let entries = match skipped.count {
            1 => "1 entry".to_owned(),
            count => format!("{count} entries"),
        };
        let mut what = format!("skipped {entries} of {name} that cannot be used");
        let named = escape::safe(skipped.to_string().as_bytes());
        if !named.is_empty() {
            what = format!("{what}: {named}");
        }
        ui::warn(streams, &what, None);
    }
    for (name, count) in &harvest.surplus {
        let what = format!("{name} keeps {count} more than the {MOST} that are read: passed over");
        let hint = "remove what is imported with --remove-source, and import the rest then";
        ui::warn(streams, &what, Some(hint));
    }
}
