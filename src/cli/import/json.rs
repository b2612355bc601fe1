//! `import --json`: what was found, and what has come of it.

use serde::Serialize;

use super::super::json::ShownKey;
use super::Work;
use crate::credential::expiry::Expiry;

/// An offer.
#[derive(Serialize)]
pub(super) struct Shown {
    #[serde(flatten)]
    key: ShownKey,
    sources: Vec<ShownSource>,
    ends: Option<String>,
    ends_unix: Option<u64>,
    verdict: &'static str,
    imported: bool,
}

#[derive(Serialize)]
struct ShownSource {
    from: &'static str,
    place: String,
    plaintext: bool,
    removed: bool,
}

/// Every offer, and what has come of it.
pub(super) fn shown(work: &Work) -> Vec<Shown> {
    let source = |&at: &usize| {
        let copied = &work.harvest.copies[at];
        ShownSource {
            from: work.neighbours.name_of(copied),
            place: copied.found.shown_place(),
            plaintext: copied.found.place.is_plaintext(),
            removed: work.removed[at],
        }
    };
    let offers = work.offers.iter().zip(&work.imported);
    offers
        .map(|(offer, imported)| Shown {
            key: (&offer.credential.key).into(),
            sources: offer.copies.iter().map(source).collect(),
            ends: offer.credential.expiry.and_then(Expiry::rfc3339),
            ends_unix: offer.credential.expiry.map(Expiry::unix),
            verdict: offer.verdict.word(),
            imported: *imported,
        })
        .collect()
}
