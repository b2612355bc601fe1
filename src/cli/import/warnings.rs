//! The warnings of `import`.

use super::super::messages::counted;
use super::super::streams::Streams;
use super::super::ui;
use crate::config::account::Account;
use crate::neighbour::configured::path_teller;
use crate::neighbour::registry::Harvest;
use crate::tasks::import::offer::Offer;
use crate::tasks::import::paths::unmatched_urls;
use crate::tasks::import::removal::SourceRemoval;
use crate::terminal::escape;

/// Warns about the parts of the sources that could not be read.
pub(super) fn unread(streams: &mut Streams, harvest: &Harvest) {
    for trouble in &harvest.troubles {
        ui::trouble(streams, trouble, trouble.hint());
    }
    for (name, skipped) in &harvest.skipped {
        let entries = counted(skipped.count, "entry", "entries");
        let mut what = format!("skipped {entries} of {name} that cannot be used");
        let named = escape::safe(skipped.to_string().as_bytes());
        if !named.is_empty() {
            what = format!("{what}: {named}");
        }
        ui::warn(streams, &what, None);
    }
    for (name, count, read) in &harvest.surplus {
        let what = format!("{name} has {count} entries more than the {read} that were read");
        let hint = "remove what is imported with --remove-source, and import the rest then";
        ui::warn(streams, &what, Some(hint));
    }
}

/// Warns about imported credentials that no query of git would match.
pub(super) fn unmatched(streams: &mut Streams, offers: &[&Offer], accounts: &[Account]) {
    for url in unmatched_urls(offers, accounts, path_teller()) {
        let word = escape::shell_word(&url);
        let url = escape::safe(&url);
        let what = format!(
            "git asks with the whole path of a repository: the credential for {url} is not answered to any below it"
        );
        let hint = format!("run 'git credential-pat account add {word}'");
        ui::warn(streams, &what, Some(&hint));
    }
}

/// Warns about copies that stay at their source.
pub(super) fn staying(
    streams: &mut Streams,
    removal: &SourceRemoval,
    harvest: &Harvest,
    is_dry_run: bool,
    has_keychain: impl Fn() -> bool,
) {
    if removal.unseen > 0 && !is_dry_run {
        let what = format!(
            "{}: git does not ask the storage that has the import",
            stay(removal.unseen)
        );
        ui::warn(streams, &what, None);
    }
    if removal.only_in_memory > 0 && !is_dry_run {
        let what = format!(
            "{}: here only memory has a copy",
            stay(removal.only_in_memory)
        );
        let hint = if has_keychain() {
            "import with '--storage keychain' before you remove their source"
        } else {
            "the keychain cannot be reached: 'git credential-pat doctor' tells why"
        };
        ui::warn(streams, &what, Some(hint));
    }
    for &copy in &removal.read_only {
        let place = harvest.copies[copy].found.shown_place();
        let place = escape::safe(place.as_bytes());
        let what = format!("{place} is only read: remove the token there yourself");
        ui::warn(streams, &what, None);
    }
}

fn stay(count: usize) -> String {
    counted(
        count,
        "copy stays at its source",
        "copies stay at their source",
    )
}

/// A number of copies in words.
pub(super) fn copies(count: usize) -> String {
    counted(count, "copy", "copies")
}
