//! The JSON of `import`.

use serde::Serialize;

use super::super::json::ShownKey;
use super::work::Work;
use crate::credential::expiry::Expiry;

/// One offer.
#[derive(Serialize)]
pub(super) struct ShownOffer {
    #[serde(flatten)]
    key: ShownKey,
    sources: Vec<ShownSource>,
    expires_at: Option<String>,
    expires_at_unix: Option<u64>,
    verdict: &'static str,
    /// The credential that answers now, and no longer would.
    shadows: Option<ShownKey>,
    imported: bool,
}

#[derive(Serialize)]
struct ShownSource {
    from: &'static str,
    place: String,
    plaintext: bool,
    removed: bool,
}

/// Every offer and its outcome.
pub(super) fn shown(work: &Work) -> Vec<ShownOffer> {
    let mut shown = Vec::new();
    for offer in &work.offers {
        let mut sources = Vec::new();
        for &copy in &offer.copies {
            let copied = &work.harvest.copies[copy];
            sources.push(ShownSource {
                from: work.neighbours.name_of(copied),
                place: copied.found.shown_place(),
                plaintext: copied.found.place.is_plaintext(),
                removed: work.removed[copy],
            });
        }
        let expiry = offer.credential.expiry;
        shown.push(ShownOffer {
            key: (&offer.credential.key).into(),
            sources,
            expires_at: expiry.and_then(Expiry::rfc3339),
            expires_at_unix: expiry.map(Expiry::unix),
            verdict: offer.verdict.word(),
            shadows: offer.shadowed.as_ref().map(|(_, key)| key.into()),
            imported: offer.is_imported,
        });
    }
    shown
}
