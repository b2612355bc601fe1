//! Which copies `import --remove-source` may remove, and why the others stay.

use super::Import;
use super::offer::Offer;
use crate::credential::key::Key;
use crate::neighbour::registry::{Harvest, Neighbours};
use crate::storage::Error;

/// The copies of the imported credentials, by what may be done with them.
#[derive(Debug, Default)]
pub struct SourceRemoval {
    /// The indices of the copies that may be removed.
    pub removable: Vec<usize>,
    /// The indices of the copies in sources that are only read.
    pub read_only: Vec<usize>,
    /// How many copies stay because only memory has their credential.
    pub only_in_memory: usize,
    /// How many copies stay because git does not ask the storage that has their credential.
    pub unseen: usize,
}

impl SourceRemoval {
    /// `is_unseen`: whether git asks only storages that do not have the key.
    pub fn of(
        import: &Import<'_>,
        offers: &[Offer],
        (neighbours, harvest): (&Neighbours, &Harvest),
        is_unseen: impl Fn(&Key) -> bool,
    ) -> Result<Self, Error> {
        let mut removal = Self::default();
        for offer in offers {
            if !offer.is_imported && !offer.is_stored() {
                continue;
            }
            if !import.is_kept(&offer.credential)? {
                removal.only_in_memory += offer.copies.len();
                continue;
            }
            if is_unseen(&offer.credential.key) {
                removal.unseen += offer.copies.len();
                continue;
            }
            for &copy in &offer.copies {
                if neighbours.can_remove(&harvest.copies[copy]) {
                    removal.removable.push(copy);
                } else {
                    removal.read_only.push(copy);
                }
            }
        }
        Ok(removal)
    }
}
