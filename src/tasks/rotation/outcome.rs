//! The outcome of a rotation that saved the new token, and the messages about it.

use std::fmt::Write as _;

use crate::credential::Credential;
use crate::credential::key::Key;
use crate::forge::ForgeExpiry;
use crate::helper::notice::Notice;
use crate::storage::{Error, StorageKind};
use crate::terminal::escape;

/// An entry that did not take the new token.
#[derive(Debug)]
pub struct StaleEntry {
    pub key: Key,
    pub kind: StorageKind,
    pub cause: Error,
    /// Whether the old token was removed. If not, the entry still answers with it.
    pub is_erased: bool,
}

#[derive(Default)]
pub struct Rotated {
    /// The entries that have the new token, each key once. That of the key that was asked for comes first, if it is among them.
    pub saved: Vec<Credential>,
    /// Entries that could not be updated.
    pub left: Vec<StaleEntry>,
    /// Entries that got another token meanwhile. They keep that token.
    pub displaced: Vec<(StorageKind, Key)>,
    /// Storages that could not be asked and may have the old token.
    pub unasked: Vec<Notice>,
    /// Whether the new token lasts where the old one did.
    pub is_lasting: bool,
    /// Whether an earlier rotation made the new token, and was cut off before it was finished.
    pub is_resumed: bool,
    /// The expiry of the new token, as its forge tells.
    pub expiry: ForgeExpiry,
}

impl Rotated {
    pub(super) fn add(&mut self, new: Credential) {
        if self.saved.iter().all(|other| other.key != new.key) {
            self.saved.push(new);
        }
    }

    /// Whether each entry with the old token has the new one.
    pub fn is_everywhere(&self) -> bool {
        self.left.is_empty() && self.displaced.is_empty() && self.is_whole()
    }

    /// Whether nothing is left to do for another `rotate`.
    pub(super) fn is_finished(&self) -> bool {
        self.left.iter().all(|left| left.is_erased) && self.is_lasting && self.is_whole()
    }

    /// Whether every storage could be asked. A storage that this system does not have holds nothing.
    fn is_whole(&self) -> bool {
        !self.unasked.iter().any(Notice::leaves_out)
    }

    /// Returns where the new token is. `key` and `place`: the first of the entries, and where it is kept.
    pub fn summary(&self, key: &Key, place: &str) -> String {
        let mut text = String::new();
        if self.is_resumed {
            text.push_str("an earlier rotation was cut off: it is finished now\n");
        }
        let url = escape::safe(&key.url());
        let _ = writeln!(text, "the new token for {url} is kept {place}");
        if self.expiry == ForgeExpiry::Never {
            text.push_str("the new token never expires\n");
        }
        for Credential { key: other, .. } in &self.saved {
            if other != key {
                let _ = writeln!(
                    text,
                    "it is also in the old one's place in {}",
                    entry(other)
                );
            }
        }
        text
    }

    /// Returns a warning with its hint for each entry that does not have the new token. `again`: the command that puts it there.
    pub fn warnings(&self, again: &str) -> Vec<(String, String)> {
        let mut all = Vec::new();
        for StaleEntry {
            key,
            kind,
            cause,
            is_erased,
        } in &self.left
        {
            let entry = entry(key);
            if *is_erased {
                let what = format!("the {kind} storage keeps no token for {entry} any more");
                let hint =
                    "when it can be written, the token that git uses next is kept there again";
                all.push((what, hint.to_owned()));
            } else {
                let is_silent = matches!(cause, Error::Unavailable { .. });
                let has = if is_silent {
                    "may still have"
                } else {
                    "still has"
                };
                let what = format!("the {kind} storage {has} the old token for {entry}");
                all.push((what, format!("when it can be written, {again}")));
            }
        }
        for (kind, key) in &self.displaced {
            let what = format!(
                "the {kind} storage got another token for {} meanwhile: that one stays",
                entry(key)
            );
            let check = format!(
                "'git credential-pat check {}' tells whether it is good",
                key.argument()
            );
            all.push((what, check));
        }
        if !self.is_whole() {
            let what = "a storage could not be asked, and may still have the old token".to_owned();
            all.push((what, format!("when it can be reached, {again}")));
        }
        if !self.is_lasting {
            let what = "only memory has the new token, and it forgets".to_owned();
            let url = self.saved.first().map(|saved| saved.key.argument());
            let url = url.unwrap_or_default();
            let login = format!("create a new one with 'git credential-pat login {url}'");
            // `rotate` finds no entry to update where the old token is gone.
            let is_erased = self.left.iter().all(|left| left.is_erased);
            let next = if is_erased { &login[..] } else { again };
            all.push((what, format!("when the storage can be written, {next}")));
        }
        all
    }
}

fn entry(key: &Key) -> String {
    let url = escape::safe(&key.url());
    match &key.username {
        Some(user) => format!("{} at {url}", user.shown()),
        None => url,
    }
}
