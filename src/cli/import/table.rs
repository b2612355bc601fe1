//! The rows of the table that `import` shows.

use super::super::table::Layout;
use super::super::table::cell::Cell;
use crate::credential::expiry::Expiry;
use crate::credential::username::Username;
use crate::neighbour::registry::{Harvest, Neighbours};
use crate::tasks::import::offer::{InvalidReason, Offer, Verdict};
use crate::terminal::escape;

pub(super) const LAYOUT: Layout = Layout {
    headings: &["URL", "USER", "FROM", "WHAT"],
    steps: &[
        ("FROM", 24),
        ("URL", 36),
        ("FROM", 12),
        ("WHAT", 32),
        ("USER", 16),
        ("URL", 24),
        ("FROM", 0),
        ("WHAT", 24),
        ("USER", 8),
        ("URL", 16),
    ],
};

/// The row of `offer`. `replace`: with `--replace`; `is_wanted`: it is imported.
pub(super) fn row(
    offer: &Offer,
    (neighbours, harvest): (&Neighbours, &Harvest),
    replace: bool,
    is_wanted: bool,
) -> Vec<Cell> {
    let key = &offer.credential.key;
    let mut sources = Vec::new();
    for &copy in &offer.copies {
        let copied = &harvest.copies[copy];
        let place = escape::safe(copied.found.shown_place().as_bytes());
        sources.push(format!("{} {place}", neighbours.name_of(copied)));
    }
    vec![
        Cell::url(escape::safe(&key.url())),
        key.username
            .as_ref()
            .map_or_else(|| "-".to_owned(), Username::shown)
            .into(),
        sources.join(", ").into(),
        verdict(offer, replace, is_wanted).into(),
    ]
}

fn verdict(offer: &Offer, replace: bool, is_wanted: bool) -> String {
    let expiry = offer.credential.expiry.map(Expiry::day);
    match (offer.verdict, expiry) {
        (Verdict::New, None) => "new".to_owned(),
        (Verdict::New, Some(day)) => format!("new, expires {day}"),
        (Verdict::SameWithExpiry, Some(day)) => format!("same, and expires {day}"),
        (Verdict::Same | Verdict::SameWithExpiry, _) => "same".to_owned(),
        (Verdict::Different, _) if replace => match answered(offer) {
            Some(other) => {
                format!("different: replaces the stored one, answers instead of {other}")
            }
            None => "different: replaces the stored one".to_owned(),
        },
        (Verdict::Different, _) => "different: the stored one stays".to_owned(),
        (Verdict::Shadows, _) => {
            let other = answered(offer).unwrap_or_default();
            if replace {
                format!("new, answers instead of {other}")
            } else {
                format!("shadows {other}, which answers now: not imported")
            }
        }
        (Verdict::Unknown, _) => "unknown: a storage does not answer".to_owned(),
        (Verdict::Second, _) => "different from the one above: not imported".to_owned(),
        (Verdict::Expired, None) => "expired".to_owned(),
        (Verdict::Expired, Some(day)) => format!("expired {day}"),
        (Verdict::Invalid { why, .. }, _) => {
            let why = match why {
                InvalidReason::Marked(mark, since) => {
                    let day = Expiry::from_unix(since).map_or_else(String::new, Expiry::day);
                    format!("{} {day}", mark.word())
                }
                InvalidReason::Retired(text) => text.to_owned(),
            };
            let what = if is_wanted {
                "imported anyway"
            } else {
                "not imported"
            };
            format!("{why}: {what}")
        }
    }
}

/// The credential that answers now, and its storage.
fn answered(offer: &Offer) -> Option<String> {
    let (kind, key) = offer.shadowed.as_ref()?;
    Some(format!("{} ({kind})", key.encoded()))
}
