//! The places of the journal's entries by user, for many questions to one snapshot.

use std::collections::HashMap;

use super::about::Owner;
use super::{Contents, Entry};
use crate::credential::key::Key;

/// The indexes of the entries of each user at each host, in the journal's order.
pub(super) struct UserPlaces(HashMap<Owner, Vec<usize>>);

impl UserPlaces {
    pub(super) fn of(entries: &[Entry]) -> Self {
        let mut places: HashMap<Owner, Vec<usize>> = HashMap::new();
        for (at, entry) in entries.iter().enumerate() {
            if let Some(about) = &entry.about {
                places.entry(about.owner.anywhere()).or_default().push(at);
            }
        }
        Self(places)
    }
}

/// The entries that may be about the user of `key`, in the journal's order. Without `places` these are all.
pub(super) fn entries_for<'a>(
    contents: Option<&'a Contents>,
    places: Option<&'a UserPlaces>,
    key: &Key,
) -> impl Iterator<Item = &'a Entry> {
    let all = contents.map_or(&[][..], |contents| &contents.entries);
    let of_user = contents.zip(places).map(|(contents, places)| {
        let owner = contents.owner(key).anywhere();
        places.0.get(&owner).map_or(&[][..], Vec::as_slice)
    });
    let scanned = if of_user.is_some() { &[][..] } else { all };
    let of_user = of_user.unwrap_or_default().iter();
    of_user.map(|&at| &all[at]).chain(scanned)
}
