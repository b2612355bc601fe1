//! Finds the copies of a secret among many credentials: the same secret of the same user at the same host.

use std::collections::HashMap;

use crate::credential::Credential;
use crate::credential::code::code;
use crate::credential::username::Username;

/// Complete credentials with their items, by the user, the host and a fingerprint of the secret.
pub(super) struct Copies<'a, Item>(HashMap<SecretOfUser<'a>, Vec<(&'a Item, &'a Credential)>>);

/// A protocol, a host, a username and a fingerprint, which never leaves the process.
type SecretOfUser<'a> = (&'a [u8], &'a [u8], Option<&'a Username>, Option<[u8; 16]>);

fn secret_of_user(credential: &Credential) -> SecretOfUser<'_> {
    let (key, print) = (&credential.key, code(b"", credential));
    (&key.protocol, &key.host, key.username.as_ref(), print)
}

impl<'a, Item> Copies<'a, Item> {
    pub(super) fn of(items: impl Iterator<Item = (&'a Item, &'a Credential)>) -> Self {
        let mut all: HashMap<SecretOfUser<'a>, Vec<_>> = HashMap::new();
        for (item, credential) in items.filter(|(_, credential)| credential.is_complete()) {
            let same = all.entry(secret_of_user(credential)).or_default();
            same.push((item, credential));
        }
        Self(all)
    }

    /// The first item with the secret of `credential`. The path does not matter.
    pub(super) fn first(&self, credential: &Credential) -> Option<&'a Item> {
        let mut same = self.0.get(&secret_of_user(credential))?.iter();
        let found = same.find(|(_, other)| other.has_same_secrets(credential));
        found.map(|(item, _)| *item)
    }

    pub(super) fn has(&self, credential: &Credential) -> bool {
        self.first(credential).is_some()
    }
}
