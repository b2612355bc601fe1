//! `import --json`: what was found, and what has come of it.

use serde::Serialize;

use super::Work;
use crate::credential::expiry::Expiry;

/// An offer.
#[derive(Serialize)]
pub(super) struct Shown {
    url: String,
    protocol: String,
    host: String,
    path: Option<String>,
    username: Option<String>,
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
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let source = |&at: &usize| {
        let copied = &work.harvest.copies[at];
        ShownSource {
            from: work.neighbours.name_of(copied),
            place: copied.found.place.to_string(),
            plaintext: copied.found.place.is_plaintext(),
            removed: work.removed[at],
        }
    };
    let offers = work.offers.iter().zip(&work.imported);
    offers
        .map(|(offer, imported)| {
            let key = &offer.credential.key;
            Shown {
                url: text(&key.url()),
                protocol: text(&key.protocol),
                host: text(&key.host),
                path: key.path.as_deref().map(text),
                username: key.username.as_deref().map(text),
                sources: offer.copies.iter().map(source).collect(),
                ends: offer.credential.expiry.and_then(Expiry::rfc3339),
                ends_unix: offer.credential.expiry.map(Expiry::unix),
                verdict: offer.verdict.word(),
                imported: *imported,
            }
        })
        .collect()
}
