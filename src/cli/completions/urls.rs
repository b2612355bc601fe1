//! URLs of stored tokens and account rules for a shell's completions: within a deadline, without a prompt or a secret, and without starting the daemon.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::config::Settings;
use crate::credential::key::Key;
use crate::helper::open;
use crate::platform;
use crate::tasks::calls::gits_flags;

/// The user waits after pressing the key.
const PATIENCE: Duration = Duration::from_millis(500);

/// The URLs to offer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum UrlKind {
    /// Those of stored tokens.
    Tokens,
    /// Those of account rules.
    Rules,
    Both,
}

/// The URLs that begin with `word`, with their users. A host alone may be typed without `https://`.
pub(super) fn known(word: &str, offered: UrlKind) -> Vec<String> {
    platform::harden();
    let (sender, keys) = mpsc::channel();
    // A storage that does not answer keeps its thread, which ends with the process.
    thread::spawn(move || {
        let Ok(flags) = gits_flags(None) else {
            return;
        };
        if let Ok(settings) = Settings::load(flags) {
            if offered != UrlKind::Tokens {
                let rules = settings.accounts.iter();
                let _ = sender.send(rules.map(|rule| rule.key.clone()).collect());
            }
            if offered == UrlKind::Rules {
                return;
            }
            open::keys_at_hand(&settings, |keys: Vec<Key>| {
                let _ = sender.send(keys);
            });
        }
    });
    let until = platform::monotonic_now() + PATIENCE;
    let mut all = Vec::new();
    while let Ok(keys) = keys.recv_timeout(until.saturating_sub(platform::monotonic_now())) {
        for key in keys {
            all.extend(urls(&key, word));
        }
    }
    all.sort_unstable();
    all.dedup();
    all.into_iter().map(|url| format!("{url}\t")).collect()
}

fn urls(key: &Key, word: &str) -> Vec<String> {
    let mut urls = vec![key.encoded()];
    if let Some(bare) = urls[0].strip_prefix("https://").map(str::to_owned) {
        let is_url = "https://".starts_with(word) || word.contains("://");
        if !is_url {
            urls.push(bare.rsplit('@').next().unwrap_or_default().to_owned());
            // With a port, it would look like a place over SSH.
            urls.extend(Some(bare).filter(|bare| !bare.contains(':')));
        }
    }
    urls
}
