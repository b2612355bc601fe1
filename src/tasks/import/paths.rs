//! Offers whose path git never sends.

use super::offer::Offer;
use crate::config::account::Account;
use crate::credential::key::Key;
use crate::credential::query::Query;

/// The URLs of `offers` that no query matches. A path of one part is no repository at any forge: where git sends whole paths,
/// only an `[[account]]` rule makes it match.
pub fn unmatched_urls(
    offers: &[&Offer],
    accounts: &[Account],
    sends_path: impl Fn(&Key) -> bool,
) -> Vec<Vec<u8>> {
    let mut urls = Vec::new();
    for offer in offers {
        let key = &offer.credential.key;
        let path = key.path.as_deref().unwrap_or_default();
        let is_http = matches!(&key.protocol[..], b"http" | b"https");
        if !is_http || path.is_empty() || path.contains(&b'/') {
            continue;
        }
        let query = Query::of(key);
        let has_rule = accounts
            .iter()
            .any(|account| account.key.path.is_some() && account.covers(&query));
        if !has_rule && sends_path(key) {
            urls.push(key.url());
        }
    }
    urls.sort_unstable();
    urls.dedup();
    urls
}
