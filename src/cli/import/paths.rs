//! What `import` would keep under a path that git never asks for.

use super::super::streams::Streams;
use super::super::ui;
use crate::config::account::Account;
use crate::credential::key::Key;
use crate::credential::query::Query;
use crate::neighbour::configured::path_teller;
use crate::tasks::import::Offer;
use crate::terminal::escape;

/// A path of one part is no repository's at any forge: where git tells the whole path, what is kept for it never fits.
pub(super) fn warn(offers: &[&Offer], accounts: &[Account], streams: &mut Streams) {
    let tells_path = path_teller();
    let is_ruled = |said: &Query| {
        let mut accounts = accounts.iter();
        accounts.any(|account| account.path.is_some() && account.covers(said))
    };
    let never_fits = |key: &Key| {
        let path = key.path.as_deref().unwrap_or_default();
        let is_http = matches!(&key.protocol[..], b"http" | b"https");
        let is_owner = is_http && !path.is_empty() && !path.contains(&b'/');
        is_owner && !is_ruled(&Query::of(key)) && tells_path(key)
    };
    let mut urls: Vec<Vec<u8>> = offers
        .iter()
        .map(|offer| &offer.credential.key)
        .filter(|key| never_fits(key))
        .map(Key::url)
        .collect();
    urls.sort_unstable();
    urls.dedup();
    for url in urls {
        let url = escape::safe(&url);
        let what = format!(
            "git asks with the whole path of a repository: what is kept for {url} is not answered to any below it"
        );
        let hint = format!(
            "add '[[account]]' with 'url = \"{url}\"' to config.toml, and run 'git credential-pat setup'"
        );
        ui::warn(streams, &what, Some(&hint));
    }
}
