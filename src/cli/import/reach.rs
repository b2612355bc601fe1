//! Whether git looks in the storages that `import` fills.

use std::collections::HashMap;

use super::super::streams::Streams;
use super::super::ui;
use crate::config::{Flags, Settings};
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::helper::open::kinds;
use crate::storage::StorageKind;
use crate::tasks::calls::{Calls, Lines, OwnLines};
use crate::tasks::import::offer::Offer;

/// git's calls for the host of each offer.
pub(super) struct Reach<'a> {
    /// By protocol and host.
    lines: HashMap<Vec<u8>, OwnLines>,
    calls: HashMap<OwnLines, Calls>,
    own: &'a Settings,
}

impl<'a> Reach<'a> {
    /// Asks git once, however many hosts there are.
    pub(super) fn of(offers: &[Offer], own: &'a Settings) -> Self {
        let all = Lines::read();
        let (mut lines, mut calls) = (HashMap::new(), HashMap::new());
        for Offer { credential, .. } in offers {
            let key = &credential.key;
            let of_host = all.for_url(Some(&Query::of(key)));
            calls
                .entry(of_host.clone())
                .or_insert_with_key(OwnLines::calls);
            lines.insert(site(key), of_host);
        }
        Self { lines, calls, own }
    }

    /// Warns once if git would not find the imported credentials.
    pub(super) fn warn(&self, streams: &mut Streams, wanted: &[&Offer], flags: &Flags) {
        for offer in wanted {
            let key = &offer.credential.key;
            let kept = kinds(self.own);
            let obstacle = self.of_key(key).obstacle(key, kept, self.own, flags);
            if let Some((what, hint)) = obstacle {
                ui::warn(streams, &what, Some(&hint));
                return;
            }
        }
    }

    /// Whether git looks in other storages than those that last here: then the only copy that git finds is the source. Before
    /// `setup`, git looks nowhere, and a warning is enough.
    pub(super) fn looks_elsewhere(&self, key: &Key) -> bool {
        let calls = self.of_key(key);
        let lasting: Vec<StorageKind> = kinds(self.own)
            .iter()
            .copied()
            .filter(|kind| kind.lasts())
            .collect();
        calls.are_any() && !calls.find(&lasting, self.own)
    }

    fn of_key(&self, key: &Key) -> &Calls {
        &self.calls[&self.lines[&site(key)]]
    }
}

fn site(key: &Key) -> Vec<u8> {
    [&key.protocol[..], b"://", &key.host].concat()
}
