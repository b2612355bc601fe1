//! A stale credential: its row in the table, and its JSON.

use serde::Serialize;

use super::super::json::{ShownKey, moment};
use super::super::table::Layout;
use super::super::table::cell::Cell;
use crate::credential::expiry::Expiry;
use crate::credential::username::Username;
use crate::tasks::clean::stale::{CleanStep, Reason, StaleCredential};
use crate::terminal::escape;

pub(super) const LAYOUT: Layout = Layout {
    headings: &["NO", "URL", "USER", "KEPT IN", "SECRET", "STORED", "WHY"],
    steps: &[
        ("STORED", 0),
        ("SECRET", 0),
        ("KEPT IN", 24),
        ("URL", 36),
        ("WHY", 28),
        ("USER", 16),
        ("KEPT IN", 10),
        ("URL", 24),
        ("WHY", 12),
        ("USER", 8),
        ("URL", 16),
    ],
};

#[derive(Serialize)]
pub(super) struct StaleJson<'a> {
    #[serde(flatten)]
    key: ShownKey,
    owner: &'a str,
    place: Option<&'a str>,
    plaintext: bool,
    items: usize,
    secret: Option<&'a str>,
    stored: Option<String>,
    reason: &'static str,
    since: Option<String>,
    outcome: CleanStep,
}

pub(super) fn row(stale: &StaleCredential, number: usize) -> Vec<Cell> {
    let key = &stale.credential.key;
    let mut place = stale.owner.clone();
    if let Some(at) = &stale.place {
        place = format!("{place} {at}");
    }
    if stale.items > 1 {
        place = format!("{place} ({} items)", stale.items);
    }
    let mut why = match stale.reason {
        Reason::Retired(says) => says.to_owned(),
        reason => reason.word().to_owned(),
    };
    if let Some(since) = stale.since.and_then(Expiry::from_unix) {
        why = format!("{why} {}", since.day());
    }
    match stale.step {
        CleanStep::Kept => why.push_str(" (kept)"),
        CleanStep::ReadOnly => why.push_str(" (read-only: remove it there yourself)"),
        _ => {}
    }
    let stored = stale.stored.and_then(Expiry::from_unix);
    let cells = [
        key.username.as_ref().map(Username::shown),
        Some(escape::safe(place.as_bytes())),
        stale.label.as_ref().map(|label| format!("#{label}")),
        stored.map(Expiry::day),
        Some(why),
    ];
    let mut row = vec![
        number.to_string().into(),
        Cell::url(escape::safe(&key.url())),
    ];
    for cell in cells {
        row.push(cell.unwrap_or_else(|| "-".to_owned()).into());
    }
    row
}

pub(super) fn json(stale: &StaleCredential) -> StaleJson<'_> {
    StaleJson {
        key: (&stale.credential.key).into(),
        owner: &stale.owner,
        place: stale.place.as_deref(),
        plaintext: stale.is_plaintext,
        items: stale.items,
        secret: stale.label.as_deref(),
        stored: moment(stale.stored),
        reason: stale.reason.word(),
        since: moment(stale.since),
        outcome: stale.step,
    }
}
